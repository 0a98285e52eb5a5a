//! What of a message reaches people and logs: enough to find a payment, nothing to make one with.
use super::{PAN, built, dialect};
use adapters::iso8583::mask::{self, Masked};
use adapters::iso8583::message::Message;

const TRACK: &str = "4761739001010119=27122011758928889";
const PIN_BLOCK: &str = "7434F67813BAE545";

fn sale() -> Vec<u8> {
    let fields = [
        (2, PAN),
        (4, "000000012345"),
        (11, "000123"),
        (14, "2712"),
        (35, TRACK),
        (41, "TERM0001"),
        (45, "B4761739001010119^CARDHOLDER/TEST^2712201"),
        (48, "4761739001010119"),
        (52, PIN_BLOCK),
        (55, "9F36020001570A4761739001010119D2715A084761739001010119DF0104CAFEBABE"),
        (90, "020000012311221015300000001234500000000000"),
    ];
    built(dialect("iso87-bcd"), "0200", &fields)
}

#[test]
fn a_log_gets_no_card_no_track_and_no_pin() {
    let frame = sale();
    let message = Message::parse(dialect("iso87-bcd"), &frame).unwrap();
    let said = format!("{message:?} {message:#?} {:?} {:?}", message.text(2), message.bytes(52));
    for secret in [PAN, "4761739", "0119", PIN_BLOCK, "2712", "CARDHOLDER"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert!(said.contains(r#"11: "000123""#) && said.contains("TERM0001"), "{said}");
}

#[test]
fn people_see_the_first_six_and_last_four_of_a_card_and_nothing_else_of_it() {
    let frame = sale();
    let message = Message::parse(dialect("iso87-bcd"), &frame).unwrap();
    let expected = "0200 iso87-bcd
  2  476173******0119
  4  \"000000012345\"
 11  \"000123\"
 14  [2 bytes]
 35  [17 bytes]
 41  \"TERM0001\"
 45  [41 bytes]
 48  [16 bytes]
 52  [8 bytes]
 55  9F36=0001 57=[10] 5A=[8] DF01=[4]
 90  0200 000123 1122101530 [22]
";
    assert_eq!(Masked(&message).to_string(), expected);
}

#[test]
fn a_short_number_is_hidden_wholly() {
    assert_eq!(mask::pan("401234567890"), "************");
    assert_eq!(mask::pan("4012345678909"), "401234***8909");
    assert_eq!(mask::pan(""), "");
}

#[test]
fn a_card_in_a_field_where_none_belongs_is_hidden_too() {
    let frame = built(dialect("iso87-ascii"), "0200", &[(42, "4012345678909")]);
    let message = Message::parse(dialect("iso87-ascii"), &frame).unwrap();
    assert!(message.is(42, "4012345678909  "));
    assert_eq!(format!("{message:?}"), r#"{0: 0200, 42: "401234***8909"}"#);
}

#[test]
fn a_fault_names_field_and_byte_and_nothing_that_stood_there() {
    let frame = [&b"02004000000000000000164761739001010"[..], b"X19"].concat();
    let broken = Message::parse(dialect("iso87-ascii"), &frame).unwrap_err();
    assert_eq!(broken.to_string(), "field 2 at byte 35: a character that does not belong into it");
    assert!(!format!("{broken:?}").contains("4761"));
}
