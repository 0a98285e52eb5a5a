//! The journal on a disk that will lose its power: appends from several writers, and says what became durable.
//!
//! `cut_journal FOLDER LIFE ACKNOWLEDGED` first opens the journal as a start does, checks that everything named in the
//! file ACKNOWLEDGED (by earlier lives) is there, and then appends until the disk fails. It prints one line for each
//! thing that happens: see [`say`]. The hand on the switch is `adapters/tests/power_cut.py`.
#![allow(clippy::expect_used)]

use actors::domain::journal::{Entry, Recorded, Seq, Subject};
use actors::ports::contract::samples;
use actors::ports::disk::{Disk, DiskFile};
use actors::ports::journal::Journal;
use adapters::clock::SteadyClock;
use adapters::disk::Directory;
use adapters::journal::{FileJournal, Opened, Options, TailFault, open, verify};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Small, so that segments change, snapshots are made and old segments are dropped all the time.
const OPTIONS: Options = Options {
    segment_bytes: 16 * 1024,
    snapshot_every: 24 * 1024,
    keep: Duration::from_millis(400),
    gather: Duration::ZERO,
    pending_max: 1000,
    ..Options::PRODUCTION
};
const WRITERS: u32 = 8;
/// What a sync of a disk takes; that of an image in memory takes next to nothing.
const SYNC_TAKES: Duration = Duration::from_millis(2);
/// One payment of so many stays open for ever: it must outlive the segments it began in.
const OPEN_EVERY: u64 = 16;

/// What an acknowledged call appended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Bound,
    Begun,
    Paid,
}

/// A call that was acknowledged: where it stands and what it said.
struct Acknowledged {
    last: Seq,
    part: Part,
    terminal: u32,
    number: u64,
}

/// One line to whoever holds the switch: READY, ACK, NAME (a file got its name), FATAL, LOST.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody listens any more: the life is over.
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(2);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("FOLDER LIFE ACKNOWLEDGED");
    let (folder, life, acknowledged) = (next(), next().parse().expect("a number"), next());
    let acknowledged = std::fs::read_to_string(acknowledged).expect("the acknowledgements of earlier lives");
    let acknowledged: Vec<_> = acknowledged.lines().map(|line| read(line).expect("an ACK line")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(lived(Path::new(&folder), life, &acknowledged));
}

async fn lived(folder: &Path, life: u64, acknowledged: &[Acknowledged]) {
    let disk = match Directory::exclusive(folder) {
        Ok(directory) => Arc::new(Telling(directory)),
        Err(fault) => return lost(&format!("the folder: {fault}")),
    };
    let opened =
        match open(disk.clone(), Arc::new(SteadyClock::starting_now()), OPTIONS, Box::new(ended)).await {
            Ok(opened) => opened,
            Err(fault) => return lost(&format!("the journal does not open: {fault}")),
        };
    let Opened { journal, writer, caretaker, recovery } = opened;
    let report = verify(disk);
    if !report.is_sound() {
        return lost(&report.to_string());
    }
    // What is asked waits for what was appended, and nothing was.
    let oldest = match all_there(&journal, acknowledged).await {
        Ok(oldest) => oldest,
        Err(what) => return lost(&what),
    };
    say(&format!(
        "READY last={} oldest={} torn={} snapshot={} ignored={}",
        recovery.last.0,
        oldest.0,
        recovery.torn,
        u8::from(recovery.snapshot.is_some()),
        recovery.snapshots_ignored
    ));
    std::thread::spawn(move || on_own_runtime(writer.run()));
    std::thread::spawn(move || {
        on_own_runtime(async move {
            caretaker.retire_old().await;
            caretaker.run().await;
        });
    });
    for writer in 0..WRITERS {
        tokio::spawn(pays(journal.clone(), writer, life));
    }
    std::future::pending::<()>().await;
}

fn on_own_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(work);
}

/// The end that a cut brings: the disk fails under the writer.
fn ended(fatal: adapters::journal::Fatal) {
    say(&format!("FATAL {fatal}"));
    std::process::exit(0);
}

fn lost(what: &str) {
    say(&format!("LOST {what}"));
    std::process::exit(1);
}

/// One terminal's payments, one after the other, until the disk fails.
async fn pays(journal: FileJournal, terminal: u32, life: u64) {
    for round in 0.. {
        let number = life * 100_000 + round;
        append(&journal, Part::Bound, terminal, number).await;
        append(&journal, Part::Begun, terminal, number).await;
        if !stays_open(number) {
            append(&journal, Part::Paid, terminal, number).await;
        }
    }
}

const fn stays_open(number: u64) -> bool {
    number.is_multiple_of(OPEN_EVERY)
}

