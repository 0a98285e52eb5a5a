//! The callers: a phone and a till that make sales of every ending, and clients that put secrets where they do not belong.
//!
//! They know the secrets; what they hear is kept for the search. Nothing here looks for anything.
use super::search::{Writings, percent};
use super::{ACCOUNT, ADMIN_TOKEN, PASSWORD, SUBSCRIBER, TILL_KEY, WRONG};
use crate::house::{Site, heard};
use actors::domain::identity::RefundId;
use actors::domain::money::Money;
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::{PaymentSeen, Status};
use adapters::players::till::{Order, Sale, Till};
use adapters::seal::Credential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// A phone that stands at a till.
pub struct Pair {
    pub phone: Phone,
    pub till: Till,
    pub token: String,
}

/// Logs in, with a wrong code first.
pub async fn stands_there(site: &Site, mut phone: Phone, code: &str) -> Pair {
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert!(phone.log_in(SUBSCRIBER, wrong).await.is_err());
    let token = phone.log_in(SUBSCRIBER, code).await.unwrap().access_token;
    phone.bind("T0").await.unwrap();
    Pair { phone, till: site.till(0), token }
}

impl Pair {
    /// A sale of each ending; the first payment, which was approved.
    pub async fn sales(&mut self, site: &Site) -> PaymentSeen {
        let right = Credential { account: ACCOUNT, password: PASSWORD };
        let wrong = Credential { account: ACCOUNT, password: WRONG };
        let (sale, paid) = self.sale(site, &[wrong, right]).await;
        assert!(matches!(sale, Sale::Approved { .. }), "{sale:?}");
        let (_, refused) = self.sale(site, &[wrong, wrong, wrong]).await;
        assert_eq!(refused.response_code.as_deref(), Some("55"), "{refused:?}");
        let (_, reversed) = self.sale(site, &[right]).await;
        let reversed = self.till.reverse(&reversed.id).await.unwrap();
        assert!([Status::Reversing, Status::Reversed].contains(&reversed.status), "{reversed:?}");
        let (_, refunded) = self.sale(site, &[right]).await;
        let refund = RefundId::new("refund-1").unwrap();
        let refunded = self.till.refund(&refunded.id, &refund, Money::parse("2.00", "EUR").unwrap()).await;
        assert_eq!(refunded.unwrap().refunds.len(), 1);
        paid
    }

    async fn sale(&mut self, site: &Site, script: &[Credential<'_>]) -> (Sale, PaymentSeen) {
        let Self { phone, till, .. } = self;
        phone.bind("T0").await.unwrap();
        let money = Money::parse("12.50", "EUR").unwrap();
        let order = Order::new(&site.surroundings, money, Duration::from_secs(30)).unwrap();
        let sealer = DiceSealer(site.surroundings.dice.clone());
        let paying = async {
            let mut events = phone.events().unwrap();
            let asked = phone.awaits_confirmation(&mut events, Some("T0")).await.unwrap();
            phone.play(asked, Script::Pay(script), &sealer).await.unwrap()
        };
        let (sale, seen) = tokio::join!(till.sell(&order), paying);
        (sale.unwrap(), seen)
    }
}

/// What the operator's door says, with its token.
pub async fn told_to_operators(site: &Site, id: &str, writings: &mut Writings) {
    let trace = format!("/v1/payments/{id}/trace");
    // The read model follows within moments.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for path in [
        "/",
        "/openapi.json",
        "/livez",
        "/readyz",
        "/metrics",
        "/v1/payments",
        "/v1/overview",
        "/v1/outbox",
        "/v1/lines",
        "/v1/terminals",
        &trace,
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
        );
        let answer = heard(site.ports.admin, request.as_bytes(), SOON).await;
        assert_eq!(answer.status(), Some(200), "{path}: {answer:?}");
        writings.insert(path.to_owned(), answer.text.into_bytes());
    }
}

