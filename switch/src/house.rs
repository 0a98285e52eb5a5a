//! The composition root: who is there, what they are made of, and in which order they begin and end.
//!
//! Journal first, then the clock (never behind the journal), the platforms, the world, the actors on the web workers'
//! own threads, the doors last. Closing goes the other way: refuse what is new, finish what is begun, hang up, close
//! the journal. Only here are real servers and real arbiters started.
use crate::api::{
    AdminAccess, Codes as ShownCodes, Doors, MetricsText, Ports as DoorPorts, Readiness, Settings, Tokens,
};
use crate::config::{Checked, Codes, InterfaceKind};
use crate::line::Lines;
use crate::overview::LiveOverview;
use crate::telemetry;
use actix_rt::ArbiterHandle;
use actix_web::dev::ServerHandle;
use actors::directory::{Directory, Limits, Place};
use actors::domain::backoff::Backoff;
use actors::domain::time::Timestamp;
use actors::gate::Gate;
use actors::ports::clock::{Clock, Dice};
use actors::ports::history::History;
use actors::supervisor::{Intensity, Supervisor, Watch};
use actors::switchboard::Switchboard;
use actors::world::{Ports, Rooms, World};
use adapters::binding_store::memory::MemoryBindingStore;
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::journal::{self, FileJournal, Options, Recovery, Running};
use adapters::read_model::sqlite::SqliteReadModel;
use anyhow::Context;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

mod door;
mod following;
mod lines;
mod platforms;
mod pulse;
mod tls;

use door::open_doors;

/// How long those who wait are given to get their answers when the house closes.
const CLOSING: Duration = Duration::from_secs(10);
/// What somebody refused at the gate is told to wait.
const GATE_WAIT: Duration = Duration::from_secs(1);

/// An open house.
pub struct House {
    /// Where its doors are.
    pub addresses: Addresses,
    /// And its lines, by name.
    pub line_addresses: Vec<(String, SocketAddr)>,
    /// What the start found in the journal.
    pub recovery: Recovery,
    /// How many keepers had something open.
    pub woken: usize,
    switchboard: Switchboard,
    doors: Arc<Doors>,
    lines: Arc<Lines>,
    journal: Running,
    gate: Gate,
    watch: Watch,
    servers: Vec<ServerHandle>,
    is_ready: Arc<AtomicBool>,
}

/// Where the doors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For phones.
    pub phones: SocketAddr,
    /// For terminals and callbacks.
    pub terminals: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
}

