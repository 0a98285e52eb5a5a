//! A journal in memory, held to the same contract as the real one: the twin that actors are tested with.
//!
//! It can hold durability back until the test releases it, so that "write before you speak" can be seen to be
//! kept: nothing may leave an actor between [`MemoryJournal::hold`] and [`MemoryJournal::release`]. It can also
//! forget what was held, as a crash would. For the log on a disk see the crate `adapters`.
mod history;

pub use history::MemoryHistory;

use crate::domain::identity::{Keeper, PayerId, PaymentId};
use crate::domain::journal::{Entry, OpenLife, Recorded, Seq, Shelf, Shelved, Subject};
use crate::domain::payment::Stamped;
use crate::domain::time::Timestamp;
use crate::ports::Answer;
use crate::ports::journal::{Journal, JournalFault, Room};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A journal in memory.
#[derive(Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    records: Vec<Recorded>,
    durable: usize,
    held: bool,
    reserve_only: bool,
    shelf: Shelf,
    waiting: Vec<Waker>,
}

impl MemoryJournal {
    /// An empty journal in which everything is durable at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on nothing becomes durable until [`Self::release`].
    pub fn hold(&self) {
        self.log().held = true;
    }

    /// Everything appended so far is durable, and so is what follows.
    pub fn release(&self) {
        let mut log = self.log();
        log.held = false;
        log.settle();
    }

    /// A crash: what is not durable was never written. Whoever waits for it waits for ever.
    pub fn crash(&self) {
        let mut log = self.log();
        let durable = log.durable;
        log.records.truncate(durable);
        log.waiting.clear();
        log.held = false;
    }

    /// Sets how much room there is.
    pub fn set_room(&self, room: Room) {
        self.log().reserve_only = room == Room::ReserveOnly;
    }

    /// Every record, durable or not, in order.
    pub fn records(&self) -> Vec<Recorded> {
        self.log().records.clone()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn once_durable<T: 'static>(&self, seq: Seq, then: impl FnOnce(&Log) -> T + Send + 'static) -> Answer<T> {
        let journal = self.clone();
        let mut then = Some(then);
        Box::pin(wait(move |waker| {
            let mut log = journal.log();
            if log.is_durable(seq) {
                return then.take().map(|then| then(&log));
            }
            log.waiting.push(waker.clone());
            None
        }))
    }

    fn last(&self) -> Seq {
        self.log().last()
    }
}

fn wait<T>(mut ask: impl FnMut(&Waker) -> Option<T> + Send) -> impl Future<Output = T> + Send {
    poll_fn(move |context| ask(context.waker()).map_or(Poll::Pending, Poll::Ready))
}

impl Log {
    fn last(&self) -> Seq {
        Seq(u64::try_from(self.records.len()).unwrap_or(u64::MAX))
    }

    fn is_durable(&self, seq: Seq) -> bool {
        usize::try_from(seq.0).is_ok_and(|seq| seq <= self.durable)
    }

    fn settle(&mut self) {
        let fresh: Vec<Recorded> = self.records.iter().skip(self.durable).cloned().collect();
        self.durable = self.records.len();
        for recorded in &fresh {
            self.shelve(recorded);
        }
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn shelve(&mut self, recorded: &Recorded) {
        let Entry::Payment(id, fact) = &recorded.entry else { return };
        let shelved = self.shelf.take_in(*id, recorded.at, fact).expect("a fact that can follow");
        if shelved == Shelved::Unknown {
            let facts = self
                .life(Subject::Payment(*id))
                .into_iter()
                .take_while(|earlier| earlier.seq <= recorded.seq)
                .filter_map(|earlier| match earlier.entry {
                    Entry::Payment(_, fact) => Some(Stamped { at: earlier.at, fact }),
                    Entry::Binding(..) | Entry::Till(..) => None,
                })
                .collect();
            self.shelf.reopen(*id, facts).expect("facts that can follow");
        }
    }

    fn life(&self, subject: Subject) -> Vec<Recorded> {
        self.records
            .iter()
            .take(self.durable)
            .filter(|recorded| recorded.entry.subject() == subject)
            .cloned()
            .collect()
    }
}

impl Journal for MemoryJournal {
    fn append(&self, at: Timestamp, entries: Vec<Entry>) -> Seq {
        let mut log = self.log();
        for entry in entries {
            let seq = Seq(log.last().0.saturating_add(1));
            log.records.push(Recorded { seq, at, entry });
        }
        if !log.held {
            log.settle();
        }
        log.last()
    }

