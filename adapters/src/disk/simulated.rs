//! A disk in memory that fails as real ones do: it loses what was not synced, tears writes, fills up, reports
//! I/O errors, flips bits, and loses power at a chosen moment.
//!
//! Every operation that changes something is counted, so that a test can cut the power before each of them in turn.
//! What survives a cut is decided by [`Survival`], repeatably. There is no clock and no real file here.
use actors::ports::disk::{Disk, DiskFile};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<World>>);

/// What is left of unsynced work after the power was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Only what was synced.
    Nothing,
    /// Everything that was written, as if the disk had been quick.
    Everything,
    /// Some of it, by this seed: writes lost, reordered and torn, directory changes cut off anywhere.
    Torn(u64),
}

/// Which operation an injected error strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `write_at` and `set_len`.
    Write,
    /// `sync` of a file.
    Sync,
    /// Creation of a file.
    Create,
    /// Renames, removals and the sync of the directory.
    Directory,
}

#[derive(Default)]
struct World {
    inodes: BTreeMap<u64, Inode>,
    names: Names,
    durable_names: Names,
    unsynced_names: Vec<Names>,
    next_inode: u64,
    changes: u64,
    power_off_at: Option<u64>,
    capacity: Option<u64>,
    errors: VecDeque<(Operation, u64, ErrorKind)>,
}

type Names = BTreeMap<String, u64>;

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl SimulatedDisk {
    /// An empty disk without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changing operations there have been.
    pub fn changes(&self) -> u64 {
        self.world().changes
    }

    /// The power goes before the change counted `change` (from 1): it and everything after it fail.
    pub fn cut_power_at(&self, change: u64) {
        self.world().power_off_at = Some(change);
    }

    /// From now on files may hold `bytes` together; more is "no space left".
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// The `nth` operation of this kind from now on (1 is the next) fails with `error`.
    pub fn fail(&self, operation: Operation, nth: u64, error: ErrorKind) {
        self.world().errors.push_back((operation, nth, error));
    }

    /// No error that was asked for and has not struck yet strikes any more.
    pub fn forget_errors(&self) {
        self.world().errors.clear();
    }

    /// Whether the power is gone.
    pub fn is_without_power(&self) -> bool {
        let world = self.world();
        world.power_off_at.is_some_and(|at| world.changes >= at)
    }

    /// How many bytes the files hold together.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// The disk as it is found after a power cut. The old one stays as it was.
    #[must_use]
    pub fn after_power_cut(&self, survival: Survival) -> Self {
        let world = self.world();
        let mut dice = Dice::new(match survival {
            Survival::Torn(seed) => seed,
            Survival::Nothing | Survival::Everything => 0,
        });
        let names = world.surviving_names(survival, &mut dice);
        let inodes = world.inodes.iter().map(|(id, inode)| (*id, inode.survives(survival, &mut dice)));
        let next = World {
            inodes: inodes.collect(),
            durable_names: names.clone(),
            names,
            next_inode: world.next_inode,
            capacity: world.capacity,
            ..World::default()
        };
        Self(Arc::new(Mutex::new(next)))
    }

    /// A file's bytes as a reader sees them; empty if there is no such file.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let world = self.world();
        world.names.get(name).and_then(|id| world.inodes.get(id)).map(|i| i.now.clone()).unwrap_or_default()
    }

    /// Puts `bytes` over a file's, durably, behind everybody's back: what a failing medium does.
    pub fn corrupt(&self, name: &str, offset: usize, bytes: &[u8]) {
        let mut world = self.world();
        let Some(id) = world.names.get(name).copied() else { return };
        let Some(inode) = world.inodes.get_mut(&id) else { return };
        let change = Change::Write(offset, bytes.to_vec());
        change.apply(&mut inode.now);
        change.apply(&mut inode.durable);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn change(&mut self, operation: Operation) -> io::Result<()> {
        self.changes = self.changes.saturating_add(1);
        if self.power_off_at.is_some_and(|at| self.changes >= at) {
            return Err(io::Error::new(ErrorKind::BrokenPipe, "the power is off"));
        }
        for (struck, left, _) in &mut self.errors {
            *left = left.saturating_sub(u64::from(*struck == operation));
        }
        match self.errors.iter().position(|(_, left, _)| *left == 0) {
            Some(at) => Err(self.errors.remove(at).map_or(ErrorKind::Other, |(_, _, error)| error).into()),
            None => Ok(()),
        }
    }

    fn surviving_names(&self, survival: Survival, dice: &mut Dice) -> Names {
        match survival {
            Survival::Nothing => self.durable_names.clone(),
            Survival::Everything => self.names.clone(),
            Survival::Torn(_) => {
                let kept = dice.below(self.unsynced_names.len().saturating_add(1));
                let last = kept.checked_sub(1).and_then(|at| self.unsynced_names.get(at));
                last.unwrap_or(&self.durable_names).clone()
            }
        }
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|id| self.inodes.get(id)).map(|inode| wide(inode.now.len())).sum()
    }

    fn renamed(&mut self) {
        self.unsynced_names.push(self.names.clone());
    }
}

