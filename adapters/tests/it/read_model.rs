//! The read model: what people find is what the journal says, however often it is deleted, stopped or damaged.
use actors::domain::journal::{Entry, Recorded, Seq};
use actors::domain::money::Currency;
use actors::domain::payment::command::Fact;
use actors::domain::payment::phase::RefundState;
use actors::domain::payment::status::Status;
use actors::domain::response_code::Refusal;
use actors::domain::till::{Count, Period, Totals};
use actors::domain::time::Timestamp;
use actors::ports::contract::{self, samples};
use actors::ports::history::{History, PastPayment, Wanted};
use adapters::read_model::sqlite::{SqliteReadModel, TakenIn};
use adapters::read_model::{Change, Projection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const ANYTHING: Wanted = Wanted { terminal: None, payer: None, status: None, most: 100 };

fn fresh() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("read-model.sqlite");
    (folder, file)
}

/// These entries as the journal would give them, one second apart, from `first` on.
fn recorded(first: u64, entries: Vec<Entry>) -> Vec<Recorded> {
    let records = entries.into_iter().zip(first..);
    records
        .map(|(entry, seq)| Recorded {
            seq: Seq(seq),
            at: samples::BEGIN.plus(Duration::from_secs(seq)),
            entry,
        })
        .collect()
}

/// Takes records in, up to the last of them.
async fn taken_in(model: &SqliteReadModel, records: Vec<Recorded>) -> TakenIn {
    let upto = records.last().unwrap().seq;
    model.take_in(records, upto).await.unwrap()
}

async fn found(model: &SqliteReadModel, wanted: Wanted) -> Vec<PastPayment> {
    model.search(wanted).await.unwrap()
}

#[test]
fn the_read_model_in_sqlite_keeps_the_contract() {
    contract::history::keeps_its_promises(&|| {
        let folder = tempfile::tempdir().unwrap().keep();
        let model = Arc::new(SqliteReadModel::open(&folder.join("read-model.sqlite")).unwrap());
        let (history, next) = (Arc::clone(&model), AtomicU64::new(1));
        let feed = Box::new(move |at, entries: Vec<Entry>| {
            let records: Vec<Recorded> = entries
                .into_iter()
                .map(|entry| Recorded { seq: Seq(next.fetch_add(1, Ordering::Relaxed)), at, entry })
                .collect();
            let upto = records.last().unwrap().seq;
            contract::complete(model.take_in(records, upto)).unwrap();
        });
        contract::history::Fed { history, feed }
    });
}

#[tokio::test]
async fn a_payment_that_is_no_longer_at_hand_is_counted_once_its_life_was_read_and_not_twice() {
    let (_folder, file) = fresh();
    let life = recorded(1, samples::paid_life(1, 1));
    taken_in(&SqliteReadModel::open(&file).unwrap(), life.clone()).await;
    let model = reopened(&file).await;
    let back = recorded(7, vec![samples::taken_back(1, 1)]);
    assert_eq!(taken_in(&model, back.clone()).await.unknown, [samples::payment(1, 1)]);
    let mut caught_up = model.caught_up(Seq(7));
    assert!(contract::is_waiting(&mut caught_up), "it has yet to be counted");
    assert_eq!(model.place(), Seq(6), "and would be asked for again after a crash");
    let whole: Vec<Recorded> = life.into_iter().chain(back).collect();
    model.relearn(vec![(samples::payment(1, 1), whole)]).await.unwrap();
    caught_up.await.unwrap();
    let period = Period {
        terminal: samples::terminal_id(1),
        currency: Currency::of_code("EUR").unwrap(),
        after: Timestamp::from_micros(0),
        upto: samples::BEGIN.plus(Duration::from_secs(7)),
    };
    let one = Count { number: 1, amount: 1_250 };
    let expected = Totals { debits: one, debit_reversals: one, ..Totals::ZERO };
    assert_eq!(model.totals(period).await.unwrap().totals, expected);
}

#[tokio::test]
async fn a_paid_payment_is_found_by_terminal_by_payer_and_by_status() {
    let (_folder, file) = fresh();
    let model = SqliteReadModel::open(&file).unwrap();
    taken_in(&model, recorded(1, samples::paid_life(1, 1))).await;
    taken_in(&model, recorded(7, samples::open_life(2, 1))).await;
    let at_one = found(&model, Wanted { terminal: Some(samples::terminal_id(1)), ..ANYTHING }).await;
    let [paid] = at_one.as_slice() else { panic!("{at_one:?}") };
    assert_eq!((paid.id, paid.status), (samples::payment(1, 1), Status::Approved));
    assert_eq!(paid.money.unwrap().decimal(), "12.50");
    assert_eq!(paid.decided_at.unwrap().since(paid.started_at), Duration::from_secs(5));
    assert_eq!(found(&model, Wanted { status: Some(Status::Approved), ..ANYTHING }).await, at_one);
    assert_eq!(model.of_payer(samples::payer_id(1), 10).await.unwrap(), at_one);
    assert_eq!(found(&model, ANYTHING).await.len(), 2);
    assert_eq!(found(&model, Wanted { most: 1, ..ANYTHING }).await.len(), 1);
}

