//! When payments are due: an iterator of moments, from a shape and a seed, that asks no clock.
//!
//! Open loop: a moment does not depend on how the payment before it went. `constant` is evenly spaced, `replay` is read
//! from a file; the others are Poisson processes whose rate changes over time, made by thinning (Lewis and Shedler).
use crate::chance::Chance;
use crate::mix::Story;
use std::sync::Arc;
use std::time::Duration;

/// How the rate changes, in payments a second.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Evenly spaced.
    Constant(f64),
    /// At random moments.
    Poisson(f64),
    /// From one rate to another, in a straight line.
    Ramp { from: f64, to: f64 },
    /// A peak on a base.
    Spike { base: f64, peak: f64, at: Duration, lasts: Duration },
    /// A base that swells and ebbs by a share of itself, once in a period.
    Soak { base: f64, swell: f64, period: Duration },
    /// As it was once.
    Replay(Arc<[Due]>),
}

/// A payment that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// After the start.
    pub after: Duration,
    /// The story, where a trace names it; drawn from the mix otherwise.
    pub story: Option<Story>,
}

/// The moments of one run, in order.
#[derive(Clone, Debug)]
pub struct Arrivals {
    shape: Shape,
    lasts: Duration,
    at: Duration,
    count: u32,
    chance: Chance,
}

impl Shape {
    /// Payments a second at a moment of a run that lasts so long. Not for a replay.
    pub fn rate_at(&self, at: Duration, lasts: Duration) -> f64 {
        match self {
            Self::Constant(rate) | Self::Poisson(rate) => *rate,
            Self::Ramp { from, to } => {
                let share = if lasts.is_zero() { 0.0 } else { at.as_secs_f64() / lasts.as_secs_f64() };
                from + (to - from) * share.clamp(0.0, 1.0)
            }
            Self::Spike { base, peak, at: begins, lasts } => {
                let ends = begins.saturating_add(*lasts);
                if (*begins..ends).contains(&at) { *peak } else { *base }
            }
            Self::Soak { base, swell, period } => {
                let turn = at.as_secs_f64() / period.as_secs_f64() * std::f64::consts::TAU;
                base * (1.0 + swell * turn.sin())
            }
            Self::Replay(trace) => {
                let last = trace.last().map_or(0.0, |due| due.after.as_secs_f64());
                f64::from(u32::try_from(trace.len()).unwrap_or(u32::MAX)) / last.max(1.0)
            }
        }
    }

    /// How many seconds it is measured where nobody says: a replay to its end.
    pub fn seconds(&self) -> u64 {
        match self {
            Self::Replay(trace) => trace.last().map_or(1, |due| due.after.as_secs().saturating_add(1)),
            _ => 10,
        }
    }

    /// The highest rate of a run.
    pub fn peak(&self) -> f64 {
        match self {
            Self::Constant(rate) | Self::Poisson(rate) => *rate,
            Self::Ramp { from, to } => from.max(*to),
            Self::Spike { base, peak, .. } => base.max(*peak),
            Self::Soak { base, swell, .. } => base * (1.0 + swell),
            Self::Replay(trace) => busiest_second(trace),
        }
    }

    /// The same shape with this rate instead of its own; a replay stays as it was.
    #[must_use]
    pub fn at_rate(&self, rate: f64) -> Self {
        match self {
            Self::Constant(_) => Self::Constant(rate),
            Self::Poisson(_) => Self::Poisson(rate),
            Self::Ramp { from, to } => Self::Ramp { from: rate * from / to.max(f64::EPSILON), to: rate },
            Self::Spike { base, peak, at, lasts } => {
                let peak = rate * peak / base.max(f64::EPSILON);
                Self::Spike { base: rate, peak, at: *at, lasts: *lasts }
            }
            Self::Soak { swell, period, .. } => Self::Soak { base: rate, swell: *swell, period: *period },
            Self::Replay(trace) => Self::Replay(Arc::clone(trace)),
        }
    }
}

fn busiest_second(trace: &[Due]) -> f64 {
    let mut first = trace.iter();
    let (mut within, mut most) = (0u32, 0u32);
    let mut oldest = first.next();
    for due in trace {
        within = within.saturating_add(1);
        while oldest.is_some_and(|old| old.after.saturating_add(Duration::from_secs(1)) <= due.after) {
            within = within.saturating_sub(1);
            oldest = first.next();
        }
        most = most.max(within);
    }
    f64::from(most)
}

impl Arrivals {
    pub const fn new(shape: Shape, lasts: Duration, chance: Chance) -> Self {
        Self { shape, lasts, at: Duration::ZERO, count: 0, chance }
    }

    fn evenly(&mut self, rate: f64) -> Option<Due> {
        let after = Duration::try_from_secs_f64(f64::from(self.count) / rate).ok()?;
        self.count = self.count.saturating_add(1);
        (after < self.lasts).then_some(Due { after, story: None })
    }

