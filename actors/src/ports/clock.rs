//! Time and chance, as arguments: what a simulation must be able to take over.
use crate::domain::time::Timestamp;

/// A clock that does not jump while the process lives and never runs backwards across restarts of it.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Unpredictable bytes.
pub trait Dice: Send + Sync {
    /// Fills `bytes`; cannot fail (a process without randomness does not start).
    fn fill(&self, bytes: &mut [u8]);
}
