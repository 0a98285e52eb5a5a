//! The highest rate that meets the objectives: short runs, doubling until one misses, then halving the gap.
//!
//! What was missed is told with each step: the objective, or the generator itself, whose limit is not the switch's.
use crate::arrivals::Shape;
use crate::session::{Played, Session};
use crate::threshold::Threshold;
use crate::verdict::{Figures, void};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The search ends when the gap is less than this share of the rate.
const NEAR: f64 = 0.05;
const STEPS_MAX: usize = 16;
const RATE_MIN: f64 = 1.0;

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct Peak {
    /// The highest rate that met everything; nothing if none did.
    pub rate: Option<f64>,
    pub steps: Vec<Step>,
}

/// One short run.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub rate: f64,
    /// What it missed; nothing if it met everything.
    pub missed: Vec<String>,
    /// The generator could not keep up: more may be possible with a stronger one.
    pub is_void: bool,
}

/// Between which rates the peak lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    met: Option<f64>,
    missed: Option<f64>,
    next: f64,
}

impl Search {
    pub const fn from(rate: f64) -> Self {
        Self { met: None, missed: None, next: rate }
    }

    /// The next rate to try; `None` when the peak is near enough, or there is none.
    pub fn next(&self) -> Option<f64> {
        match (self.met, self.missed) {
            (Some(met), Some(missed)) if missed - met <= met * NEAR => None,
            (None, Some(missed)) if missed <= RATE_MIN => None,
            _ => Some(self.next),
        }
    }

    #[must_use]
    pub fn heard(self, is_met: bool) -> Self {
        let (met, missed) = if is_met { (Some(self.next), self.missed) } else { (self.met, Some(self.next)) };
        let next = match (met, missed) {
            (Some(met), Some(missed)) => f64::midpoint(met, missed),
            (Some(met), None) => met * 2.0,
            (None, Some(missed)) => (missed / 2.0).max(RATE_MIN),
            (None, None) => self.next,
        };
        Self { met, missed, next: (next * 10.0).round() / 10.0 }
    }
}

/// Searches; gives the best run too, or the last where none was good.
pub async fn find(
    session: &Arc<Session>,
    shape: &Shape,
    thresholds: &[Threshold],
    each: Duration,
    lag_max: Duration,
) -> anyhow::Result<(Peak, Played)> {
    let mut search = Search::from(shape.rate_at(Duration::ZERO, each).max(RATE_MIN));
    let (mut steps, mut best, mut last) = (Vec::new(), None, None);
    while let Some(rate) = search.next().filter(|_| steps.len() < STEPS_MAX) {
        eprintln!("loadtest: trying {rate}/s for {} s", each.as_secs());
        let played = session.play(&Shape::Poisson(rate), Duration::from_secs(2).min(each), each).await?;
        let void = void(&played, lag_max);
        let (figures, is_void) = (Figures::new(&played), !void.is_empty());
        let outcomes = thresholds.iter().filter(|threshold| !threshold.figure.is_judged());
        let outcomes =
            outcomes.map(|threshold| threshold.held_against(figures.value(threshold.figure, None)));
        let missed = outcomes.filter(|outcome| !outcome.is_met);
        let missed = missed.map(|outcome| format!("{} is {}", outcome.threshold, outcome.measured));
        let missed: Vec<String> = missed.chain(void).collect();
        eprintln!(
            "loadtest: {rate}/s {}",
            if missed.is_empty() { "met".to_owned() } else { format!("missed: {}", missed.join("; ")) }
        );
        search = search.heard(missed.is_empty());
        if missed.is_empty() {
            best = Some((rate, played));
        } else {
            last = Some(played);
        }
        steps.push(Step { rate, missed, is_void });
    }
    let rate = best.as_ref().map(|(rate, _)| *rate);
    let played = best.map(|(_, played)| played).or(last);
    let played = played.ok_or_else(|| anyhow::anyhow!("nothing was tried"))?;
    Ok((Peak { rate, steps }, played))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(from: f64, peak: f64) -> (Option<f64>, usize) {
        let (mut search, mut steps) = (Search::from(from), 0);
        while let Some(rate) = search.next().filter(|_| steps < STEPS_MAX) {
            search = search.heard(rate <= peak);
            steps += 1;
        }
        (search.met, steps)
    }

    #[test]
    fn the_peak_is_found_to_a_twentieth_from_below_and_from_above() {
        for from in [50.0, 5_000.0] {
            let (found, steps) = searched(from, 730.0);
            assert!(found.is_some_and(|rate| (690.0..=730.0).contains(&rate)), "{found:?}");
            assert!(steps <= 10, "{steps}");
        }
    }

    #[test]
    fn a_switch_that_can_nothing_has_no_peak() {
        assert_eq!(searched(64.0, 0.5).0, None);
    }
}
