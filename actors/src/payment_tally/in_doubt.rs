//! The payments of this process of which nobody knows whether money moved: how many, how much, since when.
//!
//! A list rather than counters, because the oldest has to be known. It is touched when a payment enters or leaves doubt, which is
//! rare, and is as long as there are open payments at most.
use crate::domain::money::{Currency, Money};
use crate::domain::time::Timestamp;
use metrics::gauge;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who is in doubt.
#[derive(Default)]
pub(super) struct Doubts(Mutex<List>);

/// Which entry of the list; two incarnations of one payment are two.
pub(super) struct Number(u64);

#[derive(Default)]
struct List {
    entered: u64,
    doubts: BTreeMap<u64, (Timestamp, Money)>,
    /// Every currency that was ever in doubt, so that what it shows goes back to nothing.
    seen: Vec<Currency>,
}

impl Doubts {
    /// A payment is in doubt.
    pub(super) fn enter(&self, since: Timestamp, money: Money) -> Number {
        let mut list = self.list();
        list.entered = list.entered.wrapping_add(1);
        let number = list.entered;
        list.doubts.insert(number, (since, money));
        if !list.seen.contains(&money.currency()) {
            list.seen.push(money.currency());
        }
        Number(number)
    }

    /// It no longer is.
    pub(super) fn leave(&self, number: Number) {
        self.list().doubts.remove(&number.0);
    }

    /// Sets the gauges.
    pub(super) fn show(&self, now: Timestamp) {
        let list = self.list();
        let oldest = list.doubts.values().map(|(since, _)| *since).min();
        gauge!("turnout_in_doubt_oldest_seconds").set(oldest.map_or(0.0, |at| now.since(at).as_secs_f64()));
        gauge!("turnout_in_doubt_payments").set(u32::try_from(list.doubts.len()).map_or(f64::MAX, f64::from));
        for currency in &list.seen {
            let of_it = list.doubts.values().map(|(_, money)| *money).filter(|m| m.currency() == *currency);
            let amount: f64 = of_it.map(in_units).sum();
            gauge!("turnout_in_doubt_amount", "currency" => currency.code()).set(amount);
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An amount as a graph shows it, in the currency's own unit; never to be reckoned with.
pub(super) fn in_units(money: Money) -> f64 {
    let minor = money.amount().minor_units();
    // Twelve digits at most (DE 4), so both halves fit and their sum is exact.
    let halves =
        [minor >> 32, minor & u64::from(u32::MAX)].map(|half| u32::try_from(half).map_or(0.0, f64::from));
    (halves[0] * 4_294_967_296.0 + halves[1]) / 10_f64.powi(i32::from(money.currency().decimals()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    fn euros(amount: &str) -> Money {
        Money::parse(amount, "EUR").expect("an amount")
    }

    #[test]
    fn an_amount_is_shown_in_the_currency_s_own_unit() {
        assert_eq!(in_units(euros("12.50")), 12.5);
        assert_eq!(in_units(euros("9999999999.99")), 9_999_999_999.99);
        assert_eq!(in_units(Money::parse("7", "JPY").expect("an amount")), 7.0);
    }

    #[test]
    fn who_left_is_no_longer_counted_and_the_oldest_of_the_rest_is_the_oldest() {
        let (doubts, at) = (Doubts::default(), Timestamp::from_micros);
        let first = doubts.enter(at(1), euros("1.00"));
        let _second = doubts.enter(at(2), euros("2.00"));
        doubts.leave(first);
        let left: Vec<_> = doubts.list().doubts.values().copied().collect();
        assert_eq!(left, [(at(2), euros("2.00"))]);
    }
}
