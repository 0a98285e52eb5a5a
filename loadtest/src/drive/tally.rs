//! What is counted: payments and their latencies within the measured time, and what went wrong, by kind.
//!
//! A payment counts towards throughput when it is over within the measured time, and towards latency when it was due in
//! it: so a slow one is not lost to the figures because the run ended. Kinds of errors are bounded.
use actors::domain::time::Timestamp;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Microseconds: ten minutes, more than any terminal waits.
const LATENCY_MAX_US: u64 = 600_000_000;
/// Different errors than this are a run that nobody can read.
const KINDS_MAX: usize = 64;

/// From when to when is measured.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// The moments of a payment that came through.
#[derive(Clone, Copy, Debug)]
pub struct Paid {
    /// When it should have begun.
    pub due: Timestamp,
    /// When the terminal asked.
    pub asked: Timestamp,
    /// When the terminal had its yes.
    pub answered: Timestamp,
    /// When both sides knew.
    pub over: Timestamp,
}

/// Where all pairs count.
pub struct Tally {
    window: Window,
    counts: Mutex<Counts>,
}

/// What was counted.
pub struct Counts {
    /// Payments that were over within the window.
    pub payments: u64,
    /// From question to answer, in microseconds.
    pub answer: Histogram<u64>,
    /// From when it was due until both sides knew, in microseconds.
    pub whole: Histogram<u64>,
    /// What went wrong within the window.
    pub errors: BTreeMap<String, u64>,
    /// Requests that terminals repeated, at any time.
    pub repeats: u64,
}

impl Tally {
    pub fn new(window: Window) -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
        let (answer, whole) = (histogram()?, histogram()?);
        let counts = Counts { payments: 0, answer, whole, errors: BTreeMap::new(), repeats: 0 };
        Ok(Self { window, counts: Mutex::new(counts) })
    }

    pub fn window(&self) -> Window {
        self.window
    }

    /// A payment that came through.
    pub fn paid(&self, paid: Paid) {
        let mut counts = self.counts();
        if self.window.holds(paid.over) {
            counts.payments = counts.payments.saturating_add(1);
        }
        if self.window.holds(paid.due) {
            counts.answer.saturating_record(micros(paid.asked, paid.answered));
            counts.whole.saturating_record(micros(paid.due, paid.over));
        }
    }

    /// One that did not, and was over at `at`.
    pub fn failed(&self, at: Timestamp, kind: String) {
        if !self.window.holds(at) {
            return;
        }
        let mut counts = self.counts();
        let is_full = counts.errors.len() >= KINDS_MAX && !counts.errors.contains_key(&kind);
        let kind = if is_full { "other".to_owned() } else { kind };
        let count = counts.errors.entry(kind).or_default();
        *count = count.saturating_add(1);
    }

    /// A terminal had to repeat so many requests.
    pub fn repeated(&self, times: u64) {
        let mut counts = self.counts();
        counts.repeats = counts.repeats.saturating_add(times);
    }

    /// How many payments were over within the window so far.
    pub fn payments(&self) -> u64 {
        self.counts().payments
    }

    /// Reads the counts.
    pub fn read<T>(&self, read: impl FnOnce(&Counts) -> T) -> T {
        read(&self.counts())
    }

    /// A pair that panicked leaves counts that are still counts.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn holds(self, at: Timestamp) -> bool {
        (self.start..self.end).contains(&at)
    }
}

fn micros(from: Timestamp, to: Timestamp) -> u64 {
    to.micros().saturating_sub(from.micros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn tally() -> Tally {
        Tally::new(Window { start: at(1_000), end: at(2_000) }).unwrap()
    }

    fn paid(due: u64, over: u64) -> Paid {
        Paid { due: at(due), asked: at(due), answered: at(over), over: at(over) }
    }

    #[test]
    fn a_payment_that_outlasts_the_run_is_slow_and_not_lost() {
        let tally = tally();
        tally.paid(paid(500, 1_500));
        tally.paid(paid(1_500, 900_000));
        assert_eq!(tally.payments(), 1);
        let (count, longest) = tally.read(|counts| (counts.whole.len(), counts.whole.max()));
        assert_eq!(count, 1);
        assert!(longest >= 898_000);
    }

    #[test]
    fn a_thousand_kinds_of_error_are_not_a_thousand_lines() {
        let tally = tally();
        for kind in 0..1_000 {
            tally.failed(at(1_000), format!("kind {kind}"));
        }
        tally.failed(at(999), "too early".into());
        let (kinds, other) = tally.read(|counts| (counts.errors.len(), counts.errors.get("other").copied()));
        assert_eq!((kinds, other), (KINDS_MAX + 1, Some(936)));
    }
}
