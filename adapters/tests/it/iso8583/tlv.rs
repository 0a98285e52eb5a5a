//! Field 55: order, duplicates and unknown tags kept; the lengths that broke other parsers refused on every path.
use super::unhex;
use adapters::iso8583::tlv::{self, Tag, TlvFaultKind};

/// The public UnionPay sale's tags, shortened.
const CHIP: &str =
    "9F2608000000000000000095050000000000 9A03261122 9F3303E0F8C8 8407A0000003330101 DF810C0102";

fn kind(hex: &str) -> TlvFaultKind {
    tlv::parse(&unhex(hex)).unwrap_err().kind
}

#[test]
fn items_are_read_in_order_and_written_byte_for_byte() {
    let bytes = unhex(CHIP);
    let items = tlv::parse(&bytes).unwrap();
    let tags: Vec<String> = items.iter().map(|item| item.tag().to_string()).collect();
    assert_eq!(tags, ["9F26", "95", "9A", "9F33", "84", "DF810C"]);
    assert_eq!(items.iter().flat_map(tlv::Tlv::raw).copied().collect::<Vec<u8>>(), bytes);
    let mut written = Vec::new();
    for item in &items {
        tlv::put(&mut written, item.tag(), item.value()).unwrap();
    }
    assert_eq!(written, bytes);
    assert_eq!(tlv::find(&items, 0x9a), Some(&unhex("261122")[..]));
    assert_eq!(tlv::find(&items, 0x9b), None);
}

#[test]
fn duplicates_and_lengths_that_are_longer_than_needed_are_kept() {
    let bytes = unhex("71021111 71022222 8A8102303082000181");
    let items = tlv::parse(&bytes[..13]).unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!((items[0].value(), items[1].value()), (&[0x11, 0x11][..], &[0x22, 0x22][..]));
    assert_eq!(items[2].raw(), unhex("8A81023030"));
    assert!(items[0].tag().is_constructed() && !items[2].tag().is_constructed());
}

#[test]
fn a_length_above_what_is_there_is_refused_whatever_the_tag() {
    for tag in ["95", "9F26", "DF810C", "C1", "FF7F"] {
        for length in ["02AA", "7FAA", "8102AA", "81FFAA", "820002AA", "82FFFFAA"] {
            assert_eq!(kind(&format!("{tag}{length}")), TlvFaultKind::Truncated, "{tag} {length}");
        }
    }
}

#[test]
fn lengths_of_eight_bytes_and_without_end_are_refused() {
    for length in ["80", "83000001AA", "84FFFFFFFF", "888000000000000000", "FF"] {
        assert_eq!(kind(&format!("DF01{length}")), TlvFaultKind::Length);
    }
}

#[test]
fn a_tag_has_one_to_three_bytes_and_is_not_nothing() {
    assert_eq!(kind("0000"), TlvFaultKind::Tag);
    assert_eq!(kind("9F8181010100"), TlvFaultKind::Tag);
    for cut in ["9F", "DF81", "95", "9F26", "DF810C", "9F2681", "9F268200"] {
        assert_eq!(kind(cut), TlvFaultKind::Truncated, "{cut}");
    }
    for (number, spelt) in
        [(0x95, true), (0x9f26, true), (0xdf_810c, true), (0x9f, false), (0x9526, false), (0, false)]
    {
        assert_eq!(Tag::new(number).is_some_and(|tag| tag.number() == number), spelt, "{number:x}");
    }
}

#[test]
fn every_truncation_is_an_error_or_ends_between_two_items() {
    let bytes = unhex(CHIP);
    let ends: Vec<usize> = tlv::parse(&bytes)
        .unwrap()
        .iter()
        .scan(0, |end, item| {
            *end += item.raw().len();
            Some(*end)
        })
        .collect();
    for end in 1..bytes.len() {
        assert_eq!(tlv::parse(&bytes[..end]).is_ok(), ends.contains(&end), "cut at {end}");
    }
    assert_eq!(tlv::parse(b"").unwrap(), []);
}

#[test]
fn a_value_is_written_with_the_shortest_length_that_says_it() {
    let tag = Tag::new(0x72).unwrap();
    for (len, head) in [(0, "7200"), (127, "727F"), (128, "728180"), (255, "7281FF"), (256, "72820100")] {
        let mut out = Vec::new();
        tlv::put(&mut out, tag, &vec![7; len]).unwrap();
        assert!(out.starts_with(&unhex(head)));
        assert_eq!(tlv::parse(&out).unwrap()[0].value().len(), len);
    }
    assert!(tlv::put(&mut Vec::new(), tag, &vec![0; 65536]).is_err());
    assert_eq!(tlv::parse(&vec![0x95; 10_000]).unwrap_err().kind, TlvFaultKind::TooLong);
}
