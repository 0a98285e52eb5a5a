//! What a terminal's books need that must survive a restart: which working keys it may hold, and what it has settled.
//!
//! Every change writes the whole book as one record, so the newest record alone tells it. A terminal settles each of
//! its currencies by itself (DE 50 names the one): two currencies cannot be added up. What is counted is made of
//! `booking`s by whoever can look through all payments; here totals are only compared and kept.
pub mod booking;
pub mod keys;

use super::identity::{PaymentKey, TerminalId};
use super::money::Currency;
use super::time::Timestamp;
use booking::{Booking, BookingKind};
use keys::{KeyGeneration, KeyRequest, WorkingKeys};
use serde::{Deserialize, Serialize};

/// How many settlements a book remembers, and so in how many currencies a terminal can settle.
const SETTLED_MAX: usize = 8;

/// A terminal's book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillBook {
    keys: WorkingKeys,
    /// The newest last. The newest of a currency stays for ever: the next count begins there.
    settled: Vec<Settled>,
}

/// How many, and how much together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many.
    pub number: u64,
    /// In minor units.
    pub amount: u64,
}

/// What was sold and given back, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sales.
    pub debits: Count,
    /// Sales that were taken back, whole or in part.
    pub debit_reversals: Count,
    /// Refunds.
    pub credits: Count,
    /// Refunds of which nothing came.
    pub credit_reversals: Count,
}

/// What was counted of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The totals.
    pub totals: Totals,
    /// How many of the reversals took back a part, so that a smaller sale is left: some terminals count that instead.
    pub parts: u64,
}

/// For which terminal, in which currency and over which time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The terminal.
    pub terminal: TerminalId,
    /// The currency.
    pub currency: Currency,
    /// What became true at this instant or before is not counted.
    pub after: Timestamp,
    /// What became true at this instant is counted, what came later is not.
    pub upto: Timestamp,
}

/// A terminal's totals beside ours, to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which message asks.
    pub key: PaymentKey,
    /// For which currency.
    pub currency: Currency,
    /// Where the count began: where the settlement before it ended.
    pub after: Timestamp,
    /// Where it ends.
    pub upto: Timestamp,
    /// What the terminal counted.
    pub claimed: Totals,
    /// What we counted.
    pub counted: Counted,
}

/// A settlement that was made: what the terminal is told, however often it asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Which message asked.
    pub key: PaymentKey,
    /// For which currency.
    pub currency: Currency,
    /// Where the count began.
    pub after: Timestamp,
    /// Where it ended: the next one of this currency begins here.
    pub upto: Timestamp,
    /// What the terminal counted.
    pub claimed: Totals,
    /// What we counted.
    pub counted: Totals,
    /// Whether the two came to the same.
    pub balanced: bool,
}

/// Why nothing was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// The key was used for something else.
    #[error("this key was used before, for another currency or other totals: settle under a new one")]
    SameKeyOtherData,
    /// Another settlement came between the count and this one.
    #[error("another settlement was made since this was counted: look at the book and count again")]
    CountedFromElsewhere,
    /// The book is full.
    #[error("a terminal settles in at most 8 currencies")]
    TooManyCurrencies,
}

impl TillBook {
    /// The working keys that the terminal may hold.
    pub const fn keys(&self) -> WorkingKeys {
        self.keys
    }

    /// What was settled of late, the newest last.
    pub fn settled(&self) -> &[Settled] {
        &self.settled
    }

    /// Where the next count in `currency` begins.
    pub fn settled_upto(&self, currency: Currency) -> Timestamp {
        let newest = self.settled.iter().rev().find(|settled| settled.currency == currency);
        newest.map_or(Timestamp::from_micros(0), |settled| settled.upto)
    }

    /// What was answered under `key`, if anything was: a repeat is told the same.
    pub fn answered(
        &self,
        key: &PaymentKey,
        currency: Currency,
        claimed: &Totals,
    ) -> Result<Option<&Settled>, Unsettled> {
        match self.settled.iter().find(|settled| settled.key == *key) {
            Some(known) if known.currency == currency && known.claimed == *claimed => Ok(Some(known)),
            Some(_) => Err(Unsettled::SameKeyOtherData),
            None => Ok(None),
        }
    }

    /// Compares and keeps: what the terminal is told, and the book if it changes.
    pub fn settle(&self, asked: Settlement) -> Result<(Settled, Option<Self>), Unsettled> {
        if let Some(known) = self.answered(&asked.key, asked.currency, &asked.claimed)? {
            return Ok((known.clone(), None));
        }
        if asked.after != self.settled_upto(asked.currency) {
            return Err(Unsettled::CountedFromElsewhere);
        }
        let made = Settled::of(asked);
        let mut book = self.clone();
        book.settled.push(made.clone());
        if book.settled.len() > SETTLED_MAX {
            let superseded = superseded(&book.settled).ok_or(Unsettled::TooManyCurrencies)?;
            book.settled.remove(superseded);
        }
        Ok((made, Some(book)))
    }

