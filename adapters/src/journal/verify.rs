//! Walks a whole journal without changing it: checksums, chain, order, and that every life folds.
//!
//! It can run beside a writing switch: the end of the log may then look torn, which it is not held against.
use super::index::Index;
use super::lives::{Lives, Placed};
use super::reader::Files;
use super::record::{Location, Record};
use super::walk::{self, Tail};
use actors::domain::journal::Seq;
use actors::ports::disk::Disk;
use actors::ports::journal::JournalFault;
use std::fmt;
use std::sync::Arc;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many segments there are.
    pub segments: usize,
    /// How many sound records were read.
    pub records: u64,
    /// The first and the last of them.
    pub range: Option<(Seq, Seq)>,
    /// How many payments are open at the end.
    pub open_payments: usize,
    /// How many facts do not fit their payment's life.
    pub misfits: u64,
    /// Bytes of a torn tail that the next start will cut back.
    pub torn: usize,
    /// The first damage.
    pub damage: Option<JournalFault>,
}

impl Report {
    /// Whether the journal can be trusted.
    pub const fn is_sound(&self) -> bool {
        self.damage.is_none() && self.misfits == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.range.unwrap_or_default();
        write!(f, "{} segments, {} records", self.segments, self.records)?;
        write!(f, " ({} to {}), {} payments open", first.0, last.0, self.open_payments)?;
        if self.torn > 0 {
            write!(f, "; a torn tail of {} bytes, to be cut back at the next start", self.torn)?;
        }
        if self.misfits > 0 {
            write!(f, "; {} facts do not fit their payment's life", self.misfits)?;
        }
        match &self.damage {
            Some(damage) => write!(f, "; NOT SOUND: {damage}"),
            None => f.write_str("; checksums, chain and order are right"),
        }
    }
}

/// Reads the whole journal on `disk`.
pub fn verify(disk: Arc<dyn Disk>) -> Report {
    let mut report = Report::default();
    if let Err(damage) = check(disk, &mut report) {
        report.damage = Some(damage);
    }
    report
}

fn check(disk: Arc<dyn Disk>, report: &mut Report) -> Result<(), JournalFault> {
    let files = Files::new(disk.clone());
    let (headers, _) = walk::headers(&*disk, &files)?;
    report.segments = headers.len();
    let Some((_, oldest)) = headers.first_key_value() else { return Ok(()) };
    files.forget_before(oldest.number);
    let mut lives = Lives { index: Index::from_table(Vec::new(), oldest.number), ..Lives::default() };
    let mut take = |location: Location, record: Record| {
        report.records = report.records.saturating_add(1);
        report.range = Some((report.range.map_or(record.seq, |(first, _)| first), record.seq));
        let Record { kind, prev, at, entry, .. } = record;
        lives.take_in(&Placed { location, prev, kind, at, entry: &entry }, &files)
    };
    let walked = walk::walk(&files, &headers, walk::beginning(oldest), &mut take);
    report.misfits = lives.misfits;
    report.open_payments = lives.shelf.len();
    if let (_, Tail::Torn(bytes)) = walked? {
        report.torn = bytes;
    }
    Ok(())
}
