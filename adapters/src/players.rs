//! Players: a phone, a terminal and a platform as the switch's peers see them, over the public interfaces and nothing else.
//!
//! The demo, the command line, the kill tests and the load generator all play through these. Phone and terminal follow
//! docs/http-api.md, know no domain rule and no actor, and believe nothing but answers. `till` is a terminal that
//! conforms (same key, then reversal until acknowledged); `phone` is a payer's phone; `connection` is how both talk;
//! `sandbox` is a payment platform (docs/sandbox.md) that waits for somebody to put listeners before it.
pub mod connection;
pub mod device;
pub mod events;
pub mod phone;
pub mod pos;
pub mod sandbox;
pub mod sealing;
pub mod seen;
pub mod till;

use crate::http_client::{ClientTls, Network};
use actors::ports::clock::{Clock, Dice};
use std::sync::Arc;

/// What a player is given of the world; a simulation gives its own.
#[derive(Clone)]
pub struct Surroundings {
    /// Where connections come from.
    pub network: Arc<dyn Network>,
    /// For `https` addresses.
    pub tls: Option<ClientTls>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance: for keys that make a repeat a repeat.
    pub dice: Arc<dyn Dice>,
}

/// Why a player did not get what it asked for, by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PlayFault {
    /// Nothing usable came back, and the switch may have heard or not: repeat with the same key.
    #[error("no answer from the switch: {0}; repeat with the same key")]
    Unanswered(Silence),
    /// The switch said why not.
    #[error(transparent)]
    Refused(#[from] Box<Problem>),
    /// The answer is not what docs/http-api.md promises: a bug on one of the two sides.
    #[error("the answer does not follow docs/http-api.md: {0}")]
    OffContract(String),
    /// The platform's key or the credential cannot be used.
    #[error(transparent)]
    Seal(#[from] crate::seal::SealFault),
}

/// How an answer failed to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Silence {
    /// No connection could be made.
    #[error("no connection")]
    NoConnection,
    /// The connection broke in the middle.
    #[error("the connection broke")]
    Broken,
    /// Nothing came in time.
    #[error("nothing came in time")]
    Late,
    /// More came than anybody should send.
    #[error("the answer was too large")]
    Oversize,
}

/// RFC 9457 problem details, as far as a player looks at them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, thiserror::Error)]
#[error("{status} {title}: {detail}")]
#[serde(default)]
pub struct Problem {
    /// The HTTP status that it came with.
    pub status: u16,
    /// A URI reference that names the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// This case in words.
    pub detail: String,
    /// The field to blame.
    pub field: Option<String>,
    /// Seconds of the `Retry-After` header.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Default for Problem {
    /// Nothing said, which RFC 9457 4.2.1 calls `about:blank`.
    fn default() -> Self {
        let (title, detail) = (String::new(), String::new());
        Self { status: 0, kind: "about:blank".into(), title, detail, field: None, retry_after: None }
    }
}

impl PlayFault {
    /// Whether the same request, with the same key, may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            // 408: it was not heard to its end in time, as by a switch that stood still meanwhile.
            Self::Refused(problem) => problem.status >= 500 || [408, 429].contains(&problem.status),
            Self::OffContract(_) | Self::Seal(_) => false,
        }
    }

    /// Whether the switch may have acted on the request although it did not say so.
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::Unanswered(silence) => *silence != Silence::NoConnection,
            Self::Refused(problem) => problem.status >= 500,
            Self::OffContract(_) => true,
            Self::Seal(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_not_heard_to_its_end_in_time_is_repeated() {
        let refused = |status| PlayFault::from(Box::new(Problem { status, ..Problem::default() }));
        assert!(refused(408).is_passing() && !refused(408).may_have_acted());
        assert!(!refused(404).is_passing());
    }
}
