//! Walks a log in order and judges the first thing that is wrong: a torn tail, or damage.
//!
//! A frame that is not whole at the very end, with nothing sound behind it, was never acknowledged: a tail. Anything
//! else was: damage. Opening and verifying share this walk; it changes nothing.
use super::frame::{self, Frame};
use super::reader::{Files, damaged};
use super::record::{Location, Record};
use super::segment::{self, HEADER, Header};
use super::snapshot::Mark;
use actors::domain::journal::Seq;
use actors::planted::{Bug, is_planted};
use actors::ports::disk::Disk;
use actors::ports::journal::JournalFault;
use std::collections::BTreeMap;
use std::io;

/// What lies behind the last sound frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Zeros.
    Clean,
    /// The remains of a batch that was being written: so many bytes are to be zeroed.
    Torn(usize),
}

/// The headers of all segments, oldest first, without gaps. A last segment whose header never became whole and that
/// holds nothing is left out and named.
pub fn headers(disk: &dyn Disk, files: &Files) -> Result<(BTreeMap<u32, Header>, Option<u32>), JournalFault> {
    let mut numbers: Vec<u32> = list(disk)?.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    let last = numbers.last().copied();
    let mut headers: BTreeMap<u32, Header> = BTreeMap::new();
    for number in numbers {
        let start = Location::new(number, 0);
        if headers.last_key_value().is_some_and(|(before, _)| before.saturating_add(1) != number) {
            return Err(damaged(start, "a segment before this one is missing"));
        }
        match Header::read(&files.some_of(number, 0, HEADER)?) {
            Ok(header) if header.number == number => {
                headers.insert(number, header);
            }
            Ok(_) => return Err(damaged(start, "a segment under another one's name")),
            Err(what) if Some(number) != last || frame::found_in(&files.rest_of(number, 0)?) => {
                return Err(damaged(start, what));
            }
            Err(_) => return Ok((headers, Some(number))),
        }
    }
    Ok((headers, None))
}

/// The place before the first record of the log.
pub fn beginning(oldest: &Header) -> Mark {
    Mark {
        seq: Seq(oldest.first_seq.saturating_sub(1)),
        chain: oldest.chain,
        last_frame: None,
        end: Location::new(oldest.number, u32::try_from(HEADER).unwrap_or(u32::MAX)),
    }
}

/// Takes every record from `from` on; where the log ends, and how.
pub fn walk(
    files: &Files,
    headers: &BTreeMap<u32, Header>,
    from: Mark,
    take: &mut dyn FnMut(Location, Record) -> Result<(), JournalFault>,
) -> Result<(Mark, Tail), JournalFault> {
    let mut mark = from;
    let last = headers.last_key_value().map_or(0, |(number, _)| *number);
    loop {
        let number = mark.end.segment();
        let began = mark.end.offset();
        let bytes = files.rest_of(number, began)?;
        let bad = frames(&bytes, &mut mark, take)?;
        let behind = mark.end.offset().saturating_sub(began);
        let rest = bytes.get(usize::try_from(behind).unwrap_or(usize::MAX)..).unwrap_or_default();
        let tail = judge(rest, mark.end, bad, number == last)?;
        let next = number.checked_add(1).and_then(|next| headers.get(&next));
        let Some(next) = next else { return Ok((mark, tail)) };
        let follows = (next.first_seq, next.chain) == (mark.seq.0.saturating_add(1), mark.chain);
        if !follows && !is_planted(Bug::ChainUnchecked) {
            return Err(damaged(mark.end, "records are missing between this segment and the next"));
        }
        mark.end = beginning(next).end;
    }
}

