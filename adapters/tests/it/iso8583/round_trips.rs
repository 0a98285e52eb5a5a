//! Random messages of every dialect: what is built is read as it was meant; and random bytes never do worse than fail.
use super::vectors::{as_iso8583sim, vectors};
use super::{again, contents, damage, dialect, mti, unhex};
use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::field::{Content, FieldDef, Size};
use adapters::iso8583::message::Message;
use adapters::iso8583::tlv;
use bytes::BytesMut;
use proptest::prelude::*;

fn dialects() -> Vec<Dialect> {
    Dialect::ALL.iter().map(|name| dialect(name).clone()).chain([as_iso8583sim()]).collect()
}

/// A value that fits `def`, made of what was drawn.
fn value(def: &FieldDef, drawn: &[u8]) -> Vec<u8> {
    let max = usize::from(def.max());
    let len = match def.size() {
        Size::Fixed(_) => max,
        Size::UpTo(..) => drawn.first().map_or(0, |first| usize::from(*first) * 8 % (max + 1)),
    };
    let alphabet: &[u8] = match def.content() {
        Content::Numeric | Content::Signed => b"0123456789",
        Content::AlphaNumeric => b"0123456789ABCXYZabcxyz ",
        Content::Text => b"0123456789ABCxyz !\"#~=|,",
        Content::Track => b"0123456789=",
        Content::Any | Content::Bytes => &[0, 1, 0x7f, 0x80, 0xff, b'A', b'=', b' '],
    };
    let mut value: Vec<u8> =
        drawn.iter().cycle().take(len).map(|byte| alphabet[usize::from(*byte) % alphabet.len()]).collect();
    if let (Content::Signed, Some(sign)) = (def.content(), value.first_mut()) {
        *sign = if *sign > b'4' { b'C' } else { b'D' };
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_is_read_as_it_was_meant(
        which in 0_usize..7,
        drawn in prop::collection::btree_map(2_u8..=128, prop::collection::vec(any::<u8>(), 1..40), 0..40),
    ) {
        let dialect = &dialects()[which];
        let kind = mti(if dialect.version() == 1 { "1200" } else { "0200" });
        let mut builder = Builder::new(dialect, kind);
        let fields: Vec<(u8, Vec<u8>)> = drawn
            .iter()
            .filter_map(|(n, drawn)| Some((*n, value(dialect.field(*n)?, drawn))))
            .collect();
        for (n, value) in fields.iter().rev() {
            builder.set_bytes(*n, value).unwrap();
        }
        let mut frame = BytesMut::new();
        builder.finish(&mut frame).unwrap();
        let message = Message::parse(dialect, &frame).unwrap();
        prop_assert_eq!(message.mti(), kind);
        prop_assert_eq!(&contents(&message), &fields);
        prop_assert_eq!(&again(dialect, &message)[..], &frame[..]);
        let mut echo = Builder::new(dialect, kind);
        for n in message.fields() {
            echo.echo(&message, n).unwrap();
            if let Some(text) = message.text(n) {
                prop_assert_eq!(&message.bytes(n).unwrap()[..], &bytes_of(dialect.field(n).unwrap(), &text)[..]);
            }
        }
        let mut echoed = BytesMut::new();
        echo.finish(&mut echoed).unwrap();
        prop_assert_eq!(echoed, frame);
    }

    #[test]
    fn random_bytes_are_a_message_that_can_be_written_or_an_error(
        which in 0_usize..7,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        begins in any::<bool>(),
    ) {
        let dialect = &dialects()[which];
        let frame = if begins { [b"\x02\x00".to_vec(), bytes].concat() } else { bytes };
        survives(dialect, &frame)?;
    }

    #[test]
    fn a_vector_with_bytes_changed_cut_and_put_in_is_a_message_or_an_error(
        which in 0_usize..15,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..6),
    ) {
        let vector = &vectors()[which];
        let mut frame = unhex(&vector.hex);
        damage(&mut frame, changes);
        survives(dialect(&vector.dialect), &frame)?;
    }

    #[test]
    fn tlv_is_read_and_written_as_it_was_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        match tlv::parse(&bytes) {
            Ok(items) => {
                let raw: Vec<u8> = items.iter().flat_map(tlv::Tlv::raw).copied().collect();
                prop_assert_eq!(raw, bytes);
            }
            Err(fault) => prop_assert!(fault.offset < bytes.len()),
        }
    }
}

fn bytes_of(def: &FieldDef, text: &str) -> Vec<u8> {
    if def.content() == Content::Bytes { unhex(text) } else { text.as_bytes().to_vec() }
}

fn survives(dialect: &Dialect, frame: &[u8]) -> Result<(), TestCaseError> {
    match Message::parse(dialect, frame) {
        Ok(message) => {
            let written = again(dialect, &message);
            let reread = Message::parse(dialect, &written).unwrap();
            prop_assert_eq!(contents(&reread), contents(&message));
        }
        Err(broken) => {
            prop_assert!(broken.fault.offset <= frame.len());
            if let Some(read) = broken.read() {
                prop_assert!(read.fields().iter().all(|n| read.raw(n).is_some() && read.bytes(n).is_some()));
                prop_assert_eq!(read.mac_scope(), None);
            }
        }
    }
    Ok(())
}
