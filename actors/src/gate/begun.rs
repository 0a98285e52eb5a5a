//! Who was let in may go on: the second of the two steps with which a payment begins, and either of them said again.
//!
//! A payment begins with a phone at a terminal and with the terminal's order, in either order. Whoever comes first asks for
//! leave, the other goes with it: to send the order away after the phone was let in would waste what was done, and help nobody.
//! When the payment has ended, whatever comes is the beginning of another one.
//! A table of fixed size; whoever is pushed out of it, or forgotten with the process, asks for leave again. Next: `pace`.
use crate::domain::identity::{PayerId, PaymentId, TerminalId};
use crate::domain::time::{Deadline, Timestamp};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Places in the table.
const PLACES: usize = 16_384;
/// How long the other is waited for.
const LASTS: Duration = Duration::from_mins(2);

/// One of the two steps with which a payment begins at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A phone stands at it.
    Phone(PayerId),
    /// It says what is to be paid.
    Order(PaymentId),
}

/// What was let in of late.
#[derive(Debug)]
pub struct Begun(Vec<Option<Mark>>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    terminal: TerminalId,
    phone: Option<PayerId>,
    order: Option<PaymentId>,
    until: Deadline,
}

impl Default for Begun {
    fn default() -> Self {
        Self(vec![None; PLACES])
    }
}

impl Begun {
    /// Whether this goes on with what was let in: it is the other step, or either of them said again.
    pub fn goes_on(&mut self, now: Timestamp, terminal: TerminalId, step: Step) -> bool {
        let Some(Some(mark)) = self.place(terminal) else { return false };
        if mark.terminal != terminal || mark.until.is_over(now) {
            return false;
        }
        match step {
            Step::Phone(payer) => *mark.phone.get_or_insert(payer) == payer,
            Step::Order(payment) => *mark.order.get_or_insert(payment) == payment,
        }
    }

    /// Whether anything was let in at this terminal that has not ended.
    pub fn is_begun(&mut self, now: Timestamp, terminal: TerminalId) -> bool {
        let mark = self.place(terminal).and_then(|place| place.as_ref());
        mark.is_some_and(|mark| mark.terminal == terminal && !mark.until.is_over(now))
    }

    /// A step was let in.
    pub fn began(&mut self, now: Timestamp, terminal: TerminalId, step: Step) {
        let until = Deadline::after(now, LASTS);
        let (phone, order) = match step {
            Step::Phone(payer) => (Some(payer), None),
            Step::Order(payment) => (None, Some(payment)),
        };
        if let Some(place) = self.place(terminal) {
            *place = Some(Mark { terminal, phone, order, until });
        }
    }

    /// A payment came to its end: nothing goes on there any more.
    pub fn ended(&mut self, terminal: TerminalId, payment: PaymentId) {
        if let Some(place) = self.place(terminal) {
            place.take_if(|mark| mark.terminal == terminal && mark.order == Some(payment));
        }
    }

    fn place(&mut self, terminal: TerminalId) -> Option<&mut Option<Mark>> {
        let mut hasher = DefaultHasher::new();
        terminal.hash(&mut hasher);
        let places = u64::try_from(self.0.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % places).ok().and_then(|place| self.0.get_mut(place))
    }
}
