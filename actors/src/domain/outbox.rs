//! What we owe to platforms, and when it is tried next. A debt is paid or it stays; it is never dropped.
//!
//! Debts are derived from payments ([`super::payment::Payment::debts`]), so the outbox can always be folded anew from
//! the journal. It knows no platform and no clock: it is told what came of an attempt, and says what is due.
use super::backoff::Backoff;
use super::identity::{Keeper, PaymentId, PlatformId, RefundId};
use super::money::Money;
use super::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Something a platform still has to do for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Debt {
    /// The payment.
    pub payment: PaymentId,
    /// Who is told what came of it.
    pub keeper: Keeper,
    /// The platform that owes it.
    pub platform: PlatformId,
    /// The payment's whole amount.
    pub paid: Money,
    /// How much of it goes back.
    pub money: Money,
    /// Since when it has been owed, by the journal.
    pub since: Timestamp,
    /// What is to be done.
    pub kind: DebtKind,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DebtKind {
    /// Undo the payment and forbid what of it is still under way.
    Reversal,
    /// Give the whole payment back, because it is past reversing.
    GivingBack,
    /// Give part of it back.
    Refund(RefundId),
    /// People have to settle it with the platform; retried rarely, shown always.
    ByHand,
}

impl DebtKind {
    /// Its name in metrics and pages: a closed set.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reversal => "reversal",
            Self::GivingBack => "giving_back",
            Self::Refund(_) => "refund",
            Self::ByHand => "by_hand",
        }
    }
}

/// Debts with their schedule.
#[derive(Debug)]
pub struct Outbox {
    backoff: Backoff,
    owed: BTreeMap<DebtKey, Owed>,
    due: BTreeSet<(Timestamp, DebtKey)>,
}

type DebtKey = (PaymentId, DebtKind);

#[derive(Clone, Debug)]
struct Owed {
    debt: Debt,
    failures: u32,
    next: Option<Timestamp>,
}

/// A debt with its age, for pages and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The debt.
    pub debt: Debt,
    /// Since when it has been owed, whatever process has known it since.
    pub since: Timestamp,
    /// How often it has been tried in vain.
    pub failures: u32,
}

impl Outbox {
    /// An empty outbox that waits by `backoff`.
    pub const fn new(backoff: Backoff) -> Self {
        Self { backoff, owed: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// Takes in a payment's debts as they are now: new ones are due at once, vanished ones are forgotten.
    pub fn take_in(&mut self, now: Timestamp, payment: PaymentId, debts: &[Debt]) {
        let gone: Vec<DebtKey> = self
            .keys_of(payment)
            .filter(|key| !debts.iter().any(|debt| (debt.payment, debt.kind) == *key))
            .collect();
        for key in &gone {
            self.forget(key);
        }
        for debt in debts {
            let key = (debt.payment, debt.kind);
            if !self.owed.contains_key(&key) {
                let next = now.plus(self.first_wait(debt.kind));
                self.owed.insert(key, Owed { debt: *debt, failures: 0, next: Some(next) });
                self.due.insert((next, key));
            }
        }
    }

    /// Up to `room` debts that are due, marked as under way: each is returned once until [`Self::failed`] or
    /// [`Self::take_in`] speaks of it again.
    pub fn start_due(&mut self, now: Timestamp, room: usize) -> Vec<Debt> {
        let keys: Vec<(Timestamp, DebtKey)> =
            self.due.iter().take_while(|(at, _)| *at <= now).take(room).copied().collect();
        keys.iter().filter_map(|slot| self.start(slot)).collect()
    }

    fn start(&mut self, slot: &(Timestamp, DebtKey)) -> Option<Debt> {
        self.due.remove(slot);
        let owed = self.owed.get_mut(&slot.1)?;
        owed.next = None;
        Some(owed.debt)
    }

    /// The attempt at this debt brought no acknowledgement: it is tried again, later each time.
    pub fn failed(&mut self, now: Timestamp, debt: &Debt) {
        let (key, slowest) = ((debt.payment, debt.kind), self.first_wait(debt.kind));
        let Some(owed) = self.owed.get_mut(&key) else { return };
        if owed.next.is_some() {
            return;
        }
        owed.failures = owed.failures.saturating_add(1);
        let next = now.plus(self.backoff.wait(owed.failures).max(slowest));
        owed.next = Some(next);
        self.due.insert((next, key));
    }

    /// When the next debt is due; `None` if none waits.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Everything that is owed.
    pub fn standing(&self) -> impl Iterator<Item = Standing> + '_ {
        self.owed.values().map(|owed| Standing {
            debt: owed.debt,
            since: owed.debt.since,
            failures: owed.failures,
        })
    }

    /// How many debts there are.
    pub fn len(&self) -> usize {
        self.owed.len()
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    fn first_wait(&self, kind: DebtKind) -> Duration {
        match kind {
            // People settle it; the platform is asked again at the slowest pace.
            DebtKind::ByHand => self.backoff.cap,
            _ => Duration::ZERO,
        }
    }

    fn keys_of(&self, payment: PaymentId) -> impl Iterator<Item = DebtKey> + '_ {
        self.owed
            .range((payment, DebtKind::Reversal)..)
            .map(|(key, _)| *key)
            .take_while(move |key| key.0 == payment)
    }

    fn forget(&mut self, key: &DebtKey) {
        if let Some(Owed { next: Some(at), .. }) = self.owed.remove(key) {
            self.due.remove(&(at, *key));
        }
    }
}
