//! The actor of one payer: what awaits the payer's word, the phones that listen, the place where the phone stands.
//!
//! It forwards what the phone says to the keeper of the payment, and only for payments on this payer's list: a phone
//! reaches nobody else's. It decides nothing about payments; one phone stands at one terminal.
use crate::answer::Reply;
use crate::domain::binding::Taken;
use crate::domain::identity::{Keeper, PayerId, PaymentId, TerminalId};
use crate::domain::payer::{Card, Missed, Wallet};
use crate::domain::payment::Stamped;
use crate::domain::payment::command::Fact;
use crate::domain::payment::phase::Claim;
use crate::domain::time::{Deadline, Timestamp};
use crate::keeping::KeepingAsk;
use crate::one_time_code::{CodeVerdict, OneTimeCode};
use crate::report::Told;
use crate::resident::{Desk, Resident, WakeFault};
use crate::terminal_session::{Granted, SessionAsk};
use crate::world::World;
use futures_util::future::LocalBoxFuture;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How many phones of one payer may listen; the longest listening gives way.
const LISTENERS_MAX: usize = 4;
/// How many changes may wait for one slow phone before it is told to fetch the list.
const LISTENER_QUEUE: usize = 16;

/// A payer's actor.
pub struct Payer {
    id: PayerId,
    incarnation: u64,
    wallet: Wallet,
    listeners: VecDeque<mpsc::Sender<Change>>,
    place: Option<(TerminalId, Claim)>,
    code: Option<OneTimeCode>,
}

/// What a payer's actor hears.
#[derive(Debug)]
pub enum PayerAsk {
    /// A payment of this payer is now so.
    Changed(Box<Card>),
    /// A payment went on without this payer.
    Gone(PaymentId),
    /// The phone says something to a payment, or looks at it.
    Tell(Told),
    /// The list.
    List(Reply<Vec<Card>>),
    /// A phone listens; it last saw this.
    Listen(Option<EventNumber>, Reply<Listening>),
    /// The phone claims a terminal.
    Bind(TerminalId, Reply<Result<Granted, Taken>>),
    /// The terminal granted the claim.
    Bound(TerminalId, Claim),
    /// Where does the phone stand?
    Place(Reply<Option<(TerminalId, Claim)>>),
    /// The phone leaves where it stands.
    Leave(Reply<()>),
    /// A one-time code was sent; it is remembered as a digest.
    Expect(OneTimeCode),
    /// Somebody says it is this code.
    Check(Box<str>, Reply<CodeVerdict>),
}

/// The number of a change, good for one incarnation of the actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventNumber {
    /// Which incarnation.
    pub incarnation: u64,
    /// Which change of it.
    pub number: u64,
}

/// Something a listening phone is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A payment is now so.
    Payment(EventNumber, Box<Card>),
    /// Too much was missed, or a payment left the list: fetch it.
    Resync(EventNumber),
}

/// A phone that listens.
#[derive(Debug)]
pub struct Listening {
    /// What was missed, to be told first.
    pub missed: Vec<Change>,
    /// What comes.
    pub changes: mpsc::Receiver<Change>,
}

impl Resident for Payer {
    type Key = PayerId;
    type Ask = PayerAsk;
    type World = World;
    const KIND: &'static str = "payer";

    fn wake(id: PayerId, world: &Arc<World>) -> LocalBoxFuture<'static, Result<Self, WakeFault>> {
        let open = world.journal.involving(id);
        let place = world.bindings.of(world.clock.now(), id);
        let incarnation = world.clock.now().micros();
        Box::pin(async move {
            let cards = open.await.into_iter().map(|life| Card {
                last_failure: life.facts.iter().fold(None, last_failure),
                payment: life.payment,
            });
            let wallet = Wallet::holding(cards);
            let place = place.await.ok().flatten();
            let place = place.map(|(terminal, epoch)| (terminal, Claim { payer: id, epoch }));
            Ok(Self { id, incarnation, wallet, listeners: VecDeque::new(), place, code: None })
        })
    }

    fn hear(&mut self, now: Timestamp, ask: PayerAsk, desk: &Desk<Self>) {
        match ask {
            PayerAsk::Changed(card) => self.changed(*card),
            PayerAsk::Gone(payment) => self.gone(payment),
            PayerAsk::Tell(told) => self.forward(told, desk),
            PayerAsk::List(reply) => reply.send(self.wallet.cards().cloned().collect()),
            PayerAsk::Listen(seen, reply) => self.listen(seen, reply),
            PayerAsk::Bind(terminal, reply) => self.bind(terminal, reply, desk),
            PayerAsk::Bound(terminal, claim) => self.bound(terminal, claim, desk),
            PayerAsk::Place(reply) => reply.send(self.place),
            PayerAsk::Leave(reply) => {
                self.leave(desk);
                reply.send(());
            }
            PayerAsk::Expect(code) => self.code = Some(code),
            PayerAsk::Check(code, reply) => reply.send(self.check(now, &code)),
        }
    }

    fn ring(&mut self, _: Timestamp, _: &Desk<Self>) {}

    fn wakes_at(&self) -> Option<Deadline> {
        None
    }

    fn may_sleep(&self) -> bool {
        self.listeners.iter().all(mpsc::Sender::is_closed) && self.wallet.is_quiet() && self.code.is_none()
    }
}

