//! Facts folded into phases: the only place where a phase comes from.
//!
//! Nothing is decided here. A fact that cannot follow the phase before it is out of place: a bug where the
//! fact was just made, a journal of another world where it was read.
use super::command::Fact;
use super::phase::{Asked, Attempt, Claim, Deal, Phase, Refund, RefundState, Undo, Undoing};
use super::{Payment, Stamped};
use crate::domain::identity::{Keeper, PaymentId, RefundId};
use crate::domain::order::Order;
use crate::domain::time::{Deadline, Timestamp};
use crate::planted::{Bug, is_planted};
use std::time::Duration;

/// A fact that cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("payment {payment}: the fact \"{fact}\" cannot follow the phase \"{phase}\"")]
pub struct OutOfPlace {
    /// The payment.
    pub payment: PaymentId,
    /// The fact's name.
    pub fact: &'static str,
    /// The phase's name.
    pub phase: &'static str,
}

impl Payment {
    pub(super) fn born(id: PaymentId, first: &Stamped) -> Result<Self, OutOfPlace> {
        let (keeper, phase) = match &first.fact {
            Fact::Opened(deal) => (deal.order.keeper, opened(deal.clone(), first.at)),
            Fact::TurnedAway(order, refusal) => {
                (order.keeper, Phase::Declined(order.clone(), None, *refusal))
            }
            Fact::ReversedUnseen(keeper) => (*keeper, Phase::ReversedUnseen),
            other => return Err(OutOfPlace { payment: id, fact: other.name(), phase: "none" }),
        };
        Ok(Self { id, keeper, phase, inquired: 0 })
    }

    /// The payment after `fact` became true at `at`.
    pub fn after(self, at: Timestamp, fact: &Fact) -> Result<Self, OutOfPlace> {
        let Self { id, keeper, phase, inquired } = self;
        let before = phase.name();
        let phase =
            follow(phase, at, fact).ok_or(OutOfPlace { payment: id, fact: fact.name(), phase: before })?;
        let inquired = inquired.saturating_add(u8::from(matches!(fact, Fact::Inquired(_))));
        Ok(Self { id, keeper, phase, inquired })
    }
}

fn follow(phase: Phase, at: Timestamp, fact: &Fact) -> Option<Phase> {
    match fact {
        Fact::Opened(_) | Fact::TurnedAway(..) | Fact::ReversedUnseen(_) => entered(phase, at, fact),
        Fact::PhoneCame(claim) => phone_came(phase, at, *claim),
        Fact::PhoneLeft => phone_left(phase),
        Fact::Consented(_) | Fact::Permitted(..) | Fact::Presented(..) | Fact::AttemptFailed(..) => {
            attempted(phase, fact)
        }
        Fact::Doubted(_) | Fact::Inquired(_) | Fact::StillPermitted(_) => doubted(phase, at, fact),
        Fact::Settled(_) | Fact::Declined(_) => decided(phase, fact),
        Fact::ReversalOwed(_) | Fact::UndoingBy(_) | Fact::Reversed(_) => undone(phase, at, fact),
        Fact::RefundOwed(..) | Fact::RefundDone(_) | Fact::RefundRefused(_) => refunded(phase, at, fact),
    }
}

fn entered(phase: Phase, at: Timestamp, fact: &Fact) -> Option<Phase> {
    match (phase, fact) {
        (Phase::AwaitMerchant(_), Fact::Opened(deal)) => Some(opened(deal.clone(), at)),
        (Phase::AwaitMerchant(_), Fact::TurnedAway(order, refusal)) => {
            Some(Phase::Declined(order.clone(), None, *refusal))
        }
        (Phase::ReversedUnseen, Fact::ReversedUnseen(_)) => Some(Phase::ReversedUnseen),
        _ => None,
    }
}

fn opened(deal: Box<Deal>, at: Timestamp) -> Phase {
    match deal.order.keeper {
        Keeper::Terminal(_) => Phase::AwaitPhone(deal),
        Keeper::Payer(payer) => asked(deal, Claim { payer, epoch: 0 }, at),
    }
}

