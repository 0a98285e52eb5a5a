//! A terminal's settlement: counted up to now, compared, kept, and said again word for word.
#[path = "../../src/iso/settlement.rs"]
mod settled;

use crate::visitors::{Handset, Till};
use crate::world::{House, house, terminal};
use actors::domain::identity::{PayerId, PaymentId, PaymentKey};
use actors::domain::journal::{Entry, Seq};
use actors::domain::money::{Currency, Money};
use actors::domain::till::booking::name_of_part;
use actors::domain::till::{Count, Counted, Period, Settled, Totals};
use actors::domain::time::Deadline;
use actors::ports::Answer;
use actors::ports::history::{History, HistoryFault, PastPayment, Wanted};
use actors::switchboard::Switchboard;
use serde_json::json;
use settled::{Statement, Uncounted, settled};
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const BY: Duration = Duration::from_secs(5);

fn stated(key: &str, sales: u64) -> Statement {
    Statement {
        terminal: terminal("T1"),
        key: PaymentKey::new(key).unwrap(),
        currency: Currency::of_code("EUR").unwrap(),
        totals: Totals { debits: Count { number: sales, amount: sales * 1_250 }, ..Totals::ZERO },
    }
}

impl House {
    async fn settle(&self, key: &str, sales: u64) -> Result<Settled, Uncounted> {
        self.settle_by(self.history.as_ref(), key, sales).await
    }

    async fn settle_by(&self, history: &dyn History, key: &str, sales: u64) -> Result<Settled, Uncounted> {
        let by = Deadline::after(self.board.now(), BY);
        settled(&self.board, history, &stated(key, sales), by).await
    }

    /// How often the books were written.
    fn books(&self) -> usize {
        self.journal.records().iter().filter(|record| matches!(record.entry, Entry::Till(..))).count()
    }
}

/// A sale at T1, paid; its id.
async fn sold(till: &Till, phone: &Handset, key: &str) -> String {
    phone.stand_at("T1").await.expect(200);
    let body = json!({"amount": "12.50", "currency": "EUR"});
    let id = till.charge(key, &body, 0).await.expect(202)["id"].as_str().unwrap().to_owned();
    let card = phone.get(&format!("/v1/payments/{id}")).await.expect(200);
    let confirmed = phone.confirm(&card).await.expect(200);
    assert_eq!(phone.pay(&confirmed, "right").await.expect(200)["status"], "approved");
    tokio::time::sleep(Duration::from_secs(1)).await;
    id
}

async fn visitors(house: &House) -> (Till, Handset) {
    (Till::new(house, "T1", "key-1").await, Handset::log_in(house, "15550000001").await)
}

#[actix_web::test]
async fn every_sale_is_settled_once_and_a_repeat_is_told_the_same() {
    tokio::time::pause();
    let house = house();
    let (till, phone) = visitors(&house).await;
    sold(&till, &phone, "sale-1").await;
    sold(&till, &phone, "sale-2").await;
    let first = house.settle("day-1", 2).await.unwrap();
    assert!(first.balanced);
    sold(&till, &phone, "sale-3").await;
    assert_eq!(house.settle("day-1", 2).await, Ok(first));
    let second = house.settle("day-2", 2).await.unwrap();
    assert_eq!((second.counted, second.balanced), (stated("-", 1).totals, false));
    assert_eq!(house.books(), 2);
    assert!(matches!(house.settle("day-2", 3).await, Err(Uncounted::SameKeyOtherData(_))));
}

