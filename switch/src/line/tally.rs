//! What is counted of one line. Labels are its name, and closed sets.
use super::kind::MessageKind;
use metrics::{Counter, Gauge, counter, gauge, histogram};
use std::sync::Arc;
use std::time::Duration;

/// What is counted of one line.
pub(super) struct Tally {
    line: Arc<str>,
    connections: Gauge,
    in_flight: Gauge,
    keep_alives: Counter,
    mac_failures: Counter,
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The peer had no more to say.
    Peer,
    /// It broke.
    Broken,
    /// Nothing was said for too long.
    Idle,
    /// A frame, or a handshake, took too long.
    Slow,
    /// The peer did not read what it was sent.
    Unread,
    /// The bytes are no frames any more.
    Framing,
    /// Too many bad messages.
    Conduct,
    /// The line is closing.
    Drained,
    /// There is no place for it.
    Full,
    /// Its address has all the connections it may have.
    PeerFull,
    /// TLS did not come about.
    Handshake,
}

impl Closed {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Unread => "unread",
            Self::Framing => "framing",
            Self::Conduct => "conduct",
            Self::Drained => "drained",
            Self::Full => "full",
            Self::PeerFull => "peer_full",
            Self::Handshake => "handshake",
        }
    }
}

impl Tally {
    pub(super) fn of(line: &Arc<str>) -> Self {
        let line = || Arc::clone(line);
        Self {
            connections: gauge!("turnout_line_connections", "line" => line()),
            in_flight: gauge!("turnout_line_in_flight", "line" => line()),
            keep_alives: counter!("turnout_line_keep_alives_total", "line" => line()),
            mac_failures: counter!("turnout_line_mac_failures_total", "line" => line()),
            line: line(),
        }
    }

    pub(super) fn connected(&self) {
        self.connections.increment(1.0);
    }

    pub(super) fn disconnected(&self) {
        self.connections.decrement(1.0);
    }

    pub(super) fn entered(&self) {
        self.in_flight.increment(1.0);
    }

    pub(super) fn left(&self) {
        self.in_flight.decrement(1.0);
    }

    pub(super) fn kept_alive(&self) {
        self.keep_alives.increment(1);
    }

    pub(super) fn mac_failed(&self) {
        self.mac_failures.increment(1);
    }

    pub(super) fn answered(&self, kind: MessageKind, took: Duration) {
        let (mti, class, code) = (kind.mti.as_str(), kind.class.name(), kind.code.as_str());
        counter!("turnout_line_messages_total", "line" => self.line(), "mti" => mti, "class" => class, "code" => code)
            .increment(1);
        histogram!("turnout_line_round_trip_seconds", "line" => self.line(), "class" => class)
            .record(took.as_secs_f64());
    }

    pub(super) fn bad_frame(&self, reason: &'static str) {
        counter!("turnout_line_bad_frames_total", "line" => self.line(), "reason" => reason).increment(1);
    }

    pub(super) fn dropped(&self, reason: &'static str) {
        counter!("turnout_line_dropped_total", "line" => self.line(), "reason" => reason).increment(1);
    }

    pub(super) fn closed(&self, why: Closed) {
        counter!("turnout_line_closed_total", "line" => self.line(), "reason" => why.reason()).increment(1);
    }

    fn line(&self) -> Arc<str> {
        Arc::clone(&self.line)
    }
}
