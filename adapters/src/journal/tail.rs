//! Reads durable records in order, from any seq on, for what is rebuilt from the journal off the path.
//!
//! It pulls: a slow reader holds up nobody. Copies made by retention are left out, so a reader sees each fact once. A
//! reader that comes too late, after its records were dropped, is told where the log now begins.
use super::frame::{self, Frame};
use super::record::{Kind, Location, Record};
use super::segment::{HEADER, Header};
use super::shared::Shared;
use actors::domain::journal::{Recorded, Seq};
use actors::domain::time::Timestamp;
use actors::ports::journal::JournalFault;
use std::sync::Arc;

/// Records looked at in one go where only their times are wanted.
const BITE: usize = 256;

/// A reader of the log.
pub struct Tail {
    shared: Arc<Shared>,
    next: Seq,
    place: Option<Location>,
}

/// Why the next records cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TailFault {
    /// They were dropped.
    #[error("the journal no longer has these records; it begins at {oldest:?}: rebuild from there")]
    Dropped {
        /// The first record that is still there.
        oldest: Seq,
    },
    /// They are damaged.
    #[error(transparent)]
    Journal(#[from] JournalFault),
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, from: Seq) -> Self {
        Self { shared, next: from.max(Seq(1)), place: None }
    }

    /// Where the next read begins: what to ask for after a restart.
    pub const fn position(&self) -> Seq {
        self.next
    }

    /// The next durable records, at most about `max`; waits until its position moves. Empty where there are only
    /// copies that retention made. Can be dropped while it waits.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Recorded>, TailFault> {
        self.shared.intake.watch(self.next).await;
        self.read(max.max(1))
    }

    /// The next durable records, at most about `max`; empty if there are none yet.
    pub fn read(&mut self, max: usize) -> Result<Vec<Recorded>, TailFault> {
        let durable = self.shared.intake.durable();
        let mut found = Vec::new();
        while found.len() < max && self.next <= durable {
            let place = self.found_place()?;
            let Some(bytes) = self.frame_at(place)? else {
                self.place = Some(start_of(place.segment().saturating_add(1)));
                continue;
            };
            let Some(frame) = Frame::read(&bytes) else {
                return Err(super::reader::damaged(place, "a batch that is not whole").into());
            };
            self.take(&frame, max, place, &mut found)?;
        }
        Ok(found)
    }

    /// The latest instant at which a durable record became true, whatever retention copied behind it: found in the newest
    /// segment that has a record of its own. A log of nothing but copies tells when its newest segment was begun.
    pub(super) fn latest_instant(shared: &Arc<Shared>) -> Result<Timestamp, TailFault> {
        let headers: Vec<Header> = shared.segments().values().rev().copied().collect();
        for header in &headers {
            let mut tail = Self::new(shared.clone(), Seq(header.first_seq));
            let mut latest = None;
            while tail.next <= shared.intake.durable() {
                latest = latest.max(tail.read(BITE)?.iter().map(|record| record.at).max());
            }
            if let Some(latest) = latest {
                return Ok(latest);
            }
        }
        Ok(headers.first().map_or(Timestamp::from_micros(0), |newest| newest.opened))
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        max: usize,
        place: Location,
        found: &mut Vec<Recorded>,
    ) -> Result<(), JournalFault> {
        for record in frame.records() {
            let (_, record): (usize, Record) =
                record.map_err(|(_, what)| super::reader::damaged(place, what))?;
            if record.seq < self.next {
                continue;
            }
            if found.len() >= max {
                return Ok(());
            }
            self.next = Seq(record.seq.0.saturating_add(1));
            if record.kind == Kind::Own {
                found.push(record.into());
            }
        }
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        self.place = Some(Location::new(place.segment(), place.offset().saturating_add(length)));
        Ok(())
    }

    fn frame_at(&self, place: Location) -> Result<Option<Vec<u8>>, JournalFault> {
        let head = self.shared.files.some_of(place.segment(), place.offset(), frame::HEAD)?;
        match frame::claimed_length(&head) {
            Some(length) => self.shared.files.some_of(place.segment(), place.offset(), length).map(Some),
            None => Ok(None),
        }
    }

    fn found_place(&mut self) -> Result<Location, TailFault> {
        let segments = self.shared.segments();
        let oldest = segments.values().next().map_or((0, Seq(1)), |h| (h.number, Seq(h.first_seq)));
        let holder = segments.values().rev().find(|header| header.first_seq <= self.next.0);
        let place = self.place.filter(|place| place.segment() >= oldest.0);
        match (place, holder) {
            (Some(place), _) => Ok(place),
            (None, Some(header)) => Ok(start_of(header.number)),
            (None, None) => Err(TailFault::Dropped { oldest: oldest.1 }),
        }
    }
}

fn start_of(segment: u32) -> Location {
    Location::new(segment, u32::try_from(HEADER).unwrap_or(u32::MAX))
}
