//! Bindings in this process's memory: bounded, and each entry runs out by itself.
//!
//! When it is full, the entries that run out first make room: forgetting a binding only makes a phone bind again.
//! It reads no clock: what is over is judged by the asker's instant.
use actors::domain::identity::{PayerId, TerminalId};
use actors::domain::payment::phase::Claim;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::Answer;
use actors::ports::binding_store::{BindingStore, StoreFault};
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bindings in memory.
#[derive(Debug)]
pub struct MemoryBindingStore {
    terminals_max: NonZeroUsize,
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    stays: HashMap<TerminalId, Stay>,
    places: HashMap<PayerId, TerminalId>,
    ends: BTreeSet<(Deadline, TerminalId)>,
}

/// A claim, or the memory of one that was released: its epoch keeps older ones out until it runs out.
#[derive(Clone, Copy, Debug)]
struct Stay {
    claim: Claim,
    until: Deadline,
    released: bool,
}

impl MemoryBindingStore {
    /// An empty store that remembers at most `terminals_max` terminals.
    pub fn new(terminals_max: NonZeroUsize) -> Self {
        Self { terminals_max, rooms: Mutex::default() }
    }

    /// How many terminals it remembers.
    pub fn len(&self) -> usize {
        self.rooms().stays.len()
    }

    /// How many phones stand at a terminal; what has run out by `now` is forgotten on the way.
    pub fn bound(&self, now: Timestamp) -> usize {
        let mut rooms = self.rooms();
        rooms.forget_ended(now);
        rooms.places.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    fn bind(&mut self, terminal: TerminalId, stay: Stay) {
        if self.stays.get(&terminal).is_some_and(|held| held.claim.epoch > stay.claim.epoch) {
            return;
        }
        self.forget(terminal);
        self.stays.insert(terminal, stay);
        self.places.insert(stay.claim.payer, terminal);
        self.ends.insert((stay.until, terminal));
    }

    fn release(&mut self, terminal: TerminalId, epoch: u64) {
        let Some(stay) = self.stays.get_mut(&terminal).filter(|stay| stay.claim.epoch == epoch) else {
            return;
        };
        stay.released = true;
        let payer = stay.claim.payer;
        self.forget_payer(payer, terminal);
    }

    fn forget(&mut self, terminal: TerminalId) {
        if let Some(stay) = self.stays.remove(&terminal) {
            self.ends.remove(&(stay.until, terminal));
            self.forget_payer(stay.claim.payer, terminal);
        }
    }

    fn forget_payer(&mut self, payer: PayerId, terminal: TerminalId) {
        if self.places.get(&payer) == Some(&terminal) {
            self.places.remove(&payer);
        }
    }

    fn forget_ended(&mut self, now: Timestamp) {
        while let Some((_, terminal)) = self.ends.first().copied().filter(|(until, _)| until.is_over(now)) {
            self.forget(terminal);
        }
    }

    fn shrink_to(&mut self, terminals_max: usize) {
        while self.stays.len() > terminals_max {
            let Some((_, terminal)) = self.ends.first().copied() else { return };
            self.forget(terminal);
        }
    }

    fn at(&self, now: Timestamp, terminal: TerminalId) -> Option<Claim> {
        let stay = self.stays.get(&terminal)?;
        (!stay.released && !stay.until.is_over(now)).then_some(stay.claim)
    }

    fn of(&self, now: Timestamp, payer: PayerId) -> Option<(TerminalId, u64)> {
        let terminal = *self.places.get(&payer)?;
        let claim = self.at(now, terminal).filter(|claim| claim.payer == payer)?;
        Some((terminal, claim.epoch))
    }
}

impl BindingStore for MemoryBindingStore {
    fn bind(&self, terminal: TerminalId, claim: Claim, until: Deadline) -> Answer<Result<(), StoreFault>> {
        let mut rooms = self.rooms();
        rooms.bind(terminal, Stay { claim, until, released: false });
        rooms.shrink_to(self.terminals_max.get());
        ready(Ok(()))
    }

    fn release(&self, terminal: TerminalId, epoch: u64) -> Answer<Result<(), StoreFault>> {
        self.rooms().release(terminal, epoch);
        ready(Ok(()))
    }

    fn at(&self, now: Timestamp, terminal: TerminalId) -> Answer<Result<Option<Claim>, StoreFault>> {
        ready(Ok(self.rooms().at(now, terminal)))
    }

    fn of(&self, now: Timestamp, payer: PayerId) -> Answer<Result<Option<(TerminalId, u64)>, StoreFault>> {
        ready(Ok(self.rooms().of(now, payer)))
    }
}

fn ready<T: Send + 'static>(value: T) -> Answer<T> {
    Box::pin(std::future::ready(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::ports::contract::{self, complete, samples};
    use std::sync::Arc;
    use std::time::Duration;

    fn store(terminals_max: usize) -> MemoryBindingStore {
        MemoryBindingStore::new(NonZeroUsize::new(terminals_max).expect("more than none"))
    }

    #[test]
    fn only_phones_that_stand_somewhere_now_are_counted() {
        let (store, at) = (store(100), Timestamp::from_micros);
        let claim = |payer: &str| Claim { payer: PayerId::new(payer).expect("an id"), epoch: 1 };
        let until = |micros| Deadline::at(at(micros));
        for (terminal, payer, ends) in [("T1", "anna", 10), ("T2", "bert", 20), ("T3", "cleo", 30)] {
            let terminal = TerminalId::new(terminal).expect("an id");
            complete(store.bind(terminal, claim(payer), until(ends))).expect("kept");
        }
        complete(store.release(TerminalId::new("T2").expect("an id"), 1)).expect("released");
        assert_eq!(store.bound(at(5)), 2);
        assert_eq!((store.bound(at(15)), store.len()), (1, 2));
        assert_eq!((store.bound(at(35)), store.len()), (0, 0));
    }

    #[test]
    fn the_memory_store_keeps_the_contract() {
        contract::binding_store::keeps_its_promises(&|| Arc::new(store(100)));
    }

    #[test]
    fn a_full_store_forgets_what_runs_out_first() {
        let store = store(2);
        for (terminal, seconds) in [(1, 30), (2, 10), (3, 20)] {
            let claim = Claim { payer: samples::payer_id(terminal), epoch: 1 };
            let until = Deadline::after(samples::BEGIN, Duration::from_secs(seconds));
            complete(store.bind(samples::terminal_id(terminal), claim, until)).expect("an answer");
        }
        let held =
            |t| complete(store.at(samples::BEGIN, samples::terminal_id(t))).expect("an answer").is_some();
        assert_eq!((store.len(), held(1), held(2), held(3)), (2, true, false, true));
    }
}
