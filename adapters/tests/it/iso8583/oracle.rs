//! Profile A against `iso_8583_rs` (0.2.2, MIT or Apache-2.0), a codec that nobody here wrote: the same bytes, the same fields, the same
//! values, both ways, and of damaged bytes nothing is taken that it refuses.
//!
//! Its table is written here from the standard's, not derived from our dialect. Where it is limited, less is asked of it: it knows hexadecimal digits
//! and tracks only as bytes of any kind (so in damaged messages its word counts for lengths there, not for characters), signs only as text, and
//! has no field that may be filled up with blanks (it is given whole ones). It writes fields by their wire's characters, so binary ones as
//! hexadecimal digits. It knows neither packed digits nor binary bitmaps: profiles B and C are pyiso8583's to judge.
use super::{damage, dialect, mti};
use adapters::iso8583::builder::Builder;
use adapters::iso8583::message::Message;
use bytes::BytesMut;
use iso_8583_rs::specfile::{FieldDescription, Spec};
use iso_8583_rs::{Builder as TheirBuilder, CompiledSpec, Error, Message as Theirs};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The standard's table: content, size, and how many digits say the length. `b` counts bytes.
const TABLE: &[(&[u8], Kind)] = &[
    (&[2], var("n", 19, 2)),
    (&[3, 11, 12, 73], fixed("n", 6)),
    (&[4, 5, 6, 82, 83, 84, 85], fixed("n", 12)),
    (&[7, 74, 75, 76, 77, 78, 79, 80, 81], fixed("n", 10)),
    (&[8, 9, 10], fixed("n", 8)),
    (&[13, 14, 15, 16, 17, 18, 71, 72], fixed("n", 4)),
    (&[19, 20, 21, 22, 23, 24, 68, 69, 70], fixed("n", 3)),
    (&[25, 26, 67], fixed("n", 2)),
    (&[27, 66], fixed("n", 1)),
    (&[28, 29, 30, 31], fixed("x", 9)),
    (&[32, 33, 99, 100], var("n", 11, 2)),
    (&[34, 102, 103], var("ans", 28, 2)),
    (&[35], var("z", 37, 2)),
    (&[36], var("ans", 104, 3)),
    (&[37], fixed("ans", 12)),
    (&[38, 93], fixed("ans", 6)),
    (&[39, 92], fixed("ans", 2)),
    (&[40, 49, 50, 51], fixed("ans", 3)),
    (&[41], fixed("ans", 8)),
    (&[42], fixed("ans", 15)),
    (&[43], fixed("ans", 40)),
    (&[44], var("ans", 25, 2)),
    (&[45], var("ans", 76, 2)),
    (&[46, 47, 48, 56, 57, 58, 59, 60, 61, 62, 63], var("ans", 999, 3)),
    (&[52, 64, 128], fixed("b", 8)),
    (&[53, 86, 87, 88, 89], fixed("n", 16)),
    (&[54], var("ans", 120, 3)),
    (&[55], var("b", 499, 3)),
    (&[90], fixed("n", 42)),
    (&[91], fixed("ans", 1)),
    (&[94], fixed("ans", 7)),
    (&[95], fixed("ans", 42)),
    (&[96], fixed("b", 16)),
    (&[97], fixed("x", 17)),
    (&[98], fixed("ans", 25)),
    (&[101], var("ans", 17, 2)),
    (&[104], var("ans", 100, 3)),
    (
        &[
            105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123,
            124, 125, 126, 127,
        ],
        var("ans", 999, 3),
    ),
];
const TYPES: [&str; 10] = ["0100", "0110", "0200", "0210", "0221", "0400", "0421", "0430", "0500", "0800"];

#[derive(Clone, Copy)]
struct Kind {
    content: &'static str,
    size: usize,
    /// None for a fixed size.
    length_digits: usize,
}

const fn fixed(content: &'static str, size: usize) -> Kind {
    Kind { content, size, length_digits: 0 }
}

