//! The actor around one resident: it hears the room's mail, keeps the one timer, and catches panics.
//!
//! A panic while hearing costs the message that caused it and nothing else: the state is dropped, rebuilt
//! from the journal while the context waits, and the rest of the mail is heard by the new state. A
//! death that is not caught here is noticed by `Drop`, and the shard moves another shell into the same
//! room. What the resident is about is not known here. Next: `room`.
use super::Floor;
use super::intake::Envelope;
use super::room::Room;
use crate::answer::{Fault, Ticket, discard};
use crate::domain::time::{Deadline, Timestamp};
use crate::planted::{Bug, is_planted};
use crate::resident::{Desk, Resident, WakeFault};
use actix::prelude::*;
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep, timeout};

/// Messages heard before others on the arbiter get their turn.
const TURN: usize = 32;

/// A resident that leaves its deadline where it was is rung again this much later, not at once for ever.
const ALARM_MIN: Duration = Duration::from_millis(1);

/// The actor. What would be its address and mailbox is the room, which outlives it.
pub(crate) struct Shell<R: Resident> {
    resident: Option<R>,
    desk: Desk<R>,
    room: Rc<Room<R>>,
    alarm: Option<Alarm>,
    rest: Duration,
}

struct Alarm {
    deadline: Deadline,
    sleep: Pin<Box<Sleep>>,
}

/// How an attempt to wake a resident ended: a panic, a fault, or a resident.
type Woken<R> = std::thread::Result<Result<R, WakeFault>>;

impl<R: Resident> Shell<R> {
    /// Moves a shell into `room`; it wakes the resident after `rest`.
    pub(crate) fn move_in(room: Rc<Room<R>>, rest: Duration) {
        Self { resident: None, desk: Desk::new(Rc::clone(&room)), room, alarm: None, rest }.start();
    }

    fn wake_after(&mut self, rest: Duration, ctx: &mut Context<Self>) {
        let room = Rc::clone(&self.room);
        let woken = async move {
            if !rest.is_zero() {
                sleep(rest).await;
            }
            room.is_waking();
            wake(room.key(), Arc::clone(room.world()), room.floor().limits.wake_within).await
        };
        ctx.wait(woken.into_actor(self).map(|woken, shell, ctx| shell.woken(woken, ctx)));
    }

    fn woken(&mut self, woken: Woken<R>, ctx: &mut Context<Self>) {
        if self.room.is_closed() {
            return;
        }
        match woken {
            Ok(Ok(resident)) => {
                self.resident = Some(resident);
                self.room.is_awake();
                self.attend(None, ctx, |_, _, _| ());
            }
            Ok(Err(fault)) => {
                // The journal's fault: the key backs off, but the shard's patience is for crashes.
                tracing::warn!(kind = R::KIND, %fault, "an actor could not be woken");
                self.floor().tally.crashed.bump();
                self.start_over(ctx);
            }
            Err(_) => self.crashed(ctx),
        }
    }

    fn hear(&mut self, envelope: Envelope<R>, ctx: &mut Context<Self>) {
        let (now, sheds) = (self.floor().clock.now(), &self.floor().tally.sheds);
        if let Some(envelope) = envelope.if_wanted(now, sheds) {
            let (ask, ticket) = envelope.opened(now);
            self.attend(ticket.as_deref(), ctx, |resident, now, desk| resident.hear(now, ask, desk));
        }
    }

    /// Lets the resident work, asks it what it needs next, and survives it.
    fn attend(
        &mut self,
        ticket: Option<&Ticket>,
        ctx: &mut Context<Self>,
        work: impl FnOnce(&mut R, Timestamp, &Desk<R>),
    ) {
        let now = self.floor().clock.now();
        let Self { resident: Some(resident), desk, .. } = self else { return };
        let worked = catch_unwind(AssertUnwindSafe(|| {
            work(resident, now, desk);
            (resident.wakes_at(), resident.may_sleep())
        }));
        if let Ok((wakes_at, may_sleep)) = worked {
            self.set_alarm(wakes_at, now);
            let has_deadline = wakes_at.is_some() && !is_planted(Bug::WakeLostAfterSleep);
            self.room.is_restless(has_deadline || !may_sleep);
        } else {
            if let Some(ticket) = ticket {
                ticket.refuse(Fault::Crashed);
            }
            self.crashed(ctx);
        }
    }

