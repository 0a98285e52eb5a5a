//! The one writer: takes what is queued, lays it down as one frame, syncs, tells the waiters; then the next.
//!
//! While a flush runs the next batch gathers by itself. There is an await between a write and its sync, so that a
//! simulation can cut the power there. A disk that fails here ends the process: after a failed sync nothing can be
//! assumed about the bytes, and nothing was acknowledged. Zero-filling and snapshots are the `caretaker`'s.
use super::frame::{self, Chain};
use super::index::{ByFingerprint, Fingerprint};
use super::intake::Call;
use super::lives::Placed;
use super::record::{self, Head, Kind, Location};
use super::segment::{self, Header};
use super::shared::{Frozen, Shared};
use super::snapshot::Mark;
use actors::domain::journal::Seq;
use actors::domain::time::Timestamp;
use actors::planted::{Bug, is_planted};
use actors::ports::disk::DiskFile;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Memory folds are done in bites of this many, so that readers get in between.
const FOLD_BITE: usize = 16;
/// A flush of at least this many records is load: only then does gathering pay.
const GATHER_FROM: usize = 4;
/// How often the writer yields before it believes that nothing more pours in: a few microseconds.
const LOOKS: usize = 8;

/// The disk failed under the writer. The process has to end.
#[derive(Debug, thiserror::Error)]
#[error(
    "the journal's disk failed: {0}; nothing of the last batch was acknowledged, restart on a healthy disk"
)]
pub struct Fatal(pub io::Error);

/// What is called, once, when the disk fails under the writer.
pub type OnFatal = Box<dyn FnOnce(Fatal) + Send>;

/// The one writer of a journal.
pub struct Writer {
    shared: Arc<Shared>,
    on_fatal: OnFatal,
    file: Box<dyn DiskFile>,
    length: u64,
    mark: Mark,
    queue: VecDeque<Call>,
    frame: Vec<u8>,
    laid: Vec<Laid>,
    in_frame: ByFingerprint,
    since_snapshot: u64,
    last_batch: usize,
}

/// Where a record was laid in the frame.
#[derive(Clone, Copy)]
struct Laid {
    location: Location,
    prev: Option<Location>,
    kind: Kind,
    at: Timestamp,
}

