//! Dialects as data: the six that are built in, a house's own, and what a link overrides.
use super::{built, dialect, overrides, unhex};
use adapters::iso8583::dialect::{Dialect, DialectFault};
use adapters::iso8583::field::{Content, Form, Size};
use adapters::iso8583::message::Message;

fn refusal(changes: &[(&str, &str)]) -> String {
    dialect("iso87-bcd").with_overrides(&overrides(changes)).unwrap_err().to_string()
}

#[test]
fn every_built_in_dialect_is_there_under_its_name() {
    let fields = |name| (0..=255).filter(|n| dialect(name).field(*n).is_some()).count();
    let counts: Vec<(&str, usize)> = Dialect::ALL.iter().map(|name| (*name, fields(name))).collect();
    let expected = [126, 126, 126, 49, 126, 126];
    assert_eq!(counts, Dialect::ALL.into_iter().zip(expected).collect::<Vec<_>>());
    assert!(Dialect::ALL.iter().all(|name| dialect(name).name() == *name));
    assert!(Dialect::named("iso87").is_none());
}

#[test]
fn the_standards_table_is_the_same_in_characters_and_packed() {
    let (ascii, packed) = (dialect("iso87-ascii"), dialect("iso87-bcd"));
    for n in (2..=128).filter(|n| ![55, 65].contains(n)) {
        let (one, other) = (ascii.field(n).unwrap(), packed.field(n).unwrap());
        assert_eq!((one.content(), one.max()), (other.content(), other.max()), "field {n}");
        let is_packed = matches!(other.content(), Content::Numeric | Content::Track | Content::Signed);
        assert_eq!(matches!(other.form(), Form::Bcd(_)), is_packed, "field {n}");
        assert_eq!(matches!(one.size(), Size::Fixed(_)), matches!(other.size(), Size::Fixed(_)));
    }
}

#[test]
fn the_shortest_message_is_a_type_and_a_bitmap() {
    let shortest = Dialect::ALL.map(|name| dialect(name).shortest());
    assert_eq!(shortest, [20, 12, 10, 10, 20, 10]);
}

#[test]
fn a_link_changes_a_line_or_a_word_of_it_or_a_rule_or_leaves_a_field_out() {
    let changes = [("39", "n 2"), ("22", "pad right 0"), ("48", "absent"), ("pad_variable", "left F")];
    let link = dialect("iso87-bcd").with_overrides(&overrides(&changes)).unwrap();
    let frame = built(&link, "0200", &[(22, "051"), (32, "12345"), (39, "05")]);
    assert!(frame.ends_with(&unhex("0510 05 f12345 05")), "{frame:02x?}");
    assert!(link.field(48).is_none() && dialect("iso87-bcd").field(48).is_some());
    let back = link.with_overrides(&overrides(&[("48", "ans..100 LLL"), ("22", "pad left 0")])).unwrap();
    assert_eq!((back.field(48).unwrap().max(), back.field(22)), (100, dialect("iso87-bcd").field(22)));
}

#[test]
fn a_length_may_count_bytes_where_an_f_tells_how_many_digits_they_hold() {
    let changes = overrides(&[("2", "n..19 LL count bytes pad right F")]);
    let link = dialect("iso87-bcd").with_overrides(&changes).unwrap();
    for (pan, wire) in
        [("4012345678909", "07 4012345678909f"), ("476173900101", "06 476173900101"), ("", "00")]
    {
        let frame = built(&link, "0200", &[(2, pan)]);
        assert_eq!(frame[10..], unhex(wire));
        assert!(Message::parse(&link, &frame).unwrap().is(2, pan));
    }
}

#[test]
fn a_length_may_be_a_number_of_one_byte() {
    let changes = overrides(&[("length", "binary"), ("44", "ans..255 LL")]);
    let link = dialect("iso87-bcd").with_overrides(&changes).unwrap();
    let frame = built(&link, "0210", &[(44, &"x".repeat(200)), (48, &"y".repeat(300))]);
    assert_eq!((frame[10], &frame[211..213]), (200, &[1, 44][..]));
    assert!(Message::parse(&link, &frame).unwrap().is(48, &"y".repeat(300)));
}

#[test]
fn a_house_writes_its_own_dialect_like_one_that_is_there() {
    let own = "name = \"host-7\"\nlike = \"iso87-bcd\"\n[fields]\n39 = \"n 2\"\n63 = \"b..255 LLL\"\n";
    let own = Dialect::from_toml(own).unwrap();
    assert_eq!(own.name(), "host-7");
    assert_eq!(own.field(39).unwrap().content(), Content::Numeric);
    assert_eq!(own.field(2), dialect("iso87-bcd").field(2));
}

#[test]
fn what_cannot_be_meant_is_refused_by_field_and_key() {
    for (key, value, said) in [
        ("39", "N 2", "39: \"N\" is none of ascii,"),
        ("65", "pad left 0", "65: \"pad left 0\" changes a field that the dialect does not have"),
        ("39", "n 2 ebcdic", "39: \"ebcdic\" is none of"),
        ("39", "ans 2 bcd", "39: only n, z and x+n are written in bcd: say what digits it has, as n 2"),
        ("39", "n", "39: \"\" is not a size of 1 to 9999"),
        ("39", "n +2", "39: \"+2\" is not a size"),
        ("39", "n 0", "39: \"0\" is not a size"),
        ("2", "n..19", "2: \"n..19\" is followed by LL, LLL or LLLL"),
        ("2", "n..100 LL", "2: its length cannot say 100"),
        (
            "2",
            "n..19 LL count bytes",
            "2: where bytes are counted a 0 that pads is no different from a digit",
        ),
        ("2", "n..19 LL count hex", "2: only the hex of b is counted"),
        ("97", "x+n..17 LL count bytes pad left F", "97: a signed number's length counts characters"),
        ("52", "b 8 ascii", "52: bytes are written in binary or hex"),
        ("22", "n 3 pad middle 0", "22: pad \"middle 0\" is none of"),
        ("41", "ans 8 fill dots", "41: fill \"dots\" is none of"),
        ("44", "ans..9 LL length roman", "44: length \"roman\" is none of"),
        ("44", "ans..9 LL count beans", "44: count \"beans\" is none of"),
        ("1", "b 8", "1: not a field's number: 2 to 128"),
        ("129", "b 8", "129: not a field's number: 2 to 128"),
        ("300", "b 8", "300: neither a field's number nor one of"),
        ("colour", "blue", "colour: neither a field's number nor one of version, mti,"),
        ("mti", "binary", "mti: \"binary\" is none of ascii, bcd"),
        ("last", "64", "66: the dialect has one bitmap: the last field is 64"),
    ] {
        let refusal = refusal(&[(key, value)]);
        assert!(refusal.starts_with(said), "{key} = {value:?}: {refusal}");
    }
}

#[test]
fn a_file_that_is_no_dialect_is_refused_with_the_place() {
    let fault = |text| Dialect::from_toml(text).unwrap_err();
    assert!(matches!(fault("name = "), DialectFault::Toml(_)));
    assert!(matches!(fault("name = \"x\"\nfield = 1\n"), DialectFault::Toml(said) if said.contains("field")));
    assert_eq!(fault("name = \"x\"\nlike = \"y\"\n"), DialectFault::Unknown("y".to_owned()));
    assert!(fault("name = \"x\"\nlike = \"y\"\n").to_string().contains("cup-pos"));
    assert!(
        matches!(fault("name = \"x\"\n[fields]\n200 = \"n 1\"\n"), DialectFault::Key { key, .. } if key == "200")
    );
}
