//! One keep-alive connection to one listener, with JSON out and JSON or a problem in.
//!
//! hyper's HTTP/1.1 over an injected [`Network`]. Whoever waits for an answer turns the connection itself: no task is
//! spawned, so dropping a player drops its connection, and thousands of players cost one task each. A connection that
//! the other side closed while nobody used it is replaced in silence; anything else is told to the caller.
use super::{PlayFault, Problem, Silence, Surroundings};
use crate::http_client::{Link, open_link};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// The largest answer that is read.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The root of a listener, `http://127.0.0.1:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    root: Uri,
    host: HeaderValue,
}

/// Why a text is no address of a listener.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: write http://HOST:PORT or https://HOST:PORT, without a path")]
pub struct AddressError(String);

impl Address {
    /// Reads the root of a listener.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        let root: Uri = text.parse().map_err(|_| wrong())?;
        if root.path().len() > 1 || root.query().is_some() {
            return Err(wrong());
        }
        Self::of(&root).ok_or_else(wrong)
    }

    /// The root and the path of an absolute URL; `None` if it is relative or nothing that a player speaks.
    pub fn split(url: &str) -> Option<(Self, String)> {
        let url: Uri = url.parse().ok()?;
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some((Self::of(&url)?, path))
    }

    /// Whether it is this machine: `localhost`, 127.0.0.0/8 or `::1`.
    pub fn is_loopback(&self) -> bool {
        let host = self.root.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    fn of(url: &Uri) -> Option<Self> {
        let authority = url.authority().filter(|a| !a.host().is_empty() && !a.as_str().contains('@'))?;
        url.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        let root = Uri::builder().scheme(url.scheme_str()?).authority(authority.clone()).path_and_query("/");
        Some(Self { root: root.build().ok()?, host })
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::new(text)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.root)
    }
}

/// One request, before it has a connection.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::with_capacity(4), body: Bytes::new() }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        // What players send are flat structs of texts and numbers: they always serialise.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.body(HeaderValue::from_static("application/json"), body)
    }

    /// The same with a body of some type.
    #[must_use]
    pub fn body(self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }.with(header::CONTENT_TYPE, content_type)
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with `Prefer: wait=N` (RFC 7240), in whole seconds; less than one asks for no wait.
    #[must_use]
    pub fn wait(self, wait: Duration) -> Self {
        let value = HeaderValue::from_str(&format!("wait={}", wait.as_secs()));
        match value {
            Ok(value) if wait.as_secs() > 0 => self.with(HeaderName::from_static("prefer"), value),
            _ => self,
        }
    }

    fn request(self, host: &HeaderValue) -> Result<Request<Full<Bytes>>, PlayFault> {
        let Self { method, path, headers, body } = self;
        let request = Request::builder().method(method).uri(path).header(header::HOST, host);
        let request = request.body(Full::new(body));
        let mut request = request.map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
        request.headers_mut().extend(headers);
        Ok(request)
    }
}

/// An answer, whatever it says.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body, at most [`ANSWER_BYTES_MAX`].
    pub body: Bytes,
    retry_after: Option<u64>,
}

impl Reply {
    /// The body as `T` if the status is 2xx; the problem otherwise.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PlayFault> {
        self.success()?;
        serde_json::from_slice(&self.body).map_err(|fault| PlayFault::OffContract(fault.to_string()))
    }

    /// The problem, unless the status is 2xx.
    pub fn success(&self) -> Result<(), PlayFault> {
        if self.status.is_success() { Ok(()) } else { Err(Box::new(self.problem()).into()) }
    }

    fn problem(&self) -> Problem {
        // A proxy's 502 has no problem details, only its status.
        let said: Problem = serde_json::from_slice(&self.body).unwrap_or_default();
        let title = if said.title.is_empty() {
            self.status.canonical_reason().unwrap_or_default().into()
        } else {
            said.title
        };
        Problem { status: self.status.as_u16(), title, retry_after: self.retry_after, ..said }
    }
}

/// A connection that is made when it is needed, and again when it is gone.
pub struct Connection {
    address: Address,
    surroundings: Surroundings,
    wire: Option<Wire>,
}

impl Connection {
    /// A connection to `address`, not yet made.
    pub fn new(surroundings: Surroundings, address: Address) -> Self {
        Self { address, surroundings, wire: None }
    }

    /// Where it goes.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it was made with.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Closes the connection, if there is one.
    pub fn hang_up(&mut self) {
        self.wire = None;
    }

    /// Asks, and reads the whole answer within `within`. Giving up closes the connection.
    pub async fn ask(&mut self, ask: Ask, within: Duration) -> Result<Reply, PlayFault> {
        let request = ask.request(&self.address.host)?;
        // Boxed, or every caller's future would hold a kilobyte of it for each request that it may make.
        let exchange = Box::pin(async {
            let (mut wire, response) = self.send(request).await?;
            let reply = wire.read_whole(response).await?;
            self.wire = Some(wire);
            Ok(reply)
        });
        tokio::time::timeout(within, exchange)
            .await
            .unwrap_or(Err(Silence::Late))
            .map_err(PlayFault::Unanswered)
    }

