//! Fifteen messages of profiles A, B and C that up to four independent codecs agree on, to the byte both ways.
//!
//! Where iso8583sim packs otherwise, its bytes are those of the same dialect with a link's overrides; where a client
//! always sends a second bitmap, empty, the message is the same. Profile D's are built from the specification's table.
use super::{built, contents, dialect, overrides, unhex};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(super) struct Vector {
    pub(super) dialect: String,
    pub(super) mti: String,
    pub(super) hex: String,
    pub(super) fields: BTreeMap<u8, String>,
    pub(super) with_an_empty_second_bitmap: Option<String>,
    pub(super) as_iso8583sim: Option<String>,
}

pub(super) fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../vectors/iso8583_messages.json")).unwrap()
}

/// What a link to iso8583sim's host overrides.
pub(super) fn as_iso8583sim() -> Dialect {
    let changes = [
        ("39", "n 2"),
        ("49", "n 3"),
        ("50", "n 3"),
        ("51", "n 3"),
        ("92", "n 2"),
        ("pad_variable", "left 0"),
    ];
    dialect("iso87-bcd").with_overrides(&overrides(&changes)).unwrap()
}

impl Vector {
    /// A track's separator is `=` to us, in whichever way the vector's author spelt it.
    fn expected(&self) -> Vec<(u8, String)> {
        let spelt = |n: u8, text: &str| if n == 35 { text.replace('D', "=") } else { text.to_owned() };
        self.fields.iter().map(|(n, text)| (*n, spelt(*n, text))).collect()
    }

    fn is_read_from(&self, dialect: &Dialect, frame: &[u8]) {
        let message = Message::parse(dialect, frame).unwrap();
        assert_eq!(message.mti().as_str(), self.mti);
        let read: Vec<(u8, String)> =
            message.fields().iter().map(|n| (n, message.text(n).unwrap().to_string())).collect();
        assert_eq!(read, self.expected());
    }

    fn is_written_as(&self, dialect: &Dialect, frame: &[u8]) {
        let fields: Vec<(u8, &str)> = self.fields.iter().map(|(n, text)| (*n, text.as_str())).collect();
        assert_eq!(built(dialect, &self.mti, &fields), frame);
    }
}

#[test]
fn what_independent_codecs_agree_on_is_read_and_written_to_the_byte() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 15);
    for vector in vectors {
        let (dialect, frame) = (dialect(&vector.dialect), unhex(&vector.hex));
        vector.is_read_from(dialect, &frame);
        vector.is_written_as(dialect, &frame);
    }
}

#[test]
fn a_second_bitmap_that_is_empty_changes_nothing() {
    let all: Vec<Vector> =
        vectors().into_iter().filter(|vector| vector.with_an_empty_second_bitmap.is_some()).collect();
    assert_eq!(all.len(), 2);
    for vector in all {
        let frame = unhex(vector.with_an_empty_second_bitmap.as_ref().unwrap());
        assert_ne!(frame, unhex(&vector.hex));
        vector.is_read_from(dialect(&vector.dialect), &frame);
    }
}

#[test]
fn a_host_that_packs_otherwise_is_met_by_overrides() {
    let (dialect, mut met) = (as_iso8583sim(), 0);
    for vector in vectors() {
        let Some(hex) = &vector.as_iso8583sim else { continue };
        met += 1;
        vector.is_read_from(&dialect, &unhex(hex));
        vector.is_written_as(&dialect, &unhex(hex));
    }
    assert_eq!(met, 4);
}

#[test]
fn lower_case_hexadecimal_is_read_and_upper_case_written() {
    for vector in vectors().iter().filter(|vector| vector.dialect == "iso87-ascii") {
        let mut frame = unhex(&vector.hex);
        frame[4..20].make_ascii_lowercase();
        vector.is_read_from(dialect("iso87-ascii"), &frame);
        let mac = frame.len() - 16;
        frame[mac..].make_ascii_lowercase();
        vector.is_read_from(dialect("iso87-ascii"), &frame);
    }
}

