//! A field's value as people count it: digits without their padding, bytes without their hexadecimal.
//!
//! A value that stands in the frame as it is meant is borrowed; one that has to be unpacked is held in place up to
//! [`INLINE`] bytes, and only the long private fields of a packed dialect take memory. `Debug` shows a length.
use super::bcd::{each_nibble, hex, hex_pair, unhex_pair};
use super::field::{Content, FieldDef, Form, SEPARATOR, is_separator};
use std::fmt;
use std::ops::Deref;

/// The longest value that is unpacked without an allocation.
pub const INLINE: usize = 64;

/// A field as text: digits for `n`, with `=` for a track's separator, upper-case hexadecimal for `b`.
#[derive(Clone)]
pub struct FieldText<'a>(Held<'a>);

/// A field as bytes: what `b` holds; of any other, the characters of its text.
#[derive(Clone)]
pub struct FieldBytes<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    Borrowed(&'a [u8]),
    Inline { bytes: [u8; INLINE], len: usize },
    Owned(Vec<u8>),
}

impl Deref for FieldText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.0.bytes()).unwrap_or_default()
    }
}

impl Deref for FieldBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl AsRef<str> for FieldText<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for FieldBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq<str> for FieldText<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0.bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for FieldText<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0.bytes() == other.as_bytes()
    }
}

impl PartialEq for FieldText<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes() == other.0.bytes()
    }
}

impl Eq for FieldText<'_> {}

impl PartialEq for FieldBytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes() == other.0.bytes()
    }
}

impl Eq for FieldBytes<'_> {}

impl fmt::Display for FieldText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for FieldText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} characters]", self.0.bytes().len())
    }
}

impl fmt::Debug for FieldBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.bytes().len())
    }
}

impl Held<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Inline { bytes, len } => bytes.get(..*len).unwrap_or_default(),
            Self::Owned(bytes) => bytes,
        }
    }

    fn of(len: usize, unpacked: impl Iterator<Item = u8>) -> Self {
        if len > INLINE {
            return Self::Owned(unpacked.take(len).collect());
        }
        let mut bytes = [0; INLINE];
        let mut filled = 0;
        for (place, byte) in bytes.iter_mut().zip(unpacked.take(len)) {
            *place = byte;
            filled += 1;
        }
        Self::Inline { bytes, len: filled }
    }
}

impl FieldDef {
    /// The value that stands in `wire`, as text; none if its bytes are not text.
    pub(super) fn text<'a>(&self, wire: &'a [u8], count: u16) -> Option<FieldText<'a>> {
        let len = usize::from(count);
        let held = match (self.form, self.content) {
            (Form::Bcd(_), _) => self.unpacked(wire, count),
            (Form::Plain, Content::Any) => {
                Content::Text.check(wire).ok()?;
                Held::Borrowed(wire)
            }
            (Form::Plain, Content::Bytes) => Held::of(len * 2, wire.iter().flat_map(|byte| hex_pair(*byte))),
            (Form::Plain, Content::Track) => with_one_separator(wire),
            (Form::Hex, _) if wire.iter().any(u8::is_ascii_lowercase) => {
                Held::of(len * 2, wire.iter().map(u8::to_ascii_uppercase))
            }
            (Form::Plain | Form::Hex, _) => Held::Borrowed(wire),
        };
        Some(FieldText(held))
    }

    /// The value that stands in `wire`, as bytes.
    pub(super) fn bytes<'a>(&self, wire: &'a [u8], count: u16) -> FieldBytes<'a> {
        FieldBytes(match (self.form, self.content) {
            (Form::Bcd(_), _) => self.unpacked(wire, count),
            (Form::Plain, Content::Track) => with_one_separator(wire),
            (Form::Plain, _) => Held::Borrowed(wire),
            (Form::Hex, _) => {
                let (pairs, _) = wire.as_chunks::<2>();
                let bytes = pairs.iter().map(|[high, low]| unhex_pair(*high, *low).unwrap_or(0));
                Held::of(usize::from(count), bytes)
            }
        })
    }

    fn unpacked<'a>(&self, wire: &'a [u8], count: u16) -> Held<'a> {
        let (sign, digits) = match wire.split_at_checked(1) {
            Some((sign, digits)) if self.content == Content::Signed => (sign, digits),
            _ => (&[][..], wire),
        };
        let is_odd = (usize::from(count) - sign.len().min(usize::from(count))) % 2 == 1;
        let skipped = usize::from(is_odd && matches!(self.form, Form::Bcd(pad) if pad.is_left()));
        let characters = each_nibble(digits).skip(skipped).map(|nibble| match nibble {
            SEPARATOR => b'=',
            digit => hex(digit),
        });
        Held::of(usize::from(count), sign.iter().copied().chain(characters))
    }
}

/// A track's characters, where `D` separates as `=` does.
fn with_one_separator(wire: &[u8]) -> Held<'_> {
    if !wire.contains(&b'D') {
        return Held::Borrowed(wire);
    }
    Held::of(wire.len(), wire.iter().map(|byte| if is_separator(*byte) { b'=' } else { *byte }))
}
