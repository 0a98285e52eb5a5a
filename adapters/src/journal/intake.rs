//! Where appends are put in order and wait for the next flush, and where their askers wait for the disk.
//!
//! One short lock: a seq is given out and the entries are moved, nothing more. It never waits for the disk and
//! knows nothing of it. What somebody waits for is flushed at once; the rest rides along with it, or goes alone after
//! [`RIDES`]. Its length is bounded by the permits taken at the edge; past `pending_max` the journal
//! reports that only the reserve is left, so that a slow disk sheds new work.
use super::record::Location;
use actors::domain::journal::{Entry, Seq};
use actors::domain::time::Timestamp;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

/// How long what nobody waits for may stay out of the disk's sight.
pub const RIDES: Duration = Duration::from_millis(20);

/// What was appended by one call: it becomes durable together.
#[derive(Debug)]
pub struct Call {
    /// The seq of its first entry.
    pub first_seq: u64,
    /// When the entries became true.
    pub at: Timestamp,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Set if these are copies of older records.
    pub carry: Option<Carry>,
}

/// Copies of a subject's records, to be written if that subject has not moved on.
#[derive(Debug)]
pub struct Carry {
    /// The newest record that was copied.
    pub newest: Location,
    /// When each of the entries became true.
    pub times: Vec<Timestamp>,
}

impl Call {
    /// When the entry at `place` became true.
    pub fn at(&self, place: usize) -> Timestamp {
        self.carry.as_ref().and_then(|carry| carry.times.get(place)).copied().unwrap_or(self.at)
    }
}

/// The queue before the writer.
pub struct Intake {
    queue: Mutex<Queue>,
    /// The last durable seq.
    durable: AtomicU64,
    pending: AtomicUsize,
    wake: Notify,
}

struct Queue {
    next_seq: u64,
    calls: Vec<Call>,
    waiters: Vec<(u64, oneshot::Sender<()>)>,
    /// Somebody waits for everything up to here.
    wanted: u64,
    nudged: bool,
    stopping: bool,
}

impl Intake {
    /// An empty queue behind a journal whose last seq is `last`.
    pub fn new(last: Seq) -> Self {
        let queue = Queue {
            next_seq: last.0.saturating_add(1),
            calls: Vec::new(),
            waiters: Vec::new(),
            wanted: last.0,
            nudged: false,
            stopping: false,
        };
        Self {
            queue: Mutex::new(queue),
            durable: AtomicU64::new(last.0),
            pending: AtomicUsize::new(0),
            wake: Notify::new(),
        }
    }

    /// Queues entries; the seq of the last.
    pub fn append(&self, at: Timestamp, entries: Vec<Entry>) -> Seq {
        self.enqueue(at, entries, None)
    }

    /// Queues copies of a life; the seq of the last.
    pub fn carry(&self, records: Vec<(Timestamp, Entry)>, newest: Location) -> Seq {
        let (times, entries): (Vec<Timestamp>, Vec<Entry>) = records.into_iter().unzip();
        let at = times.first().copied().unwrap_or(Timestamp::from_micros(0));
        self.enqueue(at, entries, Some(Carry { newest, times }))
    }

    fn enqueue(&self, at: Timestamp, entries: Vec<Entry>, carry: Option<Carry>) -> Seq {
        let count = entries.len();
        let mut queue = self.queue();
        let first_seq = queue.next_seq;
        if count == 0 {
            return Seq(first_seq.saturating_sub(1));
        }
        queue.next_seq = first_seq.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let was_empty = queue.calls.is_empty();
        queue.calls.push(Call { first_seq, at, entries, carry });
        let last = Seq(queue.next_seq.saturating_sub(1));
        drop(queue);
        self.pending.fetch_add(count, Ordering::Relaxed);
        if was_empty {
            self.wake.notify_one();
        }
        last
    }

