//! What of a message people may see: enough to find a payment, nothing to make one with.
//!
//! Whatever is not known to be harmless is shown by its length alone; of a card's number the first six and last four.
//! Tracks, PIN blocks and expiry dates are never shown. `turnout iso decode` and the lines' page print with this.
use super::message::Message;
use super::tlv;
use std::fmt::{self, Write};

/// A message, one field a line, for people.
pub struct Masked<'m, 'a>(pub &'m Message<'a>);

/// Fields whose values identify no card, account, person or secret. All others are shown by length.
const OPEN: [u8; 33] = [
    3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 22, 23, 24, 25, 26, 32, 33, 37, 38, 39, 41, 42, 49,
    50, 51, 66, 70, 128,
];

/// Tags of field 55 whose values describe the chip's decision, not the card (EMV book 3, annex A).
const OPEN_TAGS: [u32; 27] = [
    0x71, 0x72, 0x82, 0x84, 0x8a, 0x91, 0x95, 0x9a, 0x9c, 0x5f2a, 0x5f34, 0x9f02, 0x9f03, 0x9f06, 0x9f09,
    0x9f10, 0x9f1a, 0x9f1e, 0x9f26, 0x9f27, 0x9f33, 0x9f34, 0x9f35, 0x9f36, 0x9f37, 0x9f41, 0x9f53,
];

/// Whether field `n` may be shown as it is.
pub fn is_open(n: u8) -> bool {
    OPEN.contains(&n)
}

/// A card's number with its first six and last four digits; with none where it is too short for that to hide it.
pub fn pan(digits: &str) -> String {
    let shown = if digits.len() >= 13 { 6..digits.len() - 4 } else { 0..digits.len() };
    digits.char_indices().map(|(at, digit)| if shown.contains(&at) { '*' } else { digit }).collect()
}

impl fmt::Display for Masked<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.0;
        writeln!(f, "{} {}", message.mti(), message.dialect().name())?;
        for n in message.fields() {
            write!(f, "{n:>3}  ")?;
            field(f, message, n)?;
            f.write_char('\n')?;
        }
        Ok(())
    }
}

fn field(f: &mut fmt::Formatter<'_>, message: &Message<'_>, n: u8) -> fmt::Result {
    let text = message.text(n);
    match (n, text) {
        (2, Some(text)) => f.write_str(&pan(&text)),
        (55, _) => chip(f, message.bytes(n).as_deref().unwrap_or_default()),
        (64, Some(text)) => f.write_str(&text),
        (_, Some(text)) if is_open(n) => write!(f, "{:?}", &*text),
        _ => write!(f, "[{} bytes]", message.raw(n).unwrap_or_default().len()),
    }
}

fn chip(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let Ok(items) = tlv::parse(bytes) else { return write!(f, "[{} bytes, not TLV]", bytes.len()) };
    for (at, item) in items.iter().enumerate() {
        f.write_str(if at > 0 { " " } else { "" })?;
        write!(f, "{}=", item.tag())?;
        if OPEN_TAGS.contains(&item.tag().number()) {
            item.value().iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        } else {
            write!(f, "[{}]", item.value().len())?;
        }
    }
    Ok(())
}
