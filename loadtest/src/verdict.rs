//! What a run comes to: the verdict first, then whether it was right, then how fast, then what it took.
//!
//! A violation fails a run whatever its speed; a generator that could not keep up voids one, because its figures are
//! about itself; only then do thresholds count.
use crate::control::Shown;
use crate::figure;
use crate::judge::Findings;
use crate::latency::Latency;
use crate::machine::Usage;
use crate::mix::Story;
use crate::peak::Peak;
use crate::session::Played;
use crate::stage::{Crowd, Door, Selector, Stage};
use crate::tally::{Counts, Endings};
use crate::threshold::{Figure, Outcome, Point, Threshold};
use crate::timeline::Moment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Of a hundred payments that were due, so many may have found nobody at leisure.
const STARVED_MAX_PERCENT: f64 = 0.5;

/// Whether a run is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Passed,
    Failed,
    /// The figures are the generator's own.
    Void,
}

/// Everything about a run.
#[derive(Serialize)]
pub struct Report {
    pub verdict: Verdict,
    /// Why it is not better.
    pub reasons: Vec<String>,
    pub thresholds: Vec<Outcome>,
    pub seconds: f64,
    /// Payments a second that ended as they may.
    pub rate: f64,
    /// Approved payments a second.
    pub goodput: f64,
    pub endings: Endings,
    pub runaway: Endings,
    pub error_percent: f64,
    pub shed_percent: f64,
    pub correctness: Option<Findings>,
    pub judge: Option<Shown>,
    pub latency_us: Vec<Row>,
    pub stories: Vec<Ends>,
    pub errors: BTreeMap<String, u64>,
    pub lag_us: Latency,
    pub starved: u64,
    pub unfinished: usize,
    pub repeats: u64,
    pub cpu: Usage,
    /// By how many of a hundred the first `--pid`'s memory grew, in a run long enough to tell.
    pub memory_growth_percent: Option<f64>,
    pub peak: Option<Peak>,
    pub settings: Settings,
    pub timeline: Vec<Moment>,
}

/// The times of one stage.
#[derive(Serialize)]
pub struct Row {
    pub stage: String,
    pub what: &'static str,
    #[serde(flatten)]
    pub latency: Latency,
}

/// How one story ended.
#[derive(Serialize)]
pub struct Ends {
    pub story: Story,
    pub crowd: Crowd,
    #[serde(flatten)]
    pub endings: Endings,
}

/// What a run was made with, so that it can be made again.
#[derive(Clone, Serialize)]
pub struct Settings {
    pub loadtest: &'static str,
    pub switch: Option<String>,
    /// RFC 3339.
    pub began_at: String,
    pub command_line: Vec<String>,
    /// Where the platform was, and whether it was played here.
    pub platform: Option<String>,
    pub seed: u64,
    pub pairs: usize,
    pub scenario: String,
    pub cpus: usize,
}

/// What the judge said, if it could.
pub enum Judgement {
    Judged(Box<Findings>, Box<Shown>),
    /// Nobody said where to look.
    NotAsked,
    /// The accounts could not be read.
    Failed(String),
}

/// A run, before it is put in order.
pub struct Material<'a> {
    pub played: Played,
    pub thresholds: &'a [Threshold],
    pub judgement: Judgement,
    pub lag_max: Duration,
    pub peak: Option<Peak>,
    pub settings: Settings,
}

impl Report {
    pub fn new(material: Material<'_>) -> Self {
        let Material { played, thresholds, judgement, lag_max, peak, settings } = material;
        let figures = Figures::new(&played);
        let findings = match &judgement {
            Judgement::Judged(findings, _) => Some(&**findings),
            Judgement::NotAsked | Judgement::Failed(_) => None,
        };
        let held = |threshold: &Threshold| threshold.held_against(figures.value(threshold.figure, findings));
        let thresholds: Vec<Outcome> = thresholds.iter().map(held).collect();
        let wrong = wrong(&judgement, &played, &figures);
        let void = void(&played, lag_max);
        let missed = thresholds.iter().filter(|outcome| !outcome.is_met);
        let missed: Vec<String> =
            missed.map(|outcome| format!("{} is {}", outcome.threshold, outcome.measured)).collect();
        let verdict = match (wrong.is_empty(), void.is_empty(), missed.is_empty()) {
            (false, _, _) | (true, true, false) => Verdict::Failed,
            (true, false, _) => Verdict::Void,
            (true, true, true) => Verdict::Passed,
        };
        let (latency_us, stories, lag) = (rows(&played.counts), ends(&played.counts), played.counts.lag());
        let (correctness, judge) = match judgement {
            Judgement::Judged(findings, shown) => (Some(*findings), Some(*shown)),
            Judgement::NotAsked | Judgement::Failed(_) => (None, None),
        };
        Self {
            verdict,
            reasons: wrong.into_iter().chain(void).chain(missed).collect(),
            thresholds,
            seconds: played.measured.as_secs_f64(),
            rate: figure::rounded(figures.rate, 1),
            goodput: figure::rounded(figures.goodput, 1),
            endings: figures.endings,
            runaway: played.counts.endings(Crowd::Runaway),
            error_percent: figures.endings.error_percent(),
            shed_percent: figures.endings.shed_percent(),
            correctness,
            judge,
            latency_us,
            stories,
            lag_us: Latency::of(&lag),
            starved: played.counts.starved,
            unfinished: played.unfinished,
            repeats: played.counts.repeats,
            memory_growth_percent: figures.memory_growth,
            errors: played.counts.errors,
            cpu: played.usage,
            peak,
            settings,
            timeline: played.timeline,
        }
    }
}

