//! Who restarts whom, how fast, and when to give up.
//!
//! `actix::Supervisor` restarts nothing after a panic, so this is ours: a child holds a [`Link`] whose
//! `Drop` is its death notice, whatever it died of. Children are independent of one another, so the one
//! strategy is one-for-one; too many deaths in a period and the supervisor gives up: the process ends
//! with exit code 70 and its own supervisor (systemd, Kubernetes) starts a clean one from the journal.
//! What a child is, is not known here. Next: `shard`, the only child there is today.
use crate::domain::backoff::Backoff;
use crate::domain::time::Timestamp;
use crate::ports::clock::Clock;
use actix::prelude::*;
use metrics::{Counter, counter};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the process ends with when restarting does not help (EX_SOFTWARE).
pub const EXIT_CODE: i32 = 70;

/// How many failures within which period are still bad luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// Failures that are borne.
    pub most: u32,
    /// Within which time, counted back from the last.
    pub within: Duration,
}

/// The failures of late, against an [`Intensity`].
#[derive(Debug)]
pub(crate) struct Failures {
    borne: Intensity,
    at: VecDeque<Timestamp>,
}

impl Failures {
    pub(crate) fn new(borne: Intensity) -> Self {
        Self { borne, at: VecDeque::new() }
    }

    /// Adds one. How many there are of late; `None` if that is more than is borne.
    pub(crate) fn add(&mut self, now: Timestamp) -> Option<u32> {
        while self.at.front().is_some_and(|at| now.since(*at) > self.borne.within) {
            self.at.pop_front();
        }
        self.at.push_back(now);
        let of_late = u32::try_from(self.at.len()).unwrap_or(u32::MAX);
        (of_late <= self.borne.most).then_some(of_late)
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It unwound.
    Panicked,
    /// Its context ended, or its arbiter did.
    Stopped,
    /// What it supervises failed too often.
    Escalated,
}

/// A child's tie to its supervisor: dropping it, however that comes about, is the death notice.
pub(crate) struct Link {
    to: Recipient<Down>,
    child: usize,
    exit: Exit,
}

impl Link {
    /// Says that the coming end is an escalation.
    pub(crate) fn escalate(&mut self) {
        self.exit = Exit::Escalated;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let exit = if std::thread::panicking() { Exit::Panicked } else { self.exit };
        // A clone of an address has one place of its own in the mailbox, and this is its only message.
        if self.to.try_send(Down { child: self.child, exit }).is_err() {
            tracing::debug!(child = self.child, ?exit, "a child died after its supervisor");
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Down {
    child: usize,
    exit: Exit,
}

/// Starts one incarnation of a child. Called again for each restart.
type Start = Box<dyn FnMut(Link)>;

/// The root of the tree: takes children while the house is built, then keeps them alive.
pub struct Supervisor {
    children: Vec<Start>,
    failures: Failures,
    backoff: Backoff,
    clock: Arc<dyn Clock>,
    give_up: Option<Box<dyn FnOnce(i32)>>,
    standing_down: Arc<AtomicBool>,
    restarts: Counter,
    /// Its own address: actix ends an actor that nobody can reach, and that would be at the very moment when
    /// the last child has died.
    me: Option<Addr<Self>>,
}

impl Supervisor {
    /// A supervisor without children. `give_up` gets [`EXIT_CODE`] at most once; in production it ends
    /// the process at once, since what is left of the house can't be trusted.
    pub fn new(
        borne: Intensity,
        backoff: Backoff,
        clock: Arc<dyn Clock>,
        give_up: impl FnOnce(i32) + 'static,
    ) -> Self {
        Self {
            children: Vec::new(),
            failures: Failures::new(borne),
            backoff,
            clock,
            give_up: Some(Box::new(give_up)),
            standing_down: Arc::new(AtomicBool::new(false)),
            restarts: counter!("turnout_actors_restarts_total", "kind" => "shard"),
            me: None,
        }
    }

    /// Takes a child on; it is started with the supervisor.
    pub(crate) fn adopt(&mut self, start: impl FnMut(Link) + 'static) {
        self.children.push(Box::new(start));
    }

    /// Starts the children, on the current arbiter or where each belongs.
    pub fn start(self) -> Watch {
        let standing_down = Arc::clone(&self.standing_down);
        Actor::start(self);
        Watch { standing_down }
    }

    fn start_child(&mut self, child: usize, ctx: &mut Context<Self>) {
        let link = Link { to: ctx.address().recipient(), child, exit: Exit::Stopped };
        if let Some(start) = self.children.get_mut(child) {
            start(link);
        }
    }

    fn give_up(&mut self, ctx: &mut Context<Self>) {
        tracing::error!(code = EXIT_CODE, "restarting does not help: giving up");
        if let Some(give_up) = self.give_up.take() {
            give_up(EXIT_CODE);
        }
        ctx.stop();
    }
}

/// The running supervisor, from outside.
#[derive(Clone, Debug)]
pub struct Watch {
    standing_down: Arc<AtomicBool>,
}

impl Watch {
    /// The house is closing: from now on nobody is restarted and no death is a failure.
    pub fn stand_down(&self) {
        self.standing_down.store(true, Ordering::Release);
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.me = Some(ctx.address());
        for child in 0..self.children.len() {
            self.start_child(child, ctx);
        }
    }
}

impl Handler<Down> for Supervisor {
    type Result = ();

    fn handle(&mut self, Down { child, exit }: Down, ctx: &mut Self::Context) {
        if self.standing_down.load(Ordering::Acquire) {
            return;
        }
        let Some(of_late) = self.failures.add(self.clock.now()) else {
            return self.give_up(ctx);
        };
        tracing::error!(child, ?exit, of_late, "a shard died and will be restarted");
        self.restarts.increment(1);
        // The first death of late is bad luck and costs no wait.
        let wait = self.backoff.wait(of_late.saturating_sub(1));
        ctx.run_later(wait, move |supervisor, ctx| supervisor.start_child(child, ctx));
    }
}
