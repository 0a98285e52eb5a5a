//! The software security module against published values, known-bad controls, and its port's contract.
//!
//! `vectors` has every value of `tests/vectors`; the other files break things on purpose. What other implementations
//! say of key blocks and of the derivation of working keys is asked by `tests/tr31_judge.py`.
mod key_blocks;
mod keys;
mod macs;
mod pins;
mod vectors;

use actors::domain::identity::KeyName;
use actors::ports::clock::Dice;
use actors::ports::contract::{self, security_module::KEYS};
use actors::ports::security_module::Cipher;
use adapters::security_module::secret::SecretKey;
use adapters::security_module::{ConfiguredKey, SoftwareSecurityModule};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Dice that say every number once, in disorder.
#[derive(Default)]
struct TestDice(AtomicU64);

impl Dice for TestDice {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let drawn = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = drawn.to_be_bytes()[0];
        }
    }
}

fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "{digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn upper(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").unwrap();
        text
    })
}

fn key(cipher: Cipher, digits: &str) -> SecretKey {
    SecretKey::from_hex(cipher, digits).unwrap()
}

fn name(text: &str) -> KeyName {
    KeyName::new(text).unwrap()
}

fn sample_keys() -> Vec<ConfiguredKey> {
    KEYS.map(|key| ConfiguredKey::new(name(key.name), key.role, key.cipher, key.digits, None).unwrap()).into()
}

fn module() -> SoftwareSecurityModule {
    SoftwareSecurityModule::new(sample_keys(), Arc::new(TestDice::default())).unwrap()
}

#[test]
fn the_software_module_keeps_the_contract() {
    contract::security_module::keeps_its_promises(&|| Arc::new(module()));
}

#[test]
fn nothing_that_holds_a_secret_prints_it() {
    let secret = key(Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210");
    let printed = format!("{:?} {:?} {secret:?}", module(), sample_keys());
    for key in KEYS {
        for piece in [key.digits.to_owned(), key.digits.to_lowercase(), format!("{:?}", hex(key.digits))] {
            assert!(!printed.contains(&piece[..8]), "{} is printed: {printed}", key.name);
        }
    }
}
