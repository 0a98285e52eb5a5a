//! A listener over real sockets: its limits on connections, its threads, TLS, and how it closes.
use super::parrot::{Counted, Perch, Terminal, frame, settings};
use actix_rt::Arbiter;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use switch::line::{BoundLine, LineSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The line, open on this thread and two others.
fn open(settings: LineSettings, tls: Option<ServerConfig>) -> (Perch, SocketAddr) {
    let perch = Perch::with(settings);
    let bound = BoundLine::bind(Arc::clone(perch.line()), LOOPBACK, tls).unwrap();
    let address = bound.address().unwrap();
    let workers = [Arbiter::new(), Arbiter::new()].map(|arbiter| arbiter.handle());
    bound.serve(perch.answering(), [&[Arbiter::current()], &workers[..]].concat());
    (perch, address)
}

async fn connected(address: SocketAddr) -> Terminal<TcpStream> {
    Terminal::at(TcpStream::connect(address).await.unwrap())
}

#[actix_web::test]
async fn terminals_on_every_thread_are_answered() {
    let (perch, address) = open(settings(), None);
    let mut terminals = Vec::new();
    for number in 0..6 {
        let mut terminal = connected(address).await;
        terminal.say(&format!("0200as T{}", number % 3)).await;
        terminals.push(terminal);
    }
    for (number, terminal) in terminals.iter_mut().enumerate() {
        assert_eq!(terminal.hear().await.unwrap(), format!("0200as T{}", number % 3));
    }
    assert_eq!((perch.line().connections(), perch.lines.terminals()), (6, (3, 3)));
    drop(terminals);
    perch.lines.emptied(Duration::from_secs(5)).await;
    assert_eq!((perch.line().connections(), perch.lines.terminals()), (0, (0, 3)));
}

#[actix_web::test]
async fn beyond_the_limit_a_connection_is_closed_at_once_and_a_free_place_is_given_again() {
    let counted = Counted::here();
    let (_perch, address) = open(LineSettings { connections_max: 2, ..settings() }, None);
    let mut inside = [connected(address).await, connected(address).await];
    for terminal in &mut inside {
        terminal.say("0800echo").await;
        terminal.hear().await.unwrap();
    }
    assert_eq!(connected(address).await.hear().await, None);
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="full"}"#), "1");
    let [first, _second] = inside;
    drop(first);
    let answered = async {
        loop {
            let mut again = connected(address).await;
            // What is hung up on may not even take the question.
            drop(again.stream.write_all(&frame("0800echo")).await);
            if again.hear().await.is_some() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), answered).await.unwrap();
}

