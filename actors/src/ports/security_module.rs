//! What needs a secret key: MACs, PIN translation, and the keys that a terminal is handed. Bytes in, bytes out.
//!
//! A software module keeps the keys in this process; a hardware module is a device on a wire, so every call is an
//! [`Answer`]. No key and no PIN ever comes out of it in the clear. It knows nothing of ISO 8583: which bytes a MAC
//! covers and where it travels is the caller's matter. It holds nothing per terminal either: a terminal's working keys
//! are named by their [`Generation`], which the caller records before it hands them over, so that they are the same
//! keys after a restart and on every node. `keys` says how a key is named, `faults` why a call failed.
pub mod faults;
pub mod keys;

pub use faults::{KeyProblem, ModuleFault, Rejection};
pub use keys::{Cipher, Generation, KeyRef, KeyRole, Ksn, Purpose, Way};

use super::Answer;
use crate::domain::identity::{KeyName, TerminalId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A security module. What is borrowed is copied before the answer is waited for.
pub trait SecurityModule: Send + Sync {
    /// The MAC of `message`, eight bytes.
    fn mac(&self, key: KeyRef, algorithm: MacAlgorithm, message: &[u8]) -> Answer<Result<Mac, ModuleFault>>;
    /// Whether `mac` is the MAC of `message`, in constant time; [`Rejection::Mac`] if it is not.
    fn verify_mac(
        &self,
        key: KeyRef,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Answer<Result<(), ModuleFault>>;
    /// The same PIN of the same account, in another format under another key.
    fn translate_pin(
        &self,
        pan: Pan<'_>,
        from: PinSource<'_>,
        to: PinTarget,
    ) -> Answer<Result<PinBlock, ModuleFault>>;
    /// A fresh generation for any terminal. Record it with the terminal before its keys are handed over.
    fn new_generation(&self) -> Answer<Result<Generation, ModuleFault>>;
    /// The working keys of that generation, encrypted under the terminal's master key `under`. The same generation is
    /// always handed over in the same bytes: a repeated request gets a repeated answer.
    fn hand_over(
        &self,
        terminal: TerminalId,
        generation: Generation,
        under: KeyName,
        form: HandOverForm,
    ) -> Answer<Result<HandedOver, ModuleFault>>;
    /// The check value by which people compare a key without seeing it.
    fn check_value(&self, key: KeyName) -> Answer<Result<CheckValue, ModuleFault>>;
}

/// How a message is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MacAlgorithm {
    /// The retail MAC (ANSI X9.19; ISO 9797-1 algorithm 3, padding 1): double-length TDES, eight bytes.
    #[serde(rename = "x919")]
    X919,
    /// The same, its left four bytes and four zeros. Verified with four zeros, four spaces, or nothing behind it.
    #[serde(rename = "x919-left4")]
    X919Left4,
    /// DES-CBC (ANSI X9.9): a single DES key. It is verified for terminals that know nothing else, never generated.
    #[serde(rename = "x99")]
    X99,
    /// ISO 16609: ISO 9797-1 algorithm 1 with TDES, padding 1.
    #[serde(rename = "iso16609-tdes")]
    Iso16609Tdes,
    /// AES-CMAC (NIST SP 800-38B), its left eight bytes.
    #[serde(rename = "aes-cmac")]
    AesCmac,
    /// UnionPay terminals: the XOR of all blocks, encrypted in hexadecimal; eight ASCII characters.
    #[serde(rename = "cup-ecb")]
    CupEcb,
}

/// A MAC as it travels: eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 8]);

/// How a PIN is laid out in its block (ISO 9564-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinFormat {
    /// Format 0: eight bytes under TDES.
    Iso0,
    /// Format 3: eight bytes under TDES, filled at random.
    Iso3,
    /// Format 4: sixteen bytes under AES, filled at random.
    Iso4,
}

impl PinFormat {
    /// How long a block is, in bytes.
    pub const fn block_len(self) -> usize {
        match self {
            Self::Iso0 | Self::Iso3 => 8,
            Self::Iso4 => 16,
        }
    }
}

/// An encrypted PIN as it came in.
#[derive(Clone, Copy)]
pub struct PinSource<'a> {
    /// The key that it is encrypted under.
    pub key: KeyRef,
    /// Its format.
    pub format: PinFormat,
    /// The block.
    pub block: &'a [u8],
}

/// What an encrypted PIN is to become.
#[derive(Clone, Copy, Debug)]
pub struct PinTarget {
    /// The key to encrypt it under.
    pub key: KeyRef,
    /// The format to write.
    pub format: PinFormat,
}

/// An encrypted PIN block: 8 bytes, or 16 in format 4. It is for one message and no log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PinBlock {
    bytes: [u8; 16],
    format: PinFormat,
}

impl PinBlock {
    /// A block of this format, if it has its length.
    pub fn new(format: PinFormat, block: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
        (block.len() == format.block_len()).then_some(Self { bytes, format })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.format.block_len()).unwrap_or_default()
    }
}

/// An account number: 12 to 19 digits, check digit included. It cannot be printed.
#[derive(Clone, Copy)]
pub struct Pan<'a>(&'a [u8]);

impl<'a> Pan<'a> {
    /// Reads ASCII digits.
    pub fn new(digits: &'a [u8]) -> Option<Self> {
        let is_one = (12..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        is_one.then_some(Self(digits))
    }

    /// The digits, in ASCII.
    pub const fn digits(&self) -> &'a [u8] {
        self.0
    }
}

/// How working keys travel to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOverForm {
    /// UnionPay: PIN key and MAC key under TDES in ECB, 16 bytes and 4 of check value each. A single-length MAC key
    /// ([`Cipher::Des`]) is followed by eight zeros.
    Cryptograms {
        /// The MAC key's cipher: DES or double-length TDES.
        mac: Cipher,
    },
    /// The same and a data key behind them.
    CryptogramsWithData {
        /// The MAC key's cipher.
        mac: Cipher,
    },
    /// Key blocks (ANSI X9.143, once TR-31) in ASCII, one behind the other: the PIN key's, the MAC key's. Version B
    /// under a TDES master key, version D under an AES one.
    KeyBlocks {
        /// The working keys' cipher.
        cipher: Cipher,
        /// What the MAC key is for.
        algorithm: MacAlgorithm,
    },
}

/// Working keys on their way: nothing in it is in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// What the terminal is sent.
    pub bytes: Vec<u8>,
    /// The check values of the keys in it, in their order.
    pub check_values: Vec<(Purpose, CheckValue)>,
}

/// The left five bytes of what a key makes of zeros: E(key, 0) under TDES, CMAC(key, 0) under AES (ANSI X9.24-1).
/// The trade shows three or four of a TDES key and five of an AES key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CheckValue(pub [u8; 5]);

impl CheckValue {
    /// Its left bytes, at most five.
    pub fn left(&self, length: usize) -> &[u8] {
        self.0.get(..length).unwrap_or(&self.0)
    }
}

/// The left three bytes: what a log may hold.
impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.left(3).iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckValue({self})")
    }
}

impl fmt::Debug for PinSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinSource")
            .field("key", &self.key)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinBlock({:?})", self.format)
    }
}

impl fmt::Debug for Pan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan({} digits)", self.0.len())
    }
}

impl fmt::Debug for HandedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedOver").field("check_values", &self.check_values).finish_non_exhaustive()
    }
}
