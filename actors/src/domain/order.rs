//! A parsed request for money: who asks whom for how much, and until when an answer is of use.
//!
//! An order that exists is well formed; whether it may be paid is the merchant's and the payer's to say.
//! Where it came from (HTTP, ISO 8583, a page) is not known here.
use super::identity::{Keeper, MerchantId, PayerId, PaymentId, PaymentKey, PlatformId, TerminalId};
use super::money::Money;
use super::time::Deadline;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a terminal (or, without one, a payer) asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who keeps the payment.
    pub keeper: Keeper,
    /// What makes a repeat a repeat.
    pub key: PaymentKey,
    /// Who is to be paid.
    pub merchant: MerchantId,
    /// How much; never zero.
    pub money: Money,
    /// The asker's own name for the sale, shown to the payer: a till's receipt number.
    pub reference: Option<Box<str>>,
    /// When the asker stops waiting. Set once, at the line.
    pub answer_by: Deadline,
}

impl Order {
    /// The payment's id: the same for every repeat of this order.
    pub fn payment(&self) -> PaymentId {
        PaymentId::derive(&self.keeper, &self.key)
    }

    /// The terminal that asked, if one did.
    pub const fn terminal(&self) -> Option<TerminalId> {
        match self.keeper {
            Keeper::Terminal(terminal) => Some(terminal),
            Keeper::Payer(_) => None,
        }
    }

    /// The payer, where the payer asked.
    pub const fn payer(&self) -> Option<PayerId> {
        match self.keeper {
            Keeper::Terminal(_) => None,
            Keeper::Payer(payer) => Some(payer),
        }
    }

    /// Whether `other` asks for the same thing: a repeat may be late, but not different.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        (self.keeper, &self.key, self.merchant, self.money, &self.reference)
            == (other.keeper, &other.key, other.merchant, other.money, &other.reference)
    }
}

/// The merchant's yes to an order: where it goes and on which terms. Journaled with the order, so that
/// a replay decides as the first run did, whatever the configuration says by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The name that the payer is shown.
    pub merchant_name: Box<str>,
    /// The platform that is asked for its permit.
    pub platform: PlatformId,
    /// How patient and how persistent this payment is.
    pub terms: Terms,
}

/// How patient and how persistent a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How long a payer may think before confirming.
    pub confirm_within: Duration,
    /// How long a platform may take for one answer.
    pub platform_within: Duration,
    /// How many permits are asked for at most, the first included.
    pub attempts_max: u8,
    /// How long an unknown outcome rests before the first inquiry, and between inquiries.
    pub inquire_every: Duration,
    /// How many inquiries an unknown outcome gets before it is reversed.
    pub inquiries_max: u8,
}
