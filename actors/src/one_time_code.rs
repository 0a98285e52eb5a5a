//! A code sent to a subscriber, good once, for a while, and for few tries. Only its digest is kept.
use crate::domain::identity::PayerId;
use crate::domain::time::{Deadline, Timestamp};
use crate::ports::clock::Dice;
use sha2::{Digest, Sha256};

/// What is remembered of a code that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeCode {
    digest: [u8; 32],
    until: Deadline,
    tries_left: u8,
}

/// Whether a code was the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeVerdict {
    /// It was, and is used up now.
    Right,
    /// It was not, or there is none, or it was tried too often or too late: ask for a new one.
    Wrong,
}

impl OneTimeCode {
    /// Throws a new six-digit code for `payer`; the text is for the sender alone.
    pub fn throw(dice: &dyn Dice, payer: PayerId, until: Deadline, tries: u8) -> (Self, String) {
        let mut bytes = [0; 8];
        dice.fill(&mut bytes);
        let code = format!("{:06}", u64::from_le_bytes(bytes) % 1_000_000);
        (Self { digest: digest(payer, &code), until, tries_left: tries }, code)
    }

    /// When it is of no use any more.
    pub const fn until(&self) -> Deadline {
        self.until
    }

    /// Tries a code; gives the expectation back unless it is used up.
    pub fn check(self, now: Timestamp, payer: PayerId, code: &str) -> (CodeVerdict, Option<Self>) {
        if self.until.is_over(now) || self.tries_left == 0 {
            return (CodeVerdict::Wrong, None);
        }
        if same(&self.digest, &digest(payer, code)) {
            return (CodeVerdict::Right, None);
        }
        (CodeVerdict::Wrong, Some(Self { tries_left: self.tries_left.saturating_sub(1), ..self }))
    }
}

fn digest(payer: PayerId, code: &str) -> [u8; 32] {
    Sha256::new().chain_update(payer.as_str()).chain_update([0]).chain_update(code).finalize().into()
}

/// Without telling by its time how much of the two is alike.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}
