//! Reads records back by their place, and lives by walking from a subject's newest record to its first.
//!
//! It trusts nothing it reads: every record carries a checksum. It knows only places; which is the newest is the
//! index's to say.
use super::frame::Frame;
use super::record::{self, Location, Record};
use super::segment;
use actors::domain::journal::Subject;
use actors::ports::disk::{Disk, DiskFile};
use actors::ports::journal::JournalFault;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many segments are kept open for reading.
const OPEN_MAX: usize = 64;
/// What is read at first; most records fit.
const FIRST_READ: usize = 512;

/// The segments, opened as they are needed.
pub struct Files {
    disk: Arc<dyn Disk>,
    open: Mutex<BTreeMap<u32, OpenSegment>>,
    oldest: AtomicU32,
}

/// A subject's records in order, with their places.
pub type Life = Vec<(Location, Record)>;

/// A segment open for reading.
#[derive(Clone)]
pub struct OpenSegment {
    file: Arc<dyn DiskFile>,
    length: u64,
}

impl Files {
    /// The segments on `disk`.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, open: Mutex::default(), oldest: AtomicU32::new(0) }
    }

    /// Segments before `oldest` are no longer there.
    pub fn forget_before(&self, oldest: u32) {
        self.oldest.store(oldest, Ordering::Release);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = open.split_off(&oldest);
    }

    /// All bytes of a segment from `offset` on.
    pub fn rest_of(&self, number: u32, offset: u32) -> Result<Vec<u8>, JournalFault> {
        let segment = self.segment(number)?;
        let length = segment.length.saturating_sub(u64::from(offset));
        segment.bytes(number, offset, usize::try_from(length).unwrap_or(0))
    }

    /// `length` bytes of a segment from `offset` on, or as many as there are.
    pub fn some_of(&self, number: u32, offset: u32, length: usize) -> Result<Vec<u8>, JournalFault> {
        let segment = self.segment(number)?;
        segment.bytes(number, offset, length)
    }

    /// The record at `location`.
    pub fn record(&self, location: Location) -> Result<Record, JournalFault> {
        let segment = self.segment(location.segment())?;
        let mut bytes = segment.bytes(location.segment(), location.offset(), FIRST_READ)?;
        match record::claimed_length(&bytes) {
            Some(length) if length > bytes.len() => {
                bytes = segment.bytes(location.segment(), location.offset(), length)?;
            }
            _ => {}
        }
        record::read(&bytes).map(|(record, _)| record).map_err(|what| damaged(location, what))
    }

    /// The subject's records from its first to the one at `newest`, with their places; `None` if its beginning was
    /// dropped with an old segment.
    pub fn life(&self, subject: &Subject, newest: Location) -> Result<Option<Life>, JournalFault> {
        let mut life = Vec::new();
        let mut next = Some(newest);
        while let Some(location) = next {
            if location.segment() < self.oldest.load(Ordering::Acquire) {
                return Ok(None);
            }
            let record = self.record(location)?;
            if record.prev.is_some_and(|prev| prev >= location) {
                return Err(damaged(location, "a record that points forward"));
            }
            next = record.prev;
            if record.entry.subject() == *subject {
                life.push((location, record));
            }
        }
        life.reverse();
        Ok(Some(life))
    }

    /// The subject's newest record at or before `newest`.
    pub fn latest(&self, subject: &Subject, newest: Location) -> Result<Option<Record>, JournalFault> {
        let mut next = Some(newest);
        while let Some(location) = next {
            let record = self.record(location)?;
            if record.entry.subject() == *subject {
                return Ok(Some(record));
            }
            next = record.prev.filter(|prev| *prev < location);
        }
        Ok(None)
    }

    /// Where the frame at `location` ends, if it is sound and has this hash and this next seq.
    pub fn frame_end(
        &self,
        location: Location,
        chain: super::frame::Chain,
        next_seq: u64,
    ) -> Option<Location> {
        let head = self.some_of(location.segment(), location.offset(), super::frame::HEAD);
        let length = super::frame::claimed_length(&head.ok()?)?;
        let bytes = self.some_of(location.segment(), location.offset(), length).ok()?;
        let frame =
            Frame::read(&bytes).filter(|frame| frame.hash() == chain && frame.next_seq() == next_seq)?;
        let length = u32::try_from(frame.bytes.len()).ok()?;
        Some(Location::new(location.segment(), location.offset().checked_add(length)?))
    }

    fn segment(&self, number: u32) -> Result<OpenSegment, JournalFault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = open.get(&number) {
            return Ok(segment.clone());
        }
        let file = self.disk.open(&segment::name(number)).map_err(|error| disk_fault(number, &error))?;
        let length = file.len().map_err(|error| disk_fault(number, &error))?;
        let segment = OpenSegment { file: Arc::from(file), length };
        if open.len() >= OPEN_MAX {
            open.pop_first();
        }
        open.insert(number, segment.clone());
        Ok(segment)
    }
}

impl OpenSegment {
    fn bytes(&self, number: u32, offset: u32, length: usize) -> Result<Vec<u8>, JournalFault> {
        let there = usize::try_from(self.length.saturating_sub(u64::from(offset))).unwrap_or(0);
        let mut bytes = vec![0; length.min(there)];
        let read = self.file.read_at(u64::from(offset), &mut bytes);
        read.map(|()| bytes).map_err(|error| disk_fault(number, &error))
    }
}

/// Damage at a place.
pub fn damaged(location: Location, what: &'static str) -> JournalFault {
    let file = segment::name(location.segment());
    JournalFault::Damaged { file, offset: u64::from(location.offset()), what }
}

fn disk_fault(number: u32, error: &std::io::Error) -> JournalFault {
    JournalFault::Disk(format!("{}: {error}", segment::name(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::SimulatedDisk;

    #[test]
    fn of_many_segments_only_so_many_stay_open() {
        let disk = SimulatedDisk::new();
        let files = Files::new(Arc::new(disk.clone()));
        for number in 0..70 {
            disk.create(&segment::name(number)).expect("a file");
            files.some_of(number, 0, 1).expect("a segment that can be read");
        }
        assert_eq!(files.open.lock().expect("no panic").len(), OPEN_MAX);
        files.some_of(0, 0, 1).expect("one that was let go is opened again");
    }
}
