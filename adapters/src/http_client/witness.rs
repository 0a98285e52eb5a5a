//! Proof that a request was not sent: a body that knows whether anybody ever looked at it.
//!
//! hyper puts a request's head into its buffer and polls the body before it first flushes; so a body that was
//! never polled belongs to a request of which no byte left. Giving up revokes it in the same atomic step that
//! reads whether it was touched: a connection task that comes later finds it revoked and closes instead of sending.
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

const FRESH: u8 = 0;
const TOUCHED: u8 = 1;
const REVOKED: u8 = 2;

/// Whether a body was looked at.
#[derive(Clone)]
pub(super) struct Witness(Arc<AtomicU8>);

impl Witness {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(FRESH)))
    }

    /// Forbids the body to be sent; false if it is too late for that.
    pub(super) fn revoke(&self) -> bool {
        self.becomes(REVOKED)
    }

    fn touch(&self) -> bool {
        self.becomes(TOUCHED)
    }

    fn becomes(&self, state: u8) -> bool {
        self.0.compare_exchange(FRESH, state, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// A whole body that tells its witness when it is looked at.
pub(super) struct WitnessedBody {
    bytes: Option<Bytes>,
    witness: Witness,
}

/// The sender gave up before the body was looked at.
#[derive(Debug, thiserror::Error)]
#[error("the request was taken back before it was sent")]
pub(super) struct TakenBack;

impl WitnessedBody {
    pub(super) fn new(bytes: Bytes, witness: Witness) -> Self {
        Self { bytes: Some(bytes), witness }
    }
}

impl Body for WitnessedBody {
    type Data = Bytes;
    type Error = TakenBack;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TakenBack>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if !self.witness.touch() {
            return Poll::Ready(Some(Err(TakenBack)));
        }
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    /// Even an empty body says that more is to come: otherwise nobody would look at it.
    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_at(body: &mut WitnessedBody) -> Poll<Option<Result<Frame<Bytes>, TakenBack>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn a_body_that_was_looked_at_cannot_be_taken_back() {
        let witness = Witness::new();
        let mut body = WitnessedBody::new(Bytes::from_static(b"{}"), witness.clone());
        assert!(matches!(look_at(&mut body), Poll::Ready(Some(Ok(_)))));
        assert!(!witness.revoke());
    }

    #[test]
    fn a_body_that_was_taken_back_is_never_sent() {
        let witness = Witness::new();
        let mut body = WitnessedBody::new(Bytes::from_static(b"{}"), witness.clone());
        assert!(witness.revoke());
        assert!(matches!(look_at(&mut body), Poll::Ready(Some(Err(TakenBack)))));
    }
}
