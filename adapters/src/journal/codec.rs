//! Entries to bytes and back: the only place that knows how values are encoded.
//!
//! Version 1 is `bincode` 2 with its standard configuration over serde. `bincode` is complete but no longer maintained
//! (RUSTSEC-2025-0141), so nothing else may name it, and the golden files under `tests/golden` hold every kind of
//! entry that was ever written. A new version gets a number, a branch in [`decode`] and golden files of its own.
use actors::domain::journal::Entry;

/// The version that is written.
pub const VERSION: u8 = 1;

/// Bytes an entry may allocate while it is read: no entry comes near it, and garbage cannot ask for more.
const DECODE_MAX: usize = 64 * 1024;

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecFault {
    /// Written by a newer release.
    #[error("a newer release wrote this: start that release, or a later one")]
    Newer,
    /// Not an entry of the version it claims.
    #[error("not an entry")]
    Malformed,
    /// An entry that cannot be written.
    #[error("an entry that the codec refuses")]
    Unwritable,
}

/// Appends an entry's bytes, in version [`VERSION`].
pub fn encode(entry: &Entry, to: &mut Vec<u8>) -> Result<(), CodecFault> {
    bincode::serde::encode_into_std_write(entry, to, bincode::config::standard())
        .map(|_| ())
        .map_err(|_| CodecFault::Unwritable)
}

/// Reads an entry that fills `bytes`.
pub fn decode(version: u8, bytes: &[u8]) -> Result<Entry, CodecFault> {
    if version != VERSION {
        return Err(CodecFault::Newer);
    }
    let config = bincode::config::standard().with_limit::<DECODE_MAX>();
    match bincode::serde::decode_from_slice(bytes, config) {
        Ok((entry, read)) if read == bytes.len() => Ok(entry),
        _ => Err(CodecFault::Malformed),
    }
}
