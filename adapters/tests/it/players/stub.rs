//! A switch made of paper: hyper's HTTP server over pipes in memory, answering what a test tells it to.
//!
//! It follows docs/http-api.md only as far as a test writes the answers down; it remembers what it heard, and it can
//! break connections at the moments that matter.
use actors::domain::time::Timestamp;
use actors::ports::Answer;
use actors::ports::clock::Clock;
use adapters::dice::SystemDice;
use adapters::http_client::{Link, Network};
use adapters::players::Surroundings;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Heard {
    pub host: String,
    /// `POST /v1/payments`.
    pub line: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// How to answer.
pub enum Turn {
    /// Status and JSON (`application/problem+json` from 400 on).
    Json(u16, String),
    /// The same with a header.
    With(u16, &'static str, &'static str, String),
    /// The connection breaks before the answer.
    Break,
    /// The connection breaks in the answer.
    BreakInBody,
    /// Nothing, for ever.
    Silence,
    /// A stream of events, as long as the other end of the channel lives.
    Stream(mpsc::UnboundedReceiver<&'static str>),
}

type Script = Box<dyn FnMut(&Heard) -> Turn + Send>;

/// A network on which every address is the stub.
pub struct Stub {
    script: Arc<Mutex<Script>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Stub {
    pub fn new(script: impl FnMut(&Heard) -> Turn + Send + 'static) -> Arc<Self> {
        Arc::new(Self { script: Arc::new(Mutex::new(Box::new(script))), heard: Arc::default() })
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.line).collect()
    }

    pub fn surroundings(self: &Arc<Self>) -> Surroundings {
        surroundings(self.clone())
    }
}

pub fn surroundings(network: Arc<dyn Network>) -> Surroundings {
    let clock = Arc::new(TestClock(tokio::time::Instant::now()));
    Surroundings { network, tls: None, clock, dice: Arc::new(SystemDice::new().unwrap()) }
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Tokio's clock, which a test stops.
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_900_000_000_000_000).plus(self.0.elapsed())
    }
}

impl Network for Stub {
    fn connect(&self, _: String, _: u16) -> Answer<io::Result<Link>> {
        let (script, heard) = (self.script.clone(), self.heard.clone());
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, script.clone(), heard.clone()));
                let http = hyper::server::conn::http1::Builder::new();
                // An error here is a connection that the test broke, or that the player dropped.
                http.serve_connection(TokioIo::new(far), service).await.ok();
            });
            Ok(Link::new(near))
        })
    }
}

type Body = BoxBody<Bytes, io::Error>;

async fn answer(
    request: Request<Incoming>,
    script: Arc<Mutex<Script>>,
    heard: Arc<Mutex<Vec<Heard>>>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let header = parts.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    let item = Heard {
        host: header.unwrap_or_default(),
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    heard.lock().unwrap().push(item.clone());
    let turn = (script.lock().unwrap())(&item);
    match turn {
        Turn::Json(status, body) => Ok(json(status, body)),
        Turn::With(status, name, value, body) => {
            let mut response = json(status, body);
            response.headers_mut().insert(name, HeaderValue::from_static(value));
            Ok(response)
        }
        Turn::Break => Err(io::Error::other("broken on purpose")),
        Turn::BreakInBody => {
            let pieces = [
                Ok(Frame::data(Bytes::from_static(b"{\"id\":"))),
                Err(io::Error::other("broken on purpose")),
            ];
            Ok(Response::new(StreamBody::new(futures_util::stream::iter(pieces)).boxed()))
        }
        Turn::Silence => std::future::pending().await,
        Turn::Stream(events) => {
            let pieces = futures_util::stream::unfold(events, |mut events| async {
                let part = events.recv().await?;
                Some((Ok(Frame::data(Bytes::from_static(part.as_bytes()))), events))
            });
            Ok(Response::new(StreamBody::new(pieces).boxed()))
        }
    }
}

fn json(status: u16, body: String) -> Response<Body> {
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    Response::builder().status(status).header("content-type", kind).body(body).unwrap()
}
