//! A switch made of paper over real sockets: docs/http-api.md as far as one payment needs it, and no money.
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

/// How it treats payments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Pays,
    Declines,
}

/// A paper switch, open while it lives.
pub struct PaperSwitch {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Desk {
    /// Streams by token.
    phones: HashMap<String, mpsc::UnboundedSender<String>>,
    /// Tokens by terminal.
    bound: HashMap<String, String>,
    /// Tills that wait, by payment.
    waiting: HashMap<String, oneshot::Sender<()>>,
    payments: u64,
}

type Body = BoxBody<Bytes, Infallible>;

impl PaperSwitch {
    pub fn open(manner: Manner) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (address, desk) = (listener.local_addr().unwrap(), Arc::<Mutex<Desk>>::default());
        runtime.spawn(listen(listener, manner, desk.clone()));
        Self { address, desk, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn payments(&self) -> u64 {
        self.desk.lock().unwrap().payments
    }
}

async fn listen(listener: TcpListener, manner: Manner, desk: Arc<Mutex<Desk>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let desk = desk.clone();
        let service = service_fn(move |request| answer(request, manner, desk.clone()));
        let http = hyper::server::conn::http1::Builder::new();
        // An error here is a driver that hung up.
        tokio::spawn(async move { http.serve_connection(TokioIo::new(stream), service).await.ok() });
    }
}

async fn answer(
    request: Request<Incoming>,
    manner: Manner,
    desk: Arc<Mutex<Desk>>,
) -> Result<Response<Body>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token =
        parts.headers.get("authorization").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').skip(1).collect();
    Ok(match path.as_slice() {
        ["login", "codes"] => json(202, &json!({"expires_in": 300, "code": "123456"})),
        ["login"] => json(200, &json!({"access_token": said["subscriber"], "expires_in": 600, "payer": "p"})),
        ["events"] => listen_to(&desk, token),
        ["binding"] => {
            let terminal = said["terminal"].as_str().unwrap().to_owned();
            desk.lock().unwrap().bound.insert(terminal.clone(), token);
            json(200, &json!({"terminal": terminal, "merchant_name": "Paper", "epoch": 1}))
        }
        ["payments"] if manner == Manner::Declines => {
            json(201, &json!({"id": "pay_1", "status": "declined", "response_code": "91"}))
        }
        ["payments"] => sell(&desk, &token, &said).await,
        ["payments", id, "confirmation"] => json(200, &payable(id)),
        ["payments", id, "credential"] => {
            assert_eq!(body.split(|byte| *byte == b'.').count(), 5);
            let till = desk.lock().unwrap().waiting.remove(*id);
            till.unwrap().send(()).unwrap();
            json(200, &payment(id, "approved", ""))
        }
        _ => json(404, &json!({"title": "Not Found", "status": 404})),
    })
}

fn listen_to(desk: &Mutex<Desk>, token: String) -> Response<Body> {
    let (say, hear) = mpsc::unbounded_channel();
    desk.lock().unwrap().phones.insert(token, say);
    let events = futures_util::stream::unfold(hear, |mut hear: mpsc::UnboundedReceiver<String>| async {
        let event = hear.recv().await?;
        Some((Ok(Frame::data(Bytes::from(event))), hear))
    });
    Response::new(StreamBody::new(events).boxed())
}

async fn sell(desk: &Mutex<Desk>, token: &str, said: &Value) -> Response<Body> {
    assert_eq!(said["amount"], "12.50");
    let terminal = terminal_of(token);
    let (decide, decided) = oneshot::channel();
    let id = {
        let mut desk = desk.lock().unwrap();
        desk.payments += 1;
        let id = format!("pay_{:026}", desk.payments);
        let event = payment(&id, "awaiting_confirmation", &terminal);
        let phone = desk.bound[&terminal].clone();
        desk.phones[&phone].send(format!("event: payment\ndata: {event}\n\n")).unwrap();
        desk.waiting.insert(id.clone(), decide);
        id
    };
    decided.await.unwrap();
    json(201, &json!({"id": id, "status": "approved", "platform_reference": "R"}))
}

/// The id in `Basic BASE64(id:key)`.
fn terminal_of(authorization: &str) -> String {
    use base64::Engine;
    let basic = authorization.strip_prefix("Basic ").unwrap();
    let basic = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
    String::from_utf8(basic).unwrap().split_once(':').unwrap().0.to_owned()
}

fn payment(id: &str, status: &str, terminal: &str) -> Value {
    json!({"id": id, "status": status, "amount": "12.50", "currency": "EUR", "merchant": "M1",
        "terminal": terminal, "epoch": 1})
}

/// With the key of RFC 7515 A.3 as the platform's.
fn payable(id: &str) -> Value {
    let mut payable = payment(id, "awaiting_payment", "T1");
    payable["attempt"] = json!(1);
    payable["interface"] = json!({"url": format!("/v1/payments/{id}/credential?attempt=1"), "attempt": 1, "permit": "P",
        "expires_at": "2100-01-01T00:00:00Z", "key": {"kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}});
    payable
}

fn json(status: u16, body: &Value) -> Response<Body> {
    Response::builder().status(status).body(Full::new(Bytes::from(body.to_string())).boxed()).unwrap()
}
