//! A payer's phone from log-in to receipt.
use super::stub::{Heard, Stub, Turn};
use adapters::dice::SystemDice;
use adapters::players::PlayFault;
use adapters::players::device::{DeviceKey, confirmation_text};
use adapters::players::events::PhoneEvent;
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::{PaymentSeen, Status};
use adapters::seal::{Credential, PublicJwk, ephemeral_key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

const ID: &str = "pay_00000000000000000000000001";
const WRONG: Credential<'_> = Credential { account: "anna", password: "wrong" };
const RIGHT: Credential<'_> = Credential { account: "anna", password: "right" };

fn phone(stub: &Arc<Stub>) -> Phone {
    let address = "http://127.0.0.1:8080".parse().unwrap();
    let mut phone = Phone::new(stub.surroundings(), address, DeviceKey::generate().unwrap());
    phone.resume("token").unwrap();
    phone
}

fn sealer() -> DiceSealer {
    DiceSealer(Arc::new(SystemDice::new().unwrap()))
}

fn platform_key() -> PublicJwk {
    PublicJwk::of(&ephemeral_key(&SystemDice::new().unwrap()).unwrap().public_key())
}

fn payment(status: &str) -> Value {
    json!({"id": ID, "status": status, "amount": "12.50", "currency": "EUR", "merchant": "M1",
        "merchant_name": "Shop", "terminal": "T1", "epoch": 7, "unknown": {"field": []}})
}

fn payable(attempt: u32, url: &str) -> Value {
    let mut payment = payment("awaiting_payment");
    payment["attempt"] = json!(attempt);
    payment["interface"] = json!({"url": url, "attempt": attempt, "key": platform_key(), "permit": "P1",
        "expires_at": "2030-01-31T12:00:00Z"});
    payment
}

fn says(value: &Value) -> Turn {
    Turn::Json(200, value.to_string())
}

fn asked() -> PaymentSeen {
    serde_json::from_value(payment("awaiting_confirmation")).unwrap()
}

/// Whether the confirmation was signed by the key that it names, over what the payment shows.
fn is_well_signed(heard: &Heard) -> bool {
    let body = heard.json();
    let part = |value: &Value| BASE64URL.decode(value.as_str().unwrap()).unwrap();
    let key = [vec![4], part(&body["device_key"]["x"]), part(&body["device_key"]["y"])].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(confirmation_text(&asked()).as_bytes(), &part(&body["signature"]))
        .is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_phone_logs_in_with_its_device_key_and_stands_at_a_terminal() {
    let stub = Stub::new(|heard| match heard.line.as_str() {
        "POST /v1/login/codes" => Turn::Json(202, r#"{"expires_in":300,"code":"123456"}"#.into()),
        "POST /v1/login" => {
            says(&json!({"access_token": "abc", "token_type": "Bearer", "expires_in": 600, "payer": "p"}))
        }
        _ => says(&json!({"terminal": "T1", "merchant_name": "Shop", "epoch": 7, "until": "…"})),
    });
    let mut phone = phone(&stub);
    assert_eq!(phone.log_in_by_shown_code("subscriber").await.unwrap().payer, "p");
    assert_eq!(phone.bind("T1").await.unwrap().epoch, 7);
    let heard = stub.heard();
    assert_eq!(heard[1].json()["code"], "123456");
    assert_eq!(heard[1].json()["device_key"]["crv"], "P-256");
    assert_eq!(
        (heard[2].line.as_str(), heard[2].header("authorization")),
        ("PUT /v1/binding", Some("Bearer abc"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_has_not_logged_in_asks_for_nothing() {
    let stub = Stub::new(|_| Turn::Break);
    let address = "http://127.0.0.1:8080".parse().unwrap();
    let mut phone = Phone::new(stub.surroundings(), address, DeviceKey::generate().unwrap());
    assert!(matches!(phone.bind("T1").await, Err(PlayFault::OffContract(_))));
    assert!(stub.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_and_then_the_right_one_pays() {
    let stub = Stub::new(|heard| match heard.line.as_str() {
        line if line.ends_with("/confirmation") => says(&payable(1, "/pay?attempt=1")),
        "POST /pay?attempt=1" => says(&payable(2, "/pay?attempt=2")),
        _ => says(&payment("approved")),
    });
    let seen = phone(&stub).play(asked(), Script::Pay(&[WRONG, RIGHT]), &sealer()).await.unwrap();
    assert_eq!(seen.status, Status::Approved);
    let heard = stub.heard();
    assert!(is_well_signed(&heard[0]));
    assert_eq!(stub.lines()[1..], ["POST /pay?attempt=1", "POST /pay?attempt=2"]);
    assert!(heard[1..].iter().all(|h| h.header("content-type") == Some("application/jose")));
    assert!(heard.iter().all(|h| !h.body.contains("right") && !h.body.contains("wrong")));
}

#[tokio::test(start_paused = true)]
async fn an_interface_at_the_platform_gets_the_credential_without_the_switchs_token() {
    let mut looks = 0;
    let stub = Stub::new(move |heard| match heard.host.as_str() {
        "pay.example:9" => Turn::Json(200, "{}".into()),
        _ if heard.line.ends_with("/confirmation") => says(&payable(1, "http://pay.example:9/p/P1")),
        _ => {
            looks += 1;
            says(&if looks > 1 { payment("approved") } else { payable(1, "http://pay.example:9/p/P1") })
        }
    });
    let seen = phone(&stub).play(asked(), Script::Pay(&[RIGHT]), &sealer()).await.unwrap();
    assert_eq!(seen.status, Status::Approved);
    let heard = stub.heard();
    assert_eq!((heard[1].line.as_str(), heard[1].header("authorization")), ("POST /p/P1", None));
}

#[tokio::test(start_paused = true)]
async fn a_payer_declines_vanishes_or_looks_away_as_the_script_says() {
    let stub = Stub::new(|heard| {
        says(&if heard.line.ends_with("/decline") { payment("declined") } else { payable(1, "/pay") })
    });
    let mut phone = phone(&stub);
    let declined = phone.play(asked(), Script::Decline, &sealer()).await.unwrap();
    assert_eq!(declined.status, Status::Declined);
    let left = phone.play(asked(), Script::VanishAfterConfirming, &sealer()).await.unwrap();
    assert_eq!(left.status, Status::AwaitingPayment);
    phone.play(asked(), Script::Ignore, &sealer()).await.unwrap();
    assert_eq!(stub.lines().len(), 2);
    assert_eq!(stub.heard()[0].json(), json!({"epoch": 7}));
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_goes_on_after_the_last_event_that_was_heard() {
    let (say, hear) = mpsc::unbounded_channel();
    let (say_again, hear_again) = mpsc::unbounded_channel();
    let mut streams = [Turn::Stream(hear), Turn::Break, Turn::Stream(hear_again)].into_iter();
    let stub = Stub::new(move |_| streams.next().unwrap());
    let mut events = phone(&stub).events().unwrap();
    events.open().await.unwrap();
    say.send("id: 41\nevent: resync\ndata: {}\n\nid: 42\nevent: pay").unwrap();
    assert_eq!(events.next().await.unwrap(), PhoneEvent::Resync);
    drop(say);
    say_again.send(": back\n\nevent: news\ndata: {}\n\nid: 42\nevent: resync\ndata: {}\n\n").unwrap();
    assert_eq!(events.next().await.unwrap(), PhoneEvent::Resync);
    let resumed: Vec<_> = stub.heard().iter().map(|h| h.header("last-event-id").map(str::to_owned)).collect();
    assert_eq!(resumed, [None, Some("41".into()), Some("41".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_phone_hears_of_its_payment_by_the_list_or_by_the_stream() {
    let (say, hear) = mpsc::unbounded_channel();
    let (mut stream, mut lists) = (Some(Turn::Stream(hear)), 0);
    let stub = Stub::new(move |heard| {
        if heard.line == "GET /v1/events" {
            return stream.take().unwrap();
        }
        lists += 1;
        let listed = if lists == 1 { vec![] } else { vec![payment("awaiting_confirmation")] };
        says(&json!({ "payments": listed }))
    });
    let mut phone = phone(&stub);
    let mut events = phone.events().unwrap();
    events.open().await.unwrap();
    say.send("event: resync\ndata: {}\n\n").unwrap();
    let seen = phone.awaits_confirmation(&mut events, Some("T1")).await.unwrap();
    assert_eq!(seen.id, ID);
    assert_eq!(stub.lines(), ["GET /v1/events", "GET /v1/payments", "GET /v1/payments"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_is_not_opened_again() {
    let stub = Stub::new(|_| Turn::Json(401, r#"{"title":"Unauthorized","status":401}"#.into()));
    let mut events = phone(&stub).events().unwrap();
    assert!(matches!(events.next().await, Err(PlayFault::Refused(problem)) if problem.status == 401));
    assert_eq!(stub.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_history_needs_no_more_than_what_a_finished_payment_still_has() {
    let stub = Stub::new(|_| says(&json!({"payments": [{"id": ID, "status": "declined", "refunds": []}]})));
    let history = phone(&stub).history(5).await.unwrap();
    assert_eq!((history[0].status, &history[0].amount), (Status::Declined, &None));
    assert_eq!(stub.lines(), ["GET /v1/payments/history?limit=5"]);
}