/// Clients that put secrets where they do not belong; what they are answered is kept.
pub async fn bad_requests(site: &Site, id: &str, token: &str, writings: &mut Writings) {
    let basic = format!("Basic {}", STANDARD.encode(format!("T0:{TILL_KEY}")));
    let phone = format!("Bearer {token}");
    let admin = format!("Bearer {ADMIN_TOKEN}");
    let swapped = format!("Bearer {TILL_KEY}");
    let ports = site.ports;
    for (number, bad) in bad_requests_with(id).into_iter().enumerate() {
        let (port, authorization) = match bad.who {
            Who::Phone => (ports.phones, phone.as_str()),
            Who::StrangerAtPhones => (ports.phones, ""),
            Who::TillAtPhones => (ports.phones, basic.as_str()),
            Who::Till => (ports.terminals, basic.as_str()),
            Who::PhoneAtTerminals => (ports.terminals, phone.as_str()),
            Who::Operator => (ports.admin, admin.as_str()),
            Who::TillAtAdmin => (ports.admin, swapped.as_str()),
        };
        let Bad { line, headers, body, .. } = bad;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = heard(port, request.as_bytes(), SOON).await;
        let place = format!("the answer to bad request {number}, {line}");
        assert!(answer.status().is_some_and(|status| (400..500).contains(&status)), "{place}: {answer:?}");
        writings.insert(place, answer.text.into_bytes());
    }
}

#[derive(Clone, Copy)]
enum Who {
    Phone,
    StrangerAtPhones,
    TillAtPhones,
    Till,
    PhoneAtTerminals,
    Operator,
    TillAtAdmin,
}

struct Bad {
    who: Who,
    line: String,
    headers: String,
    body: String,
}

fn bad(who: Who, line: impl Into<String>, headers: impl Into<String>, body: impl Into<String>) -> Bad {
    Bad { who, line: line.into(), headers: headers.into(), body: body.into() }
}

const JOSE: &str = "Content-Type: application/jose\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn bad_requests_with(id: &str) -> Vec<Bad> {
    let unsealed = format!(r#"{{"account":"{ACCOUNT}","password":"{PASSWORD}"}}"#);
    let keyed = format!("{JSON}Idempotency-Key: bad\r\n");
    // What cannot be parsed comes first: what it said stays until the same worker parses something again.
    let all =
        [anywhere(&unsealed, &keyed), at_phones(id, &unsealed), at_terminals(&unsealed, &keyed), at_admin()];
    all.into_iter().flatten().collect()
}

