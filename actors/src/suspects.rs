//! Which payments were in hand when their keeper broke, so that one that breaks it every time can be given up.
//!
//! A keeper that panics takes its state along, and with it the knowledge of what it was at. This outlives it: a payment
//! is held in hand while something is done with it, and letting go of it in a panic leaves a mark. What is done about
//! a payment with too many marks is `keeping`'s to say. It is forgotten with the process: a restart tries anew.
use crate::domain::identity::PaymentId;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often a payment may break its keeper before it is given up.
pub const TRIES_MAX: u8 = 3;
/// How many payments are under suspicion at most; beyond that one of them is let off.
const SUSPECTS_MAX: usize = 1_024;

/// The payments under suspicion.
#[derive(Debug, Default)]
pub struct Suspects(Mutex<BTreeMap<PaymentId, u8>>);

/// Payments that something is being done with.
pub struct InHand<'a> {
    suspects: &'a Suspects,
    payments: &'a [PaymentId],
}

impl Suspects {
    /// Holds payments in hand until the answer is dropped.
    pub const fn in_hand<'a>(&'a self, payments: &'a [PaymentId]) -> InHand<'a> {
        InHand { suspects: self, payments }
    }

    /// How often this payment was in hand when its keeper broke.
    pub fn marks(&self, payment: PaymentId) -> u8 {
        self.marked().get(&payment).copied().unwrap_or(0)
    }

    /// Whether nothing broke of late.
    pub fn is_empty(&self) -> bool {
        self.marked().is_empty()
    }

    fn mark(&self, payment: PaymentId) {
        let mut marked = self.marked();
        if marked.len() >= SUSPECTS_MAX && !marked.contains_key(&payment) {
            marked.pop_first();
        }
        let marks = marked.entry(payment).or_default();
        *marks = marks.saturating_add(1);
    }

    /// A panic elsewhere can't leave the map half changed, so a poisoned lock is as good as any.
    fn marked(&self) -> MutexGuard<'_, BTreeMap<PaymentId, u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.payments.iter().for_each(|payment| self.suspects.mark(*payment));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_one_suspect_is_let_off() {
        let suspects = Suspects::default();
        for bits in 0..1_030 {
            suspects.mark(PaymentId::from_bits(bits));
        }
        let held = (0..1_030).filter(|bits| suspects.marks(PaymentId::from_bits(*bits)) > 0);
        assert_eq!(held.count(), SUSPECTS_MAX);
        assert_eq!(suspects.marks(PaymentId::from_bits(1_029)), 1, "never the newest");
    }
}
