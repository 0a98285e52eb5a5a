//! A disk with a small sound journal on it, and the ways in which an input damages it.
//!
//! The journal is written by the real writer: several segments, two snapshots, open and finished payments. An input is
//! a list of changes; if it says so, checksums and chain are made right over them afterwards.
use crate::draw::Draw;
use crate::reseal;
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use actors::ports::contract::samples;
use actors::ports::disk::Disk;
use actors::ports::journal::Journal;
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::{Opened, Options, open, segment};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How the journal works.
pub const OPTIONS: Options = Options {
    segment_bytes: 4096,
    snapshot_every: 2048,
    keep: Duration::from_hours(24),
    gather: Duration::ZERO,
    pending_max: 1000,
    ..Options::PRODUCTION
};
/// More files than this are not made.
const FILES_MAX: usize = 12;
/// Larger files are not made.
const BYTES_MAX: usize = 8192;

/// A clock that stands still.
pub struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        samples::BEGIN
    }
}

/// Files by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The sound journal.
pub static SOUND: LazyLock<Files> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let disk = SimulatedDisk::new();
    runtime.block_on(written(disk.clone()));
    let names = disk.list().expect("names").into_iter().filter(|name| name != segment::PREPARED);
    names.map(|name| (name.clone(), disk.bytes(&name))).collect()
});

async fn written(disk: SimulatedDisk) {
    let on_fatal = Box::new(|fatal| panic!("{fatal}"));
    let opened = open(Arc::new(disk), Arc::new(Still), OPTIONS, on_fatal).await.expect("a new journal");
    let Opened { journal, writer, caretaker, .. } = opened;
    let workers = (tokio::spawn(writer.run()), tokio::spawn(caretaker.run()));
    for number in 0..3 {
        let terminal = u32::try_from(number % 2).unwrap_or(0);
        let life = match number % 3 {
            2 => samples::open_life(terminal, number),
            _ => samples::paid_life(terminal, number),
        };
        journal.append(samples::BEGIN, vec![samples::bound(terminal, number + 1)]);
        let last = journal.append(samples::BEGIN, life);
        journal.durable(last).await;
    }
    journal.stop();
    workers.0.await.expect("the writer's end");
    workers.1.await.expect("the caretaker's end");
}

/// The sound journal after what `draw` does to it.
pub fn damaged(mut draw: Draw<'_>) -> Files {
    let mut files = SOUND.clone();
    let is_resealed = draw.byte() & 1 == 1;
    while !draw.is_empty() {
        change(&mut files, &mut draw);
    }
    if is_resealed {
        resealed(&mut files);
    }
    files
}

/// A disk with these files on it, durably.
pub fn holding(files: &Files) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    for (name, bytes) in files {
        let file = disk.create(name).expect("a new file");
        file.write_at(0, bytes).expect("a write");
        file.sync().expect("a sync");
    }
    disk.sync_directory().expect("a sync");
    disk
}

fn change(files: &mut Files, draw: &mut Draw<'_>) {
    let kind = draw.byte() % 8;
    let Some(name) = pick(files, draw) else { return added(files, draw) };
    match kind {
        0 => overwrite(files, &name, draw),
        1 => {
            let length = draw.short() % BYTES_MAX;
            files.entry(name).or_default().resize(length, 0);
        }
        2 => drop(files.remove(&name)),
        3 => {
            let bytes = files.remove(&name).unwrap_or_default();
            files.insert(new_name(draw), bytes);
        }
        4 => added(files, draw),
        5 => copied(files, &name, draw),
        6 => {
            let (at, bit) = (draw.short(), draw.byte() % 8);
            if let Some(byte) = files.entry(name).or_default().get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        _ => {
            let tail = draw.piece();
            let bytes = files.entry(name).or_default();
            bytes.extend_from_slice(tail);
            bytes.truncate(BYTES_MAX);
        }
    }
}

fn pick(files: &Files, draw: &mut Draw<'_>) -> Option<String> {
    let which = usize::from(draw.byte()).checked_rem(files.len())?;
    files.keys().nth(which).cloned()
}

fn overwrite(files: &mut Files, name: &str, draw: &mut Draw<'_>) {
    let (at, length) = (draw.short(), usize::from(draw.byte() % 32) + 1);
    let written = draw.bytes(length);
    let place = files.get_mut(name).and_then(|bytes| bytes.get_mut(at..at + written.len()));
    if let Some(place) = place {
        place.copy_from_slice(written);
    }
}

fn copied(files: &mut Files, from: &str, draw: &mut Draw<'_>) {
    let (start, length, at) = (draw.short(), draw.short(), draw.short());
    let piece = files.get(from).and_then(|bytes| bytes.get(start..start + length)).map(<[u8]>::to_vec);
    let to = pick(files, draw);
    if let (Some(piece), Some(to)) = (piece, to)
        && let Some(place) = files.get_mut(&to).and_then(|bytes| bytes.get_mut(at..at + piece.len()))
    {
        place.copy_from_slice(&piece);
    }
}

fn added(files: &mut Files, draw: &mut Draw<'_>) {
    if files.len() < FILES_MAX {
        let (name, bytes) = (new_name(draw), draw.piece());
        files.insert(name, bytes.iter().copied().take(BYTES_MAX).collect());
    }
}

fn new_name(draw: &mut Draw<'_>) -> String {
    match draw.byte() % 5 {
        0 => format!("snapshot-{:020}", draw.word()),
        1 => segment::PREPARED.to_owned(),
        2 => segment::FILLING.to_owned(),
        3 => "snapshot.tmp".to_owned(),
        _ => segment::name(draw.word()),
    }
}

fn resealed(files: &mut Files) {
    let mut chain = None;
    for (_, bytes) in files.iter_mut().filter(|(name, _)| segment::number(name).is_some()) {
        let before = chain.or_else(|| bytes.get(32..64).and_then(|hash| hash.try_into().ok()));
        chain = Some(reseal::segment(bytes, before.unwrap_or_default()));
    }
    let sealed = files.clone();
    for (_, bytes) in files.iter_mut().filter(|(name, _)| name.starts_with("snapshot-")) {
        reseal::snapshot(bytes, |number, offset| {
            sealed.get(&segment::name(number)).and_then(|bytes| bytes.get(offset..)).map(<[u8]>::to_vec)
        });
    }
}
