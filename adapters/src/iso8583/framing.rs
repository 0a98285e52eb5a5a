//! Where one message ends and the next begins on a line: lengths, headers and keep-alives.
//!
//! Sans-IO: [`Deframer`] takes bytes as they arrive and gives whole frames, [`Framing::wrap`] writes one. A length is
//! believed only within the line's limits and before anything is reserved for it. Nothing of what a message says is
//! known here, and no error repeats a byte of it. The forms are those of docs/lines.md.
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest frame that a line takes unless it is told otherwise, in bytes after the length.
pub const LENGTH_MAX: usize = 8192;
/// The shortest message that can be one: an MTI, a bitmap and a field or two, all packed.
pub const LENGTH_MIN: usize = 12;
/// A TPDU: an id, a destination and a source of two bytes each.
const TPDU: usize = 5;
/// The header of UnionPay terminals behind the TPDU.
const CUP: u8 = 6;
/// The longest header that a name can ask for.
const HEADER_MAX: u8 = 64;

/// How a frame's length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LengthForm {
    /// Two bytes, the greater first; they do not count themselves.
    Len2,
    /// Two bytes, the greater first; they count themselves.
    Len2Inclusive,
    /// Four ASCII digits.
    Ascii4,
    /// Four digits packed in two bytes.
    Bcd2,
}

/// What stands between the length and the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderForm {
    /// Nothing.
    None,
    /// A TPDU: `60`, destination, source; an answer swaps the two.
    Tpdu,
    /// A TPDU and so many bytes that an answer repeats.
    TpduPlus(u8),
    /// So many bytes that an answer repeats.
    Opaque(u8),
}

/// How messages are framed on a line. Its name is that of the form, as `len2+tpdu`; the limits go beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Framing {
    length: LengthForm,
    header: HeaderForm,
    length_min: usize,
    length_max: usize,
}

/// Something whole that came over a line.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// An empty frame, to be sent back as it came.
    KeepAlive(KeepAlive),
    /// A message.
    Message {
        /// What stood before it.
        header: Header,
        /// Its bytes, from the MTI on.
        body: Bytes,
    },
}

/// An empty frame, as its peer wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    written: [u8; 4],
    count: usize,
}

/// What stands before a message, whatever it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    bytes: Bytes,
    has_tpdu: bool,
}

/// Why bytes are no frame, or cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// The length is beyond what is taken.
    #[error(
        "a frame is longer than the {most} bytes that this line takes: check its framing, or raise length_max"
    )]
    TooLong {
        /// What is taken.
        most: usize,
    },
    /// The length is not written in digits.
    #[error("the length has no digit at offset {offset}: check the line's framing")]
    NoDigit {
        /// Which byte of the length.
        offset: usize,
    },
    /// The length should count itself, and does not.
    #[error("the length is less than the two bytes that it counts of its own: check the line's framing")]
    NotInclusive,
    /// The frame holds less than its header and the shortest message.
    #[error("a message is shorter than {least} bytes")]
    TooShort {
        /// The shortest that can be one.
        least: usize,
    },
    /// The header does not begin as a TPDU does.
    #[error("there is no TPDU before the message: check the line's framing")]
    NoTpdu,
    /// The header is not what this framing has.
    #[error("a header of this framing has {expected} bytes")]
    WrongHeader {
        /// How many it has.
        expected: usize,
    },
}

impl FrameFault {
    /// Whether the next frame's beginning cannot be known any more.
    pub const fn closes(self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::NoDigit { .. } | Self::NotInclusive)
    }

    /// A name for counting.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::NoDigit { .. } | Self::NotInclusive => "length",
            Self::TooShort { .. } => "too_short",
            Self::NoTpdu | Self::WrongHeader { .. } => "header",
        }
    }
}

impl LengthForm {
    /// How many bytes the length has.
    const fn width(self) -> usize {
        match self {
            Self::Ascii4 => 4,
            Self::Len2 | Self::Len2Inclusive | Self::Bcd2 => 2,
        }
    }

    /// The longest frame that it can say.
    const fn most(self) -> usize {
        match self {
            Self::Len2 => 65_535,
            Self::Len2Inclusive => 65_533,
            Self::Ascii4 | Self::Bcd2 => 9_999,
        }
    }

