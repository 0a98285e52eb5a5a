//! Writes messages: a value that does not fit its field is refused with the field's number, never cut, never guessed at.
//!
//! Fields may be set in any order. A short value is filled only where the dialect says so. One builder can be used for
//! one message after another; then it writes without allocating. The MAC is computed by whoever holds the key.
use super::bcd::hex_pair;
use super::bitmap::Bitmap;
use super::dialect::Dialect;
use super::field::{Content, FieldDef, Fill, Form, Pad, SEPARATOR, Size, Unit, is_separator, unhex_into};
use super::message::Message;
use super::mti::Mti;
use bytes::BytesMut;
use std::fmt;

/// A message that is being written.
#[derive(Clone)]
pub struct Builder<'d> {
    dialect: &'d Dialect,
    mti: Mti,
    bitmap: Bitmap,
    /// The fields as they will stand on the wire, in the order in which they were set.
    written: Vec<u8>,
    places: [Place; 129],
    /// The highest field so far, while that order is the standard's; then they are copied in one piece.
    ascending: Option<u8>,
}

/// Where a field stands among the written.
#[derive(Clone, Copy, Default)]
struct Place {
    at: u16,
    len: u16,
}

/// A field cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {kind}")]
pub struct BuildFault {
    /// The field; 0 is the message type.
    pub field: u8,
    /// What is wrong.
    pub kind: BuildFaultKind,
}

/// Why a field cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildFaultKind {
    /// The dialect does not have it.
    #[error("the dialect does not have it")]
    Unknown,
    /// The message type is of another version than the dialect's.
    #[error("a message type of another version than the dialect's")]
    MessageType,
    /// The value is longer than the field.
    #[error("{len} long, and the field takes at most {max}")]
    TooLong {
        /// The value's length.
        len: usize,
        /// What the field takes.
        max: u16,
    },
    /// The value is shorter than the field, and the dialect does not say with what to fill it.
    #[error("{len} long, and the field is always {size}")]
    TooShort {
        /// The value's length.
        len: usize,
        /// What the field takes.
        size: u16,
    },
    /// A character that may not stand there.
    #[error("character {at} may not stand in it")]
    Content {
        /// Which, from 0.
        at: usize,
    },
    /// The dialect's MAC field is not eight bytes.
    #[error("the dialect has no MAC of eight bytes")]
    NoMac,
    /// All fields together are longer than a frame.
    #[error("the message is longer than 65,535 bytes")]
    FrameTooLong,
}

impl<'d> Builder<'d> {
    /// A message without fields.
    pub fn new(dialect: &'d Dialect, mti: Mti) -> Self {
        let written = Vec::with_capacity(512);
        let places = [Place::default(); 129];
        Self { dialect, mti, bitmap: Bitmap::EMPTY, written, places, ascending: Some(0) }
    }

    /// Forgets every field and begins another message.
    pub fn restart(&mut self, mti: Mti) -> &mut Self {
        self.mti = mti;
        self.bitmap = Bitmap::EMPTY;
        self.written.clear();
        self.ascending = Some(0);
        self
    }

