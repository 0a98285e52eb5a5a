//! What the actors count: for the operator's metrics, and for whoever asks the directory.
//!
//! Handles are taken once and kept (a cached counter costs 6 ns, a macro with labels 91 ns). Labels are
//! closed sets; no terminal, payer or payment is ever one. Install the recorder before the house is built.
use crate::domain::time::Timestamp;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How one kind of actor fares on this node, over all its shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Actors in memory.
    pub live: u64,
    /// How often one was woken from the journal because somebody asked for it.
    pub woken: u64,
    /// How often an idle one was put to sleep.
    pub slept: u64,
    /// How often one panicked, died, or could not be woken.
    pub crashed: u64,
    /// How often one was rebuilt after that.
    pub restarted: u64,
}

/// The running counts behind a [`Census`], shared by the shards of one kind.
pub(crate) struct Tally {
    live: AtomicU64,
    live_gauge: Gauge,
    limit: Gauge,
    pub(crate) woken: Count,
    pub(crate) slept: Count,
    pub(crate) crashed: Count,
    pub(crate) restarted: Count,
    pub(crate) sheds: Sheds,
}

impl Tally {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            live: AtomicU64::new(0),
            live_gauge: gauge!("turnout_actors_live", "kind" => kind),
            limit: gauge!("turnout_actors_limit", "kind" => kind),
            woken: Count::new(counter!("turnout_actors_woken_total", "kind" => kind)),
            slept: Count::new(counter!("turnout_actors_slept_total", "kind" => kind)),
            crashed: Count::new(counter!("turnout_actors_crashes_total", "kind" => kind)),
            restarted: Count::new(counter!("turnout_actors_restarts_total", "kind" => kind)),
            sheds: Sheds::new(),
        }
    }

    /// How many there may be in memory, over all shards.
    pub(crate) fn limited_to(&self, most: usize) {
        self.limit.set(u32::try_from(most).map_or(f64::MAX, f64::from));
    }

    pub(crate) fn moved_in(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
        self.live_gauge.increment(1.0);
    }

    pub(crate) fn moved_out(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.live_gauge.decrement(1.0);
    }

    pub(crate) fn census(&self) -> Census {
        Census {
            live: self.live.load(Ordering::Relaxed),
            woken: self.woken.get(),
            slept: self.slept.get(),
            crashed: self.crashed.get(),
            restarted: self.restarted.get(),
        }
    }
}

/// What is counted of the messages that wait for actors of one kind.
#[derive(Clone)]
pub(crate) struct Waits {
    waiting: Gauge,
    seconds: Histogram,
}

impl Waits {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            waiting: gauge!("turnout_inbox_messages", "kind" => kind),
            seconds: histogram!("turnout_inbox_wait_seconds", "kind" => kind),
        }
    }

    /// A message begins to wait.
    pub(crate) fn began(&self, now: Timestamp) -> Waiting {
        self.waiting.increment(1.0);
        Waiting { waits: self.clone(), since: now }
    }
}

/// A message that waits; it is no longer counted once it is dropped.
pub(crate) struct Waiting {
    waits: Waits,
    since: Timestamp,
}

impl Waiting {
    /// It waits still.
    pub(crate) fn so_far(&self, now: Timestamp) -> Duration {
        now.since(self.since)
    }

    /// It is heard.
    pub(crate) fn ended(self, now: Timestamp) {
        self.waits.seconds.record(now.since(self.since).as_secs_f64());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waits.waiting.decrement(1.0);
    }
}

/// A count that can also be read back.
pub(crate) struct Count {
    total: AtomicU64,
    counter: Counter,
}

impl Count {
    fn new(counter: Counter) -> Self {
        Self { total: AtomicU64::new(0), counter }
    }

    pub(crate) fn bump(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.counter.increment(1);
    }

    fn get(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// Why a message was turned away unheard: `turnout_shed_total{reason}`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shed {
    Overloaded,
    Paced,
    Governed,
    Draining,
    Expired,
    Abandoned,
    Restarting,
    InboxFull,
}

/// The counters of [`Shed`].
pub(crate) struct Sheds {
    overloaded: Counter,
    paced: Counter,
    governed: Counter,
    draining: Counter,
    expired: Counter,
    abandoned: Counter,
    restarting: Counter,
    inbox_full: Counter,
}

impl Sheds {
    pub(crate) fn new() -> Self {
        let of = |reason: &'static str| counter!("turnout_shed_total", "reason" => reason);
        Self {
            overloaded: of("overloaded"),
            paced: of("paced"),
            governed: of("governed"),
            draining: of("draining"),
            expired: of("expired"),
            abandoned: of("abandoned"),
            restarting: of("restarting"),
            inbox_full: of("inbox_full"),
        }
    }

    pub(crate) fn count(&self, why: Shed) {
        let counter = match why {
            Shed::Overloaded => &self.overloaded,
            Shed::Paced => &self.paced,
            Shed::Governed => &self.governed,
            Shed::Draining => &self.draining,
            Shed::Expired => &self.expired,
            Shed::Abandoned => &self.abandoned,
            Shed::Restarting => &self.restarting,
            Shed::InboxFull => &self.inbox_full,
        };
        counter.increment(1);
    }
}
