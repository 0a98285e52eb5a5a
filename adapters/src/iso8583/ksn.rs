//! Where a message says with which of its keys a DUKPT terminal made it: an item of BER-TLV in a private field.
//!
//! Field 53 of 1987 has no room for a KSN, so it travels in field 48 or 63; which, and under which tag, is each terminal maker's
//! choice. The field holds bytes where a link's overrides say so, else the same as hexadecimal digits. Both fields stand before the MAC.
use super::fields as field;
use super::message::Message;
use super::tlv::{self, Tag};
use actors::ports::security_module::Ksn;
use std::fmt::Write;

/// A field and a tag in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KsnPlace {
    field: u8,
    tag: Tag,
}

impl KsnPlace {
    /// The fields that it may be in.
    pub const FIELDS: [u8; 2] = [field::ADDITIONAL, field::PRIVATE_63];

    /// This field, under the tag with these hexadecimal digits; none if there can be no KSN.
    pub fn new(field: u8, tag: &str) -> Option<Self> {
        let number = u32::from_str_radix(tag, 16).ok().filter(|_| tag.bytes().all(|b| b.is_ascii_hexdigit()));
        let tag = Tag::new(number?)?;
        Self::FIELDS.contains(&field).then_some(Self { field, tag })
    }

    /// What a message says there.
    pub fn read(&self, message: &Message<'_>) -> Option<Ksn> {
        // Of a field of bytes the text is its hexadecimal digits.
        let bytes = unhex(&message.text(self.field)?)?;
        let items = tlv::parse(&bytes).ok()?;
        let mut named = items.iter().filter(|item| item.tag() == self.tag);
        let (first, second) = (named.next(), named.next());
        // Two of them would leave open which is meant.
        first.filter(|_| second.is_none()).and_then(|item| Ksn::new(item.value()))
    }

    /// What a terminal writes there, as hexadecimal digits.
    pub fn written(&self, ksn: &[u8]) -> String {
        let mut text = format!("{}{:02X}", self.tag, ksn.len());
        for byte in ksn {
            write!(text, "{byte:02X}").unwrap_or_default();
        }
        text
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    bytes.collect::<Option<Vec<u8>>>().filter(|_| odd.is_empty())
}
