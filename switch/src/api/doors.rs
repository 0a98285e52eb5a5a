//! Everything that the doors need, in one struct that the composition root fills.
//!
//! What may differ between installations is in `Settings`; what may be simulated or twinned is behind a trait or a
//! closure. There are no globals. Times are the switchboard's clock; waits are the runtime's timers.
use super::admin::AdminAccess;
use super::overview::Overview;
use super::sse::Streams;
use super::terminal_keys::TerminalKeys;
use super::token::Tokens;
use crate::line::Lines;
use actors::answer::Fault;
use actors::domain::time::{Deadline, Timestamp};
use actors::gate::HOLD_BACK;
use actors::ports::history::History;
use actors::ports::roster::Roster;
use actors::report::Report;
use actors::switchboard::{Refused, Switchboard};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The text of `/metrics`.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;
/// Whether this node wants traffic.
pub type ReadinessCheck = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// What the doors are built from.
pub struct Ports {
    /// The way to the actors.
    pub switchboard: Switchboard,
    /// Who may say which terminal it is.
    pub terminal_keys: Arc<dyn TerminalKeys>,
    /// The phones' tokens.
    pub tokens: Tokens,
    /// The read model.
    pub history: Arc<dyn History>,
    /// What the live page shows.
    pub overview: Arc<dyn Overview>,
    /// The text of `/metrics`.
    pub metrics: MetricsText,
    /// The answer of `/readyz`.
    pub readiness: ReadinessCheck,
    /// The lines of terminals that speak ISO 8583.
    pub lines: Arc<Lines>,
}

/// What the doors need. Shared by all workers of all listeners of a process.
pub struct Doors {
    pub(super) ports: Ports,
    pub(super) settings: Settings,
    pub(super) streams: Streams,
}

/// Whether this node wants traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It does not, because of this.
    NotReady(String),
}

/// Who sees a one-time code besides the subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Whoever asks for it: demonstrations only.
    Shown,
    /// Nobody.
    Secret,
}

/// What the operator sets for the doors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest `Prefer: wait`.
    pub wait_max: Duration,
    /// How long an answer that needs no waiting may take inside.
    pub patience: Duration,
    /// How long a confirmation is held back for the platform's permit, unless the phone prefers otherwise.
    pub confirm_wait: Duration,
    /// How long a credential is held back for the platform's word, unless the phone prefers otherwise.
    pub relay_wait: Duration,
    /// A payment's `answer_within_seconds` unless the terminal says otherwise; 5 to 300 seconds.
    pub answer_within: Duration,
    /// The largest body, in bytes.
    pub body_max: usize,
    /// How long a body may take to arrive.
    pub body_within: Duration,
    /// How long a 503 is held back, so that whoever hammers costs less than whoever waits.
    pub hold_back: Duration,
    /// How long an event stream may be silent.
    pub heartbeat: Duration,
    /// How many event streams may be open at once.
    pub streams_max: usize,
    /// Who sees one-time codes.
    pub codes: Codes,
    /// Where else the pages may connect to: the platforms' own addresses, as CSP sources.
    pub pages_connect: Vec<String>,
    /// Where phones find their page, as terminals are told to show it.
    pub phone_page: Option<String>,
    /// Who may look at the admin listener.
    pub admin: AdminAccess,
}

impl Settings {
    /// What INTERFACES and RELIABILITY ask for.
    pub const fn standard() -> Self {
        Self {
            wait_max: Duration::from_mins(1),
            patience: Duration::from_secs(5),
            confirm_wait: Duration::from_secs(10),
            relay_wait: Duration::from_secs(30),
            answer_within: Duration::from_mins(1),
            body_max: 16 * 1024,
            body_within: Duration::from_secs(10),
            hold_back: HOLD_BACK,
            heartbeat: Duration::from_secs(15),
            streams_max: 10_000,
            codes: Codes::Secret,
            pages_connect: Vec::new(),
            phone_page: None,
            admin: AdminAccess::Loopback,
        }
    }
}

impl Doors {
    /// The doors of a house.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        let streams = Streams::at_most(settings.streams_max);
        Self { ports, settings, streams }
    }

    /// The event streams: to be hung up when the node drains.
    pub const fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(super) const fn board(&self) -> &Switchboard {
        &self.ports.switchboard
    }

    pub(super) fn roster(&self) -> &dyn Roster {
        self.board().world().roster.as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.board().now()
    }

    /// By when an answer is due that is worth waiting `wait` for.
    pub(super) fn by(&self, wait: Duration) -> Deadline {
        Deadline::after(self.now(), wait)
    }

    /// By when an answer is due that needs no waiting.
    pub(super) fn soon(&self) -> Deadline {
        self.by(self.settings.patience)
    }
}

/// What came of a wait; where only the time ran out, how the payment stands.
///
/// A payment that is gone by then was turned away unwritten: nobody knows more than that the time ran out.
pub(super) async fn or_as_it_stands<L: Future<Output = Result<Report, Refused>>>(
    waited: Result<Report, Refused>,
    look: impl FnOnce() -> L,
) -> Result<Report, Refused> {
    let expired = Refused::Fault(Fault::Expired);
    match waited {
        Err(refused) if refused == expired => match look().await {
            Err(Refused::NoSuchPayment) => Err(expired),
            looked => looked,
        },
        waited => waited,
    }
}
