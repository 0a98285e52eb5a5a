//! The actor of one terminal: its binding to a phone, the payments it asked for and its book, whatever its connections.
//!
//! The payments are kept by `keeping`; here phone and payment find each other, in either order. A claim lives until
//! its payment is decided. What a claim is, is `domain::binding`'s to say; what a book is, `domain::till`'s.
use crate::answer::{Fault, Reply};
use crate::domain::binding::{Binding, BindingFact, Taken};
use crate::domain::identity::{Keeper, PayerId, PaymentId, TerminalId};
use crate::domain::journal::{Entry, Recorded, Seq, Subject};
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::domain::payment::event::Event;
use crate::domain::payment::phase::{Claim, Phase};
use crate::domain::till::keys::{KeyGeneration, KeyRequest, WorkingKeys};
use crate::domain::till::{Settled, Settlement, TillBook, Unsettled};
use crate::domain::time::{Deadline, Timestamp};
use crate::keeping::{BUSY_WAIT, Keeping, KeepingAsk};
use crate::planted::{Bug, is_planted};
use crate::ports::journal::Room;
use crate::report::{Report, Until};
use crate::resident::{Desk, Resident, WakeFault};
use crate::world::World;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// A terminal's session.
pub struct TerminalSession {
    terminal: TerminalId,
    binding: Binding,
    book: TillBook,
    keeping: Keeping,
}

/// What a session hears.
#[derive(Debug)]
pub enum SessionAsk {
    /// About a payment it keeps.
    Keeping(KeepingAsk),
    /// The terminal asks for money.
    Place(Box<Order>, Until, Reply<Option<Report>>),
    /// The terminal takes back what it asked for under a key of its own, seen or not.
    Reverse(PaymentId, Reply<Option<Report>>),
    /// The terminal asked for money and could not be answered: nothing undecided of it is to stay.
    GiveUp(Box<Order>, Reply<Option<Report>>),
    /// A phone claims the terminal.
    Claim(PayerId, Reply<Result<Granted, Taken>>),
    /// The phone of a round leaves; it is told when it has left, if it wants to know.
    Leave(Claim, Option<Reply<()>>),
    /// The terminal sends the phone away that stands there.
    Clear(Reply<Cleared>),
    /// Who stands there?
    Look(Reply<Standing>),
    /// What does its book say, and up to where can be counted now?
    Till(Reply<TillStanding>),
    /// Which working keys may it hold?
    WorkingKeys(Reply<WorkingKeys>),
    /// New keys are asked for in its name, and these are there: which is it handed?
    Rekey(KeyRequest, KeyGeneration, Reply<KeyGeneration>),
    /// It proved a message under these keys.
    KeysProven(KeyGeneration, Reply<WorkingKeys>),
    /// Its totals were counted.
    Settle(Box<Settlement>, Reply<Result<Settled, Unsettled>>),
    /// Nothing: it is to be awake, and look after what a restart cut.
    WakeUp,
}

/// A claim that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The claim.
    pub claim: Claim,
    /// Until when, if nothing comes of it.
    pub until: Deadline,
}

/// The terminal's place is free, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared;

/// Who stands at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The count of rounds so far.
    pub epoch: u64,
    /// The claim that stands, and until when.
    pub holder: Option<Granted>,
}

/// A terminal's book, and up to where can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TillStanding {
    /// The book.
    pub book: TillBook,
    /// Everything that became true of its payments up to this instant has been appended, and nothing more will be.
    pub upto: Timestamp,
    /// And not behind this place.
    pub end: Seq,
}

impl From<KeepingAsk> for SessionAsk {
    fn from(ask: KeepingAsk) -> Self {
        Self::Keeping(ask)
    }
}

impl Resident for TerminalSession {
    type Key = TerminalId;
    type Ask = SessionAsk;
    type World = World;
    const KIND: &'static str = "terminal";

