//! How to reach an actor: by its key, from any thread, whether or not it is awake.
//!
//! A directory hashes keys over a fixed number of shards and puts messages into their letter boxes. It exists
//! before its shards run and outlives each of them, so worlds can hold one another's directories
//! and no caller ever holds an address. A question takes a permit at the gate; a message between residents
//! does not. Nothing of the residents is known here. Next: `shard`.
use crate::answer::{Fault, Reply, question, refused};
use crate::domain::time::Deadline;
use crate::gate::{Class, Gate};
use crate::ports::Answer;
use crate::ports::clock::Clock;
use crate::resident::Resident;
use crate::shard::intake::{Envelope, Intake};
use crate::shard::{Lease, Shard};
use crate::supervisor::{Link, Supervisor};
use crate::tally::{Tally, Waits};
use actix::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

pub use crate::shard::Limits;
pub use crate::tally::Census;

/// Where a shard runs.
#[derive(Clone, Debug)]
pub enum Place {
    /// Where the supervisor runs: tests, a simulation, a small house.
    Here,
    /// On this arbiter, best the one of a web worker.
    On(ArbiterHandle),
}

/// The way to every actor of one kind. Cheap to clone.
pub struct Directory<R: Resident>(Arc<Desks<R>>);

impl<R: Resident> Clone for Directory<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Desks<R: Resident> {
    gate: Gate,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    first: Arc<Intake<R>>,
    others: Vec<Arc<Intake<R>>>,
}

impl<R: Resident> Directory<R> {
    /// A directory over `shards` shards, none of which runs yet: what is posted waits for [`Self::open`].
    pub fn new(shards: NonZeroUsize, gate: Gate, clock: Arc<dyn Clock>) -> Self {
        let waits = Waits::new(R::KIND);
        let intake = || Arc::new(Intake::new(Arc::clone(&clock), waits.clone()));
        let (first, others) = (intake(), (1..shards.get()).map(|_| intake()).collect());
        Self(Arc::new(Desks { gate, tally: Arc::new(Tally::new(R::KIND)), first, others, clock }))
    }

    /// Puts the shards under `supervisor`, the places taking turns; they run once it is started.
    pub fn open(&self, supervisor: &mut Supervisor, world: &Arc<R::World>, places: &[Place], limits: Limits) {
        let places = if places.is_empty() { &[Place::Here] } else { places };
        self.0.tally.limited_to(limits.live_max.saturating_mul(self.0.others.len().saturating_add(1)));
        for (intake, place) in self.intakes().zip(places.iter().cycle()) {
            let (intake, place, world) = (Arc::clone(intake), place.clone(), Arc::clone(world));
            let (clock, tally) = (Arc::clone(&self.0.clock), Arc::clone(&self.0.tally));
            let (gate, queue) = (self.0.gate.clone(), self.0.gate.queue());
            supervisor.adopt(move |link| {
                let (world, clock) = (Arc::clone(&world), Arc::clone(&clock));
                let (tally, intake) = (Arc::clone(&tally), Arc::clone(&intake));
                let gate = gate.clone();
                start(&place, Lease { world, clock, limits, tally, intake, gate, queue }, link);
            });
        }
    }

    /// Asks the actor of `key`, and waits for its answer no longer than `deadline`.
    ///
    /// The question is put before this returns; the answer is what is awaited. The permit is held until the
    /// message has been heard and its reply sent or dropped.
    pub fn ask<T: Send + 'static>(
        &self,
        key: R::Key,
        class: Class,
        deadline: Deadline,
        ask: impl FnOnce(Reply<T>) -> R::Ask,
    ) -> Answer<Result<T, Fault>> {
        let now = self.0.clock.now();
        if deadline.is_over(now) {
            return refused(Fault::Expired);
        }
        if class == Class::Status
            && let Err(fault) = self.0.gate.look(now, hash(&(R::KIND, key)))
        {
            return refused(fault);
        }
        let permit = match self.0.gate.admit(class) {
            Ok(permit) => permit,
            Err(fault) => return refused(fault),
        };
        let (reply, ticket, answer) = question(now, deadline, Some(permit));
        self.put(Envelope::question(key, class, ask(reply), ticket));
        answer
    }

    /// Asks on behalf of a question that is inside already: no permit, and before all that begins anew.
    ///
    /// For residents and their effects only, never for a door.
    pub fn consult<T: Send + 'static>(
        &self,
        key: R::Key,
        deadline: Deadline,
        ask: impl FnOnce(Reply<T>) -> R::Ask,
    ) -> Answer<Result<T, Fault>> {
        let now = self.0.clock.now();
        if deadline.is_over(now) {
            return refused(Fault::Expired);
        }
        let (reply, ticket, answer) = question(now, deadline, None);
        self.put(Envelope::question(key, Class::Completion, ask(reply), ticket));
        answer
    }

    /// Tells the actor of `key` something; it is woken if need be.
    ///
    /// For residents, their effects, and the house at start-up, never for a door: there is no permit. The
    /// number of such messages is bounded all the same, because each descends from something that is:
    /// a resident tells a fixed few per message it hears, and hears one that has a permit, one that
    /// its own deadline rang (one per live resident), or one of these few. A message that finds the inbox
    /// full is dropped and counted; whoever told it has a deadline for the silence, as for a crash.
    pub fn post(&self, key: R::Key, ask: R::Ask) {
        self.put(Envelope::internal(key, ask));
    }

    /// Ends the present incarnation of `key`, if it is awake, as a crash would: for operators and for chaos.
    pub fn kill(&self, key: R::Key) {
        self.intake(&key).doom(key);
    }

    /// How these actors fare on this node.
    pub fn census(&self) -> Census {
        self.0.tally.census()
    }

    /// The gate that its questions pass.
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    fn put(&self, envelope: Envelope<R>) {
        self.intake(&envelope.key).post(envelope);
    }

    /// The same key always has the same shard, in every process.
    fn intake(&self, key: &R::Key) -> &Intake<R> {
        let shards = u64::try_from(self.0.others.len()).map_or(1, |others| others.saturating_add(1));
        let shard = usize::try_from(hash(key) % shards).unwrap_or(0);
        shard.checked_sub(1).and_then(|other| self.0.others.get(other)).unwrap_or(&self.0.first)
    }

    fn intakes(&self) -> impl Iterator<Item = &Arc<Intake<R>>> {
        std::iter::once(&self.0.first).chain(&self.0.others)
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn start<R: Resident>(place: &Place, lease: Lease<R>, link: Link) {
    match place {
        Place::Here => {
            Shard::new(lease, link).start();
        }
        Place::On(arbiter) => {
            // If the arbiter is gone, the link is dropped with the closure: a death like any other.
            Shard::start_in_arbiter(arbiter, move |_| Shard::new(lease, link));
        }
    }
}
