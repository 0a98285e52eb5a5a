//! Message authentication codes on bare cipher blocks, as payment terminals make them, and their verification.
//!
//! A key is expanded once into a [`MacKey`] that fits its algorithm; the rest is the cipher's own speed. Verification
//! compares in constant time. Which bytes of a message are covered is not known here.
use super::engine::{Engine, copy, expand, mix};
use super::secret::SecretKey;
use actors::ports::security_module::{Cipher, Mac, MacAlgorithm};
use aes::cipher::{BlockDecrypt, BlockEncrypt, BlockSizeUser, consts::U8};
use des::{Des, TdesEde2, TdesEde3};
use subtle::{Choice, ConstantTimeEq};

/// A key, expanded for one algorithm.
pub struct MacKey(Expanded);

enum Expanded {
    Retail { first: Des, second: Des, left4: bool },
    Chained(Des),
    Chained2(TdesEde2),
    Chained3(TdesEde3),
    Cmac(Engine),
    UnionPay(Engine),
}

/// The key's cipher does not go with the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{algorithm:?} cannot use a {cipher} key")]
pub struct CipherMismatch {
    /// What the key is.
    pub cipher: Cipher,
    /// What wanted it.
    pub algorithm: MacAlgorithm,
}

impl MacKey {
    /// Expands `key` for `algorithm`.
    pub fn new(algorithm: MacAlgorithm, key: &SecretKey) -> Result<Self, CipherMismatch> {
        let cipher = key.cipher();
        let expanded = match (algorithm, cipher) {
            (MacAlgorithm::X919 | MacAlgorithm::X919Left4, Cipher::Tdes) => {
                let (first, second) = halves(key);
                let left4 = algorithm == MacAlgorithm::X919Left4;
                Expanded::Retail { first: expand(&first), second: expand(&second), left4 }
            }
            (MacAlgorithm::X99, Cipher::Des) => Expanded::Chained(expand(key)),
            (MacAlgorithm::Iso16609Tdes, Cipher::Tdes) => Expanded::Chained2(expand(key)),
            (MacAlgorithm::Iso16609Tdes, Cipher::Tdes3) => Expanded::Chained3(expand(key)),
            (MacAlgorithm::AesCmac, cipher) if cipher.is_aes() => Expanded::Cmac(Engine::new(key)),
            (MacAlgorithm::CupEcb, Cipher::Des | Cipher::Tdes) => Expanded::UnionPay(Engine::new(key)),
            _ => return Err(CipherMismatch { cipher, algorithm }),
        };
        Ok(Self(expanded))
    }

    /// The MAC of `message`.
    pub fn mac(&self, message: &[u8]) -> Mac {
        Mac(match &self.0 {
            Expanded::Retail { first, second, left4 } => {
                let mac = retail(first, second, message);
                if *left4 { left_four(mac, [0; 4]) } else { mac }
            }
            Expanded::Chained(cipher) => chained(cipher, message),
            Expanded::Chained2(cipher) => chained(cipher, message),
            Expanded::Chained3(cipher) => chained(cipher, message),
            Expanded::Cmac(engine) => left(&*engine.cmac(&[message])),
            Expanded::UnionPay(engine) => union_pay(engine, message),
        })
    }

    /// Whether `mac` is the MAC of `message`.
    pub fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        let Mac(made) = self.mac(message);
        let mut right = made.as_slice().ct_eq(mac);
        if let Expanded::Retail { left4: true, .. } = self.0 {
            right |= left_four(made, *b"    ").as_slice().ct_eq(mac);
            right |= made.first_chunk::<4>().map_or(Choice::from(0), |short| short.as_slice().ct_eq(mac));
        }
        right.into()
    }
}

/// ISO 9797-1 algorithm 3 with padding method 1.
fn retail(first: &Des, second: &Des, message: &[u8]) -> [u8; 8] {
    let mut state = chained(first, message);
    second.decrypt_block((&mut state).into());
    first.encrypt_block((&mut state).into());
    state
}

/// ISO 9797-1 algorithm 1 with padding method 1: zeros up to a whole block, and one block at least.
fn chained<C: BlockEncrypt + BlockSizeUser<BlockSize = U8>>(cipher: &C, message: &[u8]) -> [u8; 8] {
    let mut state = [0; 8];
    let (blocks, rest) = message.as_chunks::<8>();
    for block in blocks {
        state = (u64::from_ne_bytes(state) ^ u64::from_ne_bytes(*block)).to_ne_bytes();
        cipher.encrypt_block((&mut state).into());
    }
    if !rest.is_empty() || blocks.is_empty() {
        mix(&mut state, rest);
        cipher.encrypt_block((&mut state).into());
    }
    state
}

/// UnionPay's: all blocks into one by XOR, that in hexadecimal, its halves encrypted one after the other, and of the
/// result the left half in hexadecimal again.
fn union_pay(engine: &Engine, message: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    message.chunks(8).for_each(|block| mix(&mut sum, block));
    let (mut state, right) = hexadecimal(sum);
    engine.encrypt(&mut state);
    mix(&mut state, &right);
    engine.encrypt(&mut state);
    hexadecimal(state).0
}

/// The two halves of eight bytes in upper-case hexadecimal.
fn hexadecimal(bytes: [u8; 8]) -> ([u8; 8], [u8; 8]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble };
    let mut digits = bytes.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]);
    let mut half = || std::array::from_fn(|_| digits.next().unwrap_or_default());
    (half(), half())
}

fn left_four(mut mac: [u8; 8], behind: [u8; 4]) -> [u8; 8] {
    mac.iter_mut().skip(4).zip(behind).for_each(|(to, from)| *to = from);
    mac
}

fn left(bytes: &[u8]) -> [u8; 8] {
    let mut left = [0; 8];
    copy(bytes, &mut left);
    left
}

fn halves(key: &SecretKey) -> (SecretKey, SecretKey) {
    let (first, second) = key.expose().split_at(Cipher::Des.key_len().min(key.expose().len()));
    (SecretKey::derived(Cipher::Des, first), SecretKey::derived(Cipher::Des, second))
}
