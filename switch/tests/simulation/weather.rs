//! Runs one seed: puts the hosts into a turmoil world, lets the faults of the plan strike, clears the weather, and waits
//! until nothing is under way any more.
//!
//! A host can only be killed between two ticks; within a tick everything that is ready runs. What is lost with the power
//! is the disk's to say.
use crate::chance::Chance;
use crate::plan::{Fault, Kind, Plan, Tongue};
use crate::scene::Scene;
use crate::witness::Who;
use crate::{bank, crowd, house, pos, shop};
use actix_web::web::Data;
use actors::ports::disk::Disk;
use actors::ports::journal::Journal;
use adapters::disk::simulated::{Operation as DiskOperation, SimulatedDisk, Survival};
use futures_util::FutureExt;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switch::sandbox::desk::Desk;
use switch::sandbox::trouble::{Operation, Rule, Trouble, Troubles};
use turmoil::{Builder, Sim};

/// Everything that was unknown is known so long after the weather has cleared and the last sale has ended.
const QUIET_WITHIN: Duration = Duration::from_mins(1);
/// Nothing happens for so long before it is called quiet.
const QUIET_FOR: Duration = Duration::from_millis(1_500);
/// No simulation takes longer.
const LONGEST: Duration = Duration::from_mins(15);
const LINKS: [(&str, &str); 4] =
    [("switch", "platform"), ("switch", "tills"), ("switch", "phones"), ("switch", "post")];

/// What a platform that is still a platform may do wrong.
const TROUBLES: [(Operation, &[Trouble]); 7] = [
    (
        Operation::Permit,
        &[Trouble::Refuse, Trouble::Expired, Trouble::LyingAnswer, Trouble::StrayAnswer, Trouble::Garbage],
    ),
    (
        Operation::Permit,
        &[
            Trouble::Lost,
            Trouble::Silent,
            Trouble::LateAnswer,
            Trouble::ServerError,
            Trouble::CutOff,
            Trouble::Redirect,
        ],
    ),
    (
        Operation::Pay,
        &[
            Trouble::Lost,
            Trouble::Silent,
            Trouble::LateAnswer,
            Trouble::ServerError,
            Trouble::CutOff,
            Trouble::Garbage,
            Trouble::LyingAnswer,
        ],
    ),
    (
        Operation::Pay,
        &[
            Trouble::NoCallback,
            Trouble::DuplicateCallback,
            Trouble::EarlyCallback,
            Trouble::LateCallback,
            Trouble::LyingCallback,
            Trouble::StrayAnswer,
        ],
    ),
    (
        Operation::Query,
        &[
            Trouble::NotFound,
            Trouble::NotFound,
            Trouble::Lost,
            Trouble::Silent,
            Trouble::LyingAnswer,
            Trouble::ServerError,
        ],
    ),
    (
        Operation::Reversal,
        &[
            Trouble::TooLate,
            Trouble::TooLate,
            Trouble::ServerError,
            Trouble::Silent,
            Trouble::Lost,
            Trouble::LateAnswer,
            Trouble::StrayAnswer,
            Trouble::Garbage,
        ],
    ),
    (
        Operation::Refund,
        &[Trouble::ServerError, Trouble::Silent, Trouble::Lost, Trouble::LateAnswer, Trouble::CutOff],
    ),
];

/// What is left at the end.
pub struct Ended {
    pub scene: Arc<Scene>,
    pub desk: Data<Desk>,
    pub elapsed: Duration,
    pub crashes: u32,
    /// Why it never became quiet.
    pub unrest: Option<String>,
}

