//! A platform's callbacks: believed only if they were signed, and never one bit of them otherwise.
#![no_main]

use actors::ports::platform::{CallbackFault, HeaderLookup};
use adapters::platform::sandbox::wire::read_callback;
use adapters::signature::{ID_HEADER, SIGNATURE_HEADER, SharedSecret, TIMESTAMP_HEADER};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use switch_fuzz::control;
use switch_fuzz::draw::Draw;
use switch_fuzz::wire::{NOW, SECRET};

static KEY: LazyLock<SharedSecret> = LazyLock::new(|| SharedSecret::parse(SECRET).expect("a secret"));

#[derive(Debug)]
struct Headers<'a>([Option<&'a str>; 3]);

impl HeaderLookup for Headers<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let place =
            [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].iter().position(|known| *known == name)?;
        self.0[place]
    }
}

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw(input);
    match draw.byte() % 4 {
        0 => as_it_came(draw),
        1 => spoilt(draw),
        _ => signed(draw.rest()),
    }
});

fn as_it_came(mut draw: Draw<'_>) {
    let headers = Headers([(); 3].map(|()| std::str::from_utf8(draw.piece()).ok()));
    let body = draw.rest();
    if KEY.check_message(NOW, &headers, body).is_ok() {
        read(body);
    }
}

fn spoilt(mut draw: Draw<'_>) {
    let (at, bit) = (draw.short(), draw.byte() % 8);
    let body = draw.rest();
    let mut changed = body.to_vec();
    let Some(byte) = changed.get_mut(at) else { return };
    *byte ^= 1 << bit;
    let stamp = KEY.stamp_message("evt_1".to_owned(), NOW, body);
    let headers = Headers([Some(&stamp.id), Some(&stamp.timestamp), Some(&stamp.signature)]);
    assert_eq!(KEY.check_message(NOW, &headers, body), Ok(()), "what was signed is believed");
    assert_eq!(KEY.check_message(NOW, &headers, &changed), Err(CallbackFault::Forged), "nothing else is");
}

fn signed(body: &[u8]) {
    read(body);
}

fn read(body: &[u8]) {
    if let Ok(claimed) = read_callback(body) {
        assert!(claimed.attempt.number() >= 1);
        if let Ok(receipt) = &claimed.result {
            assert!((1..=64).contains(&receipt.reference.len()));
            control(claimed.attempt.number() > 1);
        }
    }
}
