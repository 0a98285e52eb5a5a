//! Payments as people search for them: a read model, rebuilt from the journal, off the path of any payment.
//!
//! It may lag behind by a moment and nothing that moves money is decided by it. What a payment went through step by step is not
//! here: that is its life in the journal (`ports::journal`).
use super::Answer;
use crate::domain::identity::{MerchantId, PayerId, PaymentId, PlatformId, TerminalId};
use crate::domain::journal::Seq;
use crate::domain::money::Money;
use crate::domain::payment::phase::{Phase, Refund};
use crate::domain::payment::status::Status;
use crate::domain::payment::{Outcome, Payment};
use crate::domain::response_code::Refusal;
use crate::domain::till::{Counted, Period};
use crate::domain::time::Timestamp;

/// The read model's questions.
pub trait History: Send + Sync {
    /// A payer's payments, newest first, at most `most`.
    fn of_payer(&self, payer: PayerId, most: u16) -> Answer<Result<Vec<PastPayment>, HistoryFault>>;
    /// The payments that fit, newest first.
    fn search(&self, wanted: Wanted) -> Answer<Result<Vec<PastPayment>, HistoryFault>>;
    /// Completes once everything up to this place in the journal has been taken in. Never, if that never happens: ask
    /// with a deadline.
    fn caught_up(&self, with: Seq) -> Answer<Result<(), HistoryFault>>;
    /// What a terminal sold and gave back: see [`crate::domain::till::booking`]. Counts what has been taken in, so ask
    /// for [`Self::caught_up`] first.
    fn totals(&self, period: Period) -> Answer<Result<Counted, HistoryFault>>;
}

/// What is searched for; what is `None` does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// At this terminal.
    pub terminal: Option<TerminalId>,
    /// By this payer.
    pub payer: Option<PayerId>,
    /// In this standing.
    pub status: Option<Status>,
    /// At most so many.
    pub most: u16,
}

/// A payment as the read model keeps it: one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastPayment {
    /// The payment.
    pub id: PaymentId,
    /// Its standing.
    pub status: Status,
    /// How much; `None` where only its reversal was seen.
    pub money: Option<Money>,
    /// For whom.
    pub merchant: Option<MerchantId>,
    /// The name the payer was shown; `None` where the merchant did not admit it.
    pub merchant_name: Option<Box<str>>,
    /// Where, if at a terminal.
    pub terminal: Option<TerminalId>,
    /// By whom, once that was known.
    pub payer: Option<PayerId>,
    /// The asker's own name for the sale.
    pub reference: Option<Box<str>>,
    /// Through which platform.
    pub platform: Option<PlatformId>,
    /// The platform's own reference, once paid.
    pub platform_reference: Option<Box<str>>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// What was given back, or is to be.
    pub refunds: Vec<Refund>,
    /// When its first fact became true.
    pub started_at: Timestamp,
    /// When the terminal's answer was decided.
    pub decided_at: Option<Timestamp>,
}

impl PastPayment {
    /// The row of a payment as it stands.
    pub fn of(payment: &Payment, started_at: Timestamp, decided_at: Option<Timestamp>) -> Self {
        let phase = payment.phase();
        let (order, deal) = (phase.order(), phase.deal());
        let (receipt, refusal) = match payment.outcome() {
            Some(Outcome::Approved(receipt)) => (Some(receipt), None),
            Some(Outcome::Refused(refusal)) => (None, Some(refusal)),
            None => (None, None),
        };
        Self {
            id: payment.id(),
            status: Status::of(phase),
            money: order.map(|order| order.money),
            merchant: order.map(|order| order.merchant),
            merchant_name: deal.map(|deal| deal.admission.merchant_name.clone()),
            terminal: order.and_then(crate::domain::order::Order::terminal),
            payer: payment.payer(),
            reference: order.and_then(|order| order.reference.clone()),
            platform: phase.platform(),
            platform_reference: receipt.map(|receipt| receipt.reference),
            refusal,
            refunds: refunds(phase),
            started_at,
            decided_at,
        }
    }
}

fn refunds(phase: &Phase) -> Vec<Refund> {
    match phase {
        Phase::Paid(_, _, _, refunds) => refunds.clone(),
        _ => Vec::new(),
    }
}

/// The read model did not answer; payments go on without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history cannot be read now, ask again later: {0}")]
pub struct HistoryFault(pub String);
