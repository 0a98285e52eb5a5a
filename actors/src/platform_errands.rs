//! What keepers ask of platforms, each question within its deadline and behind a wall.
//!
//! An adapter that panics, or never answers, ends as the outcome that says least: `Unknown`. So an errand always comes
//! back, nobody is kept awake by it, and no platform can break the actor that asks it. What an answer means is
//! `domain::payment`'s to say. Next: `keeping`, `outbox`.
use crate::domain::payment::Payment;
use crate::domain::payment::event::Event;
use crate::domain::payment::outcome::{InquiryOutcome, PermitOutcome};
use crate::domain::payment::phase::{Attempt, Deal, Phase};
use crate::domain::time::Deadline;
use crate::keeping::KeepingAsk;
use crate::ports::Answer;
use crate::ports::clock::Clock;
use crate::ports::platform::{PermitAsk, PlatformAsk};
use crate::report::Told;
use crate::resident::{Desk, Resident};
use crate::world::World;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::timeout;

/// The platform's answer, or `unknown` if there is none by then.
pub async fn answered<T>(
    clock: &dyn Clock,
    answer_by: Deadline,
    unknown: T,
    ask: impl FnOnce() -> Answer<T>,
) -> T {
    let asked = AssertUnwindSafe(async move { ask().await }).catch_unwind();
    match timeout(answer_by.left(clock.now()), asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            tracing::error!("a platform's adapter panicked: what came of its question is not known");
            unknown
        }
        Err(_) => unknown,
    }
}

/// A platform gets its own time, but never more than the terminal has.
pub fn platform_deadline(deal: &Deal, world: &World) -> Deadline {
    Deadline::after(world.clock.now(), deal.admission.terms.platform_within).min(deal.order.answer_by)
}

/// Asks for the permit that the payment waits for.
pub fn ask_permit<R>(payment: &Payment, attempt: Attempt, desk: &Desk<R>)
where
    R: Resident<World = World>,
    R::Ask: From<KeepingAsk>,
{
    // Overtaken while the disk was busy: what was to be asked for is no longer wanted.
    let Phase::AwaitPermit(deal, consent, wanted, _) = payment.phase() else { return };
    if *wanted != attempt {
        return;
    }
    let id = payment.id();
    let ask = PermitAsk {
        payment: id,
        attempt,
        money: deal.order.money,
        merchant: deal.order.merchant,
        merchant_name: deal.admission.merchant_name.clone(),
        terminal: deal.order.terminal(),
        payer: consent.claim.payer,
        answer_by: platform_deadline(deal, desk.world()),
    };
    let (world, platform) = (Arc::clone(desk.world()), deal.admission.platform);
    desk.run(async move {
        let outcome = match world.platforms.get(&platform) {
            Some(platform) => {
                let asked = || platform.permit(ask.clone());
                answered(world.clock.as_ref(), ask.answer_by, PermitOutcome::Unknown, asked).await
            }
            None => PermitOutcome::NotSent,
        };
        KeepingAsk::Tell(Told::unasked(id, Event::PermitSaid(attempt, outcome))).into()
    });
}

/// Asks where the payment stands.
pub fn inquire<R>(payment: &Payment, attempt: Attempt, desk: &Desk<R>)
where
    R: Resident<World = World>,
    R::Ask: From<KeepingAsk>,
{
    let (Phase::AwaitPayment(deal, ..) | Phase::InDoubt(deal, ..)) = payment.phase() else { return };
    let (id, answer_by) = (payment.id(), platform_deadline(deal, desk.world()));
    let ask = PlatformAsk { payment: id, money: deal.order.money, answer_by };
    let (world, platform) = (Arc::clone(desk.world()), deal.admission.platform);
    desk.run(async move {
        let outcome = match world.platforms.get(&platform) {
            Some(platform) => {
                let asked = || platform.inquire(ask);
                answered(world.clock.as_ref(), answer_by, InquiryOutcome::Unknown, asked).await
            }
            None => InquiryOutcome::Unknown,
        };
        KeepingAsk::Tell(Told::unasked(id, Event::InquirySaid(attempt, outcome))).into()
    });
}
