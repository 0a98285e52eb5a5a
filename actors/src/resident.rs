//! What an actor keeps, and the desk it works at.
//!
//! A [`Resident`] is a pure machine with a key: woken from the journal, told what it hears, rung when
//! its deadline comes. Everything that makes an actor of it (mail, catching panics, timers, sleep) is done
//! around it. It must not block, and it keeps nothing that the journal could not give back, except
//! what `may_sleep` admits. Next: `shard`, which keeps the rooms residents live in.
use crate::domain::time::{Deadline, Timestamp};
use crate::shard::room::Room;
use futures_util::future::LocalBoxFuture;
use std::future::Future;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;

/// One actor's inside: a machine, what it hears, and how it is rebuilt.
pub trait Resident: Sized + Unpin + 'static {
    /// Its name: a terminal, a payer, a merchant; never a connection.
    type Key: Copy + Eq + Hash + Send + Sync + Unpin + 'static;
    /// One message. A question carries its own [`crate::answer::Reply`].
    type Ask: Send + 'static;
    /// The ports it acts through, and the directories of the actors it speaks to.
    type World: Send + Sync + 'static;
    /// The metrics' label.
    const KIND: &'static str;

    /// Rebuilds it from the journal. Called again after every crash, so it must not trust what it
    /// left behind in memory.
    fn wake(key: Self::Key, world: &Arc<Self::World>) -> LocalBoxFuture<'static, Result<Self, WakeFault>>;

    /// Hears one message.
    fn hear(&mut self, now: Timestamp, ask: Self::Ask, desk: &Desk<Self>);

    /// Its deadline has come.
    fn ring(&mut self, now: Timestamp, desk: &Desk<Self>);

    /// When it must be rung, derived from its state; asked after every `hear` and `ring`. While it has
    /// one it is kept awake.
    fn wakes_at(&self) -> Option<Deadline>;

    /// Whether sleeping would lose nothing. Asked when `wakes_at` is, and again after an idle time, since
    /// whoever it waited for may have gone.
    fn may_sleep(&self) -> bool;
}

/// Why an actor could not be rebuilt. It is tried again, at growing intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WakeFault {
    /// The journal can't be read at present.
    #[error("the journal did not answer: see its own alarms")]
    Unavailable,
    /// The journal took too long.
    #[error("the journal took too long to answer: see its latency")]
    Late,
    /// The facts make no sense together.
    #[error("the journal's facts of this key contradict one another: run `turnout journal verify`")]
    Contradiction,
}

/// Where a resident works: its key, its world, and the way back to itself. Cheap to clone.
pub struct Desk<R: Resident>(Rc<Room<R>>);

impl<R: Resident> Clone for Desk<R> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<R: Resident> Desk<R> {
    pub(crate) fn new(room: Rc<Room<R>>) -> Self {
        Self(room)
    }

    /// Whose desk it is.
    pub fn key(&self) -> R::Key {
        self.0.key()
    }

    /// The world.
    pub fn world(&self) -> &Arc<R::World> {
        self.0.world()
    }

    /// Sends a message to the resident of this key, whichever incarnation is up by then; it is woken if need be.
    pub fn tell_self(&self, ask: R::Ask) {
        self.0.tell_self(ask);
    }

    /// Does something that takes time, off the actor; what comes of it is heard as a message.
    ///
    /// The resident is kept awake meanwhile. A panic in `effect` ends only the effect, and nothing is
    /// heard of it: whoever waits for an effect has a deadline in its state. What an effect brings back is
    /// heard even if the resident was rebuilt in between; it is as true as before, and the machine
    /// knows strays. Effects need no permit: each was ordered by one `hear` or `ring`, and brings back one
    /// message.
    pub fn run(&self, effect: impl Future<Output = R::Ask> + 'static) {
        let errand = Errand::begin(self.clone());
        actix_rt::spawn(async move {
            let ask = effect.await;
            errand.0.tell_self(ask);
        });
    }
}

/// An effect under way; ended by its drop, so that a panicking effect is counted off too.
struct Errand<R: Resident>(Desk<R>);

impl<R: Resident> Errand<R> {
    fn begin(desk: Desk<R>) -> Self {
        desk.0.errand_began();
        Self(desk)
    }
}

impl<R: Resident> Drop for Errand<R> {
    fn drop(&mut self) {
        self.0.0.errand_ended();
    }
}
