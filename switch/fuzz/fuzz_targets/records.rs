//! Frames, records and entries of the journal: read or refused, and what is read is written and read again the same.
#![no_main]

use actors::domain::journal::Entry;
use adapters::journal::frame::{self, Chain, Frame};
use adapters::journal::{codec, record, segment};
use libfuzzer_sys::fuzz_target;
use switch_fuzz::{control, reseal};

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 5 {
        0 => whole(rest),
        1 => whole(&framed(rest.to_vec())),
        2 => {
            let mut bytes = rest.to_vec();
            reseal::record(&mut bytes);
            control(record::read(&bytes).is_ok_and(|(read, _)| read.seq.0.to_le_bytes()[0] == 0x77));
            whole(&framed(bytes));
        }
        3 => {
            entry(codec::decode(codec::VERSION, rest));
        }
        _ => {
            let header = segment::Header::read(rest);
            assert!(
                header.is_err()
                    || header.is_ok_and(|h| h.bytes() == rest.get(..segment::HEADER).unwrap_or_default())
            );
        }
    }
});

fn framed(body: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::begin(&mut bytes);
    bytes.extend(body);
    frame::finish(&mut bytes, 1, 1, Chain::default());
    bytes
}

fn whole(bytes: &[u8]) {
    let read = Frame::read(bytes);
    assert!(read.is_none() || frame::found_in(bytes), "a frame that is there is found");
    let Some(read) = read else { return };
    let mut end = frame::HEAD;
    for record in read.records() {
        let Ok((at, record)) = record else { return };
        assert!(at >= end && at < read.bytes.len(), "records lie in their frame, one after the other");
        end = at + record::OVERHEAD;
        entry(Ok(record.entry));
    }
}

fn entry(read: Result<Entry, codec::CodecFault>) {
    let Ok(read) = read else { return };
    let mut bytes = Vec::new();
    codec::encode(&read, &mut bytes).expect("what was read can be written");
    assert_eq!(codec::decode(codec::VERSION, &bytes), Ok(read), "what was written reads the same");
}
