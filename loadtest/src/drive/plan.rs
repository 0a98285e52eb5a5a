//! What a run is to do: the command line, checked once, so that nothing later has to doubt it.
//!
//! Loads go to this machine unless somebody says `--anywhere`: a mistyped address must not become an attack.
use crate::payers::Payers;
use crate::roster::{self, KnownTerminal};
use actors::domain::money::Money;
use adapters::players::connection::Address;
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The longest run, warm-up included: a forgotten one ends.
const SECONDS_MAX: u64 = 24 * 3_600;
/// More pairs than this need more than one process.
const PAIRS_MAX: usize = 20_000;

/// The command line of `drive`.
#[derive(Args)]
pub struct DriveArgs {
    /// The phones' listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    phones: Address,
    /// The terminals' listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    terminals: Address,
    /// Phones, each with a terminal of its own.
    #[arg(long, default_value = "64")]
    pairs: NonZeroUsize,
    /// Seconds that are measured.
    #[arg(long, default_value = "10")]
    seconds: u64,
    /// Seconds of play before that.
    #[arg(long, default_value = "2")]
    warm_up: u64,
    /// Open loop: payments a second over all pairs, at random moments, timed from when they should have begun. Without
    /// it each pair begins its next payment when the last one is over.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<NonZeroU32>,
    /// The terminals' keys, as `loadtest roster` made them.
    #[arg(long, value_name = "FILE")]
    roster: PathBuf,
    /// What each payment costs.
    #[arg(long, default_value = "12.50")]
    amount: String,
    /// ISO 4217.
    #[arg(long, default_value = "EUR")]
    currency: String,
    #[command(flatten)]
    payers: Payers,
    /// Seconds in which a terminal wants its answer.
    #[arg(long, default_value = "30")]
    answer_within: u64,
    /// A process whose CPU is counted too, the switch for example; may be repeated.
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Threads of this process.
    #[arg(long, default_value = "1")]
    pub workers: NonZeroUsize,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Allows addresses that are not this machine's.
    #[arg(long)]
    anywhere: bool,
}

/// When payments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The next one when the last one is over.
    Closed,
    /// At random moments, so many a second over all pairs.
    Open(NonZeroU32),
}

/// A run that makes sense.
pub struct Plan {
    pub phones: Address,
    pub terminals: Address,
    pub pairs: Vec<KnownTerminal>,
    pub measured: Duration,
    pub warm_up: Duration,
    pub pace: Pace,
    pub money: Money,
    pub payers: Payers,
    pub answer_within: Duration,
    pub pids: Vec<u32>,
}

impl Plan {
    pub fn new(args: DriveArgs) -> anyhow::Result<Self> {
        for address in [&args.phones, &args.terminals] {
            ensure!(
                args.anywhere || address.is_loopback(),
                "{address} is not this machine: a load goes to a loopback address unless --anywhere says otherwise"
            );
        }
        if args.seconds == 0 || args.seconds.saturating_add(args.warm_up) > SECONDS_MAX {
            bail!("--seconds must be 1 to {SECONDS_MAX}, --warm-up included");
        }
        ensure!((5..=300).contains(&args.answer_within), "--answer-within must be 5 to 300");
        ensure!(args.pairs.get() <= PAIRS_MAX, "--pairs must be 1 to {PAIRS_MAX}");
        let mut pairs = roster::read(&args.roster)?;
        ensure!(
            pairs.len() >= args.pairs.get(),
            "{} has {} terminals; --pairs {} needs more: make them with `loadtest roster`",
            args.roster.display(),
            pairs.len(),
            args.pairs
        );
        pairs.truncate(args.pairs.get());
        Ok(Self {
            phones: args.phones,
            terminals: args.terminals,
            pairs,
            measured: Duration::from_secs(args.seconds),
            warm_up: Duration::from_secs(args.warm_up),
            pace: args.rate.map_or(Pace::Closed, Pace::Open),
            money: Money::parse_payable(&args.amount, &args.currency).context("--amount, --currency")?,
            payers: args.payers,
            answer_within: Duration::from_secs(args.answer_within),
            pids: args.pids,
        })
    }

    /// Three connections a pair (terminal, phone, the phone's events), and a few for the rest of the process.
    pub fn connections_max(&self) -> u64 {
        u64::try_from(self.pairs.len()).unwrap_or(u64::MAX).saturating_mul(3).saturating_add(64)
    }
}
