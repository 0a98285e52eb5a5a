//! The index and the names of the open payments as of one frame, so that a start replays only what came after.
//!
//! A snapshot holds no facts: they are in the log, and the log decides. It is bound to it by the hash of the last
//! frame before it. One that cannot be believed is ignored, and the whole log is replayed instead.
use super::frame::Chain;
use super::index::{Fingerprint, Table};
use super::record::Location;
use super::segment;
use actors::domain::identity::PaymentId;
use actors::domain::journal::{Seq, Subject};
use actors::ports::disk::Disk;
use std::collections::BTreeSet;
use std::io;

const MAGIC: [u8; 8] = *b"TURNSNAP";
const FORMAT: u32 = 1;
const PREFIX: &str = "snapshot-";
/// A snapshot's name while it is written.
pub const WRITING: &str = "snapshot.tmp";
const CHUNK: usize = 1024 * 1024;
/// How many are kept: the newest, and one in case it cannot be read.
const KEPT: usize = 2;

/// A place between two frames, and the hash of all before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last record before it.
    pub seq: Seq,
    /// The hash of the last frame before it.
    pub chain: Chain,
    /// Where that frame begins; `None` if there is none.
    pub last_frame: Option<Location>,
    /// Where the next one will.
    pub end: Location,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// As of when.
    pub mark: Mark,
    /// The index.
    pub table: Table,
    /// The open payments.
    pub open: Vec<PaymentId>,
}

impl Snapshot {
    /// The same without what was recorded since `before` and is closed by now: a planted bug, or nobody calls it.
    pub(super) fn stale(&self, before: &Table) -> Self {
        let was_there = |subject| before.binary_search_by_key(&subject, |(other, _)| *other).is_ok();
        let open: BTreeSet<u64> =
            self.open.iter().map(|id| Fingerprint::of(&Subject::Payment(*id)).0).collect();
        let table = self.table.iter().filter(|(subject, _)| was_there(*subject) || open.contains(subject));
        Self { table: table.copied().collect(), ..self.clone() }
    }

    fn bytes(&self) -> Vec<u8> {
        let size = self.table.len().saturating_mul(16).saturating_add(self.open.len().saturating_mul(16));
        let mut bytes = Vec::with_capacity(size.saturating_add(128));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        let bits = |location: Option<Location>| location.map_or(0, Location::bits);
        let counts =
            [self.table.len(), self.open.len()].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        let [rows, open] = counts;
        for word in [self.mark.seq.0, bits(self.mark.last_frame), self.mark.end.bits(), rows, open] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.mark.chain.0);
        for (subject, location) in &self.table {
            bytes.extend_from_slice(&subject.to_le_bytes());
            bytes.extend_from_slice(&location.to_le_bytes());
        }
        for id in &self.open {
            bytes.extend_from_slice(&id.bits().to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        let (magic, rest) = checked.split_first_chunk::<8>()?;
        let (format, rest) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC
            || u32::from_le_bytes(*format) != FORMAT
            || crc32c::crc32c(checked) != u32::from_le_bytes(*crc)
        {
            return None;
        }
        let (head, rest) = rest.split_first_chunk::<40>()?;
        let mut words = words(head);
        let (seq, last_frame, end) = (words.next()?, words.next()?, words.next()?);
        let (rows, open) = (usize::try_from(words.next()?).ok()?, usize::try_from(words.next()?).ok()?);
        let (chain, rest) = rest.split_first_chunk::<32>()?;
        let (table, open_ids) = rest.split_at_checked(rows.checked_mul(16)?)?;
        if open_ids.len() != open.checked_mul(16)? {
            return None;
        }
        let mark = Mark {
            seq: Seq(seq),
            chain: Chain(*chain),
            last_frame: Location::from_bits(last_frame),
            end: Location::from_bits(end)?,
        };
        let (pairs, _) = table.as_chunks::<16>();
        let (ids, _) = open_ids.as_chunks::<16>();
        Some(Self {
            mark,
            table: pairs.iter().map(row).collect(),
            open: ids.iter().map(|id| PaymentId::from_bits(u128::from_le_bytes(*id))).collect(),
        })
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word))
}

fn row(pair: &[u8; 16]) -> (u64, u64) {
    let bits = u128::from_le_bytes(*pair);
    let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    (low, u64::try_from(bits >> 64).unwrap_or(0))
}

/// Writes a snapshot durably, then removes all but the newest few. Yields between chunks.
pub async fn write(disk: &dyn Disk, snapshot: &Snapshot) -> io::Result<usize> {
    remove_if_there(disk, WRITING)?;
    let file = disk.create(WRITING)?;
    let bytes = snapshot.bytes();
    let mut at = 0;
    for chunk in bytes.chunks(CHUNK) {
        file.write_at(at, chunk)?;
        at = at.saturating_add(u64::try_from(chunk.len()).unwrap_or(0));
        tokio::task::yield_now().await;
    }
    file.sync()?;
    disk.rename(WRITING, &format!("{PREFIX}{:020}", snapshot.mark.seq.0))?;
    segment::sync_names(disk)?;
    for old in names(disk)?.into_iter().skip(KEPT) {
        disk.remove(&old)?;
    }
    Ok(bytes.len())
}

/// The names of the snapshots, newest first.
pub fn names(disk: &dyn Disk) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = disk.list()?.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// Reads a snapshot; `None` if it is not whole and sound.
pub fn load(disk: &dyn Disk, name: &str) -> Option<Snapshot> {
    let file = disk.open(name).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().ok()?).ok()?];
    file.read_at(0, &mut bytes).ok()?;
    Snapshot::read(&bytes)
}

fn remove_if_there(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
