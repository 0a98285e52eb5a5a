//! What terminals were told and what phones were shown: every event of a run that a client can see.
//!
//! It takes no side. A payment is noted when its question leaves, and closed when its terminal knows; what is never
//! closed was never answered. `judge` holds all of it against the journal and the platform's books.
use actors::domain::identity::{MerchantId, PaymentId, TerminalId};
use actors::domain::money::Money;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More payments than this do not fit a judge's memory.
pub const PAYMENTS_MAX: usize = 20_000_000;

/// What a terminal asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub id: PaymentId,
    pub terminal: TerminalId,
    pub merchant: Option<MerchantId>,
    pub money: Money,
}

/// What a terminal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Paid; the platform's name for the debit, where it was told.
    Approved(Option<String>),
    /// Not paid: DE 39.
    Declined(String),
    /// Nobody pays any more.
    TakenBack,
    /// The switch would not hear of it: nothing was begun.
    TurnedAway(String),
}

/// What a phone was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub amount: String,
    pub currency: String,
    pub merchant: String,
}

/// A payment as its clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub question: Question,
    /// `None`: no answer ever came.
    pub held: Option<Held>,
    pub shown: Option<Shown>,
    /// What else it was told of the same question.
    pub another: Option<Held>,
}

/// The events of a run.
#[derive(Default)]
pub struct Ledger {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    open: HashMap<PaymentId, Told>,
    closed: Vec<Told>,
}

impl Ledger {
    /// A terminal asks.
    pub fn asked(&self, question: Question) {
        let told = Told { question, held: None, shown: None, another: None };
        self.book().open.insert(told.question.id, told);
    }

    /// A phone is shown a payment that a terminal asked for.
    pub fn shown(&self, id: PaymentId, shown: Shown) {
        if let Some(told) = self.book().open.get_mut(&id) {
            told.shown = Some(shown);
        }
    }

    /// The terminal was told something on the way; it is an error if it holds something else in the end.
    pub fn told(&self, id: PaymentId, held: Held) {
        if let Some(told) = self.book().open.get_mut(&id) {
            match &told.held {
                None => told.held = Some(held),
                // A reversal follows an answer; nothing else may.
                Some(_) if held == Held::TakenBack => told.held = Some(held),
                Some(first) if *first != held => told.another = Some(held),
                Some(_) => {}
            }
        }
    }

    /// The terminal has nothing more to ask about it.
    pub fn closed(&self, id: PaymentId) {
        let mut book = self.book();
        if let Some(told) = book.open.remove(&id)
            && book.closed.len() < PAYMENTS_MAX
        {
            book.closed.push(told);
        }
    }

    /// Payments whose terminals still wait.
    pub fn open(&self) -> usize {
        self.book().open.len()
    }

    /// All of it, at the end: what is still open was not answered.
    pub fn take(&self) -> Vec<Told> {
        let mut book = self.book();
        let mut all = std::mem::take(&mut book.closed);
        all.extend(book.open.drain().map(|(_, told)| told));
        all
    }

    /// What a player that panicked has written is still true.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn question(bits: u128) -> Question {
        let (terminal, money) = (TerminalId::new("T1").unwrap(), Money::parse("1.00", "EUR").unwrap());
        Question { id: PaymentId::from_bits(bits), terminal, merchant: None, money }
    }

    #[test]
    fn what_is_never_closed_was_never_answered() {
        let ledger = Ledger::default();
        ledger.asked(question(1));
        ledger.asked(question(2));
        ledger.told(PaymentId::from_bits(1), Held::Approved(None));
        ledger.closed(PaymentId::from_bits(1));
        let all = ledger.take();
        assert_eq!(
            all.iter().map(|told| told.held.clone()).collect::<Vec<_>>(),
            [Some(Held::Approved(None)), None]
        );
    }

    #[test]
    fn a_reversal_may_follow_an_answer_and_another_answer_may_not() {
        let (ledger, id) = (Ledger::default(), PaymentId::from_bits(1));
        ledger.asked(question(1));
        ledger.told(id, Held::Approved(Some("r".into())));
        ledger.told(id, Held::Approved(Some("r".into())));
        ledger.told(id, Held::Declined("05".into()));
        ledger.told(id, Held::TakenBack);
        ledger.closed(id);
        let told = &ledger.take()[0];
        assert_eq!(told.held, Some(Held::TakenBack));
        assert_eq!(told.another, Some(Held::Declined("05".into())));
    }
}
