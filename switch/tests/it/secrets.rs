//! Nothing that the switch writes or says to others holds a payer's account or password, a terminal's key, a token or a code.
//!
//! A real `turnout serve` that logs everything it can plays a sale with canaries for secrets; then all that it ever wrote is
//! searched for them in every coding in which they might hide. The same search has to find canaries that are planted.
use crate::house::{Log, Site, TillKey, heard, hex, turnout};
use actors::domain::money::Money;
use adapters::players::phone::Script;
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::PaymentSeen;
use adapters::players::till::{Order, Sale};
use adapters::seal::Credential;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const ACCOUNT: &str = "canary-account-9d41c07be2";
const PASSWORD: &str = "canary-password-5f20ba83c6";
const WRONG: &str = "canary-wrong-password-71e4";
const TILL_KEY: &str = "canary-terminal-key-e83b1f";
const SUBSCRIBER: &str = "+9990001410";
const SOON: Duration = Duration::from_secs(10);

/// What the switch wrote or said, by where it was.
type Writings = BTreeMap<String, Vec<u8>>;

#[actix_web::test]
async fn the_switch_keeps_and_tells_no_secret_however_much_it_logs() {
    let till = TillKey { id: "T0".to_owned(), key: TILL_KEY.to_owned() };
    let site = Site::new(vec![till], Credential { account: ACCOUNT, password: PASSWORD });
    let log = site.folder.path().join("log");
    let mut switch = site.opened(Log::Everything(&log)).await;
    let (token, code, paid) = a_sale(&site).await;
    let mut writings = Writings::new();
    bad_requests(&site, &paid, &token, &mut writings).await;
    told_to_operators(&site, &paid.id, &mut writings).await;
    files(site.folder.path(), &mut writings);
    let pid = rustix::process::Pid::from_raw(i32::try_from(switch.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(switch.wait().await.unwrap().success());
    told_from_the_journal(&site, &paid.id, &mut writings).await;
    files(site.folder.path(), &mut writings);

    assert!(writings["log"].len() > 10_000, "a switch that says nothing proves nothing");
    for (place, known) in [
        ("journal/0000000001.segment", "Kiosk"),
        ("read-model.sqlite", "Kiosk"),
        ("/metrics", "turnout_payments_total"),
        ("/v1/payments", "Kiosk"),
        ("turnout trace", "took the money"),
    ] {
        assert!(contains(&writings[place], known.as_bytes()), "{place} is not what it should be");
    }
    let secrets = [ACCOUNT, PASSWORD, WRONG, TILL_KEY, &token];
    let hits: Vec<String> = secrets.iter().flat_map(|secret| hits(&writings, secret)).collect();
    assert!(hits.is_empty(), "{hits:#?}");
    let shown = lone(&writings["log"], &code);
    assert!(!shown, "the one-time code {code} is in the log");
}

#[test]
fn a_planted_canary_is_found_in_every_coding_and_at_every_place() {
    let text = "nothing to see here ".repeat(50);
    let plain: Writings = [("log".to_owned(), text.clone().into_bytes())].into();
    assert_eq!(hits(&plain, PASSWORD), Vec::<String>::new());
    let wide = |bytes: fn(u16) -> [u8; 2]| PASSWORD.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let hex = hex(PASSWORD.as_bytes());
    let mut planted = vec![
        PASSWORD.as_bytes().to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ];
    for before in ["", "a", "ab", "T0:", "any prefix at all"] {
        let wrapped = format!("{before}{PASSWORD} and after");
        planted.push(STANDARD_NO_PAD.encode(&wrapped).into_bytes());
        planted.push(URL_SAFE_NO_PAD.encode(&wrapped).into_bytes());
    }
    for planted in planted {
        let bytes = [text.as_bytes(), &planted, text.as_bytes()].concat();
        let found = hits(&[("log".to_owned(), bytes)].into(), PASSWORD);
        assert_eq!(found.len(), 1, "{} was not found", String::from_utf8_lossy(&planted));
    }
    assert!(lone(br#"{"code":"123456"}"#, "123456") && lone(b"code=123456", "123456"));
    assert!(!lone(b"08:15:00.123456Z 9123456 123456abc", "123456"));
}

/// A wrong password, then the right one; the token, the code and the payment.
async fn a_sale(site: &Site) -> (String, String, PaymentSeen) {
    let mut phone = site.phone();
    let code = phone.ask_code(SUBSCRIBER).await.unwrap().code.unwrap();
    let token = phone.log_in(SUBSCRIBER, &code).await.unwrap().access_token;
    phone.bind("T0").await.unwrap();
    let money = Money::parse("12.50", "EUR").unwrap();
    let order = Order::new(&site.surroundings, money, Duration::from_secs(30)).unwrap();
    let mut till = site.till(0);
    let sealer = DiceSealer(site.surroundings.dice.clone());
    let script = [Credential { account: ACCOUNT, password: WRONG }, site.account()];
    let paying = async {
        let mut events = phone.events().unwrap();
        let asked = phone.awaits_confirmation(&mut events, Some("T0")).await.unwrap();
        phone.play(asked, Script::Pay(&script), &sealer).await.unwrap()
    };
    let (sale, paid) = tokio::join!(till.sell(&order), paying);
    assert!(matches!(sale.unwrap(), Sale::Approved { .. }));
    (token, code, paid)
}

/// Clients that put secrets where they do not belong: no answer repeats them, whatever is wrong with the request.
async fn bad_requests(site: &Site, paid: &PaymentSeen, token: &str, writings: &mut Writings) {
    let authorizations = [
        ("phone", format!("Bearer {token}")),
        ("till", format!("Basic {}", STANDARD.encode(format!("T0:{TILL_KEY}")))),
        ("nobody", String::new()),
    ];
    for (number, bad) in bad_requests_with(&paid.id).into_iter().enumerate() {
        let Bad { door, line, who, media_type, body } = bad;
        let authorization = &authorizations.iter().find(|(name, _)| *name == who).unwrap().1;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: switch\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
             Idempotency-Key: bad-{number}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let port = if door == "phones" { site.ports.phones } else { site.ports.terminals };
        let answer = heard(port, request.as_bytes(), SOON).await;
        assert!(answer.status().is_some_and(|status| (400..500).contains(&status)), "{line}: {answer:?}");
        writings.insert(format!("the answer to bad request {number}, {line}"), answer.text.into_bytes());
    }
}

struct Bad {
    door: &'static str,
    line: String,
    who: &'static str,
    media_type: &'static str,
    body: String,
}

fn bad_requests_with(id: &str) -> Vec<Bad> {
    const JOSE: &str = "application/jose";
    const JSON: &str = "application/json";
    let unsealed = format!(r#"{{"account":"{ACCOUNT}","password":"{PASSWORD}"}}"#);
    let credential = &format!("POST /v1/payments/{id}/credential?attempt=1");
    let decline = &format!("POST /v1/payments/{id}/decline");
    let bad = |door, line: &str, who, media_type, body: String| Bad {
        door,
        line: line.into(),
        who,
        media_type,
        body,
    };
    let phone = |line: &str, media_type, body| bad("phones", line, "phone", media_type, body);
    let log_in = |body| bad("phones", "POST /v1/login", "nobody", JSON, body);
    let till = |line: &str, body| bad("terminals", line, "till", JSON, body);
    vec![
        phone(credential, JOSE, unsealed.clone()),
        phone(credential, JSON, unsealed.clone()),
        phone(credential, JOSE, format!("{PASSWORD}.{ACCOUNT}.a.b.c")),
        phone(decline, JSON, format!(r#"{{"epoch":"{PASSWORD}"}}"#)),
        phone("PUT /v1/binding", JSON, format!(r#"{{"terminal":"{PASSWORD}"}}"#)),
        log_in(format!(r#"{{"subscriber":"{ACCOUNT}","code":"{PASSWORD}"}}"#)),
        log_in(format!(r#"{{"subscriber":"{SUBSCRIBER}","code":"{PASSWORD}","device_key":"{ACCOUNT}"}}"#)),
        log_in(format!("{PASSWORD}{unsealed}")),
        till("POST /v1/payments", format!(r#"{{"amount":"{PASSWORD}","currency":"{TILL_KEY}"}}"#)),
        till("POST /v1/callbacks/sandbox", unsealed),
        bad("phones", "GET /v1/payments", "till", JSON, String::new()),
        bad("terminals", "GET /v1/terminal", "phone", JSON, String::new()),
    ]
}

async fn told_to_operators(site: &Site, id: &str, writings: &mut Writings) {
    let trace = format!("/v1/payments/{id}/trace");
    // The read model follows within moments.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for path in ["/metrics", "/v1/payments", "/v1/overview", "/v1/outbox", "/readyz", &trace] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = heard(site.ports.admin, request.as_bytes(), SOON).await;
        assert_eq!(answer.status(), Some(200), "{path}: {answer:?}");
        writings.insert(path.to_owned(), answer.text.into_bytes());
    }
}

async fn told_from_the_journal(site: &Site, id: &str, writings: &mut Writings) {
    let journal = site.journal();
    let [journal, id] = [journal.to_str().unwrap(), id];
    for (name, arguments) in [
        ("turnout trace", vec!["trace", "--journal", journal, id]),
        ("turnout journal show", vec!["journal", "show", journal]),
    ] {
        let output = turnout().args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        writings.insert(name.to_owned(), [output.stdout, output.stderr].concat());
    }
}

/// Every file in the folder but the two secrets and the configuration, which the operator wrote.
fn files(folder: &Path, writings: &mut Writings) {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !["platform.secret", "token.secret", "turnout.toml"].contains(&name.as_str()) {
                // What was there while it ran and is gone after it closed stays searched.
                let bytes = std::fs::read(&path).unwrap();
                writings.entry(name).or_default().extend(bytes);
            }
        }
    }
}

/// Where `secret` is, in whatever coding.
fn hits(writings: &Writings, secret: &str) -> Vec<String> {
    let needles = needles(secret);
    let holds =
        |bytes: &[u8]| needles.iter().find(|(_, needle)| contains(bytes, needle)).map(|(coding, _)| *coding);
    let found = writings.iter().filter_map(|(place, bytes)| Some((place, holds(bytes)?)));
    found.map(|(place, coding)| format!("{secret} is in {place}, {coding}")).collect()
}

fn needles(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex = hex(secret.as_bytes());
    let mut needles = vec![
        ("plain", secret.as_bytes().to_vec()),
        ("in upper hex", hex.to_uppercase().into_bytes()),
        ("in hex", hex.into_bytes()),
        ("in UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("in UTF-16, big end first", secret.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ];
    for before in 0..3 {
        // Only the characters that depend on nothing around the secret.
        let shifted = [vec![0; before], secret.as_bytes().to_vec()].concat();
        let sure = (before * 8).div_ceil(6)..shifted.len() * 8 / 6;
        needles.push(("in base64", STANDARD_NO_PAD.encode(&shifted).as_bytes()[sure.clone()].to_vec()));
        needles.push(("in base64url", URL_SAFE_NO_PAD.encode(&shifted).as_bytes()[sure].to_vec()));
    }
    needles
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Whether these digits stand alone somewhere: not inside a number, a word, or the fraction of a second.
fn lone(bytes: &[u8], digits: &str) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
    bytes.windows(digits.len()).enumerate().any(|(at, window)| {
        window == digits.as_bytes()
            && !joins(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !joins(bytes.get(at + digits.len()))
    })
}