    fn wake(terminal: TerminalId, world: &Arc<World>) -> LocalBoxFuture<'static, Result<Self, WakeFault>> {
        let latest = world.journal.latest(Subject::Terminal(terminal));
        let book = world.journal.latest(Subject::Till(terminal));
        let kept = world.journal.kept_by(Keeper::Terminal(terminal));
        let (clock, suspects) = (Arc::clone(&world.clock), Arc::clone(&world.suspects));
        Box::pin(async move {
            let latest = latest.await.map_err(|_| WakeFault::Unavailable)?;
            let binding = latest
                .as_ref()
                .and_then(binding_fact)
                .filter(|_| !is_planted(Bug::EpochForgotten))
                .map_or_else(Binding::default, |fact| Binding::default().after(fact));
            let book = book.await.map_err(|_| WakeFault::Unavailable)?;
            let book = book.and_then(book_of).unwrap_or_default();
            let keeping = Keeping::rebuilt(Keeper::Terminal(terminal), clock.now(), kept.await, suspects);
            Ok(Self { terminal, binding, book, keeping })
        })
    }

    fn hear(&mut self, now: Timestamp, ask: SessionAsk, desk: &Desk<Self>) {
        self.keeping.resume();
        match ask {
            SessionAsk::Keeping(ask) => {
                if let Some(id) = self.keeping.hear(now, ask, desk) {
                    self.look_after(now, id, desk);
                }
            }
            SessionAsk::Place(order, until, reply) => {
                self.keeping.place(now, *order, until, reply, desk);
            }
            SessionAsk::Reverse(id, reply) => {
                self.keeping.reverse(now, id, reply, desk);
                self.look_after(now, id, desk);
            }
            SessionAsk::GiveUp(order, reply) => {
                let id = order.payment();
                self.keeping.give_up(now, *order, reply, desk);
                self.look_after(now, id, desk);
            }
            SessionAsk::Claim(payer, reply) => self.claim(now, payer, reply, desk),
            SessionAsk::Leave(claim, reply) => {
                self.leave(now, claim, desk);
                self.keeping.when_durable(move || reply.into_iter().for_each(|reply| reply.send(())));
            }
            SessionAsk::Clear(reply) => {
                let shown: Vec<Claim> = self.shown().map(|(claim, _)| claim).collect();
                for claim in self.binding.holder(now).into_iter().chain(shown) {
                    self.leave(now, claim, desk);
                }
                self.keeping.when_durable(move || reply.send(Cleared));
            }
            SessionAsk::Look(reply) => {
                let standing = self.standing(now);
                self.keeping.when_durable(move || reply.send(standing));
            }
            SessionAsk::Till(reply) => {
                let standing = self.till_standing(now, desk);
                self.keeping.when_durable(move || reply.send(standing));
            }
            SessionAsk::WorkingKeys(reply) => {
                let keys = self.book.keys();
                self.keeping.when_durable(move || reply.send(keys));
            }
            SessionAsk::Rekey(request, new, reply) => {
                let (handed, changed) = self.book.rekeyed(request, new);
                self.rewrite(changed, handed, reply, desk);
            }
            SessionAsk::KeysProven(generation, reply) => {
                let changed = self.book.keys_proven(generation);
                let keys = changed.as_ref().unwrap_or(&self.book).keys();
                self.rewrite(changed, keys, reply, desk);
            }
            SessionAsk::Settle(asked, reply) => self.settle(*asked, reply, desk),
            SessionAsk::WakeUp => {}
        }
        self.keeping.commit(now, desk);
    }

    fn ring(&mut self, now: Timestamp, desk: &Desk<Self>) {
        self.keeping.resume();
        self.keeping.ring(now);
        self.look_after_all(now, desk);
        self.keeping.commit(now, desk);
    }

    fn wakes_at(&self) -> Option<Deadline> {
        self.keeping.wakes_at()
    }

    fn may_sleep(&self) -> bool {
        self.keeping.may_sleep()
    }
}

impl TerminalSession {
    /// Phone and payment find each other; and a round ends with its payment.
    fn look_after(&mut self, now: Timestamp, id: PaymentId, desk: &Desk<Self>) {
        let Some(payment) = self.keeping.payment(id) else { return };
        if payment.is_decided() {
            if let Some(claim) = payment.phase().claim() {
                self.end_round(claim.epoch, desk);
            }
        } else if matches!(payment.phase(), Phase::AwaitPhone(_))
            && let Some(holder) = self.binding.holder(now)
        {
            self.keeping.step(now, id, Event::PhoneCame(holder));
        }
    }

    fn look_after_all(&mut self, now: Timestamp, desk: &Desk<Self>) {
        let kept: Vec<PaymentId> = self.keeping.payments().map(Payment::id).collect();
        for id in kept {
            self.look_after(now, id, desk);
        }
    }

    fn claim(
        &mut self,
        now: Timestamp,
        payer: PayerId,
        reply: Reply<Result<Granted, Taken>>,
        desk: &Desk<Self>,
    ) {
        let claimed = self.binding.claim(now, payer, desk.world().rules.binding_lasts);
        match (claimed, self.asked_of_another(now, payer)) {
            (Ok((claim, fact)), None) => self.grant(now, claim, fact, reply, desk),
            (Ok(_), Some(until)) => self.keeping.when_durable(move || reply.send(Err(Taken { until }))),
            (Err(taken), asked) => {
                let until = asked.map_or(taken.until, |until| until.max(taken.until));
                self.keeping.when_durable(move || reply.send(Err(Taken { until })));
            }
        }
    }

