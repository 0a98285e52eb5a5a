//! Switchable trouble: what the sandbox does wrong on purpose, to whom, and how often.
//!
//! Rules are set through `PUT /v1/trouble`; payers with the published magic numbers bring their own. Pure: a request
//! takes its plan once, and the shell carries it out.
use actors::domain::identity::PayerId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Rules that can stand at once.
pub const RULES_MAX: usize = 64;
/// The longest delay of every request, in milliseconds.
pub const LATENCY_MAX_MS: u64 = 60_000;

/// What is asked of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A permit.
    Permit,
    /// To use it.
    Pay,
    /// Where a payment stands.
    Query,
    /// To undo it.
    Reversal,
    /// To give money back.
    Refund,
}

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The request is lost: not done, not answered.
    Lost,
    /// It is done, and not answered.
    Silent,
    /// It is done, and answered late.
    LateAnswer,
    /// It is done, and answered with another amount.
    LyingAnswer,
    /// It is done, and answered for another payment.
    StrayAnswer,
    /// It is done, and answered as if nobody had heard of it.
    NotFound,
    /// It is done, and answered with 500.
    ServerError,
    /// It is done, and answered with something that is no JSON.
    Garbage,
    /// It is done, and answered with more than anybody should read.
    Oversize,
    /// It is done, and answered with a redirect.
    Redirect,
    /// It is done, and the connection is cut in the middle of the answer.
    CutOff,
    /// It is refused.
    Refuse,
    /// A permit is granted that is over at once.
    Expired,
    /// A payment stays pending.
    Pending,
    /// A reversal comes too late.
    TooLate,
    /// No callback is sent.
    NoCallback,
    /// The callback is sent twice.
    DuplicateCallback,
    /// The callback arrives before the answer.
    EarlyCallback,
    /// The callback arrives late, after whatever comes next.
    LateCallback,
    /// The callback names another amount.
    LyingCallback,
}

/// Trouble for some requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub trouble: Trouble,
    /// To which requests.
    pub operation: Operation,
    /// To how many of them; all if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// To this payer's only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerId>,
}

/// All trouble that is switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Troubles {
    /// Each request waits this long before it is looked at.
    #[serde(default)]
    pub latency_ms: u64,
    /// The rules; all that fit a request apply to it.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long it waits.
    pub latency: Duration,
    troubles: Vec<Trouble>,
}

/// Why a set of rules cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TroubleFault {
    /// Too many.
    #[error("at most 64 rules can stand at once")]
    TooMany,
    /// Too slow.
    #[error("latency_ms is at most 60000")]
    TooSlow,
}

impl Troubles {
    /// None at all.
    pub const NONE: Self = Self { latency_ms: 0, rules: Vec::new() };

    /// Whether these can be switched on.
    pub fn check(self) -> Result<Self, TroubleFault> {
        if self.rules.len() > RULES_MAX {
            return Err(TroubleFault::TooMany);
        }
        if self.latency_ms > LATENCY_MAX_MS { Err(TroubleFault::TooSlow) } else { Ok(self) }
    }

    /// What happens to the next request of this kind; counts it.
    pub fn take(&mut self, operation: Operation, payer: Option<PayerId>) -> Plan {
        let mut troubles = magic(operation, payer).to_vec();
        for rule in &mut self.rules {
            if rule.fits(operation, payer) {
                troubles.push(rule.trouble);
                rule.next = rule.next.map(|next| next.saturating_sub(1));
            }
        }
        self.rules.retain(|rule| rule.next != Some(0));
        Plan { latency: Duration::from_millis(self.latency_ms), troubles }
    }
}

impl Rule {
    fn fits(&self, operation: Operation, payer: Option<PayerId>) -> bool {
        self.operation == operation && self.next != Some(0) && (self.payer.is_none() || self.payer == payer)
    }
}

impl Plan {
    /// Whether this trouble is part of it.
    pub fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }
}

/// The published magic subscriber numbers, by their last three digits.
fn magic(operation: Operation, payer: Option<PayerId>) -> &'static [Trouble] {
    let Some(payer) = payer else { return &[] };
    let digits = payer.as_str().get(payer.as_str().len().saturating_sub(3)..).unwrap_or_default();
    match (digits, operation) {
        ("451", Operation::Permit) => &[Trouble::Refuse],
        ("452", Operation::Permit) => &[Trouble::Expired],
        ("453", Operation::Pay) => &[Trouble::Pending],
        ("454", Operation::Pay) => &[Trouble::LateAnswer, Trouble::LateCallback],
        ("455", Operation::Pay) => &[Trouble::Silent, Trouble::NoCallback],
        ("455", Operation::Query) => &[Trouble::Silent],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn payer(text: &str) -> Option<PayerId> {
        PayerId::new(text).ok()
    }

    #[test]
    fn a_rule_for_the_next_two_does_not_touch_the_third() {
        let rule = Rule { trouble: Trouble::Lost, operation: Operation::Pay, next: Some(2), payer: None };
        let mut troubles = Troubles { latency_ms: 0, rules: vec![rule] };
        let mut is_lost = |operation| troubles.take(operation, None).has(Trouble::Lost);
        assert!(!is_lost(Operation::Permit));
        assert!(is_lost(Operation::Pay));
        assert!(is_lost(Operation::Pay));
        assert!(!is_lost(Operation::Pay));
    }

    #[test]
    fn a_rule_for_one_payer_spares_the_others() {
        let rule =
            Rule { trouble: Trouble::Silent, operation: Operation::Pay, next: None, payer: payer("ada") };
        let mut troubles = Troubles { latency_ms: 0, rules: vec![rule] };
        assert!(!troubles.take(Operation::Pay, payer("bob")).has(Trouble::Silent));
        assert!(troubles.take(Operation::Pay, payer("ada")).has(Trouble::Silent));
    }

    #[test]
    fn the_magic_numbers_do_what_the_table_says() {
        let does =
            |number, operation, trouble| Troubles::NONE.clone().take(operation, payer(number)).has(trouble);
        assert!(does("100451", Operation::Permit, Trouble::Refuse));
        assert!(does("100452", Operation::Permit, Trouble::Expired));
        assert!(does("100453", Operation::Pay, Trouble::Pending));
        assert!(does("100454", Operation::Pay, Trouble::LateAnswer));
        assert!(does("100455", Operation::Pay, Trouble::Silent));
        assert!(does("100455", Operation::Query, Trouble::Silent));
        assert!(!does("100450", Operation::Permit, Trouble::Refuse));
    }

    #[test]
    fn too_many_rules_are_refused() {
        let rule = Rule { trouble: Trouble::Lost, operation: Operation::Pay, next: None, payer: None };
        let troubles = Troubles { latency_ms: 0, rules: vec![rule; RULES_MAX + 1] };
        assert_eq!(troubles.check(), Err(TroubleFault::TooMany));
    }
}