fn asked(deal: Box<Deal>, claim: Claim, at: Timestamp) -> Phase {
    let confirm_by = Deadline::after(at, deal.admission.terms.confirm_within);
    Phase::AwaitConfirmation(deal, claim, confirm_by)
}

fn phone_came(phase: Phase, at: Timestamp, claim: Claim) -> Option<Phase> {
    match phase {
        Phase::AwaitPhone(deal) | Phase::AwaitConfirmation(deal, ..) => Some(asked(deal, claim, at)),
        _ => None,
    }
}

fn phone_left(phase: Phase) -> Option<Phase> {
    match phase {
        Phase::AwaitConfirmation(deal, ..) => Some(Phase::AwaitPhone(deal)),
        _ => None,
    }
}

fn attempted(phase: Phase, fact: &Fact) -> Option<Phase> {
    match (phase, fact) {
        (Phase::AwaitConfirmation(deal, ..), Fact::Consented(consent)) => {
            Some(Phase::AwaitPermit(deal, *consent, Attempt::FIRST, Asked::Once))
        }
        (Phase::AwaitPermit(deal, consent, held, _), Fact::Permitted(attempt, interface))
            if held == *attempt =>
        {
            Some(Phase::AwaitPayment(deal, consent, held, Box::new(interface.clone())))
        }
        (Phase::AwaitPayment(deal, consent, held, interface), Fact::Presented(attempt, _))
            if held == *attempt =>
        {
            Some(Phase::AwaitOutcome(deal, consent, held, interface))
        }
        (phase @ Phase::AwaitOutcome(..), Fact::Presented(..)) if is_planted(Bug::PermitUsedTwice) => {
            Some(phase)
        }
        (
            Phase::AwaitPayment(deal, consent, held, _)
            | Phase::AwaitOutcome(deal, consent, held, _)
            | Phase::InDoubt(deal, consent, held, ..),
            Fact::AttemptFailed(attempt, _, next),
        ) if held == *attempt => Some(Phase::AwaitPermit(deal, consent, *next, Asked::Once)),
        _ => None,
    }
}

fn doubted(phase: Phase, at: Timestamp, fact: &Fact) -> Option<Phase> {
    match (phase, fact) {
        (
            Phase::AwaitPayment(deal, consent, held, interface)
            | Phase::AwaitOutcome(deal, consent, held, interface),
            Fact::Doubted(attempt),
        ) if held == *attempt => {
            let ask_at = next_inquiry(&deal, at);
            Some(Phase::InDoubt(deal, consent, held, interface, ask_at))
        }
        (Phase::InDoubt(deal, consent, held, interface, _), Fact::Inquired(attempt)) if held == *attempt => {
            let ask_at = next_inquiry(&deal, at);
            Some(Phase::InDoubt(deal, consent, held, interface, ask_at))
        }
        (Phase::AwaitPayment(deal, consent, held, interface), Fact::Inquired(attempt))
            if held == *attempt =>
        {
            Some(Phase::AwaitPayment(deal, consent, held, interface))
        }
        (
            Phase::AwaitOutcome(deal, consent, held, interface)
            | Phase::InDoubt(deal, consent, held, interface, _),
            Fact::StillPermitted(attempt),
        ) if held == *attempt => Some(Phase::AwaitPayment(deal, consent, held, interface)),
        _ => None,
    }
}

fn next_inquiry(deal: &Deal, at: Timestamp) -> Deadline {
    Deadline::after(at, deal.admission.terms.inquire_every.max(Duration::from_millis(1)))
}

