//! A line's listener: one place accepts, the workers' threads serve, round robin.
//!
//! A line that has all the connections it may have, in all or of this peer, closes what comes at once, at a pace that costs little: a terminal
//! that is hung up on dials elsewhere, one that is left waiting does not. Draining closes the listener first.
use super::tally::Closed;
use super::{Answering, Line, serve_connection};
use actix_rt::ArbiterHandle;
use rustls::ServerConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Connections that the system keeps for us until they are accepted.
const BACKLOG: u32 = 8192;
/// The pause after a connection for which there was no place.
const REFUSAL: Duration = Duration::from_millis(1);
/// The pause after the system could not give us a connection: out of descriptors, mostly.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// A line whose port is taken.
pub struct BoundLine {
    line: Arc<Line>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl BoundLine {
    /// Takes the port; nobody is accepted yet.
    pub fn bind(line: Arc<Line>, listen: SocketAddr, tls: Option<ServerConfig>) -> io::Result<Self> {
        let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it: a terminal that lost its power is noticed some time.
        socket.set_keepalive(true)?;
        socket.bind(listen)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { line, listener, tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))) })
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Its line.
    pub const fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Accepts from now on, until the line is drained, and serves on these threads.
    pub fn serve(self, answering: Arc<dyn Answering>, places: Vec<ArbiterHandle>) {
        actix_rt::spawn(async move { self.accept(&answering, &places).await });
    }

    async fn accept(self, answering: &Arc<dyn Answering>, places: &[ArbiterHandle]) {
        let mut closing = self.line.closing.subscribe();
        let mut places = places.iter().cycle();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(line = self.line.name(), %error, "no connection could be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                    continue;
                }
            };
            match (Slot::taken(&self.line, peer.ip()), places.next()) {
                (Ok(slot), Some(place)) => self.hand_over(stream, peer, slot, answering, place),
                (Ok(_), None) => {}
                (Err(why), _) => {
                    drop(stream);
                    self.line.tally.closed(why);
                    tracing::debug!(line = self.line.name(), %peer, reason = why.reason(), "hung up at once");
                    tokio::time::sleep(REFUSAL).await;
                }
            }
        }
    }

    /// The stream changes threads as a bare socket, since each thread waits for its own.
    fn hand_over(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        slot: Slot,
        answering: &Arc<dyn Answering>,
        place: &ArbiterHandle,
    ) {
        let Ok(socket) = stream.set_nodelay(true).and_then(|()| stream.into_std()) else { return };
        let (line, tls, answering) = (Arc::clone(&self.line), self.tls.clone(), Arc::clone(answering));
        let is_taken = place.spawn_fn(move || {
            let serving = async move {
                let _slot = slot;
                let Ok(stream) = TcpStream::from_std(socket) else { return };
                match tls {
                    None => serve_connection(stream, peer, line, answering).await,
                    // What TLS needs is not carried by those who do without it.
                    Some(tls) => Box::pin(serve_secured(stream, peer, line, answering, tls)).await,
                }
            };
            actix_rt::spawn(serving);
        });
        if !is_taken {
            tracing::error!(line = self.line.name(), "a worker is gone; a connection was dropped");
        }
    }
}

async fn serve_secured(
    stream: TcpStream,
    peer: SocketAddr,
    line: Arc<Line>,
    answering: Arc<dyn Answering>,
    tls: TlsAcceptor,
) {
    match tokio::time::timeout(line.settings.frame_within, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let own = shown.and_then(|certificate| answering.for_peer(certificate));
            serve_connection(stream, peer, line, own.unwrap_or(answering)).await;
        }
        Ok(Err(error)) => {
            line.tally.closed(Closed::Handshake);
            tracing::info!(line = line.name(), %peer, %error, "no TLS came about");
        }
        Err(_) => line.tally.closed(Closed::Slow),
    }
}

/// A place among a line's connections; it is free again however the connection ends.
struct Slot {
    line: Arc<Line>,
    peer: IpAddr,
}

impl Slot {
    /// A place for this peer, or why there is none.
    fn taken(line: &Arc<Line>, peer: IpAddr) -> Result<Self, Closed> {
        let most = line.settings.connections_max;
        let more = |open: usize| (open < most).then(|| open.saturating_add(1));
        if !line.crowd.admits(peer) {
            return Err(Closed::PeerFull);
        }
        if line.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            line.crowd.leaves(peer);
            return Err(Closed::Full);
        }
        line.tally.connected();
        Ok(Self { line: Arc::clone(line), peer })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.line.crowd.leaves(self.peer);
        self.line.connections.fetch_sub(1, Ordering::Relaxed);
        self.line.tally.disconnected();
    }
}