/// Runs a plan to its quiet end.
pub fn run(plan: Plan) -> Ended {
    let scene = Scene::new(plan);
    let (desk, postman) = bank::found(&scene);
    let mut sim = Builder::new()
        .rng_seed(scene.plan.seed)
        .simulation_duration(LONGEST * 2)
        .tick_duration(scene.plan.tick)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(scene.plan.latency_max)
        .tcp_capacity(1_024)
        .build();
    let (switch, counter, books) = (Arc::clone(&scene), Arc::clone(&scene), desk.clone());
    sim.host("switch", move || house::run(Arc::clone(&switch)));
    sim.host("platform", move || bank::run(Arc::clone(&counter), books.clone()));
    let postman = Mutex::new(Some(postman));
    sim.host("post", move || {
        let postman = postman.lock().unwrap().take();
        async move {
            if let Some(postman) = postman {
                postman.run().await;
            }
            Ok(())
        }
    });
    let tills = Arc::clone(&scene);
    sim.client("tills", async move {
        let selling = (0..tills.plan.tills).map(|till| {
            let scene = Arc::clone(&tills);
            match tills.plan.tongue(till) {
                Tongue::Http => tokio::task::spawn_local(shop::sell_all(scene, till)),
                Tongue::Iso => tokio::task::spawn_local(pos::sell_all(scene, till)),
            }
        });
        for till in selling.collect::<Vec<_>>() {
            till.await??;
        }
        std::future::pending().await
    });
    let phones = Arc::clone(&scene);
    sim.client("phones", async move {
        for phone in 0..phones.plan.tills * phones.plan.phones_per_till {
            tokio::task::spawn_local(crowd::pay_all(Arc::clone(&phones), phone));
        }
        std::future::pending().await
    });
    let weather = Weather {
        chance: scene.chance.fork("weather"),
        scene,
        desk,
        down: None,
        platform_down: None,
        crashes: 0,
        strikes: Vec::new(),
        damage: None,
    };
    weather.play(&mut sim)
}

/// The faults as they come and go.
struct Weather {
    scene: Arc<Scene>,
    desk: Data<Desk>,
    chance: Chance,
    /// When the switch is started again.
    down: Option<Duration>,
    platform_down: Option<Duration>,
    crashes: u32,
    /// What lasts for a while, and until when.
    strikes: Vec<(Duration, Lasting)>,
    damage: Option<Damage>,
}

/// A byte that reads differently, and what it held.
struct Damage {
    file: String,
    place: usize,
    held: u8,
    /// Whether a start has met it.
    is_met: bool,
}

/// What a fault left that passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Partition(&'static str, &'static str),
    OneWay(&'static str, &'static str),
    Held(&'static str, &'static str),
    FullDisk,
    SlowDisk,
    Pause,
    Trouble,
}

impl Weather {
    fn play(mut self, sim: &mut Sim<'_>) -> Ended {
        let (mut is_fair, mut quiet_since, mut last_done, mut done) = (false, None, Duration::ZERO, 0);
        let unrest = loop {
            if let Err(fault) = sim.step() {
                break Some(fault.to_string());
            }
            let now = sim.elapsed();
            self.scene.clock_is(now);
            self.look_after_hosts(sim, now);
            if is_fair {
                let tills = self.scene.tills_done.load(Ordering::Relaxed);
                if tills != done {
                    (done, last_done) = (tills, now);
                }
                match self.under_way() {
                    None if now.saturating_sub(*quiet_since.get_or_insert(now)) >= QUIET_FOR => break None,
                    None => {}
                    Some(what)
                        if now.saturating_sub(last_done) > QUIET_WITHIN
                            && done == self.scene.plan.tills as u64 =>
                    {
                        break Some(what);
                    }
                    Some(what) if now > LONGEST => break Some(what),
                    Some(_) => quiet_since = None,
                }
            } else if now >= self.scene.plan.rough_for {
                self.clear_up(sim);
                (is_fair, last_done) = (true, now);
            } else {
                self.strike(sim, now);
            }
        };
        Ended { elapsed: sim.elapsed(), scene: self.scene, desk: self.desk, crashes: self.crashes, unrest }
    }

