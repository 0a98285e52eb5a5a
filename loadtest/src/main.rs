//! The load generator: plays terminals, phones and a platform against a running switch, judges what came of it, and says what it cost.
//!
//! `run` plays a scenario to a verdict, `drive` measures nothing but payments, `idle` weighs those who do nothing, `roster`
//! makes the terminals to play with. It is a stranger at the door: it sees what docs/http-api.md and docs/lines.md promise and
//! nothing of the switch's inside. A run's order: `scenario`, `crew`, `session`, `player`; then `judge` and `verdict`.
mod addresses;
mod arrivals;
mod books;
mod chance;
mod concentrator;
mod control;
mod counter;
mod crew;
mod customers;
mod drive;
mod figure;
mod html;
mod idle;
mod judge;
mod latency;
mod ledger;
mod line;
mod machine;
mod mix;
mod payers;
mod peak;
mod phone;
mod platform;
mod player;
mod roster;
mod run;
mod scenario;
mod session;
mod stage;
mod tally;
mod targets;
mod threshold;
mod timeline;
mod verdict;
mod words;
mod wrong;

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "loadtest", about = "Plays terminals and phones against a running switch", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a scenario, judges it, and prints the verdict: exit code 0 passed, 1 failed, 2 not begun, 3 void.
    Run(Box<run::RunArgs>),
    /// Makes complete on-site payments over HTTP and prints how many, how fast and how dear.
    Drive(Box<drive::plan::DriveArgs>),
    /// Wakes many terminals' sessions and prints what memory they take while nothing happens.
    Idle(idle::IdleArgs),
    /// Makes terminals: a file for the switch's `terminals_file`, and one with their keys for `run` and `drive`.
    Roster(roster::RosterArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(*args),
        Command::Drive(args) => drive(*args),
        Command::Idle(args) => idle(args),
        Command::Roster(args) => roster::make(&args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("loadtest: {error:#}");
        ExitCode::from(2)
    })
}

fn idle(args: idle::IdleArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(idle::idle(args)).map(|()| ExitCode::SUCCESS)
}

/// Exit code 1 if not a single payment came through: figures of nothing must not pass for figures.
fn drive(args: drive::plan::DriveArgs) -> anyhow::Result<ExitCode> {
    let (workers, as_json) = (args.workers, args.json);
    let plan = drive::plan::Plan::new(args)?;
    machine::allow_connections(plan.connections_max());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.get())
        .enable_all()
        .build()
        .context("the runtime does not start")?;
    let report = runtime.block_on(drive::drive(plan))?;
    if as_json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.payments > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