    /// Reads a length that is all there; `None` where it is a keep-alive's.
    fn read(self, written: &[u8]) -> Result<Option<usize>, FrameFault> {
        let length = match self {
            Self::Len2 => number(written),
            // Peers of this form keep alive with a bare zero, which counts nothing, not even itself.
            Self::Len2Inclusive if number(written) == 0 => 0,
            Self::Len2Inclusive => {
                let length = number(written).checked_sub(2).ok_or(FrameFault::NotInclusive)?;
                return Ok(Some(length));
            }
            Self::Ascii4 => digits(written.iter().map(|byte| byte.wrapping_sub(b'0')), 1)?,
            Self::Bcd2 => digits(written.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]), 2)?,
        };
        Ok((length > 0).then_some(length))
    }

    fn write(self, length: usize, out: &mut BytesMut) {
        let own = if self == Self::Len2Inclusive { 2 } else { 0 };
        let number = u16::try_from(length.saturating_add(own)).unwrap_or(u16::MAX);
        let digit = |place: u16| u8::try_from(number / place % 10).unwrap_or(0);
        match self {
            Self::Len2 | Self::Len2Inclusive => out.put_u16(number),
            Self::Ascii4 => [1000, 100, 10, 1].map(digit).into_iter().for_each(|d| out.put_u8(d | b'0')),
            Self::Bcd2 => {
                out.put_u8(digit(1000) << 4 | digit(100));
                out.put_u8(digit(10) << 4 | digit(1));
            }
        }
    }
}

fn number(written: &[u8]) -> usize {
    written.iter().fold(0, |all, byte| all << 8 | usize::from(*byte))
}

/// A number in decimal digits, of which a byte holds so many.
fn digits(digits: impl Iterator<Item = u8>, in_a_byte: usize) -> Result<usize, FrameFault> {
    digits.enumerate().try_fold(0_usize, |all, (at, digit)| {
        if digit > 9 {
            return Err(FrameFault::NoDigit { offset: at.checked_div(in_a_byte).unwrap_or(at) });
        }
        Ok(all.saturating_mul(10).saturating_add(usize::from(digit)))
    })
}

impl HeaderForm {
    /// How many bytes the header has.
    pub fn length(self) -> usize {
        match self {
            Self::None => 0,
            Self::Tpdu => TPDU,
            Self::TpduPlus(more) => TPDU.saturating_add(usize::from(more)),
            Self::Opaque(bytes) => usize::from(bytes),
        }
    }

    const fn has_tpdu(self) -> bool {
        matches!(self, Self::Tpdu | Self::TpduPlus(_))
    }
}

impl Framing {
    /// A framing with the usual limits.
    pub const fn new(length: LengthForm, header: HeaderForm) -> Self {
        Self { length, header, length_min: LENGTH_MIN, length_max: LENGTH_MAX }
    }

    /// The same with other limits: the shortest message without its header, and the longest frame with it.
    pub fn within(self, length_min: usize, length_max: usize) -> Result<Self, WrongLimits> {
        let least = length_min.saturating_add(self.header.length());
        if length_min == 0 || length_max < least || length_max > self.length.most() {
            return Err(WrongLimits { least: least.max(1), most: self.length.most() });
        }
        Ok(Self { length_min, length_max, ..self })
    }

    /// How its lengths are written.
    pub const fn length(self) -> LengthForm {
        self.length
    }

    /// What stands before its messages.
    pub const fn header(self) -> HeaderForm {
        self.header
    }

    /// The longest frame, header included.
    pub const fn length_max(self) -> usize {
        self.length_max
    }

    /// A header such as a terminal sends that has no numbers of its own: a TPDU for application 0003, zeros behind it.
    pub fn plain_header(self) -> Header {
        let more = |count: usize| vec![0; count];
        match self.header {
            HeaderForm::None => Header::none(),
            HeaderForm::Tpdu => Header::tpdu([0, 3], [0, 0]),
            HeaderForm::TpduPlus(count) => Header::tpdu_plus([0, 3], [0, 0], &more(usize::from(count))),
            HeaderForm::Opaque(count) => Header::opaque(&more(usize::from(count))),
        }
    }

