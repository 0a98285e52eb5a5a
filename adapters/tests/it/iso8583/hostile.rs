//! What broke other parsers, one story each, and every truncation and bit flip of every vector: an error or a message.
use super::vectors::vectors;
use super::{PAN, again, built, contents, dialect, overrides, unhex};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::field::FaultKind;
use adapters::iso8583::message::{Message, ParseFault};

fn fault(name: &str, frame: &[u8]) -> ParseFault {
    Message::parse(dialect(name), frame).unwrap_err().fault
}

fn refused(name: &str, frame: &[u8], field: u8, offset: usize, kind: FaultKind) {
    assert_eq!(fault(name, frame), ParseFault { field, offset, kind });
}

/// A message of profile A with one field, as it stands on the wire.
fn with_field(n: u8, wire: &str) -> Vec<u8> {
    let bitmap = 1_u64 << (64 - n);
    format!("0200{bitmap:016X}{wire}").into_bytes()
}

#[test]
fn every_truncation_of_every_vector_is_an_error() {
    for vector in vectors() {
        let frame = unhex(&vector.hex);
        for end in 0..frame.len() {
            let fault = fault(&vector.dialect, &frame[..end]);
            assert_eq!(fault.kind, FaultKind::Truncated, "{} cut at {end}: {fault}", vector.mti);
            assert_eq!(fault.offset, end);
        }
    }
}

#[test]
fn every_bit_flip_of_every_vector_is_an_error_or_a_message_that_can_be_written() {
    let mut read = 0;
    for vector in vectors() {
        let dialect = dialect(&vector.dialect);
        let frame = unhex(&vector.hex);
        for (at, bit) in (0..frame.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = frame.clone();
            changed[at] ^= 1 << bit;
            match Message::parse(dialect, &changed) {
                Ok(message) => {
                    let written = again(dialect, &message);
                    let reread = Message::parse(dialect, &written).unwrap();
                    assert_eq!(contents(&reread), contents(&message));
                    read += 1;
                }
                Err(broken) => assert!(broken.fault.offset <= changed.len()),
            }
        }
    }
    assert!(read > 1000, "{read}: digits become other digits");
}

#[test]
fn plus_six_and_minus_three_are_no_lengths() {
    for length in ["+6", "-3", " 6", "6 ", "0x", "１"] {
        refused("iso87-ascii", &with_field(2, &format!("{length}476173")), 2, 20, FaultKind::Length);
    }
    refused("iso87-ascii", &with_field(48, "-01x"), 48, 20, FaultKind::Length);
    refused("iso87-bcd", &unhex("0200 4000000000000000 1a 4761739001010119"), 2, 10, FaultKind::Length);
}

#[test]
fn a_length_above_the_fields_most_is_refused_before_its_bytes_are_looked_for() {
    refused("iso87-ascii", &with_field(2, "20"), 2, 20, FaultKind::TooLong);
    refused("iso87-bcd", &unhex("0200 0000000000010000 9999"), 48, 10, FaultKind::TooLong);
    refused("iso87-ascii", &with_field(55, "0039F3"), 55, 20, FaultKind::TooLong);
}

#[test]
fn letters_in_a_number_are_refused() {
    refused("iso87-ascii", &with_field(4, "00000001234A"), 4, 31, FaultKind::Content);
    refused("iso87-ascii", &with_field(2, "16476173900101011X"), 2, 37, FaultKind::Content);
    refused("iso87-bcd", &unhex("0200 1000000000000000 00000001234a"), 4, 15, FaultKind::Content);
    refused("iso87-bcd", &unhex("0200 1000000000000000 000000a12345"), 4, 13, FaultKind::Content);
}

#[test]
fn bytes_after_the_last_field_are_refused() {
    for vector in vectors() {
        let mut frame = unhex(&vector.hex);
        let end = frame.len();
        frame.push(b'0');
        let fault = fault(&vector.dialect, &frame);
        assert_eq!((fault.offset, fault.kind), (end, FaultKind::TrailingBytes));
    }
}

