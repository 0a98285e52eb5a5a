//! Admission at the edge: the only real bound on what waits inside.
//!
//! Actor mailboxes have no limit of their own, so a question takes a [`Permit`] at the door and
//! carries it until it is answered or dropped: no queue behind the gate can hold more questions than
//! the gate has permits. Classes are admitted by financial consequence; each leaves a reserve for those
//! above it. Fairness between merchants is not decided here. Next: `directory`.
use crate::fault::Fault;
use crate::tally::{Shed, Sheds};
use metrics::{Gauge, gauge};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

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
        }))
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
