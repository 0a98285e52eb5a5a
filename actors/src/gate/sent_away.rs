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
use std::num::NonZeroU16;
use std::time::Duration;

/// How long a repeat may be under way, and an order that was let in may be unwritten.
const LASTS: Duration = Duration::from_mins(1);
/// Names that are kept.
pub const NAMES: usize = 262_144;
/// Shelves for the orders that were let in.
const SHELVES: usize = 131_072;
/// Orders that one shelf tells apart within [`LASTS`].
const ON_A_SHELF: usize = 3;

/// The orders that were sent away of late, and when others were let in.
#[derive(Debug)]
pub struct SentAway {
    names: HashSet<PaymentId>,
    ends: VecDeque<(Deadline, PaymentId)>,
    let_in: Vec<Shelf>,
}

/// When orders of about this hash were let in. Two that are taken for each other are one in ten thousand; and once there were too
/// many within a minute, whoever comes here may be one of them.
#[derive(Clone, Copy, Debug, Default)]
struct Shelf {
    seen: [Option<Seen>; ON_A_SHELF],
    full: Option<Seen>,
}

/// Fifteen bits of an order's hash, and the second of the day, more or less: it comes round after eighteen hours, and then an order may be
/// taken for one that was let in.
#[derive(Clone, Copy, Debug)]
struct Seen {
    mark: NonZeroU16,
    second: u16,
}

impl Seen {
    fn is_recent(self, now: Timestamp) -> bool {
        let since = second(now).wrapping_sub(self.second);
        // Another thread may have looked at the clock a moment later.
        u64::from(since.min(since.wrapping_neg())) <= LASTS.as_secs()
    }
}

impl Shelf {
    fn put(&mut self, now: Timestamp, mark: NonZeroU16) {
        let seen = Some(Seen { mark, second: second(now) });
        let of_it = |held: &&mut Option<Seen>| held.is_some_and(|held| held.mark == mark);
        let free = |held: &&mut Option<Seen>| held.is_none_or(|held| !held.is_recent(now));
        let place = match self.seen.iter_mut().find(of_it) {
            Some(place) => place,
            None => self.seen.iter_mut().find(free).unwrap_or(&mut self.full),
        };
        *place = seen;
    }

    fn may_hold(&self, now: Timestamp, mark: NonZeroU16) -> bool {
        let is_it = |held: &Seen| held.mark == mark && held.is_recent(now);
        self.full.is_some_and(|full| full.is_recent(now)) || self.seen.iter().flatten().any(is_it)
    }
}

impl Default for SentAway {
    fn default() -> Self {
        Self { names: HashSet::new(), ends: VecDeque::new(), let_in: vec![Shelf::default(); SHELVES] }
    }
}

impl SentAway {
    /// This order was let in.
    pub fn let_in(&mut self, now: Timestamp, order: PaymentId) {
        let (place, mark) = place(order);
        if let Some(shelf) = self.let_in.get_mut(place) {
            shelf.put(now, mark);
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
        let (place, mark) = place(order);
        let may_be_inside = self.let_in.get(place).is_none_or(|shelf| shelf.may_hold(now, mark));
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

/// Where an order is looked for, and what it is told by there: different bits of one hash.
fn place(order: PaymentId) -> (usize, NonZeroU16) {
    let mut hasher = DefaultHasher::new();
    order.hash(&mut hasher);
    let (hash, shelves) = (hasher.finish(), u64::try_from(SHELVES).unwrap_or(1));
    let mark = u16::try_from(hash >> 48).unwrap_or(u16::MAX) | 1;
    (usize::try_from(hash % shelves).unwrap_or(0), NonZeroU16::new(mark).unwrap_or(NonZeroU16::MAX))
}

fn second(now: Timestamp) -> u16 {
    u16::try_from(now.secs() & u64::from(u16::MAX)).unwrap_or(u16::MAX)
}
