//! THE HEART: a payment as a pure machine, consumed by value, events in, commands out.
//!
//! `decide` says what follows from an event, as facts; `history` folds facts into phases. A step is both, and
//! recovery is the fold alone, so a payment stands after a crash exactly where its facts left it. The machine
//! reads no clock, socket or random number. The map of every phase and every event is the snapshot of
//! `tests/it/matrix.rs`; what must never be is in `invariants`.
pub mod command;
mod decide;
pub mod event;
mod history;
pub mod invariants;
pub mod outcome;
pub mod phase;
pub mod status;

use crate::domain::identity::{Keeper, PayerId, PaymentId};
use crate::domain::order::Order;
use crate::domain::outbox::{Debt, DebtKind};
use crate::domain::response_code::Refusal;
use crate::domain::time::{Deadline, Timestamp};
use crate::planted::{Bug, is_planted};
use command::{Commands, Effect, Fact, Verdict};
use event::Event;
pub use history::OutOfPlace;
use phase::{Asked, Phase, Receipt, RefundState, Undoing};
use status::Status;

/// A payment: who keeps it and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    id: PaymentId,
    keeper: Keeper,
    phase: Phase,
    inquired: u8,
}

/// A fact with the instant at which it became true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What the terminal is told in the end. It never changes once it is there, but for the terminal's own reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money moved.
    Approved(Receipt),
    /// It did not, or it went back.
    Refused(Refusal),
}

impl Payment {
    /// A payment begins: the merchant is asked first, nothing is journaled yet.
    pub fn open(order: Order) -> (Self, Commands) {
        let payment = Self {
            id: order.payment(),
            keeper: order.keeper,
            phase: Phase::AwaitMerchant(Box::new(order)),
            inquired: 0,
        };
        (payment, Commands::taken().then(Effect::AskMerchant))
    }

    /// A reversal came for a payment that was never seen: it is remembered, and its order will be refused.
    pub fn reverse_unseen(id: PaymentId, keeper: Keeper) -> (Self, Commands) {
        let payment = Self { id, keeper, phase: Phase::ReversedUnseen, inquired: 0 };
        (payment, Commands::taken().record(Fact::ReversedUnseen(keeper)))
    }

    /// What follows from `event`, and where the payment stands then.
    #[must_use]
    pub fn step(self, now: Timestamp, event: Event) -> (Self, Commands) {
        let commands = decide::decide(&self, now, event);
        let payment = commands.facts.iter().fold(self, |payment, fact| match payment.after(now, fact) {
            Ok(next) => next,
            // A decision that its own history refuses is a bug: the keeper dies and is rebuilt from the journal.
            Err(out_of_place) => panic!("{out_of_place}"),
        });
        (payment, commands)
    }

    /// Rebuilds a payment from its facts; `None` if there are none. The commands resume what a crash may have cut.
    pub fn recover(
        id: PaymentId,
        now: Timestamp,
        life: &[Stamped],
    ) -> Result<Option<(Self, Commands)>, OutOfPlace> {
        let Some(payment) = Self::folded(id, life)? else { return Ok(None) };
        let (payment, commands) = payment.resumed(now)?;
        Ok(Some((payment, commands)))
    }

    /// The fold of its facts alone: where the payment stands, without resuming anything.
    pub fn folded(id: PaymentId, life: &[Stamped]) -> Result<Option<Self>, OutOfPlace> {
        let Some((first, rest)) = life.split_first() else { return Ok(None) };
        let born = Self::born(id, first)?;
        rest.iter().try_fold(born, |payment, stamped| payment.after(stamped.at, &stamped.fact)).map(Some)
    }

    fn resumed(mut self, now: Timestamp) -> Result<(Self, Commands), OutOfPlace> {
        let commands = Commands::new(Verdict::Taken);
        let commands = match &mut self.phase {
            Phase::AwaitPermit(_, _, attempt, asked) => {
                *asked = Asked::Again;
                commands.then(Effect::AskPermit(*attempt))
            }
            Phase::AwaitPayment(_, _, attempt, _) => {
                let attempt = *attempt;
                self.inquiring(commands, attempt)
            }
            Phase::AwaitOutcome(..) if is_planted(Bug::RecoverySaysNo) => {
                commands.record(Fact::Declined(Refusal::Fault))
            }
            Phase::AwaitOutcome(_, _, attempt, _) => {
                let attempt = *attempt;
                self.inquiring(commands.record(Fact::Doubted(attempt)), attempt)
            }
            _ => commands,
        };
        let payment = commands.facts.iter().try_fold(self, |payment, fact| payment.after(now, fact))?;
        let commands = payment.told_again(commands);
        Ok((payment, commands))
    }

    /// The platform is asked, if this payment's budget of inquiries has one left.
    fn inquiring(&self, commands: Commands, attempt: phase::Attempt) -> Commands {
        if self.may_inquire() {
            commands.record(Fact::Inquired(attempt)).then(Effect::Inquire(attempt))
        } else {
            commands
        }
    }

