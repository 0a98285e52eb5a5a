//! How a key is named without being shown: by its configured name, by terminal and generation, or by a DUKPT KSN.
//!
//! What a key may be used for is its [`KeyRole`]; a module refuses any other use. The values themselves are the
//! module's alone.
use crate::domain::identity::{KeyName, TerminalId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRef {
    /// A key that the configuration names.
    Named(KeyName),
    /// A terminal's working key, for what it is used for.
    Working {
        /// Whose it is.
        terminal: TerminalId,
        /// Which of its keys.
        generation: Generation,
        /// Its cipher.
        cipher: Cipher,
    },
    /// The key of one message, derived from a base key (DUKPT).
    Dukpt {
        /// The base derivation key.
        base: KeyName,
        /// What the terminal sent with the message.
        ksn: Ksn,
        /// Which way the message goes; of no meaning for a PIN.
        way: Way,
        /// The derived key's cipher; double-length TDES if the base key is a TDES key.
        cipher: Cipher,
    },
}

impl KeyRef {
    /// The configured name that stands behind it, if there is one.
    pub const fn name(&self) -> Option<KeyName> {
        match self {
            Self::Named(name) | Self::Dukpt { base: name, .. } => Some(*name),
            Self::Working { .. } => None,
        }
    }
}

/// What it is called in an error: never more than names.
impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "{name}"),
            Self::Working { terminal, .. } => write!(f, "the working key of {terminal}"),
            Self::Dukpt { base, .. } => write!(f, "a key derived from {base}"),
        }
    }
}

/// What a configured key is for, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// All working keys are derived from it; it never leaves the module. AES-256.
    LocalMaster,
    /// A base derivation key of DUKPT terminals.
    DukptBase,
    /// Encrypts working keys on their way to a terminal.
    TerminalMaster,
    /// Encrypts PINs: a zone's, or that of terminals without a key exchange.
    Pin,
    /// Authenticates messages: a zone's, or that of terminals without a key exchange.
    Mac,
}

/// What a working key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// PINs.
    Pin,
    /// MACs.
    Mac,
    /// Tracks and other data.
    Data,
}

/// A block cipher and the length of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cipher {
    /// Single DES, 8 bytes: for legacy MACs only.
    Des,
    /// Double-length triple DES, 16 bytes.
    Tdes,
    /// Triple-length triple DES, 24 bytes.
    Tdes3,
    /// AES, 16 bytes.
    Aes128,
    /// AES, 24 bytes.
    Aes192,
    /// AES, 32 bytes.
    Aes256,
}

impl Cipher {
    /// How long a key is, in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::Tdes | Self::Aes128 => 16,
            Self::Tdes3 | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Whether it is AES.
    pub const fn is_aes(self) -> bool {
        matches!(self, Self::Aes128 | Self::Aes192 | Self::Aes256)
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Des => "DES",
            Self::Tdes => "double-length TDES",
            Self::Tdes3 => "triple-length TDES",
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
        })
    }
}

/// Which of a terminal's working keys: a number that the module draws and the caller records. Not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generation(u64);

impl Generation {
    /// The generation with this number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its number.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// Which way a message goes, seen from the terminal: DUKPT has a MAC key for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The terminal sends it. With TDES this is also the key for both ways.
    FromTerminal,
    /// The terminal receives it.
    ToTerminal,
    /// One key for both.
    BothWays,
}

/// A DUKPT key serial number: which terminal, and its how many-eth key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ksn {
    /// ANSI X9.24-1: 10 bytes, the last 21 bits count.
    Tdes([u8; 10]),
    /// ANSI X9.24-3: 12 bytes, the last 32 bits count.
    Aes([u8; 12]),
}

impl Ksn {
    /// Reads one by its length.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let tdes = <[u8; 10]>::try_from(bytes).map(Self::Tdes);
        tdes.or_else(|_| <[u8; 12]>::try_from(bytes).map(Self::Aes)).ok()
    }

    /// The transaction counter.
    pub const fn counter(&self) -> u32 {
        match self {
            Self::Tdes([.., a, b, c]) => u32::from_be_bytes([0, *a & 0x1F, *b, *c]),
            Self::Aes([.., a, b, c, d]) => u32::from_be_bytes([*a, *b, *c, *d]),
        }
    }
}

impl fmt::Debug for Ksn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ksn(counter {})", self.counter())
    }
}
