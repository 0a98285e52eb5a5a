//! The facts in order, and what of them has to be at hand: the shelf of open payments.
//!
//! The journal is the truth; everything else is folded from it. A record belongs to one subject, and a subject's
//! records in order are its life. The shelf holds the lives that are still open, so that a restart, a woken
//! session or the outbox need no search. How records lie on a disk is an adapter's business.
use super::binding::BindingFact;
use super::identity::{Keeper, PayerId, PaymentId, TerminalId};
use super::payment::command::Fact;
use super::payment::{OutOfPlace, Payment, Stamped};
use super::till::TillBook;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A record's place in the journal, counted from 1 without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// Whom a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A payment.
    Payment(PaymentId),
    /// A terminal's binding.
    Terminal(TerminalId),
    /// A terminal's book.
    Till(TerminalId),
}

/// What is appended. The order of the variants is part of the journal's format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A payment's fact.
    Payment(PaymentId, Fact),
    /// A terminal's binding fact.
    Binding(TerminalId, BindingFact),
    /// A terminal's book, as it is from now on.
    Till(TerminalId, TillBook),
}

impl Entry {
    /// Whom it is about.
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Payment(id, _) => Subject::Payment(*id),
            Self::Binding(id, _) => Subject::Terminal(*id),
            Self::Till(id, _) => Subject::Till(*id),
        }
    }

    /// Who keeps the payment, where this is a payment's first fact.
    pub fn keeper(&self) -> Option<Keeper> {
        match self {
            Self::Payment(_, Fact::Opened(deal)) => Some(deal.order.keeper),
            Self::Payment(_, Fact::TurnedAway(order, _)) => Some(order.keeper),
            Self::Payment(_, Fact::ReversedUnseen(keeper)) => Some(*keeper),
            _ => None,
        }
    }
}

/// An entry as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub seq: Seq,
    /// When it became true.
    pub at: Timestamp,
    /// What became true.
    pub entry: Entry,
}

/// The open lives: payments that await or owe something, found by keeper and by payer.
#[derive(Debug, Default)]
pub struct Shelf {
    open: BTreeMap<PaymentId, OpenLife>,
    by_keeper: BTreeSet<(Keeper, PaymentId)>,
    by_payer: BTreeSet<(PayerId, PaymentId)>,
}

/// A life on the shelf.
#[derive(Clone, Debug)]
pub struct OpenLife {
    /// Its facts so far.
    pub facts: Vec<Stamped>,
    /// Where they leave the payment.
    pub payment: Payment,
}

/// What a payment's fact meant for the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelved {
    /// The payment is open.
    Open,
    /// The payment is closed and has left the shelf.
    Closed,
    /// The payment had left the shelf: put its whole life back with [`Shelf::reopen`], this fact included.
    Unknown,
}

impl Shelf {
    /// Takes in a payment's next fact. A fact that cannot follow leaves the life as it was.
    pub fn take_in(&mut self, id: PaymentId, at: Timestamp, fact: &Fact) -> Result<Shelved, OutOfPlace> {
        let stamped = Stamped { at, fact: fact.clone() };
        match self.take_off(id) {
            Some(life) => self.go_on(life, stamped),
            None if matches!(fact, Fact::Opened(_) | Fact::TurnedAway(..) | Fact::ReversedUnseen(_)) => {
                self.reopen(id, vec![stamped])
            }
            None => Ok(Shelved::Unknown),
        }
    }

    /// Puts a whole life on the shelf, if it is open.
    pub fn reopen(&mut self, id: PaymentId, facts: Vec<Stamped>) -> Result<Shelved, OutOfPlace> {
        self.take_off(id);
        match Payment::folded(id, &facts)? {
            Some(payment) => Ok(self.put(OpenLife { facts, payment })),
            None => Ok(Shelved::Closed),
        }
    }

    /// An open life.
    pub fn life(&self, id: PaymentId) -> Option<&OpenLife> {
        self.open.get(&id)
    }

    /// Every open life, by id.
    pub fn lives(&self) -> impl Iterator<Item = &OpenLife> {
        self.open.values()
    }

    /// The open lives that `keeper` keeps.
    pub fn kept_by(&self, keeper: Keeper) -> impl Iterator<Item = &OpenLife> {
        let from = (keeper, PaymentId::from_bits(0));
        self.by_keeper
            .range(from..)
            .take_while(move |(k, _)| *k == keeper)
            .filter_map(|(_, id)| self.open.get(id))
    }

    /// The open lives that `payer` takes part in.
    pub fn involving(&self, payer: PayerId) -> impl Iterator<Item = &OpenLife> {
        let from = (payer, PaymentId::from_bits(0));
        self.by_payer
            .range(from..)
            .take_while(move |(p, _)| *p == payer)
            .filter_map(|(_, id)| self.open.get(id))
    }

    /// How many lives are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn go_on(&mut self, life: OpenLife, next: Stamped) -> Result<Shelved, OutOfPlace> {
        let OpenLife { mut facts, payment } = life;
        let id = payment.id();
        match payment.after(next.at, &next.fact) {
            Ok(payment) => {
                facts.push(next);
                Ok(self.put(OpenLife { facts, payment }))
            }
            // What the life owes stays owed, whatever is wrong with the fact.
            Err(out_of_place) => self.reopen(id, facts).and(Err(out_of_place)),
        }
    }

    fn take_off(&mut self, id: PaymentId) -> Option<OpenLife> {
        let life = self.open.remove(&id)?;
        self.by_keeper.remove(&(life.payment.keeper(), id));
        if let Some(payer) = life.payment.payer() {
            self.by_payer.remove(&(payer, id));
        }
        Some(life)
    }

    fn put(&mut self, life: OpenLife) -> Shelved {
        if life.payment.is_closed() {
            return Shelved::Closed;
        }
        let id = life.payment.id();
        self.by_keeper.insert((life.payment.keeper(), id));
        if let Some(payer) = life.payment.payer() {
            self.by_payer.insert((payer, id));
        }
        self.open.insert(id, life);
        Shelved::Open
    }
}