    /// Asks for a stream; `within` bounds the wait for its head. The connection is the stream's from then on.
    pub async fn open_stream(mut self, ask: Ask, within: Duration) -> Result<ByteStream, PlayFault> {
        let request = ask.request(&self.address.host)?;
        let opening = async {
            let (mut wire, response) = self.send(request).await?;
            if response.status().is_success() {
                return Ok(Ok(ByteStream { wire, body: response.into_body() }));
            }
            wire.read_whole(response).await.map(Err)
        };
        let opened = tokio::time::timeout(within, opening).await.unwrap_or(Err(Silence::Late));
        match opened.map_err(PlayFault::Unanswered)? {
            Ok(stream) => Ok(stream),
            Err(reply) => Err(Box::new(reply.problem()).into()),
        }
    }

    /// Takes the wire out while it is in use: a caller that gives up half-way leaves none behind.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(Wire, Response<Incoming>), Silence> {
        let mut request = request;
        if let Some(mut wire) = self.wire.take() {
            match wire.send(request).await {
                Ok(response) => return Ok((wire, response)),
                Err(NotAnswered::Taken) => return Err(Silence::Broken),
                Err(NotAnswered::NotTaken(unsent)) => request = *unsent,
            }
        }
        let mut wire = connect(&self.surroundings, &self.address.root).await?;
        match wire.send(request).await {
            Ok(response) => Ok((wire, response)),
            Err(_) => Err(Silence::Broken),
        }
    }
}

async fn connect(surroundings: &Surroundings, root: &Uri) -> Result<Wire, Silence> {
    let Surroundings { network, tls, .. } = surroundings;
    let link = open_link(&**network, tls.as_ref(), root).await;
    let link = link.map_err(|_| Silence::NoConnection)?;
    let made = http1::Builder::new().max_buf_size(64 * 1024).handshake(TokioIo::new(link)).await;
    let (sender, driver) = made.map_err(|_| Silence::NoConnection)?;
    Ok(Wire { sender, driver: Some(Box::pin(driver)) })
}

/// The body of an answer that does not end.
pub struct ByteStream {
    wire: Wire,
    body: Incoming,
}

impl ByteStream {
    /// The next bytes; `None` when the other side has ended or broken the stream.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let frame = driven(&mut self.wire.driver, self.body.frame()).await?.ok()?;
            if let Ok(bytes) = frame.into_data() {
                return Some(bytes);
            }
        }
    }
}

type Driver = Pin<Box<http1::Connection<TokioIo<Link>, Full<Bytes>>>>;

struct Wire {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` when it has come to its end.
    driver: Option<Driver>,
}

enum NotAnswered {
    /// No byte of it left: it can go over another wire.
    NotTaken(Box<Request<Full<Bytes>>>),
    Taken,
}

impl Wire {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, NotAnswered> {
        let Self { sender, driver } = self;
        if driven(driver, sender.ready()).await.is_err() {
            return Err(NotAnswered::NotTaken(Box::new(request)));
        }
        let answer = driven(driver, sender.try_send_request(request)).await;
        answer.map_err(|mut fault| match fault.take_message() {
            Some(request) => NotAnswered::NotTaken(Box::new(request)),
            None => NotAnswered::Taken,
        })
    }

    async fn read_whole(&mut self, response: Response<Incoming>) -> Result<Reply, Silence> {
        let (head, body) = response.into_parts();
        let body = driven(&mut self.driver, Limited::new(body, ANSWER_BYTES_MAX).collect()).await;
        let body = body.map_err(|fault| match fault.downcast_ref::<http_body_util::LengthLimitError>() {
            Some(_) => Silence::Oversize,
            None => Silence::Broken,
        })?;
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        Ok(Reply { status: head.status, body: body.to_bytes(), retry_after })
    }
}

/// Waits for `work` and turns the connection meanwhile.
async fn driven<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // First, so that what it hands to the connection goes out in the same turn.
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if let Some(running) = driver
            && running.as_mut().poll(cx).is_ready()
        {
            *driver = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, is_loopback) in [
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9/", true),
            ("https://localhost", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1:8080", false),
            ("http://localhost.example:8080", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(Address::new(text).map(|address| address.is_loopback()), Ok(is_loopback), "{text}");
        }
    }

    #[test]
    fn an_address_has_a_scheme_a_host_and_nothing_else() {
        for text in [
            "",
            "127.0.0.1:8080",
            "/path",
            "ftp://host",
            "http://",
            "http://h/path",
            "http://me@h",
            "http://h?q",
        ] {
            assert!(Address::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_at_the_switch_and_a_url_elsewhere() {
        assert_eq!(Address::split("/v1/payments/p/credential?attempt=1"), None);
        let split = Address::split("https://pay.example/p?x=1").map(|(to, path)| (to.to_string(), path));
        assert_eq!(split, Some(("https://pay.example/".into(), "/p?x=1".into())));
    }
}
