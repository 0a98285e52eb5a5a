//! A platform that lives by the wall clock, before a switch that lives by its own.
//!
//! The switch's clock never runs back: once the wall clock was hours ahead, it stays ahead of everybody until they have
//! caught up. What a platform says of times is therefore read as distances from the wall's present. Adapters sign by the
//! wall clock; nothing is decided by it.
use actors::domain::identity::{PlatformId, RefundId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{
    InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::Interface;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::Answer;
use actors::ports::clock::Clock;
use actors::ports::platform::{
    CallbackFault, CallbackMessage, Claimed, PermitAsk, Platform, PlatformAsk, Presentation, Promises,
};
use std::sync::Arc;

/// `P`, whose times are the wall's.
pub struct OnWallTime<P> {
    platform: P,
    clock: Arc<dyn Clock>,
    wall: Arc<dyn Clock>,
}

impl<P> OnWallTime<P> {
    /// `platform`, which lives by `wall`, for a switch that lives by `clock`.
    pub fn new(platform: P, clock: Arc<dyn Clock>, wall: Arc<dyn Clock>) -> Self {
        Self { platform, clock, wall }
    }
}

impl<P: Platform> Platform for OnWallTime<P> {
    fn id(&self) -> PlatformId {
        self.platform.id()
    }

    fn promises(&self) -> Promises {
        self.platform.promises()
    }

    fn permit(&self, ask: PermitAsk) -> Answer<PermitOutcome> {
        let answer = self.platform.permit(ask);
        let (clock, wall) = (self.clock.clone(), self.wall.clone());
        Box::pin(async move {
            match answer.await {
                PermitOutcome::Granted(interface) => {
                    let expires = Deadline::after(clock.now(), interface.expires.left(wall.now()));
                    PermitOutcome::Granted(Interface { expires, ..interface })
                }
                outcome => outcome,
            }
        })
    }

    fn pay(&self, presentation: Presentation) -> Answer<PaymentOutcome> {
        self.platform.pay(presentation)
    }

    fn inquire(&self, ask: PlatformAsk) -> Answer<InquiryOutcome> {
        self.platform.inquire(ask)
    }

    fn reverse(&self, ask: PlatformAsk) -> Answer<ReversalOutcome> {
        self.platform.reverse(ask)
    }

    fn refund(&self, ask: PlatformAsk, refund: RefundId, money: Money) -> Answer<RefundOutcome> {
        self.platform.refund(ask, refund, money)
    }

    fn read_callback(&self, _: Timestamp, message: &CallbackMessage<'_>) -> Result<Claimed, CallbackFault> {
        self.platform.read_callback(self.wall.now(), message)
    }
}
