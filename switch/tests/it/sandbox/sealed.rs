//! The sealed credential: moved, changed, or made by somebody else's code.
use super::bench::{Bench, PASSWORD};
use actors::domain::identity::PaymentId;
use actors::domain::payment::outcome::{Failure, PaymentOutcome};
use actors::domain::payment::phase::Interface;
use actors::ports::platform::Platform;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use std::io::Write;
use std::process::{Command, Stdio};

const PAYMENT: PaymentId = PaymentId::from_bits(42);
const UNREADABLE: PaymentOutcome = PaymentOutcome::Failed(Failure::Unreadable);

async fn present(bench: &Bench, payment: PaymentId, interface: &Interface, sealed: String) -> PaymentOutcome {
    bench.platform.pay(bench.presentation(payment, interface, sealed, 5_000)).await
}

#[actix_web::test]
async fn os7_a_credential_moved_to_another_payment_is_unreadable() {
    let bench = Bench::new();
    let (mine, other) = (bench.granted(PAYMENT).await, bench.granted(PaymentId::from_bits(43)).await);
    let sealed = bench.seal(PAYMENT, &mine, PASSWORD);
    assert_eq!(present(&bench, PaymentId::from_bits(43), &other, sealed).await, UNREADABLE);
    assert_eq!(bench.balance(), "100.00");
}

#[actix_web::test]
async fn os7_a_header_rewritten_for_another_payment_is_unreadable() {
    let bench = Bench::new();
    let other = PaymentId::from_bits(43);
    let (mine, theirs) = (bench.granted(PAYMENT).await, bench.granted(other).await);
    let sealed = bench.seal(PAYMENT, &mine, PASSWORD);
    let (header, rest) = sealed.split_once('.').unwrap();
    let header = String::from_utf8(BASE64URL.decode(header).unwrap()).unwrap();
    let header =
        header.replace(&PAYMENT.to_string(), &other.to_string()).replace(&*mine.permit, &theirs.permit);
    let moved = format!("{}.{rest}", BASE64URL.encode(header));
    assert_eq!(present(&bench, other, &theirs, moved).await, UNREADABLE);
    assert_eq!(bench.balance(), "100.00");
}

#[actix_web::test]
async fn what_is_no_jwe_at_all_is_unreadable() {
    for (bits, sealed) in (1..).zip(["x", "....", "a.b.c.d.e", "e30..AAAA.AAAA.AAAA", "{}"]) {
        let (bench, payment) = (Bench::new(), PaymentId::from_bits(bits));
        let interface = bench.granted(payment).await;
        assert_eq!(present(&bench, payment, &interface, sealed.into()).await, UNREADABLE, "{sealed}");
    }
}

/// WebCrypto is a different author's implementation, and the one that the phone page uses.
#[actix_web::test]
async fn os7_what_webcrypto_seals_the_platform_opens() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    let terms = serde_json::json!({
        "payment": PAYMENT.to_string(), "permit": interface.permit, "amount": "12.50", "currency": "EUR",
        "merchant": "M1", "exp": interface.expires.instant().secs(), "nonce": "n",
    });
    let key: serde_json::Value = serde_json::from_str(&interface.key).unwrap();
    let credential = serde_json::json!({ "account": "ada", "password": PASSWORD });
    let sealed = node(SEAL_JS, &serde_json::json!({ "key": key, "terms": terms, "credential": credential }));
    let outcome = present(&bench, PAYMENT, &interface, sealed).await;
    assert!(matches!(outcome, PaymentOutcome::Approved(_)), "{outcome:?}");
}

