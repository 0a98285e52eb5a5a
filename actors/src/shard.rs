//! The keeper of a share of the keys: finds or wakes residents, heals them, puts idle ones to sleep.
//!
//! One shard is one actor on one arbiter, with everything of its keys on that thread. It does no work but
//! deliver, a bounded turn at a time, so that a hot key can't starve its neighbours. Memory is bounded:
//! above its limit the least recently used that may sleep is put to sleep. What residents do is not
//! known here. Next: `shell` (the actor around one), `room` (what outlives it), `intake` (the letter box).
pub(crate) mod intake;
pub(crate) mod room;
mod shell;

use crate::answer::Fault;
use crate::domain::backoff::Backoff;
use crate::domain::time::Timestamp;
use crate::gate::Gate;
use crate::ports::clock::Clock;
use crate::resident::Resident;
use crate::supervisor::{Failures, Intensity, Link};
use crate::tally::{Shed, Tally};
use actix::prelude::*;
use intake::{Envelope, Intake};
use room::Room;
use shell::Shell;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

/// Messages delivered before others on the arbiter get their turn.
const TURN: usize = 64;
/// And where many wait.
const LONGEST_TURN: usize = 1_024;

/// How many rooms are looked into for one that may sleep, when a new one is needed.
const SEARCH: usize = 128;

/// How often idle rooms are looked for, and into what part of them at a time.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const SWEEP_PART: usize = 16;

/// What a shard may hold, and how much it bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Residents in memory per shard. What finishes something begun may exceed it, within the gate's permits.
    pub live_max: usize,
    /// Messages that wait for one resident.
    pub inbox_max: usize,
    /// How long a resident is left alone before it is put to sleep.
    pub idle_after: Duration,
    /// How long rebuilding one from the journal may take.
    pub wake_within: Duration,
    /// What somebody refused for want of room is told to wait.
    pub retry_after: Duration,
    /// Crashes of one key before it is in quarantine.
    pub tries: Intensity,
    /// Rests of a key between its first crash and quarantine.
    pub backoff: Backoff,
    /// Rests of a key in quarantine, between one more try and the next.
    pub quarantine: Backoff,
    /// Crashes of all keys before the shard itself is taken to be broken.
    pub crashes: Intensity,
}

impl Limits {
    /// What has been found to work, for `live_max` residents per shard.
    pub const fn standard(live_max: usize) -> Self {
        Self {
            live_max,
            inbox_max: 1_024,
            idle_after: Duration::from_mins(2),
            wake_within: Duration::from_secs(5),
            retry_after: Duration::from_secs(1),
            tries: Intensity { most: 3, within: Duration::from_mins(1) },
            backoff: Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(1) },
            quarantine: Backoff { first: Duration::from_secs(1), cap: Duration::from_mins(1) },
            crashes: Intensity { most: 100, within: Duration::from_secs(10) },
        }
    }

    /// The rest after a key's `count`th crash of late. One crash is bad luck and costs none.
    fn rest(&self, count: u32) -> Duration {
        match count.checked_sub(self.tries.most) {
            Some(before) => self.quarantine.wait(before.saturating_add(1)),
            None => self.backoff.wait(count.saturating_sub(1)),
        }
    }
}

/// What every incarnation of a shard starts from.
pub(crate) struct Lease<R: Resident> {
    pub(crate) world: Arc<R::World>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) tally: Arc<Tally>,
    pub(crate) intake: Arc<Intake<R>>,
    pub(crate) gate: Gate,
    /// The letter box's number at the gate.
    pub(crate) queue: usize,
}

/// What the rooms of one incarnation of a shard share.
pub(crate) struct Floor<R: Resident> {
    world: Arc<R::World>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    tally: Arc<Tally>,
    intake: Arc<Intake<R>>,
    gate: Gate,
    queue: usize,
    vacated: RefCell<Vec<Rc<Room<R>>>>,
    crashes: RefCell<Failures>,
    is_broken: Cell<bool>,
}

impl<R: Resident> Floor<R> {
    fn new(lease: Lease<R>) -> Self {
        let Lease { world, clock, limits, tally, intake, gate, queue } = lease;
        let crashes = RefCell::new(Failures::new(limits.crashes));
        let (vacated, is_broken) = (RefCell::new(Vec::new()), Cell::new(false));
        Self { world, clock, limits, tally, intake, gate, queue, vacated, crashes, is_broken }
    }

    fn count_crash(&self) {
        self.tally.crashed.bump();
        if self.crashes.borrow_mut().add(self.clock.now()).is_none() {
            self.is_broken.set(true);
            self.intake.ring();
        }
    }

    /// A shell died without giving up its room.
    fn vacated(&self, room: Rc<Room<R>>) {
        self.vacated.borrow_mut().push(room);
        self.intake.ring();
    }

    fn overloaded(&self) -> Fault {
        Fault::Overloaded { retry_after: self.limits.retry_after }
    }
}

/// One share of the keys.
pub(crate) struct Shard<R: Resident> {
    floor: Rc<Floor<R>>,
    rooms: HashMap<R::Key, Rc<Room<R>>>,
    /// The rooms in second-chance order; closed ones are dropped when they come round.
    round: VecDeque<Rc<Room<R>>>,
    link: Link,
}

impl<R: Resident> Shard<R> {
    pub(crate) fn new(lease: Lease<R>, link: Link) -> Self {
        Self { floor: Rc::new(Floor::new(lease)), rooms: HashMap::new(), round: VecDeque::new(), link }
    }