    /// Writes a whole frame to `out`: nothing, if it is none that this line would take itself.
    pub fn wrap(self, header: &Header, body: &[u8], out: &mut BytesMut) -> Result<(), FrameFault> {
        let expected = self.header.length();
        if header.bytes.len() != expected {
            return Err(FrameFault::WrongHeader { expected });
        }
        let length = expected.saturating_add(body.len());
        self.fits(length)?;
        if length > self.length_max {
            return Err(FrameFault::TooLong { most: self.length_max });
        }
        out.reserve(self.length.width().saturating_add(length));
        self.length.write(length, out);
        out.extend_from_slice(&header.bytes);
        out.extend_from_slice(body);
        Ok(())
    }

    /// Whether a frame of this length holds its header and a message.
    fn fits(self, length: usize) -> Result<(), FrameFault> {
        match length.checked_sub(self.header.length()) {
            Some(body) if body >= self.length_min => Ok(()),
            _ => Err(FrameFault::TooShort { least: self.length_min }),
        }
    }

    /// What a frame that is all there holds.
    fn open(self, frame: &[u8]) -> Result<Frame, FrameFault> {
        self.fits(frame.len())?;
        // A TPDU's id is 6x; a message that stands there instead begins with 0, 3 or F.
        if self.header.has_tpdu() && frame.first().is_none_or(|id| id >> 4 != 6) {
            return Err(FrameFault::NoTpdu);
        }
        let mut body = Bytes::copy_from_slice(frame);
        let bytes =
            if self.header == HeaderForm::None { Bytes::new() } else { body.split_to(self.header.length()) };
        Ok(Frame::Message { header: Header { bytes, has_tpdu: self.header.has_tpdu() }, body })
    }
}

/// Limits that no frame of this form could keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of this framing may have {least} to {most} bytes")]
pub struct WrongLimits {
    least: usize,
    most: usize,
}

impl Header {
    /// No header.
    pub const fn none() -> Self {
        Self { bytes: Bytes::new(), has_tpdu: false }
    }

    /// A TPDU from `source` to `destination`.
    pub fn tpdu(destination: [u8; 2], source: [u8; 2]) -> Self {
        Self::tpdu_plus(destination, source, &[])
    }

    /// A TPDU and what stands behind it.
    pub fn tpdu_plus(destination: [u8; 2], source: [u8; 2], more: &[u8]) -> Self {
        let bytes = [&[0x60], &destination[..], &source[..], more].concat();
        Self { bytes: bytes.into(), has_tpdu: true }
    }

    /// Bytes of the peer's own.
    pub fn opaque(bytes: &[u8]) -> Self {
        Self { bytes: Bytes::copy_from_slice(bytes), has_tpdu: false }
    }

    /// The header of the answer: a TPDU goes back to where it came from, the rest is repeated.
    #[must_use]
    pub fn reply(&self) -> Self {
        match self.bytes.as_ref() {
            [id, d1, d2, s1, s2, more @ ..] if self.has_tpdu => {
                let bytes = [&[*id, *s1, *s2, *d1, *d2], more].concat();
                Self { bytes: bytes.into(), has_tpdu: true }
            }
            _ => self.clone(),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({} bytes)", self.bytes.len())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeepAlive(_) => f.write_str("KeepAlive"),
            Self::Message { header, body } => write!(f, "Message({header:?}, {} bytes)", body.len()),
        }
    }
}

impl KeepAlive {
    fn of(bytes: &[u8]) -> Self {
        let mut written = [0; 4];
        written.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self { written, count: bytes.len().min(4) }
    }

    /// What is sent back.
    pub fn as_bytes(&self) -> &[u8] {
        self.written.get(..self.count).unwrap_or_default()
    }
}

/// Bytes in, frames out. Empty, it holds no memory.
pub struct Deframer {
    framing: Framing,
    buffer: BytesMut,
    broken: Option<FrameFault>,
}

impl Deframer {
    /// At the beginning of a frame.
    pub fn new(framing: Framing) -> Self {
        Self { framing, buffer: BytesMut::new(), broken: None }
    }

