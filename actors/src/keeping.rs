//! How an actor keeps payments: steps the machine, writes before it speaks, and does what the machine commands.
//!
//! A step's facts go to the journal at once; its effects, and every word about the payment, wait until the disk
//! has them; only a payer whose word is wanted is asked at once. Between the two the actor goes on working. It serves
//! whoever keeps payments (a terminal's session now) and knows neither bindings nor phones. What the commands mean is
//! decided in `domain::payment`; what leaves, and when, in `speaking`.
mod kept;
mod speaking;
mod taking_back;

use crate::answer::{Fault, Reply};
use crate::domain::identity::{Keeper, PayerId, PaymentId, PaymentKey};
use crate::domain::journal::{Entry, OpenLife, Recorded, Seq, Subject};
use crate::domain::order::{Admission, Order};
use crate::domain::payment::command::{Alarm, Commands, Effect, Fact, Misfit, Verdict};
use crate::domain::payment::event::Event;
use crate::domain::payment::phase::Phase;
use crate::domain::payment::{OutOfPlace, Payment, Stamped};
use crate::domain::response_code::Refusal;
use crate::domain::time::{Deadline, Timestamp};
use crate::merchant::Seat;
use crate::payment_tally::PaymentTally;
use crate::planted::{Bug, is_planted};
use crate::ports::journal::{JournalFault, Room};
use crate::report::{Report, Told, Until};
use crate::resident::{Desk, Resident};
use crate::suspects::{Suspects, TRIES_MAX};
use crate::world::World;
use kept::{Kept, last_failure};
use speaking::{Release, raise};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How many may wait while one closed life is read back; those beyond are turned away.
const READERS_MAX: usize = 32;
/// How long to wait before asking again when a keeper is that busy.
pub const BUSY_WAIT: Duration = Duration::from_millis(500);

/// What a keeper of payments hears besides its own messages.
#[derive(Debug)]
pub enum KeepingAsk {
    /// Something happened to a payment, or somebody looks at it.
    Tell(Told),
    /// The merchant's actor answered.
    Admitted(PaymentId, Result<(Result<Admission, Refusal>, Option<Seat>), Fault>),
    /// The disk holds everything up to here.
    Durable(Seq),
    /// A closed life was read back.
    ReadBack(PaymentId, Result<Vec<Recorded>, JournalFault>),
}

/// The payments an actor keeps.
pub struct Keeping {
    owner: Keeper,
    /// Boxed, since each step takes one out and puts it back.
    kept: BTreeMap<PaymentId, Box<Kept>>,
    closed: VecDeque<PaymentId>,
    draft: Vec<Entry>,
    drafted: Vec<Release>,
    /// Whose word is wanted.
    asking: Vec<(PaymentId, PayerId)>,
    unspoken: VecDeque<(Seq, Vec<Release>)>,
    appended: Seq,
    /// The place of the newest claim of a phone.
    claimed: Seq,
    durable: Seq,
    watching: bool,
    reading: BTreeMap<PaymentId, Vec<Told>>,
    resuming: Vec<(PaymentId, Commands)>,
    /// Payments that were decided and are not yet told to the gate.
    decided: Vec<PaymentId>,
    suspects: Arc<Suspects>,
}

impl Keeping {
    /// The open payments of a keeper, rebuilt; what a crash may have cut is resumed by [`Self::resume`]. A payment that
    /// cannot be worked with is given up or, if not even that works, left aside: the others go on.
    pub fn rebuilt(owner: Keeper, now: Timestamp, lives: Vec<OpenLife>, suspects: Arc<Suspects>) -> Self {
        let mut keeping = Self::empty(owner, suspects);
        for life in lives {
            let id = life.payment.id();
            if keeping.is_set_aside(id) {
                raise(id, Alarm::GivenUp);
                continue;
            }
            match keeping.revived(id, now, &life.facts) {
                Ok(Some((payment, commands))) => {
                    let kept = Kept::rebuilt(payment, now, &life.facts).telling_everybody(&life.facts);
                    keeping.kept.insert(id, Box::new(kept));
                    keeping.resuming.push((id, commands));
                }
                Ok(None) => {}
                Err(out_of_place) => {
                    tracing::error!(%out_of_place, "a payment's facts contradict one another: run `turnout journal verify`");
                    raise(id, Alarm::GivenUp);
                }
            }
        }
        keeping
    }