    /// What is not finished yet.
    fn under_way(&self) -> Option<String> {
        let tills = self.scene.tills_done.load(Ordering::Relaxed);
        if tills < self.scene.plan.tills as u64 {
            return Some(format!("{} tills are still selling", self.scene.plan.tills as u64 - tills));
        }
        let Some(journal) = self.scene.journal() else { return Some("the switch is down".into()) };
        match journal.keepers().now_or_never() {
            Some(keepers) if keepers.is_empty() => None,
            Some(keepers) => Some(format!("payments are open, kept by {keepers:?}")),
            None => Some("the journal is still writing".into()),
        }
    }

    fn look_after_hosts(&mut self, sim: &mut Sim<'_>, now: Duration) {
        if self.down.is_none() && !sim.is_host_running("switch") {
            // It may have refused what it found: then somebody looks at the disk before it is tried again.
            self.repair_sector();
            let survival = self.scene.disk().is_without_power().then(|| self.survival());
            self.fell(survival, now);
        }
        if self.down.is_none() && self.damage.as_ref().is_some_and(|damage| damage.is_met) {
            self.repair_sector();
        }
        if self.down.is_some_and(|at| at <= now) {
            self.down = None;
            if let Some(damage) = &mut self.damage {
                damage.is_met = true;
            }
            sim.bounce("switch");
        }
        if self.platform_down.is_some_and(|at| at <= now) {
            self.platform_down = None;
            sim.bounce("platform");
        }
        let (over, lasting) =
            std::mem::take(&mut self.strikes).into_iter().partition(|(until, _)| *until <= now);
        self.strikes = lasting;
        for (_, what) in over {
            self.end(sim, what);
        }
    }

