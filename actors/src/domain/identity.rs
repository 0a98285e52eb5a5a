//! Who is who: newtyped ids that cannot be mistaken for one another.
//!
//! Ids are short ASCII labels kept inline, so that they are `Copy` and cost no allocation on the
//! way through the actors. A payment's id is derived from who asked and with which key: the same
//! question always has the same id, before and after a crash and on every node.
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// How many characters a label has at most.
pub const LABEL_MAX: usize = 31;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Label {
    bytes: [u8; LABEL_MAX],
    len: u8,
}

impl Label {
    fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > LABEL_MAX {
            return Err(IdError::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:+".contains(&b)) {
            return Err(IdError::Character);
        }
        let mut bytes = [0; LABEL_MAX];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        let len = u8::try_from(text.len()).map_err(|_| IdError::Length)?;
        Ok(Self { bytes, len })
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty or too long.
    #[error("an id has 1 to 31 characters")]
    Length,
    /// A character that no id has.
    #[error("an id has letters, digits and - _ . : + only")]
    Character,
    /// Not in the form of a payment id.
    #[error("a payment id is \"pay_\" and 26 characters")]
    PaymentId,
    /// Empty or too long for a key.
    #[error("a key has 1 to 64 printable ASCII characters")]
    Key,
}

macro_rules! labelled {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
        pub struct $name(Label);

        impl $name {
            /// Reads an id: 1 to 31 letters, digits and `- _ . : +`.
            pub fn new(text: &str) -> Result<Self, IdError> {
                Label::new(text).map(Self)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<std::borrow::Cow<'_, str>> for $name {
            type Error = IdError;
            fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

labelled! {
    /// A transaction terminal (ISO 8583 DE 41).
    TerminalId,
    /// A merchant (ISO 8583 DE 42).
    MerchantId,
    /// A payer: the subscriber number that the phone logged in with.
    PayerId,
    /// A third-party payment platform, as the configuration names it.
    PlatformId,
    /// One refund among a payment's refunds, as the terminal named it.
    RefundId,
    /// A cryptographic key, as the configuration names it.
    KeyName,
}

/// What makes a repeat a repeat: the terminal's own name for what it asks (an `Idempotency-Key`, or the
/// fields of an ISO 8583 message that identify it). 1 to 64 printable ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentKey(Box<str>);

impl PaymentKey {
    /// Reads a key.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(IdError::Key);
        }
        Ok(Self(text.into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PaymentKey {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(&text)
    }
}

impl From<PaymentKey> for String {
    fn from(key: PaymentKey) -> Self {
        key.0.into()
    }
}

/// Who keeps a payment: the terminal's session where a terminal asked, the payer's actor where no terminal did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Keeper {
    /// The session of this terminal.
    Terminal(TerminalId),
    /// The actor of this payer.
    Payer(PayerId),
}

/// A payment, for its whole life and towards everybody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PaymentId(u128);

/// Crockford's alphabet: no i, l, o or u to misread.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE32_DIGITS: usize = 26;

impl PaymentId {
    /// The id of what `keeper` asks under `key`: the first 128 bits of a SHA-256 over both.
    pub fn derive(keeper: &Keeper, key: &PaymentKey) -> Self {
        let (role, name) = match keeper {
            Keeper::Terminal(id) => ("terminal", id.as_str()),
            Keeper::Payer(id) => ("payer", id.as_str()),
        };
        let digest = Sha256::new()
            .chain_update(role)
            .chain_update([0])
            .chain_update(name)
            .chain_update([0])
            .chain_update(key.as_str())
            .finalize();
        Self(digest.iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte)))
    }

    /// The id with these bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits of the id.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Reads the form that `Display` writes.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits =
            text.strip_prefix("pay_").filter(|d| d.len() == BASE32_DIGITS).ok_or(IdError::PaymentId)?;
        let mut bits: u128 = 0;
        for digit in digits.bytes() {
            let value = BASE32.iter().position(|b| *b == digit).ok_or(IdError::PaymentId)?;
            let value = u128::try_from(value).map_err(|_| IdError::PaymentId)?;
            bits = bits.checked_mul(32).ok_or(IdError::PaymentId)? | value;
        }
        Ok(Self(bits))
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pay_")?;
        (0..BASE32_DIGITS).rev().try_for_each(|place| {
            let shift = u32::try_from(place).unwrap_or(0).saturating_mul(5);
            let digit = usize::try_from((self.0 >> shift) & 31).unwrap_or(0);
            let letter = BASE32.get(digit).copied().unwrap_or(b'0');
            fmt::Write::write_char(f, char::from(letter))
        })
    }
}

impl fmt::Debug for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