    /// Everything queued, in order, as soon as somebody waits for any of it, or has waited long enough for company, or
    /// somebody nudged; `None` once stopped and empty.
    pub async fn next(&self) -> Option<Vec<Call>> {
        let mut goes_at: Option<Instant> = None;
        loop {
            let rides = {
                let mut queue = self.queue();
                let is_late = goes_at.is_some_and(|at| at <= Instant::now());
                if queue.is_due() || is_late {
                    queue.nudged = false;
                    return Some(std::mem::take(&mut queue.calls));
                }
                if queue.stopping {
                    return None;
                }
                !queue.calls.is_empty()
            };
            if rides {
                let at = *goes_at.get_or_insert_with(|| Instant::now() + RIDES);
                // Looks again in either case.
                timeout_at(at, self.wake.notified()).await.ok();
            } else {
                self.wake.notified().await;
            }
        }
    }

    /// Whatever is queued now.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.queue().calls)
    }

    /// Lets the writer go round once although nothing may be queued.
    pub fn nudge(&self) {
        self.queue().nudged = true;
        self.wake.notify_one();
    }

    /// No more than what is queued will be written.
    pub fn stop(&self) {
        self.queue().stopping = true;
        self.wake.notify_one();
    }

    /// Everything up to `last` is durable: whoever waited is told.
    pub fn settled(&self, last: u64, count: usize) {
        self.durable.store(last, Ordering::Release);
        self.pending.fetch_sub(count, Ordering::Relaxed);
        let told: Vec<(u64, oneshot::Sender<()>)> =
            self.queue().waiters.extract_if(.., |(seq, _)| *seq <= last).collect();
        for (_, waiter) in told {
            // An asker that has gone needs no answer.
            waiter.send(()).ok();
        }
    }

    /// Whether everything up to `seq` is durable.
    pub fn is_durable(&self, seq: Seq) -> bool {
        self.durable.load(Ordering::Acquire) >= seq.0
    }

    /// The last durable seq.
    pub fn durable(&self) -> Seq {
        Seq(self.durable.load(Ordering::Acquire))
    }

    /// The last seq given out.
    pub fn last(&self) -> Seq {
        Seq(self.queue().next_seq.saturating_sub(1))
    }

    /// How many records wait for the disk.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Has everything up to `seq` flushed, and completes once it is durable; never, if the journal ends before.
    pub fn wait(&self, seq: Seq) -> impl Future<Output = ()> + Send + 'static {
        completed(self.waiter(seq, true))
    }

    /// Has everything up to `seq` flushed.
    pub fn hurry(&self, seq: Seq) {
        self.hurried(self.queue(), seq);
    }

    /// Completes once everything up to `seq` is durable, whenever that is.
    pub fn watch(&self, seq: Seq) -> impl Future<Output = ()> + Send + 'static {
        completed(self.waiter(seq, false))
    }

    fn waiter(&self, seq: Seq, hurries: bool) -> Option<oneshot::Receiver<()>> {
        let mut queue = self.queue();
        if self.is_durable(seq) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiters.push((seq.0, sender));
        if hurries {
            self.hurried(queue, seq);
        }
        Some(receiver)
    }

    fn hurried(&self, mut queue: MutexGuard<'_, Queue>, seq: Seq) {
        let was_due = queue.is_due();
        queue.wanted = queue.wanted.max(seq.0);
        let has_become_due = queue.is_due() && !was_due;
        drop(queue);
        if has_become_due {
            self.wake.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether the writer should go at once.
    fn is_due(&self) -> bool {
        let is_waited_for = self.calls.first().is_some_and(|call| call.first_seq <= self.wanted);
        self.nudged || is_waited_for || (self.stopping && !self.calls.is_empty())
    }
}

async fn completed(receiver: Option<oneshot::Receiver<()>>) {
    if let Some(receiver) = receiver
        && receiver.await.is_err()
    {
        std::future::pending::<()>().await;
    }
}
