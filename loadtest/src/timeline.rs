//! A run second by second: what the progress line shows while it plays, and the charts afterwards.
use crate::figure;
use crate::machine;
use crate::tally::Second;
use serde::Serialize;

/// One second.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// Seconds after the measured time began; negative while it warms up.
    pub at: i64,
    pub offered: u64,
    pub approved: u64,
    /// Ended as they may, and not approved.
    pub others: u64,
    pub shed: u64,
    pub errors: u64,
    /// Question to answer, in microseconds, of those answered in this second.
    pub p50_us: u64,
    pub p99_us: u64,
    /// The generator's own lateness.
    pub lag_p99_us: u64,
    /// Payments whose terminals wait.
    pub in_flight: usize,
    /// The resident memory of the processes that were named, in KiB.
    pub memory_kib: Vec<Option<u64>>,
}

impl Moment {
    pub fn new(at: i64, second: &Second, in_flight: usize, pids: &[u32]) -> Self {
        Self {
            at,
            offered: second.offered,
            approved: second.approved,
            others: second.others,
            shed: second.shed,
            errors: second.errors,
            p50_us: second.answer.value_at_quantile(0.5),
            p99_us: second.answer.value_at_quantile(0.99),
            lag_p99_us: second.lag.value_at_quantile(0.99),
            in_flight,
            memory_kib: pids.iter().map(|pid| machine::memory_kib(*pid)).collect(),
        }
    }

    /// The progress line.
    pub fn line(&self) -> String {
        let Self { at, offered, approved, others, shed, errors, in_flight, .. } = self;
        let [p50, p99, lag] = [self.p50_us, self.p99_us, self.lag_p99_us].map(figure::ms);
        let warm = if *at <= 0 { " (warm-up)" } else { "" };
        format!(
            "{at:>5} s  {offered}/s  approved {approved}  other ends {others}  shed {shed}  errors {errors}  \
             p50 {p50} p99 {p99} ms  in flight {in_flight}  lag p99 {lag} ms{warm}"
        )
    }
}
