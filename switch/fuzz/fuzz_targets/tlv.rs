//! BER-TLV of field 55: refused with a place, or items that together are the input to the byte, and templates inside them.
#![no_main]

use adapters::iso8583::tlv::{self, Tag};
use libfuzzer_sys::fuzz_target;
use switch_fuzz::control;

fuzz_target!(|input: &[u8]| {
    match tlv::parse(input) {
        Ok(items) => {
            let raw: Vec<u8> = items.iter().flat_map(tlv::Tlv::raw).copied().collect();
            assert_eq!(raw, input, "nothing is lost, nothing is put in");
            let mut written = Vec::new();
            for item in &items {
                assert_eq!(Tag::new(item.tag().number()), Some(item.tag()));
                tlv::put(&mut written, item.tag(), item.value()).expect("what was read can be written");
                if item.tag().is_constructed() {
                    tlv::parse(item.value()).ok();
                }
            }
            assert!(written.len() <= input.len(), "the shortest lengths are not longer");
            let again = tlv::parse(&written).expect("what was written can be read");
            assert!(
                again
                    .iter()
                    .map(|item| (item.tag(), item.value()))
                    .eq(items.iter().map(|item| (item.tag(), item.value())))
            );
            control(items.len() > 9);
        }
        Err(fault) => assert!(fault.offset < input.len(), "{fault}"),
    }
});
