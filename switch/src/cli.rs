//! The command line: one subcommand per thing that somebody wants to do, each in a file of its own.
mod iso;
mod journal;
mod phone;
mod sandbox;
mod serve;
mod terminal;
mod trace;

use crate::demo::{self, DemoArgs};
use crate::telemetry::{self, LogForm};
use crate::{config::Config, hygiene};
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::players::Surroundings;
use anyhow::Context;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// A transaction switch: phones, terminals and payment platforms meet in it, and no payment is lost.
#[derive(Parser, Debug)]
#[command(name = "turnout", version, about, propagate_version = true)]
pub struct Turnout {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Everything in one process: plays the story, prints the addresses, stays up
    Demo(DemoArgs),
    /// The switch in production
    Serve {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Says what is wrong with a configuration, with the keys, or prints the schema
    CheckConfig {
        /// The configuration
        #[arg(required_unless_present = "schema")]
        file: Option<PathBuf>,
        /// Print the JSON Schema of the configuration
        #[arg(long)]
        schema: bool,
    },
    /// The sandbox platform by itself
    Sandbox(sandbox::SandboxArgs),
    /// Plays a payer's phone
    Phone(phone::PhoneArgs),
    /// Plays a terminal
    Terminal(terminal::TerminalArgs),
    /// Reads and writes ISO 8583 messages
    Iso(iso::IsoArgs),
    /// Why a payment went the way it went, one line per step
    Trace(trace::TraceArgs),
    /// Looks at a journal
    Journal(journal::JournalArgs),
}

impl Turnout {
    /// Does what was asked for.
    pub async fn run(self) -> anyhow::Result<()> {
        telemetry::install_log(match &self.command {
            Command::Serve { .. } | Command::Sandbox(_) => LogForm::Json,
            _ => LogForm::Quiet,
        });
        telemetry::install_panic_hook();
        match self.command {
            Command::Demo(args) => demo::run(args).await,
            Command::Serve { config } => serve::run(&config).await,
            Command::CheckConfig { file, schema } => check_config(file, schema),
            Command::Sandbox(args) => sandbox::run(args).await,
            Command::Phone(args) => phone::run(args).await,
            Command::Terminal(args) => terminal::run(args).await,
            Command::Iso(args) => iso::run(&args),
            Command::Trace(args) => trace::run(&args),
            Command::Journal(args) => journal::run(args),
        }
    }
}

fn check_config(file: Option<PathBuf>, schema: bool) -> anyhow::Result<()> {
    if schema {
        return say(&format!("{:#}\n", Config::schema()));
    }
    let file = file.context("name the configuration")?;
    let checked = Config::read(&file)?.checked()?;
    let roster = &checked.roster;
    say(&format!(
        "{} is sound: {} platforms, {} merchants, {} terminals, {} lines\n",
        file.display(),
        checked.platforms.len(),
        roster.merchants(),
        roster.terminals(),
        checked.lines.len()
    ))
}

/// Prints on standard output.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// What a player is given of the world.
fn surroundings() -> anyhow::Result<Surroundings> {
    Ok(Surroundings {
        network: Arc::new(TcpNetwork),
        tls: None,
        clock: Arc::new(SteadyClock::starting_now()),
        dice: Arc::new(SystemDice::new()?),
    })
}

/// No secret of a payer's may end in a file of the system's.
fn keep_clean() -> anyhow::Result<()> {
    hygiene::forbid_dumps().context("core dumps could not be forbidden")?;
    let files = hygiene::raise_file_limit().context("the limit on open files could not be raised")?;
    tracing::info!(open_files_max = files, "ready to take connections");
    Ok(())
}
