//! Connections to this machine that come from many addresses, as those of many machines would.
//!
//! An address has some 28,000 ports towards a listener, and one that was used is taken for a minute after. A load that makes a
//! thousand connections a second from one address spends its time looking for a port soon, and calls that the switch's.
use actors::ports::Answer;
use adapters::http_client::{Link, Network, TcpNetwork};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::net::{TcpSocket, TcpStream};

/// How many addresses of 127.0.0.0/8 are used in turn.
const ADDRESSES: u8 = 32;

/// Whoever is somewhere else is connected to as ever.
#[derive(Default)]
pub struct ManyAddresses {
    next: AtomicU8,
}

impl Network for ManyAddresses {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        let Some(here) = host.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_loopback) else {
            return TcpNetwork.connect(host, port);
        };
        let own = Ipv4Addr::new(127, 0, 0, self.next.fetch_add(1, Ordering::Relaxed) % ADDRESSES + 1);
        Box::pin(async move {
            let socket = TcpSocket::new_v4()?;
            // Where a system has one address of these only, that is taken.
            let stream = match socket.bind(SocketAddr::from((own, 0))) {
                Ok(()) => socket.connect(SocketAddr::from((here, port))).await?,
                Err(_) => TcpStream::connect((here, port)).await?,
            };
            stream.set_nodelay(true)?;
            Ok(Link::new(stream))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[tokio::test]
    async fn connections_come_from_many_addresses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, network) = (listener.local_addr().unwrap().port(), ManyAddresses::default());
        let (mut links, mut peers) = (Vec::new(), HashSet::new());
        for _ in 0..2 * ADDRESSES {
            links.push(network.connect("127.0.0.1".into(), port).await.unwrap());
            peers.insert(listener.accept().await.unwrap().1.ip());
        }
        assert_eq!(peers.len(), usize::from(ADDRESSES));
        assert!(network.connect("localhost".into(), port).await.is_ok());
    }
}
