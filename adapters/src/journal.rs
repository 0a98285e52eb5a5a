//! The durable journal: an append-only log in zero-filled segments, one writer, group commit, a hash chain.
//!
//! [`open`] reads what is there and gives three parts: the journal to append to and ask, the [`Writer`] and its
//! [`Caretaker`]. Production runs the latter two on threads of their own ([`start`]); a simulation spawns them where
//! it likes. How things lie on the disk: `record`, `frame`, `segment`. Why: `docs/decisions/0001-journal.md`.
mod caretaker;
pub mod codec;
pub mod frame;
mod gauges;
mod index;
mod intake;
mod lives;
mod opening;
mod payments;
mod reader;
pub mod record;
mod retention;
mod running;
pub mod segment;
mod shared;
mod show;
mod snapshot;
mod tail;
mod verify;
mod walk;
mod writer;

pub use caretaker::Caretaker;
pub use opening::{OpenFault, open};
pub use payments::{Line, Standing, payments};
pub use running::{Running, StartFault, abort_process, start};
pub use show::{Filter, life_on, show};
pub use tail::{Tail, TailFault};
pub use verify::{Report, verify};
pub use writer::{Fatal, OnFatal, Writer};

use actors::domain::identity::{Keeper, PayerId, PaymentId};
use actors::domain::journal::{Entry, OpenLife, Recorded, Seq, Shelf, Subject};
use actors::domain::time::Timestamp;
use actors::planted::{Bug, is_planted};
use actors::ports::Answer;
use actors::ports::journal::{Journal, JournalFault, Room};
use index::Fingerprint;
use shared::Shared;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A life may be moved while it is read; then it is read again, up to this often.
const READS_MAX: usize = 3;

/// How a journal works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment, and of the reserve that is left when the disk is full.
    pub segment_bytes: u32,
    /// Bytes of journal between snapshots.
    pub snapshot_every: u64,
    /// How long finished payments are kept.
    pub keep: Duration,
    /// How long the writer gathers under load before it flushes; zero flushes whenever the disk is idle.
    pub gather: Duration,
    /// How many records may wait for the disk before new work is to be refused.
    pub pending_max: usize,
    /// How many payments may be open, those that still owe something included, before new work is to be refused.
    pub open_max: usize,
}

impl Options {
    /// For production: 64 MiB segments and reserve, a week, no gathering.
    pub const PRODUCTION: Self = Self {
        segment_bytes: 64 * 1024 * 1024,
        snapshot_every: 64 * 1024 * 1024,
        keep: Duration::from_hours(7 * 24),
        gather: Duration::ZERO,
        pending_max: 65_536,
        open_max: 1_000_000,
    };

    fn check(&self) -> Result<(), Misconfigured> {
        let sizes = 4 * 1024..=1024 * 1024 * 1024;
        if sizes.contains(&self.segment_bytes) { Ok(()) } else { Err(Misconfigured::SegmentBytes) }
    }

    const fn segment_bytes(&self) -> u32 {
        self.segment_bytes
    }

    /// How large a frame grows before the next one is begun.
    fn frame_max(&self) -> usize {
        usize::try_from(self.segment_bytes / 8).unwrap_or(usize::MAX).min(1024 * 1024)
    }
}

/// An option out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// Segments too small or too large.
    #[error("a journal segment has 4 KiB to 1 GiB: correct segment_bytes")]
    SegmentBytes,
}

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// How many segments there are.
    pub segments: usize,
    /// The snapshot that was used.
    pub snapshot: Option<Seq>,
    /// How many snapshots could not be believed.
    pub snapshots_ignored: usize,
    /// How many records were replayed after it.
    pub replayed: u64,
    /// How many bytes of a torn tail were cut back.
    pub torn: usize,
    /// The last record.
    pub last: Seq,
    /// How many payments are open.
    pub open_payments: usize,
}

/// A journal, opened, with its two workers that are still to be run.
pub struct Opened {
    /// To append to and ask.
    pub journal: FileJournal,
    /// Has to run, or nothing becomes durable.
    pub writer: Writer,
    /// Has to run, or the writer runs out of segments.
    pub caretaker: Caretaker,
    /// What was found.
    pub recovery: Recovery,
}

/// The journal on a disk. Clones are the same journal.
#[derive(Clone)]
pub struct FileJournal {
    shared: Arc<Shared>,
}

impl FileJournal {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Ends the journal: the writer writes what was appended before, a last snapshot is made, both workers return.
    /// What is appended afterwards never becomes durable.
    pub fn stop(&self) {
        self.shared.intake.stop();
    }

    /// The last durable record.
    pub fn durable_seq(&self) -> Seq {
        self.shared.intake.durable()
    }

    /// When the latest durable record became true; of an empty log, when it was begun.
    pub fn latest_instant(&self) -> Result<Timestamp, TailFault> {
        Tail::latest_instant(&self.shared)
    }