    fn hurry(&self, _: Seq) {}

    fn durable(&self, seq: Seq) -> Answer<()> {
        self.once_durable(seq, |_| ())
    }

    fn is_durable(&self, seq: Seq) -> bool {
        self.log().is_durable(seq)
    }

    fn end(&self) -> Seq {
        self.last()
    }

    fn life(&self, subject: Subject) -> Answer<Result<Vec<Recorded>, JournalFault>> {
        self.once_durable(self.last(), move |log| Ok(log.life(subject)))
    }

    fn latest(&self, subject: Subject) -> Answer<Result<Option<Recorded>, JournalFault>> {
        self.once_durable(self.last(), move |log| Ok(log.life(subject).pop()))
    }

    fn kept_by(&self, keeper: Keeper) -> Answer<Vec<OpenLife>> {
        self.once_durable(self.last(), move |log| log.shelf.kept_by(keeper).cloned().collect())
    }

    fn involving(&self, payer: PayerId) -> Answer<Vec<OpenLife>> {
        self.once_durable(self.last(), move |log| log.shelf.involving(payer).cloned().collect())
    }

    fn indebted(&self) -> Answer<Vec<OpenLife>> {
        let owes = |open: &&OpenLife| !open.payment.debts().is_empty();
        self.once_durable(self.last(), move |log| log.shelf.lives().filter(owes).cloned().collect())
    }

    fn keepers(&self) -> Answer<Vec<Keeper>> {
        self.once_durable(self.last(), |log| {
            log.shelf.lives().map(|open| open.payment.keeper()).collect::<BTreeSet<_>>().into_iter().collect()
        })
    }

    fn keeper_of(&self, payment: PaymentId) -> Answer<Option<Keeper>> {
        self.once_durable(self.last(), move |log| {
            let life = log.life(Subject::Payment(payment));
            life.first().and_then(|recorded| recorded.entry.keeper())
        })
    }

    fn knows(&self, payment: PaymentId) -> bool {
        let log = self.log();
        log.records.iter().take(log.durable).any(|r| r.entry.subject() == Subject::Payment(payment))
    }

    fn room(&self) -> Room {
        if self.log().reserve_only { Room::ReserveOnly } else { Room::Plenty }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ports::contract::{self, is_waiting, samples};

    #[test]
    fn the_memory_journal_keeps_the_contract() {
        contract::journal::keeps_its_promises(&|| Arc::new(MemoryJournal::new()));
    }

    #[test]
    fn the_read_model_in_memory_keeps_the_contract() {
        contract::history::keeps_its_promises(&|| {
            let journal = MemoryJournal::new();
            let history = Arc::new(MemoryHistory::new(journal.clone()));
            let feed = Box::new(move |at, entries| {
                journal.append(at, entries);
            });
            contract::history::Fed { history, feed }
        });
    }

    #[test]
    fn nothing_is_durable_while_it_is_held_back() {
        let journal = MemoryJournal::new();
        journal.hold();
        let seq = journal.append(samples::BEGIN, samples::open_life(1, 1));
        let mut durable = journal.durable(seq);
        assert!(is_waiting(&mut durable) && !journal.is_durable(seq));
        journal.release();
        contract::complete(durable);
    }

    #[test]
    fn a_crash_forgets_what_was_held_back() {
        let journal = MemoryJournal::new();
        journal.append(samples::BEGIN, samples::open_life(1, 1));
        journal.hold();
        journal.append(samples::BEGIN, samples::open_life(2, 2));
        journal.crash();
        assert_eq!(journal.records().len(), 3);
        assert!(!journal.knows(samples::payment(2, 2)));
    }
}
