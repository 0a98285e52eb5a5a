//! Message types, and the builder: what does not fit is refused by name, what is echoed is echoed exactly.
use super::{PAN, built, dialect, mti, overrides, unhex};
use adapters::iso8583::builder::{BuildFault, BuildFaultKind, Builder};
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::{Class, Function, Mti, Origin};
use bytes::BytesMut;

const MAC: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn refusal(name: &str, n: u8, text: &str) -> BuildFault {
    Builder::new(dialect(name), mti("0200")).set(n, text).map(|_| ()).unwrap_err()
}

fn finished(builder: &Builder<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    builder.finish(&mut out).unwrap();
    out
}

#[test]
fn a_message_types_digits_say_what_it_is() {
    let advice = mti("0421");
    assert_eq!((advice.version(), advice.class()), (0, Class::Reversal));
    assert_eq!((advice.function(), advice.origin()), (Function::Advice, Origin::Acquirer));
    assert!(advice.is_request() && advice.is_repeat());
    assert_eq!(advice.without_repeat(), mti("0420"));
    assert_eq!(mti("0420").as_repeat(), advice);
    assert_eq!((mti("1644").class(), mti("1644").origin()), (Class::Administrative, Origin::Other));
}

#[test]
fn a_response_is_the_next_function_without_the_repeat() {
    let answers = [("0100", "0110"), ("0201", "0210"), ("0401", "0410"), ("0421", "0430"), ("0803", "0812")];
    for (asked, answer) in answers {
        assert_eq!(mti(asked).response(), Some(mti(answer)));
    }
    for unanswered in ["0110", "0430", "0140"] {
        assert_eq!(mti(unanswered).response(), None);
    }
}

#[test]
fn only_types_that_the_standard_has_are_types() {
    let all = (0..=9999).filter(|number| Mti::parse(format!("{number:04}").as_bytes()).is_ok());
    assert_eq!(all.count(), 2 * 8 * 5 * 6);
    assert!(Mti::parse(b"").is_err() && Mti::parse(b"02000").is_err() && "02 0".parse::<Mti>().is_err());
}

#[test]
fn fields_set_in_any_order_stand_in_the_standards() {
    let mut builder = Builder::new(dialect("iso87-bcd"), mti("0800"));
    builder
        .set(70, "001")
        .unwrap()
        .set(11, "000001")
        .unwrap()
        .set(7, "1122101530")
        .unwrap()
        .set(70, "301")
        .unwrap();
    assert_eq!(finished(&builder), unhex("0800 8220000000000000 0400000000000000 1122101530 000001 0301"));
    builder.unset(70);
    assert_eq!(finished(&builder), unhex("0800 0220000000000000 1122101530 000001"));
}

#[test]
fn a_builder_begins_again_without_what_it_had() {
    let mut builder = Builder::new(dialect("iso87-ascii"), mti("0200"));
    builder.set(2, PAN).unwrap();
    builder.restart(mti("0800")).set(11, "1").unwrap();
    assert_eq!(finished(&builder), &b"08000020000000000000000001"[..]);
}

#[test]
fn what_is_too_long_is_refused_and_never_cut() {
    let too_long = |len, max| BuildFaultKind::TooLong { len, max };
    assert_eq!(
        refusal("iso87-ascii", 2, "47617390010101190000"),
        BuildFault { field: 2, kind: too_long(20, 19) }
    );
    assert_eq!(refusal("iso87-bcd", 3, "0000000").kind, too_long(7, 6));
    assert_eq!(refusal("iso87-bcd", 41, "TERM00012").kind, too_long(9, 8));
    assert_eq!(refusal("iso87-bcd", 52, "00112233445566778899").kind, too_long(10, 8));
    assert_eq!(refusal("iso87-ascii", 55, &"00".repeat(500)).kind, too_long(500, 499));
    assert_eq!(
        refusal("iso87-ascii", 48, &"x".repeat(1000)).to_string(),
        "field 48: 1000 long, and the field takes at most 999"
    );
}

