//! What is counted while a run plays: times by stage, endings by story, and how late the generator itself is.
//!
//! A payment belongs to the measured time if it was due in it, whenever it ends: a slow one is not lost to the figures
//! because the run is over. The progress line takes its own counts, second by second. Kinds of errors are bounded.
use crate::figure;
use crate::mix::{Ending, Story};
use crate::stage::{Crowd, Door, Label, Selector, Stage};
use actors::domain::time::Timestamp;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Microseconds: ten minutes, more than any terminal waits.
const LATENCY_MAX_US: u64 = 600_000_000;
/// Different errors than this are a run that nobody can read.
const KINDS_MAX: usize = 64;

/// What is known of a payment before it is played.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub due: Timestamp,
    pub story: Story,
    pub door: Door,
    pub crowd: Crowd,
    pub is_measured: bool,
}

/// How a story ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it may.
    Well(Ending),
    /// The switch was too busy for it, and said so: nothing of it stands.
    Shed,
    /// Not as it may: what was unexpected.
    Badly(String),
}

/// Endings of one story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Endings {
    pub offered: u64,
    pub approved: u64,
    pub declined: u64,
    pub taken_back: u64,
    pub shed: u64,
    pub errors: u64,
}

/// What was counted in one second.
#[derive(Debug)]
pub struct Second {
    pub offered: u64,
    pub approved: u64,
    pub others: u64,
    pub shed: u64,
    pub errors: u64,
    pub answer: Histogram<u64>,
    pub lag: Histogram<u64>,
}

/// All counts of the measured time.
pub struct Counts {
    pub times: BTreeMap<Label, Histogram<u64>>,
    pub endings: BTreeMap<(Crowd, Story), Endings>,
    pub errors: BTreeMap<String, u64>,
    /// Payments that were due and found no phone and terminal at leisure: they were not offered.
    pub starved: u64,
    /// The same of the merchant who runs away: that one may.
    pub starved_runaway: u64,
    /// Requests that terminals repeated.
    pub repeats: u64,
    /// Payments that ended as they may, whenever they were due.
    well: u64,
    second: Second,
}

/// Where all players count.
pub struct Tally {
    counts: Mutex<Counts>,
}

pub fn histogram() -> Histogram<u64> {
    // The bounds are right, or the first test of this file would fail.
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).unwrap_or_else(|_| Histogram::new_from(&fallback()))
}

fn fallback() -> Histogram<u64> {
    Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are allowed"))
}

impl Second {
    fn new() -> Self {
        let (answer, lag) = (histogram(), histogram());
        Self { offered: 0, approved: 0, others: 0, shed: 0, errors: 0, answer, lag }
    }
}

impl Endings {
    fn add(&mut self, ended: &Ended) {
        let counter = match ended {
            Ended::Well(Ending::Approved) => &mut self.approved,
            Ended::Well(Ending::Declined) => &mut self.declined,
            Ended::Well(Ending::TakenBack) => &mut self.taken_back,
            Ended::Shed => &mut self.shed,
            Ended::Badly(_) => &mut self.errors,
        };
        *counter = counter.saturating_add(1);
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            offered: self.offered.saturating_add(other.offered),
            approved: self.approved.saturating_add(other.approved),
            declined: self.declined.saturating_add(other.declined),
            taken_back: self.taken_back.saturating_add(other.taken_back),
            shed: self.shed.saturating_add(other.shed),
            errors: self.errors.saturating_add(other.errors),
        }
    }

    /// Payments that ended as they may.
    pub fn well(&self) -> u64 {
        self.approved.saturating_add(self.declined).saturating_add(self.taken_back)
    }
}

impl Tally {
    pub fn new() -> Self {
        Self { counts: Mutex::new(Counts::new()) }
    }

    /// A payment begins, so late.
    pub fn begun(&self, job: &Job, lag_us: u64) {
        let mut counts = self.counts();
        counts.second.offered = counts.second.offered.saturating_add(1);
        counts.second.lag.saturating_record(lag_us);
        if job.is_measured {
            counts.record(job, Stage::Lag, lag_us);
            let endings = counts.endings.entry((job.crowd, job.story)).or_default();
            endings.offered = endings.offered.saturating_add(1);
        }
    }

    /// A stage of a payment took so long.
    pub fn took(&self, job: &Job, stage: Stage, us: u64) {
        let mut counts = self.counts();
        if stage == Stage::Answer && job.story.is_prompt() && job.crowd == Crowd::Everybody {
            counts.second.answer.saturating_record(us);
        }
        if job.is_measured {
            counts.record(job, stage, us);
        }
    }

    /// A payment ended.
    pub fn ended(&self, job: &Job, ended: &Ended) {
        let mut counts = self.counts();
        let second = &mut counts.second;
        let counter = match ended {
            Ended::Well(Ending::Approved) => &mut second.approved,
            Ended::Well(_) => &mut second.others,
            Ended::Shed => &mut second.shed,
            Ended::Badly(_) => &mut second.errors,
        };
        *counter = counter.saturating_add(1);
        counts.well = counts.well.saturating_add(u64::from(matches!(ended, Ended::Well(_))));
        if job.is_measured {
            counts.endings.entry((job.crowd, job.story)).or_default().add(ended);
            if let Ended::Badly(kind) = ended {
                counts.error(format!("{}: {kind}", job.story));
            }
        }
    }

