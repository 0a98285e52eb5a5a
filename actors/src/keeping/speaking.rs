//! What leaves a keeper, and when: at once to a payer whose word is wanted, to all others when the disk has what it rests on.
//!
//! What was drawn up waits here in order, a group for each append. Nothing is decided, and nothing is written.
use super::kept::Kept;
use super::{Keeping, KeepingAsk};
use crate::domain::identity::{MerchantId, PaymentId};
use crate::domain::journal::Seq;
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::domain::payment::command::{Alarm, Effect};
use crate::domain::payment::phase::Phase;
use crate::merchant::MerchantAsk;
use crate::payment_tally::PaymentTally;
use crate::planted::{Bug, is_planted};
use crate::platform_errands::{ask_permit, inquire};
use crate::resident::{Desk, Resident};
use crate::world::World;

/// How many closed payments are kept at hand for the terminal's last look at them.
const CLOSED_MAX: usize = 2;

/// What is held back until the disk has what it rests on.
pub(super) enum Release {
    Effect(PaymentId, Effect),
    Speak(PaymentId),
    Do(Box<dyn FnOnce()>),
}

impl Keeping {
    /// Asks those whose word is wanted, without waiting for the disk; but for the claim of their phone: whoever stands at a
    /// terminal stands there durably.
    pub(super) fn ask_payers(&mut self, world: &World) {
        if self.asking.is_empty() {
            return;
        }
        let stands = world.journal.is_durable(self.claimed);
        for (id, payer) in self.asking.drain(..) {
            match self.kept.get_mut(&id) {
                Some(kept) if stands => kept.ask(payer, world),
                _ => self.drafted.extend([Release::Effect(id, Effect::TellPayer(payer)), Release::Speak(id)]),
            }
        }
    }

    /// Nobody waits for the disk where nothing is to be done once it is ready.
    pub(super) fn drop_what_says_nothing(&mut self) {
        let says_nothing = |release: &Release| match release {
            Release::Speak(id) => self.kept.get(id).is_some_and(|kept| !kept.has_something_to_say()),
            Release::Effect(..) | Release::Do(_) => false,
        };
        if self.drafted.iter().all(says_nothing) {
            self.drafted.clear();
        }
    }

    /// What leaves before the journal holds it, where a bug is planted.
    pub(super) fn leak<R>(&mut self, touched: &[PaymentId], desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        let asks = |release: &mut Release| {
            matches!(release, Release::Effect(_, Effect::AskPermit(_))) && is_planted(Bug::AskBeforeJournal)
        };
        for release in self.drafted.extract_if(.., asks).collect::<Vec<_>>() {
            if let Release::Effect(id, effect) = release {
                self.perform(id, &effect, desk);
            }
        }
        for id in touched.iter().filter(|_| is_planted(Bug::AnswerBeforeJournal)) {
            if let Some(kept) = self.kept.get_mut(id) {
                kept.speak(kept.seq, desk.world());
            }
        }
    }

    pub(super) fn watch<R>(&mut self, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        let journal = &desk.world().journal;
        while let Some(seq) = self.unspoken.front().map(|(seq, _)| *seq) {
            if journal.is_durable(seq) {
                self.release(seq, desk);
                continue;
            }
            if !self.watching {
                self.watching = true;
                let durable = journal.durable(seq);
                desk.run(async move {
                    durable.await;
                    KeepingAsk::Durable(seq).into()
                });
            }
            return;
        }
    }

    pub(super) fn release<R>(&mut self, durable: Seq, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        self.durable = self.durable.max(durable);
        while self.unspoken.front().is_some_and(|(seq, _)| *seq <= durable) {
            let Some((_, releases)) = self.unspoken.pop_front() else { return };
            for release in releases {
                match release {
                    Release::Effect(id, effect) => self.perform(id, &effect, desk),
                    Release::Speak(id) => self.speak(id, desk),
                    Release::Do(then) => then(),
                }
            }
        }
    }

    fn speak<R: Resident<World = World>>(&mut self, id: PaymentId, desk: &Desk<R>) {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.speak(self.durable, desk.world());
            if self.kept.len() > 1
                && is_planted(Bug::AnswerToAnother)
                && let Some(spoken) = self.kept.get(&id).map(|kept| kept.payment.clone())
            {
                self.kept.values_mut().for_each(|other| other.mistake_for(&spoken));
            }
            self.put_away(id);
        }
    }

    /// Lets go of the oldest closed payments: the journal has them.
    pub(super) fn put_away(&mut self, id: PaymentId) {
        let is_closed = |kept: &Kept| kept.payment.is_closed() && kept.seq <= self.durable;
        if !self.kept.get(&id).is_some_and(|kept| is_closed(kept)) || self.closed.contains(&id) {
            return;
        }
        self.closed.push_back(id);
        if self.closed.len() > CLOSED_MAX
            && let Some(oldest) = self.closed.pop_front()
            && self.kept.get(&oldest).is_some_and(|kept| kept.may_be_put_away(self.durable))
        {
            self.kept.remove(&oldest);
        }
    }

    fn perform<R>(&mut self, id: PaymentId, effect: &Effect, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        let Some(kept) = self.kept.get_mut(&id) else { return };
        match effect {
            Effect::AskPayer(payer) | Effect::TellPayer(payer) => kept.tell(*payer),
            Effect::TellTerminal => {}
            Effect::AskMerchant => ask_merchant(&kept.payment, desk),
            Effect::AskPermit(attempt) => ask_permit(&kept.payment, *attempt, desk),
            Effect::Inquire(attempt) => inquire(&kept.payment, *attempt, desk),
            Effect::Owe => kept.owe(),
            Effect::Raise(alarm) => raise(id, *alarm),
        }
    }
}

fn ask_merchant<R>(payment: &Payment, desk: &Desk<R>)
where
    R: Resident<World = World>,
    R::Ask: From<KeepingAsk>,
{
    let Phase::AwaitMerchant(order) = payment.phase() else { return };
    let (id, merchant, order): (PaymentId, MerchantId, Order) =
        (payment.id(), order.merchant, (**order).clone());
    let by = order.answer_by;
    let answer = desk
        .world()
        .rooms()
        .merchants
        .consult(merchant, by, move |reply| MerchantAsk::Admit(Box::new(order), reply));
    desk.run(async move { KeepingAsk::Admitted(id, answer.await.and_then(|admitted| admitted)).into() });
}

pub(super) fn raise(id: PaymentId, alarm: Alarm) {
    PaymentTally::get().raised(alarm);
    tracing::error!(payment = %id, ?alarm, "somebody has to look at this payment");
}
