//! The block ciphers behind one face, with the modes that payments use: ECB, CBC, and CMAC.
//!
//! Whoever calls cuts data into whole blocks; an incomplete last block is left as it is. It knows no format and no
//! protocol. `mac` has the message authentication codes that are counted in nanoseconds.
use super::secret::SecretKey;
use actors::ports::security_module::Cipher;
use aes::cipher::{Block, BlockDecrypt, BlockEncrypt, BlockSizeUser, Key, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use cmac::digest::{FixedOutput, InnerInit, Update};
use cmac::{Cmac, CmacCore};
use des::{Des, TdesEde2, TdesEde3};
use zeroize::{Zeroize, Zeroizing};

/// A key, expanded.
pub(super) enum Engine {
    Des(Des),
    Tdes(TdesEde2),
    Tdes3(TdesEde3),
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

macro_rules! each {
    ($engine:expr, $cipher:ident => $done:expr) => {
        match $engine {
            Engine::Des($cipher) => $done,
            Engine::Tdes($cipher) => $done,
            Engine::Tdes3($cipher) => $done,
            Engine::Aes128($cipher) => $done,
            Engine::Aes192($cipher) => $done,
            Engine::Aes256($cipher) => $done,
        }
    };
}

impl Engine {
    pub(super) fn new(key: &SecretKey) -> Self {
        match key.cipher() {
            Cipher::Des => Self::Des(expand(key)),
            Cipher::Tdes => Self::Tdes(expand(key)),
            Cipher::Tdes3 => Self::Tdes3(expand(key)),
            Cipher::Aes128 => Self::Aes128(expand(key)),
            Cipher::Aes192 => Self::Aes192(expand(key)),
            Cipher::Aes256 => Self::Aes256(expand(key)),
        }
    }

    /// How long a block is, in bytes.
    pub(super) const fn block_len(&self) -> usize {
        match self {
            Self::Des(_) | Self::Tdes(_) | Self::Tdes3(_) => 8,
            Self::Aes128(_) | Self::Aes192(_) | Self::Aes256(_) => 16,
        }
    }

    /// Encrypts each block for itself (ECB).
    pub(super) fn encrypt(&self, data: &mut [u8]) {
        each!(self, cipher => blocks(cipher, data).for_each(|block| cipher.encrypt_block(block)));
    }

    /// Decrypts each block for itself (ECB).
    pub(super) fn decrypt(&self, data: &mut [u8]) {
        each!(self, cipher => blocks(cipher, data).for_each(|block| cipher.decrypt_block(block)));
    }

    /// Encrypts the blocks, each mixed with the one before it (CBC).
    pub(super) fn encrypt_chained(&self, iv: &[u8], data: &mut [u8]) {
        let mut before = [0; 16];
        copy(iv, &mut before);
        for block in data.chunks_exact_mut(self.block_len()) {
            mix(block, &before);
            self.encrypt(block);
            copy(block, &mut before);
        }
    }

    /// Decrypts what [`Self::encrypt_chained`] encrypted.
    pub(super) fn decrypt_chained(&self, iv: &[u8], data: &mut [u8]) {
        let (mut before, mut encrypted) = ([0; 16], [0; 16]);
        copy(iv, &mut before);
        for block in data.chunks_exact_mut(self.block_len()) {
            copy(block, &mut encrypted);
            self.decrypt(block);
            mix(block, &before);
            before = encrypted;
        }
    }

    /// CMAC over the parts (NIST SP 800-38B); the left eight bytes are its whole with DES and TDES.
    pub(super) fn cmac(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
        each!(self, cipher => finish(Cmac::from_core(CmacCore::inner_init(cipher.clone())), parts))
    }
}

/// Expands a key; the cipher was chosen by its length.
pub(super) fn expand<C: KeyInit>(key: &SecretKey) -> C {
    let mut value = Key::<C>::default();
    copy(key.expose(), &mut value);
    let expanded = C::new(&value);
    value.zeroize();
    expanded
}

/// Adds `other` to `block`, bit by bit, as far as both go.
pub(super) fn mix(block: &mut [u8], other: &[u8]) {
    block.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

/// Copies as far as both go.
pub(super) fn copy(from: &[u8], to: &mut [u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

fn blocks<'a, C: BlockSizeUser>(_: &C, data: &'a mut [u8]) -> impl Iterator<Item = &'a mut Block<C>> {
    data.chunks_exact_mut(C::block_size()).map(Into::into)
}

fn finish<M: Update + FixedOutput>(mut mac: M, parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    for part in parts {
        mac.update(part);
    }
    let mut made = mac.finalize_fixed();
    let mut out = Zeroizing::new([0; 16]);
    copy(&made, &mut *out);
    made.zeroize();
    out
}
