//! Plants each bug in turn and lets the seeds look for it: the proof that the proof would notice.
//!
//! `BUG` hunts one bug only, `HUNT_EXCEPT` all but those, `HUNT_SEEDS` says how many seeds may look for each. Printed as the table of
//! docs/proof.md.
use crate::seeds::{Seed, run_one, setting};
use actors::planted::{Bug, hits, plant};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// With so many seeds each promise has been seen broken by two bugs at least.
pub const SEEDS: u64 = 400;

/// What became of one hunt.
pub struct Hunt {
    pub bug: Bug,
    /// The seed that found it, and how many had looked by then.
    pub found: Option<(u64, u64)>,
    pub broken: BTreeSet<&'static str>,
    pub what: String,
    /// How often the bug's place was passed.
    pub hits: u64,
    pub seconds: f64,
}

/// Hunts all bugs, or the one that `BUG` names, or those that `HUNT_EXCEPT` does not, on all cores.
pub fn hunt_all() -> Vec<Hunt> {
    let wanted = std::env::var("BUG").ok();
    let except = std::env::var("HUNT_EXCEPT").unwrap_or_default();
    let named: Vec<&str> = wanted.iter().map(String::as_str).chain(except.split_whitespace()).collect();
    let unknown: Vec<_> =
        named.iter().filter(|name| Bug::ALL.iter().all(|bug| bug.name() != **name)).collect();
    assert!(
        unknown.is_empty(),
        "BUG or HUNT_EXCEPT names no bug: {unknown:?}; they are listed in actors::planted"
    );
    let is_wanted = |bug: &Bug| match &wanted {
        Some(name) => bug.name() == name,
        None => !except.split_whitespace().any(|name| bug.name() == name),
    };
    let bugs: Vec<Bug> = Bug::ALL.iter().copied().filter(is_wanted).collect();
    assert!(!bugs.is_empty(), "HUNT_EXCEPT leaves no bug to be hunted");
    let (next, hunts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let hunt = hunt(*bug);
                    hunts.lock().unwrap().push(hunt);
                }
            });
        }
    });
    let mut hunts = hunts.into_inner().unwrap();
    hunts.sort_by_key(|hunt| hunt.bug);
    hunts
}

#[expect(clippy::disallowed_methods, reason = "how long it took is the machine's time")]
fn hunt(bug: Bug) -> Hunt {
    let began = std::time::Instant::now();
    let _alive = plant(bug);
    let mut hunt =
        Hunt { bug, found: None, broken: BTreeSet::new(), what: String::new(), hits: 0, seconds: 0.0 };
    let most = setting("HUNT_SEEDS", SEEDS);
    for seed in 1..=most {
        let run = catch_unwind(AssertUnwindSafe(|| run_one(seed)));
        hunt.hits = hits();
        let Ok(run) = run else {
            hunt.what = "it panics".into();
            continue;
        };
        let violations = run.verdict.violations;
        let Some(first) = violations.first() else { continue };
        hunt.broken.extend(violations.iter().map(|violation| violation.invariant));
        hunt.what.clone_from(&first.what);
        hunt.found = Some((seed, seed));
        break;
    }
    hunt.seconds = began.elapsed().as_secs_f64();
    hunt
}

/// One line a bug.
pub fn table(hunts: &[Hunt]) -> String {
    let head = "| bug | found by seed | after | promises seen broken | passed | what was seen |\n| --- | --- | --- | --- | --- | --- |\n";
    hunts.iter().fold(head.to_owned(), |text, hunt| {
        let found = hunt.found.map_or("**not found**".to_owned(), |(seed, _)| seed.to_string());
        let broken: Vec<&str> = hunt.broken.iter().copied().collect();
        let what: String = hunt.what.chars().take(110).collect();
        let line = format!(
            "| {} | {found} | {:.1} s | {} | {} | {what} |\n",
            hunt.bug.name(),
            hunt.seconds,
            broken.join(" "),
            hunt.hits
        );
        text + &line
    })
}

/// Which bugs tripped each promise.
pub fn by_promise(hunts: &[Hunt]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut tripped: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for hunt in hunts {
        for promise in &hunt.broken {
            tripped.entry(promise).or_default().push(hunt.bug.name());
        }
    }
    tripped
}

/// The command that shows how a bug was found.
pub fn replay_of(hunt: &Hunt) -> Option<String> {
    let (seed, _) = hunt.found?;
    Some(format!(
        "TURNOUT_PLANTED={} SEED={} cargo test --release -p switch --features planted --test simulation every_seed -- --nocapture",
        hunt.bug.name(),
        Seed::now(seed)
    ))
}