#[actix_web::test]
async fn one_peer_cannot_take_every_place_of_a_line() {
    let counted = Counted::here();
    let (perch, address) = open(LineSettings { per_peer_max: 2, ..settings() }, None);
    let mut greedy = [connected(address).await, connected(address).await];
    for terminal in &mut greedy {
        terminal.say("0800echo").await;
        terminal.hear().await.unwrap();
    }
    assert_eq!(connected(address).await.hear().await, None);
    assert_eq!(counted.value(r#"turnout_line_closed_total{line="shops",reason="peer_full"}"#), "1");
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let mut neighbour = Terminal::at(elsewhere.connect(address).await.unwrap());
    neighbour.say("0800echo").await;
    assert_eq!(neighbour.hear().await.unwrap(), "0800echo", "from another address");
    drop(greedy);
    while perch.line().connections() > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut again = connected(address).await;
    again.say("0800echo").await;
    assert_eq!(again.hear().await.unwrap(), "0800echo", "its places are free again");
}

#[actix_web::test]
async fn a_peer_that_sends_without_end_is_held_back_by_the_network_itself() {
    let (perch, address) = open(LineSettings { in_flight_max: 8, ..settings() }, None);
    let mut eager = TcpStream::connect(address).await.unwrap();
    let flood = frame("0200hang").repeat(1_000_000);
    let blocked = tokio::time::timeout(Duration::from_secs(2), eager.write_all(&flood)).await;
    assert!(blocked.is_err(), "its writes block");
    assert_eq!((perch.heard(), perch.line().in_flight()), (8, 8));
}

#[actix_web::test]
async fn a_slow_byte_a_flood_and_a_huge_frame_leave_a_neighbour_undisturbed() {
    let frame_within = Duration::from_millis(300);
    let (perch, address) = open(LineSettings { frame_within, ..settings() }, None);
    let mut neighbour = connected(address).await;
    let mut slow = connected(address).await;
    slow.send(&frame("0200echo")[..9]).await;
    let mut flood = connected(address).await;
    flood.send(&[0; 10_000]).await;
    let mut huge = connected(address).await;
    huge.send(&[0xff; 5]).await;
    for hostile in [&mut slow, &mut flood, &mut huge] {
        let heard = tokio::time::timeout(Duration::from_secs(10), hostile.hear_out()).await.unwrap();
        assert!(heard.len() <= 10 && heard.iter().all(|heard| heard == "alive"), "{heard:?}");
    }
    neighbour.say("0800echo").await;
    assert_eq!(neighbour.hear().await.unwrap(), "0800echo");
    drop(slow);
    drop(flood);
    drop(huge);
    let alone = async {
        while perch.line().connections() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), alone).await.unwrap();
}

#[actix_web::test]
async fn a_line_that_closes_takes_nobody_and_finishes_what_it_began() {
    let (perch, address) = open(settings(), None);
    let mut waiting = connected(address).await;
    waiting.say("0200wait 300").await;
    let mut quiet = connected(address).await;
    quiet.say("0800echo").await;
    quiet.hear().await.unwrap();
    perch.lines.drain();
    assert_eq!(waiting.hear_out().await, ["0200wait 300"]);
    assert_eq!(quiet.hear().await, None);
    perch.lines.emptied(Duration::from_secs(5)).await;
    assert_eq!(perch.line().connections(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[actix_web::test]
async fn a_line_with_tls_answers_whoever_shows_the_right_certificate_and_nobody_else() {
    let authority = Authority::new();
    let (perch, address) = open(settings(), Some(authority.server()));
    let mut known = Terminal::at(authority.connected(address, Some("till-1")).await.unwrap());
    known.say("0800echo").await;
    assert_eq!(known.hear().await.unwrap(), "0800echo");
    // In TLS 1.3 a client learns of its refusal with the first answer.
    if let Ok(stream) = authority.connected(address, None).await {
        let mut stranger = Terminal::at(stream);
        drop(stranger.stream.write_all(&frame("0800echo")).await);
        assert_eq!(stranger.hear().await, None);
    }
    let mut plain = connected(address).await;
    drop(plain.stream.write_all(&frame("0800echo")).await);
    let mut said = Vec::new();
    drop(tokio::io::AsyncReadExt::read_to_end(&mut plain.stream, &mut said).await);
    assert!(said.len() <= 7, "a TLS alert at most: {said:?}");
    assert_eq!(perch.heard(), 1);
}

/// Signs for both ends.
pub struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self { issuer: rcgen::CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn signed(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        (vec![certificate.der().clone()], key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// Only whoever shows a certificate of this authority is let in.
    pub fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots(), provider.clone()).build().unwrap();
        let (chain, key) = self.signed("localhost");
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        versions.unwrap().with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap()
    }

    /// A client whose certificate bears this name, or that has none.
    pub async fn connected(
        &self,
        address: SocketAddr,
        name: Option<&str>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let trusting = versions.unwrap().with_root_certificates(self.roots());
        let config = if let Some(name) = name {
            let (chain, key) = self.signed(name);
            trusting.with_client_auth_cert(chain, key).unwrap()
        } else {
            trusting.with_no_client_auth()
        };
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }
}
