//! How a one-time code reaches a subscriber: by SMS in production, onto the page in the demo.
use super::Answer;
use crate::domain::identity::PayerId;

/// Sends one-time codes.
pub trait CodeSender: Send + Sync {
    /// Sends `code` to the subscriber's number.
    fn send(&self, subscriber: PayerId, code: &str) -> Answer<Result<(), CodeNotSent>>;
}

/// The code did not leave; the subscriber may ask for another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code could not be sent: {0}")]
pub struct CodeNotSent(pub String);
