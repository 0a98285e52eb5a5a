//! A payment's life for people: one step per fact, in the lane where it happened, with the milliseconds between.
//!
//! Told from the journal alone. No step carries what only the payer, the platform or the disk may know.
use super::instant::rfc3339;
use super::views::{StatusName, masked};
use actors::domain::identity::PaymentId;
use actors::domain::payment::command::Fact;
use actors::domain::payment::outcome::Effect;
use actors::domain::payment::phase::Undoing;
use actors::domain::payment::status::Status;
use actors::domain::payment::{Payment, Stamped};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A payment's life.
#[derive(Serialize, ToSchema)]
pub struct Trace {
    #[schema(pattern = "^pay_[0-9a-hjkmnp-tv-z]{26}$")]
    id: String,
    #[schema(value_type = StatusName)]
    status: &'static str,
    steps: Vec<Step>,
}

/// One step of it.
#[derive(Serialize, ToSchema)]
pub struct Step {
    #[schema(format = DateTime)]
    at: String,
    since_start_ms: f64,
    /// Since the step before.
    gap_ms: f64,
    #[schema(value_type = LaneName)]
    lane: &'static str,
    /// What happened, for people.
    #[serde(rename = "step")]
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// Where a step happened.
#[derive(ToSchema)]
#[schema(as = Lane, rename_all = "snake_case")]
#[allow(dead_code)]
pub enum LaneName {
    Terminal,
    Switch,
    Phone,
    Platform,
}

/// The trace of a life; `None` if it is empty or makes no sense.
pub fn trace(id: PaymentId, life: &[Stamped]) -> Option<Trace> {
    let payment = Payment::folded(id, life).ok().flatten()?;
    let began = life.first()?.at;
    let before = std::iter::once(began).chain(life.iter().map(|stamped| stamped.at));
    let steps = life.iter().zip(before).map(|(stamped, before)| {
        let (lane, what, detail) = told(&stamped.fact);
        Step {
            at: rfc3339(stamped.at),
            since_start_ms: millis(stamped.at.since(began)),
            gap_ms: millis(stamped.at.since(before)),
            lane,
            what,
            detail,
        }
    });
    Some(Trace { id: id.to_string(), status: Status::of(payment.phase()).name(), steps: steps.collect() })
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

type Told = (&'static str, String, Option<String>);

fn told(fact: &Fact) -> Told {
    let (lane, step, detail): (&str, &str, Option<String>) = match fact {
        Fact::Opened(deal) => {
            let (order, admission) = (&deal.order, &deal.admission);
            let detail =
                format!("{} for {}, by {}", order.money, admission.merchant_name, admission.platform);
            ("terminal", "asked for money", Some(detail))
        }
        Fact::TurnedAway(order, refusal) => {
            ("switch", "turned away", Some(format!("{}: {}", order.money, refusal.sentence())))
        }
        Fact::PhoneCame(claim) => (
            "phone",
            "stands at the terminal",
            Some(format!("payer {}, round {}", masked(&claim.payer), claim.epoch)),
        ),
        Fact::PhoneLeft => ("phone", "left the terminal", None),
        Fact::Consented(_) => ("phone", "confirmed the amount", None),
        Fact::Permitted(attempt, _) => {
            ("platform", "gave its permit", Some(format!("attempt {}", attempt.number())))
        }
        Fact::Presented(attempt, _) => {
            ("phone", "paid through the interface", Some(format!("attempt {}, sealed", attempt.number())))
        }
        Fact::AttemptFailed(attempt, failure, _) => {
            ("platform", "refused the attempt", Some(format!("attempt {}: {failure:?}", attempt.number())))
        }
        Fact::Doubted(attempt) => ("switch", "is in doubt", Some(format!("attempt {}", attempt.number()))),
        Fact::Inquired(attempt) => {
            ("switch", "asked the platform", Some(format!("attempt {}", attempt.number())))
        }
        Fact::StillPermitted(_) => ("platform", "has not seen the attempt", None),
        Fact::Settled(receipt) => (
            "platform",
            "took the money",
            Some(format!("{}, reference {}", receipt.money, receipt.reference)),
        ),
        Fact::Declined(refusal) => ("switch", "declined", Some(refusal.sentence().to_owned())),
        Fact::ReversalOwed(refusal) => ("switch", "owes a reversal", Some(refusal.sentence().to_owned())),
        Fact::UndoingBy(Undoing::GivingBack) => {
            ("platform", "is past reversing: the money is given back", None)
        }
        Fact::UndoingBy(_) => ("platform", "refuses to undo it: people have to look", None),
        Fact::Reversed(Effect::Undone) => ("platform", "undid it", None),
        Fact::Reversed(Effect::NothingToUndo) => ("platform", "has nothing to undo, and a tombstone", None),
        Fact::ReversedUnseen(_) => ("terminal", "took back what was never seen", None),
        Fact::RefundOwed(id, money) => ("terminal", "gave money back", Some(format!("{money}, refund {id}"))),
        Fact::RefundDone(id) => ("platform", "refunded", Some(format!("refund {id}"))),
        Fact::RefundRefused(id) => ("platform", "refused a refund", Some(format!("refund {id}"))),
    };
    (lane, step.to_owned(), detail)
}
