//! How often one asker may look: seldom while there is more to do than can be done, often enough for anybody at all other times.
//!
//! Looking changes nothing, costs as much as a step of a payment, and is what anxious clients do most when a switch is slow. An
//! allowance is one number, the instant up to which it is used (the generic cell rate algorithm of ITU-T I.371); askers share
//! a table of fixed size, by hash, where each has two places: only who falls together with others at both of them
//! shares an allowance. Next: `pace`.
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
    /// While there is more to do than can be done. A payment that goes as it should takes its payer some eight looks.
    pub const PRESSED: Self = Self { every: Duration::from_secs(1), burst: 20 };
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
        let Some(used_up_to) = self.freest(asker) else { return Ok(()) };
        let latest = now.plus(allowance.every.saturating_mul(allowance.burst)).micros();
        let take = |used: u64| {
            let next = Timestamp::from_micros(used).max(now).plus(allowance.every).micros();
            (next <= latest).then_some(next)
        };
        let taken = used_up_to.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        // Whoever was rash before is not shut out for long once it is pressing.
        taken.map(drop).map_err(|_| allowance.every)
    }

    /// The one of an asker's two places that is used less.
    fn freest(&self, asker: u64) -> Option<&AtomicU64> {
        let places = u64::try_from(self.0.len()).ok().filter(|places| *places > 0)?;
        let at = |number: u64| usize::try_from(number % places).ok().and_then(|place| self.0.get(place));
        let (one, other) = (at(asker)?, at(asker >> 32)?);
        Some(if one.load(Ordering::Relaxed) <= other.load(Ordering::Relaxed) { one } else { other })
    }
}