const fn var(content: &'static str, size: usize, length_digits: usize) -> Kind {
    Kind { content, size, length_digits }
}

impl Kind {
    /// In the oracle's words, which counts characters.
    fn described(self) -> FieldDescription {
        let (content_type, per_unit) = match self.content {
            "b" => ("b", 2),
            "x" => ("an", 1),
            other => (other, 1),
        };
        let len_type = ["fixed", "", "llvar", "lllvar"][self.length_digits];
        FieldDescription {
            content_type: content_type.to_owned(),
            len_type: len_type.to_owned(),
            max_len: self.size * per_unit,
            min_len: 0,
            label: String::new(),
        }
    }

    /// A value of this kind, made of what was drawn, in the characters of the wire.
    fn value(self, drawn: &[u8]) -> String {
        let units = match self.length_digits {
            0 => self.size,
            _ => usize::from(drawn[0]) * 8 % (self.size + 1),
        };
        let (alphabet, characters): (&[u8], usize) = match self.content {
            "n" | "x" => (b"0123456789", units),
            "z" => (b"0123456789=", units),
            "b" => (b"0123456789ABCDEF", units * 2),
            _ => (b"0123456789ABCxyz !\"#~=|,", units),
        };
        let drawn = drawn.iter().cycle().take(characters);
        let mut value: Vec<u8> = drawn.map(|byte| alphabet[usize::from(*byte) % alphabet.len()]).collect();
        if self.content == "x" {
            value[0] = if value[0] > b'4' { b'C' } else { b'D' };
        }
        String::from_utf8(value).unwrap()
    }
}

static KINDS: LazyLock<BTreeMap<u8, Kind>> = LazyLock::new(|| {
    TABLE.iter().flat_map(|(fields, kind)| fields.iter().map(|field| (*field, *kind))).collect()
});
static ORACLE: LazyLock<CompiledSpec> = LazyLock::new(|| oracle(&KINDS));

fn oracle(kinds: &BTreeMap<u8, Kind>) -> CompiledSpec {
    let fields = kinds.iter().map(|(field, kind)| (i64::from(*field), kind.described())).collect();
    CompiledSpec::compile(&Spec { fields }).unwrap()
}

