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
const OPEN: [u8; 34] = [
    3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 22, 23, 24, 25, 26, 32, 33, 37, 38, 39, 41, 42, 49,
    50, 51, 64, 66, 70, 128,
];

/// Tags of field 55 whose values describe the chip's decision, not the card (EMV book 3, annex A).
const OPEN_TAGS: [u32; 27] = [
    0x71, 0x72, 0x82, 0x84, 0x8a, 0x91, 0x95, 0x9a, 0x9c, 0x5f2a, 0x5f34, 0x9f02, 0x9f03, 0x9f06, 0x9f09,
    0x9f10, 0x9f1a, 0x9f1e, 0x9f26, 0x9f27, 0x9f33, 0x9f34, 0x9f35, 0x9f36, 0x9f37, 0x9f41, 0x9f53,
];

/// A card's number with its first six and last four digits; with none where it is too short for that to hide it.
pub fn pan(digits: &str) -> String {
    let hidden = if digits.len() >= 13 { 6..digits.len() - 4 } else { 0..digits.len() };
    digits.char_indices().map(|(at, digit)| if hidden.contains(&at) { '*' } else { digit }).collect()
}

/// Field `n`, if it may be shown to anybody: it is one that identifies nobody, and no card's number was put into it.
pub(super) fn shown(message: &Message<'_>, n: u8) -> Option<String> {
    let text = message.text(n).filter(|_| OPEN.contains(&n))?;
    Some(if may_be_pan(text.trim()) { pan(text.trim()) } else { text.to_string() })
}

/// 13 to 19 digits with a right check digit (ISO/IEC 7812-1, annex B).
fn may_be_pan(text: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = text.chars().rev().map(|character| character.to_digit(10));
    let sum = digits
        .enumerate()
        .try_fold(0, |sum, (at, digit)| Some(sum + if at % 2 == 1 { doubled(digit?) } else { digit? }));
    (13..=19).contains(&text.len()) && sum.is_some_and(|sum| sum % 10 == 0)
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
    match n {
        2 => f.write_str(&pan(message.text(n).as_deref().unwrap_or_default())),
        55 => chip(f, message.bytes(n).as_deref().unwrap_or_default()),
        90 => original(f, message.text(n).as_deref().unwrap_or_default()),
        _ => match shown(message, n) {
            Some(text) => write!(f, "{text:?}"),
            None => write!(f, "[{} bytes]", message.raw(n).unwrap_or_default().len()),
        },
    }
}

/// Message type, trace number and time of the original; the two institutions are left out.
fn original(f: &mut fmt::Formatter<'_>, elements: &str) -> fmt::Result {
    match (elements.get(..4), elements.get(4..10), elements.get(10..20)) {
        (Some(mti), Some(stan), Some(time)) => write!(f, "{mti} {stan} {time} [22]"),
        _ => write!(f, "[{} characters]", elements.len()),
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
