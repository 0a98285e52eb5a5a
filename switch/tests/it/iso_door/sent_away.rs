//! What a terminal on a line is told while new payments are sent away, and what that is worth afterwards.
use super::proven::mac_rules;
use super::{DATA, Pos, SALE, keys, proof, sale_but, stage};
use crate::overload::{calm, press};
use actors::domain::response_code::ResponseCode;
use actors::gate::HOLD_BACK;
use actors::ports::security_module::MacAlgorithm;
use futures_util::future::join;
use std::time::Duration;
use switch::iso::Peers;
use switch::line::Answering;

#[actix_web::test]
async fn a_sale_that_is_sent_away_is_told_91_after_a_while_and_leaves_nothing_behind() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    press(&house).await;
    let began = tokio::time::Instant::now();
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "91"));
    assert!(began.elapsed() >= HOLD_BACK, "{:?}", began.elapsed());
    assert!(house.journal.records().is_empty());
}

#[actix_web::test]
async fn a_sale_is_sent_away_before_anything_is_done_for_it_and_is_told_what_it_would_be_told_later() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    let sale = pos.written("0200", &SALE);
    assert!(pos.sent_away(&sale).is_none(), "there is no pace");
    press(&house).await;
    let (no, _) = pos.sent_away(&sale).expect("a no");
    let later = pos.door.answer(&pos.line, sale).await;
    assert_eq!((no.reply, no.kind, no.terminal), (later.reply, later.kind, later.terminal));
    assert!(!no.bad && !later.bad);
}

#[actix_web::test]
async fn nobody_but_a_new_sale_of_a_known_terminal_is_sent_away_at_the_threshold() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    phone.stand_at("T1").await.expect(200);
    press(&house).await;
    let kept = [
        ("where something is begun", pos.written("0200", &SALE)),
        ("a reversal", pos.written("0400", &sale_but(&[(11, "000124"), (90, DATA)]))),
        ("a refund", pos.written("0200", &sale_but(&[(3, "200000"), (90, DATA)]))),
        ("an echo", pos.written("0800", &[(7, "1122101530"), (11, "000001"), (41, "T1"), (70, "301")])),
        ("nobody's terminal", pos.written("0200", &sale_but(&[(41, "T9      ")]))),
        ("another merchant's", pos.written("0200", &sale_but(&[(41, "T2      "), (42, "bakery         ")]))),
        ("a sale of nothing", pos.written("0200", &sale_but(&[(41, "T2      "), (4, "000000000000")]))),
        ("what cannot be read", bytes::Bytes::from_static(b"0200")),
    ];
    for (which, message) in kept {
        assert!(pos.sent_away(&message).is_none(), "{which}");
    }
    assert!(pos.sent_away(&pos.written("0200", &sale_but(&[(41, "T2      ")]))).is_some(), "the others are");
}

#[actix_web::test]
async fn whoever_has_to_prove_a_sale_is_not_sent_away_before_that() {
    let (house, phone) = stage().await;
    let proven = proof(&house, keys(), Some(mac_rules(MacAlgorithm::X919)), None);
    let pos = Pos::proven_by(proven, "iso87-ascii", &house, ResponseCode::APPROVED);
    press(&house).await;
    let sale = pos.written("0200", &SALE);
    assert!(pos.sent_away(&sale).is_none());
    assert_eq!(pos.ask_bytes(sale).await.unwrap().code(), ("0210", "63"), "and nobody may do it for him");
    calm(&house).await;
    let paid = Pos::on(&house).sold(&phone, &SALE, "right").await;
    assert_eq!(paid.code(), ("0210", "00"), "its number is as good as new");
}

#[actix_web::test]
async fn a_peer_has_nobody_elses_sale_sent_away() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    let strangers = pos.door.clone().only_for(Peers::new([]));
    press(&house).await;
    let sale = pos.written("0200", &SALE);
    assert!(strangers.turn_away(&pos.line, &sale).is_none());
    assert!(pos.sent_away(&sale).is_some());
}

#[actix_web::test]
async fn a_repeat_that_comes_another_way_is_not_paid_behind_the_terminals_back() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    press(&house).await;
    let told = pos.told("0200", &SALE).await;
    calm(&house).await;
    phone.stand_at("T1").await.expect(200);
    assert_eq!(pos.told("0201", &SALE).await.frame, told.frame);
    assert_eq!(pos.told("0200", &SALE).await.frame, told.frame);
    assert_eq!(pos.sold(&phone, &sale_but(&[(11, "000124")]), "right").await.code(), ("0210", "00"));
}

#[actix_web::test]
async fn a_minute_later_no_repeat_is_under_way_and_the_number_is_as_good_as_new() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    press(&house).await;
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "91"));
    calm(&house).await;
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(pos.sold(&phone, &SALE, "right").await.code(), ("0210", "00"));
}

#[actix_web::test]
async fn the_reversal_of_a_sale_that_was_sent_away_is_remembered() {
    let (house, _phone) = stage().await;
    let pos = Pos::on(&house);
    press(&house).await;
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "91"));
    press(&house).await;
    assert_eq!(pos.told("0400", &sale_but(&[(11, "000124"), (90, DATA)])).await.code(), ("0410", "00"));
    calm(&house).await;
    tokio::time::advance(Duration::from_mins(2)).await;
    assert_eq!(pos.told("0200", &SALE).await.code(), ("0210", "68"));
}

#[actix_web::test]
async fn a_repeat_of_what_is_under_way_is_not_sent_away() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let repeating = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        press(&house).await;
        pos.told("0201", &SALE).await
    };
    let (sold, repeated) = join(pos.sold(&phone, &SALE, "right"), repeating).await;
    assert_eq!(sold.code(), ("0210", "00"));
    assert_eq!(repeated.frame, sold.frame);
}

#[actix_web::test]
async fn a_repeat_of_what_was_decided_long_ago_is_told_that_and_undoes_nothing() {
    let (house, phone) = stage().await;
    let pos = Pos::on(&house);
    let paid = pos.sold(&phone, &SALE, "right").await;
    tokio::time::advance(Duration::from_hours(1)).await;
    press(&house).await;
    assert_eq!(pos.told("0201", &SALE).await.frame, paid.frame);
    press(&house).await;
    assert_eq!(pos.told("0201", &SALE).await.frame, paid.frame, "it stands");
}
