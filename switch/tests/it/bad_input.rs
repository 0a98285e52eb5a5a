//! What bad input gets: a clear problem that names the field and what is allowed, and nothing changed.
use crate::visitors::{Handset, Till, phones_door, terminals_door};
use crate::world::{house, house_with, settings};
use actix_web::FromRequest;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use actors::gate::Class;
use futures_util::Stream;
use serde_json::{Value, json};
use std::pin::Pin;
use std::time::Duration;
use switch::api::Settings;

fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"amount": "12.50", "currency": "EUR"});
    body[field] = value;
    body
}

#[actix_web::test]
async fn every_bad_field_is_named_and_nothing_is_written() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    for (field, value, says) in [
        ("amount", json!("12.505"), "decimals"),
        ("amount", json!("-1"), "no sign"),
        ("amount", json!("0.00"), "more than zero"),
        ("amount", json!("99999999999.00"), "twelve digits"),
        ("amount", json!("1e3"), "exponent"),
        ("amount", json!(12.5), "string"),
        ("amount", Value::Null, "string"),
        ("currency", json!("eur"), "ISO 4217"),
        ("currency", json!("XXX"), "ISO 4217"),
        ("currency", json!(["EUR"]), "string"),
        ("reference", json!("a\u{7}b"), "control"),
        ("reference", json!(""), "1 to 64"),
        ("reference", json!("x".repeat(65)), "1 to 64"),
        ("reference", Value::Null, "string"),
        ("answer_within_seconds", json!(4), "5 to 300"),
        ("answer_within_seconds", json!(301), "5 to 300"),
        ("answer_within_seconds", json!(-5), "u64"),
        ("tip", json!("1.00"), "expected one of `amount`, `currency`"),
    ] {
        let problem = till.charge("sale-1", &with(field, value), 0).await.expect_problem(400, Some(field));
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    till.charge("sale-1", &json!({"amount": "1.00"}), 0).await.expect_problem(400, None);
    assert!(house.journal.records().is_empty());
}

#[actix_web::test]
async fn nested_fields_are_named_by_their_path() {
    tokio::time::pause();
    let house = house();
    let door = phones_door(&house).await;
    let key = json!({"kty": "RSA", "crv": "P-256", "x": "A", "y": "A"});
    let body = json!({"subscriber": "15550000001", "code": "123456", "device_key": key});
    let refused = door(TestRequest::post().uri("/v1/login").set_json(&body)).await;
    refused.expect_problem(400, Some("device_key.kty"));
    let values = json!(["EC", "P-256", "A", "A"]);
    let body = json!({"subscriber": "15550000001", "code": "123456", "device_key": values});
    let refused = door(TestRequest::post().uri("/v1/login").set_json(&body)).await;
    refused.expect_problem(400, Some("device_key"));
    for subscriber in ["", "12", "+", "1234567890123456", "15550000001x", "+ 1555"] {
        let body = json!({"subscriber": subscriber});
        let refused = door(TestRequest::post().uri("/v1/login/codes").set_json(&body)).await;
        refused.expect_problem(400, Some("subscriber"));
    }
}

#[actix_web::test]
async fn what_is_not_json_is_refused_by_what_it_is() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let send = |media_type: &'static str, body: Vec<u8>| {
        let request = till.request(TestRequest::post(), "/v1/payments").set_payload(body);
        (till.door)(
            request.insert_header(("content-type", media_type)).insert_header(("idempotency-key", "k")),
        )
    };
    let good = with("reference", json!("a")).to_string().into_bytes();
    for broken in [
        &b""[..],
        b"{",
        b"[]",
        b"[\"1.00\",\"EUR\"]",
        b"null",
        b"{\"amount\":\"1.00\",\"currency\":\"EUR\"} x",
        b"\xff\xfe",
    ] {
        send("application/json", broken.to_vec()).await.expect_problem(400, None);
    }
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    assert_eq!(send("application/json", deep).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    send("application/json", b"[".repeat(4_000)).await.expect_problem(400, None);
    send("text/plain", good.clone()).await.expect_problem(415, None);
    send("application/json; charset=utf-8", good.clone()).await.expect(202);
    let too_large = [good, vec![b' '; 16 * 1024]].concat();
    send("application/json", too_large).await.expect_problem(413, None);
}