    fn replayed(&mut self, trace: &[Due]) -> Option<Due> {
        let due = trace.get(usize::try_from(self.count).ok()?)?;
        self.count = self.count.saturating_add(1);
        (due.after < self.lasts).then_some(*due)
    }

    /// Candidates come at the peak's rate; each is kept with the chance that its moment deserves.
    fn thinned(&mut self) -> Option<Due> {
        let peak = self.shape.peak();
        loop {
            let gap = Duration::try_from_secs_f64(-self.chance.unit().ln() / peak).ok()?;
            self.at = self.at.saturating_add(gap);
            if self.at >= self.lasts {
                return None;
            }
            if self.chance.unit() <= self.shape.rate_at(self.at, self.lasts) / peak {
                return Some(Due { after: self.at, story: None });
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        match self.shape.clone() {
            Shape::Constant(rate) => self.evenly(rate),
            Shape::Replay(trace) => self.replayed(&trace),
            Shape::Poisson(_) | Shape::Ramp { .. } | Shape::Spike { .. } | Shape::Soak { .. } => {
                self.thinned()
            }
        }
    }
}

/// Reads a trace: one payment a line, the seconds after the start and, if it is known, the story. `#` begins a comment.
pub fn read_trace(text: &str) -> Result<Arc<[Due]>, String> {
    let mut trace: Vec<Due> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let wrong = |what: &str| format!("line {}: {what}", number.saturating_add(1));
        let mut words = line.split_whitespace();
        let Some(seconds) = words.next() else { continue };
        let seconds = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let after = seconds.ok_or_else(|| wrong("begins with the seconds after the start, such as 1.25"))?;
        let story = words.next().map(str::parse::<Story>).transpose().map_err(|what| wrong(&what))?;
        if words.next().is_some() {
            return Err(wrong("has seconds, and one story at most"));
        }
        if trace.last().is_some_and(|before| before.after > after) {
            return Err(wrong("is earlier than the line before it"));
        }
        trace.push(Due { after, story });
    }
    if trace.is_empty() { Err("a trace has at least one line".to_owned()) } else { Ok(trace.into()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn moments(shape: Shape, seed: u64) -> Vec<Duration> {
        Arrivals::new(shape, MINUTE, Chance::of_seed(seed)).map(|due| due.after).collect()
    }

    fn between(moments: &[Duration], from: u64, to: u64) -> usize {
        let span = Duration::from_secs(from)..Duration::from_secs(to);
        moments.iter().filter(|at| span.contains(*at)).count()
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced() {
        let moments = moments(Shape::Constant(4.0), 1);
        assert_eq!(moments.len(), 240);
        assert!(moments.windows(2).all(|pair| pair[1].abs_diff(pair[0]) == Duration::from_millis(250)));
    }

    #[test]
    fn the_same_seed_gives_the_same_moments_and_another_seed_others() {
        let poisson = || Shape::Poisson(50.0);
        assert_eq!(moments(poisson(), 1), moments(poisson(), 1));
        assert_ne!(moments(poisson(), 1), moments(poisson(), 2));
        // 3,000 at random moments: 300 off is more than five standard deviations.
        assert!(moments(poisson(), 1).len().abs_diff(3_000) < 300);
    }

    #[test]
    fn a_ramp_climbs_and_a_spike_is_where_it_was_put() {
        let climbing = moments(Shape::Ramp { from: 0.0, to: 100.0 }, 3);
        assert!(between(&climbing, 0, 20) * 3 < between(&climbing, 40, 60));
        let (at, lasts) = (Duration::from_secs(20), Duration::from_secs(10));
        let spiking = moments(Shape::Spike { base: 10.0, peak: 200.0, at, lasts }, 3);
        assert!(between(&spiking, 20, 30).abs_diff(2_000) < 300);
        assert!(between(&spiking, 0, 20).abs_diff(200) < 80);
    }

    #[test]
    fn a_soak_swells_and_ebbs_around_its_rate() {
        let soaking = moments(Shape::Soak { base: 50.0, swell: 0.5, period: MINUTE }, 3);
        assert!(soaking.len().abs_diff(3_000) < 300);
        assert!(between(&soaking, 0, 30) > between(&soaking, 30, 60));
    }

    #[test]
    fn a_trace_is_replayed_as_it_was_and_a_bad_line_is_named() {
        let trace = read_trace("0.5 sale\n# noise\n1.25\n61\n").unwrap();
        assert_eq!(moments(Shape::Replay(trace.clone()), 1), [0.5, 1.25].map(Duration::from_secs_f64));
        assert!(trace.first().is_some_and(|due| due.story == Some(Story::Sale)));
        assert_eq!(
            read_trace("1\nx\n").unwrap_err(),
            "line 2: begins with the seconds after the start, such as 1.25"
        );
        assert!(read_trace("2\n1\n").unwrap_err().starts_with("line 2: is earlier"));
        assert!(read_trace("1 sal\n").unwrap_err().contains("no story \"sal\""));
        assert!((Shape::Replay(read_trace("1\n1.5\n3\n").unwrap()).peak() - 2.0).abs() < 0.01);
    }
}
