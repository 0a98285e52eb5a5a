//! The switch as a host of the simulation: the real journal, actors and HTTP doors over a simulated disk and network.
//!
//! What `switch::house` does with arbiters, threads and sockets is done here on the host's one thread. Each start is a
//! new process: it has what its disk has, and nothing else.
use crate::line;
use crate::listener::{Ear, Overheard, overheard, serve};
use crate::plan::Fault;
use crate::scene::{Scene, payer, secret, terminal, till_key};
use crate::witness::{What, Who};
use actors::directory::{Directory, Limits, Place};
use actors::domain::backoff::Backoff;
use actors::domain::identity::{MerchantId, PayerId, TerminalId};
use actors::domain::journal::Seq;
use actors::domain::merchant::{MerchantProfile, Trading};
use actors::domain::money::Money;
use actors::domain::order::Terms;
use actors::domain::routing::Route;
use actors::domain::till::{Counted, Period};
use actors::domain::time::Timestamp;
use actors::gate::Gate;
use actors::ports::Answer;
use actors::ports::clock::Clock;
use actors::ports::code_sender::{CodeNotSent, CodeSender};
use actors::ports::history::{History, HistoryFault, PastPayment, Wanted};
use actors::ports::platform::Platform;
use actors::ports::roster::Roster;
use actors::supervisor::{Intensity, Supervisor};
use actors::switchboard::Switchboard;
use actors::world::{Ports as WorldPorts, Rooms, Rules, World};
use adapters::binding_store::memory::MemoryBindingStore;
use adapters::http_client::HttpClient;
use adapters::journal::{self, FileJournal, Opened, Options};
use adapters::platform::sandbox::{SandboxPlatform, SandboxSettings};
use adapters::platform::wall_time::OnWallTime;
use serde::Deserialize;
use std::future::ready;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use switch::api::{
    ActorCounts, Begins, Codes, Doors, JournalAt, KeyDigests, Overlook, Overview, OwedSum, Porter, Ports,
    Rates, Readiness, Settings, Tokens, phones, terminals,
};
use switch::line::Lines;
use tokio::time::Sleep;

pub const PHONES: u16 = 8081;
pub const TERMINALS: u16 = 8082;
pub const LINE: u16 = 8583;

/// One life of the switch's process.
pub async fn run(scene: Arc<Scene>) -> turmoil::Result {
    let opened = match open_journal(&scene).await {
        Ok(opened) => opened,
        Err(fault) => {
            scene.note(Who::Switch, format!("does not start: {fault}"));
            return Ok(());
        }
    };
    let Opened { journal, writer, caretaker, recovery } = opened;
    scene.set_journal(Some(journal.clone()));
    scene.note(Who::Switch, format!("starts: {} open, {} torn", recovery.open_payments, recovery.torn));
    tokio::task::spawn_local(Stalling {
        scene: Arc::clone(&scene),
        sleep: None,
        work: Box::pin(writer.run()),
    });
    tokio::task::spawn_local(caretaker.run());
    let mut tail = journal.tail(recovery.last);
    let last = tail.read(1).ok().and_then(|records| records.last().map(|record| record.at));
    let clock = scene.steady_clock(last.unwrap_or(Timestamp::from_micros(0)));

    let world = Arc::new(World::new(ports(&scene, &journal, &clock), rules()));
    let gate = Gate::new(scene.plan.inside_max, Duration::from_secs(1));
    let rooms = open_rooms(&scene, &world, &gate, &clock);
    let switchboard = Switchboard::new(Arc::clone(&world));
    let doors = doors(&scene, &switchboard);
    if scene.plan.has(Fault::Panics) {
        tokio::task::spawn_local(kill_at_random(Arc::clone(&scene), rooms));
    }
    let porter = |begins| Porter::new(&doors, begins);
    let phones = overheard(phones(&doors), Deaf);
    let terminals = overheard(terminals(&doors), AtTheCallbacks(Arc::clone(&scene)));
    let board = switchboard.clone();
    tokio::task::spawn_local(async move { board.wake_all().await });
    tokio::select! {
        biased;
        () = scene.died.notified() => Ok(()),
        served = serve(PHONES, porter(Begins::Standing).before(phones)) => served,
        served = line::serve(&scene, &switchboard, &clock) => served,
        served = serve(TERMINALS, porter(Begins::Order).before(terminals)) => served,
    }
}

/// Hears which callbacks were acknowledged, and when.
#[derive(Clone)]
struct AtTheCallbacks(Arc<Scene>);

#[derive(Deserialize)]
struct CallbackBody {
    payment: String,
    status: String,
    amount: String,
}

impl Ear for AtTheCallbacks {
    fn wants_body(&self, path: &str) -> bool {
        path.starts_with("/v1/callbacks/")
    }

