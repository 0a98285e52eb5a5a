//! A journal on a simulated disk with a clock that stands still, on one thread.
use actors::domain::journal::{Entry, Recorded, Seq};
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use actors::ports::contract::samples;
use actors::ports::journal::Journal;
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::{FileJournal, OpenFault, Options, Recovery};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Small segments, so that a short history fills several.
pub const SMALL: Options = Options {
    segment_bytes: 4096,
    snapshot_every: 1 << 40,
    keep: Duration::from_hours(24),
    gather: Duration::ZERO,
    pending_max: 1000,
    open_max: 1000,
};

/// A clock that is set.
#[derive(Clone)]
pub struct SetClock(Arc<AtomicU64>);

impl SetClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(samples::BEGIN.micros())))
    }

    pub fn pass(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

pub struct Rig {
    pub journal: FileJournal,
    pub recovery: Recovery,
    pub fatal: Arc<AtomicUsize>,
    writer: JoinHandle<()>,
    caretaker: JoinHandle<()>,
}

impl Rig {
    pub async fn open(disk: &SimulatedDisk, options: Options) -> Result<Self, OpenFault> {
        Self::open_at(disk, options, SetClock::new()).await
    }

    pub async fn open_at(disk: &SimulatedDisk, options: Options, clock: SetClock) -> Result<Self, OpenFault> {
        let fatal = Arc::new(AtomicUsize::new(0));
        let count = fatal.clone();
        let on_fatal = Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let opened =
            adapters::journal::open(Arc::new(disk.clone()), Arc::new(clock), options, on_fatal).await?;
        Ok(Self {
            journal: opened.journal,
            recovery: opened.recovery,
            fatal,
            writer: tokio::spawn(opened.writer.run()),
            caretaker: tokio::spawn(opened.caretaker.run()),
        })
    }

    /// Appends, and waits until it is durable; `false` if the writer ended before.
    pub async fn settle(&mut self, entries: Vec<Entry>) -> bool {
        let seq = self.journal.append(samples::BEGIN, entries);
        let durable = self.journal.durable(seq);
        tokio::select! {
            biased;
            () = durable => true,
            _ = &mut self.writer => false,
        }
    }

    pub async fn settle_all(&mut self, calls: &[Vec<Entry>]) {
        for call in calls {
            assert!(self.settle(call.clone()).await);
        }
    }

    pub fn records(&self) -> Vec<Recorded> {
        self.journal.tail(Seq(1)).read(usize::MAX).unwrap()
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.records().into_iter().map(|recorded| recorded.entry).collect()
    }

    /// Ends the journal in good order.
    pub async fn stop(self) {
        self.journal.stop();
        if !self.writer.is_finished() {
            self.writer.await.unwrap();
        }
        self.caretaker.await.unwrap();
    }

    /// Ends the process: nothing more is written.
    pub fn kill(self) {
        self.writer.abort();
        self.caretaker.abort();
    }
}

/// A history of several calls: open and paid payments and bindings, in turns.
pub fn history(payments: u64) -> Vec<Vec<Entry>> {
    (0..payments)
        .flat_map(|number| {
            let terminal = u32::try_from(number % 3).unwrap();
            let life = samples::paid_life(terminal, number);
            let (begin, rest) = life.split_at(3);
            let end = if number % 2 == 0 { vec![rest.to_vec()] } else { vec![] };
            [vec![samples::bound(terminal, number + 1)], begin.to_vec()].into_iter().chain(end)
        })
        .collect()
}

pub fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(story)
}