    fn grant(
        &mut self,
        now: Timestamp,
        claim: Claim,
        fact: BindingFact,
        reply: Reply<Result<Granted, Taken>>,
        desk: &Desk<Self>,
    ) {
        self.record(fact);
        self.look_after_all(now, desk);
        let Some(until) = self.binding.until(now) else { return };
        let (terminal, bindings) = (self.terminal, Arc::clone(&desk.world().bindings));
        self.keeping.when_durable(move || {
            reply.send(Ok(Granted { claim, until }));
            let stored = bindings.bind(terminal, claim, until);
            actix_rt::spawn(async move {
                if let Err(fault) = stored.await {
                    tracing::warn!(%fault, "a binding is found the slow way");
                }
            });
        });
    }

    /// A payment that is being shown to another payer keeps the terminal for as long as that one may think.
    fn asked_of_another(&self, now: Timestamp, payer: PayerId) -> Option<Deadline> {
        self.shown().find(|(shown, by)| shown.payer != payer && !by.is_over(now)).map(|(_, by)| by)
    }

    /// The claims under which payments await a yes, and until when.
    fn shown(&self) -> impl Iterator<Item = (Claim, Deadline)> {
        self.keeping.payments().filter_map(|payment| match payment.phase() {
            Phase::AwaitConfirmation(_, shown, by) => Some((*shown, *by)),
            _ => None,
        })
    }

    /// Whoever leaves takes along what was shown in this round or an earlier one, whether or not the claim has run out.
    fn leave(&mut self, now: Timestamp, claim: Claim, desk: &Desk<Self>) {
        self.end_round(claim.epoch, desk);
        let leaves = |shown: &Claim| shown.payer == claim.payer && shown.epoch <= claim.epoch;
        let epochs: Vec<u64> =
            self.shown().map(|(shown, _)| shown).filter(leaves).map(|shown| shown.epoch).collect();
        let kept: Vec<PaymentId> = self.keeping.payments().map(Payment::id).collect();
        for epoch in epochs {
            for id in &kept {
                self.keeping.step(now, *id, Event::PhoneLeft { epoch });
            }
        }
    }

    fn end_round(&mut self, epoch: u64, desk: &Desk<Self>) {
        let Some(fact) = self.binding.release(epoch) else { return };
        self.record(fact);
        let (terminal, bindings) = (self.terminal, Arc::clone(&desk.world().bindings));
        self.keeping.when_durable(move || {
            let released = bindings.release(terminal, epoch);
            actix_rt::spawn(async move {
                if let Err(fault) = released.await {
                    tracing::warn!(%fault, "a binding that ended is found until it runs out");
                }
            });
        });
    }

    fn record(&mut self, fact: BindingFact) {
        self.binding = self.binding.after(&fact);
        self.keeping.also_record(Entry::Binding(self.terminal, fact));
    }

    /// What happens at this very instant may yet go on, so counting ends just before it. What happened earlier has been
    /// appended: this terminal's facts are all appended here, in order.
    fn till_standing(&self, now: Timestamp, desk: &Desk<Self>) -> TillStanding {
        let upto = Timestamp::from_micros(now.micros().saturating_sub(1));
        TillStanding { book: self.book.clone(), upto, end: desk.world().journal.end() }
    }

    fn settle(&mut self, asked: Settlement, reply: Reply<Result<Settled, Unsettled>>, desk: &Desk<Self>) {
        let answer = self.book.settle(asked);
        let (answer, changed) = match answer {
            Ok((settled, changed)) => (Ok(settled), changed),
            Err(unsettled) => (Err(unsettled), None),
        };
        self.rewrite(changed, answer, reply, desk);
    }

    /// Answers when the book that changed, if it did, is on disk.
    fn rewrite<T: Send + 'static>(
        &mut self,
        changed: Option<TillBook>,
        answer: T,
        reply: Reply<T>,
        desk: &Desk<Self>,
    ) {
        match self.write_book(changed, desk) {
            Ok(()) => self.keeping.when_durable(move || reply.send(answer)),
            Err(fault) => reply.refuse(fault),
        }
    }

    fn write_book(&mut self, changed: Option<TillBook>, desk: &Desk<Self>) -> Result<(), Fault> {
        let Some(book) = changed else { return Ok(()) };
        if desk.world().journal.room() == Room::ReserveOnly {
            return Err(Fault::Overloaded { retry_after: BUSY_WAIT });
        }
        self.book = book.clone();
        self.keeping.also_record(Entry::Till(self.terminal, book));
        Ok(())
    }

    fn standing(&self, now: Timestamp) -> Standing {
        let granted = |claim| self.binding.until(now).map(|until| Granted { claim, until });
        Standing { epoch: self.binding.epoch(), holder: self.binding.holder(now).and_then(granted) }
    }
}

fn binding_fact(recorded: &Recorded) -> Option<&BindingFact> {
    match &recorded.entry {
        Entry::Binding(_, fact) => Some(fact),
        Entry::Payment(..) | Entry::Till(..) => None,
    }
}

fn book_of(recorded: Recorded) -> Option<TillBook> {
    match recorded.entry {
        Entry::Till(_, book) => Some(book),
        Entry::Payment(..) | Entry::Binding(..) => None,
    }
}
