//! Customers: how long they look at what their phone shows before they say yes or no.
//!
//! Nobody does by default, so that times tell of the switch. Where they do, their time is taken out of what is told as `answer`
//! and `whole`; what it costs the switch is that so many more payments are under way.
use crate::chance::Chance;
use serde::Deserialize;
use std::time::Duration;

/// A phone whose payer looks for this long keeps no connection for its requests meanwhile.
const RESTS_FROM: Duration = Duration::from_secs(1);
/// An answer takes its time as well: so much of a terminal's patience is not the customers'.
const SPARE: Duration = Duration::from_secs(2);

/// How long, evenly from the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Customers {
    least: Duration,
    most: Duration,
}

/// As a scenario has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCustomers {
    least_seconds: f64,
    most_seconds: f64,
}

impl Customers {
    /// Which key is wrong, and why.
    pub fn read(raw: &RawCustomers, patience: Duration) -> Result<Self, (&'static str, String)> {
        let longest = patience.saturating_sub(SPARE);
        let span = |key, seconds| {
            let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| *span <= longest);
            let what = || format!("is 0 to {} seconds: two less than patience_seconds", longest.as_secs());
            span.ok_or_else(|| (key, what()))
        };
        let least = span("customers.least_seconds", raw.least_seconds)?;
        let most = span("customers.most_seconds", raw.most_seconds)?;
        if least > most {
            return Err(("customers.most_seconds", "is at least customers.least_seconds".into()));
        }
        Ok(Self { least, most })
    }

    /// Whether terminals that wait for so long hear of their yes.
    pub fn suit(&self, patience: Duration) -> bool {
        self.most.is_zero() || self.most.saturating_add(SPARE) <= patience
    }

    /// Whether their phones are left alone for long enough that only the stream of events is kept.
    pub fn let_rest(&self) -> bool {
        is_rest(self.least)
    }

    /// In the mean.
    pub fn mean(&self) -> Duration {
        self.least.saturating_add(self.most) / 2
    }

    /// One of them.
    pub fn drawn(&self, chance: &Chance) -> Duration {
        let span = self.most.saturating_sub(self.least);
        self.least.saturating_add(span.mul_f64(chance.fork("customer").unit()))
    }
}

/// Whether the phone hangs up on its requests' connection meanwhile, as an application does that nobody touches.
pub const fn is_rest(looks: Duration) -> bool {
    looks.as_millis() >= RESTS_FROM.as_millis()
}
