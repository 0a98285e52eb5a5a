//! Admission at the edge: the only real bound on what waits inside.
//!
//! Actor mailboxes have no limit of their own, so a question takes a [`Permit`] at the door and
//! carries it until it is answered or dropped: no queue behind the gate can hold more questions than
//! the gate has permits. Classes are admitted by financial consequence; each leaves a reserve for those
//! above it. What a permit cannot bound, because a payment is made of questions that come later, a pace does: new
//! payments begin as fast as the threads keep up with all of them, every merchant having its share. Next:
//! `pace`, `begun`, `sent_away`, then `directory`.
pub mod begun;
pub mod governor;
pub mod pace;
pub mod sent_away;

use crate::domain::identity::{Keeper, MerchantId, PaymentId, TerminalId};
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::tally::{Shed, Sheds};
use begun::{Begun, Step};
use governor::{Allowance, Governor};
use metrics::{Gauge, gauge};
use pace::Pace;
use sent_away::SentAway;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longer than this nothing shall wait in a queue, but for a moment.
pub const STANDING: Duration = Duration::from_millis(20);
/// How long a door holds back an answer that says that there is too much to do: whoever hammers costs less than whoever waits.
pub const HOLD_BACK: Duration = Duration::from_millis(300);

/// A moment, as far as it matters to whoever is told no.
const TOGETHER_US: u64 = 20_000;

/// How long a no of now is held back, where they are for so long. Those of one moment go out together: it costs less to say many at once.
pub fn held_back(now: Timestamp, hold_back: Duration) -> Duration {
    let early = now.plus(hold_back).micros() % TOGETHER_US;
    let late = if early == 0 { 0 } else { TOGETHER_US.saturating_sub(early) };
    hold_back.saturating_add(Duration::from_micros(late))
}

/// What a question is about, by financial consequence: the greater class goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Somebody looks; nothing changes.
    Status,
    /// Something new begins.
    Authorization,
    /// Something begun goes on: a confirmation, a callback, a platform's answer.
    Completion,
    /// Told, not asked: it has already happened.
    Advice,
    /// Undo.
    Reversal,
}

impl Class {
    /// Whether refusing it leaves nothing half done.
    pub const fn begins_something(self) -> bool {
        matches!(self, Self::Status | Self::Authorization)
    }

    /// How much of the gate it may fill, in percent; the rest is kept for the classes above.
    const fn share(self) -> u32 {
        match self {
            Self::Status => 70,
            Self::Authorization => 80,
            Self::Completion => 95,
            Self::Advice => 98,
            Self::Reversal => 100,
        }
    }
}

/// A bounded number of permits. Cheap to clone; all clones are one gate.
#[derive(Clone)]
pub struct Gate(Arc<Posts>);

struct Posts {
    limit: u32,
    used: AtomicU32,
    draining: AtomicBool,
    retry_after: Duration,
    in_use: Gauge,
    sheds: Sheds,
    beginnings: Mutex<Beginnings>,
    queues: AtomicUsize,
    done: AtomicU32,
    inside: AtomicU32,
    is_paced: AtomicBool,
    is_pressing: AtomicBool,
    governor: Governor,
    pace: Gauge,
    sharers: Gauge,
}

/// What may begin.
struct Beginnings {
    pace: Pace,
    begun: Begun,
    sent_away: SentAway,
}

impl Beginnings {
    fn admits(&mut self, now: Timestamp, merchant: MerchantId, terminal: TerminalId, step: Step) -> bool {
        if let Step::Order(order) = step
            && self.sent_away.has(now, order)
        {
            return false;
        }
        if !self.begun.goes_on(now, terminal, step) {
            if !self.pace.admits(now, merchant) {
                return false;
            }
            self.begun.began(now, terminal, step);
        }
        if let Step::Order(order) = step {
            self.sent_away.let_in(now, order);
        }
        true
    }
}

impl Gate {
    /// A gate with `limit` permits; the refused are told to come back after `retry_after`.
    ///
    /// Install the metrics recorder first: the handles are taken here.
    pub fn new(limit: u32, retry_after: Duration) -> Self {
        gauge!("turnout_gate_limit").set(f64::from(limit));
        Self(Arc::new(Posts {
            limit,
            used: AtomicU32::new(0),
            draining: AtomicBool::new(false),
            retry_after,
            in_use: gauge!("turnout_gate_in_use"),
            sheds: Sheds::new(),
            beginnings: Mutex::new(Beginnings {
                pace: Pace::new(STANDING),
                begun: Begun::default(),
                sent_away: SentAway::default(),
            }),
            queues: AtomicUsize::new(0),
            done: AtomicU32::new(0),
            inside: AtomicU32::new(0),
            is_paced: AtomicBool::new(false),
            is_pressing: AtomicBool::new(false),
            governor: Governor::default(),
            pace: gauge!("turnout_gate_pace"),
            sharers: gauge!("turnout_gate_sharers"),
        }))
    }

    /// Lets a payment begin at a terminal of this merchant, or go on to its other step; or says at once why not.
    pub fn begin(
        &self,
        now: Timestamp,
        merchant: MerchantId,
        terminal: TerminalId,
        step: Step,
    ) -> Result<(), Fault> {
        if self.beginnings().admits(now, merchant, terminal, step) {
            return Ok(());
        }
        self.0.sheds.count(Shed::Paced);
        Err(Fault::Overloaded { retry_after: self.0.retry_after })
    }

