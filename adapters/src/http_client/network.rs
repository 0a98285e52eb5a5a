//! Where streams come from: TCP in production, a simulated network in a simulation; TLS on top where asked.
//!
//! hyper's pool calls the connector with an address; nothing here knows what is sent.
use super::tls::ClientTls;
use actors::ports::Answer;
use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Something that can be connected to a host and a port.
pub trait Network: Send + Sync {
    /// Opens a stream; an error promises that the peer got nothing.
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>>;
}

/// A two-way stream of bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream, whatever it is made of.
pub struct Link(Box<dyn Stream>);

impl Link {
    /// Wraps a stream.
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self(Box::new(stream))
    }
}

/// The operating system's TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpNetwork;

impl Network for TcpNetwork {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Link::new(stream))
        })
    }
}

/// A network over which every stream is TLS, for peers that speak no HTTP.
pub struct TlsNetwork {
    /// What it runs over.
    pub under: Arc<dyn Network>,
    /// Whom it trusts, and who we are.
    pub tls: ClientTls,
    /// The name that a peer's certificate has to bear; the host's if it is not given.
    pub peer: Option<String>,
}

impl Network for TlsNetwork {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        let (connecting, tls) = (self.under.connect(host.clone(), port), self.tls.clone());
        let peer = self.peer.clone().unwrap_or(host);
        Box::pin(async move { Ok(Link::new(tls.shake_hands(&peer, connecting.await?).await?)) })
    }
}

/// Makes hyper's connections.
#[derive(Clone)]
pub(super) struct Connector {
    network: Arc<dyn Network>,
    tls: Option<ClientTls>,
}

impl Connector {
    pub(super) fn new(network: Arc<dyn Network>, tls: Option<ClientTls>) -> Self {
        Self { network, tls }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = io::Error;
    type Future = Answer<io::Result<TokioIo<Link>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let Self { network, tls } = self.clone();
        Box::pin(async move { Ok(TokioIo::new(open_link(&*network, tls.as_ref(), &address).await?)) })
    }
}

/// Opens a stream to an `http` or `https` address; an error promises that the peer got no request.
pub(crate) async fn open_link(
    network: &dyn Network,
    tls: Option<&ClientTls>,
    address: &Uri,
) -> io::Result<Link> {
    let is_https = address.scheme_str() == Some("https");
    let host = address.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = address.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let link = network.connect(host.clone(), port).await?;
    match tls {
        Some(tls) if is_https => Ok(Link::new(tls.shake_hands(&host, link).await?)),
        None if is_https => Err(io::Error::other("an https address, but no TLS configured")),
        _ => Ok(link),
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
