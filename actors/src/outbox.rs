//! The actor that pays what we owe to one platform: reversals and refunds, retried until they are acknowledged.
//!
//! It folds its debts from the journal when it wakes, so nothing is forgotten by a crash, and it never decides: what
//! a platform answers is told to the payment's keeper, and what is owed after that is the payment's to say. One
//! platform's trouble stays in that platform's outbox. The schedule is `domain::outbox`.
use crate::answer::Reply;
use crate::domain::identity::{Keeper, PaymentId, PlatformId, RefundId};
use crate::domain::outbox::{Debt, DebtKind, Outbox, Standing};
use crate::domain::payment::event::Event;
use crate::domain::payment::outcome::{Effect, RefundOutcome, ReversalOutcome};
use crate::domain::time::{Deadline, Timestamp};
use crate::keeping::KeepingAsk;
use crate::planted::{Bug, is_planted};
use crate::platform_errands::answered;
use crate::ports::platform::PlatformAsk;
use crate::report::{Report, Told, Until};
use crate::resident::{Desk, Resident, WakeFault};
use crate::terminal_session::SessionAsk;
use crate::world::World;
use futures_util::future::LocalBoxFuture;
use metrics::{Gauge, gauge};
use std::sync::Arc;
use std::time::Duration;

/// The platform's name for giving a whole payment back because it is past reversing.
pub const GIVING_BACK: &str = "giving-back";
/// How long a keeper may take to take in what a platform said.
const KEEPER_WITHIN: Duration = Duration::from_secs(10);

/// The outbox towards one platform.
pub struct PlatformOutbox {
    outbox: Outbox,
    in_flight: usize,
    in_flight_max: usize,
    owed: Gauge,
    oldest: Gauge,
}

/// What an outbox hears.
#[derive(Debug)]
pub enum OutboxAsk {
    /// This payment owes exactly this now.
    Owes(PaymentId, Vec<Debt>),
    /// An attempt at a debt ended: what the payment owes after it, or nothing learned.
    Tried(Debt, Option<Vec<Debt>>),
    /// Everything that is owed.
    List(Reply<Vec<Standing>>),
    /// Nothing: it is to be awake.
    WakeUp,
}

impl Resident for PlatformOutbox {
    type Key = PlatformId;
    type Ask = OutboxAsk;
    type World = World;
    const KIND: &'static str = "outbox";

    fn wake(platform: PlatformId, world: &Arc<World>) -> LocalBoxFuture<'static, Result<Self, WakeFault>> {
        let (indebted, clock) = (world.journal.indebted(), Arc::clone(&world.clock));
        let (mut outbox, in_flight_max) =
            (Outbox::new(world.rules.owed_backoff), world.rules.owed_in_flight_max);
        Box::pin(async move {
            let now = clock.now();
            for life in indebted.await {
                let is_forgotten =
                    is_planted(Bug::OutboxStartsEmpty) || is_planted(Bug::ReversalDroppedOnRestart);
                if life.payment.phase().platform() == Some(platform) && !is_forgotten {
                    outbox.take_in(now, life.payment.id(), &life.payment.debts());
                }
            }
            let label = platform.as_str().to_owned();
            Ok(Self {
                outbox,
                in_flight: 0,
                in_flight_max,
                owed: gauge!("turnout_outbox_owed", "platform" => label.clone()),
                oldest: gauge!("turnout_outbox_oldest_seconds", "platform" => label),
            })
        })
    }

    fn hear(&mut self, now: Timestamp, ask: OutboxAsk, desk: &Desk<Self>) {
        match ask {
            OutboxAsk::Owes(payment, debts) => self.outbox.take_in(now, payment, &debts),
            OutboxAsk::Tried(debt, after) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                if let Some(debts) = after {
                    self.outbox.take_in(now, debt.payment, &debts);
                } else if is_planted(Bug::DebtTriedOnce) {
                    self.outbox.take_in(now, debt.payment, &[]);
                }
                self.outbox.failed(now, &debt);
            }
            OutboxAsk::List(reply) => reply.send(self.outbox.standing().collect()),
            OutboxAsk::WakeUp => {}
        }
        self.pay(now, desk);
    }

    fn ring(&mut self, now: Timestamp, desk: &Desk<Self>) {
        self.pay(now, desk);
    }

    fn wakes_at(&self) -> Option<Deadline> {
        // With everything in flight that may be, the next answer makes room, not the time.
        let has_room = self.in_flight < self.in_flight_max;
        self.outbox.wakes_at().filter(|_| has_room).map(Deadline::at)
    }

    fn may_sleep(&self) -> bool {
        self.outbox.is_empty() && self.in_flight == 0
    }
}

