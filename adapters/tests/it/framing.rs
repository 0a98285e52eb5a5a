//! Frames on a line: however the bytes are cut, the same frames come out, and no length is believed beyond its limit.
use adapters::iso8583::framing::{
    Deframer, Frame, FrameFault, Framing, Header, HeaderForm, LENGTH_MAX, LengthForm,
};
use bytes::BytesMut;
use proptest::prelude::*;

const NAMES: [&str; 12] = [
    "len2",
    "len2i",
    "ascii4",
    "bcd2",
    "len2+tpdu",
    "len2i+tpdu",
    "ascii4+tpdu",
    "bcd2+tpdu",
    "len2+tpdu+cup6",
    "len2+fixed22",
    "bcd2+tpdu+fixed1",
    "ascii4+fixed12",
];
const BODY: &[u8] = b"0800 and what follows";

fn framing(name: &str) -> Framing {
    name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A header that fits.
fn header(framing: Framing) -> Header {
    match framing.header() {
        HeaderForm::None => Header::none(),
        HeaderForm::Tpdu => Header::tpdu([0, 3], [0, 7]),
        HeaderForm::TpduPlus(more) => Header::tpdu_plus([0, 3], [0, 7], &vec![9; usize::from(more)]),
        HeaderForm::Opaque(bytes) => Header::opaque(&vec![8; usize::from(bytes)]),
    }
}

fn framed(framing: Framing, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    framing.wrap(&header(framing), body, &mut out).unwrap();
    out.to_vec()
}

/// Everything that comes out of these bytes.
fn frames(framing: Framing, pieces: &[&[u8]]) -> Vec<Result<Frame, FrameFault>> {
    let mut deframer = Deframer::new(framing);
    let mut out = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        while let Some(next) = deframer.next_frame().transpose() {
            out.push(next);
            if next_is_last(&out) {
                return out;
            }
        }
    }
    out
}

fn next_is_last(out: &[Result<Frame, FrameFault>]) -> bool {
    matches!(out.last(), Some(Err(fault)) if fault.closes())
}

fn fault(name: &str, bytes: &[u8]) -> FrameFault {
    frames(framing(name), &[bytes]).pop().unwrap().unwrap_err()
}

#[test]
fn a_frame_is_written_as_its_name_says() {
    let tpdu = [0x60, 0, 3, 0, 7];
    for (name, length, header) in [
        ("len2", &[0x00, 0x15][..], &[][..]),
        ("len2i", &[0x00, 0x17], &[]),
        ("ascii4", b"0021", &[]),
        ("bcd2", &[0x00, 0x21], &[]),
        ("len2+tpdu", &[0x00, 0x1a], &tpdu),
        ("bcd2+tpdu", &[0x00, 0x26], &tpdu),
        ("len2+tpdu+cup6", &[0x00, 0x20], &[&tpdu[..], &[9; 6]].concat()),
    ] {
        assert_eq!(framed(framing(name), BODY), [length, header, BODY].concat(), "{name}");
    }
}

#[test]
fn every_name_is_read_back_as_it_is_shown_and_no_other_name_is_taken() {
    for name in NAMES {
        assert_eq!(framing(name).to_string(), name);
        let json = serde_json::to_string(&framing(name)).unwrap();
        assert_eq!(serde_json::from_str::<Framing>(&json).unwrap(), framing(name));
    }
    for name in [
        "",
        "len",
        "LEN2",
        "len2+",
        "len2+tpdu+",
        "len2+cup6",
        "len2+fixed0",
        "len2+fixed65",
        "len2+fixed+6",
        "len2+fixed06",
        "len2+tpdu+fixed999",
        "len2+tpdu+tpdu",
        "hex4",
        " len2",
    ] {
        assert!(name.parse::<Framing>().is_err(), "{name}");
    }
}