#[actix_web::test]
async fn a_refund_is_settled_beside_the_sales() {
    tokio::time::pause();
    let house = house();
    let (till, phone) = visitors(&house).await;
    let sale = sold(&till, &phone, "sale-1").await;
    let refunded = till.refund(&sale, "back-1", &json!({"amount": "2.50", "currency": "EUR"})).await;
    assert!(refunded.status.is_success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let settled = house.settle("day-1", 1).await.unwrap();
    assert_eq!(settled.counted.credits, Count { number: 1, amount: 250 });
    assert!(!settled.balanced, "the terminal forgot its refund");
}

#[actix_web::test]
async fn what_was_taken_back_in_part_is_settled_as_a_reversal() {
    tokio::time::pause();
    let house = house();
    let (till, phone) = visitors(&house).await;
    let sale = PaymentId::parse(&sold(&till, &phone, "sale-1").await).unwrap();
    let (part, money) = (name_of_part(&PaymentKey::new("part-1").unwrap()), Money::parse("2.50", "EUR"));
    let by = Deadline::after(house.board.now(), BY);
    house.board.refund(terminal("T1"), sale, part.unwrap(), money.unwrap(), by).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let settled = house.settle("day-1", 1).await.unwrap();
    let debit_reversals = Count { number: 1, amount: 250 };
    assert_eq!(settled.counted, Totals { debit_reversals, ..stated("-", 1).totals });
    assert!(!settled.balanced, "the terminal forgot it");
}

/// A read model that never catches up, or has broken down.
struct Late(Option<HistoryFault>);

impl History for Late {
    fn of_payer(&self, _: PayerId, _: u16) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn search(&self, _: Wanted) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn caught_up(&self, _: Seq) -> Answer<Result<(), HistoryFault>> {
        match self.0.clone() {
            Some(fault) => Box::pin(ready(Err(fault))),
            None => Box::pin(pending()),
        }
    }

    fn totals(&self, _: Period) -> Answer<Result<Counted, HistoryFault>> {
        Box::pin(ready(Ok(Counted::ZERO)))
    }
}

#[actix_web::test]
async fn what_cannot_be_counted_now_is_not_settled_and_can_be_repeated() {
    tokio::time::pause();
    let house = house();
    let (till, phone) = visitors(&house).await;
    sold(&till, &phone, "sale-1").await;
    let began = house.board.now();
    assert_eq!(house.settle_by(&Late(None), "day-1", 1).await, Err(Uncounted::Behind));
    assert_eq!(house.board.now().since(began).as_secs(), BY.as_secs(), "no longer than it may");
    let broken = HistoryFault("it broke".to_owned());
    let said = house.settle_by(&Late(Some(broken.clone())), "day-1", 1).await;
    assert_eq!(said, Err(Uncounted::History(broken)));
    assert_eq!(house.books(), 0);
    assert!(house.settle("day-1", 1).await.unwrap().balanced);
}

/// A read model during whose counting somebody else settles for the same terminal, so many times.
struct Crowd {
    board: Switchboard,
    inner: Arc<dyn History>,
    rivals: AtomicU32,
}

impl History for Crowd {
    fn of_payer(&self, payer: PayerId, most: u16) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        self.inner.of_payer(payer, most)
    }

    fn search(&self, wanted: Wanted) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        self.inner.search(wanted)
    }

    fn caught_up(&self, with: Seq) -> Answer<Result<(), HistoryFault>> {
        self.inner.caught_up(with)
    }

    fn totals(&self, period: Period) -> Answer<Result<Counted, HistoryFault>> {
        let counted = self.inner.totals(period);
        let left = self.rivals.load(Ordering::Relaxed);
        if left == 0 {
            return counted;
        }
        self.rivals.store(left - 1, Ordering::Relaxed);
        let (board, inner) = (self.board.clone(), Arc::clone(&self.inner));
        let (by, rival) = (Deadline::after(board.now(), BY), stated(&format!("rival-{left}"), 1));
        // Its actors are on this thread, the answer may be anywhere: it is settled there and told here.
        let (told, heard) = tokio::sync::oneshot::channel();
        actix_rt::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            settled(&board, inner.as_ref(), &rival, by).await.unwrap();
            told.send(()).unwrap();
        });
        Box::pin(async move {
            heard.await.unwrap();
            counted.await
        })
    }
}

#[actix_web::test]
async fn a_sale_is_not_settled_twice_by_two_who_count_at_the_same_time() {
    tokio::time::pause();
    let house = house();
    let (till, phone) = visitors(&house).await;
    sold(&till, &phone, "sale-1").await;
    let crowd = |rivals| Crowd {
        board: house.board.clone(),
        inner: Arc::clone(&house.history),
        rivals: AtomicU32::new(rivals),
    };
    let second = house.settle_by(&crowd(1), "day-1", 0).await.unwrap();
    assert_eq!((second.counted, second.balanced), (Totals::ZERO, true), "the other one had it");
    assert_eq!(house.settle_by(&crowd(9), "day-2", 0).await, Err(Uncounted::Crowded));
}
