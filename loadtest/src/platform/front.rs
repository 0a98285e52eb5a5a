//! The played platform's listener: docs/sandbox.md over hyper, as far as a switch, a phone and an auditor ask.
//!
//! It reads a question off HTTP and writes the reply back; what happens between is `serving`'s. Pages of other origins do
//! not pay here, so there is no preflight. Connections, bodies and the time for them are bounded.
use actors::domain::identity::PaymentId;
use actors::ports::platform::HeaderLookup;
use adapters::players::sandbox::desk::{Desk, PermitRequest, decode};
use adapters::players::sandbox::problem::Problem;
use adapters::players::sandbox::serving::{Question, Reply, SILENCE, carry_out, silenced};
use adapters::players::sandbox::trouble::Troubles;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body that is read.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// More connections than this wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// After a connection that could not be accepted.
const REST: Duration = Duration::from_millis(50);

type Body = BoxBody<Bytes, CutOff>;
type Answer = Response<Body>;

/// What hyper is told so that it breaks off.
#[derive(Debug)]
struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut off on purpose")
    }
}

impl std::error::Error for CutOff {}

/// Reads request headers for the signature: one that is there twice is not there.
#[derive(Debug)]
struct Headers<'a>(&'a HeaderMap);

impl HeaderLookup for Headers<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.0.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }
}

/// Answers whoever connects, for ever.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, Arc::clone(&desk), place));
            }
            // Out of file descriptors, or a peer that was gone at once.
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

async fn converse(stream: TcpStream, desk: Arc<Desk>, _place: OwnedSemaphorePermit) {
    // Slower without it, and no less right.
    stream.set_nodelay(true).unwrap_or_default();
    let service = service_fn(move |request| answered(request, Arc::clone(&desk)));
    let http = hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).clone();
    // The switch hung up, or was cut off on purpose.
    http.serve_connection(TokioIo::new(stream), service).await.unwrap_or_default();
}

async fn answered(request: Request<Incoming>, desk: Arc<Desk>) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let answer = match read(body).await {
        Ok(body) => answer(&parts, body, desk).await,
        Err(problem) => Err(problem),
    };
    Ok(answer.unwrap_or_else(|problem| refused(&problem)))
}

async fn read(body: Incoming) -> Result<Bytes, Problem> {
    let whole = tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    match whole {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => {
            let detail = "a body has at most 16 KiB, and all of them come";
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail))
        }
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took more than 10 s")),
    }
}

/// Who may ask what: the switch signs, a permit authorises the phone, an auditor needs neither.
async fn answer(parts: &Parts, body: Bytes, desk: Arc<Desk>) -> Result<Answer, Problem> {
    let path: Vec<&str> = parts.uri.path().trim_start_matches('/').split('/').collect();
    let signed = || {
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        desk.check_request(&Headers(&parts.headers), parts.method.as_str(), path, &body)
    };
    let question = match (&parts.method, path.as_slice()) {
        (&Method::POST, ["v1", "permits"]) => {
            signed()?;
            Question::Permit(PermitRequest::read(&body)?)
        }
        (&Method::POST, ["v1", "permits", permit, "pay"]) => {
            Question::Pay { permit: (*permit).to_owned(), sealed: body }
        }
        (&Method::GET, ["v1", "payments", id]) => {
            signed()?;
            Question::Query(payment(id)?)
        }
        (&Method::POST, ["v1", "payments", id, "reversal"]) => {
            signed()?;
            Question::Reverse(payment(id)?, body)
        }
        (&Method::POST, ["v1", "payments", id, "refunds"]) => {
            signed()?;
            Question::Refund(payment(id)?, body)
        }
        (&Method::GET, ["v1", "daily"]) => {
            signed()?;
            return Ok(json(StatusCode::OK, &desk.daily(date(parts)?)?));
        }
        (&Method::GET, ["v1", "books"]) => return Ok(json(StatusCode::OK, &desk.books())),
        (&Method::GET, ["v1", "trouble"]) => return Ok(json(StatusCode::OK, &desk.troubles())),
        (&Method::PUT, ["v1", "trouble"]) => {
            return Ok(json(StatusCode::OK, &desk.set_troubles(decode::<Troubles>(&body)?)?));
        }
        (_, path) => return nowhere(path),
    };
    Ok(served(question, desk).await)
}

/// Answers with whatever trouble is planned. The work goes on when the switch hangs up: a task does it.
async fn served(question: Question, desk: Arc<Desk>) -> Answer {
    let plan = question.plan(&desk);
    let carrying = tokio::spawn(async move { carry_out(&desk, question, plan).await });
    match carrying.await.unwrap_or(Reply::CutOff) {
        Reply::Answer(done) => json(done.status, &done.body),
        Reply::No(problem) => refused(&problem),
        Reply::Raw(status, body) => with(status, "application/json", body.into()),
        Reply::Redirect => {
            let mut answer = with(StatusCode::FOUND, "application/json", Bytes::new());
            answer.headers_mut().insert(LOCATION, HeaderValue::from_static("http://192.0.2.1/"));
            answer
        }
        Reply::CutOff => Response::new(cut_off()),
        Reply::Silence => {
            tokio::time::sleep(SILENCE).await;
            refused(&silenced())
        }
    }
}

fn payment(id: &str) -> Result<PaymentId, Problem> {
    PaymentId::parse(id).map_err(|fault| Problem::invalid("payment", fault))
}

fn date(parts: &Parts) -> Result<&str, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let date = query.split('&').find_map(|pair| pair.strip_prefix("date="));
    date.ok_or_else(|| Problem::invalid("date", "a date is such as 2030-01-31"))
}

/// Not a path, or not with this method.
fn nowhere(path: &[&str]) -> Result<Answer, Problem> {
    let allow = match path {
        ["v1", "permits"] | ["v1", "permits", _, "pay"] | ["v1", "payments", _, "reversal" | "refunds"] => {
            "POST"
        }
        ["v1", "payments", _] | ["v1", "daily" | "books"] => "GET",
        ["v1", "trouble"] => "GET, PUT",
        _ => {
            return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path"));
        }
    };
    let detail = format!("this path takes {allow}");
    let mut answer = refused(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    Ok(answer)
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let media_type = if status.is_client_error() { "application/problem+json" } else { "application/json" };
    with(status, media_type, serde_json::to_vec(body).unwrap_or_default().into())
}

fn refused(problem: &Problem) -> Answer {
    with(problem.status(), "application/problem+json", problem.page().into())
}

fn with(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body).map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

fn cut_off() -> Body {
    let broken = futures_util::stream::once(async { Err::<Frame<Bytes>, _>(CutOff) });
    BodyExt::boxed(StreamBody::new(broken))
}