    /// The dialect that it writes.
    pub const fn dialect(&self) -> &'d Dialect {
        self.dialect
    }

    /// Which fields are set.
    pub const fn fields(&self) -> Bitmap {
        self.bitmap
    }

    /// Sets field `n` to a text: digits for `n`, hexadecimal for `b`.
    pub fn set(&mut self, n: u8, text: &str) -> Result<&mut Self, BuildFault> {
        self.write(n, |def, out| def.write_text(text, out))
    }

    /// Sets field `n` to bytes: what `b` holds, or the characters of any other.
    pub fn set_bytes(&mut self, n: u8, bytes: &[u8]) -> Result<&mut Self, BuildFault> {
        self.write(n, |def, out| def.write_bytes(bytes, out))
    }

    /// Sets field `n` as `message` has it, byte for byte where both mean the same by it; nothing if it has none.
    pub fn echo(&mut self, message: &Message<'_>, n: u8) -> Result<&mut Self, BuildFault> {
        let Some((theirs, wire, count)) = message.placed(n) else { return Ok(self) };
        if self.dialect.field(n) == Some(theirs) {
            return self.write(n, |def, out| {
                def.write_length(count, out);
                out.extend_from_slice(wire);
                Ok(())
            });
        }
        match message.text(n) {
            Some(text) => self.set(n, &text),
            None => self.set_bytes(n, wire),
        }
    }

    /// Takes field `n` away.
    pub fn unset(&mut self, n: u8) -> &mut Self {
        self.bitmap = self.bitmap.without(n);
        self.ascending = None;
        self
    }

    /// Appends the message to `out`; on a fault `out` is as it was.
    pub fn finish(&self, out: &mut BytesMut) -> Result<(), BuildFault> {
        self.append(self.bitmap, out)
    }

    /// Appends the message with its MAC: in field 128 if there is a field above 64, else in field 64, over everything
    /// before it with its bit already set. What `mac` refuses is not sent: `out` is then as it was.
    pub fn finish_with_mac<E: From<BuildFault>>(
        &self,
        out: &mut BytesMut,
        mac: impl FnOnce(&[u8]) -> Result<[u8; 8], E>,
    ) -> Result<(), E> {
        let fields = self.bitmap.without(64).without(128);
        let n = if fields.is_extended() { 128 } else { 64 };
        let def = self.dialect.field(n).filter(|def| is_mac(def));
        let def = def.ok_or(BuildFault { field: n, kind: BuildFaultKind::NoMac })?;
        let start = out.len();
        self.append_promising(fields, fields.with(n), out)?;
        let mac = mac(out.get(start..).unwrap_or_default()).inspect_err(|_| out.truncate(start))?;
        if def.form() == Form::Hex {
            out.extend(mac.iter().flat_map(|byte| hex_pair(*byte)));
        } else {
            out.extend_from_slice(&mac);
        }
        Ok(())
    }

    fn write(
        &mut self,
        n: u8,
        value: impl FnOnce(&FieldDef, &mut Vec<u8>) -> Result<(), BuildFaultKind>,
    ) -> Result<&mut Self, BuildFault> {
        let fault = |kind| BuildFault { field: n, kind };
        let def = self.dialect.field(n).ok_or(fault(BuildFaultKind::Unknown))?;
        let at = self.written.len();
        let place = value(def, &mut self.written).and_then(|()| Place::new(at, self.written.len()));
        match (place, self.places.get_mut(usize::from(n))) {
            (Ok(new), Some(place)) => {
                *place = new;
                self.bitmap = self.bitmap.with(n);
                self.ascending = self.ascending.filter(|last| *last < n).map(|_| n);
                Ok(self)
            }
            (refused, _) => {
                self.written.truncate(at);
                Err(fault(refused.err().unwrap_or(BuildFaultKind::Unknown)))
            }
        }
    }

    fn append(&self, fields: Bitmap, out: &mut BytesMut) -> Result<(), BuildFault> {
        self.append_promising(fields, fields, out)
    }

    fn append_promising(
        &self,
        fields: Bitmap,
        promised: Bitmap,
        out: &mut BytesMut,
    ) -> Result<(), BuildFault> {
        if self.mti.version() != self.dialect.version() {
            return Err(BuildFault { field: 0, kind: BuildFaultKind::MessageType });
        }
        let start = out.len();
        out.reserve(self.written.len() + LONGEST_HEAD + LONGEST_MAC);
        self.append_head(promised, out);
        if self.ascending.is_some() && fields == self.bitmap {
            out.extend_from_slice(&self.written);
        } else {
            for n in fields {
                out.extend_from_slice(self.placed(n).unwrap_or_default());
            }
        }
        if out.len() - start > usize::from(u16::MAX) - LONGEST_MAC {
            out.truncate(start);
            return Err(BuildFault { field: 0, kind: BuildFaultKind::FrameTooLong });
        }
        Ok(())
    }

    fn append_head(&self, promised: Bitmap, out: &mut BytesMut) {
        let head = self.dialect.head;
        match (head.mti_is_bcd, self.mti.bytes()) {
            (true, [a, b, c, d]) => {
                out.extend_from_slice(&[nibble(a) << 4 | nibble(b), nibble(c) << 4 | nibble(d)]);
            }
            (false, digits) => out.extend_from_slice(&digits),
        }
        let maps = promised.bits().to_be_bytes();
        let len = if promised.is_extended() { 16 } else { 8 };
        if !head.bitmap_is_hex {
            out.extend_from_slice(maps.get(..len).unwrap_or_default());
            return;
        }
        let mut characters = [[0; 2]; 16];
        for (pair, byte) in characters.iter_mut().zip(maps) {
            *pair = hex_pair(byte);
        }
        out.extend_from_slice(characters.as_flattened().get(..len * 2).unwrap_or_default());
    }

    fn placed(&self, n: u8) -> Option<&[u8]> {
        let place = self.places.get(usize::from(n))?;
        let start = usize::from(place.at);
        self.written.get(start..start + usize::from(place.len))
    }
}

/// Message type and two maps in characters.
const LONGEST_HEAD: usize = 4 + 32;
const LONGEST_MAC: usize = 16;

/// What was set is for the peer, not for a log.
impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<u8> = self.bitmap.iter().collect();
        f.debug_struct("Builder").field("mti", &self.mti).field("fields", &fields).finish_non_exhaustive()
    }
}

impl Place {
    fn new(at: usize, end: usize) -> Result<Self, BuildFaultKind> {
        let len = u16::try_from(end - at).map_err(|_| BuildFaultKind::FrameTooLong)?;
        Ok(Self { at: u16::try_from(at).map_err(|_| BuildFaultKind::FrameTooLong)?, len })
    }
}