#[test]
fn what_is_too_short_is_filled_only_where_the_dialect_says_with_what() {
    let frame = built(dialect("iso87-ascii"), "0200", &[(4, "1"), (22, "51"), (41, "T1")]);
    assert_eq!(frame, b"02001000040000800000000000000001051T1      ");
    assert_eq!(refusal("iso87-ascii", 39, "5").kind, BuildFaultKind::TooShort { len: 1, size: 2 });
    assert_eq!(refusal("iso87-ascii", 52, "0011").kind, BuildFaultKind::TooShort { len: 2, size: 8 });
    assert_eq!(refusal("iso87-ascii", 28, "C1").kind, BuildFaultKind::TooShort { len: 2, size: 9 });
    let strict = dialect("iso87-ascii").with_overrides(&overrides(&[("4", "fill none")])).unwrap();
    assert!(Builder::new(&strict, mti("0200")).set(4, "1").is_err());
}

#[test]
fn a_character_that_may_not_stand_there_is_refused_by_its_place() {
    let at = |at| BuildFaultKind::Content { at };
    assert_eq!(refusal("iso87-ascii", 4, "00000000123x").kind, at(11));
    assert_eq!(refusal("iso87-bcd", 4, "+00000000123").kind, at(0));
    assert_eq!(refusal("iso87-bcd", 35, "4761=2D+1").kind, at(7));
    assert_eq!(refusal("iso87-bcd", 28, "X00000000").kind, at(0));
    assert_eq!(refusal("iso87-bcd", 28, "").kind, at(0));
    assert_eq!(refusal("iso87-bcd", 37, "63261000012é").kind, at(11));
    assert_eq!(refusal("iso87-bcd", 52, "001122334455667G").kind, at(14));
    assert_eq!(refusal("iso87-bcd", 55, "001").kind, at(3));
}

#[test]
fn a_field_that_the_dialect_does_not_have_cannot_be_set() {
    for n in [0, 1, 65, 129, 255] {
        assert_eq!(refusal("iso87-ascii", n, "1"), BuildFault { field: n, kind: BuildFaultKind::Unknown });
    }
    assert_eq!(refusal("cup-pos", 70, "301").kind, BuildFaultKind::Unknown);
}

#[test]
fn a_refused_value_leaves_the_message_as_it_was() {
    let mut builder = Builder::new(dialect("iso87-bcd"), mti("0800"));
    builder.set(11, "000001").unwrap();
    assert!(
        builder.set(48, "\u{7}").is_err()
            && builder.set(2, "4111x").is_err()
            && builder.set(11, "x").is_err()
    );
    assert_eq!(finished(&builder), unhex("0800 0020000000000000 000001"));
}

#[test]
fn a_type_of_another_version_is_not_written() {
    let mut out = BytesMut::from(&b"before"[..]);
    let fault = Builder::new(dialect("iso93-ascii"), mti("0800")).finish(&mut out).unwrap_err();
    assert_eq!(fault, BuildFault { field: 0, kind: BuildFaultKind::MessageType });
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_message_longer_than_a_frame_is_not_written() {
    let mut builder = Builder::new(dialect("iso87-ascii"), mti("0200"));
    let long = "x".repeat(999);
    for n in [46, 47, 48].into_iter().chain(56..=63).chain(105..=127) {
        builder.set(n, &long).unwrap();
    }
    assert_eq!(finished(&builder).len(), 36 + 34 * 1002);
    let names: Vec<String> = (105..=111).map(|n| n.to_string()).collect();
    let wide: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "ans..9999 LLLL")).collect();
    let wide = dialect("iso87-ascii").with_overrides(&overrides(&wide)).unwrap();
    let mut builder = Builder::new(&wide, mti("0200"));
    for n in 105..=110 {
        builder.set(n, &"x".repeat(9999)).unwrap();
    }
    builder.set(111, &"x".repeat(5480)).unwrap();
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(builder.finish(&mut out).unwrap_err().kind, BuildFaultKind::FrameTooLong);
    builder.set(111, &"x".repeat(5300)).unwrap();
    assert_eq!(
        builder.set(46, "x").unwrap_err(),
        BuildFault { field: 46, kind: BuildFaultKind::FrameTooLong }
    );
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_mac_goes_into_the_last_field_over_all_that_is_before_it() {
    let mut covered = Vec::new();
    let mut out = BytesMut::from(&b"header"[..]);
    let mut builder = Builder::new(dialect("iso87-bcd"), mti("0800"));
    builder.set(11, "000001").unwrap();
    let keep = |bytes: &[u8]| {
        covered = bytes.to_vec();
        Ok::<_, BuildFault>(MAC)
    };
    builder.finish_with_mac(&mut out, keep).unwrap();
    assert_eq!(covered, unhex("0800 0020000000000001 000001"));
    assert_eq!(out[6..], [&covered[..], &MAC].concat());
    let message = Message::parse(dialect("iso87-bcd"), &out[6..]).unwrap();
    assert_eq!(message.mac_scope().unwrap().covered, covered);
}

