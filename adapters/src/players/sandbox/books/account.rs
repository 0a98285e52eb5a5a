//! One account: what it holds, its password's digest, and how often a wrong one was tried.
//!
//! Passwords are compared in constant time and are not kept; an account cannot be printed.
use actors::domain::money::{Amount, Currency, Money};
use actors::domain::payment::outcome::Failure;
use ring::hmac;
use std::collections::BTreeMap;

/// An account.
pub struct Account {
    password: hmac::Tag,
    balances: BTreeMap<Currency, Amount>,
    wrong_tries: u8,
    is_blocked: bool,
}

/// Why an account was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountFault {
    /// Two of one name.
    #[error("two accounts have the same name")]
    Taken,
    /// Two of one currency.
    #[error("an account has one balance per currency")]
    TwoBalances,
}

/// What passwords are digested with.
pub(super) struct PasswordKey(hmac::Key);

impl PasswordKey {
    pub(super) fn new(salt: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, salt))
    }

    pub(super) fn digest(&self, password: &str) -> hmac::Tag {
        hmac::sign(&self.0, password.as_bytes())
    }
}

impl Account {
    pub(super) fn new(password: hmac::Tag, holdings: &[Money]) -> Result<Self, AccountFault> {
        let balances: BTreeMap<_, _> =
            holdings.iter().map(|money| (money.currency(), money.amount())).collect();
        if balances.len() < holdings.len() {
            return Err(AccountFault::TwoBalances);
        }
        Ok(Self { password, balances, wrong_tries: 0, is_blocked: false })
    }

    /// What it holds, by currency.
    pub fn balances(&self) -> impl Iterator<Item = Money> + '_ {
        self.balances.iter().map(|(currency, amount)| Money::new(*amount, *currency))
    }

    /// Whether wrong passwords blocked it.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    pub(super) fn admit(&mut self, key: &PasswordKey, password: &str, tries_max: u8) -> Result<(), Failure> {
        if self.is_blocked {
            return Err(Failure::AccountBlocked);
        }
        if hmac::verify(&key.0, password.as_bytes(), self.password.as_ref()).is_ok() {
            self.wrong_tries = 0;
            return Ok(());
        }
        self.wrong_tries = self.wrong_tries.saturating_add(1);
        self.is_blocked = self.wrong_tries >= tries_max;
        Err(Failure::WrongCredentials)
    }

    pub(super) fn take(&mut self, money: Money) -> Result<(), Failure> {
        let balance = self.balances.get_mut(&money.currency()).ok_or(Failure::InsufficientFunds)?;
        *balance = balance.minus(money.amount()).ok_or(Failure::InsufficientFunds)?;
        Ok(())
    }

    pub(super) fn give(&mut self, money: Money) {
        if let Some(balance) = self.balances.get_mut(&money.currency()) {
            *balance = balance.plus(money.amount()).unwrap_or(*balance);
        }
    }
}
