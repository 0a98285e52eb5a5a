//! What a run has to reach: k6's expressions, read once and held against the figures at the end.
//!
//! `[STAGE[.DOOR][.STORY]:]FIGURE OP VALUE[UNIT]`: `p(99)<50ms`, `bind:p(95)<20ms`, `answer.iso:max<1s`, `lost==0`,
//! `errors<0.1%`, `rate>=300/s`. A time without a stage is the terminal's answer.
use crate::judge::Rule;
use crate::mix::Story;
use crate::stage::{Door, Selector, Stage};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    pub figure: Figure,
    compare: Compare,
    /// In the figure's own unit: microseconds, percent, a second, or a count.
    value: f64,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A time, in microseconds.
    Time(Selector, Point),
    /// How many times were taken.
    Count(Selector),
    /// Payments a second that ended as they may.
    Rate,
    /// Approved payments a second.
    Goodput,
    /// Of a hundred that were offered.
    Errors,
    /// Of a hundred that were offered.
    Shed,
    /// Violations of one rule.
    Broken(Rule),
    /// Violations of any.
    Violations,
    /// CPU of the first `--pid` per payment, in microseconds.
    Cpu,
    /// By how many of a hundred the first `--pid`'s memory grew in the measured time.
    MemoryGrowth,
}

/// A point of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// Of a hundred.
    Percentile(f64),
    Mean,
    Least,
    Most,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Other,
}

/// Whether a condition was met.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub threshold: String,
    /// In words; `nothing` where there was nothing to measure.
    pub measured: String,
    pub is_met: bool,
}

const FIGURES: &str = "p(N), avg, min, med, max, count, rate, goodput, errors, shed, cpu, memory_growth, violations, lost, twice, \
changed, stands, not_undone, orphan, unanswered, contradicted, given_back, unrecorded";

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let wrong = |what: String| format!("{text:?}: {what}");
        let at = squeezed.find(['<', '>', '=', '!']).ok_or_else(|| {
            wrong("has no comparison: write for example p(99)<50ms, lost==0 or rate>=300/s".to_owned())
        })?;
        let (left, right) = squeezed.split_at(at);
        let (compare, value) =
            compare(right).ok_or_else(|| wrong("compares by <, <=, >, >=, == or !=".into()))?;
        let figure = figure(left).map_err(wrong)?;
        let value = figure.value(value).map_err(wrong)?;
        Ok(Self { text: text.to_owned(), figure, compare, value })
    }
}

fn compare(text: &str) -> Option<(Compare, &str)> {
    let signs = [
        ("<=", Compare::AtMost),
        (">=", Compare::AtLeast),
        ("==", Compare::Equal),
        ("!=", Compare::Other),
        ("<", Compare::Less),
        (">", Compare::More),
    ];
    signs.into_iter().find_map(|(sign, compare)| Some((compare, text.strip_prefix(sign)?)))
}

fn figure(text: &str) -> Result<Figure, String> {
    let (selector, name) = match text.split_once(':') {
        Some((selector, name)) => (Some(selected(selector)?), name),
        None => (None, text),
    };
    let of_times = selector.unwrap_or(Selector::of(Stage::Answer));
    if let Some(point) = point(name)? {
        return Ok(Figure::Time(of_times, point));
    }
    if name == "count" {
        return Ok(Figure::Count(of_times));
    }
    if selector.is_some() {
        return Err(format!("after a stage comes p(N), avg, min, med, max or count, not {name:?}"));
    }
    Ok(match name {
        "rate" => Figure::Rate,
        "goodput" => Figure::Goodput,
        "errors" => Figure::Errors,
        "shed" => Figure::Shed,
        "violations" => Figure::Violations,
        "cpu" => Figure::Cpu,
        "memory_growth" => Figure::MemoryGrowth,
        other => {
            let rule = Rule::ALL.into_iter().find(|rule| rule.name() == other);
            Figure::Broken(rule.ok_or_else(|| format!("there is no figure {other:?}: there are {FIGURES}"))?)
        }
    })
}

fn point(name: &str) -> Result<Option<Point>, String> {
    let percentile = match name {
        "avg" => return Ok(Some(Point::Mean)),
        "min" => return Ok(Some(Point::Least)),
        "max" => return Ok(Some(Point::Most)),
        "med" => return Ok(Some(Point::Percentile(50.0))),
        // p99 is what people type who do not know k6.
        _ => name.strip_prefix('p'),
    };
    let Some(percentile) = percentile else { return Ok(None) };
    let digits = percentile.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(percentile);
    let number = digits.parse().ok().filter(|number| (0.0..=100.0).contains(number));
    number
        .map(|number| Some(Point::Percentile(number)))
        .ok_or_else(|| format!("{name:?}: a percentile is p(0) to p(100)"))
}

fn selected(text: &str) -> Result<Selector, String> {
    let mut parts = text.split('.');
    let stage = parts.next().unwrap_or_default();
    let found = Stage::ALL.into_iter().find(|known| known.name() == stage).ok_or_else(|| {
        let known: Vec<&str> = Stage::ALL.into_iter().map(Stage::name).collect();
        format!("there is no stage {stage:?}: there are {}", known.join(", "))
    })?;
    let mut selector = Selector::of(found);
    for part in parts {
        if let Some(door) = Door::ALL.into_iter().find(|door| door.name() == part) {
            selector.door = Some(door);
        } else {
            let story = part.parse::<Story>();
            selector.story = Some(story.map_err(|what| format!("{what}, or the doors http and iso"))?);
        }
    }
    Ok(selector)
}