fn at_phones(id: &str, unsealed: &str) -> Vec<Bad> {
    use Who::{Phone, StrangerAtPhones, TillAtPhones};
    let credential = &format!("POST /v1/payments/{id}/credential?attempt=1");
    let log_in = |body: String| bad(StrangerAtPhones, "POST /v1/login", JSON, body);
    let secret_path = percent(PASSWORD.as_bytes(), u8::is_ascii_alphanumeric);
    vec![
        bad(Phone, credential, JOSE, unsealed),
        bad(Phone, credential, JSON, unsealed),
        bad(Phone, credential, JOSE, format!("{PASSWORD}.{ACCOUNT}.a.b.c")),
        bad(Phone, format!("POST /v1/payments/{id}/credential?attempt={secret_path}"), JOSE, unsealed),
        bad(Phone, format!("POST /v1/payments/{id}/credential?attempt=1&{secret_path}=1"), JOSE, unsealed),
        bad(Phone, format!("POST /v1/payments/{id}/decline"), JSON, format!(r#"{{"epoch":"{PASSWORD}"}}"#)),
        bad(Phone, format!("POST /v1/payments/{id}/confirmation"), JSON, unsealed),
        bad(Phone, format!("POST /v1/payments/{secret_path}/confirmation"), JSON, unsealed),
        bad(Phone, "PUT /v1/binding", JSON, format!(r#"{{"terminal":"{PASSWORD}"}}"#)),
        bad(Phone, "PUT /v1/binding", JSON, format!(r#"{{"{PASSWORD}":"T0"}}"#)),
        bad(Phone, format!("GET /v1/payments/history?limit={secret_path}"), "", ""),
        log_in(format!(r#"{{"subscriber":"{ACCOUNT}","code":"{PASSWORD}"}}"#)),
        log_in(format!(r#"{{"subscriber":"{SUBSCRIBER}","code":"{PASSWORD}","device_key":"{ACCOUNT}"}}"#)),
        log_in(format!(
            r#"{{"subscriber":"{SUBSCRIBER}","code":"{PASSWORD}","device_key":{{"kty":"{PASSWORD}","crv":"{ACCOUNT}"}}}}"#
        )),
        log_in(format!(r#"{{"subscriber":"{SUBSCRIBER}","code":"1","device_key":{{"{ACCOUNT}":1}}}}"#)),
        log_in(format!("{PASSWORD}{unsealed}")),
        bad(StrangerAtPhones, "POST /v1/login/codes", JSON, format!(r#"{{"subscriber":"{PASSWORD}"}}"#)),
        bad(TillAtPhones, "GET /v1/payments", "", ""),
    ]
}

fn at_terminals(unsealed: &str, keyed: &str) -> Vec<Bad> {
    use Who::{PhoneAtTerminals, Till};
    let secret_path = percent(TILL_KEY.as_bytes(), u8::is_ascii_alphanumeric);
    let order = |rest: &str| format!(r#"{{"amount":"1.00","currency":"EUR"{rest}}}"#);
    vec![
        bad(
            Till,
            "POST /v1/payments",
            keyed,
            format!(r#"{{"amount":"{PASSWORD}","currency":"{TILL_KEY}"}}"#),
        ),
        bad(Till, "POST /v1/payments", keyed, order(&format!(r#","answer_within_seconds":"{PASSWORD}""#))),
        bad(Till, "POST /v1/payments", keyed, order(&format!(r#","{PASSWORD}":"{TILL_KEY}""#))),
        bad(
            Till,
            "POST /v1/payments",
            format!("{JSON}Idempotency-Key: {ACCOUNT} \"{PASSWORD}\r\n"),
            order(""),
        ),
        bad(Till, "POST /v1/reversals", JSON, format!(r#"{{"idempotency_key":"{ACCOUNT} {PASSWORD}"}}"#)),
        bad(Till, format!("POST /v1/payments/{secret_path}/refunds"), keyed, unsealed),
        bad(Till, "POST /v1/callbacks/sandbox", JSON, unsealed),
        bad(
            Till,
            "POST /v1/callbacks/sandbox",
            format!(
                "{JSON}webhook-id: {ACCOUNT}\r\nwebhook-timestamp: {PASSWORD}\r\nwebhook-signature: v1,{TILL_KEY}\r\n"
            ),
            unsealed,
        ),
        bad(Till, format!("POST /v1/callbacks/{secret_path}"), JSON, unsealed),
        bad(PhoneAtTerminals, "GET /v1/terminal", "", ""),
    ]
}

fn at_admin() -> Vec<Bad> {
    use Who::{Operator, TillAtAdmin};
    let secret = percent(PASSWORD.as_bytes(), u8::is_ascii_alphanumeric);
    vec![
        bad(Operator, format!("GET /v1/payments?terminal={secret}"), "", ""),
        bad(Operator, format!("GET /v1/payments?payer={secret}"), "", ""),
        bad(Operator, format!("GET /v1/payments?status={secret}"), "", ""),
        bad(Operator, format!("GET /v1/payments?limit={secret}"), "", ""),
        bad(Operator, format!("GET /v1/payments?{secret}=1"), "", ""),
        bad(Operator, format!("GET /v1/payments/{secret}/trace"), "", ""),
        bad(TillAtAdmin, "GET /v1/payments", "", ""),
    ]
}

/// What is refused before anybody looks at what it is.
fn anywhere(unsealed: &str, keyed: &str) -> Vec<Bad> {
    let secret = percent(PASSWORD.as_bytes(), u8::is_ascii_alphanumeric);
    let mut refused = Vec::new();
    for who in [Who::Phone, Who::Till, Who::Operator] {
        refused.extend([
            bad(who, format!("GET /{secret}?{secret}={secret}"), "", ""),
            bad(who, format!("GET /{PASSWORD}"), "", ""),
            bad(who, format!("{TILL_KEY} /v1/payments"), "", ""),
            bad(who, "DELETE /v1/payments", format!("X-Secret: {PASSWORD}\r\n"), ""),
            bad(who, "GET /v1/payments", format!("Transfer-Encoding: {PASSWORD}\r\n"), unsealed),
            bad(who, "GET /v1/payments", format!("{PASSWORD}: a header's name\r\n"), ""),
        ]);
    }
    refused.push(bad(
        Who::Till,
        "POST /v1/payments",
        format!("Idempotency-Key: k\r\nContent-Type: {PASSWORD}\r\n"),
        unsealed,
    ));
    refused.push(bad(Who::Till, "POST /v1/payments", keyed, format!("{unsealed}{}", PASSWORD.repeat(2_000))));
    refused
}
