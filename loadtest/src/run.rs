//! `run`: a scenario from its file to its verdict.
//!
//! Everything that can be refused is refused before the first payment: addresses that are not ours, a rate that cannot be
//! played, a crew too small, a target that is not there, accounts that cannot be read.
use crate::addresses::ManyAddresses;
use crate::arrivals::Shape;
use crate::books::{Archives, Before};
use crate::control::{Control, shown_to_the_judge};
use crate::crew::Crew;
use crate::judge::{Findings, judged};
use crate::ledger::{Ledger, Told};
use crate::payers::Payers;
use crate::peak;
use crate::platform::{PlatformArgs, PlayedPlatform};
use crate::player::Hall;
use crate::scenario::{PATIENCE, Scenario};
use crate::session::Session;
use crate::tally::Tally;
use crate::targets::Targets;
use crate::threshold::Threshold;
use crate::verdict::{Judgement, Material, Report, Settings, Verdict};
use crate::{html, machine, roster, words};
use actors::domain::time::Deadline;
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::players::Surroundings;
use adapters::rfc3339;
use anyhow::{Context, ensure};
use clap::Args;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// One thread of this process plays about so many payments a second, if it has a core of its own.
const RATE_PER_WORKER: f64 = 2_500.0;
/// Between two looks at accounts that may still heal.
const HEALS_IN: Duration = Duration::from_secs(1);
/// A run was void: its figures are the generator's own.
const VOID: u8 = 3;

/// The command line of `run`.
#[derive(Args)]
pub struct RunArgs {
    /// What to play (loadtest/scenarios has some); sales at `--rate` if it is not given.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    platform: PlatformArgs,
    /// The terminals' keys, as `loadtest roster` made them.
    #[arg(long, value_name = "FILE")]
    roster: PathBuf,
    /// Payments a second instead of the scenario's: `300` or `300/s`.
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Seconds that are measured, instead of the scenario's.
    #[arg(long)]
    seconds: Option<u64>,
    /// Seconds of play before that, instead of the scenario's.
    #[arg(long)]
    warm_up: Option<u64>,
    /// Phones, each with a terminal, instead of the scenario's, or of as many as the mix needs.
    #[arg(long)]
    pairs: Option<NonZeroUsize>,
    /// Seconds that terminals wait, instead of the scenario's; over a line its own `patience_seconds`.
    #[arg(long)]
    patience: Option<u64>,
    /// The same seed plays the same stories at the same moments.
    #[arg(long)]
    seed: Option<u64>,
    /// What has to be reached, besides the scenario's: `p(99)<50ms`, `bind:p(95)<20ms`, `lost==0`, `rate>=300/s`.
    #[arg(long = "threshold", value_name = "EXPRESSION")]
    thresholds: Vec<Threshold>,
    /// Searches the highest rate that meets the thresholds, in short runs.
    #[arg(long)]
    find_peak: bool,
    /// How long such a run is measured.
    #[arg(long, value_name = "SECONDS", default_value = "8")]
    peak_seconds: u64,
    #[command(flatten)]
    payers: Payers,
    /// A process whose CPU and memory are told too, the switch first; may be repeated.
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Threads of this process.
    #[arg(long, default_value = "1")]
    workers: NonZeroUsize,
    /// So late (p99) may the generator be before the run is void.
    #[arg(long, value_name = "MILLISECONDS", default_value = "50")]
    lag_max: u64,
    /// So long may the switch take, after the last payment, to undo what it owes.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    settle: u64,
    /// Writes the whole report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the whole report as a page with charts.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// No line every second.
    #[arg(long)]
    quiet: bool,
    /// Lets the judge judge doctored accounts: the run has to fail.
    #[arg(long, hide = true)]
    control: Option<Control>,
}

