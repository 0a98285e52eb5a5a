//! Drops segments that are older than the configured age, oldest first, and never a life that is still needed.
//!
//! Before a segment goes, every open payment, every payment that goes on in a later segment, and every terminal's
//! newest records in it are copied to the end of the log. Then a snapshot is made, so that no start needs the segment,
//! and only then is the file removed. A crash anywhere in between leaves more than is needed, never less.
use super::caretaker::Caretaker;
use super::frame::Frame;
use super::index::Fingerprint;
use super::record::{Location, Record};
use super::segment::{self, HEADER};
use super::shared::Shared;
use actors::domain::journal::{Entry, Subject};
use actors::domain::time::Timestamp;
use actors::planted::{Bug, is_planted};
use actors::ports::journal::JournalFault;
use std::collections::BTreeSet;

/// A subject may move on while it is copied; then it is copied again, up to this often in a round.
const COPIES_MAX: usize = 5;

/// A life to be copied.
struct Survivor {
    records: Vec<(Timestamp, Entry)>,
    newest: Location,
}

/// Drops what is old enough; how many segments went.
pub(super) async fn retire_old(caretaker: &Caretaker, shared: &Shared) -> usize {
    let mut dropped: usize = 0;
    while let Some(victim) = old_enough(shared) {
        match retire(caretaker, shared, victim).await {
            Ok(true) => dropped = dropped.saturating_add(1),
            Ok(false) => break,
            Err(error) => {
                tracing::error!(%error, segment = victim, "an old journal segment could not be dropped");
                break;
            }
        }
    }
    dropped
}

fn old_enough(shared: &Shared) -> Option<u32> {
    let now = shared.clock.now();
    let segments = shared.segments();
    let mut oldest = segments.values();
    let (victim, next) = (oldest.next()?, oldest.next()?);
    // A segment's last record is as old as the next segment.
    (now.since(next.opened) > shared.options.keep).then_some(victim.number)
}

async fn retire(caretaker: &Caretaker, shared: &Shared, victim: u32) -> Result<bool, JournalFault> {
    let subjects = subjects_in(shared, victim)?;
    for _ in 0..COPIES_MAX {
        let mut last = None;
        for subject in &subjects {
            if let Some(survivor) = survivor(shared, subject, victim)? {
                last = Some(shared.intake.carry(survivor.records, survivor.newest));
            }
        }
        let Some(last) = last else { return drop_segment(caretaker, shared, victim).await };
        if !caretaker.until(|| shared.intake.is_durable(last)).await {
            return Ok(false);
        }
    }
    Ok(false)
}

async fn drop_segment(caretaker: &Caretaker, shared: &Shared, victim: u32) -> Result<bool, JournalFault> {
    if !caretaker.snapshot_now().await {
        return Ok(false);
    }
    shared.lives().index.forget_before(victim.saturating_add(1));
    shared.segments().remove(&victim);
    shared.files.forget_before(victim.saturating_add(1));
    let removed =
        shared.disk.remove(&segment::name(victim)).and_then(|()| segment::sync_names(&*shared.disk));
    removed.map(|()| true).map_err(|error| JournalFault::Disk(error.to_string()))
}

fn subjects_in(shared: &Shared, victim: u32) -> Result<BTreeSet<Subject>, JournalFault> {
    let bytes = shared.files.rest_of(victim, 0)?;
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    let mut subjects = BTreeSet::new();
    while let Some(frame) = Frame::read(rest) {
        let records = frame.records().filter_map(Result::ok);
        subjects.extend(records.map(|(_, record)| record.entry.subject()));
        rest = rest.get(frame.bytes.len()..).unwrap_or_default();
    }
    Ok(subjects)
}

fn survivor(shared: &Shared, subject: &Subject, victim: u32) -> Result<Option<Survivor>, JournalFault> {
    let (newest, open) = {
        let lives = shared.lives();
        let open = matches!(subject, Subject::Payment(id) if lives.shelf.life(*id).is_some());
        (lives.index.get(Fingerprint::of(subject)), open)
    };
    let Some(newest) = newest else { return Ok(None) };
    let ends_here = newest.segment() <= victim;
    match subject {
        Subject::Terminal(_) | Subject::Till(_) if ends_here => {
            // A terminal's newest record tells its round, or its whole book; what was before it is history.
            let record = shared.files.latest(subject, newest)?;
            Ok(record.map(|record| Survivor { records: vec![copied(record)], newest }))
        }
        Subject::Payment(_) if open && ends_here && is_planted(Bug::RetentionDropsOpen) => Ok(None),
        Subject::Payment(_) if open || !ends_here => {
            let Some(life) = shared.files.life(subject, newest)? else { return Ok(None) };
            let begins_here = life.first().is_some_and(|(location, _)| location.segment() <= victim);
            let records = life.into_iter().map(|(_, record)| copied(record)).collect();
            Ok(begins_here.then_some(Survivor { records, newest }))
        }
        _ => Ok(None),
    }
}

fn copied(record: Record) -> (Timestamp, Entry) {
    (record.at, record.entry)
}
