//! The switch of the model: the machine behind a disk that lags, an outbox, and the rules that can be broken.
use super::{Ask, Batch, Broken, Call, Choice, Word, World, payment_outcome};
use crate::life::{TERMS, admission, order_of, receipt, relayed, till};
use actors::domain::order::Terms;
use actors::domain::outbox::DebtKind;
use actors::domain::payment::command::{Commands, Effect, Fact, Verdict};
use actors::domain::payment::event::Event;
use actors::domain::payment::invariants::{Said, Spoken};
use actors::domain::payment::outcome::{
    Effect as Undone, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::{Attempt, Digest32, Phase, Receipt};
use actors::domain::payment::{Outcome, Payment, Stamped};
use actors::domain::response_code::Refusal;
use actors::domain::time::Timestamp;
use std::sync::Arc;

/// The switch.
impl World {
    pub(super) fn order(&mut self) {
        let order = order_of(till(), "12.50");
        if self.live.is_none() {
            let (payment, commands) = Payment::open(order);
            self.take(payment, commands, None);
        } else {
            self.left.repeats = self.left.repeats.saturating_sub(1);
            self.step(Event::Repeated(order));
        }
    }

    pub(super) fn reversal(&mut self) {
        self.left.reversals = self.left.reversals.saturating_sub(1);
        if self.live.is_none() {
            let (payment, commands) = Payment::reverse_unseen(Self::id(), till());
            self.take(payment, commands, None);
        } else {
            self.step(Event::ReversalAsked);
        }
    }

    pub(super) fn merchant(&mut self, choice: Choice) {
        self.merchant_asked = false;
        let terms =
            Terms { attempts_max: self.plan.attempts_max, inquiries_max: self.plan.inquiries_max, ..TERMS };
        if choice == Choice::No {
            self.left.noes -= 1;
            self.step(Event::MerchantSaid(Err(Refusal::MerchantClosed)));
        } else {
            self.step(Event::MerchantSaid(Ok(admission(terms))));
        }
    }

    pub(super) fn present(&mut self, attempt: Attempt) {
        self.left.presents -= 1;
        let Some(payer) = self.live().and_then(Payment::payer) else { return };
        self.step(Event::Presented(payer, attempt, Digest32([9; 32])));
    }

    pub(super) fn step(&mut self, event: Event) {
        let Some(live) = self.live.take() else { return };
        let relay = match &event {
            Event::Presented(_, attempt, _) => Some(*attempt),
            _ => None,
        };
        let (payment, commands) = self.stepped((*live).clone(), event);
        let relay = relay.filter(|_| {
            commands.verdict == Verdict::Taken
                || (self.plan.broken == Some(Broken::PermitUsedTwice)
                    && matches!(payment.phase(), Phase::AwaitOutcome(..)))
        });
        self.take(payment, commands, relay);
    }

    /// The machine, or the machine with one of its rules broken.
    pub(super) fn stepped(&self, payment: Payment, event: Event) -> (Payment, Commands) {
        let now = self.now;
        let forged = |payment: Payment, facts: Vec<Fact>, effects: Vec<Effect>| {
            let after = facts.iter().try_fold(payment.clone(), |payment, fact| payment.after(now, fact));
            (after.unwrap_or(payment), Commands { facts, effects, verdict: Verdict::Taken })
        };
        let settled = |receipt: &Receipt| (vec![Fact::Settled(receipt.clone())], vec![Effect::TellTerminal]);
        match (self.plan.broken, &event, payment.phase()) {
            (Some(Broken::DeadlineIgnored), Event::DeadlineCame, _) => {
                forged(payment, Vec::new(), Vec::new())
            }
            (
                Some(Broken::LateYesApproves),
                Event::PaymentSaid(_, PaymentOutcome::Approved(yes)),
                Phase::Reversing(..),
            ) => {
                let before: Vec<Stamped> = self
                    .durable
                    .iter()
                    .filter(|stamped| !matches!(stamped.fact, Fact::ReversalOwed(_)))
                    .cloned()
                    .collect();
                let earlier = Payment::folded(Self::id(), &before).ok().flatten().unwrap_or(payment);
                let (facts, effects) = settled(yes);
                forged(earlier, facts, effects)
            }
            (
                Some(Broken::LieBelieved),
                Event::PaymentSaid(_, PaymentOutcome::Approved(yes)),
                Phase::AwaitOutcome(..),
            ) => {
                let (facts, effects) = settled(yes);
                forged(payment, facts, effects)
            }
            (Some(Broken::RepeatOpensAnew), Event::Repeated(order), _) => Payment::open(order.clone()),
            (
                Some(Broken::SilenceIsANo),
                Event::PaymentSaid(attempt, PaymentOutcome::Unknown),
                Phase::AwaitOutcome(..),
            ) => payment
                .step(now, Event::PaymentSaid(*attempt, PaymentOutcome::Failed(Failure::WrongCredentials))),
            (Some(Broken::RefundsUnchecked), Event::RefundAsked(id, money), Phase::Paid(..)) => {
                forged(payment, vec![Fact::RefundOwed(*id, *money)], vec![Effect::Owe])
            }
            (Some(Broken::PermitAskedBeforeTheYes), Event::PhoneCame(_), Phase::AwaitPhone(_)) => {
                let (payment, mut commands) = payment.step(now, event);
                commands.effects.push(Effect::AskPermit(Attempt::FIRST));
                (payment, commands)
            }
            _ => payment.step(now, event),
        }
    }

    pub(super) fn take(&mut self, payment: Payment, commands: Commands, relay: Option<Attempt>) {
        let facts = commands.facts.into_iter().map(|fact| Stamped { at: self.now, fact }).collect();
        let mut batch = Batch { facts, effects: commands.effects, relay, payment: payment.clone() };
        self.ask_phone(&payment, &batch.effects);
        self.live = Some(Arc::new(payment));
        if self.plan.broken == Some(Broken::SpeaksBeforeTheDisk) {
            let effects = std::mem::take(&mut batch.effects);
            self.release(&effects, batch.relay.take(), &batch.payment.clone());
        }
        if batch.facts.is_empty() && batch.effects.is_empty() && batch.relay.is_none() {
            return;
        }
        self.pending.push_back(Arc::new(batch));
        if self.pending.iter().all(|batch| batch.facts.is_empty()) {
            while !self.pending.is_empty() {
                self.flush();
            }
        }
    }

    /// A phone is asked, and shown a permit, before the disk has it. It may be told again later, and learns nothing by it.
    fn ask_phone(&mut self, payment: &Payment, effects: &[Effect]) {
        if !effects.iter().any(|effect| matches!(effect, Effect::AskPayer(_) | Effect::TellPayer(_))) {
            return;
        }
        match payment.phase() {
            Phase::AwaitConfirmation(_, claim, _) => _ = self.phones.asked.insert(claim.epoch),
            Phase::AwaitPayment(_, _, attempt, _) => _ = self.phones.permits.insert(*attempt),
            _ => {}
        }
    }

    pub(super) fn flush(&mut self) {
        let Some(batch) = self.pending.pop_front() else { return };
        Arc::make_mut(&mut self.durable).extend(batch.facts.iter().cloned());
        self.release(&batch.effects, batch.relay, &batch.payment);
    }

    pub(super) fn release(&mut self, effects: &[Effect], relay: Option<Attempt>, payment: &Payment) {
        for effect in effects {
            match effect {
                Effect::AskMerchant => self.merchant_asked = true,
                Effect::AskPermit(attempt) => {
                    self.ask(Ask::Permit(*attempt), Some(Said::PermitAsked(*attempt)));
                }
                Effect::Inquire(attempt) => self.ask(Ask::Inquire(*attempt), None),
                Effect::Owe if self.plan.broken == Some(Broken::DebtForgotten) => {}
                Effect::Owe => self.owe(payment),
                Effect::TellTerminal => self.tell_terminal(payment.outcome()),
                Effect::AskPayer(_) | Effect::TellPayer(_) => {}
                Effect::Raise(alarm) => self.alarms.push(*alarm),
            }
        }
        if let Some(attempt) = relay {
            self.ask(Ask::Pay(attempt), Some(Said::CredentialRelayed(attempt)));
        }
    }

    pub fn tell_terminal(&mut self, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            self.say(Said::TerminalTold(outcome));
        }
    }

    pub(super) fn say(&mut self, said: Said) {
        let spoken = Spoken { after: self.durable.len(), said };
        if self.spoken.last() != Some(&spoken) || !matches!(spoken.said, Said::TerminalTold(_)) {
            Arc::make_mut(&mut self.spoken).push(spoken);
        }
    }

    pub(super) fn ask(&mut self, ask: Ask, said: Option<Said>) {
        if let Some(said) = said {
            self.say(said);
        }
        self.calls.push(Call { ask, heard: None });
    }

    pub(super) fn owe(&mut self, payment: &Payment) {
        self.outbox = payment.debts().iter().map(|debt| debt.kind).collect();
        self.outbox.retain(|kind| {
            *kind != DebtKind::ByHand && !self.calls.iter().any(|call| call.ask == Ask::Owed(*kind))
        });
    }

    /// The process dies and starts again: the facts on disk are all it knows; the outbox folds its debts from them.
    pub(super) fn crash(&mut self) {
        self.left.crashes -= 1;
        self.pending.clear();
        self.merchant_asked = false;
        let calls = std::mem::take(&mut self.calls);
        for call in calls.into_iter().filter(|call| call.heard.is_none()) {
            self.is_late(call.ask);
        }
        self.late.sort();
        self.outbox.clear();
        self.rebuild();
        if !self.forgets_debts_on_restart()
            && let Some(payment) = self.live.clone()
        {
            self.owe(&payment);
        }
    }

    /// It may still reach the platform. A question alone changes nothing there.
    pub(super) fn is_late(&mut self, ask: Ask) {
        if !matches!(ask, Ask::Inquire(_)) {
            self.late.push(ask);
        }
    }

    /// The keeper dies alone: what it appended becomes durable, what it meant to do then is forgotten.
    pub(super) fn panic(&mut self) {
        self.left.panics -= 1;
        for batch in std::mem::take(&mut self.pending) {
            Arc::make_mut(&mut self.durable).extend(batch.facts.iter().cloned());
        }
        self.merchant_asked = false;
        self.rebuild();
    }

    pub(super) fn rebuild(&mut self) {
        self.live = None;
        match Payment::recover(Self::id(), self.now, &self.durable) {
            Ok(None) => {}
            Ok(Some((payment, mut commands))) => {
                let forgets = self.forgets_debts_on_restart();
                commands.effects.retain(|effect| !(forgets && *effect == Effect::Owe));
                self.take(payment, commands, None);
            }
            Err(_) => self.ruined = true,
        }
    }

    fn forgets_debts_on_restart(&self) -> bool {
        matches!(self.plan.broken, Some(Broken::DebtForgotten | Broken::DebtForgottenOnRestart))
    }
}

