//! From what lies on a disk to a journal that is ready: snapshot, tail, and what to do about a torn end.
//!
//! A torn tail is cut back, counted and logged; what is whole is made durable before anybody hears of it. Damage is
//! refused with its place. A snapshot that cannot be believed is ignored; but one that is sound proves that the log once
//! reached its mark, so a log that ends before is damaged.
use super::index::{Fingerprint, Index};
use super::intake::Intake;
use super::lives::{Lives, Placed};
use super::reader::{Files, damaged};
use super::record::{Location, Record};
use super::segment::{self, Header};
use super::shared::Shared;
use super::snapshot::{self, Mark, Snapshot};
use super::walk::{self, Tail};
use super::writer::{OnFatal, Writer};
use super::{FileJournal, Misconfigured, Opened, Options, Recovery};
use actors::domain::journal::{Seq, Subject};
use actors::ports::clock::Clock;
use actors::ports::disk::Disk;
use actors::ports::journal::JournalFault;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Why a journal cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenFault {
    /// The options contradict themselves.
    #[error(transparent)]
    Misconfigured(#[from] Misconfigured),
    /// The log is damaged or cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// The disk refused something that a start needs.
    #[error("the journal's disk refused to {what}: {error}; make room or repair the disk, then start again")]
    Disk {
        /// What it refused.
        what: &'static str,
        /// How.
        error: String,
    },
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> OpenFault {
    move |error| OpenFault::Disk { what, error: error.to_string() }
}

/// A log read into memory.
struct Loaded {
    lives: Lives,
    mark: Mark,
    tail: Tail,
    recovery: Recovery,
}

/// Opens the journal on `disk`, making one if there is none. Nothing is written from then on until writer and
/// caretaker run.
pub async fn open(
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: Options,
    on_fatal: OnFatal,
) -> Result<Opened, OpenFault> {
    options.check()?;
    let files = Files::new(disk.clone());
    tidy_up(&*disk)?;
    let (mut headers, unborn) = walk::headers(&*disk, &files)?;
    if let Some(number) = unborn {
        disk.remove(&segment::name(number)).map_err(refused("remove an empty segment"))?;
        // The number will be used again, for another file.
        files.forget_before(number.saturating_add(1));
    }
    if headers.is_empty() {
        let header = first_segment(&*disk, &*clock, &options).await?;
        headers.insert(header.number, header);
    }
    let oldest = headers.first_key_value().map_or(1, |(number, _)| *number);
    files.forget_before(oldest);
    let mut loaded = load(&*disk, &files, &headers)?;
    if let Tail::Torn(length) = loaded.tail {
        walk::cut_back(&*disk, loaded.mark.end, length).map_err(refused("cut back a torn tail"))?;
        let (file, offset) = (segment::name(loaded.mark.end.segment()), loaded.mark.end.offset());
        tracing::warn!(
            file,
            offset,
            bytes = length,
            "a torn journal tail was cut back; nobody had been told of it"
        );
    }
    walk::seal(&*disk, &files, &loaded.mark)?;
    loaded.recovery.segments = headers.len();
    assemble(disk, clock, options, on_fatal, files, headers, loaded)
}

fn tidy_up(disk: &dyn Disk) -> Result<(), OpenFault> {
    let names = walk::list(disk)?;
    for name in names.iter().filter(|name| [segment::FILLING, snapshot::WRITING].contains(&name.as_str())) {
        disk.remove(name).map_err(refused("remove a half-written file"))?;
    }
    Ok(())
}

async fn first_segment(disk: &dyn Disk, clock: &dyn Clock, options: &Options) -> Result<Header, OpenFault> {
    if !segment::is_prepared(disk, options.segment_bytes())
        .map_err(refused("look at the prepared segment"))?
    {
        let prepared = segment::prepare(disk, options.segment_bytes()).await;
        prepared.map_err(refused("prepare the first segment"))?;
    }
    let header =
        Header { number: 1, first_seq: 1, opened: clock.now(), chain: super::frame::Chain::default() };
    segment::activate(disk, &header).map_err(refused("make the first segment"))?;
    Ok(header)
}

fn assemble(
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: Options,
    on_fatal: OnFatal,
    files: Files,
    headers: BTreeMap<u32, Header>,
    loaded: Loaded,
) -> Result<Opened, OpenFault> {
    let Loaded { lives, mark, tail, recovery } = loaded;
    let file = disk.open(&segment::name(mark.end.segment())).map_err(refused("open the last segment"))?;
    let length = file.len().map_err(refused("tell a segment's length"))?;
    let prepared = segment::is_prepared(&*disk, options.segment_bytes())
        .map_err(refused("look at the prepared segment"))?;
    let shared = Shared::new(options, disk, clock, files, Intake::new(mark.seq), lives, headers);
    let shared = Arc::new(shared);
    if prepared {
        shared.desk.put_prepared();
    }
    shared.gauges.torn_tails.increment(u64::from(tail != Tail::Clean));
    shared.gauges.snapshots_ignored.increment(u64::try_from(recovery.snapshots_ignored).unwrap_or(0));
    Ok(Opened {
        journal: FileJournal::new(shared.clone()),
        writer: Writer::new(shared.clone(), on_fatal, file, length, mark),
        caretaker: super::caretaker::Caretaker::new(shared),
        recovery,
    })
}

fn load(disk: &dyn Disk, files: &Files, headers: &BTreeMap<u32, Header>) -> Result<Loaded, JournalFault> {
    let mut recovery = Recovery::default();
    let mut furthest = Seq(0);
    let names = snapshot::names(disk).map_err(|error| JournalFault::Disk(error.to_string()))?;
    for name in names {
        let Some(snapshot) = snapshot::load(disk, &name) else {
            tracing::warn!(name, "a journal snapshot is not whole and was ignored");
            recovery.snapshots_ignored = recovery.snapshots_ignored.saturating_add(1);
            continue;
        };
        furthest = furthest.max(snapshot.mark.seq);
        if let Some(lives) = believed(&snapshot, files, headers)? {
            recovery.snapshot = Some(snapshot.mark.seq);
            return replay(files, headers, snapshot.mark, lives, recovery, furthest);
        }
        tracing::warn!(name, "a journal snapshot does not belong to this log and was ignored");
        recovery.snapshots_ignored = recovery.snapshots_ignored.saturating_add(1);
    }
    let Some((_, oldest)) = headers.first_key_value() else {
        return Err(JournalFault::Disk("there is no segment".to_owned()));
    };
    let lives = Lives { index: Index::from_table(Vec::new(), oldest.number), ..Lives::default() };
    replay(files, headers, walk::beginning(oldest), lives, recovery, furthest)
}

/// What a snapshot says, if the log has what it is bound to.
fn believed(
    snapshot: &Snapshot,
    files: &Files,
    headers: &BTreeMap<u32, Header>,
) -> Result<Option<Lives>, JournalFault> {
    let mark = &snapshot.mark;
    let Some((oldest, _)) = headers.first_key_value() else { return Ok(None) };
    if !is_bound(mark, files, headers) {
        return Ok(None);
    }
    let index = Index::from_table(snapshot.table.clone(), *oldest);
    let mut lives = Lives { index, ..Lives::default() };
    for id in &snapshot.open {
        let newest = lives.index.get(Fingerprint::of(&Subject::Payment(*id)));
        let Some(newest) = newest else { return Ok(None) };
        lives.reopen(*id, newest, files)?;
    }
    Ok(Some(lives))
}

/// Whether the log goes on where the mark says: behind its last frame, or where a segment begins after it.
fn is_bound(mark: &Mark, files: &Files, headers: &BTreeMap<u32, Header>) -> bool {
    let Some(header) = headers.get(&mark.end.segment()) else { return false };
    let frame_end =
        mark.last_frame.and_then(|at| files.frame_end(at, mark.chain, mark.seq.0.saturating_add(1)));
    let begins = walk::beginning(header);
    frame_end == Some(mark.end) || (begins.seq, begins.chain, begins.end) == (mark.seq, mark.chain, mark.end)
}

fn replay(
    files: &Files,
    headers: &BTreeMap<u32, Header>,
    from: Mark,
    mut lives: Lives,
    mut recovery: Recovery,
    furthest: Seq,
) -> Result<Loaded, JournalFault> {
    let mut take = |location: Location, record: Record| {
        recovery.replayed = recovery.replayed.saturating_add(1);
        let Record { kind, prev, at, entry, .. } = record;
        lives.take_in(&Placed { location, prev, kind, at, entry: &entry }, files)
    };
    let (mark, tail) = walk::walk(files, headers, from, &mut take)?;
    if mark.seq < furthest {
        return Err(damaged(mark.end, "the log ends before one of its own snapshots"));
    }
    recovery.last = mark.seq;
    recovery.torn = if let Tail::Torn(bytes) = tail { bytes } else { 0 };
    recovery.open_payments = lives.shelf.len();
    Ok(Loaded { lives, mark, tail, recovery })
}
