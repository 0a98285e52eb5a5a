//! Unpredictable bytes from the operating system.
//!
//! A process that has no randomness does not start: `SystemDice::new` asks once, so that a missing
//! source is an error at the start and not in the middle of a payment.
use actors::ports::clock::Dice;

/// The operating system's source of randomness.
pub struct SystemDice(());

/// There is no randomness to be had.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes ({0}); check the sandbox or the kernel's getrandom")]
pub struct NoRandomness(getrandom::Error);

impl SystemDice {
    /// Opens the source and draws from it once.
    pub fn new() -> Result<Self, NoRandomness> {
        getrandom::fill(&mut [0; 16]).map_err(NoRandomness)?;
        Ok(Self(()))
    }
}

impl Dice for SystemDice {
    fn fill(&self, bytes: &mut [u8]) {
        // A source that worked at the start and fails later is a broken machine: the actor dies, nothing is guessed.
        getrandom::fill(bytes).expect("the operating system's randomness failed after it had worked");
    }
}

/// `N` random bytes in lower-case hexadecimal: a name that nobody can guess from 16 on.
pub fn random_name<const N: usize>(dice: &dyn Dice) -> String {
    use std::fmt::Write;
    let mut bytes = [0; N];
    dice.fill(&mut bytes);
    bytes.iter().fold(String::with_capacity(N.saturating_mul(2)), |mut name, byte| {
        // Writing to a String cannot fail.
        write!(name, "{byte:02x}").unwrap_or_default();
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_differ() {
        let dice = SystemDice::new().expect("randomness");
        let name = random_name::<16>(&dice);
        assert_eq!(name.len(), 32);
        assert_ne!(name, random_name::<16>(&dice));
    }
}
