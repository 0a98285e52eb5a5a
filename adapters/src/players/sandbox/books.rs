//! The sandbox platform's books: accounts, permits, payments, tombstones, refunds. Pure: no clock, no I/O.
//!
//! Every entry is idempotent by (payment, attempt) or by refund id (C1); a reversal of something unseen leaves a
//! tombstone (C2); there is never more than one debit per payment. What they look like from outside is in `page`.
mod account;
mod page;
mod payment;

pub use account::{Account, AccountFault};
pub use page::{AccountPage, BooksPage, DailyLine, DailyPage, DailySum, PaymentPage, PermitPage, RefundPage};

use account::PasswordKey;
use actors::domain::identity::{MerchantId, PayerId, PaymentId, RefundId, TerminalId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{Effect, Failure};
use actors::domain::payment::phase::{Attempt, Receipt};
use actors::domain::time::{Deadline, Timestamp};
use actors::planted::{Bug, is_planted};
use payment::{Entry, Permit, Use};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Refunds of one payment.
const REFUNDS_MAX: usize = 100;

/// How strict and how large the books are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// An account is blocked by this many wrong passwords in a row.
    pub password_tries_max: u8,
    /// Payments and tombstones that are kept; then new ones are refused.
    pub payments_max: usize,
}

/// All that the platform knows.
pub struct Books {
    policy: Policy,
    password_key: PasswordKey,
    accounts: BTreeMap<String, Account>,
    payments: BTreeMap<PaymentId, Entry>,
    permits: BTreeMap<String, (PaymentId, Attempt)>,
    lines: Vec<DailyLine>,
    references: u64,
}

/// What a permit is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitOrder {
    /// The switch's id for the payment.
    pub payment: PaymentId,
    /// Which permit of it.
    pub attempt: Attempt,
    /// What the payment is.
    pub terms: Terms,
}

/// What a payment is: the same in each of its permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How much.
    pub money: Money,
    /// For whom.
    pub merchant: MerchantId,
    /// The name the payer was shown.
    pub merchant_name: String,
    /// Where, if at a terminal.
    pub terminal: Option<TerminalId>,
    /// Who pays.
    pub payer: PayerId,
}

/// A permit that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Its name.
    pub name: String,
    /// When it stops being good.
    pub expires: Deadline,
    /// Whether it had been granted before.
    pub grant: Grant,
}

/// Whether something was done now or had been done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Now.
    First,
    /// Before; this is the same answer again.
    Repeat,
}

/// An opened credential, with what the phone sealed it for.
pub struct Presented {
    /// For this payment.
    pub payment: String,
    /// For this permit.
    pub permit: String,
    /// For this amount.
    pub amount: String,
    /// In this currency.
    pub currency: String,
    /// For this merchant.
    pub merchant: String,
    /// Void after this.
    pub expires: Deadline,
    /// Whose account.
    pub account: Zeroizing<String>,
    /// Its password.
    pub password: Zeroizing<String>,
}

/// What came of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paying {
    /// The payment.
    pub payment: PaymentId,
    /// The permit's attempt.
    pub attempt: Attempt,
    /// The result, the same for every repeat.
    pub result: Result<Receipt, Failure>,
}

/// A request that the books do not follow. The reason is final, unless the request changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BooksRefusal {
    /// A tombstone or a reversal stands in its way.
    #[error("the payment has been reversed")]
    Reversed,
    /// It was paid under another permit.
    #[error("the payment has been paid")]
    AlreadyPaid,
    /// An earlier permit's outcome is open.
    #[error("an earlier permit of this payment is still pending")]
    StillPending,
    /// A newer permit has replaced it.
    #[error("a newer permit of this payment has been granted")]
    Superseded,
    /// The same id was used for something else.
    #[error("this id was used before with another amount, currency or party")]
    Differs,
    /// Nothing by that name.
    #[error("there is no such payment")]
    NoSuchPayment,
    /// Nothing by that name.
    #[error("there is no such permit")]
    NoSuchPermit,
    /// No money has moved that could go back.
    #[error("the payment has not been paid")]
    NotPaid,
    /// More than is left.
    #[error("the refund exceeds what is left of the payment")]
    ExceedsPayment,
    /// The limit is reached.
    #[error("the books are full")]
    Full,
}

