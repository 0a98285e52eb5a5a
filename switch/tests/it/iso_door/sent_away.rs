//! What a terminal on a line is told while new payments are sent away, and what that is worth afterwards.
use super::{DATA, Pos, SALE, sale_but, stage};
use crate::overload::{calm, press};
use actors::gate::HOLD_BACK;
use futures_util::future::join;
use std::time::Duration;

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
