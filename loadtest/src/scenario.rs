//! A scenario: what is played, when, by whom and with what trouble, from a TOML file; an error names its key and line.
//!
//! Checked once, so that nothing later has to doubt it. What the command line says goes over what the file says.
use crate::arrivals::{Shape, read_trace};
use crate::customers::{Customers, RawCustomers};
use crate::mix::{Mix, Story};
use crate::platform::PlatformPlan;
use crate::stage::Door;
use crate::threshold::Threshold;
use crate::wrong::{Wrong, line_of, of_toml};
use actors::domain::identity::MerchantId;
use actors::domain::money::{Amount, Money};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest run, warm-up included: a forgotten one ends.
const SECONDS_MAX: u64 = 24 * 3_600;
/// The highest rate that anybody may ask for; whether it can be played is checked elsewhere.
const RATE_MAX: f64 = 1_000_000.0;
/// How late an answer is that the platform gives late, where the scenario does not say: as `turnout sandbox`.
pub const LATE_SECONDS: u64 = 15;
pub const PATIENCE: std::ops::RangeInclusive<u64> = 5..=300;

/// What is played.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub measured: Duration,
    pub warm_up: Duration,
    /// Phones, each with a terminal; as many as the mix needs if it is not said.
    pub pairs: Option<usize>,
    /// How long terminals wait for an answer.
    pub patience: Duration,
    pub thresholds: Vec<Threshold>,
    pub shape: Shape,
    pub mix: Mix,
    /// Of all payments, so many (0 to 1) over ISO 8583.
    pub iso_share: f64,
    pub amounts: Amounts,
    pub customers: Customers,
    pub troubles: Vec<PlannedTrouble>,
    pub runaway: Option<Runaway>,
    /// The platform that is played here; another one otherwise.
    pub platform: Option<PlatformPlan>,
    /// The file as it was read.
    pub text: String,
}

/// What payments cost: evenly from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    least: Money,
    most: Money,
}

/// Trouble at the platform for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTrouble {
    pub from: Duration,
    pub lasts: Duration,
    /// What the sandbox's `PUT /v1/trouble` takes.
    pub body: Value,
}

