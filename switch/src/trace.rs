//! A payment's whole life, one line a step, with the milliseconds between: why it went the way it went.
//!
//! Told from the journal's records alone, so it is as true as the journal. Each step is put into the lane of the one
//! who acted. Nothing secret is in a fact, so nothing has to be masked here.
use actors::domain::binding::BindingFact;
use actors::domain::journal::{Entry, Recorded};
use actors::domain::payment::command::Fact;
use actors::domain::payment::outcome::Effect as Undone;
use actors::domain::payment::phase::Undoing;
use actors::domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One step of a payment's life.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Step {
    /// The record's place in the journal.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Milliseconds since the first step.
    pub since_start_ms: u64,
    /// Milliseconds since the step before.
    pub gap_ms: u64,
    /// Who acted.
    pub lane: Lane,
    /// What became true: the fact's name.
    pub step: &'static str,
    /// The same for people.
    pub detail: String,
}

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The terminal.
    Terminal,
    /// The switch by itself: a deadline, a budget.
    Switch,
    /// The payer's phone.
    Phone,
    /// The payment platform.
    Platform,
}

impl Lane {
    const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Switch => "switch",
            Self::Phone => "phone",
            Self::Platform => "platform",
        }
    }
}

/// The steps of a life, in order.
pub fn steps(life: &[Recorded]) -> Vec<Step> {
    let began = life.first().map(|first| first.at);
    let before = std::iter::once(began).chain(life.iter().map(|record| Some(record.at)));
    life.iter().zip(before).map(|(record, before)| step(record, began, before)).collect()
}

/// The steps as lines for a terminal window.
pub fn lines(steps: &[Step]) -> String {
    let line = |step: &Step| {
        format!(
            "{:>9} ms  +{:>7} ms  {:<8}  {:<15}  {}\n",
            step.since_start_ms,
            step.gap_ms,
            step.lane.name(),
            step.step,
            step.detail
        )
    };
    steps.iter().map(line).collect()
}

fn step(record: &Recorded, began: Option<Timestamp>, before: Option<Timestamp>) -> Step {
    let since = |earlier: Option<Timestamp>| {
        let span = earlier.map(|earlier| record.at.since(earlier)).unwrap_or_default();
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    };
    let (lane, step, detail) = told(&record.entry);
    Step {
        seq: record.seq.0,
        at: adapters::rfc3339::format(record.at),
        since_start_ms: since(began),
        gap_ms: since(before),
        lane,
        step,
        detail,
    }
}

fn told(entry: &Entry) -> (Lane, &'static str, String) {
    match entry {
        Entry::Payment(_, fact) => {
            let (lane, detail) = payment(fact);
            (lane, fact.name(), detail)
        }
        Entry::Binding(_, BindingFact::Bound { claim, .. }) => {
            (Lane::Phone, "bound", format!("{} stands here in round {}", claim.payer, claim.epoch))
        }
        Entry::Binding(_, BindingFact::Released { epoch }) => {
            (Lane::Switch, "released", format!("round {epoch} is over"))
        }
    }
}

fn payment(fact: &Fact) -> (Lane, String) {
    match fact {
        Fact::Opened(_) | Fact::TurnedAway(..) | Fact::ReversedUnseen(_) => beginning(fact),
        Fact::PhoneCame(_) | Fact::PhoneLeft | Fact::Consented(_) | Fact::Presented(..) => phone(fact),
        Fact::Permitted(..) | Fact::AttemptFailed(..) | Fact::Settled(_) => platform(fact),
        Fact::Doubted(_) | Fact::Inquired(_) | Fact::StillPermitted(_) => doubt(fact),
        Fact::Declined(_) | Fact::ReversalOwed(_) | Fact::UndoingBy(_) | Fact::Reversed(_) => undoing(fact),
        Fact::RefundOwed(..) | Fact::RefundDone(_) | Fact::RefundRefused(_) => refund(fact),
    }
}

fn beginning(fact: &Fact) -> (Lane, String) {
    let text = match fact {
        Fact::Opened(deal) => format!(
            "{} asks for {} through {}",
            deal.admission.merchant_name, deal.order.money, deal.admission.platform
        ),
        Fact::TurnedAway(order, refusal) => {
            format!("{} was asked for and refused: {}", order.money, refusal.sentence())
        }
        _ => "taken back before it was ever seen; its order will be refused".to_owned(),
    };
    (Lane::Terminal, text)
}

fn phone(fact: &Fact) -> (Lane, String) {
    let text = match fact {
        Fact::PhoneCame(claim) => {
            format!("{} stands at the terminal and is shown the amount", claim.payer)
        }
        Fact::PhoneLeft => "the phone left; another may come".to_owned(),
        Fact::Consented(consent) => format!("confirmed, signed {:?}; the platform is asked", consent.signed),
        Fact::Presented(attempt, digest) => {
            format!("attempt {}: sealed credential {digest:?} goes to the platform", attempt.number())
        }
        _ => String::new(),
    };
    (Lane::Phone, text)
}

fn platform(fact: &Fact) -> (Lane, String) {
    let text = match fact {
        Fact::Permitted(attempt, _) => {
            format!("attempt {}: permit given, the phone has the interface", attempt.number())
        }
        Fact::AttemptFailed(attempt, failure, next) => {
            let (failed, next) = (attempt.number(), next.number());
            format!("attempt {failed} failed: {}; permit {next} is asked for", failure.refusal().code())
        }
        Fact::Settled(receipt) => format!("paid {}, reference {}", receipt.money, receipt.reference),
        _ => String::new(),
    };
    (Lane::Platform, text)
}

fn doubt(fact: &Fact) -> (Lane, String) {
    match fact {
        Fact::Doubted(attempt) => {
            (Lane::Switch, format!("attempt {}: nobody knows whether the money moved", attempt.number()))
        }
        Fact::Inquired(_) => (Lane::Switch, "the platform is asked where the payment stands".to_owned()),
        _ => (Lane::Platform, "the permit was not used; it still stands".to_owned()),
    }
}

fn undoing(fact: &Fact) -> (Lane, String) {
    match fact {
        Fact::Declined(refusal) => (Lane::Switch, refusal.sentence().to_owned()),
        Fact::ReversalOwed(refusal) => {
            (Lane::Switch, format!("{} A reversal is owed until the platform acknowledges it.", refusal.sentence()))
        }
        Fact::UndoingBy(Undoing::GivingBack) => {
            (Lane::Platform, "past reversing: the money is given back instead".to_owned())
        }
        Fact::UndoingBy(_) => (Lane::Platform, "the platform refuses to undo it: people have to look".to_owned()),
        Fact::Reversed(Undone::Undone) => (Lane::Platform, "acknowledged: the money is back".to_owned()),
        _ => (Lane::Platform, "acknowledged: nothing had moved, and nothing late can".to_owned()),
    }
}

fn refund(fact: &Fact) -> (Lane, String) {
    match fact {
        Fact::RefundOwed(id, money) => (Lane::Terminal, format!("refund {id} of {money} is owed")),
        Fact::RefundDone(id) => (Lane::Platform, format!("refund {id} is done")),
        Fact::RefundRefused(id) => (Lane::Platform, format!("refund {id} is refused for good")),
        _ => (Lane::Switch, String::new()),
    }
}
