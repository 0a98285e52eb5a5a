//! The journal's metrics, registered once and kept: what an SRE sees of it.
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The journal's metrics.
pub struct Gauges {
    pub(super) records: Counter,
    pub(super) batch_records: Histogram,
    pub(super) sync_seconds: Histogram,
    pub(super) wait_seconds: Histogram,
    pub(super) pending_records: Gauge,
    pub(super) segment_bytes: Gauge,
    pub(super) torn_tails: Counter,
    pub(super) snapshots_ignored: Counter,
    pub(super) room_reserve: Gauge,
    pub(super) open_lives: Gauge,
    pub(super) misfits: Gauge,
}

impl Gauges {
    /// Registers them with whatever recorder is installed; past `pending_max` waiting records new work is refused.
    pub fn new(pending_max: usize) -> Self {
        let limit = u32::try_from(pending_max).map_or(f64::MAX, f64::from);
        gauge!("turnout_journal_pending_limit_records").set(limit);
        Self {
            records: counter!("turnout_journal_records_total"),
            batch_records: histogram!("turnout_journal_batch_records"),
            sync_seconds: histogram!("turnout_journal_sync_seconds"),
            wait_seconds: histogram!("turnout_journal_wait_seconds"),
            pending_records: gauge!("turnout_journal_pending_records"),
            segment_bytes: gauge!("turnout_journal_segment_bytes"),
            torn_tails: counter!("turnout_journal_torn_tails_total"),
            snapshots_ignored: counter!("turnout_journal_snapshots_ignored_total"),
            room_reserve: gauge!("turnout_journal_room_reserve"),
            open_lives: gauge!("turnout_journal_open_lives"),
            misfits: gauge!("turnout_journal_misfits"),
        }
    }
}