/// What the switch hears from the platform.
impl World {
    pub(super) fn hear(&mut self, ask: Ask, word: Word) {
        match ask {
            Ask::Permit(attempt) => {
                let outcome = match word {
                    Word::Yes => PermitOutcome::Granted(relayed(self.permitted_at(attempt), attempt)),
                    Word::Nothing => PermitOutcome::Unknown,
                    _ => PermitOutcome::Refused(Refusal::NotPermitted),
                };
                self.step(Event::PermitSaid(attempt, outcome));
            }
            Ask::Pay(attempt) => self.step(Event::PaymentSaid(attempt, payment_outcome(word))),
            Ask::Inquire(attempt) => {
                let outcome = match word {
                    Word::Yes => InquiryOutcome::Paid(receipt("12.50")),
                    Word::No => InquiryOutcome::Failed(Failure::WrongCredentials),
                    Word::Pending => InquiryOutcome::Pending,
                    Word::Gone => InquiryOutcome::Undone,
                    Word::NeverSeen => InquiryOutcome::NeverSeen,
                    _ => InquiryOutcome::Unknown,
                };
                self.step(Event::InquirySaid(attempt, outcome));
            }
            Ask::Owed(kind) => self.hear_of_debt(kind, word),
        }
    }

    pub(super) fn hear_of_debt(&mut self, kind: DebtKind, word: Word) {
        if let DebtKind::Refund(id) = kind {
            let outcome = match word {
                Word::Yes => RefundOutcome::Done,
                Word::Nothing => RefundOutcome::Unknown,
                _ => RefundOutcome::Refused,
            };
            self.step(Event::RefundSaid(id, outcome));
        } else {
            let outcome = match word {
                Word::Yes => ReversalOutcome::Acknowledged(Undone::Undone),
                Word::Pending | Word::Gone => ReversalOutcome::Acknowledged(Undone::NothingToUndo),
                Word::TooLate => ReversalOutcome::TooLate,
                Word::Nothing => ReversalOutcome::Unknown,
                _ => ReversalOutcome::Refused,
            };
            self.step(Event::ReversalSaid(outcome));
        }
        // The outbox tries again what is still owed.
        let still_owed =
            self.live().is_some_and(|payment| payment.debts().iter().any(|debt| debt.kind == kind));
        if still_owed && word == Word::Nothing && !self.outbox.contains(&kind) {
            self.outbox.push(kind);
        }
    }

    pub(super) fn not_sent(&mut self, ask: Ask) {
        match ask {
            Ask::Permit(attempt) => self.step(Event::PermitSaid(attempt, PermitOutcome::NotSent)),
            Ask::Pay(attempt) => self.step(Event::PaymentSaid(attempt, PaymentOutcome::NotSent)),
            other => self.hear(other, Word::Nothing),
        }
    }

    pub(super) fn called_back(&mut self, at: usize, choice: Choice) {
        let (attempt, word) = self.platform.callbacks[at];
        if choice == Choice::No {
            self.left.doubled -= 1;
        } else {
            self.platform.callbacks.remove(at);
        }
        // The keeper is woken for a callback if it sleeps; before there is anything to wake it is turned away.
        self.step(Event::PaymentSaid(attempt, payment_outcome(word)));
    }

    pub(super) fn permitted_at(&self, attempt: Attempt) -> Timestamp {
        self.platform.permits.iter().find(|(held, _)| *held == attempt).map_or(self.now, |(_, at)| *at)
    }
}
