//! Where facts become durable, and are found again.
use super::Answer;
use crate::domain::identity::{Keeper, PayerId, PaymentId};
use crate::domain::journal::{Entry, OpenLife, Recorded, Seq, Subject};
use crate::domain::time::Timestamp;

/// An append-only log of entries with one order. One writer; many who append.
///
/// A fault of the disk under it ends the process: an append that was accepted is durable or never answered.
pub trait Journal: Send + Sync {
    /// Puts entries that became true at `at` in order, and returns the place of the last. Never waits for the disk.
    /// The entries of one call stand side by side and become durable together: at once if somebody waits for them, and
    /// otherwise soon, with what comes next.
    fn append(&self, at: Timestamp, entries: Vec<Entry>) -> Seq;

    /// Somebody will wait for everything up to `seq`: it need not look for company.
    fn hurry(&self, seq: Seq);

    /// Completes once everything up to `seq` is durable, and hurries it.
    fn durable(&self, seq: Seq) -> Answer<()>;

    /// Whether everything up to `seq` is durable.
    fn is_durable(&self, seq: Seq) -> bool;

    /// The place of the newest record so far, durable or not.
    fn end(&self) -> Seq;

    /// A subject's records in order; empty if there are none. Sees everything appended before the call, and
    /// returns only what is durable: it waits for the rest.
    fn life(&self, subject: Subject) -> Answer<Result<Vec<Recorded>, JournalFault>>;

    /// A subject's newest record; waits like [`Self::life`]. What a terminal's binding and book are rebuilt from.
    fn latest(&self, subject: Subject) -> Answer<Result<Option<Recorded>, JournalFault>>;

    /// The open payments that `keeper` keeps, as of now; waits like [`Self::life`].
    fn kept_by(&self, keeper: Keeper) -> Answer<Vec<OpenLife>>;

    /// The open payments that `payer` takes part in; waits like [`Self::life`].
    fn involving(&self, payer: PayerId) -> Answer<Vec<OpenLife>>;

    /// All open payments for which a platform still has to undo or give back something; waits like [`Self::life`].
    fn indebted(&self) -> Answer<Vec<OpenLife>>;

    /// The keepers of all open payments, each once: who has to be woken after a start. Waits like [`Self::life`].
    fn keepers(&self) -> Answer<Vec<Keeper>>;

    /// Who keeps a payment that has records, open or closed; waits like [`Self::life`]. A look at the shelf where the
    /// payment is open, its first record where it is not.
    fn keeper_of(&self, payment: PaymentId) -> Answer<Option<Keeper>>;

    /// Whether the payment has any record. Cheap: an index in memory; an append of the caller's own that is not yet
    /// durable may be missing.
    fn knows(&self, payment: PaymentId) -> bool;

    /// How much can still be appended.
    fn room(&self) -> Room;
}

/// How much can still be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// As much as one likes.
    Plenty,
    /// The reserve is touched: finish what was begun, begin nothing.
    ReserveOnly,
}

/// A record could not be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalFault {
    /// The bytes are not what was written: restore this segment from a copy.
    #[error("the journal is damaged in {file} at byte {offset}: {what}; restore that file from a copy")]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What was found.
        what: &'static str,
    },
    /// The disk failed.
    #[error("the journal cannot be read: {0}")]
    Disk(String),
}