impl Books {
    /// Empty books. Passwords are kept only as digests under `password_salt`.
    pub fn new(policy: Policy, password_salt: &[u8; 32]) -> Self {
        Self {
            policy,
            password_key: PasswordKey::new(password_salt),
            accounts: BTreeMap::new(),
            payments: BTreeMap::new(),
            permits: BTreeMap::new(),
            lines: Vec::new(),
            references: 0,
        }
    }

    /// Opens an account that holds `balances`.
    pub fn open_account(
        &mut self,
        name: &str,
        password: &str,
        balances: &[Money],
    ) -> Result<(), AccountFault> {
        if self.accounts.contains_key(name) {
            return Err(AccountFault::Taken);
        }
        let account = Account::new(self.password_key.digest(password), balances)?;
        self.accounts.insert(name.to_owned(), account);
        Ok(())
    }

    /// Grants a permit called `name`, good until `expires`; an earlier unused one of the payment ends with it.
    pub fn permit(
        &mut self,
        order: &PermitOrder,
        name: String,
        expires: Deadline,
    ) -> Result<Granted, BooksRefusal> {
        self.room_for(order.payment)?;
        let entry = self.payments.entry(order.payment).or_default();
        if let Some(repeat) = entry.repeated(order)? {
            return Ok(repeat);
        }
        entry.may_permit(order.attempt)?;
        entry.terms = Some(order.terms.clone());
        entry.permits.insert(order.attempt, Permit { name: name.clone(), expires, used: Use::Not });
        self.permits.insert(name.clone(), (order.payment, order.attempt));
        Ok(Granted { name, expires, grant: Grant::First })
    }

    /// Which payment a permit is for, and who pays it.
    pub fn permit_payer(&self, name: &str) -> Option<(PaymentId, PayerId)> {
        let (payment, _) = self.permits.get(name)?;
        self.payer(*payment).map(|payer| (*payment, payer))
    }

    /// Who pays a payment.
    pub fn payer(&self, payment: PaymentId) -> Option<PayerId> {
        self.payments.get(&payment)?.terms.as_ref().map(|terms| terms.payer)
    }

    /// A payment's money, once it is known.
    pub fn money(&self, payment: PaymentId) -> Option<Money> {
        self.payments.get(&payment)?.terms.as_ref().map(|terms| terms.money)
    }

    /// A payment's merchant, once it is known.
    pub fn merchant(&self, payment: PaymentId) -> Option<MerchantId> {
        self.payments.get(&payment)?.terms.as_ref().map(|terms| terms.merchant)
    }

    /// Uses a permit, once: `presented` is `None` where the credential could not be read.
    pub fn pay(
        &mut self,
        permit: &str,
        presented: Option<&Presented>,
        now: Timestamp,
    ) -> Result<Paying, BooksRefusal> {
        let (payment, attempt) = *self.permits.get(permit).ok_or(BooksRefusal::NoSuchPermit)?;
        let entry = self.payments.get(&payment).ok_or(BooksRefusal::NoSuchPermit)?;
        let paying = |result| Ok(Paying { payment, attempt, result });
        if let Some(result) = entry.answered(attempt)?
            && !(result.is_ok() && is_planted(Bug::PlatformDebitsTwice))
        {
            return paying(result);
        }
        let result = match entry.judge(payment, attempt, presented, now) {
            Err(failure) => Err(failure),
            Ok((money, merchant, presented)) => self.debit(payment, money, merchant, presented, now),
        };
        if let Some(entry) = self.payments.get_mut(&payment) {
            entry.settle(attempt, &result);
        }
        paying(result)
    }

    /// Leaves a permit's use open for ever (a platform that never makes up its mind).
    pub fn hold(&mut self, permit: &str) -> Result<(PaymentId, Attempt), BooksRefusal> {
        let (payment, attempt) = *self.permits.get(permit).ok_or(BooksRefusal::NoSuchPermit)?;
        let entry = self.payments.get_mut(&payment).ok_or(BooksRefusal::NoSuchPermit)?;
        match entry.answered(attempt) {
            Ok(None) | Err(BooksRefusal::StillPending) => entry.use_permit(attempt, Use::Pending),
            Ok(Some(_)) => {}
            Err(refusal) => return Err(refusal),
        }
        Ok((payment, attempt))
    }

