//! Who was told for good that nothing will come of an order: until no repeat of it can be under way any more, it stays at that.
//!
//! A terminal on a line takes a no for the end of its sale. A repeat that it sent before may come in later, over another
//! connection, and must not be paid behind its back. So the order's name is kept, in memory, for as long as repeats travel; and
//! nobody is told so whose order may have been let in, which the journal need not know yet. A crash forgets it, and the connections
//! over which repeats come. Next: `gate`.
use crate::domain::identity::PaymentId;
use crate::domain::time::{Deadline, Timestamp};
use crate::planted::{Bug, is_planted};
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// How long a repeat may be under way, and an order that was let in may be unwritten.
const LASTS: Duration = Duration::from_mins(1);
/// Names that are kept.
pub const NAMES: usize = 262_144;
/// Places for the seconds at which orders were let in; those that share one are taken for each other.
const PLACES: usize = 524_288;

/// The orders that were sent away of late, and when others were let in.
#[derive(Debug)]
pub struct SentAway {
    names: HashSet<PaymentId>,
    ends: VecDeque<(Deadline, PaymentId)>,
    let_in_at: Vec<u32>,
}

impl Default for SentAway {
    fn default() -> Self {
        Self { names: HashSet::new(), ends: VecDeque::new(), let_in_at: vec![0; PLACES] }
    }
}

impl SentAway {
    /// This order was let in.
    pub fn let_in(&mut self, now: Timestamp, order: PaymentId) {
        if let Some(place) = self.let_in_at.get_mut(place(order)) {
            *place = seconds(now);
        }
    }

    /// Whether the order was sent away for good.
    pub fn has(&mut self, now: Timestamp, order: PaymentId) -> bool {
        self.forget(now);
        self.names.contains(&order)
    }

    /// Sends the order away for good, if it surely was not let in of late and one more name can be kept.
    pub fn send(&mut self, now: Timestamp, order: PaymentId) -> bool {
        self.forget(now);
        if self.names.contains(&order) {
            return true;
        }
        let let_in_at = self.let_in_at.get(place(order)).copied().unwrap_or(u32::MAX);
        let may_be_inside = u64::from(seconds(now).saturating_sub(let_in_at)) <= LASTS.as_secs();
        if may_be_inside || self.names.len() >= NAMES {
            return false;
        }
        if is_planted(Bug::SentAwayForgotten) {
            return true;
        }
        self.ends.push_back((Deadline::after(now, LASTS), order));
        self.names.insert(order)
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((_, order)) = self.ends.pop_front_if(|(end, _)| end.is_over(now)) {
            self.names.remove(&order);
        }
        if self.ends.is_empty() && self.ends.capacity() > 0 {
            (self.names, self.ends) = (HashSet::new(), VecDeque::new());
        }
    }
}

fn place(order: PaymentId) -> usize {
    let mut hasher = DefaultHasher::new();
    order.hash(&mut hasher);
    let places = u64::try_from(PLACES).unwrap_or(1);
    usize::try_from(hasher.finish() % places).unwrap_or(0)
}

fn seconds(now: Timestamp) -> u32 {
    u32::try_from(now.secs()).unwrap_or(u32::MAX)
}
