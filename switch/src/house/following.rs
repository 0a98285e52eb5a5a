//! Keeps the read model and the overview up with the journal, off the path of any payment.
use crate::overview::LiveOverview;
use actors::domain::identity::PaymentId;
use actors::domain::journal::{Recorded, Seq, Subject};
use actors::ports::journal::Journal;
use adapters::journal::{FileJournal, Tail, TailFault};
use adapters::read_model::sqlite::{ReadModelFault, SqliteReadModel};
use metrics::{Gauge, gauge};
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
        let mut tail = journal.tail(Seq(model.place().0.saturating_add(1)));
        loop {
            if let Err(what) = step(&journal, &mut tail, &model, &overview, &behind).await {
                tracing::warn!(what, "the read model does not follow; payments are not affected");
                actix_rt::time::sleep(REST).await;
            }
        }
    });
}

async fn step(
    journal: &FileJournal,
    tail: &mut Tail,
    model: &SqliteReadModel,
    overview: &LiveOverview,
    behind: &Gauge,
) -> Result<(), String> {
    let records = match tail.next(BATCH).await {
        Err(TailFault::Dropped { oldest }) => {
            *tail = journal.tail(oldest);
            return Ok(());
        }
        next => next.map_err(|fault| fault.to_string())?,
    };
    let is_caught_up = records.len() < BATCH;
    let taken = model.take_in(records).await.map_err(said)?;
    let relearned = match taken.unknown {
        unknown if unknown.is_empty() => Vec::new(),
        unknown => model.relearn(lives(journal, unknown).await?).await.map_err(said)?.rows,
    };
    taken.rows.iter().chain(&relearned).for_each(|row| overview.take_in(row));
    let left = journal.durable_seq().0.saturating_add(1).saturating_sub(tail.position().0);
    behind.set(u32::try_from(left).map_or(f64::MAX, f64::from));
    if is_caught_up {
        actix_rt::time::sleep(GATHER).await;
    }
    Ok(())
}

async fn lives(
    journal: &FileJournal,
    unknown: Vec<PaymentId>,
) -> Result<Vec<(PaymentId, Vec<Recorded>)>, String> {
    let mut lives = Vec::with_capacity(unknown.len());
    for id in unknown {
        lives.push((id, journal.life(Subject::Payment(id)).await.map_err(|fault| fault.to_string())?));
    }
    Ok(lives)
}

fn said(fault: ReadModelFault) -> String {
    fault.to_string()
}
