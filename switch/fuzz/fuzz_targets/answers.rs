//! A platform's answers to each of our questions: nothing but the payment that was asked about is ever concluded from.
#![no_main]

use actors::domain::payment::outcome::{InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome};
use actors::domain::payment::phase::Receipt;
use adapters::platform::sandbox::wire::{
    is_permit_name, read_inquiry, read_payment, read_permit, read_refund, read_reversal,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use switch_fuzz::{control, wire};

const STATUSES: [u16; 16] = [200, 201, 202, 204, 302, 400, 401, 402, 404, 409, 410, 422, 429, 500, 502, 503];
static PERMIT: LazyLock<actors::ports::platform::PermitAsk> = LazyLock::new(wire::permit_ask);
static PRESENTED: LazyLock<actors::ports::platform::Presentation> = LazyLock::new(wire::presentation);

fuzz_target!(|input: &[u8]| {
    let [question, status, body @ ..] = input else { return };
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    match question % 5 {
        0 => permit(status, body),
        1 => {
            if let Ok(PaymentOutcome::Approved(receipt)) = read_payment(&PRESENTED, status, body) {
                believed(&receipt, status, body);
            }
        }
        2 => {
            if let Ok(InquiryOutcome::Paid(receipt)) = read_inquiry(wire::ask(), status, body) {
                believed(&receipt, status, body);
            }
        }
        3 => drop(read_reversal(wire::ask(), status, body)),
        _ => {
            let read = read_refund(wire::ask(), wire::refund(), wire::money(), status, body);
            assert!(read != Ok(RefundOutcome::Done) || matches!(status, 200 | 201), "done is a yes");
        }
    }
});

fn permit(status: u16, body: &[u8]) {
    if let Ok(PermitOutcome::Granted(interface)) = read_permit(&PERMIT, status, body) {
        assert!(matches!(status, 200 | 201) && is_permit_name(&interface.permit));
        assert!(interface.url.starts_with("http") && interface.url.len().max(interface.key.len()) <= 512);
        names_the_payment(body);
    }
}

fn believed(receipt: &Receipt, status: u16, body: &[u8]) {
    assert_eq!((status, receipt.money), (200, wire::money()), "money moved only as it was asked to");
    assert!((1..=64).contains(&receipt.reference.len()));
    names_the_payment(body);
    control(receipt.reference.len() > 12);
}

/// Escapes would let it be spelt otherwise; then the length of the body is all that is known.
fn names_the_payment(body: &[u8]) {
    let id = wire::PAYMENT.to_string();
    assert!(body.contains(&b'\\') || body.windows(id.len()).any(|window| window == id.as_bytes()));
}
