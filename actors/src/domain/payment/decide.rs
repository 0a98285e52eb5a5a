//! What follows from an event: a pure question to a payment, answered in facts, effects and a verdict.
//!
//! One function per kind of event, each a table over the phases. Nothing here changes the payment; `history`
//! does, from the facts. An event that makes no difference is answered `Already`, one that does not fit
//! `Misfit`; a late or doubled word of a platform is never a misfit, only a fact or nothing.
use super::Payment;
use super::command::{Alarm, Commands, Effect, Fact, Misfit};
use super::event::Event;
use super::outcome::{
    Effect as Undone, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use super::phase::{Asked, Attempt, Claim, Consent, Deal, Digest32, Phase, Receipt, RefundState, Undoing};
use crate::domain::identity::{PayerId, RefundId};
use crate::domain::money::Money;
use crate::domain::order::{Admission, Order};
use crate::domain::response_code::Refusal;
use crate::domain::time::Timestamp;
use crate::planted::{Bug, is_planted};

/// Refunds of one payment, refused ones included: its life has to stay small.
const REFUNDS_MAX: usize = 100;

pub(super) fn decide(payment: &Payment, now: Timestamp, event: Event) -> Commands {
    match event {
        Event::Repeated(order) => payment.repeated(&order),
        Event::MerchantSaid(answer) => payment.merchant_said(answer),
        Event::PhoneCame(claim) => payment.phone_came(claim),
        Event::PhoneLeft { epoch } => payment.phone_left(epoch),
        Event::Confirmed(consent, money) => payment.confirmed(now, consent, money),
        Event::DeclinedByPayer(claim) => payment.declined_by_payer(claim),
        Event::PermitSaid(attempt, outcome) => payment.permit_said(attempt, outcome),
        Event::Presented(payer, attempt, digest) => payment.presented(now, payer, attempt, digest),
        Event::PaymentSaid(attempt, outcome) => payment.payment_said(attempt, outcome),
        Event::InquirySaid(attempt, outcome) => payment.inquiry_said(now, attempt, outcome),
        Event::ReversalAsked => payment.reversal_asked(),
        Event::ReversalSaid(outcome) => payment.reversal_said(outcome),
        Event::RefundAsked(id, money) => payment.refund_asked(id, money),
        Event::RefundSaid(id, outcome) => payment.refund_said(id, outcome),
        Event::DeadlineCame => payment.deadline_came(now),
        Event::GivenUp => payment.given_up(),
    }
}

/// Before the platform is asked.
impl Payment {
    fn repeated(&self, order: &Order) -> Commands {
        match self.phase.order() {
            Some(first) if !first.asks_the_same(order) && !is_planted(Bug::OtherAmountSameKey) => {
                Commands::misfit(Misfit::SameKeyOtherData)
            }
            _ if matches!(self.phase, Phase::Declined(..)) && is_planted(Bug::AnswerChanges) => {
                Commands::taken().record(Fact::Declined(Refusal::Fault)).then(Effect::TellTerminal)
            }
            _ => Commands::already(),
        }
    }

    fn merchant_said(&self, answer: Result<Admission, Refusal>) -> Commands {
        let Phase::AwaitMerchant(order) = &self.phase else { return Commands::already() };
        match answer {
            Ok(admission) => {
                let deal = Deal { order: (**order).clone(), admission };
                let opened = Commands::taken().record(Fact::Opened(Box::new(deal)));
                match order.payer() {
                    Some(payer) => opened.then(Effect::AskPayer(payer)),
                    None => opened,
                }
            }
            Err(refusal) => Self::turned_away(order, refusal),
        }
    }

    fn turned_away(order: &Order, refusal: Refusal) -> Commands {
        let turned_away = Commands::taken()
            .record(Fact::TurnedAway(Box::new(order.clone()), refusal))
            .then(Effect::TellTerminal);
        match order.payer() {
            Some(payer) => turned_away.then(Effect::TellPayer(payer)),
            None => turned_away,
        }
    }

    fn phone_came(&self, claim: Claim) -> Commands {
        match &self.phase {
            Phase::AwaitPhone(_) => {
                Commands::taken().record(Fact::PhoneCame(claim)).then(Effect::AskPayer(claim.payer))
            }
            Phase::AwaitConfirmation(deal, shown, _)
                if shown.epoch < claim.epoch && deal.order.payer().is_none() =>
            {
                Commands::taken()
                    .record(Fact::PhoneCame(claim))
                    .then(Effect::TellPayer(shown.payer))
                    .then(Effect::AskPayer(claim.payer))
            }
            _ => Commands::already(),
        }
    }

    fn phone_left(&self, epoch: u64) -> Commands {
        match &self.phase {
            Phase::AwaitConfirmation(deal, shown, _)
                if shown.epoch == epoch && deal.order.payer().is_none() =>
            {
                Commands::taken().record(Fact::PhoneLeft).then(Effect::TellPayer(shown.payer))
            }
            _ => Commands::already(),
        }
    }

    fn confirmed(&self, now: Timestamp, consent: Consent, money: Money) -> Commands {
        match &self.phase {
            Phase::AwaitConfirmation(deal, shown, confirm_by) => {
                if shown.payer != consent.claim.payer {
                    Commands::misfit(Misfit::NotYours)
                } else if shown.epoch != consent.claim.epoch && !is_planted(Bug::StaleEpochAccepted) {
                    Commands::misfit(Misfit::StaleBinding)
                } else if deal.order.money != money && !is_planted(Bug::OtherAmountConfirmed) {
                    Commands::misfit(Misfit::OtherAmount)
                } else if confirm_by.is_over(now) || deal.order.answer_by.is_over(now) {
                    Commands::misfit(Misfit::NotNow)
                } else {
                    Commands::taken()
                        .record(Fact::Consented(consent))
                        .then(Effect::AskPermit(Attempt::FIRST))
                        .then(Effect::TellPayer(shown.payer))
                }
            }
            other => match other.consent() {
                Some(given) if given.claim != consent.claim => self.not_for(consent.claim),
                Some(_) if other.order().is_some_and(|order| order.money != money) => {
                    Commands::misfit(Misfit::OtherAmount)
                }
                Some(_) => Commands::already(),
                None => self.not_for(consent.claim),
            },
        }
    }

    fn declined_by_payer(&self, claim: Claim) -> Commands {
        match &self.phase {
            Phase::AwaitConfirmation(_, shown, _) if *shown == claim && is_planted(Bug::DeclineOverruled) => {
                Commands::already()
            }
            Phase::AwaitConfirmation(_, shown, _) if *shown == claim => {
                self.declined(Refusal::DeclinedByPayer)
            }
            Phase::AwaitPayment(_, consent, ..) if consent.claim == claim => {
                self.undo(Refusal::DeclinedByPayer)
            }
            Phase::Declined(_, Some(shown), Refusal::DeclinedByPayer) if *shown == claim => {
                Commands::already()
            }
            Phase::Reversing(_, consent, undo)
                if consent.claim == claim && undo.refusal == Refusal::DeclinedByPayer =>
            {
                Commands::already()
            }
            Phase::Reversed(_, consent, Refusal::DeclinedByPayer, _) if consent.claim == claim => {
                Commands::already()
            }
            _ => self.not_for(claim),
        }
    }

    /// Why a payer's word does not fit: another's payment, an old round, or the wrong moment.
    fn not_for(&self, claim: Claim) -> Commands {
        Commands::misfit(match self.phase.claim() {
            Some(held) if held.payer != claim.payer => Misfit::NotYours,
            Some(held) if held.epoch != claim.epoch => Misfit::StaleBinding,
            Some(_) => Misfit::NotNow,
            None => Misfit::StaleBinding,
        })
    }
}

/// Between the payer's yes and the platform's word.
impl Payment {
    fn permit_said(&self, attempt: Attempt, outcome: PermitOutcome) -> Commands {
        let Phase::AwaitPermit(_, consent, held, asked) = &self.phase else { return Commands::already() };
        if *held != attempt {
            return Commands::already();
        }
        let nothing_there = attempt == Attempt::FIRST && *asked == Asked::Once;
        match outcome {
            PermitOutcome::Granted(interface) => {
                let payer = consent.claim.payer;
                // With a permit that is good at the platform's own door the money can move without another word to us.
                let at_once = interface.is_relayed() || is_planted(Bug::PermitShownUnwritten);
                let shown = if at_once { Effect::AskPayer(payer) } else { Effect::TellPayer(payer) };
                Commands::taken().record(Fact::Permitted(attempt, interface)).then(shown)
            }
            PermitOutcome::Refused(refusal) if nothing_there => self.declined(refusal),
            PermitOutcome::Refused(refusal) => self.undo(refusal),
            PermitOutcome::NotSent if nothing_there => self.declined(Refusal::PlatformUnreachable),
            PermitOutcome::NotSent => self.undo(Refusal::PlatformUnreachable),
            PermitOutcome::Unknown => self.undo(Refusal::PlatformSilent),
        }
    }

    fn presented(&self, now: Timestamp, payer: PayerId, attempt: Attempt, digest: Digest32) -> Commands {
        match self.phase.claim() {
            Some(claim) if claim.payer != payer => return Commands::misfit(Misfit::NotYours),
            _ => {}
        }
        match &self.phase {
            Phase::AwaitPayment(deal, _, held, interface)
                if *held == attempt
                    && (!interface.expires.is_over(now) || is_planted(Bug::ExpiredPermitUsed))
                    && !deal.order.answer_by.is_over(now) =>
            {
                Commands::taken().record(Fact::Presented(attempt, digest))
            }
            Phase::AwaitOutcome(_, _, held, _) if *held == attempt && is_planted(Bug::PermitUsedTwice) => {
                Commands::taken().record(Fact::Presented(attempt, digest))
            }
            Phase::AwaitPayment(..) | Phase::AwaitOutcome(..) | Phase::InDoubt(..) => {
                Commands::misfit(Misfit::PermitSpent)
            }
            _ => Commands::misfit(Misfit::NotNow),
        }
    }

    fn payment_said(&self, attempt: Attempt, outcome: PaymentOutcome) -> Commands {
        match outcome {
            PaymentOutcome::Approved(receipt) => self.claimed_paid(receipt),
            PaymentOutcome::Failed(failure) => self.attempt_failed(attempt, failure),
            PaymentOutcome::NotSent => match &self.phase {
                Phase::AwaitOutcome(_, consent, held, _) if *held == attempt => Commands::taken()
                    .record(Fact::StillPermitted(attempt))
                    .then(Effect::TellPayer(consent.claim.payer)),
                _ => Commands::already(),
            },
            PaymentOutcome::Unknown => match &self.phase {
                Phase::AwaitOutcome(_, _, held, _) if *held == attempt && is_planted(Bug::SilenceIsNo) => {
                    self.declined(Refusal::PlatformSilent)
                }
                Phase::AwaitOutcome(_, consent, held, _) if *held == attempt => Commands::taken()
                    .record(Fact::Doubted(attempt))
                    .then(Effect::TellPayer(consent.claim.payer)),
                _ => Commands::already(),
            },
        }
    }

    /// The platform says that the money moved. The first durable decision wins: once a reversal is owed, no late
    /// yes approves.
    fn claimed_paid(&self, receipt: Receipt) -> Commands {
        match &self.phase {
            Phase::AwaitPermit(deal, consent, ..)
            | Phase::AwaitPayment(deal, consent, ..)
            | Phase::AwaitOutcome(deal, consent, ..)
            | Phase::InDoubt(deal, consent, ..) => {
                let believed = || is_planted(Bug::AmountFromCallback) || is_planted(Bug::AmountFromAnswer);
                if receipt.money == deal.order.money || believed() {
                    Commands::taken()
                        .record(Fact::Settled(receipt))
                        .then(Effect::TellTerminal)
                        .then(Effect::TellPayer(consent.claim.payer))
                } else {
                    self.lied_to()
                }
            }
            // Where money had moved and is back, its yes may have been on the way all the time.
            Phase::Reversed(.., Undone::NothingToUndo) | Phase::Declined(_, Some(_), _) => {
                Commands::already().then(Effect::Raise(Alarm::DebitAfterReversal))
            }
            Phase::Reversing(..) if is_planted(Bug::LateYesApproves) => {
                self.told(Commands::taken().record(Fact::Settled(receipt)).then(Effect::TellTerminal))
            }
            Phase::Paid(_, _, known, _) if *known == receipt => Commands::already(),
            // A second debit, or a debit that nobody asked for.
            Phase::Paid(..)
            | Phase::AwaitMerchant(_)
            | Phase::AwaitPhone(_)
            | Phase::AwaitConfirmation(..)
            | Phase::Declined(_, None, _)
            | Phase::ReversedUnseen => self.lied_to(),
            Phase::Reversing(..) | Phase::Reversed(.., Undone::Undone) => Commands::already(),
        }
    }

    /// A word that cannot be true makes the outcome unknown; it is never believed and never simply dropped.
    fn lied_to(&self) -> Commands {
        let doubted = match &self.phase {
            Phase::AwaitPayment(_, _, attempt, _) | Phase::AwaitOutcome(_, _, attempt, _) => {
                self.told(Commands::taken().record(Fact::Doubted(*attempt)))
            }
            _ => Commands::already(),
        };
        doubted.then(Effect::Raise(Alarm::PlatformLied))
    }

    fn attempt_failed(&self, attempt: Attempt, failure: Failure) -> Commands {
        match &self.phase {
            Phase::AwaitPayment(deal, consent, held, _)
            | Phase::AwaitOutcome(deal, consent, held, _)
            | Phase::InDoubt(deal, consent, held, ..)
                if *held == attempt =>
            {
                let next = held.next(deal.admission.terms.attempts_max);
                match next.filter(|_| failure.is_worth_another_try()) {
                    Some(next) => Commands::taken()
                        .record(Fact::AttemptFailed(attempt, failure, next))
                        .then(Effect::AskPermit(next))
                        .then(Effect::TellPayer(consent.claim.payer)),
                    None => self.undo(failure.refusal()),
                }
            }
            _ => Commands::already(),
        }
    }

    fn inquiry_said(&self, now: Timestamp, attempt: Attempt, outcome: InquiryOutcome) -> Commands {
        match (&self.phase, outcome) {
            (_, InquiryOutcome::Paid(receipt)) => self.claimed_paid(receipt),
            (_, InquiryOutcome::Failed(failure)) => self.attempt_failed(attempt, failure),
            (Phase::InDoubt(_, consent, held, interface, _), InquiryOutcome::Pending)
                if *held == attempt && !interface.expires.is_over(now) =>
            {
                Commands::taken()
                    .record(Fact::StillPermitted(attempt))
                    .then(Effect::TellPayer(consent.claim.payer))
            }
            (Phase::AwaitPayment(..) | Phase::InDoubt(..), InquiryOutcome::Undone) => {
                self.undo(Refusal::PlatformSilent)
            }
            (Phase::InDoubt(..), InquiryOutcome::NeverSeen) if is_planted(Bug::NotFoundIsNo) => {
                self.declined(Refusal::PlatformSilent)
            }
            // "Never seen" is not final: the question may still be on its way.
            _ => Commands::already(),
        }
    }
}

/// Undoing, giving back, and the end of patience.
impl Payment {
    fn reversal_asked(&self) -> Commands {
        match &self.phase {
            Phase::AwaitMerchant(order) => Self::turned_away(order, Refusal::ReversedByTerminal),
            Phase::AwaitPhone(_) | Phase::AwaitConfirmation(..) => self.declined(Refusal::ReversedByTerminal),
            Phase::AwaitPermit(..)
            | Phase::AwaitPayment(..)
            | Phase::AwaitOutcome(..)
            | Phase::InDoubt(..) => self.undo(Refusal::ReversedByTerminal),
            Phase::Paid(..) if is_planted(Bug::PaidReversalNotOwed) => {
                let owed = Commands::taken().record(Fact::ReversalOwed(Refusal::ReversedByTerminal));
                self.told(owed.record(Fact::Reversed(Undone::NothingToUndo)).then(Effect::TellTerminal))
            }
            Phase::Paid(_, _, _, refunds) => {
                if refunds.iter().all(|refund| refund.state == RefundState::Refused) {
                    self.undo(Refusal::ReversedByTerminal)
                } else {
                    Commands::misfit(Misfit::AlreadyRefunded)
                }
            }
            Phase::Reversing(..) | Phase::Reversed(..) | Phase::Declined(..) | Phase::ReversedUnseen => {
                Commands::already()
            }
        }
    }

    fn reversal_said(&self, outcome: ReversalOutcome) -> Commands {
        let Phase::Reversing(_, consent, undo) = &self.phase else { return Commands::already() };
        let payer = Effect::TellPayer(consent.claim.payer);
        match (outcome, undo.how) {
            (ReversalOutcome::Acknowledged(effect), _) => {
                Commands::taken().record(Fact::Reversed(effect)).then(payer).then(Effect::TellTerminal)
            }
            (ReversalOutcome::TooLate, Undoing::Reversal) => {
                Commands::taken().record(Fact::UndoingBy(Undoing::GivingBack)).then(Effect::Owe)
            }
            (ReversalOutcome::Refused, Undoing::Reversal | Undoing::GivingBack) => Commands::taken()
                .record(Fact::UndoingBy(Undoing::ByHand))
                .then(Effect::Owe)
                .then(Effect::Raise(Alarm::Unreversible)),
            // Giving back is never too late: that is the earlier reversal's answer, heard twice.
            (ReversalOutcome::TooLate, Undoing::GivingBack | Undoing::ByHand)
            | (ReversalOutcome::Refused, Undoing::ByHand)
            | (ReversalOutcome::Unknown, _) => Commands::already(),
        }
    }

    fn refund_asked(&self, id: RefundId, money: Money) -> Commands {
        let Phase::Paid(_, consent, receipt, refunds) = &self.phase else {
            return Commands::misfit(Misfit::NotPaid);
        };
        if refunds.len() >= REFUNDS_MAX && refunds.iter().all(|refund| refund.id != id) {
            return Commands::misfit(Misfit::TooManyRefunds);
        }
        if let Some(known) = refunds.iter().find(|refund| refund.id == id) {
            if known.money == money
                && is_planted(Bug::RefundTwice)
                && let Ok(another) = RefundId::new(&format!("{id}+"))
            {
                return self.refund_asked(another, money);
            }
            return if known.money == money {
                Commands::already()
            } else {
                Commands::misfit(Misfit::SameKeyOtherData)
            };
        }
        let given_back = refunds
            .iter()
            .filter(|refund| refund.state != RefundState::Refused)
            .try_fold(money, |sum, refund| sum.plus(refund.money));
        let is_left = given_back.and_then(|sum| receipt.money.minus(sum)).is_some();
        if money.is_zero() || !(is_left || is_planted(Bug::RefundsUnbounded)) {
            return Commands::misfit(Misfit::MoreThanPaid);
        }
        Commands::taken()
            .record(Fact::RefundOwed(id, money))
            .then(Effect::Owe)
            .then(Effect::TellPayer(consent.claim.payer))
    }

    fn refund_said(&self, id: RefundId, outcome: RefundOutcome) -> Commands {
        let Phase::Paid(_, consent, _, refunds) = &self.phase else { return Commands::already() };
        if !refunds.iter().any(|refund| refund.id == id && refund.state == RefundState::Owed) {
            return Commands::already();
        }
        let fact = match outcome {
            RefundOutcome::Done => Fact::RefundDone(id),
            RefundOutcome::Refused => Fact::RefundRefused(id),
            RefundOutcome::Unknown => return Commands::already(),
        };
        Commands::taken().record(fact).then(Effect::TellTerminal).then(Effect::TellPayer(consent.claim.payer))
    }

    fn deadline_came(&self, now: Timestamp) -> Commands {
        if !self.wakes_at().is_some_and(|deadline| deadline.is_over(now)) {
            return Commands::already();
        }
        let answer_is_due = self.phase.order().is_some_and(|order| order.answer_by.is_over(now));
        match &self.phase {
            Phase::AwaitMerchant(order) => Self::turned_away(order, Refusal::Fault),
            Phase::AwaitPhone(_) => self.declined(Refusal::NoPhone),
            Phase::AwaitConfirmation(..) => self.declined(Refusal::NotConfirmed),
            Phase::AwaitPayment(..) if answer_is_due => self.undo(Refusal::NotPaidInTime),
            // The permit ran out, but the phone may have used it a moment before: ask, do not guess.
            Phase::AwaitPayment(_, _, attempt, _) if self.may_inquire() => {
                let doubted = Commands::taken().record(Fact::Doubted(*attempt));
                self.told(self.inquiring(doubted, *attempt))
            }
            Phase::AwaitPayment(..) => self.undo(Refusal::NotPaidInTime),
            Phase::InDoubt(_, _, attempt, ..) if !answer_is_due && self.may_inquire() => {
                self.inquiring(Commands::taken(), *attempt)
            }
            Phase::AwaitOutcome(..) | Phase::InDoubt(..) if is_planted(Bug::NoReversalAtDeadline) => {
                self.declined(Refusal::PlatformSilent)
            }
            Phase::AwaitPermit(..) | Phase::AwaitOutcome(..) | Phase::InDoubt(..) => {
                self.undo(Refusal::PlatformSilent)
            }
            _ => Commands::already(),
        }
    }

    fn given_up(&self) -> Commands {
        let ended = match &self.phase {
            Phase::AwaitMerchant(order) => Self::turned_away(order, Refusal::Fault),
            Phase::AwaitPhone(_) | Phase::AwaitConfirmation(..) => self.declined(Refusal::Fault),
            Phase::AwaitPermit(..)
            | Phase::AwaitPayment(..)
            | Phase::AwaitOutcome(..)
            | Phase::InDoubt(..) => self.undo(Refusal::Fault),
            _ => return Commands::already(),
        };
        ended.then(Effect::Raise(Alarm::GivenUp))
    }

    /// No, and no platform holds anything of it.
    fn declined(&self, refusal: Refusal) -> Commands {
        self.told(Commands::taken().record(Fact::Declined(refusal)).then(Effect::TellTerminal))
    }

    /// No, and whatever the platform did is to be undone.
    fn undo(&self, refusal: Refusal) -> Commands {
        let owed = Commands::taken().record(Fact::ReversalOwed(refusal));
        self.told(owed.then(Effect::TellTerminal).then(Effect::Owe))
    }

    fn told(&self, commands: Commands) -> Commands {
        match self.payer() {
            Some(payer) => commands.then(Effect::TellPayer(payer)),
            None => commands,
        }
    }
}
