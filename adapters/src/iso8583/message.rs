//! A message over the bytes of its frame: where every field stands, checked once, and nothing copied.
//!
//! [`Message::parse`] is strict: every character is checked, no byte is left over, and a fault says which field and
//! where. What was read before a fault can still be asked for, to answer 30. What the fields mean is `translate`'s.
use super::bcd;
use super::bitmap::Bitmap;
use super::dialect::Dialect;
use super::field::{Content, FaultKind, FieldDef, Slot};
use super::mask;
use super::mti::Mti;
use super::value::{FieldBytes, FieldText};
use std::fmt;

/// A message that was read, wholly or up to a fault.
#[derive(Clone)]
pub struct Message<'a> {
    dialect: &'a Dialect,
    frame: &'a [u8],
    mti: Mti,
    /// What the bitmap says.
    promised: Bitmap,
    /// What was found: the same, unless a fault came between.
    bitmap: Bitmap,
    slots: [Slot; 129],
}

/// What is wrong with a frame, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field} at byte {offset}: {kind}")]
pub struct ParseFault {
    /// The field; 0 is the message type, 1 the bitmap.
    pub field: u8,
    /// The byte of the frame, from 0.
    pub offset: usize,
    /// What is wrong.
    pub kind: FaultKind,
}

/// A frame that is not a message of its dialect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Broken<'a> {
    /// What is wrong with it.
    pub fault: ParseFault,
    dialect: &'a Dialect,
    frame: &'a [u8],
}

/// What a MAC covers, and the MAC that came.
#[derive(Clone, PartialEq, Eq)]
pub struct MacScope<'a> {
    /// From the message type to the byte before the MAC.
    pub covered: &'a [u8],
    /// What field 64 or 128 holds.
    pub mac: FieldBytes<'a>,
}

impl<'a> Message<'a> {
    /// Reads a whole frame, without its length and headers.
    pub fn parse(dialect: &'a Dialect, frame: &'a [u8]) -> Result<Self, Broken<'a>> {
        let (message, fault) = Self::read(dialect, frame);
        match (message, fault) {
            (Some(message), None) => Ok(message),
            (_, fault) => Err(Broken { fault: fault.unwrap_or(NO_TYPE), dialect, frame }),
        }
    }

    /// The message type.
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// Which fields are there, 1 not counted.
    pub const fn fields(&self) -> Bitmap {
        self.bitmap
    }

    /// The dialect that it was read in.
    pub const fn dialect(&self) -> &'a Dialect {
        self.dialect
    }

    /// All its bytes.
    pub const fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// Whether field `n` is there.
    pub const fn has(&self, n: u8) -> bool {
        self.bitmap.has(n)
    }

    /// Field `n` as it stands on the wire, without its length.
    pub fn raw(&self, n: u8) -> Option<&'a [u8]> {
        self.placed(n).map(|(_, wire, _)| wire)
    }

    /// Field `n` as text; none if it is not there, or in a character set that only the peer knows.
    pub fn text(&self, n: u8) -> Option<FieldText<'a>> {
        let (def, wire, count) = self.placed(n)?;
        def.text(wire, count)
    }

    /// Field `n` as text, if the dialect says that it consists of digits.
    pub fn digits(&self, n: u8) -> Option<FieldText<'a>> {
        let (def, wire, count) = self.placed(n)?;
        if def.content() == Content::Numeric { def.text(wire, count) } else { None }
    }

    /// Field `n` as a number, if it consists of digits and is one.
    pub fn u64(&self, n: u8) -> Option<u64> {
        self.digits(n)?.parse().ok()
    }

    /// Field `n` as bytes.
    pub fn bytes(&self, n: u8) -> Option<FieldBytes<'a>> {
        let (def, wire, count) = self.placed(n)?;
        Some(def.bytes(wire, count))
    }

    /// Whether field `n` is there and says exactly `text`.
    pub fn is(&self, n: u8, text: &str) -> bool {
        self.text(n).is_some_and(|value| value == text)
    }

    /// What the MAC covers. None where there is none, where fields behind it would go unprotected, or where a fault ended
    /// the message before its end.
    pub fn mac_scope(&self) -> Option<MacScope<'a>> {
        let n = if self.has(128) { 128 } else { 64 };
        if self.promised != self.bitmap || (n == 64 && self.bitmap.is_extended()) {
            return None;
        }
        let (def, wire, count) = self.placed(n)?;
        let begins = usize::from(self.slots.get(usize::from(n))?.at);
        let is_last = begins + wire.len() == self.frame.len();
        let covered = self.frame.get(..begins.checked_sub(def.length_len())?)?;
        is_last.then(|| MacScope { covered, mac: def.bytes(wire, count) })
    }

    /// The definition of field `n`, its bytes on the wire and how much they hold.
    pub(super) fn placed(&self, n: u8) -> Option<(&'a FieldDef, &'a [u8], u16)> {
        if !self.has(n) {
            return None;
        }
        let def = self.dialect.field(n)?;
        let slot = self.slots.get(usize::from(n))?;
        let start = usize::from(slot.at);
        Some((def, self.frame.get(start..start + def.wire_len(slot.count))?, slot.count))
    }

    /// Whatever can be read, and what ended it.
    fn read(dialect: &'a Dialect, frame: &'a [u8]) -> (Option<Self>, Option<ParseFault>) {
        let (mti, bitmap_at) = match read_mti(dialect, frame) {
            Ok(read) => read,
            Err(fault) => return (None, Some(fault)),
        };
        let (promised, bitmap, slots) = (Bitmap::EMPTY, Bitmap::EMPTY, [Slot::default(); 129]);
        let mut message = Self { dialect, frame, mti, promised, bitmap, slots };
        let fault = message.read_fields(bitmap_at).err();
        (Some(message), fault)
    }

    fn read_fields(&mut self, bitmap_at: usize) -> Result<(), ParseFault> {
        let (promised, mut at) = read_bitmaps(self.dialect, self.frame, bitmap_at)?;
        self.promised = promised;
        for n in promised {
            let fault = |(offset, kind)| ParseFault { field: n, offset, kind };
            let def = self.dialect.field(n).ok_or((at, FaultKind::Unknown)).map_err(fault)?;
            let (slot, next) = def.read(self.frame, at).map_err(fault)?;
            if let Some(place) = self.slots.get_mut(usize::from(n)) {
                *place = slot;
            }
            self.bitmap = self.bitmap.with(n);
            at = next;
        }
        if at == self.frame.len() {
            return Ok(());
        }
        let field = promised.last().unwrap_or(1);
        Err(ParseFault { field, offset: at, kind: FaultKind::TrailingBytes })
    }
}

