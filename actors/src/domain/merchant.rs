//! The pure core of a merchant's actor: may this order be paid here, by which platform, on which terms.
use super::identity::MerchantId;
use super::money::Money;
use super::order::{Admission, Order, Terms};
use super::response_code::Refusal;
use super::routing::{self, Route};

/// What the operator agreed with a merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantProfile {
    /// The merchant.
    pub id: MerchantId,
    /// The name that payers are shown.
    pub name: Box<str>,
    /// Whether it takes payments now.
    pub trading: Trading,
    /// The most that may be asked for at once, for each currency that it takes.
    pub limits: Vec<Money>,
    /// Which platform takes which currency, in order of preference.
    pub routes: Vec<Route>,
    /// How patient its payments are.
    pub terms: Terms,
    /// How many of its payments may be under way at once.
    pub in_flight_max: u32,
}

/// Whether a merchant takes payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trading {
    /// It does.
    Open,
    /// It does not; refunds and reversals still work.
    Closed,
}

impl MerchantProfile {
    /// The merchant's answer to an order.
    pub fn admit(&self, order: &Order) -> Result<Admission, Refusal> {
        if self.trading == Trading::Closed {
            return Err(Refusal::MerchantClosed);
        }
        let currency = order.money.currency();
        let limit = self.limits.iter().find(|limit| limit.currency() == currency).ok_or(Refusal::NoRoute)?;
        if order.money.amount() > limit.amount() {
            return Err(Refusal::AboveLimit);
        }
        let platform = routing::choose(&self.routes, currency).ok_or(Refusal::NoRoute)?;
        Ok(Admission { merchant_name: self.name.clone(), platform, terms: self.terms })
    }
}
