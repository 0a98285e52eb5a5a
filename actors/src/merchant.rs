//! The actor of one merchant: it admits orders and counts what is under way, so that no merchant crowds out others.
//!
//! What a merchant may do is `domain::merchant`'s to say. A seat is given with every admission and comes back by
//! itself when the payment is decided, whatever happened to it in between.
use crate::answer::{Fault, Reply};
use crate::domain::identity::MerchantId;
use crate::domain::merchant::MerchantProfile;
use crate::domain::order::{Admission, Order};
use crate::domain::response_code::Refusal;
use crate::domain::time::{Deadline, Timestamp};
use crate::resident::{Desk, Resident, WakeFault};
use crate::world::World;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a terminal waits when its merchant has too much under way.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// A merchant's actor.
pub struct Merchant {
    profile: Option<Arc<MerchantProfile>>,
    under_way: Arc<AtomicU32>,
}

/// A place among the payments that a merchant may have under way; given back when dropped.
#[derive(Debug)]
pub struct Seat(Arc<AtomicU32>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A merchant's answer: its word on the order, with a seat if it is yes; or a fault that leaves nothing behind.
pub type Admitted = Result<(Result<Admission, Refusal>, Option<Seat>), Fault>;

/// What a merchant hears.
#[derive(Debug)]
pub enum MerchantAsk {
    /// May this be paid here?
    Admit(Box<Order>, Reply<Admitted>),
}

impl Resident for Merchant {
    type Key = MerchantId;
    type Ask = MerchantAsk;
    type World = World;
    const KIND: &'static str = "merchant";

    fn wake(id: MerchantId, world: &Arc<World>) -> LocalBoxFuture<'static, Result<Self, WakeFault>> {
        let profile = world.roster.merchant(id);
        Box::pin(async move { Ok(Self { profile, under_way: Arc::default() }) })
    }

    fn hear(&mut self, _: Timestamp, ask: MerchantAsk, _: &Desk<Self>) {
        let MerchantAsk::Admit(order, reply) = ask;
        reply.send(self.admit(&order));
    }

    fn ring(&mut self, _: Timestamp, _: &Desk<Self>) {}

    fn wakes_at(&self) -> Option<Deadline> {
        None
    }

    fn may_sleep(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }
}

impl Merchant {
    fn admit(&self, order: &Order) -> Admitted {
        // A merchant that was removed from the roster takes no new payments.
        let Some(profile) = &self.profile else { return Ok((Err(Refusal::MerchantClosed), None)) };
        match profile.admit(order) {
            Err(refusal) => Ok((Err(refusal), None)),
            Ok(admission) => {
                let seat = self.seat(profile.in_flight_max);
                seat.map(|seat| (Ok(admission), Some(seat)))
                    .ok_or(Fault::Overloaded { retry_after: CROWDED_WAIT })
            }
        }
    }

    fn seat(&self, most: u32) -> Option<Seat> {
        if self.under_way.load(Ordering::Acquire) >= most {
            return None;
        }
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Some(Seat(Arc::clone(&self.under_way)))
    }
}
