//! The books as others read them: a payment's status, the daily list with its sums, and everything for the auditor.
//!
//! Read only, and the form that goes over the wire: amounts are decimal strings, times are RFC 3339. Shows what an
//! auditor needs to hold the switch's word against; shows no password and no credential.
use super::Books;
use super::payment::{Entry, Permit, Use};
use crate::rfc3339;
use actors::domain::identity::{MerchantId, PaymentId};
use actors::domain::money::{Currency, Money};
use actors::domain::payment::outcome::{Effect, Failure};
use actors::domain::payment::phase::{Attempt, Receipt};
use actors::domain::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BooksPage {
    /// The accounts by name.
    pub accounts: BTreeMap<String, AccountPage>,
    /// The payments and tombstones by id.
    pub payments: Vec<PaymentPage>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountPage {
    /// Decimal strings by currency.
    pub balances: BTreeMap<&'static str, String>,
    /// Whether wrong passwords blocked it.
    pub blocked: bool,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaymentPage {
    /// The switch's id.
    pub payment: String,
    /// `permitted`, `pending`, `paid`, `failed` or `reversed`.
    pub status: &'static str,
    /// The newest permit's number; none in a tombstone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u8>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Failure>,
    /// The debit's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The whole amount; none in a tombstone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<&'static str>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// The account that was debited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What a reversal undid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// What was given back.
    pub refunds: Vec<RefundPage>,
    /// The permits in order.
    pub permits: Vec<PermitPage>,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundPage {
    /// Its id.
    pub refund: String,
    /// How much.
    pub amount: String,
    /// Of what.
    pub currency: &'static str,
}

/// A permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PermitPage {
    /// Its number.
    pub attempt: u8,
    /// `unused`, `expired`, `pending`, `paid` or `failed`.
    pub status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Failure>,
    /// When it stops being good.
    pub expires_at: String,
}

/// What was settled on one day (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DailyPage {
    /// The date.
    pub date: String,
    /// Movements in order.
    pub lines: Vec<DailyLine>,
    /// One per kind and currency.
    pub sums: Vec<DailySum>,
}

/// Money that moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DailyLine {
    /// `debit`, `reversal` or `refund`.
    pub kind: &'static str,
    /// The payment.
    pub payment: String,
    /// For whom.
    pub merchant: String,
    /// The debit's reference.
    pub reference: String,
    /// How much.
    pub amount: String,
    /// Of what.
    pub currency: &'static str,
    /// When.
    pub at: String,
    #[serde(skip)]
    money: Money,
}

/// A total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DailySum {
    /// `debit`, `reversal` or `refund`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// How much.
    pub amount: String,
    /// Of what.
    pub currency: &'static str,
}

impl Books {
    /// Everything, as of `now`.
    pub fn page(&self, now: Timestamp) -> BooksPage {
        let accounts = self.accounts.iter().map(|(name, account)| {
            let balances =
                account.balances().map(|money| (money.currency().code(), money.decimal())).collect();
            (name.clone(), AccountPage { balances, blocked: account.is_blocked() })
        });
        let payments = self.payments.iter().filter_map(|(id, entry)| entry.page(*id, now));
        BooksPage { accounts: accounts.collect(), payments: payments.collect() }
    }

    /// Where a payment stands.
    pub fn payment_page(&self, payment: PaymentId, now: Timestamp) -> Option<PaymentPage> {
        self.payments.get(&payment)?.page(payment, now)
    }

