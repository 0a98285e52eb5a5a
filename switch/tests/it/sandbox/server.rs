//! The server as a stranger sees it: signatures, bad input, and phones that come directly.
use super::bench::{Bench, PASSWORD, config, secret, world};
use actors::domain::identity::PaymentId;
use actors::domain::time::{Deadline, Timestamp};
use adapters::http_client::{HttpAnswer, HttpClient};
use adapters::signature::Stamp;
use bytes::Bytes;
use hyper::{Method, Request};
use serde_json::{Value, json};
use std::time::Duration;

const PAYMENT: PaymentId = PaymentId::from_bits(42);

struct Stranger {
    bench: Bench,
    client: HttpClient,
}

impl Stranger {
    fn new() -> Self {
        let bench = Bench::new();
        let client = HttpClient::new(world().network, None, bench.clock.clone());
        Self { bench, client }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpAnswer {
        let request = Request::builder().method(method).uri(self.bench.url(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Bytes::copy_from_slice(body)).unwrap();
        self.client.send(request, self.bench.within(5_000)).await.unwrap()
    }

    async fn signed(&self, method: Method, path: &str, body: &[u8]) -> (u16, Value) {
        let signed = stamp(self.bench.clock.now(), &method, path, body);
        json_of(&self.send(method, path, &signed.headers(), body).await)
    }
}

fn stamp(at: Timestamp, method: &Method, path: &str, body: &[u8]) -> Stamp {
    secret().stamp_request("id".into(), at, method.as_str(), path, body)
}

fn json_of(answer: &HttpAnswer) -> (u16, Value) {
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn permit_body() -> Value {
    json!({
        "payment": PAYMENT.to_string(), "attempt": 1, "amount": "12.50", "currency": "EUR", "merchant": "M1",
        "merchant_name": "Corner shop", "terminal": "T1", "payer": "ada", "answer_by": "2030-01-31T12:00:00Z",
    })
}

#[actix_web::test]
async fn an_unsigned_forged_or_stale_request_changes_nothing() {
    let stranger = Stranger::new();
    let (path, body) = ("/v1/permits", permit_body().to_string());
    let now = stranger.bench.clock.now();
    let long_ago = Timestamp::from_micros(now.micros() - 301_000_000);
    let stale = stamp(long_ago, &Method::POST, path, body.as_bytes());
    let elsewhere = stamp(now, &Method::POST, "/v1/other", body.as_bytes());
    let another_body = stamp(now, &Method::POST, path, b"{}");
    for headers in [&[][..], &stale.headers(), &elsewhere.headers(), &another_body.headers()] {
        let (status, problem) = json_of(&stranger.send(Method::POST, path, headers, body.as_bytes()).await);
        assert_eq!((status, &problem["code"]), (401, &json!("unauthorized")));
    }
    assert_eq!(stranger.bench.page(PAYMENT), None);
}

#[actix_web::test]
async fn a_wrong_field_is_named_and_nothing_is_granted() {
    let stranger = Stranger::new();
    let changes = [
        ("amount", json!("12.505")),
        ("amount", json!("-1")),
        ("amount", json!("0")),
        ("amount", json!(12.5)),
        ("currency", json!("EURO")),
        ("payment", json!("pay_x")),
        ("attempt", json!(0)),
        ("attempt", json!(256)),
        ("merchant", json!("")),
        ("merchant_name", json!("x".repeat(129))),
        ("terminal", json!("a b")),
        ("payer", json!("x".repeat(32))),
        ("answer_by", json!("tomorrow")),
        ("surprise", json!(1)),
    ];
    for (field, value) in changes {
        let mut body = permit_body();
        body[field] = value.clone();
        let (status, problem) =
            stranger.signed(Method::POST, "/v1/permits", body.to_string().as_bytes()).await;
        assert_eq!((status, &problem["field"]), (422, &json!(field)), "{value}: {problem}");
    }
    assert_eq!(stranger.bench.page(PAYMENT), None);
}

#[actix_web::test]
async fn every_error_is_a_problem() {
    let stranger = Stranger::new();
    let cases = [
        (Method::POST, "/v1/permits", &b"{"[..], 422),
        (Method::POST, "/v1/permits", &vec![b' '; 16 * 1024 + 1], 413),
        (Method::DELETE, "/v1/permits", b"", 405),
        (Method::GET, "/v1/nothing", b"", 404),
        (Method::GET, "/v1/payments/pay_x", b"", 422),
        (Method::GET, "/v1/daily?date=2030-02-30", b"", 422),
        (Method::GET, "/v1/daily", b"", 422),
        (Method::POST, "/v1/permits/none/pay", b"x", 404),
        (Method::PUT, "/v1/trouble", br#"{"rules":[{"trouble":"lots","operation":"pay"}]}"#, 422),
        (Method::PUT, "/v1/trouble", br#"{"latency_ms":60001}"#, 422),
    ];
    for (method, path, body, expected) in cases {
        let signed = stamp(stranger.bench.clock.now(), &method, path, body);
        let answer = stranger.send(method.clone(), path, &signed.headers(), body).await;
        let (status, problem) = json_of(&answer);
        assert_eq!((status, &problem["status"]), (expected, &json!(expected)), "{method} {path}");
        assert!(problem["code"].is_string() && problem["title"].is_string(), "{problem}");
    }
}

#[actix_web::test]
async fn a_repeated_permit_request_is_200_with_the_same_permit() {
    let stranger = Stranger::new();
    let body = permit_body().to_string();
    let (first, one) = stranger.signed(Method::POST, "/v1/permits", body.as_bytes()).await;
    let (again, two) = stranger.signed(Method::POST, "/v1/permits", body.as_bytes()).await;
    assert_eq!((first, again), (201, 200));
    assert_eq!(one, two);
}

#[actix_web::test]
async fn a_phone_pays_directly_at_the_address_that_the_permit_names() {
    let mut config = config();
    config.listen_payers = Some("127.0.0.1:0".parse().unwrap());
    let bench = Bench::with(config, None, "http");
    let interface = bench.granted(PAYMENT).await;
    let payers = bench.sandbox.payers_address().unwrap();
    assert!(interface.url.starts_with(&format!("http://{payers}/")));

    let phone = HttpClient::new(world().network, None, bench.clock.clone());
    let request = |method, url: &str, body: String| {
        Request::builder().method(method).uri(url).body(Bytes::from(body)).unwrap()
    };
    let preflight = request(Method::OPTIONS, &interface.url, String::new());
    let preflight = phone.send(preflight, bench.within(5_000)).await.unwrap();
    assert_eq!(preflight.status, 204);
    let sealed = bench.seal(PAYMENT, &interface, PASSWORD);
    let paid = phone.send(request(Method::POST, &interface.url, sealed), bench.within(5_000)).await.unwrap();
    assert_eq!(json_of(&paid).1["status"], json!("paid"));
    let books = request(Method::GET, &format!("http://{payers}/v1/books"), String::new());
    assert_eq!(phone.send(books, bench.within(5_000)).await.unwrap().status, 404);
}

#[actix_web::test]
async fn books_and_daily_list_agree() {
    let stranger = Stranger::new();
    let bench = &stranger.bench;
    let interface = bench.granted(PAYMENT).await;
    bench.pay(PAYMENT, &interface, PASSWORD, 5_000).await;
    let (_, books) = stranger.signed(Method::GET, "/v1/books", b"").await;
    assert_eq!(books["accounts"]["ada"]["balances"]["EUR"], json!("87.50"));
    assert_eq!(books["payments"][0]["status"], json!("paid"));
    let today = adapters::rfc3339::date(bench.clock.now());
    let (status, daily) = stranger.signed(Method::GET, &format!("/v1/daily?date={today}"), b"").await;
    assert_eq!(status, 200);
    assert_eq!(daily["sums"][0], json!({"kind": "debit", "count": 1, "amount": "12.50", "currency": "EUR"}));
}

#[actix_web::test]
async fn trouble_is_switched_over_http_and_read_back() {
    let stranger = Stranger::new();
    let troubles = json!({"latency_ms": 5, "rules": [
        {"trouble": "too_late", "operation": "reversal", "next": 1, "payer": "ada"}
    ]});
    let (status, set) = stranger.signed(Method::PUT, "/v1/trouble", troubles.to_string().as_bytes()).await;
    assert_eq!((status, &set), (200, &troubles));
    let (_, read) = stranger.signed(Method::GET, "/v1/trouble", b"").await;
    assert_eq!(read, troubles);
}

#[actix_web::test]
async fn a_credential_outlives_neither_its_permit_nor_its_own_expiry() {
    let bench = Bench::new();
    let mut interface = bench.granted(PAYMENT).await;
    interface.expires = Deadline::at(Timestamp::from_micros(
        bench.clock.now().micros() - u64::try_from(Duration::from_secs(2).as_micros()).unwrap(),
    ));
    let outcome = bench.pay(PAYMENT, &interface, PASSWORD, 5_000).await;
    let expired = actors::domain::payment::outcome::Failure::PermitExpired;
    assert_eq!(outcome, actors::domain::payment::outcome::PaymentOutcome::Failed(expired));
}