#[test]
fn a_message_type_that_means_nothing_is_refused() {
    for mti in ["9999", "0000", "0900", "0250", "0206", "02O0", "+200", "1200", "2200"] {
        let frame = [mti.as_bytes(), b"0000000000000000"].concat();
        refused("iso87-ascii", &frame, 0, 0, FaultKind::MessageType);
        assert!(Message::parse(dialect("iso87-ascii"), &frame).unwrap_err().read().is_none());
    }
    refused("iso87-bcd", &unhex("0a00 0000000000000000"), 0, 0, FaultKind::MessageType);
    assert!(Message::parse(dialect("iso93-ascii"), b"12000000000000000000").is_ok());
}

#[test]
fn a_bitmap_that_promises_what_is_not_there_is_refused_at_the_first_of_it() {
    let all = [&b"0200"[..], &b"7"[..], &[b'F'; 15]].concat();
    refused("iso87-ascii", &all, 2, 20, FaultKind::Truncated);
    let everything = [&unhex("0200")[..], &[0xff; 16], &[0; 40]].concat();
    assert!(matches!(fault("iso87-bcd", &everything).kind, FaultKind::Truncated | FaultKind::Content));
    refused("iso87-ascii", b"0200700000000000000G", 1, 19, FaultKind::Bitmap);
}

#[test]
fn a_third_bitmap_is_refused_unless_the_link_knows_it() {
    let frame = unhex("0800 8000000000000000 8000000000000000 00");
    refused("iso87-bcd", &frame, 65, 18, FaultKind::Unknown);
    let known = dialect("iso87-bcd").with_overrides(&overrides(&[("65", "b 1")])).unwrap();
    assert_eq!(Message::parse(&known, &frame).unwrap().raw(65), Some(&[0][..]));
}

#[test]
fn an_empty_second_bitmap_is_legal_where_there_may_be_one() {
    let frame = unhex("0800 8020000000000000 0000000000000000 000001");
    let message = Message::parse(dialect("iso87-bcd"), &frame).unwrap();
    assert_eq!(message.fields().iter().collect::<Vec<_>>(), [11]);
    refused("cup-pos", &frame, 1, 2, FaultKind::SecondBitmap);
}

#[test]
fn a_frame_of_64_kib_is_read_or_refused_and_a_longer_one_is_not_looked_at() {
    let mut frame = with_field(3, "000000");
    frame.resize(usize::from(u16::MAX), b'0');
    refused("iso87-ascii", &frame, 3, 26, FaultKind::TrailingBytes);
    frame.push(b'0');
    refused("iso87-ascii", &frame, 0, usize::from(u16::MAX), FaultKind::FrameTooLong);
}

#[test]
fn the_nibble_beside_an_odd_digit_is_0_or_f_and_nothing_else() {
    let dialect = dialect("iso87-bcd");
    for (nibble, is_read) in (0..16).map(|nibble| (nibble, nibble == 0 || nibble == 15)) {
        let frame = unhex(&format!("0200 0000000100000000 05 12345{nibble:x}"));
        let read = Message::parse(dialect, &frame);
        assert_eq!(read.is_ok_and(|message| message.is(32, "12345")), is_read);
        let frame = unhex(&format!("0200 0000040000000000 {nibble:x}051"));
        let read = Message::parse(dialect, &frame);
        assert_eq!(read.is_ok_and(|message| message.is(22, "051")), is_read);
    }
}

#[test]
fn what_a_length_counts_is_part_of_the_field() {
    let chip = "9F36020001";
    for (name, wire) in [
        ("iso87-ascii", &b"0109F36020001"[..]),
        ("iso87-ascii-bin", &[&b"005"[..], &unhex(chip)].concat()),
        ("iso87-bcd", &[&unhex("0005")[..], &unhex(chip)].concat()),
        ("iso93-ascii", &[&b"005"[..], &unhex(chip)].concat()),
    ] {
        let kind = if name.starts_with("iso93") { "1200" } else { "0200" };
        let frame = built(dialect(name), kind, &[(55, chip)]);
        assert!(frame.ends_with(wire), "{name}");
        assert_eq!(Message::parse(dialect(name), &frame).unwrap().bytes(55).unwrap()[..], unhex(chip));
    }
}