/// A merchant whose terminals ask and ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Runaway {
    pub merchant: MerchantId,
    pub rate: f64,
    pub from: Duration,
    pub lasts: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    seed: Option<u64>,
    seconds: Option<u64>,
    warm_up: Option<u64>,
    pairs: Option<usize>,
    patience_seconds: Option<u64>,
    #[serde(default)]
    thresholds: Vec<String>,
    arrivals: RawArrivals,
    mix: Option<BTreeMap<Story, f64>>,
    doors: Option<BTreeMap<Door, f64>>,
    amounts: Option<RawAmounts>,
    customers: Option<RawCustomers>,
    #[serde(default)]
    trouble: Vec<RawTrouble>,
    runaway: Option<RawRunaway>,
    platform: Option<RawPlatform>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeName {
    Constant,
    Poisson,
    Ramp,
    Spike,
    Soak,
    Replay,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArrivals {
    shape: ShapeName,
    rate: Option<f64>,
    to: Option<f64>,
    peak: Option<f64>,
    at: Option<f64>,
    lasts: Option<f64>,
    swell: Option<f64>,
    period: Option<f64>,
    file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAmounts {
    least: String,
    most: String,
    currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrouble {
    from: f64,
    lasts: f64,
    #[serde(default)]
    latency_ms: u64,
    #[serde(default)]
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    trouble: String,
    operation: String,
    next: Option<u32>,
    payer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRunaway {
    merchant: String,
    rate: f64,
    from: f64,
    lasts: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlatform {
    listen: SocketAddr,
    callback: Option<String>,
    secret_file: PathBuf,
    late_seconds: Option<u64>,
}

impl Scenario {
    /// Reads a file; a trace it names is looked for beside it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        use anyhow::Context;
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("--scenario {shown}"))?;
        let beside = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, beside).with_context(|| format!("--scenario {shown}"))
    }

    /// Reads a text.
    pub fn parse(text: &str, beside: &Path) -> Result<Self, Wrong> {
        let document = toml::Deserializer::parse(text).map_err(|fault| of_toml(text, "the file", &fault))?;
        let raw: Raw = serde_path_to_error::deserialize(document)
            .map_err(|fault| of_toml(text, &fault.path().to_string(), fault.inner()))?;
        let reader = Reader { text };
        let shape = reader.shape(&raw.arrivals, beside)?;
        let (seconds, warm_up) = (raw.seconds.unwrap_or_else(|| shape.seconds()), raw.warm_up.unwrap_or(2));
        if seconds == 0 || seconds.saturating_add(warm_up) > SECONDS_MAX {
            return Err(reader.wrong("seconds", format!("is 1 to {SECONDS_MAX}, the warm-up included")));
        }
        let patience = raw.patience_seconds.unwrap_or(30);
        if !PATIENCE.contains(&patience) {
            return Err(reader.wrong("patience_seconds", "is 5 to 300"));
        }
        let patience = Duration::from_secs(patience);
        let customers = raw.customers.map(|raw| Customers::read(&raw, patience)).transpose();
        let customers = customers.map_err(|(key, what)| reader.wrong(key, what))?.unwrap_or_default();
        let mut thresholds = Vec::new();
        for text in &raw.thresholds {
            thresholds.push(text.parse().map_err(|what: String| reader.wrong("thresholds", what))?);
        }
        Ok(Self {
            seed: raw.seed.unwrap_or(1),
            measured: Duration::from_secs(seconds),
            warm_up: Duration::from_secs(warm_up),
            pairs: raw.pairs,
            patience,
            thresholds,
            shape,
            mix: reader.mix(raw.mix)?,
            iso_share: reader.iso_share(raw.doors)?,
            amounts: reader.amounts(raw.amounts)?,
            customers,
            troubles: raw.trouble.iter().map(|trouble| reader.trouble(trouble)).collect::<Result<_, _>>()?,
            runaway: raw.runaway.map(|runaway| reader.runaway(&runaway)).transpose()?,
            platform: raw.platform.map(|platform| reader.platform(platform, beside)).transpose()?,
            text: text.to_owned(),
        })
    }

    /// What of all payments each story is: the mix's, or as a trace has it.
    pub fn shares(&self) -> BTreeMap<Story, f64> {
        let Shape::Replay(trace) = &self.shape else { return self.mix.shares().collect() };
        let each = 1.0 / f64::from(u32::try_from(trace.len()).unwrap_or(u32::MAX).max(1));
        let mut shares = BTreeMap::new();
        for due in trace.iter() {
            match due.story {
                Some(story) => *shares.entry(story).or_default() += each,
                None => self.mix.shares().for_each(|(story, share)| {
                    *shares.entry(story).or_default() += each * share;
                }),
            }
        }
        shares
    }

    /// Payments a second at most, those of the runaway not counted.
    pub fn peak(&self) -> f64 {
        self.shape.peak()
    }
}

impl Amounts {
    pub const fn least(&self) -> Money {
        self.least
    }

    /// The amount at some place between the least and the most.
    pub fn drawn(&self, chance: &mut crate::chance::Chance) -> Money {
        let (least, most) = (self.least.amount().minor_units(), self.most.amount().minor_units());
        let amount = Amount::new(chance.between(least, most)).unwrap_or(self.least.amount());
        Money::new(amount, self.least.currency())
    }
}

/// Checks what serde cannot.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, key: &str, what: impl Into<String>) -> Wrong {
        Wrong { key: key.to_owned(), line: line_of(self.text, key), what: what.into() }
    }

    fn rate(&self, key: &str, rate: f64, least: f64) -> Result<f64, Wrong> {
        let is_rate = rate.is_finite() && rate >= least && rate <= RATE_MAX;
        if is_rate {
            Ok(rate)
        } else {
            Err(self.wrong(key, format!("is {least} to {RATE_MAX} payments a second")))
        }
    }

    fn seconds(&self, key: &str, seconds: f64) -> Result<Duration, Wrong> {
        let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| span.as_secs() <= SECONDS_MAX);
        span.ok_or_else(|| self.wrong(key, format!("is 0 to {SECONDS_MAX} seconds")))
    }

    fn shape(&self, raw: &RawArrivals, beside: &Path) -> Result<Shape, Wrong> {
        let needs: &[&str] = match raw.shape {
            ShapeName::Constant | ShapeName::Poisson => &["rate"],
            ShapeName::Ramp => &["rate", "to"],
            ShapeName::Spike => &["rate", "peak", "at", "lasts"],
            ShapeName::Soak => &["rate", "swell", "period"],
            ShapeName::Replay => &["file"],
        };
        let given = [
            ("rate", raw.rate),
            ("to", raw.to),
            ("peak", raw.peak),
            ("at", raw.at),
            ("lasts", raw.lasts),
            ("swell", raw.swell),
            ("period", raw.period),
            ("file", raw.file.as_ref().map(|_| 0.0)),
        ];
        let idle = given.iter().find(|(name, value)| value.is_some() && !needs.contains(name));
        if let Some((name, _)) = idle {
            let needs = needs.join(", ");
            return Err(self.wrong(
                &format!("arrivals.{name}"),
                format!("means nothing with this shape, which has {needs}"),
            ));
        }
        let value = |name: &str| {
            let found = given.iter().find(|(given, _)| *given == name).and_then(|(_, value)| *value);
            let default = if name == "swell" { Some(0.0) } else { None };
            let default = default.or_else(|| (name == "period").then_some(600.0));
            found.or(default).ok_or_else(|| {
                self.wrong("arrivals", format!("arrivals.{name} is missing: this shape needs it"))
            })
        };
        let rate = |name: &str, least| self.rate(&format!("arrivals.{name}"), value(name)?, least);
        let seconds = |name: &str| self.seconds(&format!("arrivals.{name}"), value(name)?);
        Ok(match raw.shape {
            ShapeName::Constant => Shape::Constant(rate("rate", 0.1)?),
            ShapeName::Poisson => Shape::Poisson(rate("rate", 0.1)?),
            ShapeName::Ramp => Shape::Ramp { from: rate("rate", 0.0)?, to: rate("to", 0.1)? },
            ShapeName::Spike => Shape::Spike {
                base: rate("rate", 0.1)?,
                peak: rate("peak", 0.1)?,
                at: seconds("at")?,
                lasts: seconds("lasts")?,
            },
            ShapeName::Soak => {
                let swell = value("swell")?;
                if !(0.0..=1.0).contains(&swell) {
                    return Err(self.wrong("arrivals.swell", "is 0 to 1: a share of the rate"));
                }
                let period = seconds("period")?;
                if period.is_zero() {
                    return Err(self.wrong("arrivals.period", "is more than 0 seconds"));
                }
                Shape::Soak { base: rate("rate", 0.1)?, swell, period }
            }
            ShapeName::Replay => {
                let name = raw.file.as_deref().unwrap_or_default();
                let trace = std::fs::read_to_string(beside.join(name)).map_err(|fault| fault.to_string());
                let trace = trace.and_then(|text| read_trace(&text));
                Shape::Replay(trace.map_err(|what| self.wrong("arrivals.file", format!("{name}: {what}")))?)
            }
        })
    }

    fn mix(&self, weights: Option<BTreeMap<Story, f64>>) -> Result<Mix, Wrong> {
        let weights = weights.unwrap_or_else(|| BTreeMap::from([(Story::Sale, 1.0)]));
        if let Some((story, _)) = weights.iter().find(|(_, weight)| !weight.is_finite() || **weight < 0.0) {
            return Err(self.wrong(&format!("mix.{story}"), "is a weight: 0 or more"));
        }
        Mix::new(&weights).ok_or_else(|| self.wrong("mix", "has at least one story with a weight above 0"))
    }

    fn iso_share(&self, doors: Option<BTreeMap<Door, f64>>) -> Result<f64, Wrong> {
        let Some(doors) = doors else { return Ok(0.0) };
        let of = |door| doors.get(&door).copied().unwrap_or(0.0);
        let (http, iso) = (of(Door::Http), of(Door::Iso));
        let is_right =
            [http, iso].iter().all(|weight| weight.is_finite() && *weight >= 0.0) && http + iso > 0.0;
        if is_right {
            Ok(iso / (http + iso))
        } else {
            Err(self.wrong("doors", "has weights of 0 or more, one above 0"))
        }
    }

    fn amounts(&self, raw: Option<RawAmounts>) -> Result<Amounts, Wrong> {
        let raw = raw.unwrap_or_else(|| RawAmounts {
            least: "1.00".into(),
            most: "99.99".into(),
            currency: "EUR".into(),
        });
        let money = |name: &str, amount: &str| {
            let parsed = Money::parse_payable(amount, &raw.currency);
            parsed.map_err(|fault| self.wrong(&format!("amounts.{name}"), fault.to_string()))
        };
        let (least, most) = (money("least", &raw.least)?, money("most", &raw.most)?);
        if least.amount().minor_units() > most.amount().minor_units() {
            return Err(self.wrong("amounts.most", "is at least as much as amounts.least"));
        }
        Ok(Amounts { least, most })
    }

    fn trouble(&self, raw: &RawTrouble) -> Result<PlannedTrouble, Wrong> {
        let rules: Vec<Value> = raw.rules.iter().map(rule).collect();
        let (from, lasts) =
            (self.seconds("trouble.from", raw.from)?, self.seconds("trouble.lasts", raw.lasts)?);
        Ok(PlannedTrouble { from, lasts, body: json!({"latency_ms": raw.latency_ms, "rules": rules}) })
    }

    fn runaway(&self, raw: &RawRunaway) -> Result<Runaway, Wrong> {
        let merchant = MerchantId::new(&raw.merchant);
        Ok(Runaway {
            merchant: merchant.map_err(|fault| self.wrong("runaway.merchant", fault.to_string()))?,
            rate: self.rate("runaway.rate", raw.rate, 0.1)?,
            from: self.seconds("runaway.from", raw.from)?,
            lasts: self.seconds("runaway.lasts", raw.lasts)?,
        })
    }

    fn platform(&self, raw: RawPlatform, beside: &Path) -> Result<PlatformPlan, Wrong> {
        let late = raw.late_seconds.unwrap_or(LATE_SECONDS);
        if !(1..=300).contains(&late) {
            return Err(self.wrong("platform.late_seconds", "is 1 to 300"));
        }
        Ok(PlatformPlan {
            listen: raw.listen,
            callback: raw.callback,
            secret_file: beside.join(raw.secret_file),
            late_by: Duration::from_secs(late),
        })
    }
}

