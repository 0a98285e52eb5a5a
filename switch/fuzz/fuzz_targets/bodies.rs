//! Every JSON body of the phones' and the terminals' doors: understood, or refused as the client's fault.
#![no_main]

use actix_web::ResponseError;
use libfuzzer_sys::fuzz_target;
use switch::api::Body;
use switch_fuzz::control;

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    let body = Body::ALL[usize::from(*which) % Body::ALL.len()];
    match body.read(bytes) {
        Ok(()) => control(body == Body::NewPayment && bytes.contains(&b'9')),
        Err(problem) => {
            assert!(problem.status_code().is_client_error(), "{problem}: no body is the server's fault");
        }
    }
});