async fn append(journal: &FileJournal, part: Part, terminal: u32, number: u64) {
    let last = journal.append(samples::BEGIN, part.entries(terminal, number));
    journal.durable(last).await;
    say(&format!("ACK {} {} {terminal} {number}", last.0, part.letter()));
}

impl Part {
    const fn letter(self) -> char {
        match self {
            Self::Bound => 'b',
            Self::Begun => 'o',
            Self::Paid => 'p',
        }
    }

    fn of(letter: &str) -> Option<Self> {
        [Self::Bound, Self::Begun, Self::Paid].into_iter().find(|part| letter.chars().eq([part.letter()]))
    }

    fn entries(self, terminal: u32, number: u64) -> Vec<Entry> {
        match self {
            Self::Bound => vec![samples::bound(terminal, number + 1)],
            Self::Begun => samples::open_life(terminal, number),
            Self::Paid => samples::paid_life(terminal, number).split_off(3),
        }
    }
}

fn read(line: &str) -> Option<Acknowledged> {
    let mut words = line.split(' ').skip(1);
    Some(Acknowledged {
        last: Seq(words.next()?.parse().ok()?),
        part: Part::of(words.next()?)?,
        terminal: words.next()?.parse().ok()?,
        number: words.next()?.parse().ok()?,
    })
}

/// Checks that every acknowledged call is in its place, that open payments are whole, and that bindings are no older.
/// Where the log now begins.
async fn all_there(journal: &FileJournal, acknowledged: &[Acknowledged]) -> Result<Seq, String> {
    let (oldest, records) = everything(journal)?;
    let mut open = BTreeMap::new();
    let mut bound: BTreeMap<u32, u64> = BTreeMap::new();
    for call in acknowledged {
        in_its_place(call, oldest, &records)?;
        match call.part {
            Part::Bound => drop(bound.insert(call.terminal, call.number + 1)),
            // Another one may have been paid, and dropped, without a word of it that was heard.
            Part::Begun if stays_open(call.number) => drop(open.insert(call.number, call.terminal)),
            Part::Begun | Part::Paid => {}
        }
    }
    for (number, terminal) in open {
        let life = journal.life(Subject::Payment(samples::payment(terminal, number))).await;
        let facts: Vec<Entry> =
            life.map_err(|fault| fault.to_string())?.into_iter().map(|r| r.entry).collect();
        if !facts.starts_with(&samples::open_life(terminal, number)) {
            return Err(format!("open payment {number} of terminal {terminal}: {} of 3 facts", facts.len()));
        }
    }
    for (terminal, epoch) in bound {
        let latest = journal.latest(Subject::Terminal(samples::terminal_id(terminal))).await;
        let newest = latest.map_err(|fault| fault.to_string())?.map(|recorded| recorded.entry);
        if newest.as_ref().is_none_or(|entry| epoch_of(entry) < epoch) {
            return Err(format!("terminal {terminal} was bound in round {epoch}, found {newest:?}"));
        }
    }
    Ok(oldest)
}

/// A call whose segment was dropped for its age is no longer looked for here.
fn in_its_place(call: &Acknowledged, oldest: Seq, records: &BTreeMap<Seq, Entry>) -> Result<(), String> {
    let entries = call.part.entries(call.terminal, call.number);
    let seqs = (0..=call.last.0).rev().map(Seq);
    for (seq, entry) in seqs.zip(entries.iter().rev()).filter(|(seq, _)| *seq >= oldest) {
        if records.get(&seq) != Some(entry) {
            let found = records.get(&seq);
            return Err(format!(
                "acknowledged record {} is not there: {found:?} instead of {entry:?}",
                seq.0
            ));
        }
    }
    Ok(())
}

fn everything(journal: &FileJournal) -> Result<(Seq, BTreeMap<Seq, Entry>), String> {
    let (oldest, read) = match journal.tail(Seq(1)).read(usize::MAX) {
        Err(TailFault::Dropped { oldest }) => (oldest, journal.tail(oldest).read(usize::MAX)),
        read => (Seq(1), read),
    };
    let records = read.map_err(|fault| fault.to_string())?;
    Ok((oldest, records.into_iter().map(|Recorded { seq, entry, .. }| (seq, entry)).collect()))
}

fn epoch_of(entry: &Entry) -> u64 {
    match entry {
        Entry::Binding(_, actors::domain::binding::BindingFact::Bound { claim, .. }) => claim.epoch,
        _ => 0,
    }
}

/// The real directory on a disk that takes its time, so that a cut finds something written and not yet synced. It says
/// when a file gets its name: the moments at which a cut is most telling.
struct Telling(Directory);

struct Slow(Box<dyn DiskFile>);

impl Disk for Telling {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Slow(self.0.open(name)?)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Slow(self.0.create(name)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)?;
        say(&format!("NAME {to}"));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }
}

impl DiskFile for Slow {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        std::thread::sleep(SYNC_TAKES);
        self.0.sync()
    }
}
