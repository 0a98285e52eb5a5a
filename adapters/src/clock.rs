//! The clock of a real process: wall time once at the start, then only the monotonic counter.
//!
//! Moving the wall clock while the process lives changes nothing here, and a process that starts with its
//! wall clock behind what its journal has seen goes on from there. [`WallClock`] is what others' clocks are compared
//! with. The only file that reads the system's time.
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that does not jump.
pub struct SteadyClock {
    start: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// Starts at the wall's time, or at `watermark` (the newest time in the journal) if the wall is behind it.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the ban points to")]
    pub fn starting_at_least(watermark: Timestamp) -> Self {
        Self { start: WallClock.now().max(watermark), since: Instant::now() }
    }

    /// Starts at the wall's time.
    pub fn starting_now() -> Self {
        Self::starting_at_least(Timestamp::from_micros(0))
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.start.plus(self.since.elapsed())
    }
}

/// The wall's time as it is at this moment: it jumps when the wall clock is set. For what is signed for others and for what
/// they signed, never for a decision.
#[derive(Clone, Copy, Debug)]
pub struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the ban points to")]
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_micros(0).plus(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_behind_the_journal_goes_on_from_the_journal() {
        let far = SteadyClock::starting_now().now().plus(Duration::from_hours(24));
        assert!(SteadyClock::starting_at_least(far).now() >= far);
    }

    #[test]
    fn time_does_not_run_backwards() {
        let clock = SteadyClock::starting_now();
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
