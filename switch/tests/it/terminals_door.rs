//! The terminals' door: repeats, reversals, refunds, its own place, and nobody else's payments.
use crate::visitors::{Handset, Till};
use crate::world::{House, house};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use std::time::Duration;

fn sale() -> Value {
    json!({"amount": "12.50", "currency": "EUR"})
}

fn path(payment: &Value) -> String {
    format!("/v1/payments/{}", payment["id"].as_str().unwrap())
}

async fn paid(house: &House) -> (Till, Value) {
    let (till, phone) = (Till::new(house, "T1", "key-1").await, Handset::log_in(house, "15550000001").await);
    phone.stand_at("T1").await.expect(200);
    let payment = till.charge("sale-1", &sale(), 0).await.expect(202);
    let confirmed = phone.confirm(&phone.card().await).await.expect(200);
    phone.pay(&confirmed, "right").await.expect(200);
    (till, payment)
}

#[actix_web::test]
async fn the_same_key_is_the_same_payment_quoted_or_bare_before_and_after_it_is_decided() {
    tokio::time::pause();
    let house = house();
    let (till, payment) = paid(&house).await;
    for key in ["sale-1", "\"sale-1\""] {
        let repeat = till.charge(key, &sale(), 0).await.expect(200);
        assert_eq!((&repeat["id"], &repeat["status"]), (&payment["id"], &json!("approved")));
    }
    let open = till.charge("sale-2", &sale(), 0).await.expect(202);
    assert_eq!(till.charge("sale-2", &sale(), 0).await.expect(202)["id"], open["id"]);
    assert_ne!(open["id"], payment["id"]);
}

#[actix_web::test]
async fn the_same_key_for_something_else_is_refused_and_nothing_changes() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    till.charge("sale-1", &sale(), 0).await.expect(202);
    let records = house.journal.records().len();
    let other = json!({"amount": "13.50", "currency": "EUR"});
    till.charge("sale-1", &other, 0).await.expect_problem(422, None);
    assert_eq!(house.journal.records().len(), records);
}

#[actix_web::test]
async fn an_order_that_the_merchant_refuses_is_decided_at_once() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let refused = till.charge("sale-1", &json!({"amount": "500.01", "currency": "EUR"}), 0).await.expect(201);
    assert_eq!(
        (&refused["status"], &refused["refusal"]["code"]),
        (&json!("declined"), &json!("above_limit"))
    );
    let no_route = till.charge("sale-2", &json!({"amount": "5.00", "currency": "USD"}), 0).await.expect(201);
    assert_eq!(
        (&no_route["response_code"], &no_route["refusal"]["code"]),
        (&json!("92"), &json!("no_route"))
    );
}

#[actix_web::test]
async fn without_a_phone_the_payment_is_declined_when_the_terminal_said() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let body = json!({"amount": "12.50", "currency": "EUR", "answer_within_seconds": 5});
    let waited = till.charge("sale-1", &body, 60).await.expect(201);
    assert_eq!((&waited["status"], &waited["refusal"]["code"]), (&json!("declined"), &json!("no_phone")));
}

#[actix_web::test]
async fn a_wait_that_runs_out_tells_how_the_payment_stands() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let payment = till.charge("sale-1", &sale(), 3).await.expect(202);
    assert_eq!(payment["status"], "awaiting_phone");
    let request =
        till.request(TestRequest::get(), &path(&payment)).insert_header(("prefer", "respond-async, wait=2"));
    let looked = (till.door)(request).await;
    assert_eq!(looked.expect(200)["status"], "awaiting_phone");
    assert_eq!(looked.header("preference-applied"), Some("wait=2"));
}

#[actix_web::test]
async fn a_terminal_is_told_of_doubt_and_not_of_an_approval() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);
    phone.stand_at("T1").await.expect(200);
    let asked = till.charge("sale-1", &sale(), 0).await.expect(202);
    let permitted = phone.confirm(&phone.card().await).await.expect(200);
    let seen = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        till.get(&path(&asked)).await.expect(200)
    };
    let (_, seen) = tokio::join!(phone.pay(&permitted, "silent"), seen);
    assert_eq!((&seen["status"], &seen["response_code"]), (&json!("in_doubt"), &Value::Null));
}

#[actix_web::test]
async fn a_paid_payment_is_reversed_once_however_often_it_is_asked() {
    tokio::time::pause();
    let house = house();
    let (till, payment) = paid(&house).await;
    let reversals = format!("{}/reversals", path(&payment));
    let first = till.post(&reversals, &json!({})).await.expect(200);
    assert!(["reversing", "reversed"].contains(&first["status"].as_str().unwrap()));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(till.post(&reversals, &json!({})).await.expect(200)["status"], "reversed");
    assert_eq!(
        till.post("/v1/reversals", &json!({"idempotency_key": "sale-1"})).await.expect(200)["id"],
        payment["id"]
    );
}