impl Figure {
    fn units(&self) -> &'static [(&'static str, f64)] {
        match self {
            // The longer names first: `ms` ends in `s`.
            Self::Time(..) => &[("us", 1.0), ("ms", 1_000.0), ("s", 1_000_000.0)],
            Self::Cpu => &[("us", 1.0), ("ms", 1_000.0)],
            Self::Rate | Self::Goodput => &[("/s", 1.0), ("", 1.0)],
            Self::Errors | Self::Shed | Self::MemoryGrowth => &[("%", 1.0)],
            Self::Count(_) | Self::Broken(_) | Self::Violations => &[("", 1.0)],
        }
    }

    fn value(&self, text: &str) -> Result<f64, String> {
        let number =
            |digits: &str| digits.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        let with_unit = |(unit, scale): &(&str, f64)| Some(number(text.strip_suffix(unit)?)? * scale);
        self.units().iter().find_map(with_unit).ok_or_else(|| {
            let units: Vec<&str> =
                self.units().iter().map(|(unit, _)| *unit).filter(|unit| !unit.is_empty()).collect();
            match units.join(", ") {
                units if units.is_empty() => format!("{text:?} is no count"),
                units => format!("{text:?} is no value for it: it is a number with {units}"),
            }
        })
    }

    /// The figure as people write it.
    pub fn written(&self, value: f64) -> String {
        match self {
            Self::Time(..) => format!("{:.2}ms", value / 1_000.0),
            Self::Cpu => format!("{value:.0}us"),
            Self::Rate | Self::Goodput => format!("{value:.1}/s"),
            Self::Errors | Self::Shed | Self::MemoryGrowth => format!("{value:.3}%"),
            Self::Count(_) | Self::Broken(_) | Self::Violations => format!("{value:.0}"),
        }
    }

    /// Whether it needs the judge, who comes last.
    pub const fn is_judged(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Violations)
    }
}

impl Threshold {
    /// Holds it against what was measured; what could not be measured is not met.
    pub fn held_against(&self, measured: Option<f64>) -> Outcome {
        let is_met = measured.is_some_and(|measured| match self.compare {
            Compare::Less => measured < self.value,
            Compare::AtMost => measured <= self.value,
            Compare::More => measured > self.value,
            Compare::AtLeast => measured >= self.value,
            Compare::Equal => (measured - self.value).abs() < f64::EPSILON,
            Compare::Other => (measured - self.value).abs() >= f64::EPSILON,
        });
        let measured = measured.map_or_else(|| "nothing".to_owned(), |value| self.figure.written(value));
        Outcome { threshold: self.text.clone(), measured, is_met }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Threshold {
        text.parse().unwrap()
    }

    fn fault(text: &str) -> String {
        text.parse::<Threshold>().unwrap_err()
    }

    #[test]
    fn k6s_expressions_are_read() {
        for (text, just_met, just_missed) in [
            ("p(99)<50ms", 49_999.0, 50_000.0),
            ("p99 < 50ms", 49_999.0, 50_000.0),
            ("p(95)<=0.02s", 20_000.0, 20_001.0),
            ("bind:p(99)<800us", 799.0, 800.0),
            ("answer.iso.repeat:max<1s", 999_999.0, 1_000_000.0),
            ("lost==0", 0.0, 1.0),
            ("violations<1", 0.0, 1.0),
            ("errors<0.1%", 0.09, 0.1),
            ("rate>=300/s", 300.0, 299.9),
            ("goodput>10", 10.1, 10.0),
            ("count!=0", 3.0, 0.0),
            ("cpu<450us", 449.0, 450.0),
            ("memory_growth<5%", 4.9, 5.0),
        ] {
            let threshold = read(text);
            assert!(threshold.held_against(Some(just_met)).is_met, "{text}");
            assert!(!threshold.held_against(Some(just_missed)).is_met, "{text}");
            assert!(!threshold.held_against(None).is_met, "{text}: nothing measured is nothing reached");
        }
        let selector =
            Selector { door: Some(Door::Iso), story: Some(Story::Repeat), ..Selector::of(Stage::Answer) };
        assert_eq!(read("answer.iso.repeat:max<1s").figure, Figure::Time(selector, Point::Most));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_it_may_be() {
        for (text, says) in [
            ("p(99)", "has no comparison"),
            ("p(101)<5ms", "p(0) to p(100)"),
            ("p(99)<50", "with us, ms, s"),
            ("rate=>3", "compares by"),
            ("lots==0", "there is no figure \"lots\": there are p(N)"),
            ("lost==0ms", "is no count"),
            ("errors<1", "with %"),
            ("bund:p(99)<5ms", "there is no stage \"bund\": there are lag, bind"),
            ("bind.isu:p(99)<5ms", "there is no story \"isu\""),
            ("bind:rate>3", "after a stage comes"),
        ] {
            assert!(fault(text).contains(says), "{}", fault(text));
        }
    }
}
