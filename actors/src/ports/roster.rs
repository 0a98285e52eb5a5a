//! Who the operator knows: terminals and the merchants they belong to. Read, never written, by the switch.
use crate::domain::identity::{MerchantId, TerminalId};
use crate::domain::merchant::MerchantProfile;
use std::sync::Arc;

/// The register of terminals and merchants. Look-ups are in memory and do not wait.
pub trait Roster: Send + Sync {
    /// The merchant that `terminal` belongs to; `None` if the terminal is not known.
    fn merchant_of(&self, terminal: TerminalId) -> Option<MerchantId>;
    /// What is known of a merchant.
    fn merchant(&self, id: MerchantId) -> Option<Arc<MerchantProfile>>;
}
