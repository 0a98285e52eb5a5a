//! What writer, caretaker, readers and appenders of one journal share, and the desk over which the first two deal.
//!
//! Every lock here is short and none is held across an await.
use super::Options;
use super::gauges::Gauges;
use super::index::FrozenIndex;
use super::intake::Intake;
use super::lives::Lives;
use super::reader::Files;
use super::segment::Header;
use super::snapshot::Mark;
use actors::domain::identity::PaymentId;
use actors::ports::clock::Clock;
use actors::ports::disk::Disk;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// One journal's common ground.
pub struct Shared {
    pub(super) options: Options,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) files: Files,
    pub(super) intake: Intake,
    pub(super) desk: Desk,
    pub(super) gauges: Gauges,
    lives: Mutex<Lives>,
    segments: Mutex<BTreeMap<u32, Header>>,
}

impl Shared {
    pub(super) fn new(
        options: Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        files: Files,
        intake: Intake,
        lives: Lives,
        segments: BTreeMap<u32, Header>,
    ) -> Self {
        Self {
            gauges: Gauges::new(options.pending_max),
            options,
            disk,
            clock,
            files,
            intake,
            desk: Desk::default(),
            lives: Mutex::new(lives),
            segments: Mutex::new(segments),
        }
    }

    pub(super) fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn segments(&self) -> MutexGuard<'_, BTreeMap<u32, Header>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Over this the writer gets prepared segments and hands out frozen states.
#[derive(Default)]
pub struct Desk {
    slot: Mutex<Slot>,
    /// Wakes the caretaker.
    pub(super) caretaker: Notify,
    /// Wakes the writer when it waits for a segment.
    pub(super) writer: Notify,
}

#[derive(Default)]
struct Slot {
    ahead: Ahead,
    /// Why the last one could not be prepared, where that was not for want of space.
    broken: Option<io::Error>,
    /// No other is tried before.
    again_at: Option<Instant>,
    freeze_wanted: bool,
    frozen: Option<Frozen>,
    snapshot_under_way: bool,
    writer_done: bool,
}

/// The segment after the present one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Ahead {
    /// Has yet to be prepared.
    #[default]
    Missing,
    /// Lies ready.
    Ready,
    /// Is being given its name by the writer: until it has it, none may be put in its place.
    Taken,
    /// Could not be prepared.
    Short,
}

/// A consistent state between two frames, to make a snapshot from.
pub struct Frozen {
    pub(super) mark: Mark,
    pub(super) index: FrozenIndex,
    pub(super) open: Vec<PaymentId>,
}

impl Desk {
    /// Whether a segment is to be prepared now.
    pub fn lacks_prepared(&self, now: Instant) -> bool {
        let slot = self.slot();
        match slot.ahead {
            Ahead::Missing => true,
            Ahead::Short => slot.again_at.is_none_or(|at| at <= now),
            Ahead::Ready | Ahead::Taken => false,
        }
    }

    /// A segment lies ready.
    pub fn put_prepared(&self) {
        self.slot().ahead = Ahead::Ready;
        self.writer.notify_one();
    }

    /// Takes the segment that lies ready, if one does. The next is prepared once this one is [`Self::in_use`].
    pub fn take_prepared(&self) -> bool {
        let mut slot = self.slot();
        let is_ready = slot.ahead == Ahead::Ready;
        if is_ready {
            slot.ahead = Ahead::Taken;
        }
        drop(slot);
        if !is_ready {
            self.caretaker.notify_one();
        }
        is_ready
    }

    /// The segment that was taken has its name.
    pub fn in_use(&self) {
        self.slot().ahead = Ahead::Missing;
        self.caretaker.notify_one();
    }

    /// No segment could be prepared: what is left of the present one is the reserve. It is tried again then; whether this is
    /// news.
    pub fn fell_short(&self, error: io::Error, again_at: Instant) -> bool {
        let mut slot = self.slot();
        let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let is_news = slot.ahead != Ahead::Short || slot.broken.is_some() == is_full;
        (slot.ahead, slot.again_at) = (Ahead::Short, Some(again_at));
        slot.broken = (!is_full).then_some(error);
        drop(slot);
        self.writer.notify_one();
        is_news
    }

    /// The writer cannot go on without: it is tried at once, and what went wrong before is forgotten.
    pub fn insist(&self) {
        let mut slot = self.slot();
        (slot.broken, slot.again_at) = (None, None);
    }

    /// Why the last segment could not be prepared, once: for a disk that is full one waits, for one that is broken not.
    pub fn take_broken(&self) -> Option<io::Error> {
        self.slot().broken.take()
    }

    /// Whether only the reserve is left.
    pub fn is_short_of_space(&self) -> bool {
        self.slot().ahead == Ahead::Short
    }

    /// The writer is asked for a frozen state after its next round.
    pub fn want_frozen(&self) {
        self.slot().freeze_wanted = true;
    }

    /// Whether the writer should freeze now: it is wanted or `due`, and no snapshot is under way.
    pub fn should_freeze(&self, due: bool) -> bool {
        let mut slot = self.slot();
        let should = (due || slot.freeze_wanted) && !slot.snapshot_under_way;
        if should {
            slot.freeze_wanted = false;
            slot.snapshot_under_way = true;
        }
        should
    }

    /// Hands a frozen state to the caretaker.
    pub fn put_frozen(&self, frozen: Frozen) {
        self.slot().frozen = Some(frozen);
        self.caretaker.notify_one();
    }

    /// Takes the frozen state.
    pub fn take_frozen(&self) -> Option<Frozen> {
        self.slot().frozen.take()
    }

    /// The snapshot is written, or given up.
    pub fn snapshot_done(&self) {
        self.slot().snapshot_under_way = false;
    }

    /// The writer has written its last.
    pub fn writer_done(&self) {
        self.slot().writer_done = true;
        self.caretaker.notify_one();
    }

    /// Whether it has.
    pub fn is_writer_done(&self) -> bool {
        self.slot().writer_done
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