#[actix_web::test]
async fn what_was_never_seen_can_be_taken_back_and_stays_taken_back() {
    tokio::time::pause();
    let house = house();
    let till = Till::new(&house, "T1", "key-1").await;
    let unseen = till.post("/v1/reversals", &json!({"idempotency_key": "sale-9"})).await.expect(200);
    assert_eq!((&unseen["status"], unseen.get("amount")), (&json!("reversed"), None));
    let late = till.charge("sale-9", &sale(), 0).await.expect(200);
    assert_eq!((&late["id"], &late["status"]), (&unseen["id"], &json!("reversed")));
}

#[actix_web::test]
async fn refunds_are_named_by_the_terminal_and_bounded_by_what_was_paid() {
    tokio::time::pause();
    let house = house();
    let (till, payment) = paid(&house).await;
    let id = payment["id"].as_str().unwrap();
    let part = json!({"amount": "2.50", "currency": "EUR"});
    for _ in 0..2 {
        let refunded = till.refund(id, "r-1", &part).await.expect(202);
        assert_eq!(
            (&refunded["refunds"][0]["id"], refunded["refunds"].as_array().unwrap().len()),
            (&json!("r-1"), 1)
        );
    }
    till.refund(id, "r-1", &sale()).await.expect_problem(422, None);
    till.refund(id, "r-2", &sale()).await.expect_problem(422, None);
    for name in ["giving-back", "part.1"] {
        till.refund(id, name, &part).await.expect_problem(400, Some("Idempotency-Key"));
    }
    till.refund(id, "r/3", &part).await.expect_problem(400, Some("Idempotency-Key"));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(till.get(&path(&payment)).await.expect(200)["refunds"][0]["state"], "done");
    till.post(&format!("{}/reversals", path(&payment)), &json!({})).await.expect_problem(409, None);
    let open = till.charge("sale-2", &sale(), 0).await.expect(202);
    till.refund(open["id"].as_str().unwrap(), "r-1", &part).await.expect_problem(409, None);
}

#[actix_web::test]
async fn a_terminal_neither_sees_nor_undoes_what_another_asked_for() {
    tokio::time::pause();
    let house = house();
    let (_, payment) = paid(&house).await;
    let other = Till::new(&house, "T2", "key-2").await;
    other.get(&path(&payment)).await.expect_problem(404, None);
    other.post(&format!("{}/reversals", path(&payment)), &json!({})).await.expect_problem(404, None);
    other.refund(payment["id"].as_str().unwrap(), "r-1", &sale()).await.expect_problem(404, None);
    let own = other.post("/v1/reversals", &json!({"idempotency_key": "sale-1"})).await.expect(200);
    assert_ne!(own["id"], payment["id"]);
}

#[actix_web::test]
async fn a_terminal_sees_that_a_phone_stands_there_and_may_send_it_away() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);
    let alone = till.get("/v1/terminal").await.expect(200);
    assert_eq!((&alone["merchant_name"], &alone["currency"]), (&json!("Corner Shop"), &json!("EUR")));
    assert_eq!(alone["binding"], json!({"bound": false, "epoch": 0}));
    phone.stand_at("T1").await.expect(200);
    let bound = till.get("/v1/terminal").await.expect(200);
    assert_eq!((&bound["binding"]["bound"], &bound["binding"]["epoch"]), (&json!(true), &json!(1)));
    (till.door)(till.request(TestRequest::delete(), "/v1/terminal/binding")).await.expect(204);
    assert_eq!(till.get("/v1/terminal").await.expect(200)["binding"]["bound"], false);
}

#[actix_web::test]
async fn whoever_is_not_a_terminal_is_told_how_to_be_one() {
    tokio::time::pause();
    let house = house();
    for (id, key) in [("T1", "key-2"), ("T9", "key-1"), ("no such id", ""), ("", "")] {
        let refused = Till::new(&house, id, key).await.get("/v1/terminal").await;
        refused.expect_problem(401, None);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic "));
    }
    let door = crate::visitors::terminals_door(&house).await;
    door(TestRequest::get().uri("/v1/terminal")).await.expect_problem(401, None);
    let nonsense = TestRequest::get().uri("/v1/terminal").insert_header(("authorization", "Basic %%%"));
    door(nonsense).await.expect_problem(401, None);
    let orphan = Till::new(&house, "orphan", "key-3").await;
    orphan.charge("sale-1", &sale(), 0).await.expect_problem(403, None);
}

#[actix_web::test]
async fn a_callback_is_believed_only_with_its_signature() {
    tokio::time::pause();
    let house = house();
    let door = crate::visitors::terminals_door(&house).await;
    let unknown = json!({"payment": "pay_00000000000000000000000001"});
    for (platform, signature, body, status) in [
        ("sandbox", "bad", unknown.to_string(), 401),
        ("sandbox", "old", unknown.to_string(), 401),
        ("sandbox", "good", "not json".to_owned(), 400),
        ("sandbox", "good", unknown.to_string(), 404),
        ("nobody", "good", unknown.to_string(), 404),
        ("no%20body", "good", unknown.to_string(), 404),
    ] {
        let request = TestRequest::post().uri(&format!("/v1/callbacks/{platform}")).set_payload(body);
        let request = request.insert_header((crate::world::FORGED_HEADER, signature));
        door(request).await.expect_problem(status, None);
    }
}