    fn hear(&self, overheard: &Overheard<'_>) {
        if let (Some(200..300), Ok(body)) = (overheard.status, serde_json::from_slice(overheard.body)) {
            let CallbackBody { payment, status, amount } = body;
            self.0.saw(
                Who::Platform,
                What::CallbackAcknowledged { id: payment, is_paid: status == "paid", amount },
            );
        }
    }
}

#[derive(Clone)]
struct Deaf;

impl Ear for Deaf {
    fn wants_body(&self, _: &str) -> bool {
        false
    }

    fn hear(&self, _: &Overheard<'_>) {}
}

async fn open_journal(scene: &Arc<Scene>) -> Result<Opened, journal::OpenFault> {
    let plan = &scene.plan;
    let options = Options {
        segment_bytes: plan.segment_bytes,
        snapshot_every: plan.snapshot_every,
        keep: plan.keep,
        pending_max: 1_024,
        ..Options::PRODUCTION
    };
    let dying = Arc::clone(scene);
    let on_fatal = Box::new(move |fatal: journal::Fatal| {
        dying.note(Who::Switch, format!("ends itself: {fatal}"));
        dying.died.notify_one();
    });
    let clock = scene.steady_clock(Timestamp::from_micros(0));
    journal::open(Arc::new(scene.disk()), clock, options, on_fatal).await
}

fn ports(scene: &Arc<Scene>, journal: &FileJournal, clock: &Arc<dyn Clock>) -> WorldPorts {
    let dice: Arc<dyn actors::ports::clock::Dice> =
        Arc::new(scene.chance.fork(&format!("switch {:?}", scene.elapsed())));
    let settings = SandboxSettings {
        id: scene.platform,
        address: "http://platform:80".parse().unwrap(),
        secret: secret(),
        travels: scene.plan.travels,
        in_flight_max: 16,
    };
    let client = HttpClient::new(Arc::new(scene.network.clone()), None, Arc::clone(clock));
    let wall = scene.wall_clock();
    let adapter = SandboxPlatform::new(settings, client, Arc::clone(&wall), Arc::clone(&dice)).unwrap();
    let platform: Arc<dyn Platform> = Arc::new(OnWallTime::new(adapter, Arc::clone(clock), wall));
    WorldPorts {
        clock: Arc::clone(clock),
        dice,
        journal: Arc::new(journal.clone()),
        bindings: Arc::new(MemoryBindingStore::new(NonZeroUsize::new(2).unwrap())),
        roster: Arc::new(Shop(Arc::clone(scene))),
        codes: Arc::new(Shown),
        platforms: vec![platform],
    }
}

fn rules() -> Rules {
    Rules {
        binding_lasts: Duration::from_secs(20),
        code_lasts: Duration::from_mins(1),
        code_tries_max: 3,
        owed_backoff: Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(4) },
        owed_in_flight_max: 8,
        owed_within: Duration::from_secs(3),
    }
}

fn open_rooms(scene: &Arc<Scene>, world: &Arc<World>, gate: &Gate, clock: &Arc<dyn Clock>) -> Rooms {
    let shards = NonZeroUsize::new(scene.plan.shards).unwrap_or(NonZeroUsize::MIN);
    let rooms = Rooms {
        sessions: Directory::new(shards, gate.clone(), Arc::clone(clock)),
        payers: Directory::new(shards, gate.clone(), Arc::clone(clock)),
        merchants: Directory::new(NonZeroUsize::MIN, gate.clone(), Arc::clone(clock)),
        outboxes: Directory::new(NonZeroUsize::MIN, gate.clone(), Arc::clone(clock)),
    };
    world.furnish(rooms.clone());
    let borne = Intensity { most: 10, within: Duration::from_mins(1) };
    let backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(5) };
    let dying = Arc::clone(scene);
    let mut supervisor = Supervisor::new(borne, backoff, Arc::clone(clock), move |code| {
        dying.note(Who::Switch, format!("gives up with exit code {code}"));
        dying.died.notify_one();
    });
    let limits = Limits { idle_after: scene.plan.idle_after, ..Limits::standard(scene.plan.awake_max) };
    let places = [Place::Here];
    rooms.sessions.open(&mut supervisor, world, &places, limits);
    rooms.payers.open(&mut supervisor, world, &places, limits);
    rooms.merchants.open(&mut supervisor, world, &places, limits);
    rooms.outboxes.open(&mut supervisor, world, &places, limits);
    supervisor.start();
    rooms
}

