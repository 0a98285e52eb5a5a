//! The pure core of a payer's actor: what awaits this payer, and a short memory of what changed.
//!
//! The list is the truth and the events only wake: a phone that missed too much is told to fetch the list. Event
//! numbers belong to one incarnation of the actor; after a restart every old number is too old.
use super::identity::PaymentId;
use super::payment::Payment;
use super::payment::outcome::Failure;
use std::collections::{BTreeMap, VecDeque};

/// How many changes are remembered for a phone that reconnects.
const CHANGES_MAX: usize = 32;
/// How many decided payments stay on the list.
const DECIDED_MAX: usize = 8;

/// A payment as its payer may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The payment.
    pub payment: Payment,
    /// Why the attempt before this one failed.
    pub last_failure: Option<Failure>,
}

/// What awaits a payer, and what changed lately.
#[derive(Debug, Default)]
pub struct Wallet {
    cards: BTreeMap<PaymentId, Card>,
    decided: VecDeque<PaymentId>,
    changes: VecDeque<(u64, PaymentId)>,
    last: u64,
}

/// What a reconnecting phone has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// These changes, oldest first.
    Changes(Vec<(u64, PaymentId)>),
    /// Too much, or unknown: it has to fetch the list.
    TooMuch,
}

impl Wallet {
    /// A wallet with what is open, without telling anybody.
    pub fn holding(cards: impl IntoIterator<Item = Card>) -> Self {
        let mut wallet = Self::default();
        for card in cards {
            wallet.put(card);
        }
        wallet
    }

    /// Takes in a card as it is now and returns the number of the change.
    pub fn take_in(&mut self, card: Card) -> u64 {
        let id = card.payment.id();
        self.put(card);
        self.changed(id)
    }

    /// A payment that went on without this payer leaves the list; returns the number of that change, if it is one.
    pub fn remove(&mut self, id: PaymentId) -> Option<u64> {
        self.decided.retain(|decided| *decided != id);
        self.cards.remove(&id).map(|_| self.changed(id))
    }

    /// What changed after `seen`, the last number a phone of this incarnation saw.
    pub fn since(&self, seen: u64) -> Missed {
        let oldest = self.changes.front().map_or(self.last.saturating_add(1), |(number, _)| *number);
        if seen > self.last || seen.saturating_add(1) < oldest {
            return Missed::TooMuch;
        }
        Missed::Changes(self.changes.iter().filter(|(number, _)| *number > seen).copied().collect())
    }

    /// The number of the latest change.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// The list.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.cards.values()
    }

    /// One card.
    pub fn card(&self, id: PaymentId) -> Option<&Card> {
        self.cards.get(&id)
    }

    /// Whether nothing open is on the list.
    pub fn is_quiet(&self) -> bool {
        self.cards.values().all(|card| card.payment.is_decided())
    }

    fn changed(&mut self, id: PaymentId) -> u64 {
        self.last = self.last.saturating_add(1);
        self.changes.push_back((self.last, id));
        if self.changes.len() > CHANGES_MAX {
            self.changes.pop_front();
        }
        self.last
    }

    fn put(&mut self, card: Card) {
        let id = card.payment.id();
        let decided = card.payment.is_decided();
        self.cards.insert(id, card);
        self.decided.retain(|other| *other != id);
        if decided {
            self.decided.push_back(id);
        }
        if self.decided.len() > DECIDED_MAX
            && let Some(oldest) = self.decided.pop_front()
        {
            self.cards.remove(&oldest);
        }
    }
}
