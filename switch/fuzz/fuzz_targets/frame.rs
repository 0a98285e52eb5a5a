//! A line's bytes, in every framing: however they are cut, the same frames come out, within the limits, and can be written again.
#![no_main]

use adapters::iso8583::framing::{Deframer, Frame, FrameFault, Framing, HeaderForm, LENGTH_MAX, LENGTH_MIN};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use switch_fuzz::control;
use switch_fuzz::wire::FRAMINGS;

type Read = Result<Frame, FrameFault>;

fuzz_target!(|input: &[u8]| {
    let [which, step, bytes @ ..] = input else { return };
    let name = FRAMINGS[usize::from(*which) % FRAMINGS.len()];
    let framing: Framing = name.parse().expect("a framing");
    let whole = frames(framing, std::iter::once(bytes));
    let cut = frames(framing, bytes.chunks(usize::from(*step).max(1)));
    assert_eq!(whole, cut, "the cuts do not matter");
    let mut messages = 0;
    for read in &whole {
        messages += usize::from(is_sound(framing, read));
    }
    control(messages > 1 && framing.header() == HeaderForm::TpduPlus(6));
});

fn frames<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Read> {
    let mut deframer = Deframer::new(framing);
    let mut all: Vec<Read> = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        while let Some(read) = deframer.next_frame().transpose() {
            let is_last = matches!(read, Err(fault) if fault.closes());
            all.push(read);
            if is_last {
                return all;
            }
        }
    }
    all
}

fn is_sound(framing: Framing, read: &Read) -> bool {
    let Ok(Frame::Message { header, body }) = read else { return false };
    let length = header.as_bytes().len() + body.len();
    assert!(body.len() >= LENGTH_MIN && length <= LENGTH_MAX, "within the limits");
    assert_eq!(header.reply().reply(), *header, "an answer to the answer goes where the question went");
    let mut again = BytesMut::new();
    framing.wrap(header, body, &mut again).expect("what was read can be written");
    assert_eq!(frames(framing, std::iter::once(&again[..])), [read.clone()]);
    true
}