fn frames(
    bytes: &[u8],
    mark: &mut Mark,
    take: &mut dyn FnMut(Location, Record) -> Result<(), JournalFault>,
) -> Result<Option<&'static str>, JournalFault> {
    let mut rest = bytes;
    loop {
        if rest.len() < frame::OVERHEAD || rest.starts_with(&[0; 4]) {
            return Ok(None);
        }
        let Some(frame) = Frame::read(rest) else { return Ok(Some("a batch that is not whole")) };
        let follows = frame.before == mark.chain && frame.first_seq == mark.seq.0.saturating_add(1);
        if !follows && !is_planted(Bug::ChainUnchecked) {
            return Ok(Some("a batch that does not follow the one before it"));
        }
        if is_planted(Bug::TailCutTooFar) && is_torn(rest.get(frame.bytes.len()..)) {
            return Ok(Some("a batch before one that is not whole"));
        }
        records(&frame, mark.end, take)?;
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        *mark = Mark {
            seq: Seq(frame.next_seq().saturating_sub(1)),
            chain: frame.hash(),
            last_frame: Some(mark.end),
            end: Location::new(mark.end.segment(), mark.end.offset().saturating_add(length)),
        };
        rest = rest.get(frame.bytes.len()..).unwrap_or_default();
    }
}

fn is_torn(bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| !segment::is_zero(bytes) && Frame::read(bytes).is_none())
}

fn records(
    frame: &Frame<'_>,
    begins: Location,
    take: &mut dyn FnMut(Location, Record) -> Result<(), JournalFault>,
) -> Result<(), JournalFault> {
    let mut next = frame.first_seq;
    for record in frame.records() {
        let place = |at: usize| {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            Location::new(begins.segment(), begins.offset().saturating_add(at))
        };
        // Its batch is whole, so this is no torn tail: it was written like this.
        let (at, record) = record.map_err(|(at, what)| damaged(place(at), what))?;
        if record.seq != Seq(next) {
            return Err(damaged(place(at), "a record out of order"));
        }
        next = next.saturating_add(1);
        take(place(at), record)?;
    }
    if next == frame.next_seq() { Ok(()) } else { Err(damaged(begins, "a batch with records missing")) }
}

fn judge(rest: &[u8], at: Location, bad: Option<&'static str>, is_last: bool) -> Result<Tail, JournalFault> {
    if bad.is_none() && segment::is_zero(rest) {
        return Ok(Tail::Clean);
    }
    let what = bad.unwrap_or("bytes where there should be none");
    if !is_last || (frame::found_in(rest) && !is_planted(Bug::TailCutTooFar)) {
        return Err(damaged(at, what));
    }
    Ok(Tail::Torn(rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1))))
}

/// Zeroes what is left of a torn batch, durably.
pub fn cut_back(disk: &dyn Disk, at: Location, length: usize) -> io::Result<()> {
    let file = disk.open(&segment::name(at.segment()))?;
    file.write_at(u64::from(at.offset()), &vec![0; length])?;
    file.sync()
}

/// Makes durable what was read. A process that was killed between a write and its sync left its last batch to the
/// system's memory, and one whose sync failed left it to nobody: what is told from it must not go with the power. Each
/// batch is synced before the next is written, so it can only be the last; a sync that failed may have marked its pages
/// clean, so it is written once more.
pub fn seal(disk: &dyn Disk, files: &Files, mark: &Mark) -> Result<(), JournalFault> {
    let (segment, end) = (mark.end.segment(), mark.end.offset());
    let last = mark.last_frame.filter(|frame| frame.segment() == segment);
    let begin = last.map_or(end, Location::offset);
    let length = usize::try_from(end.saturating_sub(begin)).unwrap_or(0);
    let bytes = files.some_of(segment, begin, length)?;
    let sealed = disk.open(&segment::name(segment)).and_then(|file| {
        file.write_at(u64::from(begin), &bytes)?;
        file.sync()?;
        // The same goes for the segment's name.
        disk.sync_directory()
    });
    sealed.map_err(|error| JournalFault::Disk(error.to_string()))
}

/// The names on the disk.
pub fn list(disk: &dyn Disk) -> Result<Vec<String>, JournalFault> {
    disk.list().map_err(|error| JournalFault::Disk(error.to_string()))
}
