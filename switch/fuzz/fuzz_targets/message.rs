//! ISO 8583 messages of every dialect: refused with a place in the frame, or written again and read the same.
#![no_main]

use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::{Dialect, Overrides};
use adapters::iso8583::mask::Masked;
use adapters::iso8583::message::Message;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use switch_fuzz::control;

/// The built-in ones, and one with a link's overrides.
static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let named = Dialect::ALL.map(|name| Dialect::named(name).expect("a dialect").clone());
    let changes = [("39", "n 2"), ("pad_variable", "left 0"), ("2", "n..19 LL count bytes pad right F")];
    let changes: Overrides = changes.map(|(key, line)| (key.to_owned(), line.to_owned())).into();
    let changed = named[2].with_overrides(&changes).expect("overrides");
    named.into_iter().chain([changed]).collect()
});

fuzz_target!(|input: &[u8]| {
    let [which, frame @ ..] = input else { return };
    let dialect = &DIALECTS[usize::from(*which) % DIALECTS.len()];
    match Message::parse(dialect, frame) {
        Ok(message) => {
            same(&message, &echoed(&message));
            same(&message, &by_value(&message));
            control(message.u64(11).is_some_and(|stan| stan > 200));
        }
        Err(broken) => {
            assert!(broken.fault.offset <= frame.len(), "{broken}");
            if let Some(read) = broken.read() {
                asked(&read);
                assert_eq!(read.mac_scope(), None, "what is broken is not taken for what its MAC says");
            }
        }
    }
});

fn echoed(message: &Message<'_>) -> BytesMut {
    let mut builder = Builder::new(message.dialect(), message.mti());
    for n in message.fields() {
        builder.echo(message, n).expect("what was read can be echoed");
    }
    finished(&builder)
}

fn by_value(message: &Message<'_>) -> BytesMut {
    let mut builder = Builder::new(message.dialect(), message.mti());
    for n in message.fields() {
        let value = message.bytes(n).expect("a field that is there");
        builder.set_bytes(n, &value).expect("what was read can be written");
    }
    finished(&builder)
}

fn finished(builder: &Builder<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    builder.finish(&mut out).expect("a message");
    out
}

fn same(message: &Message<'_>, written: &[u8]) {
    let again = Message::parse(message.dialect(), written).expect("what was written can be read");
    assert_eq!((again.mti(), again.fields()), (message.mti(), message.fields()));
    assert!(message.fields().iter().all(|n| again.bytes(n) == message.bytes(n)), "the same values");
    assert_eq!(again.mac_scope().is_some(), message.mac_scope().is_some());
    asked(message);
}

/// All that can be asked of a message, and what people and logs are shown of it.
fn asked(message: &Message<'_>) {
    for n in message.fields() {
        let text = message.text(n).map(|text| text.len());
        assert!(message.raw(n).is_some() && message.bytes(n).is_some());
        assert!(message.u64(n).is_none() || text <= message.digits(n).map(|digits| digits.len()));
    }
    let shown = format!("{message:?}{}", Masked(message));
    for secret in [2, 35, 52].into_iter().filter_map(|n| message.text(n)).filter(|text| text.len() >= 12) {
        assert!(!shown.contains(&*secret) || harmless(message, &secret), "a secret is shown");
    }
}

/// The same characters may stand in a field that may be shown, as twelve zeros of an amount do.
fn harmless(message: &Message<'_>, secret: &str) -> bool {
    let elsewhere = message.fields().iter().filter(|n| ![2, 35, 52].contains(n));
    elsewhere.filter_map(|n| message.text(n)).any(|text| text.contains(secret))
}
