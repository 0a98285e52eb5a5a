//! Why a question inside the switch got no answer, grouped by what the caller can do about it.
//!
//! A fault is not a refusal: nothing of it is journaled, and the same question with the same key is welcome again.
use std::time::Duration;

/// Why a question got no answer, by what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing was done.
    #[error("too much is under way: nothing was done, ask again in {retry_after:?}")]
    Overloaded {
        /// How long to wait before asking again.
        retry_after: Duration,
    },
    /// Nothing was done, and it is the asker's own doing.
    #[error("asked too often: ask again in {retry_after:?}, or wait for the answer")]
    TooOften {
        /// How long to wait before asking again.
        retry_after: Duration,
    },
    /// The deadline passed. Whether anything was done is not known.
    #[error(
        "no answer before the deadline: repeat the question with the same key to learn what became of it"
    )]
    Expired,
    /// The work broke off. What the journal holds of it stands.
    #[error(
        "the work broke off inside the switch: repeat the question with the same key to learn what became of it"
    )]
    Crashed,
    /// The actor is being rebuilt from the journal.
    #[error("the session is being rebuilt: repeat the question with the same key in {retry_after:?}")]
    Restarting {
        /// How long to wait before asking again.
        retry_after: Duration,
    },
    /// This node finishes what it has and begins nothing new.
    #[error("this node is draining: nothing was done, ask another node")]
    Draining,
}
