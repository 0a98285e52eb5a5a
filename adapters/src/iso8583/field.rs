//! What a field is in one dialect: its characters, its size, and how both are written on the wire.
//!
//! The same field of the same standard is six ASCII digits here and three bytes there. A definition says which, and
//! whether a length counts digits, characters or bytes; `read` and `write` do it. It does not know field numbers.
use super::bcd::{each_nibble, is_bcd, two_digits, unhex_pair};

/// What may stand in a field (ISO 8583:1987, 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `n`: digits.
    Numeric,
    /// `an`: letters, digits and blanks.
    AlphaNumeric,
    /// `ans`: printable ASCII.
    Text,
    /// `any`: bytes of the peer's own character set (UnionPay writes GBK).
    Any,
    /// `z`: the digits and separators of a track.
    Track,
    /// `x+n`: `C` or `D`, then digits.
    Signed,
    /// `b`: bytes.
    Bytes,
}

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One byte a character.
    Plain,
    /// Two digits a byte, an odd one padded.
    Bcd(Pad),
    /// Bytes as two hexadecimal characters each.
    Hex,
}

/// The nibble that makes an odd number of digits even, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad {
    /// `0` before the first digit.
    LeftZero,
    /// `0` after the last.
    RightZero,
    /// `F` before the first digit.
    LeftF,
    /// `F` after the last.
    RightF,
}

/// How long the value is, in the units of its content: characters, digits, or bytes for `b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Always this long.
    Fixed(u16),
    /// At most this long, with a length before it.
    UpTo(u16, Prefix),
}

/// The length before a variable field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// How it is written.
    pub form: LengthForm,
    /// How many bytes it takes.
    pub bytes: u8,
    /// What it counts.
    pub counts: Unit,
}

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthForm {
    /// ASCII digits.
    Ascii,
    /// Two digits a byte.
    Bcd,
    /// A big-endian number.
    Binary,
}

/// What a length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Digits, characters or, for `b`, bytes: what the value itself counts in.
    Content,
    /// Bytes on the wire.
    WireBytes,
    /// The hexadecimal characters of bytes.
    HexCharacters,
}

/// What a builder does with a value that is shorter than its fixed field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Refuses it.
    None,
    /// Puts zeros before it.
    Zeros,
    /// Puts blanks after it.
    Blanks,
}

/// One field of one dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDef {
    pub(super) content: Content,
    pub(super) form: Form,
    pub(super) size: Size,
    pub(super) fill: Fill,
}

/// Where a value stands in a frame, and how long it is in its content's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) at: u16,
    pub(super) count: u16,
}

/// What is wrong with a field, or with the message around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The frame ends inside it.
    #[error("the frame ends inside it")]
    Truncated,
    /// The message type is none, or of another version than the dialect's.
    #[error("not a message type of this dialect")]
    MessageType,
    /// The bitmap is not hexadecimal.
    #[error("the bitmap is not hexadecimal")]
    Bitmap,
    /// The dialect has one bitmap, and bit 1 promises another.
    #[error("a second bitmap in a dialect that has one")]
    SecondBitmap,
    /// The bitmap promises a field that the dialect does not have.
    #[error("a field that the dialect does not have")]
    Unknown,
    /// The length is not made of digits.
    #[error("its length is not a number")]
    Length,
    /// The length is above the most that the dialect allows, or does not fit its unit.
    #[error("its length is not possible for this field")]
    TooLong,
    /// A character or nibble that does not belong into it.
    #[error("a character that does not belong into it")]
    Content,
    /// Bytes after the last field.
    #[error("bytes after the last field")]
    TrailingBytes,
    /// The frame is longer than any message can be.
    #[error("a frame above 65,535 bytes")]
    FrameTooLong,
}

impl FieldDef {
    /// What may stand in it.
    pub const fn content(&self) -> Content {
        self.content
    }

    /// How the value is written.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// How long it is.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// The most that fits, in the units of its content.
    pub const fn max(&self) -> u16 {
        match self.size {
            Size::Fixed(size) | Size::UpTo(size, _) => size,
        }
    }

    /// How many bytes its length takes.
    pub(super) fn length_len(&self) -> usize {
        match self.size {
            Size::Fixed(_) => 0,
            Size::UpTo(_, prefix) => usize::from(prefix.bytes),
        }
    }

