//! What every platform adapter counts: requests by outcome, their time, what is under way, silence, and lies.
//!
//! RED per operation; labels are the configured platform's id and closed sets. The handles are taken once. Knows no protocol.
use actors::domain::identity::PlatformId;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a platform is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A permit.
    Permit,
    /// The payment itself.
    Pay,
    /// Where a payment stands.
    Inquire,
    /// To undo it.
    Reverse,
    /// To give money back.
    Refund,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 5] = [Self::Permit, Self::Pay, Self::Inquire, Self::Reverse, Self::Refund];

    /// The metrics' label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Pay => "pay",
            Self::Inquire => "inquire",
            Self::Reverse => "reverse",
            Self::Refund => "refund",
        }
    }

    /// How it can end, as the metrics' label says it.
    pub const fn outcomes(self) -> &'static [&'static str] {
        match self {
            Self::Permit => &["granted", "refused", NOT_SENT, UNKNOWN],
            Self::Pay => &["approved", "failed", NOT_SENT, UNKNOWN],
            Self::Inquire => &["paid", "failed", "pending", "never_seen", "undone", UNKNOWN],
            Self::Reverse => &["acknowledged", "too_late", "refused", UNKNOWN],
            Self::Refund => &["done", "refused", UNKNOWN],
        }
    }

    /// Whether it starts something, rather than ends or clears up what was started.
    pub const fn starts_something(self) -> bool {
        matches!(self, Self::Permit | Self::Pay)
    }

    const fn lane(self) -> usize {
        if self.starts_something() { 0 } else { 1 }
    }
}

/// The platform never heard the question.
pub const NOT_SENT: &str = "not_sent";
/// Nobody knows what came of it.
pub const UNKNOWN: &str = "unknown";

/// Requests that start something have a lane of their own, and so do those that end something.
const LANES: [&str; 2] = ["starting", "ending"];

/// Counts for one platform.
pub struct Tally {
    outcomes: Vec<(Operation, &'static str, Counter)>,
    seconds: [Histogram; 5],
    in_flight: [Gauge; 2],
    lies: Counter,
    silence: Gauge,
    silent: AtomicU32,
}

impl Tally {
    /// Counts for `platform`, which hears at most `in_flight_max` requests of each lane at once.
    pub fn of(platform: PlatformId, in_flight_max: usize) -> Self {
        let platform = || platform.as_str().to_owned();
        let outcome = |operation: Operation, outcome: &'static str| {
            let counter = counter!("turnout_platform_requests_total",
                "platform" => platform(), "operation" => operation.label(), "outcome" => outcome);
            (operation, outcome, counter)
        };
        for lane in LANES {
            gauge!("turnout_platform_in_flight_limit", "platform" => platform(), "lane" => lane)
                .set(u32::try_from(in_flight_max).map_or(f64::MAX, f64::from));
        }
        let of_operation =
            |operation: Operation| operation.outcomes().iter().map(move |label| (operation, *label));
        Self {
            outcomes: Operation::ALL
                .into_iter()
                .flat_map(of_operation)
                .map(|(operation, label)| outcome(operation, label))
                .collect(),
            seconds: Operation::ALL.map(|operation| {
                histogram!("turnout_platform_request_seconds",
                    "platform" => platform(), "operation" => operation.label())
            }),
            in_flight: LANES
                .map(|lane| gauge!("turnout_platform_in_flight", "platform" => platform(), "lane" => lane)),
            lies: counter!("turnout_platform_lies_total", "platform" => platform()),
            silence: gauge!("turnout_platform_unanswered_in_a_row", "platform" => platform()),
            silent: AtomicU32::new(0),
        }
    }

    /// One request begins; it is under way until what is returned is dropped.
    pub fn began(&self, operation: Operation) -> UnderWay {
        let [starting, ending] = &self.in_flight;
        let lane = if operation.lane() == 0 { starting } else { ending };
        lane.increment(1.0);
        UnderWay(lane.clone())
    }

    /// One request ended as `outcome` (see [`Operation::outcomes`]) after `took`.
    pub fn ended(&self, operation: Operation, outcome: &'static str, took: Duration) {
        let known = self.outcomes.iter().find(|(of, label, _)| *of == operation && *label == outcome);
        if let Some((_, _, counter)) = known {
            counter.increment(1);
        }
        let place = Operation::ALL.iter().position(|of| *of == operation);
        if let Some(seconds) = place.and_then(|place| self.seconds.get(place)) {
            seconds.record(took.as_secs_f64());
        }
        self.heard(!matches!(outcome, NOT_SENT | UNKNOWN));
    }

    /// The platform said something that cannot be true.
    pub fn lied(&self) {
        self.lies.increment(1);
    }

    fn heard(&self, answered: bool) {
        let before = self.silent.load(Ordering::Relaxed);
        if answered && before == 0 {
            return;
        }
        // Two answers at once may be counted as one: it is a sign of health, not a sum.
        let silent = if answered { 0 } else { before.saturating_add(1) };
        self.silent.store(silent, Ordering::Relaxed);
        self.silence.set(f64::from(silent));
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tally")
    }
}

/// A request under way.
pub struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