    /// Reads the durable records from `from` on, for what is rebuilt from them.
    pub fn tail(&self, from: Seq) -> Tail {
        Tail::new(self.shared.clone(), from)
    }

    fn once_settled<T: Send + 'static>(&self, ask: impl FnOnce(&Shared) -> T + Send + 'static) -> Answer<T> {
        let shared = self.shared.clone();
        let settled = shared.intake.wait(shared.intake.last());
        Box::pin(async move {
            settled.await;
            ask(&shared)
        })
    }

    fn open_lives(
        &self,
        ask: impl FnOnce(&Shelf) -> Vec<OpenLife> + Send + 'static,
    ) -> Answer<Vec<OpenLife>> {
        self.once_settled(move |shared| ask(&shared.lives().shelf))
    }
}

fn newest(shared: &Shared, subject: &Subject) -> Option<record::Location> {
    shared.lives().index.get(Fingerprint::of(subject))
}

fn life(shared: &Shared, subject: Subject) -> Result<Vec<Recorded>, JournalFault> {
    let mut result = Ok(Vec::new());
    let mut tried = None;
    for _ in 0..READS_MAX {
        let Some(at) = newest(shared, &subject).filter(|at| tried != Some(*at)) else { return result };
        tried = Some(at);
        match shared.files.life(&subject, at) {
            Ok(Some(life)) => return Ok(life.into_iter().map(|(_, record)| record.into()).collect()),
            Ok(None) => result = Ok(Vec::new()),
            Err(fault) => result = Err(fault),
        }
    }
    result
}

fn latest(shared: &Shared, subject: Subject) -> Result<Option<Recorded>, JournalFault> {
    let mut result = Ok(None);
    let mut tried = None;
    for _ in 0..READS_MAX {
        let Some(at) = newest(shared, &subject).filter(|at| tried != Some(*at)) else { return result };
        tried = Some(at);
        result = shared.files.latest(&subject, at).map(|record| record.map(Recorded::from));
        if result.is_ok() {
            return result;
        }
    }
    result
}

fn keeper_of(shared: &Shared, payment: PaymentId) -> Option<Keeper> {
    let on_shelf = shared.lives().shelf.life(payment).map(|open| open.payment.keeper());
    on_shelf.or_else(|| {
        let life = life(shared, Subject::Payment(payment)).ok()?;
        life.first().and_then(|recorded| recorded.entry.keeper())
    })
}

impl Journal for FileJournal {
    fn append(&self, at: Timestamp, entries: Vec<Entry>) -> Seq {
        self.shared.intake.append(at, entries)
    }

    fn hurry(&self, seq: Seq) {
        self.shared.intake.hurry(seq);
    }

    fn durable(&self, seq: Seq) -> Answer<()> {
        Box::pin(self.shared.intake.wait(seq))
    }

    fn is_durable(&self, seq: Seq) -> bool {
        self.shared.intake.is_durable(seq)
    }

    fn end(&self) -> Seq {
        self.shared.intake.last()
    }

    fn life(&self, subject: Subject) -> Answer<Result<Vec<Recorded>, JournalFault>> {
        self.once_settled(move |shared| life(shared, subject))
    }

    fn latest(&self, subject: Subject) -> Answer<Result<Option<Recorded>, JournalFault>> {
        self.once_settled(move |shared| latest(shared, subject))
    }

    fn kept_by(&self, keeper: Keeper) -> Answer<Vec<OpenLife>> {
        self.open_lives(move |shelf| shelf.kept_by(keeper).cloned().collect())
    }

    fn involving(&self, payer: PayerId) -> Answer<Vec<OpenLife>> {
        self.open_lives(move |shelf| shelf.involving(payer).cloned().collect())
    }

    fn indebted(&self) -> Answer<Vec<OpenLife>> {
        self.open_lives(|shelf| {
            shelf.lives().filter(|open| !open.payment.debts().is_empty()).cloned().collect()
        })
    }

    fn keepers(&self) -> Answer<Vec<Keeper>> {
        self.once_settled(|shared| {
            let lives = shared.lives();
            let keepers: BTreeSet<Keeper> = lives.shelf.lives().map(|open| open.payment.keeper()).collect();
            keepers.into_iter().collect()
        })
    }

    fn keeper_of(&self, payment: PaymentId) -> Answer<Option<Keeper>> {
        self.once_settled(move |shared| keeper_of(shared, payment))
    }

    fn knows(&self, payment: PaymentId) -> bool {
        newest(&self.shared, &Subject::Payment(payment)).is_some()
    }

    fn room(&self) -> Room {
        let full = self.shared.desk.is_short_of_space();
        let slow = self.shared.intake.pending() > self.shared.options.pending_max;
        let crowded = self.shared.lives().shelf.len() >= self.shared.options.open_max;
        let full = full && !is_planted(Bug::FullDiskTakesNew);
        if full || slow || crowded { Room::ReserveOnly } else { Room::Plenty }
    }
}
