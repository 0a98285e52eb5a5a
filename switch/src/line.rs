//! A line: where terminals connect over TCP and speak ISO 8583, and what lies between their bytes and whoever answers.
//!
//! It knows frames, limits and times; what a message says is known to an [`Answering`] alone, and who a terminal is only
//! as far as that tells. `connection` serves one peer over any stream, `listener` accepts and hands out, `presence`
//! remembers who was heard. The keys of the configuration and what happens at each limit are in docs/lines.md.
use actors::domain::identity::TerminalId;
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use adapters::iso8583::framing::Framing;
use bytes::Bytes;
use crowd::Crowd;
use futures_util::future::LocalBoxFuture;
use presence::Presence;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tally::Tally;
use tokio::sync::watch;

mod connection;
mod crowd;
mod kind;
mod listener;
mod presence;
mod tally;
mod wire;

pub use connection::serve_connection;
pub use kind::{CodeLabel, MessageClass, MessageKind, MtiLabel, Unmatched};
pub use listener::BoundLine;
pub use presence::{TerminalSeen, Wanted};

/// Whether a line may be called so: 1 to 31 letters, digits, `-` and `_`, as they are in metrics and addresses.
pub fn is_line_name(name: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=31).contains(&name.len()) && name.bytes().all(is_sound)
}

/// What answers a message that came over a line.
pub trait Answering: Send + Sync + 'static {
    /// The answer, on the thread of the connection. A panic in it costs the peer this one answer.
    fn answer(&self, line: &Arc<Line>, message: Bytes) -> LocalBoxFuture<'static, Answered>;

    /// Who answers a peer that showed this certificate, where that makes a difference.
    fn for_peer(&self, _certificate: &CertificateDer<'_>) -> Option<Arc<dyn Answering>> {
        None
    }
}

/// What came of a message.
pub struct Answered {
    /// What is sent back, from the MTI on; `None` where nothing is to be said.
    pub reply: Option<Bytes>,
    /// How it is counted.
    pub kind: MessageKind,
    /// Whose message it was, once that is known: it is online, and seen.
    pub terminal: Option<TerminalId>,
    /// Whether it counts against the connection.
    pub bad: bool,
}

/// What the operator sets for a line.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// Its name: a label of metrics, unique.
    pub name: Arc<str>,
    /// How messages are framed.
    pub framing: Framing,
    /// In which dialect they are written, as the configuration names it.
    pub dialect: Arc<str>,
    /// Connections at once.
    pub connections_max: usize,
    /// And of one peer's address; of IPv6, of its /64 network.
    pub per_peer_max: usize,
    /// Messages of one connection that are being answered at once; beyond that, it is not read.
    pub in_flight_max: usize,
    /// How many bad messages a connection is borne, less those that sound ones made good.
    pub bad_messages_max: u32,
    /// How long the terminals wait for an answer.
    pub patience: Duration,
    /// How long a connection may say nothing.
    pub idle: Duration,
    /// How long a frame may take from its first byte, and a TLS handshake.
    pub frame_within: Duration,
    /// How long the peer may take to read what it is sent.
    pub write_within: Duration,
    /// How long answers that are being made are waited for when the line closes.
    pub closing: Duration,
}

impl LineSettings {
    /// What docs/lines.md promises where the configuration says nothing.
    pub fn standard(name: &str, framing: Framing, dialect: &str) -> Self {
        Self {
            name: name.into(),
            framing,
            dialect: dialect.into(),
            connections_max: 10_000,
            per_peer_max: 1024,
            in_flight_max: 64,
            bad_messages_max: 16,
            patience: Duration::from_secs(30),
            idle: Duration::from_mins(15),
            frame_within: Duration::from_secs(10),
            write_within: Duration::from_secs(10),
            closing: Duration::from_secs(10),
        }
    }
}

/// One line: its settings, and what is under way on it.
pub struct Line {
    settings: LineSettings,
    clock: Arc<dyn Clock>,
    presence: Arc<Presence>,
    tally: Tally,
    connections: AtomicUsize,
    crowd: Crowd,
    in_flight: AtomicUsize,
    terminals: AtomicUsize,
    messages: AtomicU64,
    last_message: AtomicU64,
    closing: watch::Sender<bool>,
}

impl Line {
    fn new(settings: LineSettings, clock: Arc<dyn Clock>, presence: Arc<Presence>) -> Self {
        Self {
            tally: Tally::of(&settings.name),
            crowd: Crowd::of(settings.per_peer_max),
            settings,
            clock,
            presence,
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            terminals: AtomicUsize::new(0),
            messages: AtomicU64::new(0),
            last_message: AtomicU64::new(0),
            closing: watch::Sender::new(false),
        }
    }

    /// What the operator set.
    pub const fn settings(&self) -> &LineSettings {
        &self.settings
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The present instant, by the clock of the house.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many of its messages are being answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How many terminals were heard over connections that are open, once for each connection.
    pub fn terminals(&self) -> usize {
        self.terminals.load(Ordering::Relaxed)
    }

    /// How many messages it has taken in since the start.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// When it took in the latest.
    pub fn last_message(&self) -> Option<Timestamp> {
        let micros = self.last_message.load(Ordering::Relaxed);
        (micros > 0).then(|| Timestamp::from_micros(micros))
    }

    /// A message's MAC was wrong, or missing where there has to be one.
    pub fn mac_failed(&self) {
        self.tally.mac_failed();
    }

    /// A message belongs to nothing that is known.
    pub fn unmatched(&self, why: Unmatched) {
        self.tally.dropped(why.reason());
    }

    /// Nothing new from now on; what is being answered is answered, then everybody is hung up on.
    pub fn drain(&self) {
        self.closing.send_replace(true);
    }

    fn took_in(&self, now: Timestamp) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.last_message.store(now.micros(), Ordering::Relaxed);
    }
}

/// All lines of a house, and who was heard on them.
pub struct Lines {
    lines: Vec<Arc<Line>>,
    presence: Arc<Presence>,
}

impl Lines {
    /// Lines with these settings; so many terminals are remembered at most.
    pub fn new(
        clock: &Arc<dyn Clock>,
        terminals_max: usize,
        settings: impl IntoIterator<Item = LineSettings>,
    ) -> Self {
        let presence = Arc::new(Presence::new(terminals_max));
        let line = |settings| Arc::new(Line::new(settings, Arc::clone(clock), Arc::clone(&presence)));
        Self { lines: settings.into_iter().map(line).collect(), presence }
    }

    /// The lines, as they are configured.
    pub fn all(&self) -> &[Arc<Line>] {
        &self.lines
    }

    /// How many terminals are online, and how many have been seen since the start.
    pub fn terminals(&self) -> (usize, usize) {
        self.presence.counts()
    }

    /// The terminals that were seen, the latest first.
    pub fn terminals_seen(&self, wanted: &Wanted<'_>) -> Vec<TerminalSeen> {
        self.presence.look(wanted)
    }

    /// Drains every line.
    pub fn drain(&self) {
        self.lines.iter().for_each(|line| line.drain());
    }

    /// Waits until nobody is connected any more, or for `within`.
    pub async fn emptied(&self, within: Duration) {
        let step = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        while waited < within && self.lines.iter().any(|line| line.connections() > 0) {
            tokio::time::sleep(step).await;
            waited = waited.saturating_add(step);
        }
    }
}
