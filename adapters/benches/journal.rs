//! Append with group commit by 1 to 1,024 waiting writers, and encoding and decoding of a fact.
//!
//! `cargo bench -p adapters --bench journal`. The figures to compare with are in `docs/performance.md`. The journal
//! lies under `target`, on a real disk: a memory file system would measure nothing.
#![allow(missing_docs, clippy::expect_used)]

use actors::domain::journal::Entry;
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use actors::ports::contract::samples;
use actors::ports::journal::Journal;
use adapters::journal::{FileJournal, Options, codec, start};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// The floor of the same moment: one write and one sync of a batch in a zero-filled file, and nothing else.
struct Floor {
    file: std::fs::File,
    at: u64,
}

const FLOOR_BYTES: u64 = 64 * 1024 * 1024;
/// What a claim takes in the journal, its share of the frame included.
const CLAIM_BYTES: u64 = 64;

impl Floor {
    fn new(directory: &Path) -> Self {
        let file = std::fs::File::create(directory.join("floor")).expect("a file");
        let zeros = vec![0; 1024 * 1024];
        (0..64).for_each(|chunk| file.write_all_at(&zeros, chunk * 1024 * 1024).expect("a write"));
        file.sync_all().expect("a sync");
        Self { file, at: 0 }
    }

    fn commit(&mut self, records: u64) {
        let bytes = vec![7; usize::try_from(records * CLAIM_BYTES).expect("a length")];
        if self.at + records * CLAIM_BYTES > FLOOR_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&bytes, self.at).expect("a write");
        self.file.sync_data().expect("a sync");
        self.at += records * CLAIM_BYTES;
    }
}

/// Entries that are cheap to make, so that the journal is measured: claims of a thousand terminals.
async fn append_claims(journal: &FileJournal, writers: u64, rounds: u64) {
    let tasks = (0..writers).map(|writer| {
        let journal = journal.clone();
        let binding = samples::bound(u32::try_from(writer).unwrap_or(0), 1);
        tokio::spawn(async move {
            for _ in 0..rounds {
                let seq = journal.append(samples::BEGIN, vec![binding.clone()]);
                journal.durable(seq).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a task that ends");
    }
}

fn appends(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut group = criterion.benchmark_group("append");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for writers in [1_u64, 16, 64, 256, 1024] {
        let under = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let directory = tempfile::tempdir_in(under).expect("a directory");
        let clock = Arc::new(RealClock(now()));
        let running = start(directory.path(), clock, Options::PRODUCTION).expect("a journal");
        std::thread::sleep(Duration::from_secs(2));
        group.throughput(Throughput::Elements(writers));
        group.bench_function(format!("{writers} writers, a claim each"), |bencher| {
            bencher.iter_custom(|rounds| {
                let began = now();
                runtime.block_on(append_claims(&running.journal, writers, rounds));
                began.elapsed()
            });
        });
        let mut floor = Floor::new(directory.path());
        group.bench_function(format!("{writers} records, the floor: one write and sync"), |bencher| {
            bencher.iter(|| floor.commit(writers));
        });
        running.stop();
    }
    group.finish();
}

fn facts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fact");
    for (name, entry) in samples::every_kind() {
        if !["opened", "consented", "permitted", "settled", "bound"].contains(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        codec::encode(&entry, &mut bytes).expect("an entry");
        group.bench_function(format!("encode {name}, {} bytes", bytes.len()), |bencher| {
            let mut to: Vec<u8> = Vec::with_capacity(1024);
            bencher.iter(|| {
                to.clear();
                codec::encode(black_box(&entry), &mut to)
            });
        });
        group.bench_function(format!("decode {name}, {} bytes", bytes.len()), |bencher| {
            bencher.iter(|| -> Result<Entry, _> { codec::decode(codec::VERSION, black_box(&bytes)) });
        });
    }
    group.finish();
}

criterion_group!(benches, facts, appends);
criterion_main!(benches);