fn doors(scene: &Arc<Scene>, switchboard: &Switchboard) -> Arc<Doors> {
    let keys: Vec<(TerminalId, String)> =
        (0..scene.plan.tills).map(|till| (terminal(till), till_key(till))).collect();
    let ports = Ports {
        switchboard: switchboard.clone(),
        terminal_keys: Arc::new(KeyDigests::of_keys(keys.iter().map(|(id, key)| (*id, key.as_str())))),
        tokens: Tokens::new(&[7; 32], Duration::from_mins(10)).unwrap(),
        history: Arc::new(Forgetful),
        overview: Arc::new(Quiet),
        metrics: Arc::new(String::new),
        readiness: Arc::new(|| Readiness::Ready),
        lines: Arc::new(Lines::new(&switchboard.world().clock, 0, [])),
    };
    Arc::new(Doors::new(ports, Settings { codes: Codes::Shown, ..Settings::standard() }))
}

/// Ends some actor every now and then, as a panic would.
async fn kill_at_random(scene: Arc<Scene>, rooms: Rooms) {
    let chance = scene.chance.fork(&format!("panics {:?}", scene.elapsed()));
    let phones = scene.plan.tills * scene.plan.phones_per_till;
    while !scene.is_fair.load(Ordering::Relaxed) {
        tokio::time::sleep(chance.millis(20..scene.plan.panics_within)).await;
        let at_random = |most: usize| usize::try_from(chance.of(0..most as u64)).unwrap();
        match chance.of(0..6) {
            0..3 => rooms.sessions.kill(terminal(at_random(scene.plan.tills))),
            3 => rooms.payers.kill(payer(at_random(phones))),
            4 => rooms.merchants.kill(scene.merchant),
            _ => rooms.outboxes.kill(scene.platform),
        }
        scene.strikes(Fault::Panics);
        scene.note(Who::Weather, "an actor panics");
    }
}

/// Work that stands still while the disk does: also between a write and its sync, for there the writer yields.
struct Stalling {
    scene: Arc<Scene>,
    sleep: Option<Pin<Box<Sleep>>>,
    work: Pin<Box<dyn Future<Output = ()>>>,
}

impl Future for Stalling {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let stall = self.scene.disk_stall.load(Ordering::Relaxed);
        if self.sleep.is_none() && stall > 0 {
            let pause = self.scene.chance.millis(1..stall + 1);
            self.sleep = Some(Box::pin(tokio::time::sleep(pause)));
        }
        if let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
        self.work.as_mut().poll(cx)
    }
}

/// One merchant, who has all the tills.
struct Shop(Arc<Scene>);

impl Roster for Shop {
    fn merchant_of(&self, id: TerminalId) -> Option<MerchantId> {
        (0..self.0.plan.tills).any(|till| terminal(till) == id).then_some(self.0.merchant)
    }

    fn merchant(&self, id: MerchantId) -> Option<Arc<MerchantProfile>> {
        let most = Money::parse("500.00", "EUR").unwrap();
        let plan = &self.0.plan;
        (id == self.0.merchant).then(|| {
            Arc::new(MerchantProfile {
                id,
                name: "Corner Shop".into(),
                trading: Trading::Open,
                limits: vec![most],
                routes: vec![Route { currency: most.currency(), platform: self.0.platform }],
                terms: Terms {
                    confirm_within: plan.confirm_within,
                    platform_within: plan.platform_within,
                    attempts_max: 3,
                    inquire_every: plan.inquire_every,
                    inquiries_max: 3,
                },
                in_flight_max: 100,
            })
        })
    }
}

struct Shown;

impl CodeSender for Shown {
    fn send(&self, _: PayerId, _: &str) -> Answer<Result<(), CodeNotSent>> {
        Box::pin(ready(Ok(())))
    }
}

/// The read model lags behind for ever: nothing may depend on it.
pub struct Forgetful;

impl History for Forgetful {
    fn of_payer(&self, _: PayerId, _: u16) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn search(&self, _: Wanted) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn caught_up(&self, _: Seq) -> Answer<Result<(), HistoryFault>> {
        Box::pin(std::future::pending())
    }

    fn totals(&self, _: Period) -> Answer<Result<Counted, HistoryFault>> {
        Box::pin(ready(Err(HistoryFault("it forgets".to_owned()))))
    }
}

/// Nobody looks at the overview here.
struct Quiet;

impl Overview for Quiet {
    fn look(&self) -> Answer<Overlook> {
        Box::pin(ready(Overlook {
            at: String::new(),
            uptime_seconds: 0.0,
            version: String::new(),
            rates: Rates { started: 0.0, approved: 0.0, declined: 0.0, reversed: 0.0 },
            latency_ms: None,
            open: std::collections::BTreeMap::new(),
            outbox: OwedSum { owed: 0, oldest_seconds: None, items: Vec::new() },
            actors: ActorCounts { terminal_sessions: 0, payers: 0, merchants: 0 },
            journal: JournalAt { durable_seq: 0 },
            lines: Vec::new(),
            recent: Vec::new(),
        }))
    }
}
