//! Writes the first inputs of every target, from the journal's golden files and from real messages: `cargo run --example
//! seeds` in this folder. What fuzzing adds to them is minimised and committed beside them; see docs/proof.md.
use actors::domain::identity::MerchantId;
use actors::domain::time::Deadline;
use actors::ports::clock::Dice;
use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::{Framing, Header, HeaderForm};
use adapters::journal::record::{Head, Kind, write};
use adapters::journal::segment;
use adapters::seal::{Credential, SealTerms, seal};
use adapters::signature::SharedSecret;
use std::path::{Path, PathBuf};
use switch::sandbox::seal::SealKey;
use switch_fuzz::wire::{FRAMINGS, NOW, PAYMENT, SECRET, money};

struct Loaded;

impl Dice for Loaded {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn main() {
    records();
    journal();
    bodies();
    answers();
    callback();
    config();
    envelope();
    frame();
    message();
    tlv();
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn seed(target: &str, name: &str, parts: &[&[u8]]) {
    let folder = here().join("corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), parts.concat()).expect("a file");
}

/// A piece, as a target draws it: its length, then its bytes.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short piece").to_le_bytes();
    [&length[..], bytes].concat()
}

fn records() {
    let golden = here().join("../../adapters/tests/golden/v1");
    for entry in std::fs::read_dir(golden).expect("the golden files").flatten() {
        let name = entry.file_name().into_string().expect("a name").replace(".hex", "");
        let text = std::fs::read_to_string(entry.path()).expect("a golden file");
        let digits: String = text.split_whitespace().collect();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
        let payload: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        seed("records", &format!("entry-{name}"), &[&[3], &payload]);
        let read = adapters::journal::codec::decode(1, &payload).expect("an entry");
        let mut record = Vec::new();
        let head = Head { kind: Kind::Own, seq: actors::domain::journal::Seq(1), prev: None, at: NOW };
        write(head, &read, &mut record).expect("a record");
        seed("records", &format!("record-{name}"), &[&[2], &record]);
        seed("records", &format!("frame-{name}"), &[&[1], &record]);
    }
    let header = segment::Header {
        number: 1,
        first_seq: 1,
        opened: NOW,
        chain: adapters::journal::frame::Chain::default(),
    };
    seed("records", "header", &[&[4], &header.bytes()]);
}

fn journal() {
    let changes: [(&str, &[u8]); 10] = [
        ("sound", &[0]),
        ("resealed", &[1]),
        ("a-byte-over", &[1, 0, 0, 200, 0, 0, 9]),
        ("cut-short", &[0, 1, 1, 0, 4]),
        ("a-bit", &[0, 6, 1, 100, 1, 3]),
        ("one-removed", &[0, 2, 0]),
        ("renamed", &[0, 3, 0, 4, 9, 0, 0, 0]),
        ("copied", &[1, 5, 0, 80, 0, 200, 0, 80, 2, 1]),
        ("a-tail", &[0, 7, 1, 3, 0, 1, 2, 3]),
        ("a-new-file", &[0, 4, 0, 0, 5, 0, 0, 0, 2, 0, 1, 1]),
    ];
    for (name, input) in changes {
        for asked in 0..3 {
            seed("journal", &format!("{name}-{asked}"), &[&[asked], input]);
        }
    }
}

fn bodies() {
    let key = r#""device_key":{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
    let confirmation =
        format!(r#"{{"amount":"12.50","currency":"EUR","epoch":4,{key},"signature":"{}"}}"#, "A".repeat(86));
    let log_in = format!(r#"{{"subscriber":"15550000001","code":"123456",{key}}}"#);
    for (which, text) in (0_u8..).zip([
        r#"{"subscriber":"+15550000001"}"#,
        &log_in,
        r#"{"terminal":"T1"}"#,
        &confirmation,
        r#"{"epoch":4}"#,
        r#"{"amount":"12.50","currency":"EUR","reference":"till 3 receipt 77","answer_within_seconds":60}"#,
        r#"{"idempotency_key":"sale-1"}"#,
        r#"{"amount":"2.500","currency":"TND"}"#,
    ]) {
        seed("bodies", &format!("body-{which}"), &[&[which], text.as_bytes()]);
    }
}

fn answers() {
    let about = format!(r#""payment":"{PAYMENT}","attempt":1,"amount":"12.50","currency":"EUR""#);
    let permit = format!(
        r#"{{"permit":"p-1","pay_url":"https://x.example/p","key":{{"kty":"EC"}},"expires_at":"2026-01-01T00:00:30Z","status":"permitted",{about}}}"#
    );
    let problem = |code: &str| format!(r#"{{"code":"{code}","status":409,"payment":"{PAYMENT}"}}"#);
    let says = |rest: &str| format!("{{{about},{rest}}}");
    for (name, question, status, body) in [
        ("permit", 0, 1, permit),
        ("permit-refused", 0, 11, problem("refused")),
        ("paid", 1, 0, says(r#""status":"paid","reference":"debit-1""#)),
        ("insufficient", 1, 7, problem("insufficient_funds")),
        ("found-paid", 2, 0, says(r#""status":"paid","reference":"debit-1""#)),
        ("found-failed", 2, 0, says(r#""status":"failed","reason":"wrong_credentials""#)),
        ("found-pending", 2, 0, says(r#""status":"pending""#)),
        ("found-nothing", 2, 8, problem("no_such_payment")),
        ("found-tombstone", 2, 0, format!(r#"{{"payment":"{PAYMENT}","status":"reversed"}}"#)),
        ("reversed", 3, 0, says(r#""status":"reversed","effect":"nothing_to_undo""#)),
        ("too-late", 3, 9, problem("too_late")),
        ("refunded", 4, 1, says(r#""status":"refunded","refund":"r1""#)),
        ("exceeds", 4, 11, problem("exceeds_payment")),
    ] {
        seed("answers", name, &[&[question, status], body.as_bytes()]);
    }
}

fn callback() {
    let paid = format!(
        r#"{{"payment":"{PAYMENT}","attempt":1,"status":"paid","amount":"12.50","currency":"EUR","reference":"debit-1"}}"#
    );
    let failed = format!(
        r#"{{"payment":"{PAYMENT}","attempt":1,"status":"failed","amount":"12.50","currency":"EUR","reason":"account_blocked"}}"#
    );
    let key = SharedSecret::parse(SECRET).expect("a secret");
    for (name, body) in [("paid", &paid), ("failed", &failed)] {
        let stamp = key.stamp_message("evt_1".to_owned(), NOW, body.as_bytes());
        let head = [stamp.id, stamp.timestamp, stamp.signature].map(|text| piece(text.as_bytes())).concat();
        seed("callback", &format!("{name}-as-it-came"), &[&[0], &head, body.as_bytes()]);
        seed("callback", &format!("{name}-spoilt"), &[&[1, 20, 0, 1], body.as_bytes()]);
        seed("callback", &format!("{name}-read"), &[&[2], body.as_bytes()]);
    }
}

fn config() {
    let sound = r#"[node]
journal = "journal"
read_model = "read-model.sqlite"
[login]
codes = "page"
[[platform]]
id = "sandbox"
kind = "sandbox"
url = "http://127.0.0.1:8082"
secret = { env = "S" }
[[merchant]]
id = "M"
name = "Kiosk"
limits = { EUR = "50.00" }
routes = { EUR = "sandbox" }
"#;
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let terminal = format!("[[terminal]]\nid = \"T1\"\nmerchant = \"M\"\nkey_sha256 = \"{digest}\"\n");
    let line = format!("{{\"id\":\"T2\",\"merchant\":\"M\",\"key_sha256\":\"{digest}\"}}\n");
    let wide = "[patience]\nanswer_seconds = 30\n[limits]\ninside_max = 1000\n[admin]\nlisten = \"0.0.0.0:9090\"\nplain = \"anywhere\"\ntoken = { file = \"t.txt\" }\n";
    seed("config", "sound", &[sound.as_bytes(), terminal.as_bytes()]);
    seed(
        "config",
        "two-terminals",
        &[sound.as_bytes(), terminal.as_bytes(), terminal.replace("T1", "T3").as_bytes()],
    );
    seed("config", "a-list", &[b"terminals_file = \"t.jsonl\"\n", sound.as_bytes(), &[0], line.as_bytes()]);
    seed("config", "wide", &[wide.as_bytes(), sound.as_bytes()]);
    let line = "[[lines]]\nname = \"shops\"\nlisten = \"127.0.0.1:8583\"\nframing = \"len2+tpdu\"\ndialect = \"iso87-bcd\"\n";
    seed("config", "a-line", &[sound.as_bytes(), line.as_bytes()]);
    seed(
        "config",
        "tls",
        &[
            sound.replace("http://", "https://").as_bytes(),
            b"[phones]\nlisten = \"127.0.0.1:1\"\ntls = { certificate = \"c\", key = \"k\" }\n",
        ],
    );
}

fn envelope() {
    let key = SealKey::generate(&Loaded).expect("a key");
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, key.jwk().x, key.jwk().y);
    let terms = SealTerms {
        payment: PAYMENT,
        money: money(),
        merchant: MerchantId::new("corner-shop").expect("an id"),
        permit: "permit-1",
        expires: Deadline::at(NOW),
    };
    let credential = Credential { account: "anna", password: "correct horse" };
    let sealed = seal(&jwk, &terms, credential, &Loaded).expect("a sealed credential");
    seed("envelope", "sealed", &[&[0], sealed.as_bytes()]);
    let parts: Vec<Vec<u8>> = sealed.split('.').map(|part| decoded(part)).collect();
    let pieces: Vec<Vec<u8>> = [0, 2, 3, 4].iter().map(|at| piece(&parts[*at])).collect();
    seed("envelope", "its-parts", &[&[1], &pieces.concat()]);
    seed("envelope", "for-a-key", &[&[0xec], &piece(jwk.as_bytes()), &piece(b"anna")]);
}

fn frame() {
    for (which, name) in (0_u8..).zip(FRAMINGS) {
        let framing: Framing = name.parse().expect("a framing");
        let header = match framing.header() {
            HeaderForm::None => Header::none(),
            HeaderForm::Tpdu => Header::tpdu([0, 3], [0, 0]),
            HeaderForm::TpduPlus(_) => {
                Header::tpdu_plus([0, 3], [0, 0], &[0x60, 0x31, 0x00, 0x31, 0x03, 0x10])
            }
            HeaderForm::Opaque(count) => Header::opaque(&vec![0x31; usize::from(count)]),
        };
        let mut one = bytes::BytesMut::new();
        framing.wrap(&header, b"0800 an echo", &mut one).expect("a frame");
        let zero: &[u8] = if name.starts_with("ascii4") { b"0000" } else { &[0, 0] };
        seed("frame", &name.replace('+', "-"), &[&[which, 7], &one]);
        seed("frame", &format!("{}-alive", name.replace('+', "-")), &[&[which, 1], zero, &one]);
    }
}

fn decoded(part: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

/// Chip data, as a terminal sends it and as an issuer answers it.
const CHIP: &[u8] = b"\x9f\x26\x08\0\x01\x02\x03\x04\x05\x06\x07\x95\x05\0\0\0\0\0\x9a\x03\x26\x11\x22\x9f\x33\x03\xe0\xf8\xc8\x84\x07\xa0\0\0\x03\x33\x01\x01";

fn message() {
    let vectors = here().join("../../adapters/tests/vectors/iso8583_messages.json");
    let text = std::fs::read_to_string(vectors).expect("the vectors");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    for vector in vectors {
        let said = |key: &str| vector[key].as_str().expect("a text").to_owned();
        let which = Dialect::ALL.iter().position(|name| *name == said("dialect")).expect("a dialect");
        let digits = said("hex");
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
        let frame: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        let name = format!("{}-{}", said("dialect"), said("mti"));
        seed("message", &name, &[&[u8::try_from(which).expect("few")], &frame]);
    }
    for (which, name) in (0_u8..).zip(Dialect::ALL).skip(3) {
        let dialect = Dialect::named(name).expect("a dialect");
        let mti = if dialect.version() == 1 { "1200" } else { "0200" };
        let mut builder = Builder::new(dialect, mti.parse().expect("a type"));
        for (n, text) in
            [(2, "4012345678909"), (4, "1"), (11, "000123"), (22, ""), (32, "12345"), (60, "22000001")]
        {
            let text = if (n, name) == (22, "cup-pos") { "071" } else { text };
            builder.set(n, text).ok();
        }
        builder.set_bytes(55, CHIP).expect("a field").set(64, "0102030405060708").expect("a field");
        let mut frame = bytes::BytesMut::new();
        builder.finish(&mut frame).expect("a message");
        seed("message", &format!("{name}-{mti}"), &[&[which], &frame]);
    }
}

fn tlv() {
    seed("tlv", "chip", &[CHIP]);
    seed(
        "tlv",
        "an-answer",
        &[b"\x91\x0a\0\x01\x02\x03\x04\x05\x06\x070\0\x8a\x0200\x71\x07\x9f\x18\x04\0\0\0\x01"],
    );
    seed("tlv", "longer-lengths", &[b"\x72\x81\x02\x01\x02\xdf\x81\x0c\x82\0\x01\x02\x5a\0"]);
}