    /// What was settled on `date` (UTC, `2030-01-31`).
    pub fn daily(&self, date: &str) -> DailyPage {
        let lines: Vec<_> = self.lines.iter().filter(|line| line.at.starts_with(date)).cloned().collect();
        let mut sums: BTreeMap<(&'static str, Currency), (u64, u64)> = BTreeMap::new();
        for line in &lines {
            let (count, minor_units) = sums.entry((line.kind, line.money.currency())).or_default();
            *count = count.saturating_add(1);
            *minor_units = minor_units.saturating_add(line.money.amount().minor_units());
        }
        let sum = |((kind, currency), (count, minor_units)): ((&'static str, Currency), (u64, u64))| {
            DailySum { kind, count, amount: decimal(minor_units, currency), currency: currency.code() }
        };
        DailyPage { date: date.to_owned(), lines, sums: sums.into_iter().map(sum).collect() }
    }
}

impl Entry {
    fn page(&self, payment: PaymentId, now: Timestamp) -> Option<PaymentPage> {
        let newest = self.permits.last_key_value();
        let (status, reason) = match (self.reversal, &self.debit, newest) {
            (Some(_), ..) => ("reversed", None),
            (None, Some(_), _) => ("paid", None),
            (None, None, newest) => match newest?.1.state(now) {
                ("unused", _) => ("permitted", None),
                ("pending", _) => ("pending", None),
                (_, reason) => ("failed", reason),
            },
        };
        let (terms, debit) = (self.terms.as_ref(), self.debit.as_ref());
        Some(PaymentPage {
            payment: payment.to_string(),
            status,
            attempt: newest.map(|(attempt, _)| attempt.number()),
            reason,
            reference: debit.map(|debit| debit.receipt.reference.to_string()),
            amount: terms.map(|terms| terms.money.decimal()),
            currency: terms.map(|terms| terms.money.currency().code()),
            merchant: terms.map(|terms| terms.merchant.to_string()),
            terminal: terms.and_then(|terms| terms.terminal).map(|terminal| terminal.to_string()),
            payer: terms.map(|terms| terms.payer.to_string()),
            account: debit.map(|debit| debit.account.clone()),
            effect: self.reversal,
            refunds: self.refunds.iter().map(|(id, money)| RefundPage::of(id.as_str(), *money)).collect(),
            permits: self.permits.iter().map(|(attempt, permit)| permit.page(*attempt, now)).collect(),
        })
    }
}

impl Permit {
    fn state(&self, now: Timestamp) -> (&'static str, Option<Failure>) {
        match self.used {
            Use::Not if self.expires.is_over(now) => ("expired", Some(Failure::PermitExpired)),
            Use::Not => ("unused", None),
            Use::Pending => ("pending", None),
            Use::Paid => ("paid", None),
            Use::Failed(failure) => ("failed", Some(failure)),
        }
    }

    fn page(&self, attempt: Attempt, now: Timestamp) -> PermitPage {
        let (status, reason) = self.state(now);
        PermitPage {
            attempt: attempt.number(),
            status,
            reason,
            expires_at: rfc3339::format(self.expires.instant()),
        }
    }
}

impl RefundPage {
    fn of(refund: &str, money: Money) -> Self {
        Self { refund: refund.to_owned(), amount: money.decimal(), currency: money.currency().code() }
    }
}

impl DailyLine {
    pub(super) fn debit(payment: PaymentId, merchant: MerchantId, receipt: &Receipt, at: Timestamp) -> Self {
        Self::of("debit", payment, merchant, receipt.money, receipt, at)
    }

    pub(super) fn reversal(
        payment: PaymentId,
        merchant: MerchantId,
        money: Money,
        receipt: &Receipt,
        at: Timestamp,
    ) -> Self {
        Self::of("reversal", payment, merchant, money, receipt, at)
    }

    pub(super) fn refund(
        payment: PaymentId,
        merchant: MerchantId,
        money: Money,
        receipt: &Receipt,
        at: Timestamp,
    ) -> Self {
        Self::of("refund", payment, merchant, money, receipt, at)
    }

    fn of(
        kind: &'static str,
        payment: PaymentId,
        merchant: MerchantId,
        money: Money,
        receipt: &Receipt,
        at: Timestamp,
    ) -> Self {
        Self {
            kind,
            payment: payment.to_string(),
            merchant: merchant.to_string(),
            reference: receipt.reference.to_string(),
            amount: money.decimal(),
            currency: money.currency().code(),
            at: rfc3339::format(at),
            money,
        }
    }
}

/// A sum as a decimal string; it may be larger than any single amount.
fn decimal(minor_units: u64, currency: Currency) -> String {
    let digits = usize::from(currency.decimals());
    let padded = format!("{minor_units:0>width$}", width = digits + 1);
    let (whole, part) = padded.split_at(padded.len() - digits);
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}