    fn deliver(&mut self, envelope: Envelope<R>, now: Timestamp) {
        let Some(envelope) = envelope.if_wanted(now, &self.floor.tally.sheds) else { return };
        if let Some(room) = self.rooms.get(&envelope.key) {
            room.receive(envelope, now);
        } else if self.has_room(now) || !envelope.class.begins_something() {
            let room = self.open(envelope.key, now);
            room.receive(envelope, now);
            // What wakes a resident is no sign yet that it will be used again: a crowd passing by once must not
            // put the regulars to sleep.
            room.take_used();
        } else {
            self.floor.tally.sheds.count(Shed::Overloaded);
            envelope.refuse(self.floor.overloaded());
        }
    }

    fn open(&mut self, key: R::Key, now: Timestamp) -> Rc<Room<R>> {
        self.floor.tally.woken.bump();
        let room = Rc::new(Room::new(key, Rc::clone(&self.floor), now));
        self.rooms.insert(key, Rc::clone(&room));
        self.round.push_back(Rc::clone(&room));
        Shell::move_in(Rc::clone(&room), Duration::ZERO);
        room
    }

    /// Whether one more fits, if need be by putting to sleep one that was not used for a round; or, when there
    /// are too many to go round them all, one of those looked into.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.rooms.len() < self.floor.limits.live_max {
            return true;
        }
        let mut second_best = None;
        for _ in 0..SEARCH.min(self.round.len().saturating_mul(2)) {
            let Some(room) = self.next_in_round() else { return false };
            if room.may_sleep(now) {
                if !room.take_used() {
                    self.put_to_sleep(&room);
                    return true;
                }
                second_best.get_or_insert_with(|| Rc::clone(&room));
            }
            self.round.push_back(room);
        }
        second_best.map(|room| self.put_to_sleep(&room)).is_some()
    }

    fn next_in_round(&mut self) -> Option<Rc<Room<R>>> {
        loop {
            let room = self.round.pop_front()?;
            if !room.is_closed() {
                return Some(room);
            }
        }
    }

    /// Its mail is empty and the journal has all that it knows: the next message wakes it in a new room.
    fn put_to_sleep(&mut self, room: &Room<R>) {
        self.rooms.remove(&room.key());
        drop(room.close());
        self.floor.tally.slept.bump();
    }

    fn sweep(&mut self) {
        let now = self.floor.clock.now();
        for _ in 0..self.round.len().div_ceil(SWEEP_PART) {
            let Some(room) = self.next_in_round() else { return };
            let is_idle = room.idle_for(now) >= self.floor.limits.idle_after;
            if is_idle && room.may_sleep(now) {
                self.put_to_sleep(&room);
                continue;
            }
            if is_idle {
                room.ask_again();
            }
            self.round.push_back(room);
        }
    }

    /// A fresh shell for a room whose shell died; its mail is still there.
    fn heal(&mut self, room: Rc<Room<R>>, now: Timestamp) {
        if room.is_closed() {
            return;
        }
        self.floor.count_crash();
        self.floor.tally.restarted.bump();
        let rest = room.strike(now);
        Shell::move_in(room, rest);
    }

    fn turn(&mut self, now: Timestamp) -> bool {
        for room in self.floor.vacated.take() {
            self.heal(room, now);
        }
        for key in self.floor.intake.take_doomed() {
            if let Some(room) = self.rooms.get(&key) {
                room.doom();
            }
        }
        // On a thread that is slow to come round, who is given the same each time falls ever further behind.
        let most = (self.floor.intake.len() / 2).clamp(TURN, LONGEST_TURN);
        let (mut longest, mut is_emptied) = (None, false);
        for _ in 0..most {
            let Some(envelope) = self.floor.intake.next() else {
                is_emptied = true;
                break;
            };
            longest = longest.max(Some(envelope.waited(now)));
            self.deliver(envelope, now);
        }
        if let Some(waited) = longest {
            self.floor.gate.feel(now, self.floor.queue, waited);
        }
        !is_emptied
    }
}

impl<R: Resident> Actor for Shard<R> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let now = self.floor.clock.now();
        for key in self.floor.intake.take_restless() {
            if !self.rooms.contains_key(&key) {
                self.open(key, now);
            }
        }
        ctx.spawn(Deliver);
        ctx.run_interval(SWEEP_EVERY, |shard, _| shard.sweep());
    }
}

impl<R: Resident> Drop for Shard<R> {
    /// Its rooms go with it; its successor inherits their mail and the keys that have a deadline to keep.
    fn drop(&mut self) {
        drop(self.floor.vacated.take());
        for room in std::mem::take(&mut self.round) {
            if !room.is_closed() {
                if room.is_owed_a_wake() {
                    self.floor.intake.leave_restless(room.key());
                }
                self.floor.intake.put_back(room.close());
            }
        }
    }
}

/// Empties the letter box, a turn at a time.
struct Deliver;

impl<R: Resident> ActorFuture<Shard<R>> for Deliver {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        shard: &mut Shard<R>,
        ctx: &mut Context<Shard<R>>,
        task: &mut Task<'_>,
    ) -> Poll<()> {
        shard.floor.intake.listen(task.waker());
        if shard.floor.is_broken.get() {
            shard.link.escalate();
            ctx.stop();
            return Poll::Ready(());
        }
        let now = shard.floor.clock.now();
        if shard.turn(now) {
            task.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
