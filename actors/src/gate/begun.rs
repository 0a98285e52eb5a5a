//! Who was let in may go on: the second of the two steps with which a payment begins, and the same step said again.
//!
//! A payment begins with a phone at a terminal and with the terminal's order, in either order. Whoever comes first asks for
//! leave, the other goes with it: to send the order away after the phone was let in would waste what was done, and help nobody.
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
    last: Step,
    /// Whether the other has come, too.
    is_whole: bool,
    until: Deadline,
}

impl Default for Begun {
    fn default() -> Self {
        Self(vec![None; PLACES])
    }
}

impl Begun {
    /// Whether this goes on with what was let in: it is the other step, once, or the same one said again.
    pub fn goes_on(&mut self, now: Timestamp, terminal: TerminalId, step: Step) -> bool {
        let Some(Some(mark)) = self.place(terminal) else { return false };
        if mark.terminal != terminal || mark.until.is_over(now) {
            return false;
        }
        let is_other = !mark.is_whole && std::mem::discriminant(&mark.last) != std::mem::discriminant(&step);
        if is_other {
            // Said again, it will be the same.
            *mark = Mark { last: step, is_whole: true, ..*mark };
        }
        mark.last == step
    }

    /// A step was let in.
    pub fn began(&mut self, now: Timestamp, terminal: TerminalId, step: Step) {
        let until = Deadline::after(now, LASTS);
        if let Some(place) = self.place(terminal) {
            *place = Some(Mark { terminal, last: step, is_whole: false, until });
        }
    }

    fn place(&mut self, terminal: TerminalId) -> Option<&mut Option<Mark>> {
        let mut hasher = DefaultHasher::new();
        terminal.hash(&mut hasher);
        let places = u64::try_from(self.0.len()).unwrap_or(1).max(1);
        usize::try_from(hasher.finish() % places).ok().and_then(|place| self.0.get_mut(place))
    }
}
