//! What a phone has yet to be told: of each payment only how it stands at last, in the order of the numbers.
use crate::api::views::PhonePayment;
use actors::payer::{Change, EventNumber};
use actors::ports::roster::Roster;
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt::Write;

/// As many payments as may wait to be told of together.
const PAYMENTS_MAX: usize = 32;

/// Changes that are told together.
pub(super) struct Unsaid {
    changes: VecDeque<Change>,
}

impl Unsaid {
    /// What a phone has missed.
    pub fn of(missed: Vec<Change>) -> Self {
        let mut unsaid = Self { changes: VecDeque::new() };
        for change in missed {
            unsaid.add(change);
        }
        unsaid
    }

    /// Nothing is left to say.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether nobody is to act on any of it, and there is room for more.
    pub fn may_wait(&self) -> bool {
        self.changes.len() < PAYMENTS_MAX && !self.changes.iter().any(is_to_be_acted_on)
    }

    /// One more change. What was still to be said of the same payment is old news.
    pub fn add(&mut self, change: Change) {
        if let Change::Payment(_, card) = &change {
            let id = card.payment.id();
            self.changes.retain(|old| !matches!(old, Change::Payment(_, old) if old.payment.id() == id));
        }
        self.changes.push_back(change);
    }

    /// All of it, as events.
    pub fn say(&mut self, roster: &dyn Roster) -> Bytes {
        let mut said = String::with_capacity(1_024);
        for change in self.changes.drain(..) {
            let (number, name, data) = match change {
                Change::Payment(number, card) => {
                    let shown = PhonePayment::of_card(&card, roster);
                    (number, "payment", serde_json::to_string(&shown).unwrap_or_default())
                }
                Change::Resync(number) => (number, "resync", "{}".to_owned()),
            };
            let EventNumber { incarnation, number } = number;
            write!(said, "id: {incarnation}-{number}\nevent: {name}\ndata: {data}\n\n").ok();
        }
        Bytes::from(said)
    }
}

fn is_to_be_acted_on(change: &Change) -> bool {
    match change {
        Change::Payment(_, card) => card.payment.phase().is_payers_turn(),
        Change::Resync(_) => true,
    }
}
