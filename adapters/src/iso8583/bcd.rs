//! Digits two to a byte, and hexadecimal: the arithmetic, without any opinion on fields.
//!
//! A nibble above 9 is not a digit; what `D` and `F` may mean is said by the field, in `value` and `field`.

/// The two nibbles of a byte, the first on the wire first.
pub(super) const fn nibbles(byte: u8) -> (u8, u8) {
    (byte >> 4, byte & 0x0f)
}

/// The nibbles of `bytes`, the first on the wire first.
pub(super) fn each_nibble(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u8> + '_ {
    bytes.iter().flat_map(|byte| {
        let (high, low) = nibbles(*byte);
        [high, low]
    })
}

/// Whether both nibbles are digits.
pub(super) const fn is_bcd(byte: u8) -> bool {
    let (high, low) = nibbles(byte);
    high <= 9 && low <= 9
}

/// A byte's number as two digits, if it is one.
pub(super) const fn two_digits(byte: u8) -> Option<u16> {
    if is_bcd(byte) { Some(widened(byte >> 4) * 10 + widened(byte & 0x0f)) } else { None }
}

/// A hexadecimal character's value, in either case.
pub(super) const fn unhex(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

/// Two characters' byte.
pub(super) const fn unhex_pair(high: u8, low: u8) -> Option<u8> {
    match (unhex(high), unhex(low)) {
        (Some(high), Some(low)) => Some(high << 4 | low),
        _ => None,
    }
}

/// A nibble's character, in upper case.
pub(super) const fn hex(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        10..=15 => b'A' + (nibble - 10),
        _ => b'?',
    }
}

/// A byte's two characters, in upper case.
pub(super) const fn hex_pair(byte: u8) -> [u8; 2] {
    let (high, low) = nibbles(byte);
    [hex(high), hex(low)]
}

/// `u16::from` is not const.
const fn widened(byte: u8) -> u16 {
    u16::from_le_bytes([byte, 0])
}
