//! The on-site payment from the two doors: what OS-1 to OS-9 promise, seen by a phone and a terminal.
use crate::visitors::{Handset, Till};
use crate::world::house;
use serde_json::json;

#[actix_web::test]
async fn a_wrong_password_is_told_to_the_phone_and_the_second_try_pays() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);

    let bound = phone.stand_at("T1").await.expect(200);
    assert_eq!((&bound["terminal"], &bound["merchant_name"]), (&json!("T1"), &json!("Corner Shop")));
    let sale = json!({"amount": "12.5", "currency": "EUR", "reference": "receipt 7"});
    let asked = till.charge("sale-1", &sale, 0).await;
    let payment = asked.expect(202);
    assert_eq!(
        asked.header("location"),
        Some(format!("/v1/payments/{}", payment["id"].as_str().unwrap()).as_str())
    );
    assert_eq!((&payment["status"], &payment["amount"]), (&json!("awaiting_confirmation"), &json!("12.50")));

    let card = phone.card().await;
    assert_eq!(
        (&card["id"], &card["merchant_name"], &card["reference"]),
        (&payment["id"], &json!("Corner Shop"), &json!("receipt 7"))
    );
    let confirmed = phone.confirm(&card).await.expect(200);
    assert_eq!((&confirmed["status"], &confirmed["attempt"]), (&json!("awaiting_payment"), &json!(1)));

    let failed = phone.pay(&confirmed, "wrong").await.expect(200);
    assert_eq!((&failed["status"], &failed["attempt"]), (&json!("awaiting_payment"), &json!(2)));
    assert_eq!(failed["last_failure"]["code"], "wrong_credentials");

    let paid = phone.pay(&failed, "right").await.expect(200);
    assert_eq!((&paid["status"], &paid["response_code"]), (&json!("approved"), &json!("00")));
    let told = till.get(&format!("/v1/payments/{}", payment["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&told["status"], &told["platform_reference"]), (&json!("approved"), &json!("debit-1")));
}

#[actix_web::test]
async fn a_terminal_that_waits_is_told_at_once_when_the_phone_has_paid() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);
    let body = json!({"amount": "12.50", "currency": "EUR"});
    let waiting = till.charge("sale-1", &body, 30);
    let paying = async {
        // The amount came before the phone.
        phone.stand_at("T1").await.expect(200);
        let confirmed = phone.confirm(&phone.card().await).await.expect(200);
        phone.pay(&confirmed, "right").await.expect(200);
    };
    let (told, ()) = futures_util::future::join(waiting, paying).await;
    assert_eq!(told.expect(201)["status"], "approved");
    assert_eq!(told.header("preference-applied"), Some("wait=30"));
}

#[actix_web::test]
async fn the_word_of_the_platform_may_come_by_callback_and_twice() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);
    phone.stand_at("T1").await.expect(200);
    let payment = till.charge("sale-1", &json!({"amount": "12.50", "currency": "EUR"}), 0).await.expect(202);
    phone.confirm(&phone.card().await).await.expect(200);
    let word = json!({"payment": payment["id"]});
    for _ in 0..2 {
        let request = actix_web::test::TestRequest::post().uri("/v1/callbacks/sandbox");
        let request = request.insert_header((crate::world::FORGED_HEADER, "good")).set_json(&word);
        (till.door)(request).await.expect(204);
    }
    let told = till.get(&format!("/v1/payments/{}", payment["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&told["status"], &told["platform_reference"]), (&json!("approved"), &json!("called-back")));
}

#[actix_web::test]
async fn a_silent_platform_is_reversed_and_both_sides_are_told() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);
    phone.stand_at("T1").await.expect(200);
    let sale = json!({"amount": "12.50", "currency": "EUR", "answer_within_seconds": 20});
    let payment = till.charge("sale-1", &sale, 0).await.expect(202);
    let confirmed = phone.confirm(&phone.card().await).await.expect(200);
    let stood = phone.pay(&confirmed, "silent").await.expect(200);
    // The platform's own time is over, the terminal's is not: nobody guesses.
    assert_eq!(stood["status"], "in_doubt", "{stood}");
    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
    let request =
        till.request(actix_web::test::TestRequest::get(), &path).insert_header(("prefer", "wait=60"));
    let told = (till.door)(request).await.expect(200);
    assert_eq!((&told["response_code"], &told["refusal"]["code"]), (&json!("91"), &json!("platform_silent")));
}

#[actix_web::test]
async fn a_decline_is_told_to_the_terminal() {
    tokio::time::pause();
    let house = house();
    let (till, phone) =
        (Till::new(&house, "T1", "key-1").await, Handset::log_in(&house, "15550000001").await);
    phone.stand_at("T1").await.expect(200);
    let payment = till.charge("sale-1", &json!({"amount": "12.50", "currency": "EUR"}), 0).await.expect(202);
    let card = phone.card().await;
    let path = format!("/v1/payments/{}/decline", card["id"].as_str().unwrap());
    let declined = phone.post(&path, &json!({"epoch": card["epoch"]})).await.expect(200);
    assert_eq!(declined["status"], "declined");
    let told = till.get(&format!("/v1/payments/{}", payment["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&told["response_code"], &told["refusal"]["code"]),
        (&json!("05"), &json!("declined_by_payer"))
    );
}
