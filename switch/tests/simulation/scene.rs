//! What the hosts of one simulation share: the plan, the weather, the disk that outlives its process, the notebook.
use crate::chance::Chance;
use crate::network::{Lines, SimNetwork};
use crate::plan::{Fault, Plan};
use crate::witness::{What, Who, Witness};
use actors::domain::identity::{MerchantId, PayerId, PlatformId, TerminalId};
use actors::domain::journal::Seq;
use actors::domain::time::Timestamp;
use actors::ports::clock::{Clock, Dice};
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::FileJournal;
use adapters::players::Surroundings;
use adapters::signature::SharedSecret;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// When every simulation begins.
const BEGIN: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
pub const SECRET: &str = "whsec_c2ltdWxhdGlvbi1vbmx5LW5vdC1hLXNlY3JldC1hdC1hbGw=";

pub struct Scene {
    pub plan: Plan,
    pub chance: Chance,
    pub witness: Witness,
    pub network: SimNetwork,
    pub platform: PlatformId,
    pub merchant: MerchantId,
    /// The switch's disk; replaced by what is left of it when the power goes.
    disk: Mutex<SimulatedDisk>,
    /// The journal of the switch that is up, if one is.
    journal: Mutex<Option<FileJournal>>,
    /// How far the switch's wall clock is off, in milliseconds.
    pub wall_skew: AtomicI64,
    /// The disk takes this much longer, in milliseconds at most.
    pub disk_stall: AtomicU64,
    /// The switch's process ended by itself.
    pub died: Notify,
    /// The weather has cleared.
    pub is_fair: AtomicBool,
    /// Tills that have done with everything.
    pub tills_done: AtomicU64,
    /// Payments that were approved, with their tills: what a meddler would know.
    pub approved: Mutex<Vec<(usize, String)>>,
    /// How often each fault has struck.
    struck: Mutex<BTreeMap<Fault, u64>>,
    last_seen: AtomicU64,
    last_durable: AtomicU64,
}

impl Scene {
    pub fn new(plan: Plan) -> Arc<Self> {
        let chance = Chance::new(plan.seed);
        let lines = Arc::new(Lines::default());
        let rate = |fault, times| if plan.has(fault) { chance.of(1..times) } else { 0 };
        lines.cut.store(rate(Fault::CutLines, 60), Ordering::Relaxed);
        lines.doubled.store(rate(Fault::DoubledLines, 400), Ordering::Relaxed);
        let network = SimNetwork { chance: Arc::new(chance.fork("network")), lines };
        Arc::new(Self {
            chance: chance.fork("scene"),
            plan,
            witness: Witness::default(),
            network,
            platform: PlatformId::new("sandbox").unwrap(),
            merchant: MerchantId::new("corner").unwrap(),
            disk: Mutex::new(SimulatedDisk::new()),
            journal: Mutex::new(None),
            wall_skew: AtomicI64::new(0),
            disk_stall: AtomicU64::new(0),
            died: Notify::new(),
            is_fair: AtomicBool::new(false),
            tills_done: AtomicU64::new(0),
            approved: Mutex::default(),
            struck: Mutex::default(),
            last_seen: AtomicU64::new(0),
            last_durable: AtomicU64::new(0),
        })
    }

    pub fn disk(&self) -> SimulatedDisk {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_disk(&self, disk: SimulatedDisk) {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = disk;
    }

    pub fn journal(&self) -> Option<FileJournal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_journal(&self, journal: Option<FileJournal>) {
        self.durable();
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = journal;
    }

    /// A fault has struck.
    pub fn strikes(&self, fault: Fault) {
        *self.struck.lock().unwrap().entry(fault).or_default() += 1;
    }

    /// How often each fault has struck.
    pub fn struck(&self) -> BTreeMap<Fault, u64> {
        let mut struck = self.struck.lock().unwrap().clone();
        let lines = &self.network.lines;
        struck.insert(Fault::CutLines, lines.cuts.load(Ordering::Relaxed));
        struck.insert(Fault::DoubledLines, lines.doubles.load(Ordering::Relaxed));
        struck
    }

    /// Since the simulation began.
    pub fn elapsed(&self) -> Duration {
        turmoil::sim_elapsed()
            .unwrap_or_else(|| Duration::from_micros(self.last_seen.load(Ordering::Relaxed)))
    }

    /// What time it is between two ticks, where no host's clock tells.
    pub fn clock_is(&self, elapsed: Duration) {
        self.last_seen.store(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// True time.
    pub fn now(&self) -> Timestamp {
        BEGIN.plus(self.elapsed())
    }

    pub fn saw(&self, who: Who, what: What) {
        self.witness.saw(self.elapsed(), self.durable(), who, what);
    }

    /// The journal's last durable record; while the switch is down, the last there was.
    fn durable(&self) -> Seq {
        if let Some(journal) = self.journal() {
            self.last_durable.store(journal.durable_seq().0, Ordering::Relaxed);
        }
        Seq(self.last_durable.load(Ordering::Relaxed))
    }

    pub fn note(&self, who: Who, text: impl Into<String>) {
        self.saw(who, What::Note(text.into()));
    }

    /// What a player is given, with chance of its own.
    pub fn surroundings(self: &Arc<Self>, name: &str) -> Surroundings {
        let dice: Arc<dyn Dice> = Arc::new(self.chance.fork(name));
        Surroundings { network: Arc::new(self.network.clone()), tls: None, clock: self.true_clock(), dice }
    }

    pub fn true_clock(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(TrueClock(Arc::clone(self)))
    }

    /// What the wall clock of the switch's machine shows.
    fn wall_now(&self) -> Timestamp {
        let skew = self.wall_skew.load(Ordering::Relaxed);
        let by = Duration::from_millis(skew.unsigned_abs());
        let (zero, now) = (Timestamp::from_micros(0), self.now());
        if skew < 0 { zero.plus(now.since(zero).saturating_sub(by)) } else { now.plus(by) }
    }

    /// The wall clock of the switch's machine, as it jumps.
    pub fn wall_clock(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(Wall(Arc::clone(self)))
    }

    /// The clock of a switch that starts now: the wall's time, or later if its journal has seen later, and steady from then on.
    pub fn steady_clock(self: &Arc<Self>, watermark: Timestamp) -> Arc<dyn Clock> {
        Arc::new(Steady {
            scene: Arc::clone(self),
            start: self.wall_now().max(watermark),
            born: self.elapsed(),
        })
    }
}

struct Wall(Arc<Scene>);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        self.0.wall_now()
    }
}

struct TrueClock(Arc<Scene>);

impl Clock for TrueClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

struct Steady {
    scene: Arc<Scene>,
    start: Timestamp,
    born: Duration,
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.start.plus(self.scene.elapsed().saturating_sub(self.born))
    }
}

pub fn secret() -> SharedSecret {
    SharedSecret::parse(SECRET).unwrap()
}

pub fn terminal(till: usize) -> TerminalId {
    TerminalId::new(&format!("T{till}")).unwrap()
}

pub fn till_key(till: usize) -> String {
    format!("key-of-till-{till}")
}

pub fn payer(phone: usize) -> PayerId {
    PayerId::new(&format!("9990001{phone:04}")).unwrap()
}
