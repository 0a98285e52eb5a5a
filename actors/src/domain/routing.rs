//! Which platform takes a payment, and why: the first of the merchant's routes that takes the currency.
//!
//! Health and cost will have a say here when there is more than one platform to choose from.
use super::identity::PlatformId;
use super::money::Currency;

/// A currency and the platform that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The currency.
    pub currency: Currency,
    /// The platform.
    pub platform: PlatformId,
}

/// The platform for `currency` among `routes`, in order of preference.
pub fn choose(routes: &[Route], currency: Currency) -> Option<PlatformId> {
    routes.iter().find(|route| route.currency == currency).map(|route| route.platform)
}