    /// The switch's process has ended, this way or that.
    fn fell(&mut self, survival: Option<Survival>, now: Duration) {
        self.scene.set_journal(None);
        // A process that is killed leaves what it wrote to the kernel, synced or not; only a cut decides what lasts.
        if let Some(survival) = survival {
            let disk = self.scene.disk().after_power_cut(survival);
            self.scene.set_disk(disk);
        }
        self.crashes += 1;
        self.down = Some(now + self.chance.millis(50..2_500));
        if self.scene.is_fair.load(Ordering::Relaxed) {
            return;
        }
        if self.scene.plan.has(Fault::ClockJumps) && self.chance.coin() {
            let most = self.chance.pick(&[120_000, 120_000, 3 * 3_600_000]);
            let skew =
                i64::try_from(self.chance.of(0..2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0);
            self.scene.wall_skew.store(skew, Ordering::Relaxed);
            self.scene.strikes(Fault::ClockJumps);
            self.scene.note(Who::Weather, format!("the wall clock is off by {skew} ms"));
        }
        // Only what is durable can be put right again as it was.
        if self.scene.plan.has(Fault::Corruption) && survival.is_some() && self.chance.coin() {
            self.damage_sector();
        }
    }

    fn strike(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let tick = u64::try_from(self.scene.plan.tick.as_millis()).unwrap_or(1);
        let every = u64::try_from(self.scene.plan.every.as_millis()).unwrap_or(1).max(1);
        for fault in Fault::ALL {
            if self.scene.plan.has(fault) && self.chance.of(0..every) < tick {
                let notes = self.scene.witness.len();
                self.strike_with(fault, sim, now);
                // What struck is in the notebook.
                if self.scene.witness.len() > notes {
                    self.scene.strikes(fault);
                }
            }
        }
    }

    fn strike_with(&mut self, fault: Fault, sim: &mut Sim<'_>, now: Duration) {
        let long = match (self.scene.plan.kind, fault) {
            (Kind::Long, Fault::FullDisk | Fault::PlatformTrouble) => 8,
            (_, Fault::FullDisk) => 2,
            _ => 1,
        };
        let until = now + self.chance.millis(100..4_000) * long;
        match fault {
            Fault::Partitions | Fault::OneWayPartitions | Fault::HeldLinks | Fault::Pauses => {
                self.strike_links(fault, sim, until);
            }
            Fault::FullDisk | Fault::SlowDisk | Fault::DiskErrors => self.strike_disk(fault, until),
            Fault::Kills => self.crash(sim, now, None, "kill -9 of the switch"),
            Fault::PowerCuts if self.chance.coin() => {
                let disk = self.scene.disk();
                disk.cut_power_at(disk.changes() + self.chance.of(1..12));
                self.scene.note(Who::Weather, "the power is about to go");
            }
            Fault::PowerCuts => {
                let survival = self.survival();
                self.crash(sim, now, Some(survival), "the switch loses power");
            }
            Fault::PlatformKills if self.platform_down.is_none() => {
                sim.crash("platform");
                self.platform_down = Some(now + self.chance.millis(50..3_000));
                self.scene.note(Who::Weather, "kill -9 of the platform");
            }
            Fault::PlatformTrouble => {
                let troubles = self.troubles();
                self.scene.note(Who::Weather, format!("the platform: {troubles:?}"));
                self.desk
                    .set_troubles(troubles)
                    .unwrap_or_else(|_| panic!("a trouble that the sandbox refuses"));
                self.strikes.push((until, Lasting::Trouble));
            }
            _ => {}
        }
    }

    fn strike_links(&mut self, fault: Fault, sim: &Sim<'_>, until: Duration) {
        let (here, there) = self.chance.pick(&LINKS);
        let (from, to) = if self.chance.coin() { (here, there) } else { (there, here) };
        match fault {
            Fault::Partitions if self.is_free(here, there) => {
                sim.partition(here, there);
                self.begin(
                    until,
                    Lasting::Partition(here, there),
                    &format!("no way between {here} and {there}"),
                );
            }
            Fault::OneWayPartitions if self.is_free(here, there) => {
                sim.partition_oneway(from, to);
                self.begin(until, Lasting::OneWay(from, to), &format!("no way from {from} to {to}"));
            }
            Fault::HeldLinks if self.is_free(here, there) => {
                sim.hold(here, there);
                self.begin(
                    until,
                    Lasting::Held(here, there),
                    &format!("everything between {here} and {there} is held back"),
                );
            }
            Fault::Pauses if LINKS.iter().all(|(a, b)| self.is_free(a, b)) => {
                for (a, b) in LINKS {
                    sim.hold(a, b);
                }
                self.scene.disk_stall.store(3_000, Ordering::Relaxed);
                self.begin(until, Lasting::Pause, "the switch stands still");
            }
            _ => {}
        }
    }

    fn strike_disk(&mut self, fault: Fault, until: Duration) {
        match fault {
            Fault::FullDisk => {
                // Room for what is begun, or for nothing at all.
                let room = self.chance.pick(&[0, 0, 2_000]);
                let disk = self.scene.disk();
                disk.set_capacity(Some(disk.used() + room));
                self.begin(until, Lasting::FullDisk, "the disk is full");
            }
            Fault::SlowDisk => {
                self.scene.disk_stall.store(self.chance.of(10..900), Ordering::Relaxed);
                self.begin(until, Lasting::SlowDisk, "the disk is slow");
            }
            Fault::DiskErrors => {
                let operation = self.chance.pick(&[
                    DiskOperation::Sync,
                    DiskOperation::Sync,
                    DiskOperation::Write,
                    DiskOperation::Create,
                    DiskOperation::Directory,
                ]);
                self.scene.disk().fail(operation, self.chance.of(1..4), ErrorKind::Other);
                self.scene.note(Who::Weather, format!("the disk is about to fail: {operation:?}"));
            }
            _ => {}
        }
    }

    fn crash(&mut self, sim: &mut Sim<'_>, now: Duration, survival: Option<Survival>, how: &str) {
        if self.down.is_some() {
            return;
        }
        sim.crash("switch");
        self.scene.note(Who::Weather, how);
        self.fell(survival, now);
    }

    fn survival(&self) -> Survival {
        if self.chance.coin() { Survival::Nothing } else { Survival::Torn(self.chance.next()) }
    }

    fn troubles(&self) -> Troubles {
        let rules = (0..self.chance.of(1..5)).map(|_| {
            let (operation, troubles) = self.chance.pick(&TROUBLES);
            Rule {
                trouble: self.chance.pick(troubles),
                operation,
                next: self.chance.pick(&[None, Some(1), Some(2)]),
                payer: None,
            }
        });
        Troubles { latency_ms: self.chance.pick(&[0, 0, 300, 1_500]), rules: rules.collect() }
    }

    fn is_free(&self, a: &str, b: &str) -> bool {
        self.strikes.iter().all(|(_, what)| match what {
            Lasting::Pause => false,
            Lasting::Partition(x, y) | Lasting::OneWay(x, y) | Lasting::Held(x, y) => {
                (*x, *y) != (a, b) && (*y, *x) != (a, b)
            }
            _ => true,
        })
    }

    fn begin(&mut self, until: Duration, what: Lasting, how: &str) {
        self.scene.note(Who::Weather, how);
        self.strikes.push((until, what));
    }

    fn end(&self, sim: &mut Sim<'_>, what: Lasting) {
        match what {
            Lasting::Partition(a, b) => sim.repair(a, b),
            Lasting::OneWay(from, to) => sim.repair_oneway(from, to),
            Lasting::Held(a, b) => sim.release(a, b),
            Lasting::Pause => {
                for (a, b) in LINKS {
                    sim.release(a, b);
                }
                self.scene.disk_stall.store(0, Ordering::Relaxed);
            }
            Lasting::FullDisk => self.scene.disk().set_capacity(None),
            Lasting::SlowDisk => self.scene.disk_stall.store(0, Ordering::Relaxed),
            Lasting::Trouble => self.desk.set_troubles(Troubles::NONE).map(drop).unwrap_or_default(),
        }
    }

    /// From now on nothing goes wrong any more; what went wrong is to be lived with.
    fn clear_up(&mut self, sim: &mut Sim<'_>) {
        for (_, what) in std::mem::take(&mut self.strikes) {
            self.end(sim, what);
        }
        self.scene.network.lines.heal();
        self.scene.disk().forget_errors();
        if !self.scene.disk().is_without_power() {
            self.scene.disk().cut_power_at(u64::MAX);
        }
        self.scene.disk().set_capacity(None);
        self.scene.wall_skew.store(0, Ordering::Relaxed);
        self.scene.is_fair.store(true, Ordering::Relaxed);
        self.scene.note(Who::Weather, "the weather clears");
    }

    /// One byte of what is durable reads differently until the next start has met it.
    fn damage_sector(&mut self) {
        if self.damage.is_some() {
            return;
        }
        let disk = self.scene.disk();
        let Some((file, bytes)) = log_of(&disk) else { return };
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        // The end of the log may be a torn tail, which is no damage: only what other records follow is asked after.
        let Some(place) =
            usize::try_from(self.chance.of(0..(used as u64 / 2).max(1))).ok().filter(|_| used > 2_000)
        else {
            return;
        };
        let held = bytes[place];
        disk.corrupt(&file, place, &[held ^ 0x40]);
        self.scene.note(Who::Weather, format!("{file} reads differently at {place}"));
        self.scene.strikes(Fault::Corruption);
        self.damage = Some(Damage { file, place, held, is_met: false });
    }

    /// What an operator does who has a mirror: the sector is put right once the switch has met it.
    fn repair_sector(&mut self) {
        if let Some(Damage { file, place, held, .. }) = self.damage.take() {
            self.scene.disk().corrupt(&file, place, &[held]);
            self.scene.note(Who::Weather, format!("{file} is repaired"));
        }
    }
}

/// The newest segment of the log.
fn log_of(disk: &SimulatedDisk) -> Option<(String, Vec<u8>)> {
    let names = disk.list().ok()?.into_iter();
    let newest = names.filter(|name| name.ends_with(".segment") && !name.starts_with("prepared")).max()?;
    let bytes = disk.bytes(&newest);
    Some((newest, bytes))
}
