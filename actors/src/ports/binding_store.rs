//! Which terminal a payer stands at: a fast way to find it, never the judge.
//!
//! The journal's (terminal, epoch) record decides. A store that lost or reordered a write can at worst make a
//! phone bind again; it can never let two phones own one round.
use super::Answer;
use crate::domain::identity::{PayerId, TerminalId};
use crate::domain::payment::phase::Claim;
use crate::domain::time::{Deadline, Timestamp};

/// Bindings by payer and by terminal.
pub trait BindingStore: Send + Sync {
    /// Remembers that the claim stands at `terminal` until `until`. A claim of a lower epoch than the one stored for
    /// the terminal changes nothing.
    fn bind(&self, terminal: TerminalId, claim: Claim, until: Deadline) -> Answer<Result<(), StoreFault>>;
    /// Forgets the terminal's claim of `epoch`; another epoch's stays.
    fn release(&self, terminal: TerminalId, epoch: u64) -> Answer<Result<(), StoreFault>>;
    /// Who stands at `terminal`.
    fn at(&self, now: Timestamp, terminal: TerminalId) -> Answer<Result<Option<Claim>, StoreFault>>;
    /// Where `payer` stands: the terminal and the epoch of the latest claim.
    fn of(&self, now: Timestamp, payer: PayerId) -> Answer<Result<Option<(TerminalId, u64)>, StoreFault>>;
}

/// The store did not answer; go to the record of truth instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the binding store did not answer: {0}")]
pub struct StoreFault(pub String);
