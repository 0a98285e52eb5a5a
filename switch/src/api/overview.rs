//! What the live page shows, as JSON: the shapes, and the port that whoever counts implements.
//!
//! The page is fed every second with a whole overview, so nothing is lost by missing some. See docs/http-api.md.
use super::lines::LineView;
use super::views::{RefusalView, StatusName};
use actors::ports::Answer;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Whoever counts.
pub trait Overview: Send + Sync {
    /// How things stand now.
    fn look(&self) -> Answer<Overlook>;
}

/// How things stand.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Overview)]
pub struct Overlook {
    /// When this was true.
    #[schema(format = DateTime)]
    pub at: String,
    /// How long this process has been up.
    pub uptime_seconds: f64,
    /// Which build it is.
    pub version: String,
    /// A second, over the last ten.
    pub rates: Rates,
    /// The switch's own part of payments decided in the last minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub latency_ms: Option<Latency>,
    /// Open payments by status.
    pub open: BTreeMap<&'static str, u64>,
    /// What is owed to platforms.
    pub outbox: OwedSum,
    /// Actors awake.
    pub actors: ActorCounts,
    /// The journal.
    pub journal: JournalAt,
    /// The lines of terminals that speak ISO 8583.
    #[schema(max_items = 64)]
    pub lines: Vec<LineView>,
    /// The latest payments, newest first.
    #[schema(max_items = 30)]
    pub recent: Vec<Recent>,
}

/// Payments a second.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct Rates {
    /// Orders admitted or turned away.
    pub started: f64,
    /// Approved.
    pub approved: f64,
    /// Declined.
    pub declined: f64,
    /// Taken back.
    pub reversed: f64,
}

/// Quantiles in milliseconds.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// One in a hundred takes longer.
    pub p99: f64,
}

/// What is owed to platforms.
#[derive(Clone, Serialize, ToSchema)]
pub struct OwedSum {
    /// How many debts.
    pub owed: u64,
    /// The age of the oldest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub oldest_seconds: Option<f64>,
    /// The oldest ones.
    #[schema(max_items = 20)]
    pub items: Vec<OwedItem>,
}

/// One debt.
#[derive(Clone, Serialize, ToSchema)]
pub struct OwedItem {
    /// The payment.
    pub payment: String,
    /// `reversal`, `giving_back`, `refund` or `by_hand`.
    pub kind: &'static str,
    /// The platform that has to act.
    pub platform: String,
    /// How much goes back.
    #[schema(pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    pub amount: String,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: &'static str,
    /// Since when.
    pub age_seconds: f64,
    /// How often it was tried in vain.
    pub failures: u32,
}

/// Actors awake.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct ActorCounts {
    /// Terminals' sessions.
    pub terminal_sessions: u64,
    /// Payers.
    pub payers: u64,
    /// Merchants.
    pub merchants: u64,
}

/// The journal.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct JournalAt {
    /// Everything up to this record is on disk.
    pub durable_seq: u64,
}

/// A payment in the overview.
#[derive(Clone, Serialize, ToSchema)]
pub struct Recent {
    /// The payment.
    pub id: String,
    /// Its standing.
    #[schema(value_type = StatusName)]
    pub status: &'static str,
    /// How much.
    pub amount: String,
    /// ISO 4217.
    pub currency: &'static str,
    /// For whom.
    pub merchant: String,
    /// The name the payer was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub merchant_name: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub terminal: Option<String>,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// How long it took to be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub took_ms: Option<u64>,
    /// ISO 8583 DE 39.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response_code: Option<&'static str>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refusal: Option<RefusalView>,
}
