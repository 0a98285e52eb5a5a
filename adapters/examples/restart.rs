//! Fills a journal with a million finished and ten thousand open payments, and measures how soon it is ready again.
//!
//! `cargo run --release -p adapters --example restart`. Three starts: after a clean stop, from the
//! snapshot before (as after a kill: the tail is replayed), and with no snapshot at all. With a folder as argument it
//! only fills a journal there: for `turnout serve` to be started on (docs/performance.md says how).
#![allow(clippy::expect_used)]

use actors::domain::journal::Seq;
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use actors::ports::contract::{complete, samples};
use actors::ports::journal::Journal;
use adapters::journal::{Options, Running, start};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const FINISHED: u64 = 1_000_000;
const OPEN: u64 = 10_000;
/// How many payments are appended before the disk is waited for.
const BATCH: u64 = 2_000;

struct RealClock(Instant);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        samples::BEGIN.plus(self.0.elapsed())
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

fn started(directory: &Path, story: &str) -> Running {
    let began = now();
    let running = start(directory, Arc::new(RealClock(began)), Options::PRODUCTION).expect("a journal");
    println!("{story}: ready after {:?}; {:?}", began.elapsed(), running.recovery);
    running
}

fn fill(running: &Running) {
    let began = now();
    let mut last = Seq(0);
    for number in 0..FINISHED + OPEN {
        let terminal = u32::try_from(number % 5_000).unwrap_or(0);
        // The open ones are spread over the last tenth.
        let is_open = number >= FINISHED - FINISHED / 10 && number % 11 == 0;
        let entries =
            if is_open { samples::open_life(terminal, number) } else { samples::paid_life(terminal, number) };
        last = running.journal.append(samples::BEGIN, entries);
        if number % BATCH == 0 {
            complete(running.journal.durable(last));
        }
    }
    complete(running.journal.durable(last));
    println!("{} records written in {:?}", last.0, began.elapsed());
}

fn main() {
    if let Some(folder) = std::env::args_os().nth(1) {
        let running = started(Path::new(&folder), "empty");
        fill(&running);
        return running.stop();
    }
    let under = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let directory = tempfile::tempdir_in(under).expect("a directory");
    let running = started(directory.path(), "empty");
    fill(&running);
    running.stop();
    started(directory.path(), "after a clean stop").stop();
    remove_snapshots(directory.path(), 1);
    started(directory.path(), "from the snapshot before").stop();
    remove_snapshots(directory.path(), usize::MAX);
    started(directory.path(), "without any snapshot").stop();
}

/// Removes the newest snapshots, as if the process had been killed before they were written.
fn remove_snapshots(directory: &Path, count: usize) {
    let entries = std::fs::read_dir(directory).expect("a directory").filter_map(Result::ok);
    let mut snapshots: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("snapshot-"))
        .collect();
    snapshots.sort();
    for path in snapshots.iter().rev().take(count) {
        std::fs::remove_file(path).expect("a snapshot to remove");
    }
}
