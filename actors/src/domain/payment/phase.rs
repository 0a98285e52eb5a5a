//! Where a payment stands. Each phase is named for what it waits for and holds exactly what is known by then.
use super::outcome::Effect as Undone;
use crate::domain::identity::{PayerId, PlatformId, RefundId};
use crate::domain::money::Money;
use crate::domain::order::{Admission, Order};
use crate::domain::response_code::Refusal;
use crate::domain::time::{Deadline, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The merchant has yet to say whether, and where, the order may be paid. Nothing is journaled.
    AwaitMerchant(Box<Order>),
    /// No phone stands at the terminal yet.
    AwaitPhone(Box<Deal>),
    /// The payer was shown the amount and has yet to say yes or no.
    AwaitConfirmation(Box<Deal>, Claim, Deadline),
    /// The payer said yes; the platform was asked for its permit.
    AwaitPermit(Box<Deal>, Consent, Attempt, Asked),
    /// The payer holds the platform's interface and has yet to pay.
    AwaitPayment(Box<Deal>, Consent, Attempt, Box<Interface>),
    /// The payer's sealed credential went to the platform; its word is outstanding.
    AwaitOutcome(Box<Deal>, Consent, Attempt, Box<Interface>),
    /// The platform may or may not have taken the money; it is asked (again) at the deadline.
    InDoubt(Box<Deal>, Consent, Attempt, Box<Interface>, Deadline),
    /// The money moved and the terminal may be told so. Refunds happen here.
    Paid(Box<Deal>, Consent, Receipt, Vec<Refund>),
    /// Whatever the platform did is being undone; the terminal's answer is already no.
    Reversing(Box<Deal>, Consent, Undo),
    /// The platform acknowledged that nothing is left of it, and said whether there had been anything.
    Reversed(Box<Deal>, Consent, Refusal, Undone),
    /// Refused while no platform held anything of it. Once a permit was given, the ways out are paid and reversed.
    Declined(Box<Order>, Option<Claim>, Refusal),
    /// The terminal took it back before the switch had ever seen it: the order will be refused when it comes.
    ReversedUnseen,
}

/// An order that its merchant admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deal {
    /// What was asked for.
    pub order: Order,
    /// What the merchant said to it.
    pub admission: Admission,
}

/// A phone's claim to a terminal: who stands there, in which round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Whose phone.
    pub payer: PayerId,
    /// The terminal's count of claims when this one was granted; zero where no terminal takes part.
    pub epoch: u64,
}

/// A payer's yes: to an amount, at a terminal, in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who said yes, and in which round.
    pub claim: Claim,
    /// The SHA-256 of what the device signed; what you see is what you sign.
    pub signed: Digest32,
}

/// A SHA-256, kept instead of the thing itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest32(pub [u8; 32]);

impl std::fmt::Debug for Digest32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

/// One permit and what came of it, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt(u8);

impl Attempt {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// The next, while `attempts_max` allows one.
    pub const fn next(self, attempts_max: u8) -> Option<Self> {
        if self.0 < attempts_max { Some(Self(self.0.saturating_add(1))) } else { None }
    }

    /// The attempt counted `number`; `None` for zero.
    pub const fn numbered(number: u8) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Its number, from 1.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Whether this process alone asked for the permit, or one before it may have asked too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Once, by this process: "not sent" means the platform never heard of it.
    Once,
    /// Possibly before a crash too: "not sent" proves nothing.
    Again,
}

/// The platform's leave to pay, with the way to do it (OS-6). The phone gets it as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Where the phone sends the sealed credential; empty where it goes through the switch.
    pub url: Box<str>,
    /// The platform's public key, a JWK in JSON, to seal account and password with.
    pub key: Box<str>,
    /// The platform's name for this permit; it is good for one use.
    pub permit: Box<str>,
    /// When the platform stops honouring it.
    pub expires: Deadline,
}

impl Interface {
    /// Whether the credential goes through the switch, so that the permit is of no use without it.
    pub const fn is_relayed(&self) -> bool {
        self.url.is_empty()
    }
}

