//! The phones' door: logging in, standing somewhere, confirming by signature, and nobody else's payments.
use crate::visitors::{Handset, Till, ask_for_code, device_key, jwk, phones_door};
use crate::world::{House, house, house_with, settings};
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use std::time::Duration;
use switch::api::{Codes, Settings};

const PAYER: &str = "15550000001";

async fn shown(house: &House) -> (Till, Handset, Value) {
    let (till, phone) = (Till::new(house, "T1", "key-1").await, Handset::log_in(house, PAYER).await);
    phone.stand_at("T1").await.expect(200);
    till.charge("sale-1", &json!({"amount": "12.50", "currency": "EUR"}), 0).await.expect(202);
    let card = phone.card().await;
    (till, phone, card)
}

fn path(card: &Value, what: &str) -> String {
    format!("/v1/payments/{}{what}", card["id"].as_str().unwrap())
}

#[actix_web::test]
async fn a_code_is_shown_only_where_the_operator_says_so() {
    tokio::time::pause();
    let secret = house_with(Settings { codes: Codes::Secret, ..settings() });
    let door = phones_door(&secret).await;
    let body = json!({"subscriber": PAYER});
    let sent = door(TestRequest::post().uri("/v1/login/codes").set_json(&body)).await.expect(202);
    assert_eq!(sent, json!({"expires_in": 300}));
}

#[actix_web::test]
async fn a_wrong_code_is_refused_and_a_right_one_is_good_once() {
    tokio::time::pause();
    let house = house();
    let door = phones_door(&house).await;
    let code = ask_for_code(&door, PAYER).await;
    let log_in = |code: &str| {
        let body =
            json!({"subscriber": format!("+{PAYER}"), "code": code, "device_key": jwk(&device_key("a"))});
        door(TestRequest::post().uri("/v1/login").set_json(&body))
    };
    let wrong = if code == "000000" { "000001" } else { "000000" };
    log_in(wrong).await.expect_problem(403, None);
    let in_ = log_in(&code).await.expect(200);
    assert_eq!(
        (&in_["token_type"], &in_["expires_in"], &in_["payer"]),
        (&json!("Bearer"), &json!(600), &json!(PAYER))
    );
    log_in(&code).await.expect_problem(403, None);
}

#[actix_web::test]
async fn a_token_is_good_until_it_expires_and_only_as_it_was_made() {
    tokio::time::pause();
    let house = house();
    let phone = Handset::log_in(&house, PAYER).await;
    phone.get("/v1/payments").await.expect(200);
    let touched = format!("Bearer {}x", phone.token);
    for forged in ["Bearer", "Bearer x.y.z", "Basic abc", touched.as_str()] {
        let request = TestRequest::get().uri("/v1/payments").insert_header(("authorization", forged));
        let refused = (phone.door)(request).await;
        refused.expect_problem(401, None);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer "));
    }
    tokio::time::sleep(Duration::from_mins(10)).await;
    phone.get("/v1/payments").await.expect_problem(401, None);
}

#[actix_web::test]
async fn one_phone_stands_at_a_terminal_and_the_other_is_told_to_wait() {
    tokio::time::pause();
    let house = house();
    let (first, second) =
        (Handset::log_in(&house, PAYER).await, Handset::log_in(&house, "15550000002").await);
    first.get("/v1/binding").await.expect_problem(404, None);
    let bound = first.stand_at("T1").await.expect(200);
    assert_eq!(first.get("/v1/binding").await.expect(200), bound);
    let refused = second.stand_at("T1").await;
    refused.expect_problem(409, None);
    assert!((1..=120).contains(&refused.header("retry-after").unwrap().parse::<u32>().unwrap()));
    (first.door)(first.request(TestRequest::delete(), "/v1/binding")).await.expect(204);
    first.get("/v1/binding").await.expect_problem(404, None);
    assert_eq!(second.stand_at("T1").await.expect(200)["epoch"], 2);
    second.stand_at("T9").await.expect_problem(404, None);
    second.stand_at("no such terminal").await.expect_problem(400, Some("terminal"));
}

#[actix_web::test]
async fn a_phone_sees_nothing_of_another_payers() {
    tokio::time::pause();
    let house = house();
    let (_, _, card) = shown(&house).await;
    let other = Handset::log_in(&house, "15550000002").await;
    assert_eq!(other.get("/v1/payments").await.expect(200)["payments"], json!([]));
    assert_eq!(other.get("/v1/payments/history").await.expect(200)["payments"], json!([]));
    other.get(&path(&card, "")).await.expect_problem(404, None);
    other.post(&path(&card, "/decline"), &json!({"epoch": card["epoch"]})).await.expect_problem(404, None);
    other.confirm(&card).await.expect_problem(404, None);
    other.present(&path(&card, "/credential?attempt=1"), "a..b.c.d").await.expect_problem(404, None);
}