#[test]
fn an_answer_goes_back_where_the_question_came_from_and_repeats_what_it_does_not_understand() {
    let asked = Header::tpdu_plus([0x00, 0x03], [0x12, 0x34], &[0x60, 0x31, 0, 0x31, 1, 0]);
    let expected = Header::tpdu_plus([0x12, 0x34], [0x00, 0x03], &[0x60, 0x31, 0, 0x31, 1, 0]);
    assert_eq!(asked.reply(), expected);
    let own = Header::opaque(&[0x60, 1, 2, 3, 4]);
    assert_eq!(own.reply(), own);
    assert_eq!(Header::none().reply(), Header::none());
}

#[test]
fn a_length_of_zero_keeps_the_line_alive_and_is_repeated_to_the_byte() {
    for (name, zero) in
        [("len2", &[0, 0][..]), ("len2i", &[0, 0]), ("ascii4", b"0000"), ("bcd2+tpdu", &[0, 0])]
    {
        let framing = framing(name);
        let [Ok(Frame::KeepAlive(first)), Ok(Frame::Message { body, .. })] =
            &frames(framing, &[zero, &framed(framing, BODY)])[..]
        else {
            panic!("{name}")
        };
        assert_eq!((first.as_bytes(), body.as_ref()), (zero, BODY), "{name}");
    }
}

#[test]
fn a_length_beyond_the_limit_ends_the_line_before_anything_is_kept_for_it() {
    for (name, bytes) in
        [("len2", &[0xff, 0xff][..]), ("len2i", &[0xff, 0xff]), ("ascii4", b"9999"), ("bcd2", &[0x99, 0x99])]
    {
        let fault = fault(name, bytes);
        assert_eq!((fault, fault.closes()), (FrameFault::TooLong { most: LENGTH_MAX }, true), "{name}");
    }
    let mut deframer = Deframer::new(framing("len2"));
    deframer.push(&[0xff, 0xff]);
    deframer.next_frame().unwrap_err();
    deframer.push(&[0; 64]);
    assert!(!deframer.is_within_a_frame(), "nothing is taken in any more");
    assert!(deframer.next_frame().is_err(), "and nothing comes out");
}

#[test]
fn a_length_is_written_in_digits_and_nothing_else() {
    for (name, bytes, offset) in [
        ("ascii4", &b"+021"[..], 0),
        ("ascii4", b"-003", 0),
        ("ascii4", b"00 1", 2),
        ("ascii4", b"002a", 3),
        ("ascii4", &[0x30, 0x30, 0x30, 0xb1], 3),
        ("bcd2", &[0x0a, 0x21], 0),
        ("bcd2", &[0x00, 0xf1], 1),
    ] {
        let fault = fault(name, bytes);
        assert_eq!((fault, fault.closes()), (FrameFault::NoDigit { offset }, true), "{name} {bytes:?}");
    }
    assert_eq!(fault("len2i", &[0, 1]), FrameFault::NotInclusive);
}

#[test]
fn a_frame_that_cannot_hold_a_message_is_refused_and_the_next_one_is_read() {
    for (name, bad, expected) in [
        ("len2", &[0, 1, 7][..], FrameFault::TooShort { least: 12 }),
        ("len2i", &[0, 2], FrameFault::TooShort { least: 12 }),
        ("len2+tpdu", &[0, 3, 0x60, 0, 3], FrameFault::TooShort { least: 12 }),
        ("len2+tpdu", &[0, 5, 0x60, 0, 3, 0, 7], FrameFault::TooShort { least: 12 }),
        ("len2+tpdu", b"\x00\x150800 and what follows", FrameFault::NoTpdu),
    ] {
        let framing = framing(name);
        let out = frames(framing, &[bad, &framed(framing, BODY)]);
        assert_eq!(out[0], Err(expected), "{name}");
        assert!(
            !expected.closes() && matches!(&out[1], Ok(Frame::Message { body, .. }) if body == BODY),
            "{name}"
        );
    }
}

