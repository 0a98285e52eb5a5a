//! `turnout demo`: the switch, a platform, a till and a phone in one process, with a story that shows what it is for.
//!
//! It writes a real configuration, opens the house as `serve` does, and plays the story through the public interfaces
//! only. Each story ends by asking the platform's own books. Only the story of the kill starts a second process,
//! because only another process can be killed. Afterwards it stays up for people with two browsers.
mod cast;
mod stage;
mod stories;

use crate::telemetry;
use anyhow::Context;
use clap::Args;
use serde::Serialize;
use stage::Stage;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// What `turnout demo` may be told.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Play the story, then end; the exit code says whether all ended as they should.
    #[arg(long)]
    once: bool,
    /// One JSON object per story on standard output.
    #[arg(long)]
    json: bool,
    /// Do not play the story: open the doors at once.
    #[arg(long, conflicts_with = "once")]
    quiet: bool,
    /// The phones' port; terminals, operators, the platform and four lines get the next seven. 0 takes free ones.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where the journal goes; a fresh temporary folder otherwise.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// How a story ended.
#[derive(Clone, Debug, Serialize)]
struct Told {
    story: &'static str,
    requirements: &'static [&'static str],
    outcome: String,
    #[serde(skip)]
    as_it_should: bool,
    ms: u64,
}

/// Plays the demo; an error if a story ended as it should not.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let metrics = telemetry::install_metrics().context("metrics")?;
    telemetry::keep_up(metrics.clone());
    let mut stage = Stage::set(&args, metrics).await?;
    let mut failed = Vec::new();
    if !args.json {
        say(&stage.table())?;
    }
    if !args.quiet {
        for story in stories::ALL {
            announce(&args, story.name)?;
            let told = story.tell(&mut stage).await;
            report(&args, &told)?;
            if !told.as_it_should {
                failed.push(told.story);
            }
        }
    }
    if !args.once {
        say("The doors stay open. Stop with Ctrl-C.\n")?;
        tokio::signal::ctrl_c().await?;
        say("\nClosing.\n")?;
    }
    stage.strike().await;
    anyhow::ensure!(failed.is_empty(), "these stories did not end as they should: {}", failed.join(", "));
    Ok(())
}

fn announce(args: &DemoArgs, name: &str) -> io::Result<()> {
    // The line is overwritten by the outcome: only where somebody watches.
    if args.json || !io::stdout().is_terminal() { Ok(()) } else { say(&format!("  …  {name}\r")) }
}

fn report(args: &DemoArgs, told: &Told) -> anyhow::Result<()> {
    if args.json {
        say(&format!("{}\n", serde_json::to_string(told)?))?;
    } else {
        let mark = if told.as_it_should { "ok " } else { "BAD" };
        let needs = told.requirements.join(" ");
        let time = Duration::from_millis(told.ms);
        say(&format!("  {mark} {} ({time:.1?}; {needs})\n        {}\n", told.story, told.outcome))?;
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
