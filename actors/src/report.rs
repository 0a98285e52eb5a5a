//! What a keeper tells of a payment, and when: not before the disk holds what is told, but for a payer who is asked.
use crate::answer::Reply;
use crate::domain::identity::PaymentId;
use crate::domain::payer::Card;
use crate::domain::payment::Payment;
use crate::domain::payment::command::Verdict;
use crate::domain::payment::event::Event;
use crate::domain::payment::outcome::Failure;
use crate::domain::payment::phase::Phase;

/// A payment as it stands, durably (but for [`Until::Permitted`]), and what became of the event that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The payment.
    pub payment: Payment,
    /// What became of the event.
    pub verdict: Verdict,
    /// Why the attempt before this one failed.
    pub last_failure: Option<Failure>,
}

impl Report {
    /// The payment as its payer may see it.
    pub fn card(&self) -> Card {
        Card { payment: self.payment.clone(), last_failure: self.last_failure }
    }
}

/// How long an answer is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until what the event made true is durable.
    Recorded,
    /// Until the payment has left the phase of this name.
    Leaves(&'static str),
    /// Until the platform's permit has come, or will not: the permit is shown before the disk has it, as to every phone that
    /// listens ([`crate::domain::payment::command::Effect::AskPayer`]).
    Permitted,
    /// Until the terminal's answer is decided.
    Decided,
}

impl Until {
    /// Whether the wait is over for `payment`.
    pub fn is_reached(self, payment: &Payment) -> bool {
        match self {
            Self::Recorded => true,
            Self::Leaves(phase) => payment.phase().name() != phase,
            Self::Permitted => !matches!(payment.phase(), Phase::AwaitPermit(..)),
            Self::Decided => payment.is_decided(),
        }
    }
}

/// Something told to a payment's keeper. An answer of `None` says that there is no such payment here.
#[derive(Debug)]
pub struct Told {
    /// Which payment.
    pub payment: PaymentId,
    /// What happened; `None` if somebody only looks.
    pub event: Option<Event>,
    /// When the answer is wanted.
    pub until: Until,
    /// Who wants it.
    pub reply: Option<Reply<Option<Report>>>,
}

impl Told {
    /// Told by one who wants no answer.
    pub const fn unasked(payment: PaymentId, event: Event) -> Self {
        Self { payment, event: Some(event), until: Until::Recorded, reply: None }
    }
}