impl<'a> Broken<'a> {
    /// What was read before the fault; none if not even the message type was.
    pub fn read(&self) -> Option<Message<'a>> {
        Message::read(self.dialect, self.frame).0
    }
}

impl fmt::Debug for Broken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broken").field(&self.fault).finish()
    }
}

impl fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for Broken<'_> {}

impl fmt::Debug for MacScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacScope({} bytes)", self.covered.len())
    }
}

/// Message type and field numbers; of the values only those that identify no card, account or secret.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        map.entry(&0, &self.mti);
        for n in self.bitmap {
            match mask::shown(self, n) {
                Some(text) => map.entry(&n, &text),
                None => map.entry(&n, &format_args!("[{} bytes]", self.raw(n).unwrap_or_default().len())),
            };
        }
        map.finish()
    }
}

const NO_TYPE: ParseFault = ParseFault { field: 0, offset: 0, kind: FaultKind::MessageType };

fn read_mti(dialect: &Dialect, frame: &[u8]) -> Result<(Mti, usize), ParseFault> {
    let fault = |offset, kind| ParseFault { field: 0, offset, kind };
    if frame.len() > usize::from(u16::MAX) {
        return Err(fault(usize::from(u16::MAX), FaultKind::FrameTooLong));
    }
    let len = if dialect.head.mti_is_bcd { 2 } else { 4 };
    let wire = frame.get(..len).ok_or(fault(frame.len(), FaultKind::Truncated))?;
    let mti = match wire {
        [first, second] => {
            let ([a, b], [c, d]) = (bcd::hex_pair(*first), bcd::hex_pair(*second));
            Mti::parse(&[a, b, c, d])
        }
        digits => Mti::parse(digits),
    };
    let mti = mti.ok().filter(|mti| mti.version() == dialect.version()).ok_or(NO_TYPE)?;
    Ok((mti, len))
}

/// The fields that are promised, and where the first begins. An empty second map is legal.
fn read_bitmaps(dialect: &Dialect, frame: &[u8], at: usize) -> Result<(Bitmap, usize), ParseFault> {
    let (first, next) = read_bitmap(dialect, frame, at)?;
    if first >> 63 == 0 {
        return Ok((Bitmap::from_bits(u128::from(first) << 64), next));
    }
    if !dialect.head.is_extended {
        return Err(ParseFault { field: 1, offset: at, kind: FaultKind::SecondBitmap });
    }
    let (second, next) = read_bitmap(dialect, frame, next)?;
    Ok((Bitmap::from_bits(u128::from(first) << 64 | u128::from(second)), next))
}

fn read_bitmap(dialect: &Dialect, frame: &[u8], at: usize) -> Result<(u64, usize), ParseFault> {
    let fault = |offset, kind| ParseFault { field: 1, offset, kind };
    let end = at + if dialect.head.bitmap_is_hex { 16 } else { 8 };
    let wire = frame.get(at..end).ok_or(fault(frame.len(), FaultKind::Truncated))?;
    if let Some((bytes, _)) = wire.split_first_chunk::<8>().filter(|(_, rest)| rest.is_empty()) {
        return Ok((u64::from_be_bytes(*bytes), end));
    }
    let mut bits = 0;
    for (inside, character) in wire.iter().enumerate() {
        let nibble = bcd::unhex(*character).ok_or(fault(at + inside, FaultKind::Bitmap))?;
        bits = bits << 4 | u64::from(nibble);
    }
    Ok((bits, end))
}
