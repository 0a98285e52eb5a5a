//! DUKPT with double-length TDES (ANSI X9.24-1:2009).
//!
//! A KSN has 10 bytes: 59 bits name the terminal, 21 bits count. A terminal skips counters with more than ten one
//! bits, so that no key is more than ten steps from its initial key.
use super::KsnFault;
use crate::security_module::engine::{Engine, mix};
use crate::security_module::secret::SecretKey;
use actors::ports::security_module::{Cipher, Ksn, Purpose, Way};
use zeroize::Zeroizing;

/// One bits that a counter has at most.
pub const ONES_MAX: u32 = 10;
const COUNTER_BITS: u64 = 0x1F_FFFF;
const KEY_MASK: [u8; 16] = [0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0, 0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0];

/// The key of one message; what is used is a variant of it.
pub struct MessageKey(SecretKey);

/// The initial key that is loaded into the terminal of this KSN; its counter does not matter.
pub fn initial_key(base: &SecretKey, ksn: &[u8; 10]) -> SecretKey {
    // The left eight bytes, of which the last five bits count already.
    let [left @ .., _, _] = ksn;
    let terminal = (u64::from_be_bytes(*left) & !0x1F).to_be_bytes();
    let half = |base: &SecretKey| {
        let mut half = Zeroizing::new(terminal);
        Engine::new(base).encrypt(&mut *half);
        half
    };
    join(&*half(base), &*half(&base.masked(&KEY_MASK)))
}

/// The key of the message with `ksn`.
pub fn message_key(base: &SecretKey, ksn: &[u8; 10]) -> Result<MessageKey, KsnFault> {
    let counter = u64::from(Ksn::Tdes(*ksn).counter());
    if counter == 0 {
        return Err(KsnFault::Unused);
    }
    if counter.count_ones() > ONES_MAX {
        return Err(KsnFault::Exhausted);
    }
    let [_, _, right @ ..] = ksn;
    let mut register = u64::from_be_bytes(*right) & !COUNTER_BITS;
    let mut key = initial_key(base, ksn);
    for bit in (0..21).rev().map(|place| 1_u64 << place).filter(|bit| counter & bit != 0) {
        register |= bit;
        key = next_key(&key, register.to_be_bytes());
    }
    Ok(MessageKey(key))
}

impl MessageKey {
    /// The key itself, for comparison with published values.
    pub fn as_key(&self) -> &SecretKey {
        &self.0
    }

    /// Its variant for `purpose`. A data key is encrypted under itself, as the standard asks.
    pub fn variant(&self, purpose: Purpose, way: Way) -> SecretKey {
        // The place, from the left of each half, of the byte that is flipped.
        let place = match (purpose, way) {
            (Purpose::Pin, _) => 7,
            (Purpose::Mac, Way::FromTerminal | Way::BothWays) => 6,
            (Purpose::Mac, Way::ToTerminal) => 4,
            (Purpose::Data, Way::FromTerminal | Way::BothWays) => 5,
            (Purpose::Data, Way::ToTerminal) => 3,
        };
        let mask = std::array::from_fn(|byte| if byte % 8 == place { 0xFF } else { 0 });
        let variant = self.0.masked(&mask);
        if purpose != Purpose::Data {
            return variant;
        }
        let mut bytes = Zeroizing::new([0; 16]);
        mix(&mut *bytes, variant.expose());
        Engine::new(&variant).encrypt(&mut *bytes);
        SecretKey::derived(Cipher::Tdes, &*bytes)
    }
}

/// The standard's non-reversible key generation.
fn next_key(key: &SecretKey, register: [u8; 8]) -> SecretKey {
    join(&*next_half(&key.masked(&KEY_MASK), register), &*next_half(key, register))
}

fn next_half(key: &SecretKey, register: [u8; 8]) -> Zeroizing<[u8; 8]> {
    let (left, right) = key.expose().split_at(8.min(key.expose().len()));
    let mut half = Zeroizing::new(register);
    mix(&mut *half, right);
    Engine::new(&SecretKey::derived(Cipher::Des, left)).encrypt(&mut *half);
    mix(&mut *half, right);
    half
}

fn join(left: &[u8], right: &[u8]) -> SecretKey {
    let mut bytes = Zeroizing::new([0; 16]);
    bytes.iter_mut().zip(left.iter().chain(right)).for_each(|(to, from)| *to = *from);
    SecretKey::derived(Cipher::Tdes, &*bytes)
}
