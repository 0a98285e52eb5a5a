//! One figure, closed or open loop: pairs that do nothing but pay, from log-in to report. `run` plays everything else.
pub mod pair;
pub mod plan;
pub mod report;
pub mod tally;
pub mod terminal;

use crate::drive::pair::{Pair, Schedule};
use crate::drive::plan::Plan;
use crate::drive::report::Report;
use crate::drive::tally::{Tally, Window};
use crate::drive::terminal::Terminal;
use crate::machine::Reading;
use crate::mix::PayerKind;
use crate::phone::Payer;
use actors::domain::time::Deadline;
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::players::Surroundings;
use adapters::players::sealing::{RingSealer, Sealer};
use anyhow::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Phones that log in at once.
const ARRIVING_MAX: usize = 64;
/// So long may it take until everybody has arrived.
const ARRIVE_WITHIN: Duration = Duration::from_mins(5);
/// Payments that are not over so long after a terminal would have given up are counted as unfinished.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Plays the plan.
pub async fn drive(plan: Plan) -> anyhow::Result<Report> {
    let (plan, surroundings) = (Arc::new(plan), surroundings()?);
    let clock = Arc::clone(&surroundings.clock);
    let pids: Vec<u32> = std::iter::once(std::process::id()).chain(plan.pids.iter().copied()).collect();
    let arriving = tokio::time::timeout(ARRIVE_WITHIN, arrive(&plan, &surroundings)).await;
    let pairs = arriving.context("not everybody could log in within five minutes")??;

    let start = clock.now().plus(plan.warm_up);
    let window = Window { start, end: start.plus(plan.measured) };
    let tally = Arc::new(Tally::new(window)?);
    let mut playing = JoinSet::new();
    for pair in pairs {
        let schedule = Schedule::new(&plan, &*clock, Arc::clone(&surroundings.dice));
        playing.spawn(pair.play(schedule, Arc::clone(&tally)));
    }
    tokio::time::sleep(start.since(clock.now())).await;
    let before = Reading::take(&pids);
    tokio::time::sleep(window.end.since(clock.now())).await;
    let after = Reading::take(&pids);
    let usage = before.until(&after, &pids, tally.payments());
    let unfinished =
        finish(playing, Deadline::after(clock.now(), plan.answer_within + FINISH_WITHIN), &surroundings)
            .await;
    Ok(tally.read(|counts| Report::new(&plan, counts, usage, unfinished)))
}

fn surroundings() -> anyhow::Result<Surroundings> {
    let (clock, dice) = (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new()?));
    Ok(Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice })
}

/// Logs every phone in, a few at a time, and fails if one of them can't.
async fn arrive(plan: &Arc<Plan>, surroundings: &Surroundings) -> anyhow::Result<Vec<Pair>> {
    let sealer: Arc<dyn Sealer> = Arc::new(RingSealer::new(Arc::clone(&surroundings.dice)));
    let doors = Arc::new(Semaphore::new(ARRIVING_MAX));
    let mut arriving = JoinSet::new();
    for (number, known) in plan.pairs.iter().enumerate() {
        let (plan, doors, sealer) = (Arc::clone(plan), Arc::clone(&doors), Arc::clone(&sealer));
        let (surroundings, known) = (surroundings.clone(), known.clone());
        arriving.spawn(async move {
            let _place = doors.acquire().await?;
            let terminal = Terminal::new(&plan, &known, surroundings.clone())?;
            let payer = Payer::arrive(
                plan.payers.identity(number, PayerKind::Plain, &plan.phones),
                surroundings.clone(),
                sealer,
            )
            .await;
            let payer = payer.with_context(|| format!("phone {number} cannot log in at {}", plan.phones))?;
            anyhow::Ok(Pair { payer, terminal, surroundings })
        });
    }
    let mut pairs = Vec::with_capacity(plan.pairs.len());
    while let Some(arrived) = arriving.join_next().await {
        pairs.push(arrived??);
    }
    Ok(pairs)
}

/// Lets the payments under way end; how many pairs had not by `by`, or died.
async fn finish(mut playing: JoinSet<()>, by: Deadline, surroundings: &Surroundings) -> u64 {
    let mut unfinished = 0u64;
    loop {
        let left = by.left(surroundings.clock.now());
        match tokio::time::timeout(left, playing.join_next()).await {
            Ok(Some(Ok(()))) => {}
            Ok(Some(Err(_))) => unfinished = unfinished.saturating_add(1),
            Ok(None) => return unfinished,
            Err(_) => return unfinished.saturating_add(u64::try_from(playing.len()).unwrap_or(u64::MAX)),
        }
    }
}