#[tokio::test]
async fn it_goes_on_where_it_was_and_asks_for_the_lives_that_it_no_longer_holds() {
    let (_folder, file) = fresh();
    let life = recorded(1, samples::paid_life(1, 1));
    taken_in(&SqliteReadModel::open(&file).unwrap(), life.clone()).await;
    let model = reopened(&file).await;
    assert_eq!(model.place(), Seq(6));
    let refund = recorded(7, vec![samples::refund_owed(1, 1)]);
    let taken = taken_in(&model, refund.clone()).await;
    assert_eq!((taken.rows.len(), taken.unknown.as_slice()), (0, [samples::payment(1, 1)].as_slice()));
    let whole: Vec<Recorded> = life.into_iter().chain(refund).collect();
    model.relearn(vec![(samples::payment(1, 1), whole)]).await.unwrap();
    let row = found(&model, ANYTHING).await.remove(0);
    assert_eq!(row.refunds.len(), 1);
    assert_eq!(
        (row.refunds[0].state, row.refunds[0].money.decimal()),
        (RefundState::Owed, "2.50".to_owned())
    );
    assert_eq!(row.decided_at.unwrap().since(row.started_at), Duration::from_secs(5));
}

#[tokio::test]
async fn a_refused_payment_says_why_and_an_unseen_reversal_is_there_too() {
    let (_folder, file) = fresh();
    let model = SqliteReadModel::open(&file).unwrap();
    let order = samples::order(1, 1);
    let unseen = samples::payment(1, 2);
    let entries = vec![
        Entry::Payment(order.payment(), Fact::TurnedAway(Box::new(order.clone()), Refusal::AboveLimit)),
        Entry::Payment(unseen, Fact::ReversedUnseen(order.keeper)),
    ];
    taken_in(&model, recorded(1, entries)).await;
    let rows = found(&model, ANYTHING).await;
    let refused = rows.iter().find(|row| row.id == order.payment()).unwrap();
    assert_eq!((refused.status, refused.refusal), (Status::Declined, Some(Refusal::AboveLimit)));
    let reversed = rows.iter().find(|row| row.id == unseen).unwrap();
    assert_eq!((reversed.status, reversed.money), (Status::Reversed, None));
}

#[tokio::test]
async fn a_file_that_is_no_read_model_is_built_anew() {
    let (_folder, file) = fresh();
    std::fs::write(&file, b"this was never a database, and it is long enough to be looked at").unwrap();
    let model = SqliteReadModel::open(&file).unwrap();
    assert_eq!(model.place(), Seq(0));
    taken_in(&model, recorded(1, samples::paid_life(1, 1))).await;
    assert_eq!(found(&model, ANYTHING).await.len(), 1);
}

#[tokio::test]
async fn a_read_model_of_another_shape_is_built_anew() {
    let (_folder, file) = fresh();
    let old = rusqlite::Connection::open(&file).unwrap();
    old.execute_batch("CREATE TABLE payment (id TEXT); PRAGMA user_version = 1;").unwrap();
    drop(old);
    let model = SqliteReadModel::open(&file).unwrap();
    assert_eq!(model.place(), Seq(0), "from the journal's beginning");
    taken_in(&model, recorded(1, samples::paid_life(1, 1))).await;
    assert_eq!(found(&model, ANYTHING).await.len(), 1);
}

#[tokio::test]
async fn taken_in_at_once_or_one_by_one_it_says_the_same() {
    let (_first, at_once) = fresh();
    let (_second, one_by_one) = fresh();
    let life: Vec<Entry> = samples::paid_life(1, 1).into_iter().chain([samples::refund_owed(1, 1)]).collect();
    let whole = SqliteReadModel::open(&at_once).unwrap();
    taken_in(&whole, recorded(1, life.clone())).await;
    let parts = SqliteReadModel::open(&one_by_one).unwrap();
    for record in recorded(1, life) {
        taken_in(&parts, vec![record]).await;
    }
    assert_eq!(found(&whole, ANYTHING).await, found(&parts, ANYTHING).await);
}

/// The thread of a model that was dropped lets go of the file a moment later.
async fn reopened(file: &Path) -> SqliteReadModel {
    for _ in 0..100 {
        let model = SqliteReadModel::open(file).unwrap();
        if model.place() > Seq(0) {
            return model;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the read model forgot where it was");
}

#[test]
fn a_closed_payment_is_let_go_for_the_ten_thousandth_after_it() {
    let mut projection = Projection::default();
    for number in 0..=10_000 {
        for record in recorded(1, samples::paid_life(1, number)) {
            projection.take_in(&record);
        }
    }
    let refunded = |number| recorded(7, vec![samples::refund_owed(1, number)]).remove(0);
    assert_eq!(projection.take_in(&refunded(0)), Change::Unknown(samples::payment(1, 0)));
    assert!(matches!(projection.take_in(&refunded(10_000)), Change::Row(..)));
}

#[tokio::test]
async fn more_questions_than_can_wait_for_the_read_model_are_refused_and_the_rest_answered() {
    let (_folder, file) = fresh();
    let model = Arc::new(SqliteReadModel::open(&file).unwrap());
    let lives = (0..2_000).flat_map(|number| samples::paid_life(1, number)).collect();
    let (busy, long) = (Arc::clone(&model), recorded(1, lives));
    let work = tokio::spawn(async move { busy.take_in(long, Seq(1)).await });
    tokio::task::yield_now().await;
    let asked: Vec<_> = (0..600).map(|_| model.search(Wanted { most: 1, ..ANYTHING })).collect();
    let mut refused = 0;
    for answer in asked {
        refused += usize::from(answer.await.is_err());
    }
    assert!((1..=600 - 255).contains(&refused), "{refused} of 600 were refused");
    work.await.unwrap().unwrap();
}