impl Payer {
    fn changed(&mut self, card: Card) {
        if self.place.is_some_and(|(_, claim)| {
            card.payment.outcome().is_some() && card.payment.phase().claim() == Some(claim)
        }) {
            self.place = None;
        }
        let number = self.wallet.take_in(card.clone());
        let number = self.numbered(number);
        self.tell_listeners(&Change::Payment(number, Box::new(card)));
    }

    fn gone(&mut self, payment: PaymentId) {
        if self.wallet.remove(payment).is_some() {
            let number = self.numbered(self.wallet.last());
            self.tell_listeners(&Change::Resync(number));
        }
    }

    fn tell_listeners(&mut self, change: &Change) {
        // A phone that does not keep up is cut off: it comes back with the number it last saw.
        self.listeners.retain(|listener| listener.try_send(change.clone()).is_ok());
    }

    fn forward(&self, told: Told, desk: &Desk<Self>) {
        let keeper = self.wallet.card(told.payment).map(|card| card.payment.keeper());
        match keeper {
            Some(Keeper::Terminal(terminal)) => {
                let ask = SessionAsk::Keeping(KeepingAsk::Tell(told));
                desk.world().rooms().sessions.post(terminal, ask);
            }
            Some(Keeper::Payer(_)) | None => {
                if let Some(reply) = told.reply {
                    reply.send(None);
                }
            }
        }
    }

    fn listen(&mut self, seen: Option<EventNumber>, reply: Reply<Listening>) {
        let (listener, changes) = mpsc::channel(LISTENER_QUEUE);
        self.listeners.retain(|listener| !listener.is_closed());
        if self.listeners.len() >= LISTENERS_MAX {
            self.listeners.pop_front();
        }
        self.listeners.push_back(listener);
        reply.send(Listening { missed: self.missed(seen), changes });
    }

    fn missed(&self, seen: Option<EventNumber>) -> Vec<Change> {
        let resync = || vec![Change::Resync(self.numbered(self.wallet.last()))];
        let Some(seen) = seen.filter(|seen| seen.incarnation == self.incarnation) else { return resync() };
        match self.wallet.since(seen.number) {
            Missed::TooMuch => resync(),
            Missed::Changes(changes) => changes
                .into_iter()
                .filter_map(|(number, id)| {
                    let card = self.wallet.card(id)?.clone();
                    Some(Change::Payment(self.numbered(number), Box::new(card)))
                })
                .collect(),
        }
    }

    const fn numbered(&self, number: u64) -> EventNumber {
        EventNumber { incarnation: self.incarnation, number }
    }

    fn bind(&self, terminal: TerminalId, reply: Reply<Result<Granted, Taken>>, desk: &Desk<Self>) {
        let (payer, by) = (self.id, reply.deadline());
        let sessions = &desk.world().rooms().sessions;
        let granted = sessions.consult(terminal, by, move |reply| SessionAsk::Claim(payer, reply));
        let back = desk.clone();
        actix_rt::spawn(async move {
            match granted.await {
                Ok(answer) => {
                    if let Ok(granted) = &answer {
                        back.tell_self(PayerAsk::Bound(terminal, granted.claim));
                    }
                    reply.send(answer);
                }
                Err(fault) => reply.refuse(fault),
            }
        });
    }

    /// One phone stands at one terminal: the newer claim ends the older one.
    fn bound(&mut self, terminal: TerminalId, claim: Claim, desk: &Desk<Self>) {
        let before = self.place.replace((terminal, claim));
        if let Some((left, old)) = before.filter(|(left, _)| *left != terminal) {
            desk.world().rooms().sessions.post(left, SessionAsk::Leave(old));
        }
    }

    fn leave(&mut self, desk: &Desk<Self>) {
        if let Some((terminal, claim)) = self.place.take() {
            desk.world().rooms().sessions.post(terminal, SessionAsk::Leave(claim));
        }
    }

    fn check(&mut self, now: Timestamp, code: &str) -> CodeVerdict {
        let Some(expected) = self.code.take() else { return CodeVerdict::Wrong };
        let (verdict, left) = expected.check(now, self.id, code);
        self.code = left;
        verdict
    }
}

fn last_failure(
    before: Option<crate::domain::payment::outcome::Failure>,
    stamped: &Stamped,
) -> Option<crate::domain::payment::outcome::Failure> {
    match &stamped.fact {
        Fact::AttemptFailed(_, failure, _) => Some(*failure),
        _ => before,
    }
}