impl House {
    /// Opens the house on the current actix system.
    pub async fn open(mut checked: Checked, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        let node = &checked.config.node;
        let journal = open_journal(&checked).await?;
        let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_at_least(last_instant(&journal)?));
        let dice: Arc<dyn Dice> = Arc::new(SystemDice::new()?);
        let read_model = SqliteReadModel::open(&node.read_model).context("node.read_model")?;
        let read_model = Arc::new(read_model);
        let bindings = bindings(&checked);
        let world = Arc::new(world(&checked, &journal.journal, &bindings, &clock, &dice)?);
        let gate = Gate::new(checked.config.limits.inside_max, GATE_WAIT);
        let rooms = rooms(&checked, &gate, &clock);
        world.furnish(rooms.clone());
        let switchboard = Switchboard::new(Arc::clone(&world));
        let is_ready = Arc::new(AtomicBool::new(false));
        let keys = std::mem::take(&mut checked.keys);
        let module = lines::security_module(keys, &checked.lines, Arc::clone(&dice)).await?;
        let (lines, bound_lines) = lines::bound(&checked, &clock)?;
        let line_addresses = lines::addresses(&bound_lines)?;
        let overview = LiveOverview::new(switchboard.clone(), journal.journal.clone(), Arc::clone(&lines));
        let history: Arc<dyn History> = read_model.clone();
        let ports = DoorPorts {
            switchboard: switchboard.clone(),
            terminal_keys: checked.roster.clone(),
            tokens: tokens(&checked, dice.as_ref())?,
            history: Arc::clone(&history),
            overview: Arc::new(overview.clone()),
            metrics: metrics_page(&checked, metrics, &switchboard, &bindings),
            readiness: readiness(&is_ready),
            lines: Arc::clone(&lines),
        };
        let doors = Arc::new(Doors::new(ports, settings(&checked)));
        let (addresses, servers, arbiters) = open_doors(&checked, &doors).await?;
        let watch = start_actors(&checked, &rooms, &world, &clock, &arbiters);
        pulse::feel(&gate, &clock, &arbiters);
        following::follow(journal.journal.clone(), read_model, overview);
        let woken = switchboard.wake_all().await;
        lines::serve(bound_lines, &checked.lines, &module, (&switchboard, &history), &arbiters);
        is_ready.store(true, Ordering::Release);
        let recovery = journal.recovery;
        Ok(Self {
            addresses,
            line_addresses,
            recovery,
            woken,
            switchboard,
            doors,
            lines,
            journal,
            gate,
            watch,
            servers,
            is_ready,
        })
    }

    /// The way to its actors.
    pub const fn switchboard(&self) -> &Switchboard {
        &self.switchboard
    }

    /// Closes in order: nothing new begins, those who wait get their answers if they come in time, everything that was
    /// recorded is on disk.
    pub async fn close(self) {
        self.is_ready.store(false, Ordering::Release);
        self.gate.drain();
        self.doors.streams().hang_up();
        self.lines.drain();
        self.emptied().await;
        self.lines.emptied(CLOSING).await;
        // The actors live on the web workers' threads and end with them.
        self.watch.stand_down();
        for server in self.servers {
            server.stop(true).await;
        }
        let stopped = tokio::task::spawn_blocking(move || self.journal.stop());
        if stopped.await.is_err() {
            tracing::error!("the journal did not close in order; its tail is checked at the next start");
        }
    }

    async fn emptied(&self) {
        let step = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        while self.gate.used() > 0 && waited < CLOSING {
            actix_rt::time::sleep(step).await;
            waited = waited.saturating_add(step);
        }
    }
}

async fn open_journal(checked: &Checked) -> anyhow::Result<Running> {
    let node = &checked.config.node;
    let options = Options {
        segment_bytes: node.segment_mib.saturating_mul(1024 * 1024),
        keep: Duration::from_secs(u64::from(node.keep_days).saturating_mul(86_400)),
        ..Options::PRODUCTION
    };
    let clock = Arc::new(SteadyClock::starting_now());
    let folder = node.journal.clone();
    let named = format!("node.journal {}", folder.display());
    // Replaying may take a while and drives a runtime of its own.
    let started = tokio::task::spawn_blocking(move || journal::start(&folder, clock, options)).await?;
    started.context(named)
}

/// The clock never starts before what is recorded, whatever happened to the wall clock.
fn last_instant(journal: &Running) -> anyhow::Result<Timestamp> {
    journal.journal.latest_instant().context("node.journal: its newest records cannot be read")
}

fn bindings(checked: &Checked) -> Arc<MemoryBindingStore> {
    let terminals = checked.roster.terminals();
    gauge!("turnout_terminals").set(u32::try_from(terminals).map_or(f64::MAX, f64::from));
    Arc::new(MemoryBindingStore::new(NonZeroUsize::new(terminals).unwrap_or(NonZeroUsize::MIN)))
}

/// What ages while nothing happens, and what the system knows, is looked up when somebody looks.
fn metrics_page(
    checked: &Checked,
    handle: PrometheusHandle,
    board: &Switchboard,
    bindings: &Arc<MemoryBindingStore>,
) -> MetricsText {
    let (board, bindings) = (board.clone(), Arc::clone(bindings));
    let folder = checked.config.node.journal.clone();
    telemetry::process::introduce(Duration::from_micros(board.now().micros()));
    let bound = gauge!("turnout_bindings");
    Arc::new(move || {
        board.show_ages();
        bound.set(u32::try_from(bindings.bound(board.now())).map_or(f64::MAX, f64::from));
        telemetry::page(&handle, &folder)
    })
}

