//! What a step wants done: facts to journal first, then effects, and a verdict for whoever sent the event.
//!
//! The order is the promise "write before you speak": no effect leaves before the facts of its step, and of
//! every step before it, are on disk. One does, by name: [`Effect::AskPayer`].
use super::outcome::{Effect as Undone, Failure};
use super::phase::{Attempt, Claim, Consent, Deal, Digest32, Interface, Receipt, Undoing};
use crate::domain::identity::{Keeper, PayerId, RefundId};
use crate::domain::money::Money;
use crate::domain::order::Order;
use crate::domain::response_code::Refusal;
use serde::{Deserialize, Serialize};

/// What a step wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// What has become true, in order.
    pub facts: Vec<Fact>,
    /// What to do once it is on disk.
    pub effects: Vec<Effect>,
    /// What the event's sender is told.
    pub verdict: Verdict,
}

/// Something that has become true of a payment. Facts are the only history: phases are folded from them.
///
/// The order of the variants is part of the journal's format: new ones are added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The merchant admitted the order.
    Opened(Box<Deal>),
    /// The order was refused at the door.
    TurnedAway(Box<Order>, Refusal),
    /// A phone stands at the terminal; its payer is asked.
    PhoneCame(Claim),
    /// It left again.
    PhoneLeft,
    /// The payer said yes: the intent, durable before the platform is asked for the first permit.
    Consented(Consent),
    /// The platform gave its permit.
    Permitted(Attempt, Interface),
    /// The sealed credential is on its way to the platform.
    Presented(Attempt, Digest32),
    /// The attempt failed; the next permit is asked for.
    AttemptFailed(Attempt, Failure, Attempt),
    /// Nobody knows whether the attempt succeeded.
    Doubted(Attempt),
    /// The platform is being asked; counts against the budget.
    Inquired(Attempt),
    /// The attempt turned out to be unused: the permit still stands.
    StillPermitted(Attempt),
    /// The money moved. The first durable decision: the terminal may be told yes.
    Settled(Receipt),
    /// Refused; no platform holds anything of it.
    Declined(Refusal),
    /// Refused or taken back; whatever the platform did must be undone.
    ReversalOwed(Refusal),
    /// The reversal alone does not undo it.
    UndoingBy(Undoing),
    /// The platform vouches that nothing is left.
    Reversed(Undone),
    /// The terminal took back what the switch had never seen.
    ReversedUnseen(Keeper),
    /// Money is to go back after a payment that stood.
    RefundOwed(RefundId, Money),
    /// It went back.
    RefundDone(RefundId),
    /// The platform refused it for good.
    RefundRefused(RefundId),
}

impl Fact {
    /// The fact's name, for traces: a closed set.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::TurnedAway(..) => "turned_away",
            Self::PhoneCame(_) => "phone_came",
            Self::PhoneLeft => "phone_left",
            Self::Consented(_) => "consented",
            Self::Permitted(..) => "permitted",
            Self::Presented(..) => "presented",
            Self::AttemptFailed(..) => "attempt_failed",
            Self::Doubted(_) => "doubted",
            Self::Inquired(_) => "inquired",
            Self::StillPermitted(_) => "still_permitted",
            Self::Settled(_) => "settled",
            Self::Declined(_) => "declined",
            Self::ReversalOwed(_) => "reversal_owed",
            Self::UndoingBy(_) => "undoing_by",
            Self::Reversed(_) => "reversed",
            Self::ReversedUnseen(_) => "reversed_unseen",
            Self::RefundOwed(..) => "refund_owed",
            Self::RefundDone(_) => "refund_done",
            Self::RefundRefused(_) => "refund_refused",
        }
    }
}

/// Something to do, once the facts are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the merchant's actor to admit the order.
    AskMerchant,
    /// Ask the platform for a permit.
    AskPermit(Attempt),
    /// Ask the platform where the payment stands.
    Inquire(Attempt),
    /// The outbox has something new to pay: see [`super::Payment::debts`].
    Owe,
    /// This payer's word is wanted: the phone is shown the question, or a permit that is used through the switch, as soon as the
    /// journal has the facts in its order, before the disk has them. A crash may take back what was asked, and nothing else: the payer's
    /// word is a fact after them in the same journal, so whatever rests on it rests on them too.
    AskPayer(PayerId),
    /// This payer's view of the payment has changed; the phone is told.
    TellPayer(PayerId),
    /// The terminal's view has changed; whoever waits for it is told.
    TellTerminal,
    /// Somebody has to look.
    Raise(Alarm),
}

/// What people have to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// A platform claimed another amount or currency than was asked, a second debit, or one that nobody asked for.
    PlatformLied,
    /// A platform claimed a debit that it had vouched was undone.
    DebitAfterReversal,
    /// A platform refuses to undo a payment.
    Unreversible,
    /// The keeper gave the payment up.
    GivenUp,
}

/// What the event's sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It took effect.
    Taken,
    /// It had taken effect before, or makes no difference now: the same answer again.
    Already,
    /// It does not fit, and nothing changed.
    Misfit(Misfit),
}

/// Why an event does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Misfit {
    /// The key was used for something else.
    #[error("this key was used before, for another amount, merchant or reference")]
    SameKeyOtherData,
    /// Another payer's payment.
    #[error("this payment is not yours")]
    NotYours,
    /// The binding under which it was shown is over.
    #[error("the terminal was bound anew since; ask for the payment again")]
    StaleBinding,
    /// What was signed is not what was shown.
    #[error("the confirmed amount is not the amount asked for")]
    OtherAmount,
    /// Not in this phase.
    #[error("the payment is not waiting for this")]
    NotNow,
    /// The permit was already used, or has run out.
    #[error("the permit has been used or has run out")]
    PermitSpent,
    /// Nothing was paid that could be given back.
    #[error("only a payment that was paid and not taken back can be refunded")]
    NotPaid,
    /// More than is left of it.
    #[error("the refunds of this payment would exceed what was paid")]
    MoreThanPaid,
    /// The payment has seen too many refunds.
    #[error("a payment has at most 100 refunds, refused ones included")]
    TooManyRefunds,
    /// Refunds stand in the way of a reversal.
    #[error("a refund was made of this payment: refund the rest instead of reversing it")]
    AlreadyRefunded,
}

impl Commands {
    pub(super) fn new(verdict: Verdict) -> Self {
        Self { facts: Vec::new(), effects: Vec::new(), verdict }
    }

    pub(super) fn taken() -> Self {
        Self::new(Verdict::Taken)
    }

    pub(super) fn already() -> Self {
        Self::new(Verdict::Already)
    }

    pub(super) fn misfit(misfit: Misfit) -> Self {
        Self::new(Verdict::Misfit(misfit))
    }

    pub(super) fn record(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    pub(super) fn then(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}
