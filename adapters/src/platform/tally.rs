//! What every platform adapter counts: requests by outcome, their time, and lies.
//!
//! RED per operation; labels are the configured platform's id and closed sets. Knows no protocol.
use actors::domain::identity::PlatformId;
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

    /// Whether it starts something, rather than ends or clears up what was started.
    pub const fn starts_something(self) -> bool {
        matches!(self, Self::Permit | Self::Pay)
    }
}

/// Counts for one platform.
#[derive(Clone, Debug)]
pub struct Tally {
    platform: String,
}

impl Tally {
    /// Counts for `platform`.
    pub fn of(platform: PlatformId) -> Self {
        Self { platform: platform.to_string() }
    }

    /// One request ended as `outcome` (from a closed set) after `took`.
    pub fn ended(&self, operation: Operation, outcome: &'static str, took: Duration) {
        let platform = self.platform.clone();
        metrics::counter!("turnout_platform_requests_total",
            "platform" => platform.clone(), "operation" => operation.label(), "outcome" => outcome)
        .increment(1);
        metrics::histogram!("turnout_platform_request_seconds",
            "platform" => platform, "operation" => operation.label())
        .record(took.as_secs_f64());
    }

    /// The platform said something that cannot be true.
    pub fn lied(&self) {
        metrics::counter!("turnout_platform_lies_total", "platform" => self.platform.clone()).increment(1);
    }
}