    fn crashed(&mut self, ctx: &mut Context<Self>) {
        self.floor().count_crash();
        self.start_over(ctx);
    }

    fn start_over(&mut self, ctx: &mut Context<Self>) {
        let rest = self.room.strike(self.floor().clock.now());
        self.floor().tally.restarted.bump();
        self.alarm = None;
        self.drop_resident(rest);
        self.wake_after(rest, ctx);
    }

    fn drop_resident(&mut self, rest: Duration) {
        if let Some(resident) = self.resident.take() {
            let retry_after = rest.max(self.floor().limits.backoff.first);
            discard(resident, Fault::Restarting { retry_after });
        }
    }

    fn set_alarm(&mut self, wakes_at: Option<Deadline>, now: Timestamp) {
        if self.alarm.as_ref().map(|alarm| alarm.deadline) != wakes_at {
            self.alarm = wakes_at.map(|deadline| Alarm::new(deadline, now));
        }
    }

    /// Whether the deadline has come; the alarm is then spent.
    fn alarm_rings(&mut self, task: &mut Task<'_>) -> bool {
        let now = self.floor().clock.now();
        let rings = self.alarm.as_mut().is_some_and(|alarm| alarm.rings(now, task));
        if rings {
            self.alarm = None;
        }
        rings
    }

    fn floor(&self) -> &Floor<R> {
        self.room.floor()
    }
}

impl Alarm {
    fn new(deadline: Deadline, now: Timestamp) -> Self {
        Self { deadline, sleep: Box::pin(sleep(deadline.left(now).max(ALARM_MIN))) }
    }

    /// The clock decides; the runtime's timer only says when to look, and may be early by its grain.
    fn rings(&mut self, now: Timestamp, task: &mut Task<'_>) -> bool {
        while self.sleep.as_mut().poll(task).is_ready() {
            if self.deadline.is_over(now) {
                return true;
            }
            *self = Self::new(self.deadline, now);
        }
        false
    }
}

async fn wake<R: Resident>(key: R::Key, world: Arc<R::World>, within: Duration) -> Woken<R> {
    let waking = AssertUnwindSafe(async move { R::wake(key, &world).await }).catch_unwind();
    timeout(within, waking).await.unwrap_or(Ok(Err(WakeFault::Late)))
}

impl<R: Resident> Actor for Shell<R> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Listen);
        self.wake_after(self.rest, ctx);
    }
}

impl<R: Resident> Drop for Shell<R> {
    /// The death notice, whatever it died of.
    fn drop(&mut self) {
        self.drop_resident(Duration::ZERO);
        if !self.room.is_closed() {
            self.floor().vacated(Rc::clone(&self.room));
        }
    }
}

/// Hears the mail, a turn at a time.
struct Listen;

impl<R: Resident> ActorFuture<Shell<R>> for Listen {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        shell: &mut Shell<R>,
        ctx: &mut Context<Shell<R>>,
        task: &mut Task<'_>,
    ) -> Poll<()> {
        shell.room.listen(task.waker());
        for _ in 0..TURN {
            if shell.room.is_closed() || shell.room.take_doom() {
                ctx.stop();
                return Poll::Ready(());
            }
            if shell.resident.is_none() {
                return Poll::Pending; // the context waits for it to be rebuilt, and polls this again
            }
            if shell.alarm_rings(task) {
                shell.attend(None, ctx, R::ring);
            } else if let Some(envelope) = shell.room.next_mail() {
                shell.hear(envelope, ctx);
            } else if shell.room.take_asked_again() {
                shell.attend(None, ctx, |_, _, _| ());
            } else {
                return Poll::Pending;
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}
