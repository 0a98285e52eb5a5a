//! What a platform can answer: closed, so that every adapter decides for every failure whether money may have moved.
//!
//! `NotSent` is a promise that the platform never heard the question. `Unknown` is everything that is
//! neither that nor a clear word. There is no error beside these.
use super::phase::{Interface, Receipt};
use crate::domain::response_code::Refusal;
use serde::{Deserialize, Serialize};

/// What came of asking for a permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PermitOutcome {
    /// Leave to pay, and how.
    Granted(Interface),
    /// No leave.
    Refused(Refusal),
    /// The platform never heard the question.
    NotSent,
    /// It may have.
    Unknown,
}

/// What came of presenting the payer's sealed credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// The money moved.
    Approved(Receipt),
    /// It did not, and will not under this permit.
    Failed(Failure),
    /// The platform never heard the question.
    NotSent,
    /// It may have.
    Unknown,
}

/// Why an attempt failed; some failures are worth another permit (OS-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Account or password were wrong.
    WrongCredentials,
    /// The account does not hold the amount.
    InsufficientFunds,
    /// The account is blocked.
    AccountBlocked,
    /// The permit ran out before it was used.
    PermitExpired,
    /// The credential could not be read or was made for another payment.
    Unreadable,
}

impl Failure {
    /// Whether a new permit can help.
    pub const fn is_worth_another_try(self) -> bool {
        !matches!(self, Self::AccountBlocked)
    }

    /// What the terminal is told if this was the last try.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::WrongCredentials | Self::Unreadable => Refusal::WrongCredentials,
            Self::InsufficientFunds => Refusal::InsufficientFunds,
            Self::AccountBlocked => Refusal::AccountBlocked,
            Self::PermitExpired => Refusal::NotPaidInTime,
        }
    }
}

/// What came of asking where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InquiryOutcome {
    /// The money moved.
    Paid(Receipt),
    /// This attempt failed for good.
    Failed(Failure),
    /// The platform holds a permit that has not been used.
    Pending,
    /// The platform has no such payment: not final, the question may still be on its way.
    NeverSeen,
    /// The platform has undone it.
    Undone,
    /// No answer, or none that can be believed.
    Unknown,
}

/// What came of asking for a reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReversalOutcome {
    /// The platform vouches that nothing is left of the payment and that nothing late can slip in.
    Acknowledged(Effect),
    /// It is past reversing; the money has to be given back.
    TooLate,
    /// It refuses, for good.
    Refused,
    /// No answer, not sent, or none that can be believed: ask again.
    Unknown,
}

/// What a reversal undid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Money had moved, and is back.
    Undone,
    /// Nothing had moved; the platform keeps a tombstone.
    NothingToUndo,
}

/// What came of asking for a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundOutcome {
    /// The money is back.
    Done,
    /// The platform refuses, for good.
    Refused,
    /// No answer, not sent, or none that can be believed: ask again.
    Unknown,
}
