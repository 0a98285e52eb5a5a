//! How working keys travel: UnionPay's cryptograms with check values, and what a terminal makes of them.
//!
//! `PIK 16 || KCV 4 || MAK 16 || KCV 4 [|| TDK 16 || KCV 4]`, each key encrypted in ECB under the terminal's master
//! key. A single-length MAC key is 8 bytes and 8 zeros. Key blocks are in `key_block`. Which field carries all this is
//! not known here.
use super::engine::{Engine, copy};
use super::secret::{KeyFault, SecretKey};
use actors::ports::security_module::Cipher;
use zeroize::Zeroizing;

/// A key's place and its check value's, in bytes.
pub const KEY_LEN: usize = 16;
/// How long a check value is here, in bytes.
pub const CHECK_LEN: usize = 4;

/// Why cryptograms were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptogramFault {
    /// Not a key and its check value.
    #[error("a cryptogram has 16 bytes of key and 4 of check value")]
    Length,
    /// The check value is another key's.
    #[error("the check value is not this key's: compare the check values of the master key")]
    CheckValue,
    /// The key is refused.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// `key` under `master`, and its check value. A DES key is filled with zeros.
pub fn cryptogram(master: &SecretKey, key: &SecretKey) -> [u8; KEY_LEN + CHECK_LEN] {
    let mut bytes = [0; KEY_LEN + CHECK_LEN];
    let (place, check) = bytes.split_at_mut(KEY_LEN);
    let length = key.expose().len().min(KEY_LEN);
    let (encrypted, _) = place.split_at_mut(length);
    copy(key.expose(), encrypted);
    Engine::new(master).encrypt(encrypted);
    copy(key.check_value().left(CHECK_LEN), check);
    bytes
}

/// The key in one cryptogram, if its check value is right: a terminal's side.
pub fn open(master: &SecretKey, cipher: Cipher, cryptogram: &[u8]) -> Result<SecretKey, CryptogramFault> {
    let (place, check) = cryptogram.split_at_checked(KEY_LEN).ok_or(CryptogramFault::Length)?;
    let encrypted = place.get(..cipher.key_len()).ok_or(CryptogramFault::Length)?;
    if check.len() != CHECK_LEN {
        return Err(CryptogramFault::Length);
    }
    let mut clear = Zeroizing::new(encrypted.to_vec());
    Engine::new(master).decrypt(&mut clear);
    let key = SecretKey::new(cipher, &clear)?;
    if key.check_value().left(CHECK_LEN) == check { Ok(key) } else { Err(CryptogramFault::CheckValue) }
}
