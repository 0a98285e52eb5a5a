//! Who pays: the account, password and subscriber number of each pair, from three options that all loads share.
use crate::mix::PayerKind;
use crate::phone::Identity;
use adapters::players::connection::Address;
use clap::Args;

/// Who pays, before the number of the pair is put in. It cannot be printed.
#[derive(Args, Clone)]
pub struct Payers {
    /// The payers' account at the platform; `{}` stands for the pair's number.
    #[arg(long, default_value = "load")]
    pub account: String,
    /// Its password: a test platform's, so it may stand in the environment.
    #[arg(long, env = "TURNOUT_LOAD_PASSWORD", default_value = "load", hide_env_values = true)]
    pub password: String,
    /// Subscriber numbers are this, the pair's number in six digits, and three that say what the platform does.
    #[arg(long, default_value = "99900")]
    pub subscribers: String,
}

impl Payers {
    /// Who a pair's phone is.
    pub fn identity(&self, pair: usize, kind: PayerKind, phones: &Address) -> Identity {
        Identity {
            phones: phones.clone(),
            subscriber: format!("{}{pair:06}{}", self.subscribers, kind.digits()),
            account: self.account(pair),
            password: self.password.clone(),
            is_own_account: self.has_own_accounts(),
        }
    }

    /// The accounts of so many pairs: one, where they share it.
    pub fn accounts(&self, pairs: usize) -> Vec<String> {
        let accounts = if self.has_own_accounts() { pairs } else { 1 };
        (0..accounts).map(|pair| self.account(pair)).collect()
    }

    fn account(&self, pair: usize) -> String {
        self.account.replace("{}", &pair.to_string())
    }

    fn has_own_accounts(&self) -> bool {
        self.account.contains("{}")
    }
}