fn world(
    checked: &Checked,
    journal: &FileJournal,
    bindings: &Arc<MemoryBindingStore>,
    clock: &Arc<dyn Clock>,
    dice: &Arc<dyn Dice>,
) -> anyhow::Result<World> {
    let ports = Ports {
        clock: clock.clone(),
        dice: dice.clone(),
        journal: Arc::new(journal.clone()),
        bindings: bindings.clone(),
        roster: checked.roster.clone(),
        codes: platforms::code_sender(checked),
        platforms: platforms::connected(checked, clock, dice)?,
    };
    Ok(World::new(ports, checked.rules()))
}

fn rooms(checked: &Checked, gate: &Gate, clock: &Arc<dyn Clock>) -> Rooms {
    let shards =
        NonZeroUsize::new(checked.config.node.workers.saturating_mul(2)).unwrap_or(NonZeroUsize::MIN);
    Rooms {
        sessions: Directory::new(shards, gate.clone(), clock.clone()),
        payers: Directory::new(shards, gate.clone(), clock.clone()),
        merchants: Directory::new(shards, gate.clone(), clock.clone()),
        outboxes: Directory::new(NonZeroUsize::MIN, gate.clone(), clock.clone()),
    }
}

fn start_actors(
    checked: &Checked,
    rooms: &Rooms,
    world: &Arc<World>,
    clock: &Arc<dyn Clock>,
    arbiters: &[ArbiterHandle],
) -> Watch {
    let borne = Intensity { most: 10, within: Duration::from_mins(1) };
    let backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(5) };
    // What is left of a house whose shards keep dying cannot be trusted: the service manager starts a clean one.
    let mut supervisor = Supervisor::new(borne, backoff, clock.clone(), |code| std::process::exit(code));
    let limits = Limits::standard(checked.config.limits.awake_max);
    let places: Vec<Place> = arbiters.iter().cloned().map(Place::On).collect();
    rooms.sessions.open(&mut supervisor, world, &places, limits);
    rooms.payers.open(&mut supervisor, world, &places, limits);
    rooms.merchants.open(&mut supervisor, world, &places, limits);
    rooms.outboxes.open(&mut supervisor, world, &places, limits);
    supervisor.start()
}

fn readiness(is_ready: &Arc<AtomicBool>) -> Arc<dyn Fn() -> Readiness + Send + Sync> {
    let is_ready = Arc::clone(is_ready);
    Arc::new(move || {
        if is_ready.load(Ordering::Acquire) {
            Readiness::Ready
        } else {
            Readiness::NotReady("starting or draining".to_owned())
        }
    })
}

fn tokens(checked: &Checked, dice: &dyn Dice) -> anyhow::Result<Tokens> {
    let lasts = Duration::from_secs(checked.config.login.token_seconds);
    let mut fresh = Zeroizing::new([0; 32]);
    dice.fill(&mut *fresh);
    let secret = checked.token_secret.as_ref().map_or(fresh.as_slice(), |secret| secret.as_bytes());
    Tokens::new(secret, lasts).context("login.token_secret")
}

fn settings(checked: &Checked) -> Settings {
    let config = &checked.config;
    let direct = config.platforms.iter().filter(|platform| platform.interface == InterfaceKind::Direct);
    Settings {
        answer_within: Duration::from_secs(config.patience.answer_seconds),
        streams_max: config.limits.connections_max,
        codes: match config.login.codes {
            Codes::Page => ShownCodes::Shown,
            Codes::Program => ShownCodes::Secret,
        },
        pages_connect: direct.map(|platform| platform.url.clone()).collect(),
        phone_page: config.phones.page.clone(),
        admin: match &checked.admin_token {
            Some(token) => AdminAccess::by_token(token),
            None => AdminAccess::Loopback,
        },
        ..Settings::standard()
    }
}