/// Reads the command line, plays, and tells; the exit code is the verdict.
pub fn run(mut args: RunArgs) -> anyhow::Result<ExitCode> {
    let scenario = scenario(&args)?;
    let uses_line = scenario.iso_share > 0.0;
    args.targets.are_ours()?;
    args.targets.line.is_used(uses_line)?;
    args.targets.line.read()?;
    can_be_played(&args, &scenario)?;
    let roster = roster::read(&args.roster)?;
    let platform = platform_played(&args, &scenario, roster.len())?;
    if let Some(platform) = &platform {
        args.targets.platform = Some(platform.address().clone());
    }
    machine::allow_connections(u64::try_from(roster.len().min(20_000))?.saturating_mul(3).saturating_add(64));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.workers.get())
        .enable_all()
        .build()
        .context("the runtime does not start")?;
    let report = runtime.block_on(async {
        args.targets.answer(uses_line).await?;
        played(&args, scenario, roster).await
    })?;
    print!("{}", words::told(&report));
    for (path, text) in [
        (&args.json, serde_json::to_string_pretty(&report).context("--json")),
        (&args.html, Ok(html::page(&report))),
    ] {
        if let Some(path) = path {
            std::fs::write(path, text?).with_context(|| path.display().to_string())?;
        }
    }
    Ok(match report.verdict {
        Verdict::Passed => ExitCode::SUCCESS,
        Verdict::Failed => ExitCode::FAILURE,
        Verdict::Void => ExitCode::from(VOID),
    })
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.strip_suffix("/s").unwrap_or(text).parse::<f64>().ok();
    rate.filter(|rate| *rate >= 0.1 && rate.is_finite())
        .ok_or_else(|| "a rate is 0.1 or more, such as 300/s".to_owned())
}

/// The scenario, with what the command line says instead.
fn scenario(args: &RunArgs) -> anyhow::Result<Scenario> {
    let mut scenario = if let Some(path) = &args.scenario {
        Scenario::read(path)?
    } else {
        ensure!(args.rate.is_some(), "--scenario FILE or --rate PER_SECOND says what to play");
        Scenario::parse("[arrivals]\nshape = \"poisson\"\nrate = 1\n", Path::new("."))?
    };
    if let Some(rate) = args.rate {
        ensure!(!matches!(scenario.shape, Shape::Replay(_)), "--rate: a replay is played as it was");
        scenario.shape = scenario.shape.at_rate(rate);
    }
    if let Some(seconds) = args.seconds {
        ensure!((1..=86_400).contains(&seconds), "--seconds is 1 to 86400");
        scenario.measured = Duration::from_secs(seconds);
    }
    if let Some(patience) = args.patience {
        ensure!(PATIENCE.contains(&patience), "--patience is 5 to 300");
        scenario.patience = Duration::from_secs(patience);
        let suits = scenario.customers.suit(scenario.patience);
        ensure!(
            suits,
            "--patience: the scenario's customers take longer, and two seconds are for the answer"
        );
    }
    scenario.warm_up =
        args.warm_up.map_or(scenario.warm_up, |seconds| Duration::from_secs(seconds.min(3_600)));
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    scenario.pairs = args.pairs.map(NonZeroUsize::get).or(scenario.pairs);
    scenario.thresholds.extend(args.thresholds.iter().cloned());
    scenario.platform = args.platform.planned(scenario.platform, &args.targets)?;
    Ok(scenario)
}

fn platform_played(
    args: &RunArgs,
    scenario: &Scenario,
    pairs: usize,
) -> anyhow::Result<Option<PlayedPlatform>> {
    let Some(plan) = &scenario.platform else { return Ok(None) };
    let (currency, terminals) = (scenario.amounts.least().currency(), &args.targets.terminals);
    PlayedPlatform::open(plan, &args.payers, pairs, currency, terminals).map(Some)
}

/// A rate that this process cannot make is refused, not faked.
fn can_be_played(args: &RunArgs, scenario: &Scenario) -> anyhow::Result<()> {
    let workers = f64::from(u32::try_from(args.workers.get())?);
    let (peak, most) = (scenario.peak(), workers * RATE_PER_WORKER);
    ensure!(
        peak <= most,
        "{peak}/s cannot be generated: {workers} thread(s) play about {most}/s; give --workers, or run more processes"
    );
    let has_platform = args.targets.platform.is_some() || scenario.platform.is_some();
    ensure!(
        scenario.troubles.is_empty() || has_platform,
        "[[trouble]] needs a platform: [platform] or --play-platform to play one, --platform for another"
    );
    let has_objective = scenario.thresholds.iter().any(|threshold| !threshold.figure.is_judged());
    ensure!(
        !args.find_peak || has_objective,
        "--find-peak needs a --threshold to meet, such as 'p(99)<50ms'"
    );
    ensure!((1..=3_600).contains(&args.peak_seconds), "--peak-seconds is 1 to 3600");
    let needs_account = args.control.is_none() || has_platform || args.targets.journal.is_some();
    ensure!(needs_account, "--control needs --platform or --journal");
    Ok(())
}

