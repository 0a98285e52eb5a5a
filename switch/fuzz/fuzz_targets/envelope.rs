//! Sealed credentials: what is no JWE is turned away by its form, and what the platform can open the switch would relay.
#![no_main]

use actors::domain::identity::MerchantId;
use actors::domain::time::Deadline;
use actors::ports::clock::Dice;
use adapters::seal::{Credential, PublicJwk, SealTerms, is_compact_jwe, seal};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use switch::sandbox::seal::SealKey;
use switch_fuzz::control;
use switch_fuzz::draw::Draw;
use switch_fuzz::wire::{NOW, PAYMENT, money};

/// Repeatable, so that a seed stays good: it is nobody's secret.
struct Loaded;

impl Dice for Loaded {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

static KEY: LazyLock<SealKey> = LazyLock::new(|| SealKey::generate(&Loaded).expect("a key"));

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw(input);
    match draw.byte() {
        0xec => sealed_for(draw),
        mode if mode % 2 == 0 => opened(draw.rest()),
        _ => {
            let parts = [(); 4].map(|()| BASE64URL.encode(draw.piece()));
            let [header, iv, text, tag] = parts;
            opened(format!("{header}..{iv}.{text}.{tag}").as_bytes());
        }
    }
});

fn opened(compact: &[u8]) {
    let is_relayed = is_compact_jwe(compact);
    if let Some(presented) = KEY.open(compact) {
        assert!(is_relayed, "what can be opened is relayed");
        control(presented.account.len() == 5);
    }
}

/// Seals an account for whatever key comes; the true one opens it again.
fn sealed_for(mut draw: Draw<'_>) {
    let jwk = String::from_utf8_lossy(draw.piece());
    let account = String::from_utf8_lossy(draw.piece());
    let credential = Credential { account: &account, password: "correct horse" };
    let terms = SealTerms {
        payment: PAYMENT,
        money: money(),
        merchant: MerchantId::new("corner-shop").expect("an id"),
        permit: "permit-1",
        expires: Deadline::at(NOW),
    };
    let Ok(sealed) = seal(&jwk, &terms, credential, &Loaded) else { return };
    let is_ours = serde_json::from_str::<PublicJwk>(&jwk).is_ok_and(|key| key.point() == KEY.jwk().point());
    if is_ours {
        let presented = KEY.open(sealed.as_bytes()).expect("what was sealed for this key opens");
        assert_eq!(*presented.account, *account);
        control(account.len() == 5);
    }
}