/// What thresholds are held against.
pub struct Figures<'a> {
    counts: &'a Counts,
    endings: Endings,
    rate: f64,
    goodput: f64,
    cpu: Option<u64>,
    memory_growth: Option<f64>,
}

impl<'a> Figures<'a> {
    pub fn new(played: &'a Played) -> Self {
        let endings = played.counts.endings(Crowd::Everybody);
        let other = played.usage.processes.get(1);
        Self {
            counts: &played.counts,
            endings,
            rate: figure::rate(endings.well(), played.measured),
            goodput: figure::rate(endings.approved, played.measured),
            cpu: other.and_then(|process| process.cpu_us_per_payment),
            memory_growth: memory_growth(&played.timeline),
        }
    }

    /// A figure's value; nothing if it was not measured.
    pub fn value(&self, figure: Figure, findings: Option<&Findings>) -> Option<f64> {
        match figure {
            Figure::Time(selector, point) => self.time(selector, point),
            Figure::Count(selector) => Some(figure::real(self.counts.times(selector).len())),
            Figure::Rate => Some(self.rate),
            Figure::Goodput => Some(self.goodput),
            Figure::Errors => Some(self.endings.error_percent()),
            Figure::Shed => Some(self.endings.shed_percent()),
            Figure::Broken(rule) => findings.map(|findings| figure::real(findings.count(rule))),
            Figure::Violations => findings.map(|findings| figure::real(findings.total())),
            Figure::Cpu => self.cpu.map(figure::real),
            Figure::MemoryGrowth => self.memory_growth,
        }
    }

    fn time(&self, selector: Selector, point: Point) -> Option<f64> {
        let times =
            if selector.stage == Stage::Lag { self.counts.lag() } else { self.counts.times(selector) };
        (!times.is_empty()).then(|| match point {
            Point::Percentile(percentile) => figure::real(times.value_at_quantile(percentile / 100.0)),
            Point::Mean => times.mean(),
            Point::Least => figure::real(times.min()),
            Point::Most => figure::real(times.max()),
        })
    }
}

/// The first named process, between the first fifth of the measured time and its last tenth. `None` if that is too short.
fn memory_growth(timeline: &[Moment]) -> Option<f64> {
    let measured: Vec<&Moment> = timeline.iter().filter(|moment| moment.at > 0).collect();
    let tenth = measured.len() / 10;
    let mean = |moments: &[&Moment]| {
        let sizes: Vec<u64> = moments.iter().filter_map(|m| m.memory_kib.get(1).copied().flatten()).collect();
        let count = u64::try_from(sizes.len()).ok().filter(|count| *count > 0)?;
        sizes.iter().sum::<u64>().checked_div(count)
    };
    let early = mean(measured.get(tenth..tenth.saturating_mul(2))?)?;
    let late = mean(measured.get(measured.len().saturating_sub(tenth)..)?)?;
    Some((figure::real(late) / figure::real(early.max(1)) - 1.0) * 100.0)
}

/// What fails a run whatever its speed.
fn wrong(judgement: &Judgement, played: &Played, figures: &Figures<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    match judgement {
        Judgement::Judged(findings, shown) => {
            wrong.extend(findings.counts.iter().map(|(rule, count)| format!("{count} x {}", rule.says())));
            if !shown.missed.is_empty() {
                wrong.push(format!("the judge is not to be believed: it let pass {:?}", shown.missed));
            }
        }
        Judgement::NotAsked => {}
        Judgement::Failed(why) => wrong.push(format!("the run could not be judged: {why}")),
    }
    if played.unfinished > 0 {
        wrong.push(format!("{} payments did not end", played.unfinished));
    }
    if figures.endings.well() == 0 {
        wrong.push("not one payment came through".to_owned());
    }
    wrong
}

/// What makes the figures the generator's own.
pub fn void(played: &Played, lag_max: Duration) -> Vec<String> {
    let mut void = Vec::new();
    let lag = played.counts.lag().value_at_quantile(0.99);
    if lag > figure::micros(lag_max) {
        let (lag, most) = (figure::ms(lag), lag_max.as_millis());
        void.push(format!(
            "the generator was late by {lag} ms (p99; {most} ms are allowed: --lag-max): it cannot keep up"
        ));
    }
    let starved = played.counts.starved;
    let due = played.counts.endings(Crowd::Everybody).offered.saturating_add(starved);
    if figure::percent(starved, due) > STARVED_MAX_PERCENT {
        void.push(format!("{starved} of {due} payments that were due found no phone and terminal at leisure: give more --pairs"));
    }
    void
}

