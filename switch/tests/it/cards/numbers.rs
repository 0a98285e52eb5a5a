//! The search for card numbers that nobody planted: digits of the right count with the right check digit.
//!
//! It knows no card. What looks like one and is not is named in `is_something_else`, and nothing more may be.
use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

const COUNTS: std::ops::RangeInclusive<usize> = 13..=19;
/// A text in hexadecimal digits that holds a card number has at least so many.
const DUMP: usize = 26;
/// When the test runs, give or take: what the switch wrote, it wrote within this.
const LATELY: Duration = Duration::from_hours(24);

/// The card numbers in these bytes: in ASCII, UTF-16, and in dumps of ASCII; packed digits in a dump read as themselves.
pub fn card_numbers(bytes: &[u8]) -> BTreeSet<String> {
    let narrow: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let mut found = written(bytes);
    found.extend(written(&narrow));
    for dump in runs(bytes, u8::is_ascii_hexdigit).map(|(_, dump)| dump).filter(|dump| dump.len() >= DUMP) {
        // The dump may begin with the second digit of a byte.
        found.extend([dump, &dump[1..]].into_iter().flat_map(|dump| written(&undumped(dump))));
    }
    found
}

fn written(bytes: &[u8]) -> BTreeSet<String> {
    let grouped = groups_of_four(bytes);
    let alone = runs(bytes, u8::is_ascii_digit)
        .filter(|(at, digits)| !is_something_else(&bytes[..*at], digits))
        .map(|(_, digits)| String::from_utf8_lossy(digits).into_owned());
    alone.chain(grouped).filter(|digits| is_card_number(digits)).collect()
}

/// 13 to 19 digits of which the last is right (ISO/IEC 7812-1, annex B). All zeros are no card's.
fn is_card_number(digits: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|digit| digit.to_digit(10))
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { doubled(digit) } else { digit })
        .sum();
    COUNTS.contains(&digits.len()) && sum.is_multiple_of(10) && sum > 0
}

/// Two things only: the time of this very day, since 1970 in milli-, micro- or nanoseconds; and digits behind the point of
/// a fraction (`0.0132…` in metrics). Each would pass the check digit once in ten runs.
fn is_something_else(before: &[u8], digits: &[u8]) -> bool {
    let is_fraction = matches!(before, [.., digit, b'.'] if digit.is_ascii_digit());
    let number: u64 = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let time = match digits.len() {
        13 => Duration::from_millis(number),
        16 => Duration::from_micros(number),
        19 => Duration::from_nanos(number),
        _ => Duration::ZERO,
    };
    is_fraction || UNIX_EPOCH.elapsed().unwrap().abs_diff(time) < LATELY
}

/// As people write card numbers: four groups of four, with a blank or a dash between.
fn groups_of_four(bytes: &[u8]) -> Vec<String> {
    let is_grouped = |window: &&[u8]| {
        window.iter().enumerate().all(|(at, byte)| match at % 5 {
            4 => matches!(byte, b' ' | b'-'),
            _ => byte.is_ascii_digit(),
        })
    };
    let digits = |window: &[u8]| {
        window.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect()
    };
    bytes.windows(19).filter(is_grouped).map(digits).collect()
}

/// The longest runs of such bytes, and where they begin.
fn runs(bytes: &[u8], belongs: fn(&u8) -> bool) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(belongs)?;
        let length = bytes[start..].iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len() - start);
        at = start + length;
        Some((start, &bytes[start..at]))
    })
}

fn undumped(dump: &[u8]) -> Vec<u8> {
    let nibble = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    dump.chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}