    /// How many bytes `count` takes on the wire, without a length.
    pub(super) fn wire_len(&self, count: u16) -> usize {
        let count = usize::from(count);
        match (self.form, self.content) {
            (Form::Plain, _) => count,
            (Form::Hex, _) => count * 2,
            (Form::Bcd(_), Content::Signed) => 1 + count.saturating_sub(1).div_ceil(2),
            (Form::Bcd(_), _) => count.div_ceil(2),
        }
    }

    /// Reads the field that begins at `at`: where its value is, and where the next field begins.
    pub(super) fn read(&self, frame: &[u8], at: usize) -> Result<(Slot, usize), (usize, FaultKind)> {
        let (start, count) = match self.size {
            Size::Fixed(count) => (at, count),
            Size::UpTo(max, prefix) => self.read_length(frame, at, max, prefix)?,
        };
        let end = start + self.wire_len(count);
        let wire = frame.get(start..end).ok_or((frame.len(), FaultKind::Truncated))?;
        let slot = Slot { at: u16::try_from(start).map_err(|_| (at, FaultKind::FrameTooLong))?, count };
        self.check(wire, count).map_err(|inside| (start + inside, FaultKind::Content))?;
        Ok((slot, end))
    }

    fn read_length(
        &self,
        frame: &[u8],
        at: usize,
        max: u16,
        prefix: Prefix,
    ) -> Result<(usize, u16), (usize, FaultKind)> {
        let start = at + usize::from(prefix.bytes);
        let wire = frame.get(at..start).ok_or((frame.len(), FaultKind::Truncated))?;
        let said = prefix.read(wire).ok_or((at, FaultKind::Length))?;
        let count = match prefix.counts {
            Unit::Content => said,
            Unit::HexCharacters if said.is_multiple_of(2) => said / 2,
            Unit::HexCharacters => return Err((at, FaultKind::TooLong)),
            Unit::WireBytes => self.count_in(frame, start, said).map_err(|kind| (at, kind))?,
        };
        if count > max { Err((at, FaultKind::TooLong)) } else { Ok((start, count)) }
    }

    /// How much a value of `bytes` holds: in BCD twice as many digits, but for an `F` that pads them.
    fn count_in(&self, frame: &[u8], start: usize, bytes: u16) -> Result<u16, FaultKind> {
        let Form::Bcd(pad) = self.form else { return Ok(bytes) };
        let end = start + usize::from(bytes);
        let wire = frame.get(start..end).ok_or(FaultKind::Truncated)?;
        let outermost = if pad.is_left() { each_nibble(wire).next() } else { each_nibble(wire).next_back() };
        let digits = bytes.checked_mul(2).ok_or(FaultKind::TooLong)?;
        Ok(digits.saturating_sub(u16::from(outermost == Some(0x0f))))
    }

    /// Whether every character belongs here; otherwise the offset of one that does not.
    fn check(&self, wire: &[u8], count: u16) -> Result<(), usize> {
        match (self.form, self.content) {
            (_, Content::Any) | (Form::Plain, Content::Bytes) => Ok(()),
            (Form::Hex, _) => all(wire, u8::is_ascii_hexdigit),
            (Form::Plain, content) => content.check(wire),
            (Form::Bcd(pad), Content::Signed) => {
                let (sign, digits) = wire.split_first().ok_or(0_usize)?;
                (matches!(sign, b'C' | b'D')).then_some(()).ok_or(0_usize)?;
                check_nibbles(digits, count.saturating_sub(1), pad, |byte| is_bcd(*byte)).map_err(|at| at + 1)
            }
            (Form::Bcd(pad), Content::Track) => check_nibbles(wire, count, pad, |byte| is_track_byte(*byte)),
            (Form::Bcd(pad), _) => check_nibbles(wire, count, pad, |byte| is_bcd(*byte)),
        }
    }
}

impl Pad {
    /// Whether it stands before the first digit.
    pub const fn is_left(self) -> bool {
        matches!(self, Self::LeftZero | Self::LeftF)
    }

    /// The nibble.
    pub const fn nibble(self) -> u8 {
        match self {
            Self::LeftZero | Self::RightZero => 0,
            Self::LeftF | Self::RightF => 0x0f,
        }
    }
}

impl Prefix {
    /// The number that stands there; `+6` and `-3` are none.
    fn read(self, wire: &[u8]) -> Option<u16> {
        wire.iter().try_fold(0_u16, |sum, byte| match self.form {
            LengthForm::Ascii if byte.is_ascii_digit() => {
                sum.checked_mul(10)?.checked_add(u16::from(byte - b'0'))
            }
            LengthForm::Ascii => None,
            LengthForm::Bcd => sum.checked_mul(100)?.checked_add(two_digits(*byte)?),
            LengthForm::Binary => sum.checked_mul(256)?.checked_add(u16::from(*byte)),
        })
    }

