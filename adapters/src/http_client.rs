//! HTTP to a peer, for requests that may move money: it always says whether the peer can have heard.
//!
//! A request that failed is `NotSent` only if no byte of it can have left or ever will; everything else is
//! `Unknown`. hyper's pool does the work over an injected [`Network`]. Follows no redirect, reads no huge
//! answer, knows no platform. TLS is in `tls`, the proof of not having sent in `witness`.
mod network;
mod tls;
mod witness;

pub(crate) use network::open_link;
pub use network::{Link, Network, Stream, TcpNetwork, TlsNetwork};
pub use tls::{ClientIdentity, ClientTls, TlsFault};

use actors::domain::time::Deadline;
use actors::planted::{Bug, is_planted};
use actors::ports::clock::Clock;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use network::Connector;
use std::sync::Arc;
use std::time::Duration;
use witness::{Witness, WitnessedBody};

/// The largest answer that is read, and the largest head.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Connections kept open for a peer while nobody uses them.
const IDLE_MAX: usize = 64;
/// Shorter than servers keep idle connections, so that we close first and seldom write into a closed one.
const IDLE_FOR: Duration = Duration::from_secs(4);

/// A client of one or more peers. Cloning shares its connections.
#[derive(Clone)]
pub struct HttpClient {
    pool: Client<Connector, WitnessedBody>,
    clock: Arc<dyn Clock>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The body, at most [`ANSWER_BYTES_MAX`].
    pub body: Bytes,
}

/// Why nothing usable came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The peer never heard the request, and will not.
    #[error("not sent: {0}")]
    NotSent(Reason),
    /// The peer may have heard it.
    #[error("no usable answer: {0}")]
    Unknown(Reason),
}

/// What happened, for metrics and logs: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No connection could be made.
    #[error("no connection")]
    NoConnection,
    /// The deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// The connection broke, or what came over it was no HTTP.
    #[error("the connection broke")]
    Broken,
    /// The answer was larger than [`ANSWER_BYTES_MAX`].
    #[error("the answer was too large")]
    Oversize,
}

impl HttpClient {
    /// A client over `network`, with TLS for `https` addresses if `tls` is given.
    pub fn new(network: Arc<dyn Network>, tls: Option<ClientTls>, clock: Arc<dyn Clock>) -> Self {
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(ANSWER_BYTES_MAX)
            .http1_max_headers(64)
            .build(Connector::new(network, tls));
        Self { pool, clock }
    }

    /// Sends `request` and reads the whole answer, both before `answer_by`.
    ///
    /// hyper repeats a request by itself only if the pooled connection died before taking it, that is before
    /// its body was touched; the witness would otherwise have seen it.
    pub async fn send(&self, request: Request<Bytes>, answer_by: Deadline) -> Result<HttpAnswer, Unanswered> {
        let witness = Witness::new();
        let left = answer_by.left(self.clock.now());
        if left.is_zero() {
            return Err(Unanswered::NotSent(Reason::Deadline));
        }
        let exchange = self.exchange(request.map(|body| WitnessedBody::new(body, witness.clone())));
        let reason = match tokio::time::timeout(left, exchange).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => reason,
            Err(_) => Reason::Deadline,
        };
        let taken_back = witness.revoke() || (reason == Reason::Broken && is_planted(Bug::BrokenIsNotSent));
        if taken_back { Err(Unanswered::NotSent(reason)) } else { Err(Unanswered::Unknown(reason)) }
    }

    async fn exchange(&self, request: Request<WitnessedBody>) -> Result<HttpAnswer, Reason> {
        let answer = self
            .pool
            .request(request)
            .await
            .map_err(|fault| if fault.is_connect() { Reason::NoConnection } else { Reason::Broken })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|fault| {
            match fault.downcast_ref::<http_body_util::LengthLimitError>() {
                Some(_) => Reason::Oversize,
                None => Reason::Broken,
            }
        })?;
        Ok(HttpAnswer { status, body: body.to_bytes() })
    }
}