#[test]
fn a_unionpay_sale_is_what_its_table_says() {
    let fields = [
        (2, "4761739001010119"),
        (3, "000000"),
        (4, "000000012345"),
        (11, "000123"),
        (14, "2712"),
        (22, "071"),
        (23, "001"),
        (25, "00"),
        (35, "4761739001010119=27122011758928889"),
        (41, "TERM0001"),
        (42, "MERCHANT0000001"),
        (49, "156"),
        (52, "7434F67813BAE545"),
        (53, "2600000000000000"),
        (55, "9F36020001"),
        (60, "22000001003"),
        (64, "3833353930414243"),
    ];
    let frame = unhex(
        "0200 7024068020c09a11 164761739001010119 000000 000000012345 000123 2712 0710 0001 00 \
         34 4761739001010119d27122011758928889 5445524d30303031 4d45524348414e5430303030303031 313536 \
         7434f67813bae545 2600000000000000 0005 9f36020001 0011 220000010030 3833353930414243",
    );
    assert_eq!(built(dialect("cup-pos"), "0200", &fields), frame);
    let message = Message::parse(dialect("cup-pos"), &frame).unwrap();
    for (n, text) in fields {
        assert_eq!(&*message.text(n).unwrap(), text, "field {n}");
    }
}

#[test]
fn a_unionpay_void_names_its_original_and_a_sign_on_brings_keys() {
    let void =
        [(3, "200000"), (11, "000124"), (25, "00"), (60, "23000001"), (61, "0000010001230"), (63, "CUP")];
    let frame = built(dialect("cup-pos"), "0200", &void);
    assert!(frame.ends_with(&unhex("0008 23000001 0013 00000100012300 0003 435550")), "{frame:02x?}");
    let frame = [unhex("0810 0020000000800004 000001 5445524d30303031 0024"), vec![0xfe; 24]].concat();
    let message = Message::parse(dialect("cup-pos"), &frame).unwrap();
    assert_eq!(message.bytes(62).unwrap()[..], [0xfe; 24]);
    assert_eq!(message.text(62), None, "what is not text is not printed as if it were");
    assert_eq!(contents(&message).len(), 3);
}

#[test]
fn a_name_in_the_terminals_own_characters_is_bytes() {
    let gbk = unhex("b3c9b9a6");
    let mut builder = adapters::iso8583::builder::Builder::new(dialect("cup-pos"), super::mti("0210"));
    builder.set_bytes(44, &gbk).unwrap();
    let mut out = bytes::BytesMut::new();
    builder.finish(&mut out).unwrap();
    let message = Message::parse(dialect("cup-pos"), &out).unwrap();
    assert_eq!(message.raw(44), Some(&gbk[..]));
    assert_eq!(message.text(44), None);
}

#[test]
fn a_1993_message_has_its_own_fields() {
    let fields = [
        (2, "4012345678909"),
        (4, "000000012345"),
        (12, "261122101530"),
        (22, "510101511344"),
        (24, "200"),
        (39, "000"),
        (56, "1200000123261122101530"),
    ];
    let ascii = built(dialect("iso93-ascii"), "1210", &fields);
    let expected = "12105010050002000100134012345678909000000012345261122101530510101511344200000221200000123261122101530";
    assert_eq!(String::from_utf8(ascii.clone()).unwrap(), expected);
    let packed = built(dialect("iso93-bcd"), "1210", &fields);
    assert_eq!(
        packed,
        unhex(
            "1210 5010050002000100 13 40123456789090 000000012345 261122101530 353130313031353131333434 0200 0000 \
             22 1200000123261122101530"
        )
    );
    for (name, frame) in [("iso93-ascii", ascii), ("iso93-bcd", packed)] {
        let message = Message::parse(dialect(name), &frame).unwrap();
        assert!(fields.iter().all(|(n, text)| message.is(*n, text)));
    }
}