impl PlatformOutbox {
    fn pay(&mut self, now: Timestamp, desk: &Desk<Self>) {
        let room = self.in_flight_max.saturating_sub(self.in_flight);
        for debt in self.outbox.start_due(now, room) {
            self.in_flight = self.in_flight.saturating_add(1);
            desk.run(tried(debt, Arc::clone(desk.world())));
        }
        self.show(now);
    }

    fn show(&self, now: Timestamp) {
        let oldest = self.outbox.standing().map(|standing| standing.since).min();
        self.owed.set(u32::try_from(self.outbox.len()).map_or(f64::MAX, f64::from));
        self.oldest.set(oldest.map_or(0.0, |since| now.since(since).as_secs_f64()));
    }
}

async fn tried(debt: Debt, world: Arc<World>) -> OutboxAsk {
    let Some(event) = asked(&debt, &world).await else { return OutboxAsk::Tried(debt, None) };
    let report = told_keeper(&debt, event, &world).await;
    OutboxAsk::Tried(debt, report.map(|report| report.payment.debts()))
}

/// Asks the platform; `None` if nothing was learned.
async fn asked(debt: &Debt, world: &World) -> Option<Event> {
    let (platform, clock) = (world.platforms.get(&debt.platform)?.as_ref(), world.clock.as_ref());
    let answer_by = Deadline::after(clock.now(), world.rules.owed_within);
    let ask = PlatformAsk { payment: debt.payment, money: debt.paid, answer_by };
    let refund = async |name| {
        let refund = || platform.refund(ask, name, debt.money);
        answered(clock, answer_by, RefundOutcome::Unknown, refund).await
    };
    match debt.kind {
        DebtKind::Reversal | DebtKind::ByHand => {
            let reverse = || platform.reverse(ask);
            match answered(clock, answer_by, ReversalOutcome::Unknown, reverse).await {
                ReversalOutcome::Unknown if is_planted(Bug::DebtPaidWhenSent) => {
                    Some(Event::ReversalSaid(ReversalOutcome::Acknowledged(Effect::NothingToUndo)))
                }
                ReversalOutcome::Unknown => None,
                outcome => Some(Event::ReversalSaid(outcome)),
            }
        }
        DebtKind::GivingBack => match refund(RefundId::new(GIVING_BACK).ok()?).await {
            RefundOutcome::Done => Some(Event::ReversalSaid(ReversalOutcome::Acknowledged(Effect::Undone))),
            RefundOutcome::Refused => Some(Event::ReversalSaid(ReversalOutcome::Refused)),
            RefundOutcome::Unknown => None,
        },
        DebtKind::Refund(id) => match refund(id).await {
            RefundOutcome::Unknown => None,
            outcome => Some(Event::RefundSaid(id, outcome)),
        },
    }
}

async fn told_keeper(debt: &Debt, event: Event, world: &Arc<World>) -> Option<Report> {
    let Keeper::Terminal(terminal) = debt.keeper else { return None };
    let by = Deadline::after(world.clock.now(), KEEPER_WITHIN);
    let payment = debt.payment;
    let told = world.rooms().sessions.consult(terminal, by, move |reply| {
        let told = Told { payment, event: Some(event), until: Until::Recorded, reply: Some(reply) };
        SessionAsk::Keeping(KeepingAsk::Tell(told))
    });
    told.await.ok().flatten()
}
