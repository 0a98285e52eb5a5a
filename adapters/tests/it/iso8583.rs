//! The codec: against messages that independent codecs agree on, against every evil that broke another, and against
//! itself. For what no vector says, `oracle` asks another codec about profile A and `tests/iso_differential.py` pyiso8583 about all.
mod dialects;
mod hostile;
mod ksn;
mod messages;
mod oracle;
mod round_trips;
mod shown;
mod tlv;
mod vectors;

use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::{Dialect, Overrides};
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use bytes::BytesMut;
use proptest::sample::Index;

/// A test card, which no bank issued.
pub(super) const PAN: &str = "4761739001010119";

pub(super) fn dialect(name: &str) -> &'static Dialect {
    Dialect::named(name).unwrap()
}

pub(super) fn mti(digits: &str) -> Mti {
    digits.parse().unwrap()
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

pub(super) fn built(dialect: &Dialect, kind: &str, fields: &[(u8, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(dialect, mti(kind));
    for (n, text) in fields {
        builder.set(*n, text).unwrap();
    }
    let mut out = BytesMut::new();
    builder.finish(&mut out).unwrap();
    out.to_vec()
}

pub(super) fn overrides(changes: &[(&str, &str)]) -> Overrides {
    changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Changes bytes of a frame, takes some out and puts some in.
pub(super) fn damage(frame: &mut Vec<u8>, changes: Vec<(Index, u8, i32)>) {
    for (at, byte, change) in changes {
        let at = at.index(frame.len());
        match change {
            0 => frame[at] = byte,
            1 => drop(frame.remove(at)),
            _ => frame.insert(at, byte),
        }
    }
}

/// Every field with its value, as bytes.
pub(super) fn contents(message: &Message<'_>) -> Vec<(u8, Vec<u8>)> {
    message.fields().iter().map(|n| (n, message.bytes(n).unwrap().to_vec())).collect()
}

/// What was read, written once more by value and read again.
pub(super) fn again(dialect: &Dialect, message: &Message<'_>) -> Vec<u8> {
    let mut builder = Builder::new(dialect, message.mti());
    for (n, bytes) in contents(message) {
        builder.set_bytes(n, &bytes).unwrap();
    }
    let mut out = BytesMut::new();
    builder.finish(&mut out).unwrap();
    out.to_vec()
}