#[actix_web::test]
async fn a_key_is_required_and_has_a_form() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let body = with("amount", json!("1.00"));
    till.post("/v1/payments", &body).await.expect_problem(400, Some("Idempotency-Key"));
    for key in ["", "\"\"", "two words", &"k".repeat(65), "k\u{e9}y"] {
        till.charge(key, &body, 0).await.expect_problem(400, Some("Idempotency-Key"));
    }
    let twice = till.request(TestRequest::post(), "/v1/payments").set_json(&body);
    let twice = twice.append_header(("idempotency-key", "a")).append_header(("idempotency-key", "b"));
    (till.door)(twice).await.expect_problem(400, Some("Idempotency-Key"));
    till.post("/v1/reversals", &json!({"idempotency_key": "two words"}))
        .await
        .expect_problem(400, Some("idempotency_key"));
}

#[actix_web::test]
async fn an_address_or_a_method_that_is_not_served_says_so() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    for nowhere in [
        "/v2/payments",
        "/v1",
        "/v1/payments/",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/none.js",
        "/docs/none.js",
    ] {
        till.get(nowhere).await.expect_problem(404, None);
    }
    till.get("/v1/payments/pay_1").await.expect_problem(404, None);
    let wrong = till.get("/v1/payments").await;
    wrong.expect_problem(405, None);
    assert_eq!(wrong.header("allow"), Some("POST"));
    let phone = Handset::log_in(&house, "15550000001").await;
    let wrong = (phone.door)(phone.request(TestRequest::patch(), "/v1/binding")).await;
    wrong.expect_problem(405, None);
    assert_eq!(wrong.header("allow"), Some("PUT, GET, DELETE"));
}

#[actix_web::test]
async fn every_answer_is_guarded_in_browsers_and_caches() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let door = terminals_door(&house).await;
    let answers = [
        till.get("/v1/terminal").await,
        till.get("/nowhere").await,
        till.get("/v1/payments").await,
        door(TestRequest::get().uri("/v1/terminal")).await,
    ];
    for answer in answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
    }
}

#[actix_web::test]
async fn a_body_that_dribbles_in_is_cut_off() {
    tokio::time::pause();
    let house = house();
    // The test client sends bodies whole, so the reader is asked itself, with a body that never ends.
    let drip = futures_util::stream::pending::<Result<bytes::Bytes, PayloadError>>();
    let drip: Pin<Box<dyn Stream<Item = Result<bytes::Bytes, PayloadError>>>> = Box::pin(drip);
    let mut payload = actix_web::dev::Payload::from(drip);
    let request = TestRequest::post()
        .insert_header(("content-type", "application/json"))
        .app_data(actix_web::web::Data::from(std::sync::Arc::clone(&house.doors)))
        .to_http_request();
    let read = switch::api::Json::<Value>::from_request(&request, &mut payload);
    let problem = read.await.err().unwrap();
    assert_eq!(actix_web::ResponseError::status_code(&problem), StatusCode::REQUEST_TIMEOUT);
}

#[actix_web::test]
async fn an_overloaded_switch_says_when_to_come_back_and_not_at_once() {
    tokio::time::pause();
    let house = house_with(Settings { hold_back: Duration::from_millis(300), ..settings() });
    let till = Till::new(&house, "T1", "key-1").await;
    let permits: Vec<_> = std::iter::from_fn(|| house.gate.admit(Class::Reversal).ok()).collect();
    let began = tokio::time::Instant::now();
    let refused = till.charge("sale-1", &with("amount", json!("1.00")), 0).await;
    refused.expect_problem(503, None);
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert!(began.elapsed() >= Duration::from_millis(300));
    drop(permits);
    till.charge("sale-1", &with("amount", json!("1.00")), 0).await.expect(202);
    house.gate.drain();
    till.charge("sale-2", &with("amount", json!("1.00")), 0).await.expect_problem(503, None);
}