    /// Somebody asks for new keys of this terminal, and `new` are there: which it is handed, and the book if it changes.
    pub fn rekeyed(&self, request: KeyRequest, new: KeyGeneration) -> (KeyGeneration, Option<Self>) {
        let (handed, keys) = self.keys.asked(request, new);
        (handed, self.with_keys(keys))
    }

    /// A message was proven under keys of this generation: the book if it changes.
    pub fn keys_proven(&self, generation: KeyGeneration) -> Option<Self> {
        self.with_keys(self.keys.proven(generation))
    }

    fn with_keys(&self, keys: WorkingKeys) -> Option<Self> {
        (keys != self.keys).then(|| Self { keys, settled: self.settled.clone() })
    }
}

impl Count {
    /// None at all.
    pub const ZERO: Self = Self { number: 0, amount: 0 };

    const fn and(self, other: Self) -> Self {
        Self {
            number: self.number.saturating_add(other.number),
            amount: self.amount.saturating_add(other.amount),
        }
    }
}

impl Totals {
    /// Nothing was sold.
    pub const ZERO: Self = Self {
        debits: Count::ZERO,
        debit_reversals: Count::ZERO,
        credits: Count::ZERO,
        credit_reversals: Count::ZERO,
    };
}

impl Counted {
    /// Nothing at all.
    pub const ZERO: Self = Self { totals: Totals::ZERO, parts: 0 };

    /// What these bookings come to.
    pub fn of<'a>(bookings: impl IntoIterator<Item = &'a Booking>) -> Self {
        bookings.into_iter().fold(Self::ZERO, |counted, booking| {
            counted.and(booking.kind, Count { number: 1, amount: booking.money.amount().minor_units() })
        })
    }

    /// And so many bookings of this kind.
    #[must_use]
    pub const fn and(mut self, kind: BookingKind, more: Count) -> Self {
        let totals = &mut self.totals;
        let count = match kind {
            BookingKind::Debit => &mut totals.debits,
            BookingKind::DebitReversal => &mut totals.debit_reversals,
            BookingKind::PartReversal => {
                self.parts = self.parts.saturating_add(more.number);
                &mut totals.debit_reversals
            }
            BookingKind::Credit => &mut totals.credits,
            BookingKind::CreditReversal => &mut totals.credit_reversals,
        };
        *count = count.and(more);
        self
    }

    /// Whether a terminal that claims these totals means the same sales and the same refunds, in number and amount, once
    /// what was taken back is off. Not line by line: a sale that was approved and taken back because the terminal never
    /// heard of it is two lines here and none there. What was taken back in part may be a reversal there, as it is here,
    /// or a sale that is so much smaller: the amounts are the same, the numbers differ by one.
    pub fn balances(&self, claimed: &Totals) -> bool {
        let Self { totals: ours, parts } = self;
        let is_equal = |ours: (u64, u64), theirs: (u64, u64)| more(ours, theirs) == Some(0);
        is_equal(
            (ours.debits.amount, ours.debit_reversals.amount),
            (claimed.debits.amount, claimed.debit_reversals.amount),
        ) && is_equal(
            (ours.credits.number, ours.credit_reversals.number),
            (claimed.credits.number, claimed.credit_reversals.number),
        ) && is_equal(
            (ours.credits.amount, ours.credit_reversals.amount),
            (claimed.credits.amount, claimed.credit_reversals.amount),
        ) && more(
            (ours.debits.number, ours.debit_reversals.number),
            (claimed.debits.number, claimed.debit_reversals.number),
        )
        .is_some_and(|smaller| smaller <= u128::from(*parts))
    }
}

impl Period {
    /// Whether a booking at this instant is counted.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.after < at && at <= self.upto
    }
}

impl Settled {
    fn of(asked: Settlement) -> Self {
        let Settlement { key, currency, after, upto, claimed, counted } = asked;
        // A clock that was set back must not have the next one count again what was counted before.
        let upto = upto.max(after);
        let balanced = counted.balances(&claimed);
        Self { key, currency, after, upto, claimed, counted: counted.totals, balanced }
    }
}

/// The oldest that is not its currency's newest.
fn superseded(settled: &[Settled]) -> Option<usize> {
    let currencies = || settled.iter().map(|settled| settled.currency);
    let is_newest = |(place, currency)| currencies().skip(place).skip(1).all(|later| later != currency);
    currencies().enumerate().position(|at| !is_newest(at))
}

/// How much more is left of theirs than of ours, each once what was taken back is off; `None` if it is less.
fn more(ours: (u64, u64), theirs: (u64, u64)) -> Option<u128> {
    let sum = |x: u64, y: u64| u128::from(x).saturating_add(u128::from(y));
    sum(theirs.0, ours.1).checked_sub(sum(ours.0, theirs.1))
}
