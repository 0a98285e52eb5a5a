//! What a terminal costs the switch while nothing happens: many of them ask one thing, and the switch's memory is read.
//!
//! Each terminal looks once who stands there, which wakes its session. Some keep their connections; of the others only
//! the session stays, until the switch lets it sleep. Memory is the resident set that /proc tells. The first half of the
//! terminals asks before it is read, so that what a start left free is used up; their entries in the switch's roster
//! are in it from the beginning, and are not counted.
use crate::machine;
use crate::roster;
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::players::Surroundings;
use adapters::players::connection::Address;
use adapters::players::till::Till;
use anyhow::{Context, ensure};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Terminals that ask at once.
const ASKING_MAX: usize = 32;

/// The command line of `idle`.
#[derive(Args)]
pub struct IdleArgs {
    /// The terminals' listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    terminals: Address,
    /// The terminals' keys, as `loadtest roster` made them: all of them ask.
    #[arg(long, value_name = "FILE")]
    roster: PathBuf,
    /// The switch's process.
    #[arg(long, value_name = "PID")]
    pid: u32,
    /// So many terminals keep their connections open until the end.
    #[arg(long, default_value = "0")]
    hold: usize,
}

/// Wakes every terminal's session, and prints what that takes.
pub async fn idle(args: IdleArgs) -> anyhow::Result<()> {
    ensure!(args.terminals.is_loopback(), "--terminals must be this machine: its memory is read from /proc");
    let known = roster::read(&args.roster)?;
    let (clock, dice) = (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new()?));
    let surroundings = Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice };
    machine::allow_connections(u64::try_from(args.hold)?.saturating_add(64));
    let tills = known
        .iter()
        .map(|known| Ok(Till::new(surroundings.clone(), args.terminals.clone(), known.id, &known.key)?));
    let tills: Vec<Till> = tills.collect::<anyhow::Result<_>>()?;
    let mut first = tills;
    let holders = first.split_off(first.len().saturating_sub(args.hold));
    let second = first.split_off(first.len() / 2);

    ask_all(first, Keep::Nothing).await?;
    let (asked, before) = (second.len(), memory(args.pid)?);
    ask_all(second, Keep::Nothing).await?;
    let after = memory(args.pid)?;
    tell("sessions without connections", asked, before, after);
    if !holders.is_empty() {
        let held = ask_all(holders, Keep::Connections).await?;
        tell("sessions with a connection each", held.len(), after, memory(args.pid)?);
    }
    Ok(())
}

/// What is left of those who have asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    Connections,
}

async fn ask_all(tills: Vec<Till>, keep: Keep) -> anyhow::Result<Vec<Till>> {
    let (mut asking, mut kept) = (JoinSet::new(), Vec::new());
    let mut left = tills.into_iter();
    loop {
        while asking.len() < ASKING_MAX
            && let Some(mut till) = left.next()
        {
            asking.spawn(async move { till.describe().await.map(|_| till) });
        }
        let Some(asked) = asking.join_next().await else { return Ok(kept) };
        let till = asked?.context("a terminal got no answer")?;
        if keep == Keep::Connections {
            kept.push(till);
        }
    }
}

/// The resident set in bytes.
fn memory(pid: u32) -> anyhow::Result<u64> {
    let kib = machine::memory_kib(pid).with_context(|| format!("--pid {pid}: there is no such process"))?;
    Ok(kib.saturating_mul(1_024))
}

fn tell(what: &str, terminals: usize, before: u64, after: u64) {
    let more = after.saturating_sub(before);
    let each = more.checked_div(u64::try_from(terminals).unwrap_or(u64::MAX)).unwrap_or(0);
    println!("{what:32} {terminals:>9}  {:>6} KiB more, {each} bytes each", more / 1_024);
}
