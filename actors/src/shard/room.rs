//! Where a resident lives: what must outlive it when it crashes.
//!
//! The room keeps the key's mail, its condition and its strikes; the shell in it comes and goes. All of a
//! shard's rooms are on its one thread, so cells are enough, and no message is needed to look into one.
//! The machine itself is not here: see `shell`.
use super::Floor;
use super::intake::Envelope;
use crate::answer::Fault;
use crate::domain::time::Timestamp;
use crate::planted::{Bug, is_planted};
use crate::resident::Resident;
use crate::tally::Shed;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// How the room's resident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Being rebuilt, or about to be: mail waits.
    Waking,
    /// Hears its mail.
    Awake,
    /// Crashed too often of late: rebuilt at `until`; questions are refused meanwhile.
    Resting { until: Timestamp },
    /// Given up by its shard; a shell that is still in it hears nothing more.
    Closed,
}

/// Crashes of late, and until when one more would join them.
#[derive(Clone, Copy, Debug)]
struct Strikes {
    count: u32,
    calm_at: Timestamp,
}

/// One key's place on the floor.
pub(crate) struct Room<R: Resident> {
    key: R::Key,
    floor: Rc<Floor<R>>,
    mail: RefCell<VecDeque<Envelope<R>>>,
    listener: Cell<Option<Waker>>,
    condition: Cell<Condition>,
    doomed: Cell<bool>,
    asked_again: Cell<bool>,
    restless: Cell<bool>,
    errands: Cell<u32>,
    strikes: Cell<Strikes>,
    used: Cell<bool>,
    used_at: Cell<Timestamp>,
}

impl<R: Resident> Room<R> {
    pub(crate) fn new(key: R::Key, floor: Rc<Floor<R>>, now: Timestamp) -> Self {
        floor.tally.moved_in();
        Self {
            key,
            floor,
            mail: RefCell::new(VecDeque::new()),
            listener: Cell::new(None),
            condition: Cell::new(Condition::Waking),
            doomed: Cell::new(false),
            asked_again: Cell::new(false),
            restless: Cell::new(true),
            errands: Cell::new(0),
            strikes: Cell::new(Strikes { count: 0, calm_at: now }),
            used: Cell::new(false),
            used_at: Cell::new(now),
        }
    }

    pub(crate) fn key(&self) -> R::Key {
        self.key
    }

    pub(crate) fn world(&self) -> &Arc<R::World> {
        &self.floor.world
    }

    pub(crate) fn floor(&self) -> &Rc<Floor<R>> {
        &self.floor
    }

    /// By way of the shard, since the resident may be asleep or gone when the message comes.
    pub(crate) fn tell_self(&self, ask: R::Ask) {
        self.floor.intake.post(Envelope::internal(self.key, ask));
    }

    /// Takes a message in, or says at once why not.
    pub(crate) fn receive(&self, envelope: Envelope<R>, now: Timestamp) {
        self.used.set(true);
        self.used_at.set(now);
        let refusal = match self.condition.get() {
            Condition::Resting { until } if envelope.ticket.is_some() => {
                Some((Shed::Restarting, Fault::Restarting { retry_after: until.since(now) }))
            }
            _ if self.mail.borrow().len() >= self.floor.limits.inbox_max => {
                Some((Shed::InboxFull, self.floor.overloaded()))
            }
            _ => None,
        };
        if let Some((why, fault)) = refusal {
            self.floor.tally.sheds.count(why);
            return envelope.refuse(fault);
        }
        self.mail.borrow_mut().push_back(envelope);
        self.call();
    }

    /// An emptied queue gives its memory back: room for four messages is more than all else an idle resident holds.
    pub(crate) fn next_mail(&self) -> Option<Envelope<R>> {
        let mut mail = self.mail.borrow_mut();
        let next = mail.pop_front();
        if mail.is_empty() {
            *mail = VecDeque::new();
        }
        next
    }

