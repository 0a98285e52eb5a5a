//! Where a KSN is looked for, and what is none.
use super::{built, dialect, overrides};
use actors::ports::security_module::Ksn;
use adapters::iso8583::builder::Builder;
use adapters::iso8583::ksn::KsnPlace;
use adapters::iso8583::message::Message;
use bytes::BytesMut;

const KSN: [u8; 10] = [0xff, 0xff, 0x98, 0x76, 0x54, 0x32, 0x10, 0xe0, 0, 1];

#[test]
fn a_ksn_is_found_among_other_items_as_digits_and_as_bytes() {
    let place = KsnPlace::new(63, "C0").unwrap();
    let item = place.written(&KSN);
    assert_eq!(item, "C00AFFFF9876543210E00001");
    let among = format!("DF010155{item}9F3600");
    let as_digits = built(dialect("iso87-bcd"), "0200", &[(63, &among)]);
    let read = |frame: &[u8]| place.read(&Message::parse(dialect("iso87-bcd"), frame).unwrap());
    assert_eq!(read(&as_digits), Some(Ksn::Tdes(KSN)));
    let binary = dialect("iso87-bcd").with_overrides(&overrides(&[("63", "b..255 LLL")])).unwrap();
    let mut builder = Builder::new(&binary, super::mti("0200"));
    builder.set(63, &among).unwrap();
    let mut as_bytes = BytesMut::new();
    builder.finish(&mut as_bytes).unwrap();
    assert!(as_bytes.len() < as_digits.len());
    assert_eq!(place.read(&Message::parse(&binary, &as_bytes).unwrap()), Some(Ksn::Tdes(KSN)));
}

#[test]
fn what_is_no_ksn_is_not_taken_for_one() {
    let place = KsnPlace::new(48, "C0").unwrap();
    for text in
        ["", "C0", "C00", "C00AFFFF", "C009FFFF9876543210E000", "C10AFFFF9876543210E00001", "a ksn", "+C"]
    {
        let frame = built(dialect("iso87-ascii"), "0200", &[(48, text)]);
        assert_eq!(place.read(&Message::parse(dialect("iso87-ascii"), &frame).unwrap()), None, "{text}");
    }
    for (field, tag) in [(53, "C0"), (64, "C0"), (48, ""), (48, "+C0"), (48, "00"), (48, "C0C0"), (48, "tag")]
    {
        assert_eq!(KsnPlace::new(field, tag), None, "{field} {tag}");
    }
}
