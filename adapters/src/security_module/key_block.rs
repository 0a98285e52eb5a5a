//! Key blocks (ANSI X9.143, once TR-31): a key, encrypted and bound to what it is for.
//!
//! Versions B (under TDES) and D (under AES), both by key derivation; the older variants are not spoken. The header is
//! part of what is authenticated, so a PIN key cannot come out as a MAC key. `header` reads and writes it. A block is
//! filled up to the longest key of its algorithm, so its length tells nothing.
mod header;

pub use header::{Header, OptionalBlock, Version};

use super::engine::{Engine, copy};
use super::secret::{KeyFault, SecretKey};
use actors::ports::security_module::Cipher;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Why a key block was not made or not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyBlockFault {
    /// Not a key block of a version spoken here.
    #[error("this is no key block of version B or D: {0}")]
    Malformed(&'static str),
    /// Another protection key made it, or somebody changed it.
    #[error(
        "the key block does not authenticate: compare the check value of the protection key with the sender"
    )]
    NotAuthentic,
    /// The protection key's cipher does not go with the version, or is weaker than the key.
    #[error(
        "the protection key must be TDES for version B, AES for version D, and no weaker than the key in the block"
    )]
    Protection,
    /// The header says another algorithm than the key has.
    #[error("the header's algorithm does not go with the key: A is AES, T is TDES, D is DES")]
    Algorithm,
    /// The block is authentic, and the key in it is refused.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// The longest block that is read or written, in characters: what its length field can say.
pub const CHARACTERS_MAX: usize = 9_999;

/// Encrypts `key` under `protection`; `fill` makes the secret padding.
pub fn wrap(
    protection: &SecretKey,
    header: &Header,
    key: &SecretKey,
    fill: impl FnOnce(&mut [u8]),
) -> Result<String, KeyBlockFault> {
    header.check(protection.cipher(), key.cipher())?;
    let derived = Derived::new(protection);
    let block_len = derived.encryption.block_len();
    let longest = if key.cipher().is_aes() { 32 } else { 24 };
    let mut clear = Zeroizing::new(vec![0; (2_usize.saturating_add(longest)).next_multiple_of(block_len)]);
    let bits = u16::try_from(key.expose().len()).unwrap_or_default().saturating_mul(8);
    let (length, rest) = clear.split_at_mut(2);
    copy(&bits.to_be_bytes(), length);
    let (value, padding) = rest.split_at_mut(key.expose().len());
    copy(key.expose(), value);
    fill(padding);
    let mac_len = header.version.mac_len();
    let head = header.to_text(clear.len().saturating_add(mac_len).saturating_mul(2))?;
    let mac = derived.authentication.cmac(&[head.as_bytes(), &clear]);
    let mac = mac.get(..mac_len).unwrap_or_default();
    derived.encryption.encrypt_chained(mac, &mut clear);
    Ok(clear.iter().chain(mac).fold(head, |mut text, byte| {
        text.extend([byte >> 4, byte & 0xF].map(|nibble| char::from(hex_digit(nibble))));
        text
    }))
}

/// The key in a block, and what it is for.
pub fn unwrap(protection: &SecretKey, block: &str) -> Result<(Header, SecretKey), KeyBlockFault> {
    let (header, head) = Header::read(block)?;
    if header.version.is_aes() != protection.cipher().is_aes() || protection.cipher() == Cipher::Des {
        return Err(KeyBlockFault::Protection);
    }
    let (head, data) =
        block.split_at_checked(head).ok_or(KeyBlockFault::Malformed("its header is cut off"))?;
    let mut bytes =
        Zeroizing::new(read_hex(data).ok_or(KeyBlockFault::Malformed("its key is not hexadecimal"))?);
    let derived = Derived::new(protection);
    let block_len = derived.encryption.block_len();
    let key_len = bytes.len().checked_sub(header.version.mac_len()).filter(|len| *len >= block_len);
    let key_len = key_len.filter(|len| len % block_len == 0).ok_or(KeyBlockFault::Malformed("its length"))?;
    let (clear, mac) = bytes.split_at_mut(key_len);
    derived.encryption.decrypt_chained(mac, clear);
    let made = derived.authentication.cmac(&[head.as_bytes(), clear]);
    let authentic = made.get(..mac.len()).unwrap_or_default().ct_eq(mac);
    if !bool::from(authentic) {
        return Err(KeyBlockFault::NotAuthentic);
    }
    let key = read_key(&header, clear)?;
    header.check(protection.cipher(), key.cipher())?;
    Ok((header, key))
}

/// The key behind its length in bits.
fn read_key(header: &Header, clear: &[u8]) -> Result<SecretKey, KeyBlockFault> {
    let (length, rest) = clear.split_first_chunk::<2>().ok_or(KeyBlockFault::Malformed("its length"))?;
    let bits = usize::from(u16::from_be_bytes(*length));
    let key = rest.get(..bits / 8).filter(|_| bits % 8 == 0);
    let key = key.ok_or(KeyBlockFault::Malformed("the length of its key"))?;
    let cipher = match (header.algorithm, key.len()) {
        (b'D', 8) => Cipher::Des,
        (b'T', 16) => Cipher::Tdes,
        (b'T', 24) => Cipher::Tdes3,
        (b'A', 16) => Cipher::Aes128,
        (b'A', 24) => Cipher::Aes192,
        (b'A', 32) => Cipher::Aes256,
        _ => return Err(KeyBlockFault::Algorithm),
    };
    Ok(SecretKey::new(cipher, key)?)
}

/// The two keys that are derived from the protection key (X9.143 derivation method).
struct Derived {
    encryption: Engine,
    authentication: Engine,
}

impl Derived {
    fn new(protection: &SecretKey) -> Self {
        let key = |usage| Engine::new(&derive(protection, usage));
        Self { encryption: key(0), authentication: key(1) }
    }
}

/// CMACs over: counter, usage, 0, algorithm, bits; as many as the key is long.
fn derive(protection: &SecretKey, usage: u8) -> SecretKey {
    let engine = Engine::new(protection);
    let (algorithm, bits): (u8, u16) = match protection.cipher() {
        Cipher::Des | Cipher::Tdes => (0, 128),
        Cipher::Tdes3 => (1, 192),
        Cipher::Aes128 => (2, 128),
        Cipher::Aes192 => (3, 192),
        Cipher::Aes256 => (4, 256),
    };
    let [x, y] = bits.to_be_bytes();
    let mut bytes = Zeroizing::new([0; 32]);
    for (part, number) in bytes.chunks_exact_mut(engine.block_len()).zip(1..) {
        copy(&*engine.cmac(&[&[number, 0, usage, 0, 0, algorithm, x, y]]), part);
    }
    SecretKey::derived(protection.cipher(), &*bytes)
}

fn read_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let bytes = pairs.iter().map(|[high, low]| Some((value(*high)? << 4) | value(*low)?));
    bytes.collect::<Option<Vec<u8>>>().filter(|_| odd.is_empty())
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble }
}
