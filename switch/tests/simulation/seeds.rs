//! Many seeds over all cores, what they come to, and the one command that replays a failed one.
use crate::auditor::{Verdict, judge};
use crate::plan::{Fault, Plan};
use crate::weather;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A seed and the version of the simulation in which it means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    pub number: u64,
}

impl Seed {
    pub const fn now(number: u64) -> Self {
        Self { number }
    }

    /// Reads `VERSION-NUMBER`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (version, number) =
            text.split_once('-').ok_or("a seed is VERSION-NUMBER, as a failure prints it")?;
        let number = number.parse().map_err(|_| "a seed is VERSION-NUMBER, as a failure prints it")?;
        if version == version_now() {
            return Ok(Self { number });
        }
        Err(format!(
            "seed {text} is of another version of the simulation (this is {}): the same number is another world here; \
             check out the commit that printed it",
            version_now()
        ))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", version_now(), self.number)
    }
}

/// Changes with every change of what a seed means: a digest of the simulation's own text.
fn version_now() -> String {
    const TEXTS: [&str; 12] = [
        include_str!("bank.rs"),
        include_str!("chance.rs"),
        include_str!("crowd.rs"),
        include_str!("house.rs"),
        include_str!("line.rs"),
        include_str!("listener.rs"),
        include_str!("network.rs"),
        include_str!("plan.rs"),
        include_str!("pos.rs"),
        include_str!("scene.rs"),
        include_str!("shop.rs"),
        include_str!("weather.rs"),
    ];
    let mut hasher = DefaultHasher::new();
    TEXTS.hash(&mut hasher);
    format!("{:08x}", hasher.finish() >> 32)
}

/// One seed's run.
pub struct Run {
    pub seed: u64,
    pub verdict: Verdict,
    pub hash: u64,
    pub elapsed: Duration,
    pub crashes: u32,
    pub struck: BTreeMap<Fault, u64>,
    pub timeline: Box<dyn FnOnce() -> String>,
}

/// Runs one seed to its end and judges it.
pub fn run_one(seed: u64) -> Run {
    let ended = weather::run(Plan::of(seed));
    let verdict = judge(&ended);
    let witness = ended.scene.witness.clone();
    Run {
        seed,
        verdict,
        hash: witness.hash(),
        elapsed: ended.elapsed,
        crashes: ended.crashes,
        struck: ended.scene.struck(),
        timeline: Box::new(move || witness.timeline()),
    }
}

/// Runs a seed that failed, and shows what happened.
///
/// # Panics
/// If it fails again, or is of another version.
pub fn replay(text: &str) {
    let seed = Seed::parse(text).unwrap_or_else(|fault| panic!("{fault}"));
    let run = run_one(seed.number);
    println!("{:#?}\n{}", Plan::of(seed.number), (run.timeline)());
    println!("hash {:016x} after {:?}", run.hash, run.elapsed);
    println!("{:#?}", run.verdict);
    assert!(run.verdict.violations.is_empty(), "seed {seed} breaks its promises: see above");
    assert!(run.verdict.sales > 0, "seed {seed}: the checker saw no payment");
}

/// With so many seeds every fault strikes.
const ENOUGH: u64 = 40;

/// What many seeds came to.
#[derive(Default)]
pub struct Sum {
    pub seeds: u64,
    pub sales: usize,
    pub approved: usize,
    pub taken_back: usize,
    pub debits: usize,
    pub crashes: u64,
    /// How often each fault struck.
    pub struck: BTreeMap<Fault, u64>,
    pub simulated: Duration,
    pub took: Duration,
    pub threads: usize,
    /// The failed seeds, with their first violations.
    pub failed: BTreeMap<u64, Verdict>,
}

impl Sum {
    fn add(&mut self, run: Run) {
        self.seeds += 1;
        self.sales += run.verdict.sales;
        self.approved += run.verdict.approved;
        self.taken_back += run.verdict.taken_back;
        self.debits += run.verdict.debits;
        self.crashes += u64::from(run.crashes);
        self.simulated += run.elapsed;
        for (fault, times) in &run.struck {
            *self.struck.entry(*fault).or_default() += times;
        }
        if !run.verdict.violations.is_empty() {
            self.failed.insert(run.seed, run.verdict);
        }
    }

    /// # Panics
    /// If a promise was broken, if there was nothing to break, or if some fault never struck.
    pub fn assert_clean(&self) {
        for (seed, verdict) in self.failed.iter().take(10) {
            println!("seed {}: {:#?}", Seed::now(*seed), verdict.violations);
            println!(
                "replay it: SEED={} cargo test --release -p switch --test simulation every_seed -- --nocapture",
                Seed::now(*seed)
            );
        }
        assert!(self.failed.is_empty(), "{} of {} seeds break their promises", self.failed.len(), self.seeds);
        assert!(self.sales > 0 && self.approved > 0 && self.debits > 0, "the checker saw no payment: {self}");
        let idle: Vec<&Fault> = Fault::ALL
            .iter()
            .filter(|fault| self.struck.get(fault).is_none_or(|times| *times == 0))
            .collect();
        assert!(
            self.seeds < ENOUGH || idle.is_empty(),
            "injections that hit nothing in {} seeds: {idle:?}",
            self.seeds
        );
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (simulated, took) = (self.simulated.as_secs_f64(), self.took.as_secs_f64());
        write!(
            f,
            "{} seeds of version {}, {} sales ({} approved, {} taken back, {} debits), {} crashes, {simulated:.0} s simulated in \
             {took:.1} s on {} threads ({:.0}x real time a thread), {} seeds failed",
            self.seeds,
            version_now(),
            self.sales,
            self.approved,
            self.taken_back,
            self.debits,
            self.crashes,
            self.threads,
            simulated / took / f64::from(u32::try_from(self.threads).unwrap_or(1)),
            self.failed.len()
        )?;
        self.struck.iter().try_for_each(|(fault, times)| write!(f, "\n  {fault:?} struck {times} times"))
    }
}

/// Runs `count` seeds from `first` on, on all cores.
#[expect(clippy::disallowed_methods, reason = "how long it took is the machine's time")]
pub fn sweep(first: u64, count: u64) -> Sum {
    let began = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Sum { threads, ..Sum::default() }));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let run = run_one(seed);
                    sum.lock().unwrap().add(run);
                }
            });
        }
    });
    Sum { took: began.elapsed(), ..sum.into_inner().unwrap() }
}

/// A number from the environment.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
}