#[test]
fn a_mac_stands_in_field_128_as_soon_as_a_field_above_64_is_there() {
    let mut builder = Builder::new(dialect("iso87-ascii"), mti("0800"));
    builder.set(70, "301").unwrap().set(64, "FFFFFFFFFFFFFFFF").unwrap();
    let mut out = BytesMut::new();
    builder.finish_with_mac(&mut out, |_| Ok::<_, BuildFault>(MAC)).unwrap();
    assert_eq!(&out[..], b"0800800000000000000004000000000000013010102030405060708");
    let message = Message::parse(dialect("iso87-ascii"), &out).unwrap();
    assert_eq!(message.mac_scope().unwrap().mac[..], MAC);
}

#[test]
fn what_cannot_be_macced_is_not_sent() {
    let mut builder = Builder::new(dialect("iso87-ascii"), mti("0800"));
    builder.set(11, "000001").unwrap();
    let mut out = BytesMut::from(&b"before"[..]);
    let fault = BuildFault { field: 64, kind: BuildFaultKind::NoMac };
    assert_eq!(builder.finish_with_mac(&mut out, |_| Err(fault)), Err(fault));
    let none = dialect("iso87-ascii").with_overrides(&overrides(&[("64", "absent")])).unwrap();
    let builder = Builder::new(&none, mti("0800"));
    assert_eq!(builder.finish_with_mac(&mut out, |_| Ok::<_, BuildFault>(MAC)), Err(fault));
    assert_eq!(&out[..], b"before");
}

#[test]
fn an_echo_is_exact_and_one_into_another_dialect_means_the_same() {
    let frame =
        unhex("0200 0220000108800000 1122101530 000123 05 12345f 363332363130303030313233 5465726d20303120");
    let theirs = dialect("iso87-bcd");
    let message = Message::parse(theirs, &frame).unwrap();
    let echoed = |ours| {
        let mut builder = Builder::new(ours, mti("0210"));
        for n in [7, 11, 32, 37, 41, 42] {
            builder.echo(&message, n).unwrap();
        }
        finished(&builder).to_vec()
    };
    assert!(!message.has(42));
    let same = echoed(theirs);
    assert_eq!((&same[..2], &same[2..]), (&unhex("0210")[..], &frame[2..]));
    let other = echoed(dialect("iso87-ascii"));
    let read = Message::parse(dialect("iso87-ascii"), &other).unwrap();
    assert!(read.is(32, "12345") && read.is(41, "Term 01 ") && read.is(7, "1122101530"));
}

#[test]
fn numbers_are_numbers_only_where_digits_stand() {
    let frame =
        built(dialect("iso87-bcd"), "0200", &[(4, "000000012345"), (28, "D00000100"), (32, ""), (39, "00")]);
    let message = Message::parse(dialect("iso87-bcd"), &frame).unwrap();
    assert_eq!(
        (message.u64(4), message.u64(39), message.u64(32), message.u64(11)),
        (Some(12345), None, None, None)
    );
    assert!(message.is(28, "D00000100") && message.is(32, "") && message.digits(28).is_none());
}
