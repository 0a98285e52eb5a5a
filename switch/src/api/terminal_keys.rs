//! Who may say which terminal it is: keys that only their SHA-256 is kept of, compared in constant time.
use actors::domain::identity::TerminalId;
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// Verifies terminals' keys.
pub trait TerminalKeys: Send + Sync {
    /// Whether `key` is the key of `terminal`. Takes the same time whichever it is not.
    fn verify(&self, terminal: TerminalId, key: &str) -> bool;
}

/// The SHA-256 of each terminal's key.
pub struct KeyDigests(BTreeMap<TerminalId, [u8; 32]>);

impl KeyDigests {
    /// These digests.
    pub const fn new(digests: BTreeMap<TerminalId, [u8; 32]>) -> Self {
        Self(digests)
    }

    /// The digests of these keys.
    pub fn of_keys<'a>(keys: impl IntoIterator<Item = (TerminalId, &'a str)>) -> Self {
        Self(keys.into_iter().map(|(terminal, key)| (terminal, sha256(key.as_bytes()))).collect())
    }
}

impl TerminalKeys for KeyDigests {
    fn verify(&self, terminal: TerminalId, key: &str) -> bool {
        is_key_of(self.0.get(&terminal), key)
    }
}

/// Whether `key` has the digest that is known of a terminal; takes the same time for an unknown one.
pub fn is_key_of(known: Option<&[u8; 32]>, key: &str) -> bool {
    let same = known.unwrap_or(&[0; 32]).ct_eq(&sha256(key.as_bytes()));
    known.is_some() && bool::from(same)
}

/// The SHA-256 of `bytes`, of which nothing stays on the stack: what is digested may be a key.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let out = digested(bytes);
    // ring gathers the last block on the stack and leaves it there: the same once more, over nothing, writes over it.
    std::hint::black_box(digested(&NOTHING));
    out
}

/// As much of nothing as fits before a block is full.
const NOTHING: [u8; 63] = [0; 63];

/// Never inlined, so that each call has its working space where the last one had it.
#[inline(never)]
fn digested(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_right_key_of_a_known_terminal_is_right() {
        let [known, unknown] = ["T1", "T2"].map(|id| TerminalId::new(id).unwrap());
        let keys = KeyDigests::of_keys([(known, "key-1")]);
        assert!(keys.verify(known, "key-1"));
        assert!(!keys.verify(known, "key-2") && !keys.verify(known, "") && !keys.verify(unknown, "key-1"));
    }
}