async fn played(
    args: &RunArgs,
    mut scenario: Scenario,
    roster: Vec<roster::KnownTerminal>,
) -> anyhow::Result<Report> {
    let (clock, dice) = (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new()?));
    let surroundings = Surroundings { network: Arc::new(ManyAddresses::default()), tls: None, clock, dice };
    let archives = Archives {
        surroundings: surroundings.clone(),
        platform: args.targets.platform.clone(),
        journal: args.targets.journal.clone(),
        turnout: args.targets.turnout(),
    };
    let before = archives.before().await?;
    if args.find_peak && scenario.pairs.is_none() {
        scenario.pairs = Some(roster.len().min(2_000));
    }
    let began_at = rfc3339::format(surroundings.clock.now());
    let crew = Crew::arrive(&scenario, &args.targets, &args.payers, roster, &surroundings).await?;
    let settings = settings(&scenario, &crew, &archives, began_at).await;
    let (tally, ledger, clock) = (Tally::new(), Ledger::default(), Arc::clone(&surroundings.clock));
    let (patience, customers) = (scenario.patience, scenario.customers);
    let hall = Hall { tally, ledger, clock, patience, customers };
    let pids: Vec<u32> = std::iter::once(std::process::id()).chain(args.pids.iter().copied()).collect();
    let (shape, lag_max) = (scenario.shape.clone(), Duration::from_millis(args.lag_max));
    let platform = args.targets.platform.clone();
    let session = Session { scenario, crew, hall, surroundings, platform, pids, tells: !args.quiet };
    let session = Arc::new(session);
    for trouble in &session.scenario.troubles {
        session.trouble(&trouble.body).await.context("[[trouble]]")?;
        session.calm().await?;
    }
    let scenario = &session.scenario;
    let (peak, played) = if args.find_peak {
        let each = Duration::from_secs(args.peak_seconds);
        let (peak, played) = peak::find(&session, &shape, &scenario.thresholds, each, lag_max).await?;
        (Some(peak), played)
    } else {
        (None, session.play(&shape, scenario.warm_up, scenario.measured).await?)
    };
    let judgement = judgement(args, &session, &archives, &before).await;
    let thresholds = &scenario.thresholds;
    Ok(Report::new(Material { played, thresholds, judgement, lag_max, peak, settings }))
}

async fn settings(scenario: &Scenario, crew: &Crew, archives: &Archives, began_at: String) -> Settings {
    // The password stays where it came from.
    let secret = |before: &str| before == "--password";
    let mut command_line: Vec<String> = Vec::new();
    for word in std::env::args() {
        let is_secret = command_line.last().is_some_and(|before| secret(before));
        command_line.push(if is_secret || word.starts_with("--password=") { "***".to_owned() } else { word });
    }
    Settings {
        loadtest: env!("CARGO_PKG_VERSION"),
        switch: archives.version().await,
        began_at,
        command_line,
        platform: archives.platform.as_ref().map(|address| match scenario.platform {
            Some(_) => format!("{address}, played here"),
            None => address.to_string(),
        }),
        seed: scenario.seed,
        pairs: crew.pairs,
        scenario: scenario.text.clone(),
        cpus: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    }
}

/// Asks for both accounts until nothing in them can heal any more, or the time for that is over.
async fn judgement(args: &RunArgs, session: &Session, archives: &Archives, before: &Before) -> Judgement {
    if archives.platform.is_none() && archives.journal.is_none() {
        return Judgement::NotAsked;
    }
    match judge(args, session, archives, before).await {
        Ok(judgement) => judgement,
        Err(fault) => Judgement::Failed(format!("{fault:#}")),
    }
}

async fn judge(
    args: &RunArgs,
    session: &Session,
    archives: &Archives,
    before: &Before,
) -> anyhow::Result<Judgement> {
    let mut told: Vec<Told> = session.hall.ledger.take();
    let clock = &session.surroundings.clock;
    let settled = Deadline::after(clock.now(), Duration::from_secs(args.settle));
    let (mut pause, mut accounts) = (HEALS_IN, archives.read().await?);
    let mut findings: Findings = judged(&told, &accounts, before);
    while findings.may_heal() && !settled.is_over(clock.now()) {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(Duration::from_secs(10));
        accounts = archives.read().await?;
        findings = judged(&told, &accounts, before);
    }
    let shown = shown_to_the_judge(&told, &accounts);
    if let Some(control) = args.control {
        control
            .doctor(&mut told, &mut accounts)
            .context("--control: this run has nothing to doctor like that")?;
        findings = judged(&told, &accounts, before);
    }
    Ok(Judgement::Judged(Box::new(findings), Box::new(shown)))
}