fn is_mac(def: &FieldDef) -> bool {
    def.content() == Content::Bytes && def.size() == Size::Fixed(8)
}

impl FieldDef {
    fn write_text(&self, text: &str, out: &mut Vec<u8>) -> Result<(), BuildFaultKind> {
        if self.content != Content::Bytes {
            return self.write_characters(text.as_bytes(), out);
        }
        self.counted_and_written(text.len() / 2, out)?;
        let start = out.len();
        unhex_into(text.as_bytes(), out).map_err(|at| BuildFaultKind::Content { at })?;
        if self.form == Form::Hex {
            out.truncate(start);
            out.extend(text.bytes().map(|character| character.to_ascii_uppercase()));
        }
        Ok(())
    }

    fn write_bytes(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BuildFaultKind> {
        if self.content != Content::Bytes {
            return self.write_characters(bytes, out);
        }
        self.counted_and_written(bytes.len(), out)?;
        match self.form {
            Form::Hex => out.extend(bytes.iter().flat_map(|byte| hex_pair(*byte))),
            Form::Plain | Form::Bcd(_) => out.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn write_characters(&self, characters: &[u8], out: &mut Vec<u8>) -> Result<(), BuildFaultKind> {
        self.content.check(characters).map_err(|at| BuildFaultKind::Content { at })?;
        let missing = usize::from(self.counted_and_written(characters.len(), out)?);
        let (zeros, blanks) = if self.fill == Fill::Zeros { (missing, 0) } else { (0, missing) };
        match (self.form, self.content) {
            (Form::Bcd(pad), _) => {
                let (sign, digits) = characters.split_at(usize::from(self.content == Content::Signed));
                out.extend_from_slice(sign);
                pack(zeros, digits, pad, out);
            }
            (_, Content::Track) => {
                out.extend(characters.iter().map(|byte| if is_separator(*byte) { b'=' } else { *byte }));
            }
            _ if missing == 0 => out.extend_from_slice(characters),
            _ => {
                out.resize(out.len() + zeros, b'0');
                out.extend_from_slice(characters);
                out.resize(out.len() + blanks, b' ');
            }
        }
        Ok(())
    }

    /// Writes the length of a value of `len`; says how much a fixed field has still to be filled with.
    fn counted_and_written(&self, len: usize, out: &mut Vec<u8>) -> Result<u16, BuildFaultKind> {
        let max = self.max();
        let count = u16::try_from(len).ok().filter(|count| *count <= max);
        let count = count.ok_or(BuildFaultKind::TooLong { len, max })?;
        match (self.size, self.fill) {
            (Size::Fixed(size), Fill::None) if count < size => Err(BuildFaultKind::TooShort { len, size }),
            (Size::Fixed(size), _) => Ok(size - count),
            (Size::UpTo(..), _) => {
                self.write_length(count, out);
                Ok(0)
            }
        }
    }

    /// Writes the length of a value of `count`, where the field has one.
    fn write_length(&self, count: u16, out: &mut Vec<u8>) {
        if let Size::UpTo(_, prefix) = self.size {
            prefix.write(self.counted(count, prefix.counts), out);
        }
    }

    /// What the length of a value of `count` says.
    pub(super) fn counted(&self, count: u16, counts: Unit) -> u16 {
        match counts {
            Unit::Content => count,
            Unit::HexCharacters => count.saturating_mul(2),
            Unit::WireBytes => u16::try_from(self.wire_len(count)).unwrap_or(u16::MAX),
        }
    }
}

/// A digit's nibble, or a track's separator's: `=` ends in it, `D` is it.
fn nibble(character: u8) -> u8 {
    if character == b'D' { SEPARATOR } else { character & 0x0f }
}

/// Digits two to a byte, `zeros` more of them first, an odd one padded.
fn pack(zeros: usize, digits: &[u8], pad: Pad, out: &mut Vec<u8>) {
    let is_odd = (zeros + digits.len()) % 2 == 1;
    let first = (is_odd && pad.is_left()).then_some(pad.nibble());
    if zeros == 0 && first.is_none() {
        return pack_pairs(digits, pad, out);
    }
    let zeros = std::iter::repeat_n(0, zeros);
    let mut high = first;
    for nibble in zeros.chain(digits.iter().map(|digit| nibble(*digit))) {
        match high.take() {
            None => high = Some(nibble),
            Some(high) => out.push(high << 4 | nibble),
        }
    }
    out.extend(high.map(|high| high << 4 | pad.nibble()));
}

/// The same where nothing comes before the digits, without looking at each twice.
fn pack_pairs(digits: &[u8], pad: Pad, out: &mut Vec<u8>) {
    let (pairs, last) = digits.as_chunks::<2>();
    out.extend(pairs.iter().map(|[high, low]| nibble(*high) << 4 | nibble(*low)));
    if let [high] = last {
        out.push(nibble(*high) << 4 | pad.nibble());
    }
}
