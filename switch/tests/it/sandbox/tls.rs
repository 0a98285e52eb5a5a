//! Mutual TLS between switch and platform (OS-10): taken with a certificate, refused without or with a stranger's.
use super::bench::{Bench, PASSWORD, config};
use actors::domain::identity::PaymentId;
use actors::domain::payment::outcome::{PaymentOutcome, PermitOutcome};
use actors::domain::payment::phase::Attempt;
use adapters::http_client::{ClientIdentity, ClientTls};
use switch::sandbox::certificates::{Identity, Role, ThrowawayAuthority, mutual_tls};

const PAYMENT: PaymentId = PaymentId::from_bits(42);

fn bench(authority: &ThrowawayAuthority, trusted: &ThrowawayAuthority, client: Option<&Identity>) -> Bench {
    let server = authority.issue("localhost", Role::Server).unwrap();
    let mut config = config();
    config.tls = Some(mutual_tls(&authority.pem(), &server).unwrap());
    let identity = client.map(|client| ClientIdentity {
        certificates_pem: client.certificate_pem.as_bytes(),
        key_pem: client.key_pem.as_bytes(),
    });
    let tls = ClientTls::new(trusted.pem().as_bytes(), identity).unwrap();
    Bench::with(config, Some(tls), "https")
}

#[actix_web::test]
async fn os10_a_switch_with_a_certificate_is_served() {
    let authority = ThrowawayAuthority::new().unwrap();
    let client = authority.issue("switch", Role::Client).unwrap();
    let bench = bench(&authority, &authority, Some(&client));
    let interface = bench.granted(PAYMENT).await;
    assert!(interface.url.starts_with("https://"));
    assert!(matches!(bench.pay(PAYMENT, &interface, PASSWORD, 5_000).await, PaymentOutcome::Approved(_)));
}

#[actix_web::test]
async fn os10_a_switch_without_a_certificate_or_with_a_strangers_is_refused() {
    let (authority, stranger) = (ThrowawayAuthority::new().unwrap(), ThrowawayAuthority::new().unwrap());
    let forged = stranger.issue("switch", Role::Client).unwrap();
    for client in [None, Some(&forged)] {
        let bench = bench(&authority, &authority, client);
        let outcome = bench.permit(PAYMENT, Attempt::FIRST).await;
        assert!(matches!(outcome, PermitOutcome::Unknown | PermitOutcome::NotSent), "{outcome:?}");
        assert_eq!(bench.page(PAYMENT), None);
    }
}

#[actix_web::test]
async fn os10_a_platform_with_a_strangers_certificate_is_sent_nothing() {
    let (authority, trusted) = (ThrowawayAuthority::new().unwrap(), ThrowawayAuthority::new().unwrap());
    let bench = bench(&authority, &trusted, None);
    assert_eq!(bench.permit(PAYMENT, Attempt::FIRST).await, PermitOutcome::NotSent);
}