#[actix_web::test]
async fn only_this_device_confirms_and_only_what_was_shown() {
    tokio::time::pause();
    let house = house();
    let (_, phone, card) = shown(&house).await;
    let path = path(&card, "/confirmation");
    let good = phone.confirmation(&card);

    let mut other_device = good.clone();
    other_device["device_key"] = jwk(&device_key("another"));
    phone.post(&path, &other_device).await.expect_problem(403, None);
    let mut other_amount = good.clone();
    other_amount["amount"] = json!("1.00");
    phone.post(&path, &other_amount).await.expect_problem(403, None);
    let mut short = good.clone();
    short["signature"] = json!("AAAA");
    phone.post(&path, &short).await.expect_problem(400, Some("signature"));
    let mut off_curve = good.clone();
    off_curve["device_key"]["x"] = off_curve["device_key"]["y"].clone();
    phone.post(&path, &off_curve).await.expect_problem(400, Some("device_key"));

    let mut signed_other = card.clone();
    signed_other["amount"] = json!("1.00");
    phone.confirm(&signed_other).await.expect_problem(409, None);
    let mut old_round = card.clone();
    old_round["epoch"] = json!(99);
    phone.confirm(&old_round).await.expect_problem(409, None);

    let first = phone.post(&path, &good).await.expect(200);
    assert_eq!(first["interface"]["attempt"], 1);
    assert_eq!(phone.post(&path, &good).await.expect(200)["interface"], first["interface"]);
}

#[actix_web::test]
async fn a_credential_is_relayed_for_the_permit_that_stands_and_once() {
    tokio::time::pause();
    let house = house();
    let (_, phone, card) = shown(&house).await;
    let credential = |attempt: u8| path(&card, &format!("/credential?attempt={attempt}"));
    phone.present(&credential(1), "a..b.c.d").await.expect_problem(409, None);
    phone.confirm(&card).await.expect(200);
    phone.present(&credential(2), "a..b.c.d").await.expect_problem(409, None);
    phone.present(&credential(0), "a..b.c.d").await.expect_problem(400, Some("attempt"));
    phone.present(&path(&card, "/credential"), "a..b.c.d").await.expect_problem(400, None);
    for unsealed in ["account and password", "a.b.c", "a..b.c.d.e", "a..b.c.", "a..b.c.d=", ""] {
        phone.present(&credential(1), unsealed).await.expect_problem(400, None);
    }
    phone.present(&credential(1), &"a".repeat(8 * 1024 + 1)).await.expect_problem(413, None);
    let plain = phone.request(TestRequest::post(), &credential(1)).set_payload("a..b.c.d");
    (phone.door)(plain).await.expect_problem(415, None);
    assert_eq!(phone.present(&credential(1), "a..right.c.d").await.expect(200)["status"], "approved");
    phone.present(&credential(1), "a..right.c.d").await.expect_problem(409, None);
}

#[actix_web::test]
async fn a_look_is_held_back_until_something_changes_but_not_for_ever() {
    tokio::time::pause();
    let house = house();
    let (_, phone, card) = shown(&house).await;
    let patient = || {
        let request =
            phone.request(TestRequest::get(), &path(&card, "")).insert_header(("prefer", "wait=20"));
        (phone.door)(request)
    };
    let (address, body) = (path(&card, "/decline"), json!({"epoch": card["epoch"]}));
    let decline = phone.post(&address, &body);
    let (looked, declined) = futures_util::future::join(patient(), decline).await;
    assert_eq!(
        (looked.expect(200)["status"].as_str(), declined.expect(200)["status"].as_str()),
        (Some("declined"), Some("declined"))
    );
    assert_eq!(patient().await.expect(200)["status"], "declined");
}

#[actix_web::test]
async fn what_was_paid_is_in_the_history() {
    tokio::time::pause();
    let house = house();
    let (_, phone, card) = shown(&house).await;
    let confirmed = phone.confirm(&card).await.expect(200);
    phone.pay(&confirmed, "right").await.expect(200);
    let history = phone.get("/v1/payments/history?limit=5").await.expect(200);
    let row = &history["payments"][0];
    assert_eq!((&row["id"], &row["status"], row.get("payer")), (&card["id"], &json!("approved"), None));
    for limit in ["0", "101", "-1", "many", "70000"] {
        let refused = phone.get(&format!("/v1/payments/history?limit={limit}")).await;
        assert_eq!(refused.status, 400, "{limit}");
    }
    phone.get("/v1/payments/history?limits=5").await.expect_problem(400, None);
}
