//! A shard's letter box: where every message for its keys arrives, from any thread.
//!
//! It is not the shard's actix mailbox, because that has no limit, no order by class, and dies with the actor.
//! The letter box outlives the shard: what a dying shard had not delivered is put back for its successor,
//! with the keys that must not be left asleep. Its length is bounded by the gate's permits and by what
//! residents send one another (see `Directory::post`).
use crate::answer::{Fault, Ticket};
use crate::domain::time::Timestamp;
use crate::gate::Class;
use crate::planted::{Bug, is_planted};
use crate::ports::clock::Clock;
use crate::resident::Resident;
use crate::tally::{Shed, Sheds, Waiting, Waits};
use futures_util::task::AtomicWaker;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// A message on its way to a resident.
pub(crate) struct Envelope<R: Resident> {
    pub(crate) key: R::Key,
    pub(crate) class: Class,
    pub(crate) ask: R::Ask,
    /// Only a question has one; a message between residents has none and is never refused for time.
    pub(crate) ticket: Option<Arc<Ticket>>,
    /// Since it was posted.
    waiting: Option<Waiting>,
}

impl<R: Resident> Envelope<R> {
    /// A question.
    pub(crate) fn question(key: R::Key, class: Class, ask: R::Ask, ticket: Arc<Ticket>) -> Self {
        Self { key, class, ask, ticket: Some(ticket), waiting: None }
    }

    /// A message from inside: it goes on with something begun.
    pub(crate) fn internal(key: R::Key, ask: R::Ask) -> Self {
        Self { key, class: Class::Completion, ask, ticket: None, waiting: None }
    }

    /// The message, unless nobody would have anything from its being worked on.
    pub(crate) fn if_wanted(self, now: Timestamp, sheds: &Sheds) -> Option<Self> {
        let Some(ticket) = &self.ticket else { return Some(self) };
        let why = if ticket.is_abandoned() {
            Shed::Abandoned
        } else if ticket.is_expired(now) {
            Shed::Expired
        } else {
            return Some(self);
        };
        sheds.count(why);
        self.refuse(Fault::Expired);
        None
    }

    /// How long it has waited.
    pub(crate) fn waited(&self, now: Timestamp) -> Duration {
        self.waiting.as_ref().map_or(Duration::ZERO, |waiting| waiting.so_far(now))
    }

    /// What it says, to whoever hears it now.
    pub(crate) fn opened(self, now: Timestamp) -> (R::Ask, Option<Arc<Ticket>>) {
        if let Some(waiting) = self.waiting {
            waiting.ended(now);
        }
        (self.ask, self.ticket)
    }

    /// Ends the message unheard.
    pub(crate) fn refuse(self, fault: Fault) {
        if let Some(ticket) = &self.ticket {
            ticket.refuse(fault);
            if is_planted(Bug::GateLeaks) {
                // Never dropped, so its permit is never given back.
                std::mem::forget(Arc::clone(ticket));
            }
        }
    }
}

/// The letter box of one shard.
pub(crate) struct Intake<R: Resident> {
    sorted: Mutex<Sorted<R>>,
    clock: Arc<dyn Clock>,
    waits: Waits,
    bell: AtomicWaker,
}

struct Sorted<R: Resident> {
    mail: BTreeMap<Class, VecDeque<Envelope<R>>>,
    doomed: Vec<R::Key>,
    restless: Vec<R::Key>,
}

impl<R: Resident> Intake<R> {
    pub(crate) fn new(clock: Arc<dyn Clock>, waits: Waits) -> Self {
        let sorted = Sorted { mail: BTreeMap::new(), doomed: Vec::new(), restless: Vec::new() };
        Self { sorted: Mutex::new(sorted), clock, waits, bell: AtomicWaker::new() }
    }

    /// Takes a message in.
    pub(crate) fn post(&self, mut envelope: Envelope<R>) {
        envelope.waiting = Some(self.waits.began(self.clock.now()));
        self.sorted().mail.entry(envelope.class).or_default().push_back(envelope);
        self.ring();
    }

    /// The next message, by class and then by age.
    pub(crate) fn next(&self) -> Option<Envelope<R>> {
        self.sorted().mail.values_mut().rev().find_map(VecDeque::pop_front)
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.sorted().mail.values().map(VecDeque::len).sum()
    }

    /// Asks for an incarnation to be ended as a crash would end it.
    pub(crate) fn doom(&self, key: R::Key) {
        let mut sorted = self.sorted();
        if !sorted.doomed.contains(&key) {
            sorted.doomed.push(key);
        }
        drop(sorted);
        self.ring();
    }

    pub(crate) fn take_doomed(&self) -> Vec<R::Key> {
        std::mem::take(&mut self.sorted().doomed)
    }

    /// What a dying shard leaves: undelivered mail of a key, older than anything here, in its order.
    pub(crate) fn put_back(&self, mail: VecDeque<Envelope<R>>) {
        let mut sorted = self.sorted();
        for envelope in mail.into_iter().rev() {
            sorted.mail.entry(envelope.class).or_default().push_front(envelope);
        }
    }

    /// What a dying shard leaves: a key that has a deadline to keep.
    pub(crate) fn leave_restless(&self, key: R::Key) {
        self.sorted().restless.push(key);
    }

    pub(crate) fn take_restless(&self) -> Vec<R::Key> {
        std::mem::take(&mut self.sorted().restless)
    }

    /// Who is to be woken when something arrives.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.bell.register(waker);
    }

    /// Wakes the shard.
    pub(crate) fn ring(&self) {
        self.bell.wake();
    }

    /// A panic elsewhere can't leave the queues half changed, so a poisoned lock is as good as any.
    fn sorted(&self) -> MutexGuard<'_, Sorted<R>> {
        self.sorted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