    /// Takes in what arrived. What is taken in and not yet asked for is all that it ever holds.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole frame, or why there is none; `None` until more has arrived.
    ///
    /// After a fault that does not close, the frame is gone and the next one can be asked for. After one that does,
    /// there is nothing but that fault.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameFault> {
        match self.broken {
            Some(fault) => Err(fault),
            None => self.read().inspect_err(|fault| self.note(*fault)),
        }
    }

    /// Whether a frame has begun and is not yet all there.
    pub fn is_within_a_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    fn read(&mut self) -> Result<Option<Frame>, FrameFault> {
        let Framing { length: form, length_max, .. } = self.framing;
        let Some(written) = self.buffer.get(..form.width()) else { return Ok(None) };
        let Some(length) = form.read(written)? else {
            let keep_alive = KeepAlive::of(written);
            self.forget(form.width());
            return Ok(Some(Frame::KeepAlive(keep_alive)));
        };
        if length > length_max {
            return Err(FrameFault::TooLong { most: length_max });
        }
        let end = form.width().saturating_add(length);
        let Some(frame) = self.buffer.get(form.width()..end) else { return Ok(None) };
        let opened = self.framing.open(frame);
        self.forget(end);
        opened.map(Some)
    }

    fn forget(&mut self, bytes: usize) {
        self.buffer.advance(bytes.min(self.buffer.len()));
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn note(&mut self, fault: FrameFault) {
        if fault.closes() {
            self.broken = Some(fault);
            self.buffer = BytesMut::new();
        }
    }
}

/// A name that no framing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a framing is len2, len2i, ascii4 or bcd2, then nothing, +tpdu, +tpdu+cup6, +tpdu+fixedN or +fixedN with N from 1 to \
     64: \"len2+tpdu\""
)]
pub struct UnknownFraming;

impl FromStr for Framing {
    type Err = UnknownFraming;

    fn from_str(name: &str) -> Result<Self, UnknownFraming> {
        let (length, header) =
            name.split_once('+').map_or((name, None), |(length, rest)| (length, Some(rest)));
        let length = match length {
            "len2" => LengthForm::Len2,
            "len2i" => LengthForm::Len2Inclusive,
            "ascii4" => LengthForm::Ascii4,
            "bcd2" => LengthForm::Bcd2,
            _ => return Err(UnknownFraming),
        };
        let header = match header.map(|header| (header, header.strip_prefix("tpdu+"))) {
            None => HeaderForm::None,
            Some(("tpdu", _)) => HeaderForm::Tpdu,
            Some((_, Some("cup6"))) => HeaderForm::TpduPlus(CUP),
            Some((_, Some(more))) => HeaderForm::TpduPlus(fixed(more)?),
            Some((header, None)) => HeaderForm::Opaque(fixed(header)?),
        };
        Ok(Self::new(length, header))
    }
}

fn fixed(name: &str) -> Result<u8, UnknownFraming> {
    let digits = name.strip_prefix("fixed").ok_or(UnknownFraming)?;
    let is_number = (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    let count = digits.parse().ok().filter(|count| (1..=HEADER_MAX).contains(count));
    count.filter(|_| is_number && !digits.starts_with('0')).ok_or(UnknownFraming)
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.length {
            LengthForm::Len2 => "len2",
            LengthForm::Len2Inclusive => "len2i",
            LengthForm::Ascii4 => "ascii4",
            LengthForm::Bcd2 => "bcd2",
        })?;
        match self.header {
            HeaderForm::None => Ok(()),
            HeaderForm::Tpdu => f.write_str("+tpdu"),
            HeaderForm::TpduPlus(CUP) => f.write_str("+tpdu+cup6"),
            HeaderForm::TpduPlus(more) => write!(f, "+tpdu+fixed{more}"),
            HeaderForm::Opaque(bytes) => write!(f, "+fixed{bytes}"),
        }
    }
}

impl TryFrom<String> for Framing {
    type Error = UnknownFraming;

    fn try_from(name: String) -> Result<Self, UnknownFraming> {
        name.parse()
    }
}

impl From<Framing> for String {
    fn from(framing: Framing) -> Self {
        framing.to_string()
    }
}
