//! What of the journal is at hand in memory: where every subject's newest record lies, and the open lives.
//!
//! It is folded from records in order, the same way while the switch runs, at a start, and when a journal is
//! verified. It holds only what is durable.
use super::index::{Fingerprint, Index};
use super::reader::Files;
use super::record::{Kind, Location};
use actors::domain::identity::PaymentId;
use actors::domain::journal::{Entry, Shelf, Shelved, Subject};
use actors::domain::payment::{OutOfPlace, Stamped};
use actors::domain::time::Timestamp;
use actors::ports::journal::JournalFault;

/// Index and shelf.
#[derive(Debug, Default)]
pub struct Lives {
    /// Where every subject's newest record lies.
    pub index: Index,
    /// The open payments.
    pub shelf: Shelf,
    /// How many facts could not follow the one before them. Zero, unless there is a bug.
    pub misfits: u64,
}

/// A durable record on its way into memory.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Where it lies.
    pub location: Location,
    /// Its subject's record before it.
    pub prev: Option<Location>,
    /// Why it is there.
    pub kind: Kind,
    /// When it became true.
    pub at: Timestamp,
    /// What became true.
    pub entry: &'a Entry,
}

impl Lives {
    /// Takes in the next record.
    pub fn take_in(&mut self, placed: &Placed<'_>, files: &Files) -> Result<(), JournalFault> {
        if placed.kind == Kind::Void {
            return Ok(());
        }
        self.index.put(Fingerprint::of(&placed.entry.subject()), placed.location);
        let Entry::Payment(id, fact) = placed.entry else { return Ok(()) };
        let begins_anew = placed.kind == Kind::Carried && placed.prev.is_none();
        let shelved = if begins_anew {
            self.shelf.reopen(*id, vec![Stamped { at: placed.at, fact: fact.clone() }])
        } else {
            self.shelf.take_in(*id, placed.at, fact)
        };
        match self.noted(*id, shelved) {
            Some(Shelved::Unknown) => self.reopen(*id, placed.location, files),
            _ => Ok(()),
        }
    }

    /// Puts the payment's life up to `newest` back on the shelf, if it is open.
    pub fn reopen(&mut self, id: PaymentId, newest: Location, files: &Files) -> Result<(), JournalFault> {
        // Without its beginning it is of no use: a copy of the whole life follows, or nobody needs it any more.
        let Some(life) = files.life(&Subject::Payment(id), newest)? else { return Ok(()) };
        let facts = life.into_iter().filter_map(|(_, record)| match record.entry {
            Entry::Payment(_, fact) => Some(Stamped { at: record.at, fact }),
            Entry::Binding(..) | Entry::Till(..) => None,
        });
        let shelved = self.shelf.reopen(id, facts.collect());
        self.noted(id, shelved);
        Ok(())
    }

    fn noted(&mut self, id: PaymentId, shelved: Result<Shelved, OutOfPlace>) -> Option<Shelved> {
        match shelved {
            Ok(shelved) => Some(shelved),
            Err(fault) => {
                self.misfits = self.misfits.saturating_add(1);
                tracing::error!(payment = %id, %fault, "a recorded fact does not fit its payment's life");
                None
            }
        }
    }
}
