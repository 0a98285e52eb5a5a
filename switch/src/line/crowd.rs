//! How many connections of a line each peer has: so that one that misbehaves does not take the place of all others.
//!
//! A peer is an IPv4 address, or the /64 network of an IPv6 address, which is what one customer is given. Behind one address
//! there may be a host with a thousand terminals, so the limit is the operator's to set.
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The bits of an IPv6 address that say whose it is.
const NETWORK: u128 = 0xffff_ffff_ffff_ffff << 64;

/// The peers of a line.
pub(super) struct Crowd {
    most: usize,
    peers: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// So many connections for each.
    pub(super) fn of(most: usize) -> Self {
        Self { most, peers: Mutex::default() }
    }

    /// One more of this peer, if it may have it.
    pub(super) fn admits(&self, peer: IpAddr) -> bool {
        let mut peers = self.peers();
        let count = peers.entry(whose(peer)).or_default();
        let is_admitted = *count < self.most;
        *count += usize::from(is_admitted);
        is_admitted
    }

    /// One less.
    pub(super) fn leaves(&self, peer: IpAddr) {
        let (mut peers, peer) = (self.peers(), whose(peer));
        if let Some(count) = peers.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                peers.remove(&peer);
            }
        }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whose(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_full_is_refused_and_its_neighbours_are_not() {
        let crowd = Crowd::of(2);
        let [home, there, away] =
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert!(crowd.admits(home) && crowd.admits(there) && !crowd.admits(home) && crowd.admits(away));
        crowd.leaves(there);
        assert!(crowd.admits(home) && !crowd.admits(home));
        for peer in [home, home, away, away] {
            crowd.leaves(peer);
        }
        assert!(crowd.peers().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn an_ipv6_customer_is_one_peer_whatever_addresses_it_takes() {
        let crowd = Crowd::of(1);
        let [one, other, elsewhere] = ["2001:db8::1", "2001:db8::ffff:1:2", "2001:db8:0:1::1"]
            .map(|text| text.parse::<IpAddr>().unwrap());
        assert!(crowd.admits(one) && !crowd.admits(other) && crowd.admits(elsewhere));
    }
}
