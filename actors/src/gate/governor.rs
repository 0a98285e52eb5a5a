//! How often one asker may look: seldom while there is a pace, often enough for anybody at all other times.
//!
//! Looking changes nothing, costs as much as a step of a payment, and is what anxious clients do most when a switch is slow. An
//! allowance is one number, the instant up to which it is used (the generic cell rate algorithm of ITU-T I.371); askers share
//! a table of fixed size, by hash, and those who fall together share an allowance. Next: `pace`.
use crate::domain::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Allowances there are.
const PLACES: usize = 65_536;

/// How often somebody may look.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// One more each time.
    pub every: Duration,
    /// So many may come at once.
    pub burst: u32,
}

impl Allowance {
    /// While nobody waits.
    pub const USUAL: Self = Self { every: Duration::from_millis(5), burst: 400 };
    /// While new payments are sent away.
    pub const PRESSED: Self = Self { every: Duration::from_secs(1), burst: 5 };
}

/// Who looked how often.
#[derive(Debug)]
pub struct Governor(Vec<AtomicU64>);

impl Default for Governor {
    fn default() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Governor {
    /// Whether the asker of this hash may look once more; if not, how long that takes.
    pub fn admits(&self, now: Timestamp, asker: u64, allowance: Allowance) -> Result<(), Duration> {
        let places = u64::try_from(self.0.len()).unwrap_or(1).max(1);
        let place = usize::try_from(asker % places).ok().and_then(|place| self.0.get(place));
        let Some(used_up_to) = place else { return Ok(()) };
        let latest = now.plus(allowance.every.saturating_mul(allowance.burst)).micros();
        let take = |used: u64| {
            let next = Timestamp::from_micros(used).max(now).plus(allowance.every).micros();
            (next <= latest).then_some(next)
        };
        let taken = used_up_to.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        // Whoever was rash before is not shut out for long once it is pressing.
        taken.map(drop).map_err(|_| allowance.every)
    }
}
