//! The load generator: plays many terminals and phones against a running switch, and says what that cost.
//!
//! `drive` plays and measures, `idle` weighs those who do nothing, `roster` makes the terminals to play with. It is a stranger at the door: it sees what
//! docs/http-api.md promises and nothing of the switch's inside. The order of play is in `pair`, what is counted in
//! `tally`, what is printed in `report`.
mod drive;
mod idle;
mod machine;
mod pair;
mod phone;
mod plan;
mod report;
mod roster;
mod tally;
mod terminal;

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
    /// Makes complete on-site payments over HTTP and prints how many, how fast and how dear.
    Drive(Box<plan::DriveArgs>),
    /// Wakes many terminals' sessions and prints what memory they take while nothing happens.
    Idle(idle::IdleArgs),
    /// Makes terminals: a file for the switch's `terminals_file`, and one with their keys for `drive --roster`.
    Roster(roster::RosterArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
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
fn drive(args: plan::DriveArgs) -> anyhow::Result<ExitCode> {
    let (workers, as_json) = (args.workers, args.json);
    let plan = plan::Plan::new(args)?;
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
