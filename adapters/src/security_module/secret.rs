//! A key's value: of the right length, not a weak one, wiped when it is let go of, and never printed.
//!
//! The policy on weak keys is here and holds for every key that is given to the switch, by configuration or in a key
//! block: the four weak and twelve semi-weak DES keys, a TDES key whose neighbouring halves are equal (it is a single
//! DES key), and a key of one repeated byte (somebody's placeholder) are refused. Parity bits are ignored, as DES
//! ignores them: half of the field's keys have none. Keys made here have odd parity. Keys that DUKPT derives are taken
//! as they come: both sides have to.
use actors::ports::security_module::{CheckValue, Cipher};
use std::fmt;
use zeroize::Zeroizing;

use super::engine::Engine;

const LONGEST: usize = 32;

/// A key and its cipher.
#[derive(Clone)]
pub struct SecretKey {
    cipher: Cipher,
    bytes: Zeroizing<[u8; LONGEST]>,
}

/// Why a value is no key. It does not say what the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Another length.
    #[error("a {cipher} key has {wanted} bytes, and this one has {found}")]
    Length {
        /// What it was to be.
        cipher: Cipher,
        /// How long that is, in bytes.
        wanted: usize,
        /// How long it is.
        found: usize,
    },
    /// Not hexadecimal.
    #[error("a key is written in hexadecimal digits, two for a byte")]
    Hex,
    /// A key that does not protect.
    #[error("this is a weak key, two equal halves, or one byte repeated: replace it by a random one")]
    Weak,
}

/// The weak and the semi-weak keys of DES (NIST SP 800-67 3.3.2), parity bits cleared.
const WEAK: [[u8; 8]; 16] = [
    [0; 8],
    [0xFE; 8],
    [0xE0, 0xE0, 0xE0, 0xE0, 0xF0, 0xF0, 0xF0, 0xF0],
    [0x1E, 0x1E, 0x1E, 0x1E, 0x0E, 0x0E, 0x0E, 0x0E],
    [0x00, 0xFE, 0x00, 0xFE, 0x00, 0xFE, 0x00, 0xFE],
    [0xFE, 0x00, 0xFE, 0x00, 0xFE, 0x00, 0xFE, 0x00],
    [0x1E, 0xE0, 0x1E, 0xE0, 0x0E, 0xF0, 0x0E, 0xF0],
    [0xE0, 0x1E, 0xE0, 0x1E, 0xF0, 0x0E, 0xF0, 0x0E],
    [0x00, 0xE0, 0x00, 0xE0, 0x00, 0xF0, 0x00, 0xF0],
    [0xE0, 0x00, 0xE0, 0x00, 0xF0, 0x00, 0xF0, 0x00],
    [0x1E, 0xFE, 0x1E, 0xFE, 0x0E, 0xFE, 0x0E, 0xFE],
    [0xFE, 0x1E, 0xFE, 0x1E, 0xFE, 0x0E, 0xFE, 0x0E],
    [0x00, 0x1E, 0x00, 0x1E, 0x00, 0x0E, 0x00, 0x0E],
    [0x1E, 0x00, 0x1E, 0x00, 0x0E, 0x00, 0x0E, 0x00],
    [0xE0, 0xFE, 0xE0, 0xFE, 0xF0, 0xFE, 0xF0, 0xFE],
    [0xFE, 0xE0, 0xFE, 0xE0, 0xFE, 0xF0, 0xFE, 0xF0],
];

impl SecretKey {
    /// A key that was given: of its cipher's length, and not a weak one.
    pub fn new(cipher: Cipher, bytes: &[u8]) -> Result<Self, KeyFault> {
        let (wanted, found) = (cipher.key_len(), bytes.len());
        if wanted != found {
            return Err(KeyFault::Length { cipher, wanted, found });
        }
        if is_weak(cipher, bytes) {
            return Err(KeyFault::Weak);
        }
        Ok(Self::derived(cipher, bytes))
    }

    /// The same from hexadecimal digits.
    pub fn from_hex(cipher: Cipher, digits: &str) -> Result<Self, KeyFault> {
        let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
        let (wanted, found) = (cipher.key_len(), pairs.len());
        let mut bytes = Zeroizing::new([0; LONGEST]);
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        if !odd.is_empty() {
            return Err(KeyFault::Hex);
        }
        let bytes = bytes.get(..found).filter(|_| wanted == found);
        Self::new(cipher, bytes.ok_or(KeyFault::Length { cipher, wanted, found })?)
    }

    /// A key that follows from another one, as it comes. Bytes beyond the cipher's length are left out.
    pub(super) fn derived(cipher: Cipher, bytes: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; LONGEST]);
        key.iter_mut().zip(bytes.iter().take(cipher.key_len())).for_each(|(to, from)| *to = *from);
        Self { cipher, bytes: key }
    }

    /// Its cipher.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Its value, for this module and for tools that play a terminal.
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.cipher.key_len()).unwrap_or_default()
    }

    /// Its check value: E(key, 0) of a DES or TDES key, CMAC(key, 0) of an AES key (ANSI X9.24-1:2017 annex A).
    pub fn check_value(&self) -> CheckValue {
        let engine = Engine::new(self);
        let mut left = CheckValue([0; 5]);
        let mut zeros = [0; 16];
        if self.cipher.is_aes() {
            let mac = engine.cmac(&[&zeros]);
            left.0.iter_mut().zip(mac.iter()).for_each(|(to, from)| *to = *from);
        } else {
            engine.encrypt(&mut zeros);
            left.0.iter_mut().zip(zeros).for_each(|(to, from)| *to = from);
        }
        left
    }

    /// The key with `mask` in every byte's place: a DUKPT variant.
    pub(super) fn masked(&self, mask: &[u8; 16]) -> Self {
        let mut masked = self.clone();
        masked.bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        masked
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.cipher)
    }
}

/// Sets the lowest bit of every byte so that its ones are odd in number.
pub fn set_odd_parity(key: &mut [u8]) {
    for byte in key {
        *byte = (*byte & 0xFE) | u8::from((*byte & 0xFE).count_ones().is_multiple_of(2));
    }
}

/// Whether every byte has an odd number of ones.
pub fn has_odd_parity(key: &[u8]) -> bool {
    key.iter().all(|byte| byte.count_ones() % 2 == 1)
}

/// Whether the policy refuses these bytes.
pub(super) fn is_weak(cipher: Cipher, bytes: &[u8]) -> bool {
    let one_byte = bytes.iter().all(|byte| Some(byte) == bytes.first());
    if one_byte || cipher.is_aes() {
        return one_byte;
    }
    let (parts, _) = bytes.as_chunks::<8>();
    let without_parity = |part: &[u8; 8]| part.map(|byte| byte & 0xFE);
    let mut neighbours = parts.iter().zip(parts.iter().skip(1));
    parts.iter().any(|part| WEAK.contains(&without_parity(part)))
        || neighbours.any(|(one, next)| without_parity(one) == without_parity(next))
}

fn nibble(digit: u8) -> Result<u8, KeyFault> {
    let value = char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    value.ok_or(KeyFault::Hex)
}