    fn revived(
        &self,
        id: PaymentId,
        now: Timestamp,
        life: &[Stamped],
    ) -> Result<Option<(Payment, Commands)>, OutOfPlace> {
        if self.suspects.marks(id) < TRIES_MAX {
            return Payment::recover(id, now, life);
        }
        let in_hand = [id];
        let _in_hand = self.suspects.in_hand(&in_hand);
        Ok(Payment::folded(id, life)?.map(|payment| payment.step(now, Event::GivenUp)))
    }

    /// Whether even giving it up broke the keeper.
    fn is_set_aside(&self, id: PaymentId) -> bool {
        self.suspects.marks(id) > TRIES_MAX
    }

    const fn empty(owner: Keeper, suspects: Arc<Suspects>) -> Self {
        Self {
            owner,
            kept: BTreeMap::new(),
            closed: VecDeque::new(),
            draft: Vec::new(),
            drafted: Vec::new(),
            asking: Vec::new(),
            unspoken: VecDeque::new(),
            appended: Seq(0),
            claimed: Seq(0),
            durable: Seq(0),
            watching: false,
            reading: BTreeMap::new(),
            resuming: Vec::new(),
            decided: Vec::new(),
            suspects,
        }
    }

    /// Goes on with what was cut; to be called first of all.
    pub fn resume(&mut self) {
        for (id, commands) in std::mem::take(&mut self.resuming) {
            self.draw_up(id, commands);
        }
    }

