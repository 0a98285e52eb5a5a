//! What is counted of payments: how they end, how long they take, where they stand, what is raised.
//!
//! The handles are looked up once per process; the label sets are closed. A payment's [`Place`] is where it stands in the
//! counts; it leaves them when it is dropped, however its keeper ends. Who is in doubt is in `in_doubt`.
mod in_doubt;

use crate::domain::payment::Outcome;
use crate::domain::payment::Payment;
use crate::domain::payment::Stamped;
use crate::domain::payment::command::{Alarm, Fact};
use crate::domain::response_code::Refusal;
use crate::domain::time::Timestamp;
use in_doubt::{Doubts, Number};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::sync::OnceLock;
use std::time::Duration;

/// The handles.
pub struct PaymentTally {
    approved: Counter,
    refused: Vec<(Refusal, Counter)>,
    seconds_approved: Histogram,
    seconds_refused: Histogram,
    phases: [PhaseTally; 12],
    alarms: Vec<(Alarm, Counter)>,
    doubts: Doubts,
}

struct PhaseTally {
    name: &'static str,
    entered: Counter,
    seconds: Histogram,
    /// Payments in it now; `None` where it is the last one.
    open: Option<Gauge>,
}

const PHASES: [&str; 12] = [
    "await_merchant",
    "await_phone",
    "await_confirmation",
    "await_permit",
    "await_payment",
    "await_outcome",
    "in_doubt",
    "paid",
    "reversing",
    "reversed",
    "declined",
    "reversed_unseen",
];
const LAST: [&str; 4] = ["paid", "reversed", "declined", "reversed_unseen"];
const IN_DOUBT: &str = "in_doubt";

const ALARMS: [(Alarm, &str); 4] = [
    (Alarm::PlatformLied, "platform_lied"),
    (Alarm::DebitAfterReversal, "debit_after_reversal"),
    (Alarm::Unreversible, "unreversible"),
    (Alarm::GivenUp, "given_up"),
];

impl PaymentTally {
    /// The process's tally; the metrics recorder has to be installed before the first payment.
    pub fn get() -> &'static Self {
        static TALLY: OnceLock<PaymentTally> = OnceLock::new();
        TALLY.get_or_init(Self::new)
    }

    fn new() -> Self {
        let refused = |refusal: Refusal| {
            let code = refusal.code();
            (refusal, counter!("turnout_payments_total", "outcome" => "refused", "refusal" => code))
        };
        Self {
            approved: counter!("turnout_payments_total", "outcome" => "approved", "refusal" => "none"),
            refused: Refusal::ALL.into_iter().map(refused).collect(),
            seconds_approved: histogram!("turnout_payment_seconds", "outcome" => "approved"),
            seconds_refused: histogram!("turnout_payment_seconds", "outcome" => "refused"),
            phases: PHASES.map(PhaseTally::of),
            alarms: ALARMS
                .into_iter()
                .map(|(alarm, name)| (alarm, counter!("turnout_alarms_total", "alarm" => name)))
                .collect(),
            doubts: Doubts::default(),
        }
    }

    /// The terminal's answer was decided, so long after the order came.
    pub fn decided(&self, outcome: &Outcome, took: Duration) {
        match outcome {
            Outcome::Approved(receipt) => {
                self.approved.increment(1);
                self.seconds_approved.record(took.as_secs_f64());
                let currency = receipt.money.currency().code();
                histogram!("turnout_payment_amount", "currency" => currency)
                    .record(in_doubt::in_units(receipt.money));
            }
            Outcome::Refused(refusal) => {
                if let Some((_, counter)) = self.refused.iter().find(|(known, _)| known == refusal) {
                    counter.increment(1);
                }
                self.seconds_refused.record(took.as_secs_f64());
            }
        }
    }

    /// Somebody has to look.
    pub fn raised(&self, alarm: Alarm) {
        if let Some((_, counter)) = self.alarms.iter().find(|(known, _)| *known == alarm) {
            counter.increment(1);
        }
    }

    /// Shows how many payments are in doubt, how much that is, and for how long: these age while nothing happens, so they
    /// are set when somebody looks.
    pub fn show_in_doubt(&self, now: Timestamp) {
        self.doubts.show(now);
    }

    fn phase(&self, name: &str) -> Option<&PhaseTally> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

impl PhaseTally {
    fn of(name: &'static str) -> Self {
        let open = || gauge!("turnout_payments_open", "phase" => name);
        Self {
            name,
            entered: counter!("turnout_payment_phases_total", "phase" => name),
            seconds: histogram!("turnout_payment_phase_seconds", "phase" => name),
            open: (!LAST.contains(&name)).then(open),
        }
    }
}

/// Where a payment stands in the counts, and since when.
pub struct Place {
    phase: Option<&'static PhaseTally>,
    since: Timestamp,
    doubt: Option<Number>,
}

impl Place {
    /// A payment that begins.
    pub fn begun(payment: &Payment, now: Timestamp) -> Self {
        let place = Self::taken(payment, now);
        if let Some(phase) = place.phase {
            phase.entered.increment(1);
        }
        place
    }

    /// A payment that was rebuilt from its facts: it entered its phase in a life before this one.
    pub fn found(payment: &Payment, now: Timestamp, facts: &[Stamped]) -> Self {
        let since = facts.last().map_or(now, |last| last.at);
        let doubted = facts.iter().rev().find(|stamped| matches!(stamped.fact, Fact::Doubted(_)));
        let since = match doubted {
            Some(doubted) if payment.phase().name() == IN_DOUBT => doubted.at,
            _ => since,
        };
        Self::taken(payment, since)
    }

    fn taken(payment: &Payment, since: Timestamp) -> Self {
        let tally = PaymentTally::get();
        let phase = tally.phase(payment.phase().name());
        if let Some(open) = phase.and_then(|phase| phase.open.as_ref()) {
            open.increment(1.0);
        }
        let is_in_doubt = payment.phase().name() == IN_DOUBT;
        let money = payment.phase().order().map(|order| order.money).filter(|_| is_in_doubt);
        Self { phase, since, doubt: money.map(|money| tally.doubts.enter(since, money)) }
    }

    /// The payment went on, or stayed.
    pub fn moved(&mut self, payment: &Payment, now: Timestamp) {
        let name = payment.phase().name();
        let Some(before) = self.phase.filter(|before| before.name != name) else { return };
        before.seconds.record(now.since(self.since).as_secs_f64());
        *self = Self::begun(payment, now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = self.phase.and_then(|phase| phase.open.as_ref()) {
            open.decrement(1.0);
        }
        if let Some(doubt) = self.doubt.take() {
            PaymentTally::get().doubts.leave(doubt);
        }
    }
}
