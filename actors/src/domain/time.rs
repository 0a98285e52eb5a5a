//! Time as an argument: an instant the shell read from its clock, and a deadline that travels.
//!
//! The domain never asks what time it is. A `Timestamp` comes from a clock port that does not jump
//! while the process lives, so no decision here changes when somebody moves the wall clock.
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds since the epoch.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This instant and a span later; it stops at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The instant by which something must have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// The deadline at `instant`.
    pub const fn at(instant: Timestamp) -> Self {
        Self(instant)
    }

    /// The deadline `span` after `now`.
    pub fn after(now: Timestamp, span: Duration) -> Self {
        Self(now.plus(span))
    }

    /// The instant itself.
    pub const fn instant(self) -> Timestamp {
        self.0
    }

    /// Whether it has been reached.
    pub fn is_over(self, now: Timestamp) -> bool {
        now >= self.0
    }

    /// What is left of it; zero when it is over.
    pub fn left(self, now: Timestamp) -> Duration {
        self.0.since(now)
    }
}