impl Inode {
    fn survives(&self, survival: Survival, dice: &mut Dice) -> Self {
        let bytes = match survival {
            Survival::Nothing => self.durable.clone(),
            Survival::Everything => self.now.clone(),
            Survival::Torn(_) => self.torn(dice),
        };
        Self { now: bytes.clone(), durable: bytes, unsynced: Vec::new() }
    }

    fn torn(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.unsynced {
            match (dice.below(3), change) {
                (0, _) => {}
                (1, Change::Write(offset, written)) => {
                    let (from, to) = (dice.below(written.len()), dice.below(written.len().saturating_add(1)));
                    if let Some(part) = written.get(from..to) {
                        Change::Write(offset.saturating_add(from), part.to_vec()).apply(&mut bytes);
                    }
                }
                _ => change.apply(&mut bytes),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => bytes.resize(*len, 0),
            Self::Write(offset, written) => {
                let end = offset.saturating_add(written.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(place) = bytes.get_mut(*offset..end) {
                    place.copy_from_slice(written);
                }
            }
        }
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.world().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.world().names.get(name).copied().ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.change(Operation::Create)?;
        if world.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = world.next_inode;
        world.next_inode = inode.saturating_add(1);
        world.inodes.insert(inode, Inode::default());
        world.names.insert(name.to_owned(), inode);
        world.renamed();
        Ok(Box::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.change(Operation::Directory)?;
        let inode = world.names.remove(from).ok_or(ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), inode);
        world.renamed();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.change(Operation::Directory)?;
        world.names.remove(name).ok_or(ErrorKind::NotFound)?;
        world.renamed();
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut world = self.world();
        world.change(Operation::Directory)?;
        world.durable_names = world.names.clone();
        world.unsynced_names.clear();
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    inode: u64,
}

impl SimulatedFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut world = self.disk.world();
        world.change(Operation::Write)?;
        let (used, capacity) = (world.used(), world.capacity);
        let inode = world.inodes.get_mut(&self.inode).ok_or(ErrorKind::NotFound)?;
        let end = match &change {
            Change::Write(offset, written) => offset.saturating_add(written.len()),
            Change::SetLen(len) => *len,
        };
        let growth = wide(end.saturating_sub(inode.now.len()));
        if growth > 0 && capacity.is_some_and(|capacity| used.saturating_add(growth) > capacity) {
            return Err(ErrorKind::StorageFull.into());
        }
        change.apply(&mut inode.now);
        inode.unsynced.push(change);
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let world = self.disk.world();
        Ok(world.inodes.get(&self.inode).map_or(0, |inode| wide(inode.now.len())))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let world = self.disk.world();
        let inode = world.inodes.get(&self.inode).ok_or(ErrorKind::NotFound)?;
        let from = narrow(offset)?;
        let bytes = inode.now.get(from..from.saturating_add(buffer.len())).ok_or(ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(narrow(offset)?, bytes.to_vec()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(narrow(len)?))
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.change(Operation::Sync)?;
        let inode = world.inodes.get_mut(&self.inode).ok_or(ErrorKind::NotFound)?;
        for change in std::mem::take(&mut inode.unsynced) {
            change.apply(&mut inode.durable);
        }
        Ok(())
    }
}

/// xorshift64*: repeatable chance, nothing to do with security.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(rolled).unwrap_or(0).checked_rem(bound).unwrap_or(0)
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn narrow(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput.into())
}