/// A frame that is built but not written.
struct Built {
    calls: usize,
    chain: Chain,
    begins: Location,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        on_fatal: OnFatal,
        file: Box<dyn DiskFile>,
        length: u64,
        mark: Mark,
    ) -> Self {
        Self {
            shared,
            on_fatal,
            file,
            length,
            mark,
            queue: VecDeque::new(),
            frame: Vec::new(),
            laid: Vec::new(),
            in_frame: ByFingerprint::default(),
            since_snapshot: 0,
            last_batch: 0,
        }
    }

    /// Writes until the journal is stopped and everything queued is durable, or the disk fails.
    pub async fn run(mut self) {
        let result = self.serve().await;
        if result.is_ok() {
            self.shared.desk.snapshot_done();
            self.hand_out_frozen(self.since_snapshot > 0);
        }
        self.shared.desk.writer_done();
        if let Err(error) = result {
            (self.on_fatal)(Fatal(error));
        }
    }

    async fn serve(&mut self) -> io::Result<()> {
        while let Some(calls) = self.shared.intake.next().await {
            self.queue.extend(calls);
            self.gather().await;
            while !self.queue.is_empty() {
                self.flush().await?;
            }
            let due = self.since_snapshot >= self.shared.options.snapshot_every;
            self.hand_out_frozen(due);
        }
        Ok(())
    }

    /// Under load, the first of many who were just answered would be flushed alone: waits while more pours in.
    async fn gather(&mut self) {
        if self.last_batch < GATHER_FROM {
            return;
        }
        let pause = self.shared.options.gather;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let mut before = 0;
        while self.shared.intake.pending() > before {
            before = self.shared.intake.pending();
            for _ in 0..LOOKS {
                tokio::task::yield_now().await;
            }
        }
        self.queue.extend(self.shared.intake.take());
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut built = self.build()?;
        if !self.fits() {
            self.next_segment().await?;
            built = self.build()?;
            if !self.fits() {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a batch larger than a segment"));
            }
        }
        let began = self.shared.clock.now();
        self.file.write_at(u64::from(self.mark.end.offset()), &self.frame)?;
        if is_planted(Bug::AckBeforeFsync) {
            self.settle(&built)?;
            tokio::task::yield_now().await;
            return self.sync();
        }
        tokio::task::yield_now().await;
        self.sync()?;
        let took = self.shared.clock.now().since(began);
        self.shared.gauges.sync_seconds.record(took.as_secs_f64());
        self.settle(&built)
    }

    fn sync(&self) -> io::Result<()> {
        if is_planted(Bug::NoFsync) {
            return Ok(());
        }
        self.file.sync().or_else(|error| if is_planted(Bug::FailedSyncIgnored) { Ok(()) } else { Err(error) })
    }

    fn build(&mut self) -> io::Result<Built> {
        frame::begin(&mut self.frame);
        self.laid.clear();
        self.in_frame.clear();
        let queue = std::mem::take(&mut self.queue);
        let mut calls: usize = 0;
        for call in &queue {
            if calls > 0 && self.frame.len() >= self.shared.options.frame_max() {
                break;
            }
            self.lay(call).map_err(io::Error::other)?;
            calls = calls.saturating_add(1);
        }
        let first_seq = queue.front().map_or(0, |call| call.first_seq);
        self.queue = queue;
        let count = u32::try_from(self.laid.len()).unwrap_or(u32::MAX);
        let chain = frame::finish(&mut self.frame, first_seq, count, self.mark.chain);
        let chain = chain.ok_or_else(|| io::Error::other("a batch larger than a frame can be"))?;
        Ok(Built { calls, chain, begins: self.mark.end })
    }

    fn lay(&mut self, call: &Call) -> Result<(), super::codec::CodecFault> {
        let stale = call.carry.as_ref().is_some_and(|carry| {
            let subject = call.entries.first().map(|entry| Fingerprint::of(&entry.subject()));
            subject.and_then(|subject| self.newest(subject)) != Some(carry.newest)
        });
        for (place, entry) in call.entries.iter().enumerate() {
            let subject = Fingerprint::of(&entry.subject());
            let (kind, prev) = match (&call.carry, place) {
                (None, _) => (Kind::Own, self.newest(subject)),
                (Some(_), _) if stale => (Kind::Void, None),
                (Some(_), 0) => (Kind::Carried, None),
                (Some(_), _) => (Kind::Carried, self.newest(subject)),
            };
            let seq = call.first_seq.saturating_add(u64::try_from(place).unwrap_or(0));
            let (at, location) = (call.at(place), self.here());
            record::write(Head { kind, seq: Seq(seq), prev, at }, entry, &mut self.frame)?;
            self.laid.push(Laid { location, prev, kind, at });
            if kind != Kind::Void {
                self.in_frame.insert(subject, location);
            }
        }
        Ok(())
    }

    fn newest(&self, subject: Fingerprint) -> Option<Location> {
        self.in_frame.get(&subject).copied().or_else(|| self.shared.lives().index.get(subject))
    }

    fn here(&self) -> Location {
        let offset = u32::try_from(self.frame.len()).unwrap_or(u32::MAX);
        Location::new(self.mark.end.segment(), self.mark.end.offset().saturating_add(offset))
    }

    fn fits(&self) -> bool {
        let length = u64::try_from(self.frame.len()).unwrap_or(u64::MAX);
        u64::from(self.mark.end.offset()).saturating_add(length) <= self.length
    }

    fn settle(&mut self, built: &Built) -> io::Result<()> {
        let calls: Vec<Call> = self.queue.drain(..built.calls).collect();
        self.fold(&calls)?;
        let length = u32::try_from(self.frame.len()).unwrap_or(u32::MAX);
        let count = self.laid.len();
        let added = u64::try_from(count).unwrap_or(u64::MAX);
        self.mark = Mark {
            seq: Seq(self.mark.seq.0.saturating_add(added)),
            chain: built.chain,
            last_frame: Some(built.begins),
            end: Location::new(built.begins.segment(), built.begins.offset().saturating_add(length)),
        };
        self.since_snapshot = self.since_snapshot.saturating_add(u64::from(length));
        self.last_batch = count;
        self.shared.intake.settled(self.mark.seq.0, count);
        self.measure(count, added);
        self.measure_waits(&calls);
        Ok(())
    }

    fn fold(&self, calls: &[Call]) -> io::Result<()> {
        let mut entries = calls.iter().flat_map(|call| &call.entries);
        for bite in self.laid.chunks(FOLD_BITE) {
            let mut lives = self.shared.lives();
            for (laid, entry) in bite.iter().zip(entries.by_ref()) {
                let Laid { location, prev, kind, at } = *laid;
                let placed = Placed { location, prev, kind, at, entry };
                lives.take_in(&placed, &self.shared.files).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    fn measure(&self, count: usize, added: u64) {
        let gauges = &self.shared.gauges;
        gauges.records.increment(added);
        gauges.batch_records.record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        gauges.segment_bytes.set(f64::from(self.mark.end.offset()));
        let pending = u32::try_from(self.shared.intake.pending()).unwrap_or(u32::MAX);
        gauges.pending_records.set(f64::from(pending));
    }

    /// From when an entry became true until the disk had it. Their clock may be ahead of this one: then it shows nothing.
    fn measure_waits(&self, calls: &[Call]) {
        let now = self.shared.clock.now();
        for call in calls.iter().filter(|call| call.carry.is_none()) {
            self.shared.gauges.wait_seconds.record(now.since(call.at).as_secs_f64());
        }
    }

    async fn next_segment(&mut self) -> io::Result<()> {
        let number = self.mark.end.segment().checked_add(1);
        let number =
            number.ok_or_else(|| io::Error::other("the last number that a segment can have is used up"))?;
        self.shared.desk.insist();
        while !self.shared.desk.take_prepared() {
            self.shared.desk.writer.notified().await;
            if let Some(error) = self.shared.desk.take_broken() {
                return Err(error);
            }
        }
        let header = Header {
            number,
            first_seq: self.mark.seq.0.saturating_add(1 + u64::from(is_planted(Bug::SequenceGap))),
            opened: self.shared.clock.now(),
            chain: self.mark.chain,
        };
        self.file = segment::activate(&*self.shared.disk, &header)?;
        self.shared.desk.in_use();
        self.length = self.file.len()?;
        self.mark.end = Location::new(header.number, u32::try_from(segment::HEADER).unwrap_or(u32::MAX));
        self.shared.segments().insert(header.number, header);
        Ok(())
    }

    fn hand_out_frozen(&mut self, due: bool) {
        if !self.shared.desk.should_freeze(due) {
            return;
        }
        let mut lives = self.shared.lives();
        let index = lives.index.freeze();
        let listed = lives.shelf.lives().filter(|_| !is_planted(Bug::SnapshotWithoutOpen));
        let open: Vec<_> = listed.map(|life| life.payment.id()).collect();
        let misfits = lives.misfits;
        drop(lives);
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        self.shared.gauges.open_lives.set(count(open.len()));
        self.shared.gauges.misfits.set(f64::from(u32::try_from(misfits).unwrap_or(u32::MAX)));
        self.since_snapshot = 0;
        self.shared.desk.put_frozen(Frozen { mark: self.mark, index, open });
    }
}
