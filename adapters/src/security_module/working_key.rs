//! A terminal's working keys: derived from the local master key by who, which generation, what for and which cipher.
//!
//! NIST SP 800-108 in counter mode with AES-CMAC: `i (32 bits) || label || 0 || context || bits (32 bits)`. The label
//! is `turnout/<purpose>/<cipher>`; the context is the terminal's id behind its length, and the generation's 64 bits.
//! These bytes are a format: a generation recorded by one release must give the same keys in the next, so a golden
//! value in the tests holds them fast.
use super::engine::{Engine, copy};
use super::secret::{SecretKey, is_weak, set_odd_parity};
use actors::domain::identity::TerminalId;
use actors::ports::security_module::{Cipher, Generation, Purpose};
use zeroize::Zeroizing;

/// The local master key, expanded.
pub(super) struct LocalMaster(Engine);

/// Which keys: all that is not secret about them.
#[derive(Clone, Copy)]
pub(super) struct KeySet {
    pub(super) terminal: TerminalId,
    pub(super) generation: Generation,
    pub(super) cipher: Cipher,
}

impl LocalMaster {
    pub(super) fn new(key: &SecretKey) -> Self {
        Self(Engine::new(key))
    }

    /// The working key, with odd parity if it is a DES key; `None` if it happens to be a weak one.
    pub(super) fn working_key(&self, set: KeySet, purpose: Purpose) -> Option<SecretKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        let bytes = bytes.get_mut(..set.cipher.key_len()).unwrap_or_default();
        self.derive("", set, purpose, bytes);
        if !set.cipher.is_aes() {
            set_odd_parity(bytes);
        }
        (!is_weak(set.cipher, bytes)).then(|| SecretKey::derived(set.cipher, bytes))
    }

    /// Secret filler for the key's block: nobody can tell it from random, and a repeat has the same.
    pub(super) fn padding(&self, set: KeySet, purpose: Purpose, padding: &mut [u8]) {
        self.derive("/padding", set, purpose, padding);
    }

    fn derive(&self, suffix: &str, set: KeySet, purpose: Purpose, out: &mut [u8]) {
        let terminal = set.terminal.as_str().as_bytes();
        // A label of the domain has at most 31 characters.
        let length = u8::try_from(terminal.len()).unwrap_or_default();
        let bits = u32::try_from(out.len()).unwrap_or_default().saturating_mul(8);
        for (block, number) in out.chunks_mut(16).zip(1_u32..) {
            let mac = self.0.cmac(&[
                &number.to_be_bytes(),
                b"turnout/",
                purpose_name(purpose),
                b"/",
                cipher_name(set.cipher),
                suffix.as_bytes(),
                &[0, length],
                terminal,
                &set.generation.bits().to_be_bytes(),
                &bits.to_be_bytes(),
            ]);
            copy(&*mac, block);
        }
    }
}

const fn purpose_name(purpose: Purpose) -> &'static [u8] {
    match purpose {
        Purpose::Pin => b"pin",
        Purpose::Mac => b"mac",
        Purpose::Data => b"data",
    }
}

const fn cipher_name(cipher: Cipher) -> &'static [u8] {
    match cipher {
        Cipher::Des => b"des",
        Cipher::Tdes => b"tdes",
        Cipher::Tdes3 => b"tdes3",
        Cipher::Aes128 => b"aes128",
        Cipher::Aes192 => b"aes192",
        Cipher::Aes256 => b"aes256",
    }
}