#[test]
fn a_track_with_either_separator_is_the_same_track() {
    let text = "4761739001010119=27122011758928889";
    for spelt in [text.to_owned(), text.replace('=', "D")] {
        let frame = with_field(35, &format!("34{spelt}"));
        let message = Message::parse(dialect("iso87-ascii"), &frame).unwrap();
        assert!(message.is(35, text));
        // Found by the fuzz target `message`: as bytes it was still as it had come.
        assert_eq!(&message.bytes(35).unwrap()[..], text.as_bytes());
        let built = built(dialect("iso87-ascii"), "0200", &[(35, &spelt)]);
        assert_eq!(built, with_field(35, &format!("34{text}")));
    }
    refused("iso87-bcd", &unhex("0200 0000000020000000 04 12e4"), 35, 12, FaultKind::Content);
}

#[test]
fn a_broken_message_is_still_asked_for_what_an_answer_needs() {
    let fields = [(2, PAN), (11, "000123"), (37, "632610000123"), (41, "TERM0001"), (49, "978"), (54, "x")];
    for name in ["iso87-ascii", "iso87-ascii-bin", "iso87-bcd"] {
        let mut frame = built(dialect(name), "0200", &fields);
        frame.pop();
        let broken = Message::parse(dialect(name), &frame).unwrap_err();
        assert_eq!(broken.fault.field, 54);
        let read = broken.read().unwrap();
        assert_eq!(read.mti().as_str(), "0200");
        assert!(read.is(11, "000123") && read.is(41, "TERM0001") && !read.has(54));
        assert_eq!(read.raw(54), None);
    }
}

#[test]
fn a_mac_with_fields_behind_it_or_in_a_broken_message_covers_nothing() {
    let frame = built(dialect("iso87-bcd"), "0800", &[(11, "000001"), (64, "0102030405060708")]);
    let whole = Message::parse(dialect("iso87-bcd"), &frame).unwrap();
    let scope = whole.mac_scope().unwrap();
    assert_eq!((scope.covered, &scope.mac[..]), (&frame[..13], &[1, 2, 3, 4, 5, 6, 7, 8][..]));
    let behind = built(dialect("iso87-bcd"), "0800", &[(64, "0102030405060708"), (70, "301")]);
    assert_eq!(Message::parse(dialect("iso87-bcd"), &behind).unwrap().mac_scope(), None);
    let broken = Message::parse(dialect("iso87-bcd"), &behind[..behind.len() - 1]).unwrap_err();
    assert_eq!(broken.read().unwrap().mac_scope(), None);
    let none = built(dialect("iso87-bcd"), "0800", &[(11, "000001")]);
    assert_eq!(Message::parse(dialect("iso87-bcd"), &none).unwrap().mac_scope(), None);
}

#[test]
fn control_characters_and_foreign_bytes_are_text_only_where_the_link_says_so() {
    refused("iso87-ascii", &with_field(38, "12345\0"), 38, 25, FaultKind::Content);
    refused("iso87-ascii", &with_field(38, "1234é"), 38, 24, FaultKind::Content);
    let any = dialect("iso87-ascii").with_overrides(&overrides(&[("38", "any 6")])).unwrap();
    let frame = with_field(38, "1234é");
    let message = Message::parse(&any, &frame).unwrap();
    assert_eq!((message.text(38), message.raw(38)), (None, Some("1234é".as_bytes())));
}

#[test]
fn nothing_at_all_is_truncated() {
    for name in Dialect::ALL {
        refused(name, b"", 0, 0, FaultKind::Truncated);
    }
}
