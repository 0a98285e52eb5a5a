//! Everything that can happen to a payment. The machine hears nothing else.
use super::outcome::{InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome};
use super::phase::{Attempt, Claim, Consent, Digest32};
use crate::domain::identity::{PayerId, RefundId};
use crate::domain::money::Money;
use crate::domain::order::{Admission, Order};
use crate::domain::response_code::Refusal;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The terminal sent the order again.
    Repeated(Order),
    /// The merchant admitted the order or turned it away.
    MerchantSaid(Result<Admission, Refusal>),
    /// A phone stands at the terminal (OS-2, OS-3).
    PhoneCame(Claim),
    /// The phone of that round left the terminal.
    PhoneLeft {
        /// The round.
        epoch: u64,
    },
    /// The payer confirmed an amount (OS-5).
    Confirmed(Consent, Money),
    /// The payer declined.
    DeclinedByPayer(Claim),
    /// The platform answered to a permit request (OS-6).
    PermitSaid(Attempt, PermitOutcome),
    /// The phone handed in its sealed credential (OS-7).
    Presented(PayerId, Attempt, Digest32),
    /// The platform answered to the credential, or called back (OS-8, OS-9).
    PaymentSaid(Attempt, PaymentOutcome),
    /// The platform answered to an inquiry.
    InquirySaid(Attempt, InquiryOutcome),
    /// The terminal takes the payment back.
    ReversalAsked,
    /// The platform answered to what undoes the payment.
    ReversalSaid(ReversalOutcome),
    /// The terminal gives money back after a payment that stood.
    RefundAsked(RefundId, Money),
    /// The platform answered to a refund.
    RefundSaid(RefundId, RefundOutcome),
    /// The instant that `wakes_at` named may have come.
    DeadlineCame,
    /// The keeper could not work with this payment, again and again, and gives it up.
    GivenUp,
}

impl Event {
    /// The event's name, for the matrix and for traces: a closed set.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Repeated(_) => "repeated",
            Self::MerchantSaid(Ok(_)) => "merchant_admitted",
            Self::MerchantSaid(Err(_)) => "merchant_refused",
            Self::PhoneCame(_) => "phone_came",
            Self::PhoneLeft { .. } => "phone_left",
            Self::Confirmed(..) => "confirmed",
            Self::DeclinedByPayer(_) => "declined_by_payer",
            Self::PermitSaid(..) => "permit_said",
            Self::Presented(..) => "presented",
            Self::PaymentSaid(..) => "payment_said",
            Self::InquirySaid(..) => "inquiry_said",
            Self::ReversalAsked => "reversal_asked",
            Self::ReversalSaid(_) => "reversal_said",
            Self::RefundAsked(..) => "refund_asked",
            Self::RefundSaid(..) => "refund_said",
            Self::DeadlineCame => "deadline_came",
            Self::GivenUp => "given_up",
        }
    }
}