fn decided(phase: Phase, fact: &Fact) -> Option<Phase> {
    match (phase, fact) {
        (
            Phase::AwaitPermit(deal, consent, ..)
            | Phase::AwaitPayment(deal, consent, ..)
            | Phase::AwaitOutcome(deal, consent, ..)
            | Phase::InDoubt(deal, consent, ..),
            Fact::Settled(receipt),
        ) => Some(Phase::Paid(deal, consent, receipt.clone(), Vec::new())),
        (Phase::AwaitPhone(deal), Fact::Declined(refusal)) => Some(declined(deal, None, *refusal)),
        (Phase::AwaitConfirmation(deal, claim, _), Fact::Declined(refusal)) => {
            Some(declined(deal, Some(claim), *refusal))
        }
        (Phase::AwaitPermit(deal, consent, ..), Fact::Declined(refusal)) => {
            Some(declined(deal, Some(consent.claim), *refusal))
        }
        (phase, fact) => decided_wrongly(phase, fact),
    }
}

/// What can follow only where a bug is planted.
fn decided_wrongly(phase: Phase, fact: &Fact) -> Option<Phase> {
    let doubt_is_no = || {
        [Bug::SilenceIsNo, Bug::NotFoundIsNo, Bug::NoReversalAtDeadline, Bug::RecoverySaysNo]
            .into_iter()
            .any(is_planted)
    };
    match (phase, fact) {
        (
            Phase::AwaitOutcome(deal, consent, ..) | Phase::InDoubt(deal, consent, ..),
            Fact::Declined(refusal),
        ) if doubt_is_no() => Some(declined(deal, Some(consent.claim), *refusal)),
        (Phase::Declined(order, claim, _), Fact::Declined(refusal)) if is_planted(Bug::AnswerChanges) => {
            Some(Phase::Declined(order, claim, *refusal))
        }
        (Phase::Reversing(deal, consent, _), Fact::Settled(receipt)) if is_planted(Bug::LateYesApproves) => {
            Some(Phase::Paid(deal, consent, receipt.clone(), Vec::new()))
        }
        _ => None,
    }
}

fn declined(deal: Box<Deal>, claim: Option<Claim>, refusal: crate::domain::response_code::Refusal) -> Phase {
    let order: Order = deal.order;
    Phase::Declined(Box::new(order), claim, refusal)
}

fn undone(phase: Phase, at: Timestamp, fact: &Fact) -> Option<Phase> {
    match (phase, fact) {
        (
            Phase::AwaitPermit(deal, consent, ..)
            | Phase::AwaitPayment(deal, consent, ..)
            | Phase::AwaitOutcome(deal, consent, ..)
            | Phase::InDoubt(deal, consent, ..)
            | Phase::Paid(deal, consent, ..),
            Fact::ReversalOwed(refusal),
        ) => {
            let undo = Undo { refusal: *refusal, since: at, how: Undoing::Reversal };
            Some(Phase::Reversing(deal, consent, undo))
        }
        (Phase::Reversing(deal, consent, undo), Fact::UndoingBy(how)) => {
            Some(Phase::Reversing(deal, consent, Undo { how: *how, ..undo }))
        }
        (Phase::Reversing(deal, consent, undo), Fact::Reversed(effect)) => {
            Some(Phase::Reversed(deal, consent, undo.refusal, *effect))
        }
        _ => None,
    }
}

fn refunded(phase: Phase, at: Timestamp, fact: &Fact) -> Option<Phase> {
    let Phase::Paid(deal, consent, receipt, mut refunds) = phase else { return None };
    match fact {
        Fact::RefundOwed(id, money) => {
            refunds.push(Refund { id: *id, money: *money, since: at, state: RefundState::Owed });
        }
        Fact::RefundDone(id) => close_refund(&mut refunds, *id, RefundState::Done)?,
        Fact::RefundRefused(id) => close_refund(&mut refunds, *id, RefundState::Refused)?,
        _ => return None,
    }
    Some(Phase::Paid(deal, consent, receipt, refunds))
}

fn close_refund(refunds: &mut [Refund], id: RefundId, state: RefundState) -> Option<()> {
    let refund = refunds.iter_mut().find(|refund| refund.id == id && refund.state == RefundState::Owed)?;
    refund.state = state;
    Some(())
}