fn rows(counts: &Counts) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |selector: Selector, what| {
        let times = counts.times(selector);
        if !times.is_empty() {
            rows.push(Row { stage: selector.to_string(), what, latency: Latency::of(&times) });
        }
    };
    for stage in Stage::ALL.into_iter().filter(|stage| *stage != Stage::Lag) {
        let all = Selector::of(stage);
        row(all, stage.says());
        if stage == Stage::Answer {
            for door in Door::ALL {
                row(Selector { door: Some(door), ..all }, "");
            }
        }
    }
    for (_, story) in
        counts.endings.keys().filter(|(crowd, story)| *crowd == Crowd::Everybody && !story.is_prompt())
    {
        row(
            Selector { story: Some(*story), ..Selector::of(Stage::Answer) },
            "people's or the platform's patience in it",
        );
    }
    rows
}

fn ends(counts: &Counts) -> Vec<Ends> {
    counts
        .endings
        .iter()
        .map(|((crowd, story), endings)| Ends { story: *story, crowd: *crowd, endings: *endings })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::judge::Rule;
    use crate::mix::Ending;
    use crate::tally::{Ended, Job, Tally};
    use actors::domain::time::Timestamp;

    /// So many sales that came through, each begun so late.
    fn played(sales: u64, lag_us: u64) -> Played {
        let (tally, due) = (Tally::new(), Timestamp::from_micros(0));
        let (story, door, crowd) = (Story::Sale, Door::Http, Crowd::Everybody);
        let job = Job { due, story, door, crowd, is_measured: true };
        for _ in 0..sales {
            tally.begun(&job, lag_us);
            tally.took(&job, Stage::Answer, 5_000);
            tally.ended(&job, &Ended::Well(Ending::Approved));
        }
        let usage =
            Usage { processes: Vec::new(), idle_percent: 0.0, steal_percent: 0.0, others_percent: 0.0 };
        let measured = Duration::from_secs(1);
        Played { counts: tally.take(), timeline: Vec::new(), usage, measured, unfinished: 0 }
    }

    fn report(played: Played, threshold: &str, broken: &[Rule]) -> Report {
        let mut findings = Findings::default();
        findings.counts.extend(broken.iter().map(|rule| (*rule, 1)));
        let settings = Settings {
            loadtest: "0",
            switch: None,
            began_at: String::new(),
            command_line: Vec::new(),
            platform: None,
            seed: 1,
            pairs: 1,
            scenario: String::new(),
            cpus: 1,
        };
        Report::new(Material {
            played,
            thresholds: &[threshold.parse().unwrap()],
            judgement: Judgement::Judged(Box::new(findings), Box::default()),
            lag_max: Duration::from_millis(50),
            peak: None,
            settings,
        })
    }

    #[test]
    fn a_violation_fails_a_run_whatever_its_speed_and_a_late_generator_voids_what_it_missed() {
        let (punctual, late) = (1_000, 80_000);
        for (lag, threshold, broken, verdict) in [
            (punctual, "p(99)<50ms", &[][..], Verdict::Passed),
            (punctual, "p(99)<1ms", &[], Verdict::Failed),
            (late, "p(99)<50ms", &[], Verdict::Void),
            (late, "p(99)<1ms", &[], Verdict::Void),
            (punctual, "p(99)<50ms", &[Rule::Lost], Verdict::Failed),
            (late, "p(99)<50ms", &[Rule::Twice], Verdict::Failed),
        ] {
            let report = report(played(10, lag), threshold, broken);
            assert_eq!(
                report.verdict, verdict,
                "{lag} us late, {threshold}, {broken:?}: {:?}",
                report.reasons
            );
        }
    }

    #[test]
    fn nothing_that_came_through_is_no_success_and_a_judge_that_is_blind_is_no_judge() {
        let empty = report(played(0, 0), "violations==0", &[]);
        assert_eq!((empty.verdict, empty.reasons.len()), (Verdict::Failed, 1));
        let mut blind = Shown::default();
        blind.missed.push(crate::control::Control::Forgotten);
        let (played, findings) = (played(10, 0), Findings::default());
        let figures = Figures::new(&played);
        let judgement = Judgement::Judged(Box::new(findings), Box::new(blind));
        assert!(wrong(&judgement, &played, &figures).iter().any(|why| why.contains("not to be believed")));
    }

    #[test]
    fn payments_that_were_not_offered_void_a_run() {
        let mut starved = played(100, 0);
        starved.counts.starved = 2;
        assert_eq!(report(starved, "rate>=1/s", &[]).verdict, Verdict::Void);
    }
}