/// A message in the characters of the wire: its type, and its fields.
type Drawn = (&'static str, BTreeMap<u8, String>);

fn drawn() -> impl Strategy<Value = Drawn> {
    let fields = prop::collection::btree_map(2_u8..=128, prop::collection::vec(any::<u8>(), 1..40), 0..40);
    (prop::sample::select(&TYPES[..]), fields).prop_map(|(kind, drawn)| {
        let value = |(n, drawn): (u8, Vec<u8>)| Some((n, KINDS.get(&n)?.value(&drawn)));
        (kind, drawn.into_iter().filter_map(value).collect())
    })
}

fn ours((kind, fields): &Drawn) -> Vec<u8> {
    let mut builder = Builder::new(dialect("iso87-ascii"), mti(kind));
    for (n, value) in fields {
        builder.set(*n, value).unwrap();
    }
    let mut out = BytesMut::new();
    builder.finish(&mut out).unwrap();
    out.to_vec()
}

fn theirs((kind, fields): &Drawn) -> Vec<u8> {
    let mut builder = TheirBuilder::new(&ORACLE, kind.as_bytes()).unwrap();
    for (n, value) in fields {
        builder.set(usize::from(*n), value.as_bytes()).unwrap();
    }
    let mut out = Vec::new();
    builder.pack_into(&mut out);
    out
}

fn read_by_us(frame: &[u8]) -> Option<(String, BTreeMap<u8, String>)> {
    let message = Message::parse(dialect("iso87-ascii"), frame).ok()?;
    let fields = message.fields().iter().map(|n| (n, message.text(n).unwrap().to_string())).collect();
    Some((message.mti().as_str().to_owned(), fields))
}

fn read_by_them(spec: &CompiledSpec, frame: &[u8]) -> Result<(String, BTreeMap<u8, String>), Error> {
    let message = Theirs::parse(spec, frame)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let shown = |(n, value): (usize, &[u8])| {
        let n = u8::try_from(n).unwrap();
        let value = text(value);
        // Either case of hexadecimal digits is the same value.
        (n, if KINDS[&n].content == "b" { value.to_ascii_uppercase() } else { value })
    };
    Ok((text(&message.mti), message.fields().map(shown).collect()))
}

#[test]
fn the_oracle_notices_what_is_wrong() {
    let sale: Drawn = ("0200", BTreeMap::from([(3, "000000".to_owned()), (11, "000001".to_owned())]));
    let (good, (kind, fields)) = (ours(&sale), sale);
    assert_eq!(read_by_them(&ORACLE, &good), Ok((kind.to_owned(), fields)));
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        read_by_them(&ORACLE, &bad)
    };
    let last = good.len() - 1;
    assert_eq!(with(0, b'x'), Err(Error::BadMti));
    assert_eq!(with(4, b'x'), Err(Error::BadHex));
    assert_eq!(with(4, b'3'), Err(Error::TooShort), "a field that is promised and not there");
    assert_eq!(with(last, b'x'), Err(Error::Invalid(11)));
    assert_ne!(with(last, b'2'), read_by_them(&ORACLE, &good), "another value");
    assert_eq!(read_by_them(&ORACLE, &good[..last]), Err(Error::TooShort));
    assert_eq!(read_by_them(&ORACLE, &[&good[..], b"0"].concat()), Err(Error::TrailingBytes));
    let signed = Drawn::from(("0200", BTreeMap::from([(2, "476173900101".to_owned())])));
    let signed = String::from_utf8(ours(&signed)).unwrap().replace("12476", "+2476");
    assert_eq!(read_by_them(&ORACLE, signed.as_bytes()), Err(Error::BadLength(2)), "a length is digits");
}

#[test]
fn the_oracle_notices_a_table_that_is_wrong_in_one_field() {
    for (n, kind) in &*KINDS {
        let other = Kind { size: kind.size - 1, ..*kind };
        let wrong = match kind {
            Kind { length_digits: 0, size: 1, .. } => continue,
            Kind { length_digits: 0 | 2, .. } => other,
            Kind { .. } => Kind { length_digits: 2, size: 49, ..*kind },
        };
        let spec = oracle(&KINDS.iter().map(|(m, kind)| (*m, if m == n { wrong } else { *kind })).collect());
        let full = Kind { length_digits: 0, ..*kind }.value(&[1, 2, 3]);
        let frame = ours(&("0200", BTreeMap::from([(*n, full)])));
        assert!(read_by_them(&ORACLE, &frame).is_ok(), "field {n}");
        assert!(read_by_them(&spec, &frame).is_err(), "field {n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn what_we_write_is_what_the_oracle_writes_and_both_read_it_as_it_was_meant(message in drawn()) {
        let frame = ours(&message);
        prop_assert_eq!(frame.escape_ascii().to_string(), theirs(&message).escape_ascii().to_string());
        let meant = (message.0.to_owned(), message.1);
        prop_assert_eq!(read_by_them(&ORACLE, &frame), Ok(meant.clone()));
        prop_assert_eq!(read_by_us(&frame), Some(meant));
    }

    #[test]
    fn of_damaged_messages_nothing_is_taken_that_the_oracle_refuses_or_reads_otherwise(
        message in drawn(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0x20_u8..0x7f, 0..3), 1..4),
    ) {
        let mut frame = theirs(&message);
        damage(&mut frame, changes);
        if let Some(read) = read_by_us(&frame) {
            prop_assert_eq!(read_by_them(&ORACLE, &frame), Ok(read));
        }
    }
}