    /// Whether the budget has an inquiry left: it is the payment's, however often it falls into doubt or is restarted.
    fn may_inquire(&self) -> bool {
        self.phase.deal().is_some_and(|deal| self.inquired < deal.admission.terms.inquiries_max)
    }

    /// A keeper can die between a fact and the effects that waited for it: what is owed and what is decided is said
    /// again. All of it may be said twice.
    fn told_again(&self, commands: Commands) -> Commands {
        let owed =
            (!self.debts().is_empty() && !is_planted(Bug::ReversalDroppedOnRestart)).then_some(Effect::Owe);
        let decided = self.outcome().map(|_| Effect::TellTerminal);
        let payer = self.payer().map(Effect::TellPayer);
        [owed, decided, payer].into_iter().flatten().fold(commands, Commands::then)
    }

    /// When the payment has to be looked at again if nothing happens: derived from the phase, so that no timer
    /// can be forgotten. `None` where somebody else owes the next move for ever (the outbox) or nobody does.
    pub fn wakes_at(&self) -> Option<Deadline> {
        let answer_by = self.phase.order()?.answer_by;
        match &self.phase {
            Phase::AwaitOutcome(..) | Phase::InDoubt(..) if is_planted(Bug::DeadlineForgotten) => None,
            Phase::AwaitPhone(_) | Phase::AwaitConfirmation(..) if is_planted(Bug::PhoneAwaitedForEver) => {
                None
            }
            Phase::AwaitPayment(..) if is_planted(Bug::ExpiredPermitUsed) => Some(answer_by),
            Phase::AwaitMerchant(_)
            | Phase::AwaitPhone(_)
            | Phase::AwaitPermit(..)
            | Phase::AwaitOutcome(..) => Some(answer_by),
            Phase::AwaitConfirmation(_, _, confirm_by) => Some(answer_by.min(*confirm_by)),
            Phase::AwaitPayment(_, _, _, interface) => Some(answer_by.min(interface.expires)),
            Phase::InDoubt(_, _, _, _, ask_at) => Some(answer_by.min(*ask_at)),
            _ => None,
        }
    }

    /// What the platform still has to do for this payment, whatever else happens.
    pub fn debts(&self) -> Vec<Debt> {
        let Some(platform) = self.phase.platform() else { return Vec::new() };
        let Some(paid) = self.phase.order().map(|order| order.money) else { return Vec::new() };
        let debt = |kind, money, since| Debt {
            payment: self.id,
            keeper: self.keeper,
            platform,
            paid,
            money,
            since,
            kind,
        };
        match &self.phase {
            Phase::Reversing(_, _, undo) => match undo.how {
                Undoing::Reversal => vec![debt(DebtKind::Reversal, paid, undo.since)],
                Undoing::GivingBack => vec![debt(DebtKind::GivingBack, paid, undo.since)],
                Undoing::ByHand => vec![debt(DebtKind::ByHand, paid, undo.since)],
            },
            Phase::Paid(_, _, _, refunds) => refunds
                .iter()
                .filter(|refund| refund.state == RefundState::Owed)
                .map(|refund| debt(DebtKind::Refund(refund.id), refund.money, refund.since))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether nothing is awaited and nothing is owed: only a refund, a reversal or a repeat can still come.
    pub fn is_closed(&self) -> bool {
        match &self.phase {
            Phase::Paid(_, _, _, refunds) => refunds.iter().all(|refund| refund.state != RefundState::Owed),
            Phase::Reversed(..) | Phase::Declined(..) | Phase::ReversedUnseen => true,
            _ => false,
        }
    }

    /// Whether it is decided what the terminal is told.
    pub const fn is_decided(&self) -> bool {
        Status::of(&self.phase).is_decided()
    }

    /// What the terminal is told, once that is decided.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.phase {
            Phase::Paid(_, _, receipt, _) => Some(Outcome::Approved(receipt.clone())),
            Phase::Reversing(_, _, undo) => Some(Outcome::Refused(undo.refusal)),
            Phase::Reversed(_, _, refusal, _) | Phase::Declined(_, _, refusal) => {
                Some(Outcome::Refused(*refusal))
            }
            Phase::ReversedUnseen => Some(Outcome::Refused(Refusal::ReversedByTerminal)),
            _ => None,
        }
    }

    /// The payment's id.
    pub const fn id(&self) -> PaymentId {
        self.id
    }

    /// Who keeps it.
    pub const fn keeper(&self) -> Keeper {
        self.keeper
    }

    /// Where it stands.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The payer, as far as one is known.
    pub fn payer(&self) -> Option<PayerId> {
        let claimed = self.phase.claim().map(|claim| claim.payer);
        claimed.or_else(|| self.phase.order().and_then(Order::payer))
    }
}
