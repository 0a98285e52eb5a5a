//! What takes no memory, counted: reading a message, and writing with a builder that was used before.
//!
//! A binary of its own, because the counter stands in for the allocator of everything that is linked with it.
#![allow(clippy::unwrap_used)]

use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use bytes::BytesMut;
use std::hint::black_box;

const SALE: [(u8, &str); 16] = [
    (2, "4761739001010119"),
    (3, "000000"),
    (4, "000000012345"),
    (7, "1122101530"),
    (11, "000123"),
    (12, "101530"),
    (13, "1122"),
    (14, "2712"),
    (22, "051"),
    (32, "12345"),
    (35, "4761739001010119=27122011758928889"),
    (37, "632610000123"),
    (41, "TERM0001"),
    (42, "MERCHANT0000001"),
    (52, "7434F67813BAE545"),
    (64, "0102030405060708"),
];
const DIALECTS: [&str; 4] = ["iso87-ascii", "iso87-ascii-bin", "iso87-bcd", "cup-pos"];

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

fn write(builder: &mut Builder<'_>, out: &mut BytesMut) {
    builder.restart("0200".parse().unwrap());
    for (n, text) in SALE {
        builder.set(n, text).unwrap();
    }
    out.clear();
    builder.finish(out).unwrap();
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![1_u8]))), 1);
}

#[test]
fn reading_a_message_and_its_fields_allocates_nothing() {
    for name in DIALECTS {
        let dialect = Dialect::named(name).unwrap();
        let mut frame = BytesMut::new();
        write(&mut Builder::new(dialect, "0200".parse().unwrap()), &mut frame);
        let counted = allocations(|| {
            let message = Message::parse(dialect, black_box(&frame)).unwrap();
            for (n, text) in SALE {
                assert!(message.is(n, text));
            }
            assert_eq!(message.u64(4), Some(12345));
            assert_eq!(message.mac_scope().unwrap().mac.len(), 8);
        });
        assert_eq!(counted, 0, "{name}");
        let broken = frame.split_to(frame.len() - 1);
        let counted = allocations(|| {
            let broken = Message::parse(dialect, black_box(&broken)).unwrap_err();
            assert!(broken.read().unwrap().is(11, "000123"));
        });
        assert_eq!(counted, 0, "{name}, broken");
    }
}

#[test]
fn a_builder_that_was_used_before_writes_without_allocating() {
    for name in DIALECTS {
        let mut builder = Builder::new(Dialect::named(name).unwrap(), "0200".parse().unwrap());
        let mut out = BytesMut::new();
        write(&mut builder, &mut out);
        assert_eq!(allocations(|| write(&mut builder, &mut out)), 0, "{name}");
    }
}
