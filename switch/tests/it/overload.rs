//! What becomes of those who ask while new payments are sent away, at the HTTP doors.
use crate::visitors::{Handset, Till, terminals_door};
use crate::world::{House, house, house_with, settings};
use actix_web::test::TestRequest;
use actors::domain::identity::{MerchantId, PaymentId, TerminalId};
use actors::gate::begun::Step;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use switch::api::Settings;

/// Everything has waited for a long time, and what may begin at the corner shop has begun elsewhere.
pub async fn press(house: &House) {
    // With hardly a payment inside it would be something else that makes them wait.
    let _open: Vec<_> = (0..16).map(|_| house.gate.opened()).collect();
    for _ in 0..10 {
        house.gate.feel(house.clock.now(), 99, Duration::from_millis(500));
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let shop = MerchantId::new("corner").unwrap();
    let begins = |number: u64| {
        let elsewhere = TerminalId::new(&format!("X{number}")).unwrap();
        let order = Step::Order(PaymentId::from_bits(number.into()));
        house.gate.begin(house.clock.now(), shop, elsewhere, order)
    };
    let admitted = (0..10_000).take_while(|number| begins(*number).is_ok()).count();
    assert!(admitted < 10_000, "there is a pace");
}

/// Nobody waits any more.
pub async fn calm(house: &House) {
    while house.gate.is_paced() {
        tokio::time::advance(Duration::from_millis(100)).await;
        house.gate.feel(house.clock.now(), 99, Duration::ZERO);
    }
}

fn sale() -> Value {
    json!({"amount": "12.50", "currency": "EUR"})
}

#[actix_web::test]
async fn a_new_sale_is_sent_away_before_it_is_read_and_comes_back_with_the_same_key() {
    tokio::time::pause();
    let house = house_with(Settings { hold_back: Duration::from_millis(300), ..settings() });
    let till = Till::new(&house, "T1", "key-1").await;
    press(&house).await;
    let began = tokio::time::Instant::now();
    let nonsense = till.charge("sale-1", &json!({"amount": 12}), 0).await;
    nonsense.expect_problem(503, None);
    assert_eq!(nonsense.header("retry-after"), Some("2"));
    assert_eq!(nonsense.header("cache-control"), Some("no-store"));
    assert!(began.elapsed() >= Duration::from_millis(300), "it is held back");
    assert!(house.journal.records().is_empty());
    calm(&house).await;
    till.charge("sale-1", &sale(), 0).await.expect(202);
}

#[actix_web::test]
async fn a_phone_is_sent_away_from_a_terminal_where_nothing_is_begun() {
    tokio::time::pause();
    let house = house();
    let phone = Handset::log_in(&house, "15550000001").await;
    press(&house).await;
    phone.stand_at("T1").await.expect_problem(503, None);
    assert!(house.journal.records().is_empty());
    calm(&house).await;
    phone.stand_at("T1").await.expect(200);
}

#[actix_web::test]
async fn whoever_was_let_in_goes_on_and_takes_back_while_others_are_sent_away() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let phone = Handset::log_in(&house, "15550000001").await;
    let sold = till.charge("sale-1", &sale(), 0).await.expect(202);
    press(&house).await;
    till.charge("sale-1", &sale(), 0).await.expect(202);
    phone.stand_at("T1").await.expect(200);
    let confirmed = phone.confirm(&phone.card().await).await.expect(200);
    press(&house).await;
    phone.pay(&confirmed, "right").await.expect(200);
    press(&house).await;
    let path = format!("/v1/payments/{}/reversals", sold["id"].as_str().unwrap());
    assert_eq!(till.post(&path, &json!({})).await.expect(200)["status"], "reversing");
    let unseen = till.post("/v1/reversals", &json!({"idempotency_key": "never-seen"})).await;
    assert_eq!(unseen.expect(200)["status"], "reversed");
}

#[actix_web::test]
async fn whoever_only_says_that_it_is_a_terminal_takes_nothing_from_its_merchant() {
    tokio::time::pause();
    let house = house();
    let (till, door) = (Till::new(&house, "T1", "key-1").await, terminals_door(&house).await);
    press(&house).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    for number in 0..200 {
        let forged = format!("Basic {}", STANDARD.encode("T1:wrong"));
        let request = TestRequest::post().uri("/v1/payments").set_json(sale());
        let request = request.insert_header(("idempotency-key", format!("sale-{number}")));
        door(request.insert_header(("authorization", forged))).await.expect_problem(401, None);
    }
    till.charge("sale-1", &sale(), 0).await.expect(202);
}
