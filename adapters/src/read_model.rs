//! What people search and terminals settle by: tables of payments and of what they booked, folded from the journal's
//! tail, off the path of any payment.
//!
//! It may be deleted at any time and is rebuilt from what the journal still holds. Nothing is decided by it. The fold
//! is here and pure; `sqlite` keeps the rows.
pub mod sqlite;

use actors::domain::identity::PaymentId;
use actors::domain::journal::{Entry, Recorded};
use actors::domain::payment::{Payment, Stamped};
use actors::domain::till::booking::Booking;
use actors::domain::time::Timestamp;
use actors::ports::history::PastPayment;
use std::collections::{HashMap, VecDeque};

/// How many closed payments stay at hand for a refund or a reversal that follows soon.
const CLOSED_MAX: usize = 10_000;

/// The payments that the fold has at hand.
#[derive(Default)]
pub struct Projection {
    folded: HashMap<PaymentId, Folded>,
    closed: VecDeque<PaymentId>,
}

struct Folded {
    payment: Payment,
    started_at: Timestamp,
    decided_at: Option<Timestamp>,
}

/// What a record means for the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row is so now, and these lines are on its terminal's account.
    Row(Box<PastPayment>, Vec<Booking>),
    /// The payment is not at hand: its whole life is needed, see [`Projection::relearn`].
    Unknown(PaymentId),
    /// No row changes.
    Nothing,
}

impl Projection {
    /// Takes in the next record.
    pub fn take_in(&mut self, record: &Recorded) -> Change {
        let Entry::Payment(id, fact) = &record.entry else { return Change::Nothing };
        let stamped = Stamped { at: record.at, fact: fact.clone() };
        match self.folded.remove(id) {
            Some(folded) => {
                let booked = Vec::from_iter(Booking::of(&folded.payment, record.at, fact));
                match folded.payment.after(record.at, fact) {
                    Ok(payment) => {
                        let row = self.put(payment, folded.started_at, folded.decided_at, record.at);
                        Change::Row(row, booked)
                    }
                    Err(_) => Change::Unknown(*id),
                }
            }
            None => match Payment::folded(*id, &[stamped]) {
                // A first fact books nothing.
                Ok(Some(payment)) => Change::Row(self.put(payment, record.at, None, record.at), Vec::new()),
                Ok(None) | Err(_) => Change::Unknown(*id),
            },
        }
    }

    /// Takes in a whole life, up to where the table stands or beyond.
    pub fn relearn(&mut self, id: PaymentId, life: &[Recorded]) -> Change {
        self.folded.remove(&id);
        let facts: Vec<Stamped> = life.iter().filter_map(stamped).collect();
        let decided_at = decided_at(id, &facts);
        let booked = Booking::all_of(id, &facts).unwrap_or_default();
        match (Payment::folded(id, &facts), facts.first(), facts.last()) {
            (Ok(Some(payment)), Some(first), Some(last)) => {
                Change::Row(self.put(payment, first.at, decided_at, last.at), booked)
            }
            _ => Change::Nothing,
        }
    }

    fn put(
        &mut self,
        payment: Payment,
        started_at: Timestamp,
        decided_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Box<PastPayment> {
        let decided_at = decided_at.or_else(|| payment.outcome().map(|_| now));
        let row = PastPayment::of(&payment, started_at, decided_at);
        let id = payment.id();
        if payment.is_closed() && !self.closed.contains(&id) {
            self.closed.push_back(id);
        }
        self.folded.insert(id, Folded { payment, started_at, decided_at });
        if self.closed.len() > CLOSED_MAX
            && let Some(oldest) = self.closed.pop_front()
        {
            self.folded.remove(&oldest);
        }
        Box::new(row)
    }
}

fn stamped(record: &Recorded) -> Option<Stamped> {
    match &record.entry {
        Entry::Payment(_, fact) => Some(Stamped { at: record.at, fact: fact.clone() }),
        Entry::Binding(..) | Entry::Till(..) => None,
    }
}

/// When the terminal's answer was decided: the first fact after which there is one.
fn decided_at(id: PaymentId, facts: &[Stamped]) -> Option<Timestamp> {
    (1..=facts.len()).find_map(|upto| {
        let life = facts.get(..upto)?;
        let payment = Payment::folded(id, life).ok()??;
        payment.outcome().and_then(|_| life.last()).map(|last| last.at)
    })
}