#[test]
fn what_the_line_would_not_take_itself_is_not_written() {
    let framing = framing("len2+tpdu");
    let mut out = BytesMut::new();
    for (header, body, reason) in [
        (Header::none(), BODY.to_vec(), "header"),
        (header(framing), Vec::new(), "too_short"),
        (header(framing), vec![0; LENGTH_MAX - 4], "too_long"),
    ] {
        assert_eq!(framing.wrap(&header, &body, &mut out).unwrap_err().reason(), reason);
        assert!(out.is_empty());
    }
}

#[test]
fn limits_that_no_frame_could_keep_are_refused() {
    let ascii = Framing::new(LengthForm::Ascii4, HeaderForm::Tpdu);
    for (least, most) in [(12, 10_000), (0, 100), (20, 24), (usize::MAX, usize::MAX)] {
        assert!(ascii.within(least, most).is_err(), "{least} {most}");
    }
    let tight = ascii.within(20, 25).unwrap();
    assert!(matches!(frames(tight, &[&framed(tight, &[0x30; 20])])[..], [Ok(Frame::Message { .. })]));
    assert_eq!(frames(tight, &[b"0026"]), [Err(FrameFault::TooLong { most: 25 })]);
}

#[test]
fn what_a_message_says_is_in_no_debug_output() {
    let framing = framing("len2+tpdu");
    let shown = format!("{:?}", frames(framing, &[&framed(framing, b"4761739001010119")]));
    assert_eq!(shown, "[Ok(Message(Header(5 bytes), 16 bytes))]");
}

#[derive(Clone, Debug)]
enum Piece {
    Message(Vec<u8>),
    KeepAlive,
    Anything(Vec<u8>),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 12..200).prop_map(Piece::Message),
        1 => Just(Piece::KeepAlive),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Piece::Anything),
    ]
}

fn stream(framing: Framing, pieces: &[Piece]) -> Vec<u8> {
    let zero = if framing.length() == LengthForm::Ascii4 { b"0000".to_vec() } else { vec![0, 0] };
    let bytes = pieces.iter().map(|piece| match piece {
        Piece::Message(body) => framed(framing, body),
        Piece::KeepAlive => zero.clone(),
        Piece::Anything(bytes) => bytes.clone(),
    });
    bytes.flatten().collect()
}

proptest! {
    #[test]
    fn however_a_stream_is_cut_the_same_frames_come_out(
        name in prop::sample::select(&NAMES[..]),
        pieces in prop::collection::vec(piece(), 0..8),
        cuts in prop::collection::vec(1_usize..40, 1..200),
    ) {
        let framing = framing(name);
        let bytes = stream(framing, &pieces);
        let whole = frames(framing, &[&bytes]);
        let mut rest = bytes.as_slice();
        let mut cut = Vec::new();
        for size in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at(size.min(rest.len()));
            cut.push(head);
            rest = tail;
        }
        prop_assert_eq!(frames(framing, &cut), whole);
    }

    #[test]
    fn what_is_wrapped_comes_out_as_it_was(
        name in prop::sample::select(&NAMES[..]),
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 12..500), 1..6),
    ) {
        let framing = framing(name);
        let bytes: Vec<u8> = bodies.iter().flat_map(|body| framed(framing, body)).collect();
        let out = frames(framing, &[&bytes]);
        prop_assert_eq!(out.len(), bodies.len());
        for (frame, expected) in out.into_iter().zip(bodies) {
            let Ok(Frame::Message { header: found, body }) = frame else { panic!("no message") };
            prop_assert_eq!((found, body.to_vec()), (header(framing), expected));
        }
    }

    #[test]
    fn no_bytes_make_more_of_themselves(name in prop::sample::select(&NAMES[..]), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let total: usize = frames(framing(name), &[&bytes]).into_iter().flatten().map(|frame| match frame {
            Frame::KeepAlive(zero) => zero.as_bytes().len(),
            Frame::Message { header, body } => header.as_bytes().len() + body.len(),
        }).sum();
        prop_assert!(total <= bytes.len());
    }
}
