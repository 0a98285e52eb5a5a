//! One payment as its keeper has it at hand: who waits for it, who has yet to be told, what it holds meanwhile.
//!
//! It speaks when it is told that the disk has everything up to some place, and not if it has gone on since. What is
//! written when, and what the machine commands, is the keeper's business.
use crate::answer::Reply;
use crate::domain::identity::PayerId;
use crate::domain::journal::Seq;
use crate::domain::payer::Card;
use crate::domain::payment::command::{Fact, Verdict};
use crate::domain::payment::outcome::Failure;
use crate::domain::payment::phase::Phase;
use crate::domain::payment::{Payment, Stamped};
use crate::domain::time::Timestamp;
use crate::gate::Inside;
use crate::keeping::went_through;
use crate::merchant::Seat;
use crate::outbox::OutboxAsk;
use crate::payer::PayerAsk;
use crate::payment_tally::Place;
use crate::planted::{Bug, is_planted};
use crate::report::{Report, Until};
use crate::world::World;

/// How many may wait for one payment's word; those beyond are answered with how it stands.
const WAITERS_MAX: usize = 8;

/// A payment at hand.
pub(super) struct Kept {
    pub(super) payment: Payment,
    pub(super) began: Timestamp,
    pub(super) place: Place,
    pub(super) last_failure: Option<Failure>,
    /// The place of its newest fact in the journal.
    pub(super) seq: Seq,
    pub(super) seat: Option<Seat>,
    /// Its place among those that are open, until it is decided; those found again after a crash or a restart are not counted.
    pub(super) inside: Option<Inside>,
    waiters: Vec<Waiter>,
    untold: Vec<PayerId>,
    /// Its debts have changed since the outbox heard of them.
    owing: bool,
}

struct Waiter {
    until: Until,
    verdict: Verdict,
    reply: Reply<Option<Report>>,
}

impl Kept {
    pub(super) fn new(payment: Payment, began: Timestamp) -> Self {
        let place = Place::begun(&payment, began);
        Self::at(payment, began, place)
    }

    const fn at(payment: Payment, began: Timestamp, place: Place) -> Self {
        Self {
            payment,
            began,
            place,
            last_failure: None,
            seq: Seq(0),
            seat: None,
            inside: None,
            waiters: Vec::new(),
            untold: Vec::new(),
            owing: false,
        }
    }

    pub(super) fn rebuilt(payment: Payment, now: Timestamp, facts: &[Stamped]) -> Self {
        let began = facts.first().map_or(now, |first| first.at);
        let failure = facts.iter().map(|stamped| &stamped.fact).fold(None, last_failure);
        let place = Place::found(&payment, now, facts);
        Self { last_failure: failure, ..Self::at(payment, began, place) }
    }

    /// What the incarnation before had yet to tell is not known, so everybody is told how it stands: the outbox,
    /// and each payer who was ever shown it. They know what they have heard before.
    pub(super) fn telling_everybody(mut self, facts: &[Stamped]) -> Self {
        self.owing = !self.payment.debts().is_empty() && !is_planted(Bug::ReversalDroppedOnRestart);
        self.untold.extend(self.payment.payer());
        for stamped in facts {
            if let Fact::PhoneCame(claim) = stamped.fact {
                self.tell(claim.payer);
            }
        }
        self
    }

    /// This payer is to be told.
    pub(super) fn tell(&mut self, payer: PayerId) {
        if !self.untold.contains(&payer) {
            self.untold.push(payer);
        }
    }

    /// The outbox is to be told.
    pub(super) const fn owe(&mut self) {
        self.owing = true;
    }

    /// Whoever this is waits until then for its word.
    pub(super) fn wait_for(&mut self, until: Until, verdict: Verdict, reply: Reply<Option<Report>>) {
        self.waiters.retain(|waiter| !waiter.reply.is_abandoned());
        // Who does not fit has nothing to wait for.
        let waits = self.waiters.len() < WAITERS_MAX && went_through(verdict).is_ok();
        let until = if waits { until } else { Until::Recorded };
        self.waiters.push(Waiter { until, verdict, reply });
    }

    /// Those who wait.
    pub(super) fn into_replies(self) -> impl Iterator<Item = Reply<Option<Report>>> {
        self.waiters.into_iter().map(|waiter| waiter.reply)
    }

    pub(super) const fn is_waited_for(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Whether the journal has it and nobody waits for it.
    pub(super) fn may_be_put_away(&self, durable: Seq) -> bool {
        let has_spoken = self.waiters.is_empty() && self.untold.is_empty() && !self.owing;
        has_spoken && self.payment.is_closed() && self.seq <= durable
    }

    /// Asks this payer at once, and answers the phone that waits for its permit: none of it need be on disk.
    pub(super) fn ask(&mut self, payer: PayerId, world: &World) {
        self.untold.retain(|untold| *untold != payer);
        self.tell_payer(payer, world);
        if matches!(self.payment.phase(), Phase::AwaitPayment(..)) {
            answer(&mut self.waiters, &self.payment, self.last_failure, |until| until == Until::Permitted);
        }
    }

    /// Whether anybody is told anything once the disk has everything so far.
    pub(super) fn has_something_to_say(&self) -> bool {
        self.owing
            || !self.untold.is_empty()
            || self.payment.is_closed()
            || self.waiters.iter().any(|waiter| waiter.until.is_reached(&self.payment))
    }

    /// Tells everybody how it stands, if all of that is on disk; a later word tells otherwise.
    pub(super) fn speak(&mut self, durable: Seq, world: &World) {
        if self.seq > durable {
            return;
        }
        if std::mem::take(&mut self.owing) {
            self.tell_outbox(world);
        }
        for payer in std::mem::take(&mut self.untold) {
            self.tell_payer(payer, world);
        }
        answer(&mut self.waiters, &self.payment, self.last_failure, |_| true);
    }

    /// Answers those who wait for this payment with another one: a planted bug, or nobody calls it.
    pub(super) fn mistake_for(&mut self, other: &Payment) {
        answer(&mut self.waiters, other, self.last_failure, |_| true);
    }

    fn tell_outbox(&self, world: &World) {
        if let Some(platform) = self.payment.phase().platform() {
            let ask = OutboxAsk::Owes(self.payment.id(), self.payment.debts());
            world.rooms().outboxes.post(platform, ask);
        }
    }

    fn tell_payer(&self, payer: PayerId, world: &World) {
        let ask = if self.payment.payer() == Some(payer) {
            let card = Card { payment: self.payment.clone(), last_failure: self.last_failure };
            PayerAsk::Changed(Box::new(card))
        } else {
            PayerAsk::Gone(self.payment.id())
        };
        world.rooms().payers.post(payer, ask);
    }
}

fn answer(
    waiters: &mut Vec<Waiter>,
    payment: &Payment,
    last_failure: Option<Failure>,
    may_hear: impl Fn(Until) -> bool,
) {
    for waiter in waiters.extract_if(.., |waiter| may_hear(waiter.until) && waiter.until.is_reached(payment))
    {
        let report = Report { payment: payment.clone(), verdict: waiter.verdict, last_failure };
        waiter.reply.send(Some(report));
    }
}

/// Why the latest attempt failed, after one more fact.
pub(super) fn last_failure(before: Option<Failure>, fact: &Fact) -> Option<Failure> {
    match fact {
        Fact::AttemptFailed(_, failure, _) => Some(*failure),
        _ => before,
    }
}
