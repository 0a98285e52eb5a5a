//! PIN blocks of ISO 9564-1 in formats 0, 3 and 4: encoded, decoded, and carried from one key to another.
//!
//! A PIN in the clear lives in a [`Pin`], which is wiped and never printed. A block that does not hold a PIN of the
//! account says no more than that: which check failed would help somebody who guesses.
use super::engine::{Engine, copy, mix};
use super::secret::SecretKey;
use actors::ports::clock::Dice;
use actors::ports::security_module::{Cipher, Pan, PinBlock, PinFormat};
use std::fmt;
use zeroize::Zeroizing;

/// Digits that a PIN has at least and at most (ISO 9564-1).
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 4..=12;

/// A PIN: 4 to 12 digits, wiped when it is let go of.
pub struct Pin {
    digits: Zeroizing<[u8; 12]>,
    len: usize,
}

/// Why there is no PIN or no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinFault {
    /// Not a PIN.
    #[error("a PIN has 4 to 12 digits")]
    NoPin,
    /// The block holds no PIN of this account.
    #[error("the block holds no PIN of this account under this key in this format")]
    Unreadable,
    /// Formats 0 and 3 go with TDES, format 4 with AES.
    #[error("PIN format {format:?} cannot use a {cipher} key")]
    Cipher {
        /// What the key is.
        cipher: Cipher,
        /// What wanted it.
        format: PinFormat,
    },
}