#[actix_web::test]
async fn os7_what_we_seal_webcrypto_opens() {
    let bench = Bench::new();
    let made: serde_json::Value = serde_json::from_str(&node(KEY_JS, &serde_json::json!({}))).unwrap();
    let mut interface = bench.granted(PAYMENT).await;
    interface.key = made["public"].to_string().into();
    let sealed = bench.seal(PAYMENT, &interface, PASSWORD);
    let opened = node(OPEN_JS, &serde_json::json!({ "key": made["private"], "sealed": sealed }));
    let opened: serde_json::Value = serde_json::from_str(&opened).unwrap();
    assert_eq!(opened, serde_json::json!({ "account": "ada", "password": PASSWORD }));
}

/// Runs a script in Node with `input` as JSON on stdin, and returns what it printed.
fn node(script: &str, input: &serde_json::Value) -> String {
    let script = format!("{SHARED_JS}\nmain({script});");
    let mut child = Command::new("node")
        .args(["--input-type=module", "-e", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs Node 20 or later on the PATH (Debian: apt-get install nodejs)");
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "node failed");
    String::from_utf8(output.stdout).unwrap()
}

const SHARED_JS: &str = r#"
import { webcrypto as c } from "node:crypto";
import { readFileSync } from "node:fs";
const b64 = (bytes) => Buffer.from(bytes).toString("base64url");
const un64 = (text) => new Uint8Array(Buffer.from(text, "base64url"));
const utf8 = (text) => new TextEncoder().encode(text);
const u32 = (n) => { const b = new Uint8Array(4); new DataView(b.buffer).setUint32(0, n); return b; };
const join = (...parts) => Uint8Array.from(parts.flatMap((p) => [...p]));
const ec = { name: "ECDH", namedCurve: "P-256" };
const agree = async (own, other) => {
  const z = new Uint8Array(await c.subtle.deriveBits({ name: "ECDH", public: other }, own, 256));
  const info = join(u32(7), utf8("A256GCM"), u32(0), u32(0), u32(256));
  const key = await c.subtle.digest("SHA-256", join(u32(1), z, info));
  return c.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
};
const main = async (run) => process.stdout.write(await run(JSON.parse(readFileSync(0, "utf8"))));
"#;

const KEY_JS: &str = r#"async () => {
  const pair = await c.subtle.generateKey(ec, true, ["deriveBits"]);
  const [pub, priv] = await Promise.all([pair.publicKey, pair.privateKey].map((k) => c.subtle.exportKey("jwk", k)));
  return JSON.stringify({ public: pub, private: priv });
}"#;

const SEAL_JS: &str = r#"async ({ key, terms, credential }) => {
  const { kty, crv, x, y } = key;
  const platform = await c.subtle.importKey("jwk", { kty, crv, x, y }, ec, false, []);
  const pair = await c.subtle.generateKey(ec, true, ["deriveBits"]);
  const epk = await c.subtle.exportKey("jwk", pair.publicKey);
  const header = b64(utf8(JSON.stringify({
    alg: "ECDH-ES", enc: "A256GCM", epk: { kty: epk.kty, crv: epk.crv, x: epk.x, y: epk.y }, ...terms,
  })));
  const iv = c.getRandomValues(new Uint8Array(12));
  const cek = await agree(pair.privateKey, platform);
  const sealed = new Uint8Array(await c.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: utf8(header) }, cek, utf8(JSON.stringify(credential))));
  return [header, "", b64(iv), b64(sealed.slice(0, -16)), b64(sealed.slice(-16))].join(".");
}"#;

const OPEN_JS: &str = r#"async ({ key, sealed }) => {
  const [header, empty, iv, text, tag] = sealed.split(".");
  const { epk } = JSON.parse(Buffer.from(header, "base64url"));
  const own = await c.subtle.importKey("jwk", key, ec, false, ["deriveBits"]);
  const cek = await agree(own, await c.subtle.importKey("jwk", epk, ec, false, []));
  const opened = await c.subtle.decrypt(
    { name: "AES-GCM", iv: un64(iv), additionalData: utf8(header) }, cek, join(un64(text), un64(tag)));
  return empty === "" ? Buffer.from(opened).toString("utf8") : "no direct agreement";
}"#;