    /// The shell's ear. Only the latest is called.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.listener.set(Some(waker.clone()));
    }

    fn call(&self) {
        if let Some(listener) = self.listener.take() {
            listener.wake();
        }
    }

    pub(crate) fn is_awake(&self) {
        self.condition.set(Condition::Awake);
    }

    pub(crate) fn is_waking(&self) {
        if self.condition.get() != Condition::Closed {
            self.condition.set(Condition::Waking);
        }
    }

    /// What the resident says of itself after each message.
    pub(crate) fn is_restless(&self, restless: bool) {
        self.restless.set(restless);
    }

    pub(crate) fn errand_began(&self) {
        self.errands.set(self.errands.get().saturating_add(1));
    }

    pub(crate) fn errand_ended(&self) {
        self.errands.set(self.errands.get().saturating_sub(1));
    }

    /// Counts a crash. How long the key rests before it is rebuilt.
    ///
    /// The first costs nothing but the rebuilding. After too many the key is in quarantine: whoever asks,
    /// or asked already, is told so at once, at growing intervals; messages from inside are kept.
    pub(crate) fn strike(&self, now: Timestamp) -> Duration {
        let limits = &self.floor.limits;
        let before = Some(self.strikes.get()).filter(|s| now < s.calm_at).map_or(0, |s| s.count);
        let count = before.saturating_add(1);
        let rest = limits.rest(count);
        self.strikes.set(Strikes { count, calm_at: now.plus(rest).plus(limits.tries.within) });
        self.restless.set(true);
        if !self.mail.borrow().is_empty() && is_planted(Bug::MailLostWithKeeper) {
            self.mail.take();
        }
        if rest.is_zero() {
            self.is_waking();
        } else if self.condition.get() != Condition::Closed {
            self.condition.set(Condition::Resting { until: now.plus(rest) });
        }
        if count >= limits.tries.most {
            tracing::error!(
                kind = R::KIND,
                crashes = count,
                ?rest,
                "an actor keeps crashing and is in quarantine"
            );
            self.turn_askers_away(Fault::Restarting { retry_after: rest });
        }
        rest
    }

    fn turn_askers_away(&self, fault: Fault) {
        let (asked, told): (VecDeque<_>, VecDeque<_>) =
            self.mail.take().into_iter().partition(|envelope| envelope.ticket.is_some());
        self.mail.replace(told);
        for envelope in asked {
            self.floor.tally.sheds.count(Shed::Restarting);
            envelope.refuse(fault);
        }
    }

    /// Whether the shard may put it to sleep: everything that it knows, the journal knows.
    pub(crate) fn may_sleep(&self, now: Timestamp) -> bool {
        self.condition.get() == Condition::Awake
            && !self.restless.get()
            && self.errands.get() == 0
            && self.mail.borrow().is_empty()
            && now >= self.strikes.get().calm_at
    }

    /// Whether it has been used since this was last asked.
    pub(crate) fn take_used(&self) -> bool {
        self.used.replace(false)
    }

    pub(crate) fn idle_for(&self, now: Timestamp) -> Duration {
        now.since(self.used_at.get())
    }

    pub(crate) fn is_owed_a_wake(&self) -> bool {
        self.restless.get() || self.errands.get() > 0
    }

    /// Has a resident that could not sleep when it last heard something asked whether it could now: whom it
    /// waited for may have gone without a word.
    pub(crate) fn ask_again(&self) {
        if self.condition.get() == Condition::Awake && self.restless.get() {
            self.asked_again.set(true);
            self.call();
        }
    }

    pub(crate) fn take_asked_again(&self) -> bool {
        self.asked_again.replace(false)
    }

    /// Ends the incarnation in it, as a death from outside would.
    pub(crate) fn doom(&self) {
        self.doomed.set(true);
        self.call();
    }

    pub(crate) fn take_doom(&self) -> bool {
        self.doomed.replace(false)
    }

    /// Gives the room up. What was not heard yet is handed over.
    pub(crate) fn close(&self) -> VecDeque<Envelope<R>> {
        if self.condition.replace(Condition::Closed) != Condition::Closed {
            self.floor.tally.moved_out();
        }
        self.call();
        self.mail.take()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.condition.get() == Condition::Closed
    }
}