    /// The largest number that fits.
    pub(super) fn largest(self) -> u16 {
        let base: u16 = match self.form {
            LengthForm::Ascii => 10,
            LengthForm::Bcd => 100,
            LengthForm::Binary => 256,
        };
        base.checked_pow(u32::from(self.bytes)).map_or(u16::MAX, |over| over - 1)
    }

    /// Writes `length`, which is at most [`largest`](Self::largest), most significant first.
    pub(super) fn write(self, mut length: u16, out: &mut Vec<u8>) {
        let mut bytes = [0_u8; 4];
        for byte in bytes.iter_mut().rev() {
            let (rest, low) = match self.form {
                LengthForm::Ascii => (length / 10, length % 10 + u16::from(b'0')),
                LengthForm::Bcd => (length / 100, ((length / 10 % 10) << 4) | (length % 10)),
                LengthForm::Binary => (length / 256, length % 256),
            };
            length = rest;
            *byte = u8::try_from(low).unwrap_or(0);
        }
        out.extend_from_slice(bytes.get(4 - usize::from(self.bytes.min(4))..).unwrap_or_default());
    }
}

impl Content {
    /// Whether every byte belongs here; otherwise the offset of one that does not.
    pub(super) fn check(self, bytes: &[u8]) -> Result<(), usize> {
        match self {
            Self::Numeric => all(bytes, u8::is_ascii_digit),
            Self::AlphaNumeric => all(bytes, |byte| byte.is_ascii_alphanumeric() || *byte == b' '),
            Self::Text => all(bytes, |byte| matches!(byte, b' '..=b'~')),
            Self::Track => all(bytes, |byte| byte.is_ascii_digit() || is_separator(*byte)),
            Self::Signed => match bytes.split_first() {
                Some((b'C' | b'D', digits)) => all(digits, u8::is_ascii_digit).map_err(|at| at + 1),
                _ => Err(0),
            },
            Self::Any | Self::Bytes => Ok(()),
        }
    }

    /// Whether its value can be printed as it is.
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Any | Self::Bytes)
    }
}

/// A track's field separator as a character: `=`, or the `D` of those who print nibbles.
pub(super) const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'=' | b'D')
}

/// A track's field separator as a nibble.
pub(super) const SEPARATOR: u8 = 0x0d;

/// The bytes that hexadecimal characters spell; the offset of one that is none, or of a half byte.
pub(super) fn unhex_into(characters: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let (pairs, rest) = characters.as_chunks::<2>();
    for (at, [high, low]) in pairs.iter().enumerate() {
        out.push(unhex_pair(*high, *low).ok_or(at * 2)?);
    }
    if rest.is_empty() { Ok(()) } else { Err(characters.len()) }
}

fn all(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> Result<(), usize> {
    // Without an early end the compiler compares sixteen at once; only a bad field is walked again.
    if bytes.iter().fold(true, |good, byte| good & belongs(byte)) {
        return Ok(());
    }
    Err(bytes.iter().position(|byte| !belongs(byte)).unwrap_or(0))
}

fn is_track_byte(byte: u8) -> bool {
    let is_nibble = |nibble| nibble <= 9 || nibble == SEPARATOR;
    is_nibble(byte >> 4) && is_nibble(byte & 0x0f)
}

/// Digits in nibbles. Stacks disagree whether the nibble beside an odd digit is `0` or `F`: both are taken, nothing else.
fn check_nibbles(wire: &[u8], count: u16, pad: Pad, belongs: impl Fn(&u8) -> bool) -> Result<(), usize> {
    if count.is_multiple_of(2) {
        return all(wire, belongs);
    }
    let (pad_at, padded, whole) = if pad.is_left() {
        let (first, rest) = wire.split_first().ok_or(0_usize)?;
        (0, *first, rest)
    } else {
        let (last, rest) = wire.split_last().ok_or(0_usize)?;
        (rest.len(), *last, rest)
    };
    let (pad_nibble, digit) =
        if pad.is_left() { (padded >> 4, padded & 0x0f) } else { (padded & 0x0f, padded >> 4) };
    if !matches!(pad_nibble, 0 | 0x0f) || !belongs(&digit) {
        return Err(pad_at);
    }
    all(whole, belongs).map_err(|at| at + usize::from(pad.is_left()))
}
