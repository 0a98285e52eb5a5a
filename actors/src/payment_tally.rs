//! What is counted of payments: how they end, how long they take, which phases they enter, what is raised.
//!
//! The handles are looked up once per process; the label sets are closed.
use crate::domain::payment::Outcome;
use crate::domain::payment::command::Alarm;
use crate::domain::response_code::Refusal;
use metrics::{Counter, Histogram, counter, histogram};
use std::sync::OnceLock;
use std::time::Duration;

/// The handles.
pub struct PaymentTally {
    approved: Counter,
    refused: Vec<(Refusal, Counter)>,
    seconds_approved: Histogram,
    seconds_refused: Histogram,
    phases: Vec<(&'static str, Counter)>,
    alarms: Vec<(Alarm, Counter)>,
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
            phases: PHASES
                .into_iter()
                .map(|phase| (phase, counter!("turnout_payment_phases_total", "phase" => phase)))
                .collect(),
            alarms: ALARMS
                .into_iter()
                .map(|(alarm, name)| (alarm, counter!("turnout_alarms_total", "alarm" => name)))
                .collect(),
        }
    }

    /// A payment went from one phase to another, or stayed.
    pub fn moved(&self, before: &'static str, after: &'static str) {
        if before != after
            && let Some((_, counter)) = self.phases.iter().find(|(phase, _)| *phase == after)
        {
            counter.increment(1);
        }
    }

    /// The terminal's answer was decided, so long after the order came.
    pub fn decided(&self, outcome: &Outcome, took: Duration) {
        match outcome {
            Outcome::Approved(_) => {
                self.approved.increment(1);
                self.seconds_approved.record(took.as_secs_f64());
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
}