    /// Takes an order in: a new payment, or a repeat of one.
    pub fn place<R>(
        &mut self,
        now: Timestamp,
        mut order: Order,
        until: Until,
        reply: Reply<Option<Report>>,
        desk: &Desk<R>,
    ) where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        if self.kept.contains_key(&order.payment()) && is_planted(Bug::NoDedup) {
            order.key = PaymentKey::new(&format!("{}~", order.key.as_str())).unwrap_or(order.key);
        }
        let id = order.payment();
        if self.kept.contains_key(&id) || desk.world().journal.knows(id) {
            let told = Told { payment: id, event: Some(Event::Repeated(order)), until, reply: Some(reply) };
            self.tell(now, told, desk);
        } else if desk.world().journal.room() == Room::ReserveOnly {
            reply.refuse(Fault::Overloaded { retry_after: BUSY_WAIT });
        } else {
            let (payment, commands) = Payment::open(order);
            let mut kept = Kept::new(payment, now);
            kept.inside = Some(desk.world().rooms().sessions.gate().opened());
            self.kept.insert(id, Box::new(kept));
            self.wait_for(id, until, commands.verdict, reply);
            if self.suspects.marks(id) < TRIES_MAX {
                self.draw_up(id, commands);
            } else {
                self.step(now, id, Event::GivenUp);
            }
        }
    }

    /// Hears what belongs to keeping; returns the payment that may have moved.
    pub fn hear<R>(&mut self, now: Timestamp, ask: KeepingAsk, desk: &Desk<R>) -> Option<PaymentId>
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        match ask {
            KeepingAsk::Tell(told) => {
                let id = told.payment;
                self.tell(now, told, desk);
                Some(id)
            }
            KeepingAsk::Admitted(id, Ok((answer, seat))) => {
                // For a payment that was decided meanwhile the seat is given back here.
                if let Some(kept) = self.kept.get_mut(&id).filter(|kept| !kept.payment.is_decided()) {
                    kept.seat = seat;
                }
                self.step(now, id, Event::MerchantSaid(answer));
                Some(id)
            }
            KeepingAsk::Admitted(id, Err(fault)) => {
                self.turn_away(id, fault);
                None
            }
            KeepingAsk::Durable(seq) => {
                self.watching = false;
                self.release(seq, desk);
                None
            }
            KeepingAsk::ReadBack(id, life) => {
                self.read_back(now, id, life);
                Some(id)
            }
        }
    }

    /// Tells a payment that something happened, wherever it is: at hand, on disk, or nowhere.
    pub fn tell<R>(&mut self, now: Timestamp, told: Told, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        let id = told.payment;
        if self.kept.contains_key(&id) {
            self.tell_kept(now, told);
        } else if let Some(readers) = self.reading.get_mut(&id) {
            if readers.len() < READERS_MAX {
                readers.push(told);
            } else if let Some(reply) = told.reply {
                reply.refuse(Fault::Overloaded { retry_after: BUSY_WAIT });
            }
        } else if desk.world().journal.knows(id) {
            self.reading.insert(id, vec![told]);
            let life = desk.world().journal.life(Subject::Payment(id));
            desk.run(async move { KeepingAsk::ReadBack(id, life.await).into() });
        } else if let Some(reply) = told.reply {
            reply.send(None);
        }
    }

    /// Lets something happen to a payment that is at hand.
    pub fn step(&mut self, now: Timestamp, id: PaymentId, event: Event) -> Option<Verdict> {
        let mut kept = self.kept.remove(&id)?;
        let was_decided = kept.payment.is_decided();
        let (payment, commands) = {
            let in_hand = [id];
            let _in_hand = self.suspects.in_hand(&in_hand);
            kept.payment.step(now, event)
        };
        kept.last_failure = commands.facts.iter().fold(kept.last_failure, last_failure);
        kept.place.moved(&payment, now);
        if !was_decided && let Some(outcome) = payment.outcome() {
            PaymentTally::get().decided(&outcome, now.since(kept.began));
            (kept.seat, kept.inside) = (None, None);
            self.decided.push(id);
        }
        kept.payment = payment;
        self.kept.insert(id, kept);
        let verdict = commands.verdict;
        self.draw_up(id, commands);
        Some(verdict)
    }

    /// Lets every payment at hand look at the time.
    pub fn ring(&mut self, now: Timestamp) {
        let mut due: Vec<PaymentId> = self
            .kept
            .iter()
            .filter(|(_, kept)| kept.payment.wakes_at().is_some_and(|deadline| deadline.is_over(now)))
            .map(|(id, _)| *id)
            .collect();
        // One at a time while something breaks keepers, so that the blame falls on nobody else. The rest is due still.
        if !self.suspects.is_empty() {
            due.truncate(1);
        }
        for id in due {
            self.step(now, id, Event::DeadlineCame);
        }
    }

    /// Adds a fact of the keeper's own to what is appended next.
    pub fn also_record(&mut self, entry: Entry) {
        self.draft.push(entry);
    }

    /// Does something once everything appended so far, and next, is on disk.
    pub fn when_durable(&mut self, then: impl FnOnce() + 'static) {
        self.drafted.push(Release::Do(Box::new(then)));
    }

    /// Hands what was drawn up to the journal, in one piece; to be called last of all.
    pub fn commit<R>(&mut self, now: Timestamp, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        if !self.draft.is_empty() {
            let touched = self.append(now, desk.world());
            self.leak(&touched, desk);
        }
        self.ask_payers(desk.world());
        self.drop_what_says_nothing();
        if !self.drafted.is_empty() {
            self.unspoken.push_back((self.appended, std::mem::take(&mut self.drafted)));
            // It is waited for only when what is waited for now has come.
            desk.world().journal.hurry(self.appended);
        }
        for id in self.decided.drain(..) {
            desk.world().rooms().sessions.gate().done(self.owner, id);
        }
        self.watch(desk);
    }

    /// The payments at hand.
    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.kept.values().map(|kept| &kept.payment)
    }

    /// One of them.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.kept.get(&id).map(|kept| &kept.payment)
    }

    /// When one of them has to be looked at; at once if something is to be resumed.
    pub fn wakes_at(&self) -> Option<Deadline> {
        if !self.resuming.is_empty() {
            return Some(Deadline::at(Timestamp::from_micros(0)));
        }
        self.kept.values().filter_map(|kept| kept.payment.wakes_at()).min()
    }

    /// Whether nothing here would be lost by forgetting it.
    pub fn may_sleep(&self) -> bool {
        self.resuming.is_empty()
            && self.unspoken.is_empty()
            && self.reading.is_empty()
            && self
                .kept
                .values()
                .all(|kept| !kept.is_waited_for() && !matches!(kept.payment.phase(), Phase::AwaitMerchant(_)))
    }

    fn tell_kept(&mut self, now: Timestamp, told: Told) {
        let id = told.payment;
        let verdict = match told.event {
            Some(event) => self.step(now, id, event).unwrap_or(Verdict::Already),
            None => Verdict::Already,
        };
        if let Some(reply) = told.reply {
            self.wait_for(id, told.until, verdict, reply);
            self.drafted.push(Release::Speak(id));
        }
    }

    fn wait_for(&mut self, id: PaymentId, until: Until, verdict: Verdict, reply: Reply<Option<Report>>) {
        let Some(kept) = self.kept.get_mut(&id) else { return reply.send(None) };
        kept.wait_for(until, verdict, reply);
    }

    fn draw_up(&mut self, id: PaymentId, commands: Commands) {
        self.draft.extend(commands.facts.into_iter().map(|fact| Entry::Payment(id, fact)));
        for effect in commands.effects {
            match effect {
                Effect::AskPayer(payer) => self.asking.push((id, payer)),
                other => self.drafted.push(Release::Effect(id, other)),
            }
        }
        self.drafted.push(Release::Speak(id));
    }

    fn turn_away(&mut self, id: PaymentId, fault: Fault) {
        let unwritten = |kept: &Kept| matches!(kept.payment.phase(), Phase::AwaitMerchant(_));
        if self.kept.get(&id).is_some_and(|kept| unwritten(kept))
            && let Some(kept) = self.kept.remove(&id)
        {
            kept.into_replies().for_each(|reply| reply.refuse(fault));
        }
    }

    fn append(&mut self, now: Timestamp, world: &World) -> Vec<PaymentId> {
        let entries = std::mem::take(&mut self.draft);
        let touched: Vec<PaymentId> = entries.iter().filter_map(payment_of).collect();
        let in_hand = self.suspects.in_hand(&touched);
        let claims = entries.iter().any(|entry| matches!(entry, Entry::Binding(..)));
        self.appended = world.journal.append(now, entries);
        if claims {
            self.claimed = self.appended;
        }
        for id in &touched {
            if let Some(kept) = self.kept.get_mut(id) {
                kept.seq = self.appended;
            }
        }
        drop(in_hand);
        touched
    }

    fn read_back(&mut self, now: Timestamp, id: PaymentId, life: Result<Vec<Recorded>, JournalFault>) {
        // Asked for by an incarnation before this one: it may be out of date by now.
        let Some(readers) = self.reading.remove(&id) else { return };
        let mut facts: Vec<Stamped> = life.unwrap_or_default().into_iter().filter_map(stamped).collect();
        facts.retain(|stamped| {
            !(matches!(stamped.fact, Fact::Settled(_)) && is_planted(Bug::SettlementForgotten))
        });
        match Payment::folded(id, &facts) {
            // Another keeper's: for this one it does not exist.
            Ok(Some(payment)) if payment.keeper() != self.owner && !is_planted(Bug::ReversalOfOthers) => {
                readers.into_iter().filter_map(|told| told.reply).for_each(|reply| reply.send(None));
            }
            Ok(Some(payment)) if !self.is_set_aside(id) => {
                self.kept.entry(id).or_insert_with(|| Box::new(Kept::rebuilt(payment, now, &facts)));
                for told in readers {
                    self.tell_kept(now, told);
                }
                self.put_away(id);
            }
            // The journal's own alarm tells what is wrong; nobody is told that a known payment does not exist.
            _ => {
                let fault = Fault::Restarting { retry_after: BUSY_WAIT };
                readers.into_iter().filter_map(|told| told.reply).for_each(|reply| reply.refuse(fault));
                tracing::error!(payment = %id, "a known payment could not be read back");
            }
        }
    }
}

fn payment_of(entry: &Entry) -> Option<PaymentId> {
    match entry {
        Entry::Payment(id, _) => Some(*id),
        Entry::Binding(..) | Entry::Till(..) => None,
    }
}

fn stamped(recorded: Recorded) -> Option<Stamped> {
    match recorded.entry {
        Entry::Payment(_, fact) => Some(Stamped { at: recorded.at, fact }),
        Entry::Binding(..) | Entry::Till(..) => None,
    }
}

/// Whether a verdict lets a caller go on.
pub const fn went_through(verdict: Verdict) -> Result<(), Misfit> {
    match verdict {
        Verdict::Taken | Verdict::Already => Ok(()),
        Verdict::Misfit(misfit) => Err(misfit),
    }
}