    /// Undoes a payment and forbids what of it has not arrived yet.
    pub fn reverse(
        &mut self,
        payment: PaymentId,
        money: Money,
        now: Timestamp,
    ) -> Result<Effect, BooksRefusal> {
        self.room_for(payment)?;
        let entry = self.payments.entry(payment).or_default();
        if entry.terms.as_ref().is_some_and(|terms| terms.money != money) {
            return Err(BooksRefusal::Differs);
        }
        if let Some(effect) = entry.reversal
            && !(effect == Effect::Undone && is_planted(Bug::PlatformUndoesTwice))
        {
            return Ok(effect);
        }
        let left = entry.left();
        let effect = if entry.debit.is_some() { Effect::Undone } else { Effect::NothingToUndo };
        if effect == Effect::NothingToUndo && is_planted(Bug::NoTombstone) {
            return Ok(effect);
        }
        entry.reversal = Some(effect);
        let merchant = entry.terms.as_ref().map(|terms| terms.merchant);
        if let (Some(debit), Some(left), Some(merchant)) = (&entry.debit, left, merchant)
            && !left.is_zero()
        {
            give_back(&mut self.accounts, &debit.account, left);
            self.lines.push(DailyLine::reversal(payment, merchant, left, &debit.receipt, now));
        }
        Ok(effect)
    }

    /// Gives part of a paid payment back.
    pub fn refund(
        &mut self,
        payment: PaymentId,
        refund: RefundId,
        money: Money,
        now: Timestamp,
    ) -> Result<Grant, BooksRefusal> {
        let entry = self.payments.get_mut(&payment).ok_or(BooksRefusal::NoSuchPayment)?;
        if let Some(before) = entry.refunds.get(&refund) {
            return if *before == money { Ok(Grant::Repeat) } else { Err(BooksRefusal::Differs) };
        }
        if entry.reversal.is_some() {
            return Err(BooksRefusal::Reversed);
        }
        let (debit, terms) = entry.debit.as_ref().zip(entry.terms.as_ref()).ok_or(BooksRefusal::NotPaid)?;
        if entry.left().and_then(|left| left.minus(money)).is_none() {
            return Err(BooksRefusal::ExceedsPayment);
        }
        if entry.refunds.len() >= REFUNDS_MAX {
            return Err(BooksRefusal::Full);
        }
        give_back(&mut self.accounts, &debit.account, money);
        self.lines.push(DailyLine::refund(payment, terms.merchant, money, &debit.receipt, now));
        entry.refunds.insert(refund, money);
        Ok(Grant::First)
    }

    fn debit(
        &mut self,
        payment: PaymentId,
        money: Money,
        merchant: MerchantId,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<Receipt, Failure> {
        let account = self.accounts.get_mut(presented.account.as_str()).ok_or(Failure::WrongCredentials)?;
        account.admit(&self.password_key, &presented.password, self.policy.password_tries_max)?;
        account.take(money)?;
        self.references = self.references.saturating_add(1);
        let receipt = Receipt { reference: format!("sbx-{:08}", self.references).into(), money };
        self.lines.push(DailyLine::debit(payment, merchant, &receipt, now));
        if let Some(entry) = self.payments.get_mut(&payment) {
            let account = presented.account.to_string();
            entry.debit = Some(payment::Debit { account, receipt: receipt.clone() });
        }
        Ok(receipt)
    }

    fn room_for(&self, payment: PaymentId) -> Result<(), BooksRefusal> {
        let is_known = self.payments.contains_key(&payment);
        let is_room = is_known || self.payments.len() < self.policy.payments_max;
        if is_room { Ok(()) } else { Err(BooksRefusal::Full) }
    }
}

/// Money only goes back to where it came from, and an account that money was taken from has room for it.
fn give_back(accounts: &mut BTreeMap<String, Account>, name: &str, money: Money) {
    if let Some(account) = accounts.get_mut(name) {
        account.give(money);
    }
}