    /// A payment was due, and nobody had time for it.
    pub fn starved(&self, job: &Job) {
        let mut counts = self.counts();
        let counter = match job.crowd {
            Crowd::Runaway => &mut counts.starved_runaway,
            Crowd::Everybody if job.is_measured => &mut counts.starved,
            Crowd::Everybody => return,
        };
        *counter = counter.saturating_add(1);
    }

    /// A terminal repeated so many requests.
    pub fn repeated(&self, times: u64) {
        let mut counts = self.counts();
        counts.repeats = counts.repeats.saturating_add(times);
    }

    /// What was counted since this was asked last.
    pub fn second(&self) -> Second {
        std::mem::replace(&mut self.counts().second, Second::new())
    }

    /// All counts; counting begins anew.
    pub fn take(&self) -> Counts {
        std::mem::replace(&mut *self.counts(), Counts::new())
    }

    /// How many payments ended as they may, so far, whenever they were due: those whose customers take their time began before.
    pub fn well(&self) -> u64 {
        self.counts().well
    }

    /// A player that panicked leaves counts that are still counts.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            times: BTreeMap::new(),
            endings: BTreeMap::new(),
            errors: BTreeMap::new(),
            starved: 0,
            starved_runaway: 0,
            repeats: 0,
            well: 0,
            second: Second::new(),
        }
    }

    fn record(&mut self, job: &Job, stage: Stage, us: u64) {
        let label = Label { stage, door: job.door, story: job.story, crowd: job.crowd };
        self.times.entry(label).or_insert_with(histogram).saturating_record(us);
    }

    fn error(&mut self, kind: String) {
        let is_full = self.errors.len() >= KINDS_MAX && !self.errors.contains_key(&kind);
        let kind = if is_full { "other".to_owned() } else { kind };
        let count = self.errors.entry(kind).or_default();
        *count = count.saturating_add(1);
    }

    /// The times that a selector takes, together.
    pub fn times(&self, selector: Selector) -> Histogram<u64> {
        let mut all = histogram();
        for (_, times) in self.times.iter().filter(|(label, _)| selector.takes(**label)) {
            // The bounds are the same.
            all.add(times).unwrap_or_default();
        }
        all
    }

    /// How late the generator was, with whatever it had to begin.
    pub fn lag(&self) -> Histogram<u64> {
        let mut all = histogram();
        for (_, times) in self.times.iter().filter(|(label, _)| label.stage == Stage::Lag) {
            all.add(times).unwrap_or_default();
        }
        all
    }

    /// The endings of a crowd.
    pub fn endings(&self, crowd: Crowd) -> Endings {
        let of = self.endings.iter().filter(|((of, _), _)| *of == crowd);
        of.fold(Endings::default(), |sum, (_, endings)| sum.plus(endings))
    }
}

impl Endings {
    /// Of a hundred that were offered.
    pub fn error_percent(&self) -> f64 {
        figure::percent(self.errors, self.offered)
    }

    pub fn shed_percent(&self) -> f64 {
        figure::percent(self.shed, self.offered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(story: Story, is_measured: bool) -> Job {
        let due = Timestamp::from_micros(0);
        Job { due, story, door: Door::Iso, crowd: Crowd::Everybody, is_measured }
    }

    #[test]
    fn only_what_was_due_in_the_measured_time_counts_and_each_second_is_told_once() {
        let tally = Tally::new();
        for job in [job(Story::Sale, true), job(Story::Sale, false)] {
            tally.begun(&job, 10);
            tally.took(&job, Stage::Answer, 2_000);
            tally.ended(&job, &Ended::Well(Ending::Approved));
        }
        let second = tally.second();
        assert_eq!((second.offered, second.approved, second.answer.len()), (2, 2, 2));
        assert_eq!(tally.second().offered, 0);
        let counts = tally.take();
        assert_eq!(counts.times(Selector::of(Stage::Answer)).len(), 1);
        assert_eq!(counts.endings(Crowd::Everybody).approved, 1);
        assert_eq!(tally.take().endings(Crowd::Everybody).offered, 0);
    }

    #[test]
    fn a_payer_who_thinks_is_not_in_the_figures_unless_asked_for_by_name() {
        let tally = Tally::new();
        tally.took(&job(Story::Vanished, true), Stage::Answer, 30_000_000);
        tally.took(&job(Story::Sale, true), Stage::Answer, 5_000);
        let counts = tally.take();
        let answer = Selector::of(Stage::Answer);
        assert_eq!(counts.times(answer).len(), 1);
        assert_eq!(counts.times(Selector { story: Some(Story::Vanished), ..answer }).len(), 1);
        assert_eq!(counts.times(Selector { door: Some(Door::Http), ..answer }).len(), 0);
    }

    #[test]
    fn a_thousand_kinds_of_error_are_not_a_thousand_lines() {
        let tally = Tally::new();
        for kind in 0..1_000 {
            tally.ended(&job(Story::Sale, true), &Ended::Badly(format!("kind {kind}")));
        }
        let counts = tally.take();
        assert_eq!((counts.errors.len(), counts.errors.get("other")), (KINDS_MAX + 1, Some(&936)));
    }
}
