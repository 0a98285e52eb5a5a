//! DUKPT with AES (ANSI X9.24-3:2017).
//!
//! A KSN has 12 bytes: 8 name the initial key, 4 count. A terminal prepares no further keys at a counter with more than
//! sixteen one bits, so it reaches seventeen (the published values have 0x1FFFF) and never more. A key is the encryption
//! of 16 bytes that say what it is for; longer keys take two such blocks.
use super::KsnFault;
use crate::security_module::engine::{Engine, copy};
use crate::security_module::secret::SecretKey;
use actors::ports::security_module::{Cipher, Ksn, Purpose, Way};
use zeroize::Zeroizing;

/// One bits that a counter has at most.
pub const ONES_MAX: u32 = 17;

/// What a derived key is for: the standard's key usage indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Encrypts other keys.
    KeyEncryption,
    /// Encrypts PINs.
    Pin,
    /// MACs that the terminal generates.
    MacGeneration,
    /// MACs that the terminal verifies.
    MacVerification,
    /// MACs both ways.
    MacBothWays,
    /// Data that the terminal encrypts.
    DataEncryption,
    /// Data that the terminal decrypts.
    DataDecryption,
    /// Data both ways.
    DataBothWays,
    /// Other keys are derived from it.
    Derivation,
    /// The initial key is derived with it.
    Initial,
}

impl Usage {
    const fn indicator(self) -> u16 {
        match self {
            Self::KeyEncryption => 0x0002,
            Self::Pin => 0x1000,
            Self::MacGeneration => 0x2000,
            Self::MacVerification => 0x2001,
            Self::MacBothWays => 0x2002,
            Self::DataEncryption => 0x3000,
            Self::DataDecryption => 0x3001,
            Self::DataBothWays => 0x3002,
            Self::Derivation => 0x8000,
            Self::Initial => 0x8001,
        }
    }
}

/// The key of one message; what is used is derived from it.
pub struct MessageKey {
    key: SecretKey,
    place: u64,
}

/// The usage of a key for `purpose`.
pub const fn usage(purpose: Purpose, way: Way) -> Usage {
    match (purpose, way) {
        (Purpose::Pin, _) => Usage::Pin,
        (Purpose::Mac, Way::FromTerminal) => Usage::MacGeneration,
        (Purpose::Mac, Way::ToTerminal) => Usage::MacVerification,
        (Purpose::Mac, Way::BothWays) => Usage::MacBothWays,
        (Purpose::Data, Way::FromTerminal) => Usage::DataEncryption,
        (Purpose::Data, Way::ToTerminal) => Usage::DataDecryption,
        (Purpose::Data, Way::BothWays) => Usage::DataBothWays,
    }
}

/// The initial key that is loaded into the terminal of this KSN; its counter does not matter.
pub fn initial_key(base: &SecretKey, ksn: &[u8; 12]) -> SecretKey {
    let [id @ .., _, _, _, _] = ksn;
    derive(base, Usage::Initial, base.cipher(), u64::from_be_bytes(*id))
}

/// The key of the message with `ksn`.
pub fn message_key(base: &SecretKey, ksn: &[u8; 12]) -> Result<MessageKey, KsnFault> {
    let counter = Ksn::Aes(*ksn).counter();
    if counter == 0 {
        return Err(KsnFault::Unused);
    }
    if counter.count_ones() > ONES_MAX {
        return Err(KsnFault::Exhausted);
    }
    let [_, _, _, _, id @ .., _, _, _, _] = ksn;
    let place = |count: u32| (u64::from(u32::from_be_bytes(*id)) << 32) | u64::from(count);
    let mut key = initial_key(base, ksn);
    let mut count = 0;
    for bit in (0..32).rev().map(|place| 1_u32 << place).filter(|bit| counter & bit != 0) {
        count |= bit;
        key = derive(&key, Usage::Derivation, base.cipher(), place(count));
    }
    Ok(MessageKey { key, place: place(counter) })
}

impl MessageKey {
    /// The key itself, for comparison with published values.
    pub fn as_key(&self) -> &SecretKey {
        &self.key
    }

    /// The working key of this message for `usage`.
    pub fn working(&self, usage: Usage, cipher: Cipher) -> SecretKey {
        derive(&self.key, usage, cipher, self.place)
    }
}

/// One derivation: version, block, usage, algorithm, bits, and whose or how many-eth key it is.
fn derive(from: &SecretKey, usage: Usage, cipher: Cipher, place: u64) -> SecretKey {
    let engine = Engine::new(from);
    let mut bytes = Zeroizing::new([0; 32]);
    for (block, number) in bytes.chunks_exact_mut(16).zip(1..) {
        copy(&derivation_data(number, usage, cipher, place), block);
        engine.encrypt(block);
    }
    SecretKey::derived(cipher, &*bytes)
}

/// Version (1), block, usage and algorithm and bits of 16 bits each, and the place of 64.
fn derivation_data(block: u8, usage: Usage, cipher: Cipher, place: u64) -> [u8; 16] {
    let (algorithm, bits): (u16, u16) = match cipher {
        Cipher::Des | Cipher::Tdes => (0, 128),
        Cipher::Tdes3 => (1, 192),
        Cipher::Aes128 => (2, 128),
        Cipher::Aes192 => (3, 192),
        Cipher::Aes256 => (4, 256),
    };
    let head = [u16::from_be_bytes([1, block]), usage.indicator(), algorithm, bits];
    let head = head.iter().fold(0, |head, part| (head << 16) | u128::from(*part));
    ((head << 64) | u128::from(place)).to_be_bytes()
}
