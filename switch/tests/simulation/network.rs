//! The simulated network as the product's clients see it: turmoil's TCP, with lines that break and bytes that come twice.
//!
//! turmoil delays, reorders, holds and drops segments; a segment that is dropped stalls its connection for good. What
//! it lacks is added here: a connection cut in the middle of a write, and a whole conversation that is sent once
//! more later, as a proxy or an attacker would. Both end when the weather clears.
use crate::chance::Chance;
use actors::ports::Answer;
use adapters::http_client::{Link, Network};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;
use turmoil::net::TcpStream;

/// How long a connection may take to be made, as kernels have it.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long a doubled conversation is kept up.
const DOUBLE_FOR: Duration = Duration::from_secs(2);
/// A conversation that began longer ago is not doubled: what it asked may be older than what the journal keeps.
const DOUBLE_WITHIN: Duration = Duration::from_mins(1);

/// How bad the lines are: so often in a thousand.
#[derive(Default)]
pub struct Lines {
    pub cut: AtomicU64,
    pub doubled: AtomicU64,
    /// How often either was carried out.
    pub cuts: AtomicU64,
    pub doubles: AtomicU64,
}

impl Lines {
    pub fn heal(&self) {
        self.cut.store(0, Ordering::Relaxed);
        self.doubled.store(0, Ordering::Relaxed);
    }
}

/// Where everybody's connections come from.
#[derive(Clone)]
pub struct SimNetwork {
    pub chance: Arc<Chance>,
    pub lines: Arc<Lines>,
}

impl Network for SimNetwork {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        let network = self.clone();
        Box::pin(async move {
            let connecting = TcpStream::connect((host.as_str(), port));
            let stream = tokio::time::timeout(CONNECT_WITHIN, connecting).await;
            let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let is_doubled = network.chance.in_a_thousand(network.lines.doubled.load(Ordering::Relaxed));
            let double = is_doubled.then(|| Double { host, port, since: Instant::now(), said: Vec::new() });
            Ok(Link::new(Line { stream: Some(stream), double, network }))
        })
    }
}

/// One connection.
struct Line {
    stream: Option<TcpStream>,
    double: Option<Double>,
    network: SimNetwork,
}

/// What is said once more when the connection is over.
struct Double {
    host: String,
    port: u16,
    since: Instant,
    said: Vec<u8>,
}

impl Line {
    fn cut(&mut self) -> io::Error {
        if self.stream.take().is_some() {
            self.network.lines.cuts.fetch_add(1, Ordering::Relaxed);
        }
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let cut = self.network.chance.in_a_thousand(self.network.lines.cut.load(Ordering::Relaxed));
        // Before or after the bytes have left: the writer cannot tell.
        if cut && self.network.chance.coin() {
            return Poll::Ready(Err(self.cut()));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let written = Pin::new(stream).poll_write(cx, bytes);
        if let (Poll::Ready(Ok(count)), Some(double)) = (&written, &mut self.double) {
            double.said.extend_from_slice(&bytes[..*count]);
        }
        if cut && written.is_ready() {
            return Poll::Ready(Err(self.cut()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().map_or(Poll::Ready(Ok(())), |stream| Pin::new(stream).poll_shutdown(cx))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let is_worth_it = |double: &Double| !double.said.is_empty() && double.since.elapsed() < DOUBLE_WITHIN;
        let Some(double) = self.double.take().filter(is_worth_it) else { return };
        // A host that crashed has no runtime any more and doubles nothing.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pause = self.network.chance.millis(1..2_000);
        self.network.lines.doubles.fetch_add(1, Ordering::Relaxed);
        runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            // Whether anybody still listens is part of the trouble.
            drop(tokio::time::timeout(DOUBLE_FOR, say_again(double)).await);
        });
    }
}

async fn say_again(double: Double) -> io::Result<()> {
    let mut stream = TcpStream::connect((double.host.as_str(), double.port)).await?;
    stream.write_all(&double.said).await?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.map(drop)
}
