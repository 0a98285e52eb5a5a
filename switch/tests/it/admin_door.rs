//! The operator's door: for this machine alone, or for whoever has the token.
use crate::visitors::{Door, Handset, Heard, Till, admin_door};
use crate::world::{House, house, house_of, house_with, settings};
use actix_web::test::TestRequest;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use switch::api::{AdminAccess, Settings};

const HERE: &str = "127.0.0.1:5000";

async fn ask(door: &Door, from: &str, host: &'static str, path: &str) -> Heard {
    let from: SocketAddr = from.parse().unwrap();
    door(TestRequest::get().uri(path).peer_addr(from).insert_header(("host", host))).await
}

async fn one_paid(house: &House) -> String {
    let (till, phone) = (Till::new(house, "T1", "key-1").await, Handset::log_in(house, "15550000001").await);
    phone.stand_at("T1").await.expect(200);
    till.charge("sale-1", &json!({"amount": "12.50", "currency": "EUR"}), 0).await.expect(202);
    let confirmed = phone.confirm(&phone.card().await).await.expect(200);
    phone.pay(&confirmed, "right").await.expect(200)["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_payments_life_is_told_step_by_step() {
    tokio::time::pause();
    let house = house();
    let id = one_paid(&house).await;
    let door = admin_door(&house).await;
    let trace = ask(&door, HERE, "localhost:9090", &format!("/v1/payments/{id}/trace")).await.expect(200);
    let lanes: Vec<&str> =
        trace["steps"].as_array().unwrap().iter().map(|step| step["lane"].as_str().unwrap()).collect();
    assert_eq!(lanes, ["terminal", "phone", "phone", "platform", "phone", "platform"]);
    assert_eq!(
        (&trace["id"], &trace["status"], &trace["steps"][0]["gap_ms"]),
        (&json!(id), &json!("approved"), &json!(0.0))
    );
    assert!(!trace.to_string().contains("15550000001"));
    ask(&door, HERE, "localhost", "/v1/payments/pay_00000000000000000000000001/trace")
        .await
        .expect_problem(404, None);
}

#[actix_web::test]
async fn payments_are_found_by_what_is_known_of_them() {
    tokio::time::pause();
    let house = house();
    let id = one_paid(&house).await;
    let door = admin_door(&house).await;
    for (query, found) in [
        ("", 1),
        ("?terminal=T1", 1),
        ("?terminal=T2", 0),
        ("?payer=15550000001&status=approved", 1),
        ("?status=declined&limit=5", 0),
    ] {
        let rows = ask(&door, HERE, "127.0.0.1", &format!("/v1/payments{query}")).await.expect(200);
        assert_eq!(rows["payments"].as_array().unwrap().len(), found, "{query}");
    }
    let rows = ask(&door, HERE, "[::1]:9090", "/v1/payments").await.expect(200);
    assert_eq!((&rows["payments"][0]["id"], &rows["payments"][0]["payer"]), (&json!(id), &json!("…001")));
    for (query, field) in
        [("?status=paid", "status"), ("?terminal=no+such", "terminal"), ("?limit=0", "limit")]
    {
        let refused = ask(&door, HERE, "127.0.0.1", &format!("/v1/payments{query}")).await;
        refused.expect_problem(400, Some(field));
    }
}

#[actix_web::test]
async fn health_metrics_overview_and_debts_are_shown() {
    tokio::time::pause();
    let house = house();
    let door = admin_door(&house).await;
    assert_eq!(ask(&door, HERE, "localhost", "/livez").await.bytes, b"live\n");
    assert_eq!(ask(&door, HERE, "localhost", "/readyz").await.bytes, b"ready\n");
    assert_eq!(ask(&door, HERE, "localhost", "/metrics").await.bytes, b"turnout_up 1\n");
    assert_eq!(ask(&door, HERE, "localhost", "/v1/overview").await.expect(200)["outbox"]["owed"], 0);
    assert_eq!(ask(&door, HERE, "localhost", "/v1/outbox").await.expect(200)["items"], json!([]));
}

#[actix_web::test]
async fn lines_and_who_was_heard_on_them_are_shown() {
    tokio::time::pause();
    let house = house();
    let door = admin_door(&house).await;
    let lines = ask(&door, HERE, "localhost", "/v1/lines").await.expect(200);
    let (line, terminals) = (&lines["lines"][0], &lines["terminals"]);
    assert_eq!(
        (&line["name"], &line["framing"], &line["dialect"], &line["connections"]),
        (&json!("shops"), &json!("len2+tpdu"), &json!("iso87-bcd"), &json!(0))
    );
    assert_eq!(terminals, &json!({"online": 0, "seen": 0}));
    for query in ["", "?line=shops&online=true&limit=5", "?terminal=T1&online=false"] {
        let seen = ask(&door, HERE, "localhost", &format!("/v1/terminals{query}")).await.expect(200);
        assert_eq!(seen["terminals"], json!([]), "{query}");
    }
    for (query, field) in [
        ("?terminal=no+such", Some("terminal")),
        ("?line=no+such", Some("line")),
        ("?limit=0", Some("limit")),
        ("?online=2", None),
    ] {
        let refused = ask(&door, HERE, "localhost", &format!("/v1/terminals{query}")).await;
        refused.expect_problem(400, field);
    }
    ask(&door, "192.0.2.1:5000", "localhost", "/v1/lines").await.expect_problem(403, None);
    ask(&door, "192.0.2.1:5000", "localhost", "/v1/terminals").await.expect_problem(403, None);
}

#[actix_web::test]
async fn without_a_token_only_this_machine_may_look() {
    tokio::time::pause();
    let house = house();
    let door = admin_door(&house).await;
    ask(&door, "192.0.2.1:5000", "localhost", "/v1/overview").await.expect_problem(403, None);
    ask(&door, HERE, "rebound.example", "/v1/overview").await.expect_problem(403, None);
    door(TestRequest::get().uri("/metrics")).await.expect_problem(403, None);
    // Whoever keeps the node alive may ask whether it is.
    ask(&door, "192.0.2.1:5000", "node-1:9090", "/readyz").await.expect(200);
}

#[actix_web::test]
async fn with_a_token_the_token_counts_wherever_one_is() {
    tokio::time::pause();
    let house = house_with(Settings { admin: AdminAccess::by_token("open sesame"), ..settings() });
    let door = admin_door(&house).await;
    let with = |token: &str| {
        let header = ("authorization", format!("Bearer {token}"));
        door(TestRequest::get().uri("/v1/overview").insert_header(header))
    };
    with("open sesame").await.expect(200);
    with("sesame").await.expect_problem(401, None);
    ask(&door, HERE, "localhost", "/v1/overview").await.expect_problem(401, None);
}

#[actix_web::test]
async fn a_bug_in_a_door_is_a_problem_and_tells_nothing_of_itself() {
    tokio::time::pause();
    let house = house_of(settings(), Arc::new(|| panic!("secret of the house")));
    let door = admin_door(&house).await;
    for _ in 0..2 {
        let broken = ask(&door, HERE, "localhost", "/metrics").await.expect_problem(500, None);
        assert!(!broken.to_string().contains("secret"));
    }
    ask(&door, HERE, "localhost", "/livez").await.expect(200);
}
