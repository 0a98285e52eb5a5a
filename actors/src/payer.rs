//! The actor of one payer: what awaits the payer's word, the phones that listen, the place where the phone stands.
//!
//! It forwards what the phone says to the keeper of the payment, and only for payments on this payer's list: a phone
//! reaches nobody else's. It decides nothing about payments; one phone stands at one terminal.
use crate::answer::{Fault, Reply};
use crate::domain::binding::Taken;
use crate::domain::identity::{Keeper, PayerId, PaymentId, TerminalId};
use crate::domain::payer::{Card, Missed, Wallet};
use crate::domain::payment::Stamped;
use crate::domain::payment::command::Fact;
use crate::domain::payment::outcome::Failure;
use crate::domain::payment::phase::Claim;
use crate::domain::time::{Deadline, Timestamp};
use crate::keeping::KeepingAsk;
use crate::one_time_code::{CodeVerdict, OneTimeCode};
use crate::report::{Told, Until};
use crate::resident::{Desk, Resident, WakeFault};
use crate::terminal_session::{Granted, SessionAsk};
use crate::world::World;
use futures_util::future::LocalBoxFuture;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many phones of one payer may listen; the longest listening gives way.
const LISTENERS_MAX: usize = 4;
/// How many changes may wait for one slow phone before it is told to fetch the list.
const LISTENER_QUEUE: usize = 16;

/// How long after a payment's deadline its keeper is asked what became of it.
const OVERDUE_AFTER: Duration = Duration::from_secs(2);
/// How long until it is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(15);
/// How long a keeper may take to show a payment.
const KEEPER_WITHIN: Duration = Duration::from_secs(10);

/// A payer's actor.
pub struct Payer {
    id: PayerId,
    incarnation: u64,
    wallet: Wallet,
    listeners: VecDeque<mpsc::Sender<Change>>,
    place: Option<(TerminalId, Claim)>,
    code: Option<OneTimeCode>,
    /// When the keeper of an open payment is asked what became of it, if it has said nothing by then.
    overdue: BTreeMap<PaymentId, Deadline>,
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
    /// What the keeper of a payment shows this payer of it, if anything; and what the phone had to say to it.
    Shown(PaymentId, Result<Option<Box<Card>>, Fault>, Option<Told>),
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
    /// A one-time code is about to be sent; it is remembered as a digest.
    Expect(OneTimeCode, Reply<()>),
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
            let overdue = wallet.cards().filter_map(overdue_at).collect();
            Ok(Self { id, incarnation, wallet, listeners: VecDeque::new(), place, code: None, overdue })
        })
    }

    fn hear(&mut self, now: Timestamp, ask: PayerAsk, desk: &Desk<Self>) {
        match ask {
            PayerAsk::Changed(card) => self.changed(*card),
            PayerAsk::Gone(payment) => self.gone(payment),
            PayerAsk::Tell(told) => self.forward(told, desk),
            PayerAsk::Shown(payment, card, told) => self.shown(payment, card, told, desk),
            PayerAsk::List(reply) => reply.send(self.wallet.cards().cloned().collect()),
            PayerAsk::Listen(seen, reply) => self.listen(seen, reply),
            PayerAsk::Bind(terminal, reply) => self.bind(terminal, reply, desk),
            PayerAsk::Bound(terminal, claim) => self.bound(terminal, claim, desk),
            PayerAsk::Place(reply) => reply.send(self.place),
            PayerAsk::Leave(reply) => self.leave(reply, desk),
            PayerAsk::Expect(code, reply) => {
                self.code = Some(code);
                reply.send(());
            }
            PayerAsk::Check(code, reply) => reply.send(self.check(now, &code)),
        }
    }

    fn ring(&mut self, now: Timestamp, desk: &Desk<Self>) {
        self.code.take_if(|code| code.until().is_over(now));
        let due = self.overdue.iter().filter(|(_, at)| at.is_over(now)).map(|(id, _)| *id);
        for payment in due.collect::<Vec<_>>() {
            self.overdue.insert(payment, Deadline::after(now, ASK_AGAIN_AFTER));
            self.ask_keeper(payment, None, desk);
        }
    }

    fn wakes_at(&self) -> Option<Deadline> {
        let code = self.code.as_ref().map(OneTimeCode::until);
        self.overdue.values().copied().chain(code).min()
    }

    fn may_sleep(&self) -> bool {
        self.listeners.iter().all(mpsc::Sender::is_closed) && self.wallet.is_quiet() && self.code.is_none()
    }
}