impl Pin {
    /// Reads 4 to 12 ASCII digits.
    pub fn new(digits: &[u8]) -> Result<Self, PinFault> {
        if !PIN_DIGITS.contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinFault::NoPin);
        }
        let mut kept = Zeroizing::new([0; 12]);
        copy(digits, &mut *kept);
        Ok(Self { digits: kept, len: digits.len() })
    }

    /// Its ASCII digits, for tests and for tools that play a terminal.
    pub fn expose(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// Encrypts `pin` of the account `pan`.
pub fn encode(
    pin: &Pin,
    pan: Pan<'_>,
    format: PinFormat,
    key: &SecretKey,
    dice: &dyn Dice,
) -> Result<PinBlock, PinFault> {
    let engine = engine(format, key)?;
    let mut block = Zeroizing::new([0; 16]);
    let block = block.get_mut(..format.block_len()).unwrap_or_default();
    let field = pin_field(pin, format, dice);
    copy(&*field, block);
    match format {
        PinFormat::Iso0 | PinFormat::Iso3 => mix(block, &account_field(pan)),
        PinFormat::Iso4 => {
            engine.encrypt(block);
            mix(block, &*long_account_field(pan));
        }
    }
    engine.encrypt(block);
    PinBlock::new(format, block).ok_or(PinFault::Unreadable)
}

/// The PIN of the account `pan` in an encrypted block.
pub fn decode(block: &[u8], pan: Pan<'_>, format: PinFormat, key: &SecretKey) -> Result<Pin, PinFault> {
    let engine = engine(format, key)?;
    if block.len() != format.block_len() {
        return Err(PinFault::Unreadable);
    }
    let mut clear = Zeroizing::new([0; 16]);
    copy(block, &mut *clear);
    let field = clear.get_mut(..format.block_len()).unwrap_or_default();
    engine.decrypt(field);
    match format {
        PinFormat::Iso0 | PinFormat::Iso3 => mix(field, &account_field(pan)),
        PinFormat::Iso4 => {
            mix(field, &*long_account_field(pan));
            engine.decrypt(field);
        }
    }
    read_field(field, format)
}

/// Carries a PIN from one key and format to another; the PIN is wiped on the way.
pub fn translate(
    block: &[u8],
    pan: Pan<'_>,
    from: (PinFormat, &SecretKey),
    to: (PinFormat, &SecretKey),
    dice: &dyn Dice,
) -> Result<PinBlock, PinFault> {
    let pin = decode(block, pan, from.0, from.1)?;
    encode(&pin, pan, to.0, to.1, dice)
}

fn engine(format: PinFormat, key: &SecretKey) -> Result<Engine, PinFault> {
    let cipher = key.cipher();
    let fits = match format {
        PinFormat::Iso0 | PinFormat::Iso3 => matches!(cipher, Cipher::Tdes | Cipher::Tdes3),
        PinFormat::Iso4 => cipher.is_aes(),
    };
    if fits { Ok(Engine::new(key)) } else { Err(PinFault::Cipher { cipher, format }) }
}

/// Control, length, digits and filler; in format 4 eight random bytes behind them.
fn pin_field(pin: &Pin, format: PinFormat, dice: &dyn Dice) -> Zeroizing<[u8; 16]> {
    let mut random = Zeroizing::new([0; 16]);
    if format != PinFormat::Iso0 {
        dice.fill(&mut *random);
    }
    let filler = |place: usize| match format {
        PinFormat::Iso0 => 0xF,
        PinFormat::Iso3 => 0xA + random.get(place).copied().unwrap_or_default() % 6,
        PinFormat::Iso4 => 0xA,
    };
    let mut nibbles = Zeroizing::new([0; 16]);
    for (place, nibble) in nibbles.iter_mut().enumerate() {
        *nibble = match place {
            0 => control(format),
            // At most twelve.
            1 => u8::try_from(pin.len).unwrap_or_default(),
            _ => pin.expose().get(place - 2).map_or_else(|| filler(place), |digit| digit & 0xF),
        };
    }
    let mut field = Zeroizing::new(*random);
    pack(&*nibbles, &mut *field);
    field
}

/// Reads what [`pin_field`] wrote.
fn read_field(field: &[u8], format: PinFormat) -> Result<Pin, PinFault> {
    let mut nibbles = Zeroizing::new([0; 16]);
    for (pair, byte) in nibbles.chunks_exact_mut(2).zip(field) {
        copy(&[byte >> 4, byte & 0xF], pair);
    }
    let [kind, len, digits @ ..] = &*nibbles;
    let is_filler = |nibble: &u8| match format {
        PinFormat::Iso0 => *nibble == 0xF,
        PinFormat::Iso3 => (0xA..=0xF).contains(nibble),
        PinFormat::Iso4 => *nibble == 0xA,
    };
    let (digits, fill) = digits.split_at_checked(usize::from(*len)).ok_or(PinFault::Unreadable)?;
    let is_one =
        *kind == control(format) && digits.iter().all(|digit| *digit < 10) && fill.iter().all(is_filler);
    let mut text = Zeroizing::new([0; 14]);
    text.iter_mut().zip(digits).for_each(|(to, digit)| *to = b'0' + (digit & 0xF));
    let pin = Pin::new(text.get(..digits.len()).unwrap_or_default());
    pin.ok().filter(|_| is_one).ok_or(PinFault::Unreadable)
}

const fn control(format: PinFormat) -> u8 {
    match format {
        PinFormat::Iso0 => 0,
        PinFormat::Iso3 => 3,
        PinFormat::Iso4 => 4,
    }
}

/// Four zeros and the right twelve digits without the check digit.
fn account_field(pan: Pan<'_>) -> [u8; 8] {
    let digits = pan.digits().iter().rev().skip(1).take(12).map(|digit| digit & 0xF);
    let mut nibbles = [0; 16];
    nibbles.iter_mut().rev().zip(digits).for_each(|(to, digit)| *to = digit);
    let mut field = [0; 8];
    pack(&nibbles, &mut field);
    field
}

/// How many digits beyond twelve, all digits, zeros.
fn long_account_field(pan: Pan<'_>) -> Zeroizing<[u8; 16]> {
    let beyond = u8::try_from(pan.digits().len().saturating_sub(12)).unwrap_or_default();
    let digits = pan.digits().iter().map(|digit| digit & 0xF);
    let mut nibbles = Zeroizing::new([0; 32]);
    nibbles.iter_mut().zip(std::iter::once(beyond).chain(digits)).for_each(|(to, nibble)| *to = nibble);
    let mut field = Zeroizing::new([0; 16]);
    pack(&*nibbles, &mut *field);
    field
}

fn pack(nibbles: &[u8], bytes: &mut [u8]) {
    let (pairs, _) = nibbles.as_chunks::<2>();
    bytes.iter_mut().zip(pairs).for_each(|(byte, [high, low])| *byte = (high << 4) | low);
}
