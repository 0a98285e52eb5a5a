//! One payment in the books: its permits, its one debit, what was given back, its reversal or tombstone.
//!
//! The rules of a single payment and nothing else: accounts are `account`'s, the order in which things are asked is the
//! books'. A permit's first use decides; every repeat is told the same.
use super::{BooksRefusal, Grant, Granted, PermitOrder, Presented, Terms};
use actors::domain::identity::{MerchantId, PaymentId, RefundId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{Effect, Failure};
use actors::domain::payment::phase::{Attempt, Receipt};
use actors::domain::time::{Deadline, Timestamp};
use std::collections::BTreeMap;

/// A payment; one without terms and with a reversal is a tombstone.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) terms: Option<Terms>,
    pub(super) permits: BTreeMap<Attempt, Permit>,
    pub(super) debit: Option<Debit>,
    pub(super) reversal: Option<Effect>,
    pub(super) refunds: BTreeMap<RefundId, Money>,
}

/// Leave to pay, for one use.
pub(super) struct Permit {
    pub(super) name: String,
    pub(super) expires: Deadline,
    pub(super) used: Use,
}

/// What a permit was used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Not,
    Pending,
    Paid,
    Failed(Failure),
}

/// Money that moved.
pub(super) struct Debit {
    pub(super) account: String,
    pub(super) receipt: Receipt,
}

impl Entry {
    /// The permit that was granted for the same question before.
    pub(super) fn repeated(&self, order: &PermitOrder) -> Result<Option<Granted>, BooksRefusal> {
        if self.reversal.is_some() {
            return Err(BooksRefusal::Reversed);
        }
        if self.terms.as_ref().is_some_and(|terms| *terms != order.terms) {
            return Err(BooksRefusal::Differs);
        }
        let repeat = |permit: &Permit| Granted {
            name: permit.name.clone(),
            expires: permit.expires,
            grant: Grant::Repeat,
        };
        Ok(self.permits.get(&order.attempt).map(repeat))
    }

    /// Whether a new permit can be granted.
    pub(super) fn may_permit(&self, attempt: Attempt) -> Result<(), BooksRefusal> {
        let is_pending = |permit: &Permit| permit.used == Use::Pending;
        match self.permits.last_key_value() {
            _ if self.debit.is_some() => Err(BooksRefusal::AlreadyPaid),
            Some((_, last)) if is_pending(last) => Err(BooksRefusal::StillPending),
            Some((newest, _)) if *newest > attempt => Err(BooksRefusal::Superseded),
            _ => Ok(()),
        }
    }

    /// What a permit's use was answered with, if it has been used; why it cannot be, if it cannot.
    pub(super) fn answered(
        &self,
        attempt: Attempt,
    ) -> Result<Option<Result<Receipt, Failure>>, BooksRefusal> {
        let used = self.permits.get(&attempt).map_or(Use::Not, |permit| permit.used);
        match (used, &self.debit) {
            (Use::Failed(failure), _) => Ok(Some(Err(failure))),
            _ if self.reversal.is_some() => Err(BooksRefusal::Reversed),
            (Use::Paid, Some(debit)) => Ok(Some(Ok(debit.receipt.clone()))),
            (_, Some(_)) => Err(BooksRefusal::AlreadyPaid),
            (Use::Pending, None) => Err(BooksRefusal::StillPending),
            (Use::Paid | Use::Not, None) => Ok(None),
        }
    }

    /// Whether the credential was made for this permit, and is in time.
    pub(super) fn judge<'a>(
        &self,
        payment: PaymentId,
        attempt: Attempt,
        presented: Option<&'a Presented>,
        now: Timestamp,
    ) -> Result<(Money, MerchantId, &'a Presented), Failure> {
        let permit = self.permits.get(&attempt).ok_or(Failure::PermitExpired)?;
        let is_newest = self.permits.last_key_value().is_some_and(|(newest, _)| *newest == attempt);
        if !is_newest || permit.expires.is_over(now) {
            return Err(Failure::PermitExpired);
        }
        let terms = self.terms.as_ref().ok_or(Failure::PermitExpired)?;
        let presented =
            presented.filter(|p| p.was_made_for(payment, permit, terms)).ok_or(Failure::Unreadable)?;
        if presented.expires.is_over(now) {
            Err(Failure::PermitExpired)
        } else {
            Ok((terms.money, terms.merchant, presented))
        }
    }

    pub(super) fn settle(&mut self, attempt: Attempt, result: &Result<Receipt, Failure>) {
        self.use_permit(attempt, result.as_ref().map_or_else(|failure| Use::Failed(*failure), |_| Use::Paid));
    }

    pub(super) fn use_permit(&mut self, attempt: Attempt, used: Use) {
        if let Some(permit) = self.permits.get_mut(&attempt) {
            permit.used = used;
        }
    }

    /// What of the debit has not gone back.
    pub(super) fn left(&self) -> Option<Money> {
        let debit = self.debit.as_ref()?;
        self.refunds.values().try_fold(debit.receipt.money, |left, refund| left.minus(*refund))
    }
}

impl Presented {
    fn was_made_for(&self, payment: PaymentId, permit: &Permit, terms: &Terms) -> bool {
        self.payment == payment.to_string()
            && self.permit == permit.name
            && Money::parse(&self.amount, &self.currency) == Ok(terms.money)
            && self.merchant == terms.merchant.as_str()
    }
}