impl Payer {
    fn changed(&mut self, card: Card) {
        if self.place.is_some_and(|(_, claim)| {
            card.payment.is_decided() && card.payment.phase().claim() == Some(claim)
        }) {
            self.place = None;
        }
        match overdue_at(&card) {
            Some((payment, at)) => self.overdue.insert(payment, at),
            None => self.overdue.remove(&card.payment.id()),
        };
        let number = self.wallet.take_in(card.clone());
        let number = self.numbered(number);
        self.tell_listeners(&Change::Payment(number, Box::new(card)));
    }

    fn gone(&mut self, payment: PaymentId) {
        self.overdue.remove(&payment);
        if let Some(number) = self.wallet.remove(payment) {
            let number = self.numbered(number);
            self.tell_listeners(&Change::Resync(number));
        }
    }

    fn tell_listeners(&mut self, change: &Change) {
        // A phone that does not keep up is cut off: it comes back with the number it last saw.
        self.listeners.retain(|listener| listener.try_send(change.clone()).is_ok());
    }

    fn forward(&self, told: Told, desk: &Desk<Self>) {
        match self.wallet.card(told.payment).map(|card| card.payment.keeper()) {
            Some(Keeper::Terminal(terminal)) => {
                let ask = SessionAsk::Keeping(KeepingAsk::Tell(told));
                desk.world().rooms().sessions.post(terminal, ask);
            }
            // Not on the list: one that ended long ago, or another payer's. The keeper knows.
            None if desk.world().journal.knows(told.payment) => {
                self.ask_keeper(told.payment, Some(told), desk);
            }
            Some(Keeper::Payer(_)) | None => no_such_payment(Some(told)),
        }
    }

    fn ask_keeper(&self, payment: PaymentId, told: Option<Told>, desk: &Desk<Self>) {
        let (payer, world) = (self.id, Arc::clone(desk.world()));
        desk.run(async move {
            let shown = shown_by_keeper(payment, payer, &world).await;
            PayerAsk::Shown(payment, shown, told)
        });
    }

    fn shown(
        &mut self,
        payment: PaymentId,
        card: Result<Option<Box<Card>>, Fault>,
        told: Option<Told>,
        desk: &Desk<Self>,
    ) {
        match card {
            Ok(Some(card)) => {
                self.changed(*card);
                if let Some(told) = told {
                    self.forward(told, desk);
                }
            }
            Ok(None) => {
                self.gone(payment);
                no_such_payment(told);
            }
            Err(fault) => {
                if let Some(reply) = told.and_then(|told| told.reply) {
                    reply.refuse(fault);
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
                .map(|(number, id)| match self.wallet.card(id) {
                    Some(card) => Change::Payment(self.numbered(number), Box::new(card.clone())),
                    None => Change::Resync(self.numbered(number)),
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
            desk.world().rooms().sessions.post(left, SessionAsk::Leave(old, None));
        }
    }

    fn leave(&mut self, reply: Reply<()>, desk: &Desk<Self>) {
        match self.place.take() {
            Some((terminal, claim)) => {
                let left = SessionAsk::Leave(claim, Some(reply));
                desk.world().rooms().sessions.post(terminal, left);
            }
            None => reply.send(()),
        }
    }

    fn check(&mut self, now: Timestamp, code: &str) -> CodeVerdict {
        let Some(expected) = self.code.take() else { return CodeVerdict::Wrong };
        let (verdict, left) = expected.check(now, self.id, code);
        self.code = left;
        verdict
    }
}

async fn shown_by_keeper(
    payment: PaymentId,
    payer: PayerId,
    world: &Arc<World>,
) -> Result<Option<Box<Card>>, Fault> {
    let Some(Keeper::Terminal(terminal)) = world.journal.keeper_of(payment).await else { return Ok(None) };
    let by = Deadline::after(world.clock.now(), KEEPER_WITHIN);
    let looked = world.rooms().sessions.consult(terminal, by, move |reply| {
        let told = Told { payment, event: None, until: Until::Recorded, reply: Some(reply) };
        SessionAsk::Keeping(KeepingAsk::Tell(told))
    });
    let card = looked.await?.map(|report| Box::new(report.card()));
    Ok(card.filter(|card| card.payment.payer() == Some(payer)))
}

fn no_such_payment(told: Option<Told>) {
    if let Some(reply) = told.and_then(|told| told.reply) {
        reply.send(None);
    }
}

/// A keeper that has said nothing some time after a payment's deadline was cut off before it could.
fn overdue_at(card: &Card) -> Option<(PaymentId, Deadline)> {
    let order = card.payment.phase().order().filter(|_| !card.payment.is_decided())?;
    Some((card.payment.id(), Deadline::after(order.answer_by.instant(), OVERDUE_AFTER)))
}

fn last_failure(before: Option<Failure>, stamped: &Stamped) -> Option<Failure> {
    match &stamped.fact {
        Fact::AttemptFailed(_, failure, _) => Some(*failure),
        _ => before,
    }
}