    /// Sends an order away for good that was refused its beginning: for a minute it is refused however often it comes. Not if it may
    /// have been let in before, or too many were sent away.
    pub fn send_away(&self, now: Timestamp, order: PaymentId) -> bool {
        self.beginnings().sent_away.send(now, order)
    }

    /// Sends away, before it is proved who asks, whoever would be sent away afterwards: a new payment at a terminal of this merchant
    /// where nothing is begun. Nothing is taken from a merchant by it, and nobody is let in.
    pub fn turn_away(&self, now: Timestamp, merchant: MerchantId, terminal: TerminalId) -> Result<(), Fault> {
        if !self.is_paced() {
            return Ok(());
        }
        let mut beginnings = self.beginnings();
        if beginnings.begun.is_begun(now, terminal) || !beginnings.pace.sends_away(now, merchant) {
            return Ok(());
        }
        drop(beginnings);
        self.0.sheds.count(Shed::Paced);
        Err(Fault::Overloaded { retry_after: self.0.retry_after })
    }

    /// Whether there is a pace: new payments may be sent away.
    pub fn is_paced(&self) -> bool {
        self.0.is_paced.load(Ordering::Relaxed)
    }

    /// A number for a queue, or for a thread, that what waits in it can be told by.
    pub fn queue(&self) -> usize {
        self.0.queues.fetch_add(1, Ordering::Relaxed)
    }

    /// Something waited for `delay` in the queue of this number.
    pub fn feel(&self, now: Timestamp, queue: usize, delay: Duration) {
        let done = self.0.done.swap(0, Ordering::Relaxed);
        let mut beginnings = self.beginnings();
        beginnings.pace.done(now, done);
        beginnings.pace.feel(now, queue, delay);
        let pace = &beginnings.pace;
        let (rate, sharers, is_pressing) = (pace.rate(), pace.sharers(), pace.is_pressing());
        drop(beginnings);
        self.0.is_paced.store(rate.is_some(), Ordering::Relaxed);
        self.0.is_pressing.store(is_pressing, Ordering::Relaxed);
        self.0.pace.set(rate.unwrap_or(0.0));
        self.0.sharers.set(u32::try_from(sharers).map_or(f64::MAX, f64::from));
    }

    /// A payment is open, until what is returned is dropped.
    pub fn opened(&self) -> Inside {
        self.0.inside.fetch_add(1, Ordering::Relaxed);
        Inside(self.clone())
    }

    /// So many payments were open when this switch was started: as busy as that it may be again at once.
    pub fn took_over(&self, open: usize) {
        self.beginnings().pace.took_over(u32::try_from(open).unwrap_or(u32::MAX));
    }

    /// A payment came to its end, whichever: whatever comes to its terminal now begins another one.
    pub fn done(&self, keeper: Keeper, payment: PaymentId) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
        if let Keeper::Terminal(terminal) = keeper {
            self.beginnings().begun.ended(terminal, payment);
        }
    }

    /// Lets the asker of this hash look, if it has not looked too often.
    pub fn look(&self, now: Timestamp, asker: u64) -> Result<(), Fault> {
        let is_pressing = self.0.is_pressing.load(Ordering::Relaxed);
        let allowance = if is_pressing { Allowance::PRESSED } else { Allowance::USUAL };
        self.0.governor.admits(now, asker, allowance).map_err(|retry_after| {
            self.0.sheds.count(Shed::Governed);
            Fault::TooOften { retry_after }
        })
    }

    /// Lets one question in, or says at once why not.
    pub fn admit(&self, class: Class) -> Result<Permit, Fault> {
        let posts = &self.0;
        if class.begins_something() && posts.draining.load(Ordering::Acquire) {
            posts.sheds.count(Shed::Draining);
            return Err(Fault::Draining);
        }
        let most = self.most(class);
        let entered = posts.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            (used < most).then(|| used.saturating_add(1))
        });
        if entered.is_err() {
            posts.sheds.count(Shed::Overloaded);
            return Err(Fault::Overloaded { retry_after: posts.retry_after });
        }
        posts.in_use.increment(1.0);
        Ok(Permit(self.clone()))
    }

    /// Begins nothing new from now on; what finishes something is still admitted.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Permits in use.
    pub fn used(&self) -> u32 {
        self.0.used.load(Ordering::Acquire)
    }

    /// Permits there are.
    pub fn limit(&self) -> u32 {
        self.0.limit
    }

    /// A panic elsewhere leaves sums that are as good as any.
    fn beginnings(&self) -> MutexGuard<'_, Beginnings> {
        let mut beginnings = self.0.beginnings.lock().unwrap_or_else(PoisonError::into_inner);
        beginnings.pace.are_inside(self.0.inside.load(Ordering::Relaxed));
        beginnings
    }

    fn most(&self, class: Class) -> u32 {
        let share = (u64::from(self.0.limit) * u64::from(class.share())).div_ceil(100);
        u32::try_from(share).unwrap_or(u32::MAX)
    }
}

/// Leave for one question to be inside; given back when dropped.
pub struct Permit(Gate);

impl Drop for Permit {
    fn drop(&mut self) {
        let posts = &self.0.0;
        posts.used.fetch_sub(1, Ordering::AcqRel);
        posts.in_use.decrement(1.0);
    }
}

/// An open payment's place among the others.
pub struct Inside(Gate);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gate({} of {})", self.used(), self.limit())
    }
}
