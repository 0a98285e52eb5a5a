//! BER-TLV as field 55 carries it: in order, duplicates kept, what is unknown passed on byte for byte.
//!
//! Tags of one to three bytes, lengths short, `81` and `82`; nothing longer, nothing indefinite, and on every path no
//! length above what is there. What a tag means is not known here; a template's value can be parsed once more.
use std::fmt;

/// The most bytes that are taken for TLV: more than any field can hold.
pub const LONGEST: usize = 9999;

/// A tag: the number that its one to three bytes make.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    number: u32,
    bytes: u8,
}

/// One item, over the bytes that it was read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    tag: Tag,
    value: &'a [u8],
    raw: &'a [u8],
}

/// What is wrong with TLV bytes, and at which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TLV at byte {offset}: {kind}")]
pub struct TlvFault {
    /// The byte, from 0.
    pub offset: usize,
    /// What is wrong.
    pub kind: TlvFaultKind,
}

/// What is wrong with TLV bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlvFaultKind {
    /// The bytes end inside an item.
    #[error("the bytes end inside an item")]
    Truncated,
    /// `00`, or a tag above three bytes.
    #[error("not a tag of one to three bytes")]
    Tag,
    /// An indefinite length, or one above two bytes.
    #[error("a length that is not short, 81 or 82")]
    Length,
    /// More bytes than any field holds.
    #[error("more than {LONGEST} bytes")]
    TooLong,
}

impl Tag {
    /// Of a tag's number, such as `0x9f26`; none if no tag is spelt so.
    pub fn new(number: u32) -> Option<Self> {
        let bytes = number.to_be_bytes();
        let spelt = bytes.get(bytes.iter().position(|byte| *byte != 0)?..)?;
        let (tag, rest) = read_tag(spelt).ok()?;
        rest.is_empty().then_some(tag)
    }

    /// The number that its bytes make.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Whether its value is made of items.
    pub fn is_constructed(self) -> bool {
        self.spelt().first().is_some_and(|first| first & 0x20 != 0)
    }

    fn spelt(self) -> Vec<u8> {
        self.number.to_be_bytes().into_iter().skip(4 - usize::from(self.bytes)).collect()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$X}", self.number, width = usize::from(self.bytes) * 2)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Tlv<'a> {
    /// Its tag.
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// Its value.
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// All of it, as it was written.
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{} bytes]", self.tag, self.value.len())
    }
}

/// All items, in order.
pub fn parse(bytes: &[u8]) -> Result<Vec<Tlv<'_>>, TlvFault> {
    if bytes.len() > LONGEST {
        return Err(TlvFault { offset: LONGEST, kind: TlvFaultKind::TooLong });
    }
    let mut items = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let (item, next) = item(rest).map_err(|kind| TlvFault { offset, kind })?;
        items.push(item);
        rest = next;
    }
    Ok(items)
}

/// The first item with `tag`.
pub fn find<'a>(items: &[Tlv<'a>], tag: u32) -> Option<&'a [u8]> {
    items.iter().find(|item| item.tag.number == tag).map(Tlv::value)
}

/// Appends an item with the shortest length; refused above 65,535 bytes.
pub fn put(out: &mut Vec<u8>, tag: Tag, value: &[u8]) -> Result<(), TlvFault> {
    let length = u16::try_from(value.len())
        .map_err(|_| TlvFault { offset: out.len(), kind: TlvFaultKind::Length })?
        .to_be_bytes();
    out.extend(tag.spelt());
    match length {
        [0, short @ 0..=0x7f] => out.push(short),
        [0, one] => out.extend([0x81, one]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(value);
    Ok(())
}

fn item(bytes: &[u8]) -> Result<(Tlv<'_>, &[u8]), TlvFaultKind> {
    let (tag, rest) = read_tag(bytes)?;
    let (length, rest) = read_length(rest)?;
    let (value, rest) = rest.split_at_checked(length).ok_or(TlvFaultKind::Truncated)?;
    let raw = bytes.get(..bytes.len() - rest.len()).ok_or(TlvFaultKind::Truncated)?;
    Ok((Tlv { tag, value, raw }, rest))
}

fn read_tag(bytes: &[u8]) -> Result<(Tag, &[u8]), TlvFaultKind> {
    let tag = |spelt: &[u8]| Tag {
        number: spelt.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)),
        bytes: u8::try_from(spelt.len()).unwrap_or(0),
    };
    match bytes {
        [0, ..] => Err(TlvFaultKind::Tag),
        [first, rest @ ..] if first & 0x1f != 0x1f => Ok((tag(&[*first]), rest)),
        [first, second, rest @ ..] if second & 0x80 == 0 => Ok((tag(&[*first, *second]), rest)),
        [first, second, third, rest @ ..] if third & 0x80 == 0 => Ok((tag(&[*first, *second, *third]), rest)),
        [_, _, _, ..] => Err(TlvFaultKind::Tag),
        _ => Err(TlvFaultKind::Truncated),
    }
}

fn read_length(bytes: &[u8]) -> Result<(usize, &[u8]), TlvFaultKind> {
    match bytes {
        [] | [0x81 | 0x82] | [0x82, _] => Err(TlvFaultKind::Truncated),
        [0x81, length, rest @ ..] | [length @ 0..=0x7f, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => Err(TlvFaultKind::Length),
    }
}
