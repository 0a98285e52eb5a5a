//! How a question to an actor gets its answer: once, always, and never after nobody waits.
//!
//! A [`Reply`] travels inside the message. Whoever drops it unanswered has answered
//! [`Fault::Crashed`], so unwinding over a poison message answers it. The ticket is the runtime's
//! own end of the same question: deadline, permit, and the fault to give if the message is refused
//! unheard. What the question is about is not known here. Next: `gate`, `directory`.
use crate::domain::time::{Deadline, Timestamp};
use crate::gate::Permit;
use crate::ports::Answer;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use tokio::sync::oneshot;

pub use crate::fault::Fault;

/// The one-shot handle that answers a question. Dropped unanswered, it answers with a fault.
#[derive(Debug)]
pub struct Reply<T> {
    line: Option<oneshot::Sender<Result<T, Fault>>>,
    ticket: Arc<Ticket>,
}

impl<T> Reply<T> {
    /// Answers. If nobody waits any more, the answer is let go: the journal has it.
    pub fn send(mut self, value: T) {
        if let Some(line) = self.line.take() {
            drop(line.send(Ok(value)));
        }
    }

    /// Refuses: nothing was done, or it is not known here.
    pub fn refuse(mut self, fault: Fault) {
        if let Some(line) = self.line.take() {
            drop(line.send(Err(fault)));
        }
    }

    /// Whether the caller has gone: there is nobody to answer.
    pub fn is_abandoned(&self) -> bool {
        self.line.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// By when the caller wants its answer.
    pub fn deadline(&self) -> Deadline {
        self.ticket.deadline
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            let fault = self.ticket.refusal.get().copied().unwrap_or_else(fault_of_the_moment);
            drop(line.send(Err(fault)));
        }
    }
}

/// The runtime's end of a question. It holds the permit: released once the message is gone and answered.
#[derive(Debug)]
pub(crate) struct Ticket {
    deadline: Deadline,
    abandoned: AtomicBool,
    refusal: OnceLock<Fault>,
    _permit: Option<Permit>,
}

impl Ticket {
    /// Names the fault that an unanswered reply gives; the first one named stays.
    pub(crate) fn refuse(&self, fault: Fault) {
        self.refusal.get_or_init(|| fault);
    }

    /// Whether the answer would come too late.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.deadline.is_over(now)
    }

    /// Whether the caller stopped waiting.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}

/// A question: the handle for the answerer, the ticket for the runtime, the answer for the caller.
///
/// The answer is due before the deadline, not at it: the caller stops waiting then.
pub(crate) fn question<T: Send + 'static>(
    now: Timestamp,
    deadline: Deadline,
    permit: Option<Permit>,
) -> (Reply<T>, Arc<Ticket>, Answer<Result<T, Fault>>) {
    let (line, answer) = oneshot::channel();
    let ticket = Arc::new(Ticket {
        deadline,
        abandoned: AtomicBool::new(false),
        refusal: OnceLock::new(),
        _permit: permit,
    });
    let waiting = Waiting(Arc::downgrade(&ticket));
    let answer = tokio::time::timeout(deadline.left(now), answer);
    let answer = Box::pin(async move {
        let _waiting = waiting;
        match answer.await {
            Ok(answer) => answer.unwrap_or(Err(Fault::Crashed)),
            Err(_) => Err(Fault::Expired),
        }
    });
    (Reply { line: Some(line), ticket: Arc::clone(&ticket) }, ticket, answer)
}

/// An answer that is known before the question is put.
pub(crate) fn refused<T: Send + 'static>(fault: Fault) -> Answer<Result<T, Fault>> {
    Box::pin(std::future::ready(Err(fault)))
}

/// The caller's presence; weak, so that a caller who dawdles over an answer keeps no permit.
struct Waiting(Weak<Ticket>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(ticket) = self.0.upgrade() {
            ticket.abandoned.store(true, Ordering::Release);
        }
    }
}

thread_local! {
    static DROPPED_WITH: Cell<Fault> = const { Cell::new(Fault::Crashed) };
}

fn fault_of_the_moment() -> Fault {
    DROPPED_WITH.try_with(Cell::get).unwrap_or(Fault::Crashed)
}

/// Drops a state that can't be trusted. The replies it kept belong to other callers: they get `fault`
/// instead of the poison's `Crashed`. A second panic, from the state's own `Drop`, ends here too.
pub(crate) fn discard<S>(state: S, fault: Fault) {
    DROPPED_WITH.set(fault);
    drop(catch_unwind(AssertUnwindSafe(|| drop(state))));
    DROPPED_WITH.set(Fault::Crashed);
}