/// The platform's word that the money moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The platform's own reference.
    pub reference: Box<str>,
    /// How much moved.
    pub money: Money,
}

/// What is being undone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// What the terminal is told.
    pub refusal: Refusal,
    /// Since when it has been owed.
    pub since: Timestamp,
    /// How the platform is asked to undo it.
    pub how: Undoing,
}

/// How the platform is asked to undo a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Undoing {
    /// By a reversal, which also forbids what has not arrived yet.
    Reversal,
    /// By giving the money back: the platform said that it is past reversing.
    GivingBack,
    /// Neither worked: people have to look. It stays owed and is shown with amount and age.
    ByHand,
}

/// Money given back after the payment stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The terminal's name for it.
    pub id: RefundId,
    /// How much goes back.
    pub money: Money,
    /// When it was asked for.
    pub since: Timestamp,
    /// What came of it.
    pub state: RefundState,
}

/// What came of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundState {
    /// The platform has yet to acknowledge it.
    Owed,
    /// The money is back.
    Done,
    /// The platform refused it for good; the money stayed.
    Refused,
}

impl Phase {
    /// The deal, from the merchant's yes on.
    pub fn deal(&self) -> Option<&Deal> {
        match self {
            Self::AwaitPhone(deal)
            | Self::AwaitConfirmation(deal, ..)
            | Self::AwaitPermit(deal, ..)
            | Self::AwaitPayment(deal, ..)
            | Self::AwaitOutcome(deal, ..)
            | Self::InDoubt(deal, ..)
            | Self::Paid(deal, ..)
            | Self::Reversing(deal, ..)
            | Self::Reversed(deal, ..) => Some(deal),
            Self::AwaitMerchant(_) | Self::Declined(..) | Self::ReversedUnseen => None,
        }
    }

    /// The order, wherever one was seen.
    pub fn order(&self) -> Option<&Order> {
        match self {
            Self::AwaitMerchant(order) | Self::Declined(order, ..) => Some(order),
            other => other.deal().map(|deal| &deal.order),
        }
    }

    /// The payer's yes, from then on.
    pub const fn consent(&self) -> Option<&Consent> {
        match self {
            Self::AwaitPermit(_, consent, ..)
            | Self::AwaitPayment(_, consent, ..)
            | Self::AwaitOutcome(_, consent, ..)
            | Self::InDoubt(_, consent, ..)
            | Self::Paid(_, consent, ..)
            | Self::Reversing(_, consent, _)
            | Self::Reversed(_, consent, ..) => Some(consent),
            _ => None,
        }
    }

    /// The claim under which a payer sees this payment.
    pub const fn claim(&self) -> Option<Claim> {
        match self {
            Self::AwaitConfirmation(_, claim, _) => Some(*claim),
            Self::Declined(_, claim, _) => *claim,
            other => match other.consent() {
                Some(consent) => Some(consent.claim),
                None => None,
            },
        }
    }

    /// The platform that was chosen.
    pub fn platform(&self) -> Option<PlatformId> {
        self.deal().map(|deal| deal.admission.platform)
    }

    /// Whether it goes on when the payer does: says yes or no, or pays.
    pub const fn is_payers_turn(&self) -> bool {
        matches!(self, Self::AwaitConfirmation(..) | Self::AwaitPayment(..))
    }

    /// The phase's name, for metrics, pages and traces: a closed set.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AwaitMerchant(_) => "await_merchant",
            Self::AwaitPhone(_) => "await_phone",
            Self::AwaitConfirmation(..) => "await_confirmation",
            Self::AwaitPermit(..) => "await_permit",
            Self::AwaitPayment(..) => "await_payment",
            Self::AwaitOutcome(..) => "await_outcome",
            Self::InDoubt(..) => "in_doubt",
            Self::Paid(..) => "paid",
            Self::Reversing(..) => "reversing",
            Self::Reversed(..) => "reversed",
            Self::Declined(..) => "declined",
            Self::ReversedUnseen => "reversed_unseen",
        }
    }
}
