//! The read model: what people find is what the journal says, however often it is deleted, stopped or damaged.
use actors::domain::journal::{Entry, Recorded, Seq};
use actors::domain::payment::command::Fact;
use actors::domain::payment::phase::RefundState;
use actors::domain::payment::status::Status;
use actors::domain::response_code::Refusal;
use actors::ports::contract::samples;
use actors::ports::history::{History, PastPayment, Wanted};
use adapters::read_model::sqlite::SqliteReadModel;
use adapters::read_model::{Change, Projection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

async fn found(model: &SqliteReadModel, wanted: Wanted) -> Vec<PastPayment> {
    model.search(wanted).await.unwrap()
}

#[tokio::test]
async fn a_paid_payment_is_found_by_terminal_by_payer_and_by_status() {
    let (_folder, file) = fresh();
    let model = SqliteReadModel::open(&file).unwrap();
    model.take_in(recorded(1, samples::paid_life(1, 1))).await.unwrap();
    model.take_in(recorded(7, samples::open_life(2, 1))).await.unwrap();
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
    SqliteReadModel::open(&file).unwrap().take_in(life.clone()).await.unwrap();
    let model = reopened(&file).await;
    assert_eq!(model.place(), Seq(6));
    let refund = recorded(7, vec![samples::refund_owed(1, 1)]);
    let taken = model.take_in(refund.clone()).await.unwrap();
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
    model.take_in(recorded(1, entries)).await.unwrap();
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
    model.take_in(recorded(1, samples::paid_life(1, 1))).await.unwrap();
    assert_eq!(found(&model, ANYTHING).await.len(), 1);
}

#[tokio::test]
async fn taken_in_at_once_or_one_by_one_it_says_the_same() {
    let (_first, at_once) = fresh();
    let (_second, one_by_one) = fresh();
    let life: Vec<Entry> = samples::paid_life(1, 1).into_iter().chain([samples::refund_owed(1, 1)]).collect();
    let whole = SqliteReadModel::open(&at_once).unwrap();
    whole.take_in(recorded(1, life.clone())).await.unwrap();
    let parts = SqliteReadModel::open(&one_by_one).unwrap();
    for record in recorded(1, life) {
        parts.take_in(vec![record]).await.unwrap();
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
    assert!(matches!(projection.take_in(&refunded(10_000)), Change::Row(_)));
}

#[tokio::test]
async fn more_questions_than_can_wait_for_the_read_model_are_refused_and_the_rest_answered() {
    let (_folder, file) = fresh();
    let model = Arc::new(SqliteReadModel::open(&file).unwrap());
    let lives = (0..2_000).flat_map(|number| samples::paid_life(1, number)).collect();
    let (busy, long) = (Arc::clone(&model), recorded(1, lives));
    let work = tokio::spawn(async move { busy.take_in(long).await });
    tokio::task::yield_now().await;
    let asked: Vec<_> = (0..600).map(|_| model.search(Wanted { most: 1, ..ANYTHING })).collect();
    let mut refused = 0;
    for answer in asked {
        refused += usize::from(answer.await.is_err());
    }
    assert!((1..=600 - 255).contains(&refused), "{refused} of 600 were refused");
    work.await.unwrap().unwrap();
}
