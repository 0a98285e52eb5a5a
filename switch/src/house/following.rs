//! Keeps the read model and the overview up with the journal, off the path of any payment.
use crate::overview::LiveOverview;
use actors::domain::identity::PaymentId;
use actors::domain::journal::{Recorded, Seq, Subject};
use actors::ports::history::PastPayment;
use actors::ports::journal::{Journal, JournalFault};
use adapters::journal::{FileJournal, Tail, TailFault};
use adapters::read_model::sqlite::{ReadModelFault, SqliteReadModel};
use metrics::gauge;
use std::sync::Arc;
use std::time::Duration;

/// How many records are taken in at once.
const BATCH: usize = 1_024;
/// How long to rest after a failure.
const REST: Duration = Duration::from_secs(5);
/// How long to let records gather: searching may lag so far behind.
const GATHER: Duration = Duration::from_millis(250);

/// Follows the journal for as long as the process lives.
pub(super) fn follow(journal: FileJournal, model: Arc<SqliteReadModel>, overview: LiveOverview) {
    actix_rt::spawn(async move {
        let behind = gauge!("turnout_read_model_behind_records");
        let mut tail = behind_its_place(&journal, &model);
        loop {
            match step(&journal, &mut tail, &model).await {
                Ok(step) => {
                    step.rows.iter().for_each(|row| overview.take_in(row));
                    let left = journal.durable_seq().0.saturating_add(1).saturating_sub(tail.position().0);
                    behind.set(u32::try_from(left).map_or(f64::MAX, f64::from));
                    if step.is_caught_up {
                        actix_rt::time::sleep(GATHER).await;
                    }
                }
                Err(what) => {
                    tracing::warn!(what, "the read model does not follow; payments are not affected");
                    actix_rt::time::sleep(REST).await;
                    // What was read and not taken in is read again: totals are counted from it.
                    tail = behind_its_place(&journal, &model);
                }
            }
        }
    });
}

/// What one batch came to.
struct Step {
    rows: Vec<PastPayment>,
    is_caught_up: bool,
}

async fn step(journal: &FileJournal, tail: &mut Tail, model: &SqliteReadModel) -> Result<Step, String> {
    let records = match tail.next(BATCH).await {
        Err(TailFault::Dropped { oldest }) => {
            *tail = journal.tail(oldest);
            return Ok(Step { rows: Vec::new(), is_caught_up: false });
        }
        next => next.map_err(|fault| fault.to_string())?,
    };
    let is_caught_up = records.len() < BATCH;
    let upto = Seq(tail.position().0.saturating_sub(1));
    let taken = model.take_in(records, upto).await.map_err(said)?;
    let mut rows = taken.rows;
    if !taken.unknown.is_empty() {
        rows.extend(model.relearn(lives(journal, taken.unknown).await?).await.map_err(said)?.rows);
    }
    Ok(Step { rows, is_caught_up })
}

fn behind_its_place(journal: &FileJournal, model: &SqliteReadModel) -> Tail {
    journal.tail(Seq(model.place().0.saturating_add(1)))
}

async fn lives(
    journal: &FileJournal,
    unknown: Vec<PaymentId>,
) -> Result<Vec<(PaymentId, Vec<Recorded>)>, String> {
    let mut lives = Vec::with_capacity(unknown.len());
    for id in unknown {
        match journal.life(Subject::Payment(id)).await {
            Ok(life) => lives.push((id, life)),
            // Its row stays as it was; the others are not to wait until somebody has restored the file.
            Err(fault @ JournalFault::Damaged { .. }) => {
                tracing::error!(payment = %id, %fault, "a payment's life cannot be read");
            }
            Err(fault @ JournalFault::Disk(_)) => return Err(fault.to_string()),
        }
    }
    Ok(lives)
}

fn said(fault: ReadModelFault) -> String {
    fault.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::domain::identity::{Keeper, MerchantId, PayerId, PaymentKey, PlatformId, TerminalId};
    use actors::domain::journal::Entry;
    use actors::domain::money::Money;
    use actors::domain::order::{Admission, Order, Terms};
    use actors::domain::payment::command::Fact;
    use actors::domain::payment::phase::{Claim, Deal};
    use actors::domain::payment::status::Status;
    use actors::domain::time::{Deadline, Timestamp};
    use actors::ports::history::History;
    use adapters::clock::SteadyClock;
    use adapters::journal::{Options, start};

    const BEGIN: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);

    /// The first two facts of a payment.
    fn begun() -> (PaymentId, [Entry; 2]) {
        let order = Order {
            keeper: Keeper::Terminal(TerminalId::new("T1").unwrap()),
            key: PaymentKey::new("sale-1").unwrap(),
            merchant: MerchantId::new("corner").unwrap(),
            money: Money::parse("12.50", "EUR").unwrap(),
            reference: None,
            answer_by: Deadline::after(BEGIN, Duration::from_secs(30)),
        };
        let terms = Terms {
            confirm_within: Duration::from_secs(20),
            platform_within: Duration::from_secs(5),
            attempts_max: 3,
            inquire_every: Duration::from_secs(5),
            inquiries_max: 3,
        };
        let platform = PlatformId::new("sandbox").unwrap();
        let admission = Admission { merchant_name: "Corner Shop".into(), platform, terms };
        let (id, claim) = (order.payment(), Claim { payer: PayerId::new("P1").unwrap(), epoch: 1 });
        let opened = Fact::Opened(Box::new(Deal { order, admission }));
        (id, [opened, Fact::PhoneCame(claim)].map(|fact| Entry::Payment(id, fact)))
    }

    #[tokio::test]
    async fn it_has_caught_up_only_when_the_lives_that_it_lacked_were_read_and_reads_again_what_it_missed() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("journal");
        let running = tokio::task::spawn_blocking(move || {
            start(&place, Arc::new(SteadyClock::starting_now()), Options::PRODUCTION).unwrap()
        });
        let running = running.await.unwrap();
        let journal = running.journal.clone();
        let model = SqliteReadModel::open(&folder.path().join("model.sqlite")).unwrap();
        let (id, entries) = begun();
        journal.durable(journal.append(BEGIN, entries.into())).await;
        // As after a restart: the payment's first fact was taken in by the process before.
        let taken = step(&journal, &mut journal.tail(Seq(2)), &model).await.unwrap();
        assert_eq!((taken.rows[0].id, taken.rows[0].status), (id, Status::AwaitingConfirmation));
        assert_eq!(model.caught_up(journal.end()).await, Ok(()));
        let more = Entry::Payment(id, Fact::PhoneLeft);
        journal.durable(journal.append(BEGIN, vec![more])).await;
        journal.tail(Seq(3)).next(BATCH).await.unwrap();
        let mut again = behind_its_place(&journal, &model);
        assert_eq!(again.position(), Seq(3), "read, but not taken in");
        step(&journal, &mut again, &model).await.unwrap();
        assert_eq!((model.place(), journal.end()), (Seq(3), Seq(3)));
        tokio::task::spawn_blocking(move || running.stop()).await.unwrap();
    }
}
