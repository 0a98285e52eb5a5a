//! A terminal learns what came of its sale, or takes it back.
use super::stub::{Heard, Stub, Turn};
use actors::domain::identity::{RefundId, TerminalId};
use actors::domain::money::Money;
use adapters::players::PlayFault;
use adapters::players::till::{Order, Sale, Till};
use std::sync::Arc;
use std::time::Duration;

fn till(stub: &Arc<Stub>) -> Till {
    let address = "http://127.0.0.1:8081".parse().unwrap();
    Till::new(stub.surroundings(), address, TerminalId::new("T1").unwrap(), "secret").unwrap()
}

fn order(till: &Till) -> Order {
    let money = Money::parse("12.50", "EUR").unwrap();
    Order::new(till.surroundings(), money, Duration::from_secs(30)).unwrap()
}

fn approved() -> Turn {
    Turn::Json(201, r#"{"id":"pay_1","status":"approved","platform_reference":"R1","new_field":1}"#.into())
}

fn status(status: &str) -> Turn {
    Turn::Json(200, format!(r#"{{"id":"pay_1","status":"{status}","response_code":"55"}}"#))
}

fn paid() -> Sale {
    Sale::Approved { id: "pay_1".into(), reference: Some("R1".into()) }
}

fn is_order(heard: &Heard) -> bool {
    heard.line == "POST /v1/payments"
}

/// A stub that takes these turns, whatever it is asked.
fn in_turn(turns: Vec<Turn>) -> Arc<Stub> {
    let mut turns = turns.into_iter();
    Stub::new(move |_| turns.next().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_sale_goes_out_as_the_contract_says() {
    let stub = in_turn(vec![approved()]);
    let mut till = till(&stub);
    let order = order(&till);
    assert_eq!(till.sell(&order).await.unwrap(), paid());
    let heard = &stub.heard()[0];
    assert_eq!((heard.line.as_str(), heard.host.as_str()), ("POST /v1/payments", "127.0.0.1:8081"));
    assert_eq!(heard.header("authorization"), Some("Basic VDE6c2VjcmV0"));
    assert_eq!(heard.header("idempotency-key"), Some(order.key.as_str()));
    assert_eq!(heard.header("prefer"), Some("wait=32"));
    assert_eq!(
        heard.json(),
        serde_json::json!({"amount": "12.50", "currency": "EUR", "answer_within_seconds": 30})
    );
}

#[tokio::test(start_paused = true)]
async fn a_till_whose_line_breaks_repeats_with_the_same_key_and_learns_what_happened() {
    let busy = Turn::Json(503, r#"{"title":"busy","status":503}"#.into());
    let stub = in_turn(vec![Turn::Break, Turn::BreakInBody, busy, approved()]);
    let mut till = till(&stub);
    let order = order(&till);
    assert_eq!(till.sell(&order).await.unwrap(), paid());
    let heard = stub.heard();
    assert_eq!(heard.len(), 4);
    assert!(heard.iter().all(|heard| heard.header("idempotency-key") == Some(order.key.as_str())));
    assert_eq!(till.repeats(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_till_that_never_learns_takes_back_by_key_until_that_is_acknowledged() {
    let mut reversals = 0;
    let stub = Stub::new(move |heard| {
        if is_order(heard) {
            return Turn::Break;
        }
        reversals += 1;
        match reversals {
            1 => Turn::Break,
            2 => Turn::Json(500, "not even a problem".into()),
            3 => Turn::Silence,
            _ => status("reversing"),
        }
    });
    let mut till = till(&stub);
    let order = order(&till);
    assert_eq!(till.sell(&order).await.unwrap(), Sale::Reversed);
    let heard = stub.heard();
    let reversals: Vec<_> = heard.iter().filter(|heard| heard.line == "POST /v1/reversals").collect();
    assert_eq!(reversals.len(), 4);
    assert!(reversals.iter().all(|heard| heard.json()["idempotency_key"] == order.key.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_switch_costs_a_till_its_patience_and_no_more() {
    let stub = Stub::new(|heard| if is_order(heard) { Turn::Silence } else { status("reversed") });
    let (mut till, start) = (till(&stub), tokio::time::Instant::now());
    let order = order(&till);
    assert_eq!(till.sell(&order).await.unwrap(), Sale::Reversed);
    assert_eq!(start.elapsed().as_secs(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_sale_that_takes_long_is_looked_at_until_it_is_decided() {
    let pending = Turn::Json(202, r#"{"id":"pay_1","status":"awaiting_phone"}"#.into());
    let unheard_of = Turn::Json(200, r#"{"id":"pay_1","status":"awaiting_something_new"}"#.into());
    let stub = in_turn(vec![pending, unheard_of, status("declined")]);
    let mut till = till(&stub);
    let order = order(&till);
    assert_eq!(till.sell(&order).await.unwrap(), Sale::Declined { code: "55".into() });
    assert_eq!(stub.lines()[1..], ["GET /v1/payments/pay_1", "GET /v1/payments/pay_1"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_order_is_not_taken_back_because_nothing_was_placed() {
    let problem = r#"{"type":"t","title":"Unprocessable","status":422,"detail":"too much","field":"amount"}"#;
    let stub = in_turn(vec![Turn::Json(422, problem.into())]);
    let mut till = till(&stub);
    let order = order(&till);
    let Err(PlayFault::Refused(problem)) = till.sell(&order).await else { panic!("not refused") };
    assert_eq!((problem.status, problem.field.as_deref()), (422, Some("amount")));
    assert_eq!(problem.to_string(), "422 Unprocessable: too much");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lost_answer_proves_nothing_and_is_taken_back() {
    let forbidden = Turn::Json(403, r#"{"title":"Forbidden","status":403}"#.into());
    let stub = in_turn(vec![Turn::Break, forbidden, status("reversed")]);
    let mut till = till(&stub);
    let order = order(&till);
    assert_eq!(till.sell(&order).await.unwrap(), Sale::Reversed);
    assert_eq!(stub.lines()[2], "POST /v1/reversals");
}

#[tokio::test(start_paused = true)]
async fn a_reversal_answered_with_approved_is_a_bug_and_not_an_acknowledgement() {
    let stub = in_turn(vec![approved()]);
    let mut till = till(&stub);
    let order = order(&till);
    assert!(matches!(till.take_back(&order.key).await, Err(PlayFault::OffContract(_))));
}

#[tokio::test(start_paused = true)]
async fn refunds_and_the_terminals_own_state_follow_the_contract() {
    let refunds = r#"{"id":"pay_1","status":"approved","refunds":[{"id":"r1","amount":"2.00","currency":"EUR","state":"owed"}]}"#;
    let terminal =
        r#"{"terminal":"T1","merchant":"M1","merchant_name":"Shop","binding":{"bound":true,"epoch":3}}"#;
    let stub = in_turn(vec![
        Turn::Json(202, refunds.into()),
        Turn::Json(200, terminal.into()),
        Turn::Json(204, String::new()),
    ]);
    let mut till = till(&stub);
    let money = Money::parse("2.00", "EUR").unwrap();
    let seen = till.refund("pay_1", &RefundId::new("r1").unwrap(), money).await.unwrap();
    assert_eq!(seen.refunds[0].state, "owed");
    let described = till.describe().await.unwrap();
    assert_eq!((described.binding.bound, described.binding.epoch), (true, 3));
    till.clear().await.unwrap();
    let heard = stub.heard();
    assert_eq!(heard[0].header("idempotency-key"), Some("r1"));
    assert_eq!(heard[0].json(), serde_json::json!({"amount": "2.00", "currency": "EUR"}));
    assert_eq!(stub.lines()[1..], ["GET /v1/terminal", "DELETE /v1/terminal/binding"]);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_players_share_a_few_threads() {
    let stub = in_turn(vec![approved()]);
    let mut till = till(&stub);
    let order = order(&till);
    // A spawned task must be able to change threads: this compiles only if it can.
    let sale = tokio::spawn(async move { till.sell(&order).await });
    assert_eq!(sale.await.unwrap().unwrap(), paid());
}