fn rule(raw: &RawRule) -> Value {
    let mut rule = json!({"trouble": raw.trouble, "operation": raw.operation});
    let fields = [("next", raw.next.map(Value::from)), ("payer", raw.payer.clone().map(Value::from))];
    if let Some(object) = rule.as_object_mut() {
        for (name, value) in fields {
            object.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    rule
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MIXED: &str = r#"
seed = 42
seconds = 20
pairs = 120
patience_seconds = 10
thresholds = ["p(99)<500ms", "lost==0"]

[arrivals]
shape = "spike"
rate = 50
peak = 200
at = 5
lasts = 2.5

[mix]
sale = 80
vanished = 1
platform_silent = 1

[doors]
http = 3
iso = 1

[amounts]
least = "0.50"
most = "99.99"
currency = "EUR"

[[trouble]]
from = 5
lasts = 3
latency_ms = 200
rules = [{ trouble = "silent", operation = "pay", next = 5 }]

[runaway]
merchant = "M2"
rate = 500
from = 5
lasts = 10
"#;

    fn read(text: &str) -> Result<Scenario, Wrong> {
        Scenario::parse(text, Path::new("."))
    }

    #[test]
    fn a_scenario_says_what_is_played() {
        let scenario = read(MIXED).unwrap();
        assert_eq!((scenario.seed, scenario.measured.as_secs(), scenario.pairs), (42, 20, Some(120)));
        assert!((scenario.iso_share - 0.25).abs() < 1e-9);
        assert!((scenario.peak() - 200.0).abs() < 1e-9);
        assert_eq!(scenario.mix.shares().count(), 3);
        assert_eq!(scenario.thresholds.len(), 2);
        let trouble = scenario.troubles.first().unwrap();
        assert_eq!(trouble.body["rules"][0], json!({"trouble": "silent", "operation": "pay", "next": 5}));
        assert!((scenario.runaway.unwrap().rate - 500.0).abs() < 1e-9);
    }

    #[test]
    fn the_least_scenario_is_a_rate() {
        let scenario = read("[arrivals]\nshape = \"constant\"\nrate = 5\n").unwrap();
        assert_eq!(scenario.shape, Shape::Constant(5.0));
        assert!(scenario.runaway.is_none() && scenario.pairs.is_none());
    }

    #[test]
    fn an_error_says_which_key_on_which_line() {
        for (old, new, key, line, says) in [
            ("seed = 42", "sead = 42", "sead", 2, "unknown field `sead`"),
            ("seconds = 20", "seconds = \"x\"", "seconds", 3, "invalid type"),
            ("seconds = 20", "seconds = 0", "seconds", 3, "is 1 to 86400"),
            ("seconds = 10\n", "seconds = 1\n", "patience_seconds", 5, "is 5 to 300"),
            ("p(99)<500ms", "p(99)<500", "thresholds", 6, "with us, ms, s"),
            ("shape = \"spike\"", "shape = \"spiky\"", "arrivals.shape", 9, "unknown variant `spiky`"),
            ("shape = \"spike\"", "shape = \"ramp\"", "arrivals.peak", 11, "means nothing with this shape"),
            ("peak = 200\n", "", "arrivals", 8, "arrivals.peak is missing"),
            ("rate = 50\n", "rate = -1\n", "arrivals.rate", 10, "is 0.1 to 1000000"),
            ("vanished = 1", "vanishd = 1", "mix.vanishd", 17, "unknown variant `vanishd`"),
            ("vanished = 1", "vanished = -1", "mix.vanished", 17, "is a weight"),
            ("iso = 1", "isu = 1", "doors.isu", 22, "unknown variant `isu`"),
            ("\"0.50\"", "\"0.505\"", "amounts.least", 25, "decimal"),
            ("\"0.50\"", "\"500.00\"", "amounts.most", 26, "at least as much"),
            ("next = 5", "nxt = 5", "trouble[0].rules[0].nxt", 33, "unknown field `nxt`"),
            ("\"M2\"", "\"M 2\"", "runaway.merchant", 36, ""),
            ("[amounts]", "[customers]\nleast_seconds = 1\n[amounts]", "customers", 24, "missing field"),
            (
                "[amounts]",
                "[customers]\nleast_seconds = 1\nmost_seconds = 9\n[amounts]",
                "customers.most_seconds",
                26,
                "is 0 to 8 seconds: two less than patience_seconds",
            ),
            (
                "[amounts]",
                "[customers]\nleast_seconds = 3\nmost_seconds = 2\n[amounts]",
                "customers.most_seconds",
                26,
                "is at least customers.least_seconds",
            ),
        ] {
            let wrong = read(&MIXED.replacen(old, new, 1)).unwrap_err();
            assert_eq!((wrong.key.as_str(), wrong.line), (key, Some(line)), "{wrong}");
            assert!(wrong.what.contains(says), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_toml_says_where() {
        let wrong = read("seed = \n").unwrap_err();
        assert_eq!(wrong.line, Some(1), "{wrong}");
        let wrong = read("seed = 1\n").unwrap_err();
        assert!(wrong.to_string().contains("arrivals"), "{wrong}");
    }
}
