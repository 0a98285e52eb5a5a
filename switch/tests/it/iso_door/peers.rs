//! Peers that show certificates, and the terminals that they may speak for.
use super::Pos;
use crate::lines::sockets::Authority;
use crate::world::{House, house};
use actix_rt::Arbiter;
use actors::domain::identity::TerminalId;
use actors::domain::response_code::ResponseCode;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use switch::iso::Peers;
use switch::line::BoundLine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A line over TLS where these names stand for these terminals.
fn open(house: &House, authority: &Authority, peers: &[(&str, &[&str])]) -> (Pos, SocketAddr) {
    let mut pos = Pos::speaking("iso87-ascii", house, ResponseCode::APPROVED);
    let terminals = |ids: &[&str]| ids.iter().map(|id| TerminalId::new(id).unwrap()).collect();
    let named = peers.iter().map(|(name, ids)| ((*name).to_owned().try_into().unwrap(), terminals(ids)));
    pos.door = pos.door.only_for(Peers::new(named));
    let bound = BoundLine::bind(Arc::clone(&pos.line), ([127, 0, 0, 1], 0).into(), Some(authority.server()));
    let bound = bound.unwrap();
    let address = bound.address().unwrap();
    bound.serve(Arc::new(pos.door.clone()), vec![Arbiter::current()]);
    (pos, address)
}

/// What each of these terminals is told when it asks for an echo over one connection.
async fn echoes(
    pos: &Pos,
    authority: &Authority,
    address: SocketAddr,
    name: &str,
) -> BTreeMap<&'static str, String> {
    let mut stream = authority.connected(address, Some(name)).await.unwrap();
    let mut told = BTreeMap::new();
    for terminal in ["T1", "T2"] {
        let message = pos.written("0800", &[(7, "1122101530"), (11, "000001"), (41, terminal), (70, "301")]);
        let length = u16::try_from(message.len()).unwrap();
        stream.write_all(&[&length.to_be_bytes()[..], &message[..]].concat()).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = pos.heard(&answer.into());
        told.insert(terminal, answer.fields[&39].clone());
    }
    told
}

#[actix_web::test]
async fn a_peer_speaks_for_the_terminals_of_its_certificate_and_for_no_other() {
    let (house, authority) = (house(), Authority::new());
    let peers: [(&str, &[&str]); 2] = [("shop-1.example", &["T1"]), ("host.example", &["T1", "T2"])];
    let (pos, address) = open(&house, &authority, &peers);
    for (name, first, second) in
        [("shop-1.example", "00", "58"), ("host.example", "00", "00"), ("shop-2.example", "58", "58")]
    {
        let told = echoes(&pos, &authority, address, name).await;
        assert_eq!((told["T1"].as_str(), told["T2"].as_str()), (first, second), "{name}");
    }
}

#[actix_web::test]
async fn a_message_of_a_foreign_terminal_does_nothing_and_counts_against_the_connection() {
    let (house, authority) = (house(), Authority::new());
    let (pos, address) = open(&house, &authority, &[("shop-1.example", &["T2"])]);
    let mut stream = authority.connected(address, Some("shop-1.example")).await.unwrap();
    let sale = pos.written("0200", &super::SALE);
    let framed = [&u16::try_from(sale.len()).unwrap().to_be_bytes()[..], &sale[..]].concat();
    // The connection may end before all of it is taken.
    drop(stream.write_all(&framed.repeat(1_000)).await);
    let mut heard = Vec::new();
    drop(stream.read_to_end(&mut heard).await);
    let told = String::from_utf8_lossy(&heard).matches("0210").count();
    assert!((1..1_000).contains(&told), "answered {told} times, then hung up on");
    assert!(house.journal.records().is_empty());
}
