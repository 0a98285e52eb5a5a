//! The journal's metrics, registered once and kept: what an SRE sees of it.
use metrics::Unit;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// The journal's metrics.
pub struct Gauges {
    pub(super) records: Counter,
    pub(super) batch_records: Histogram,
    pub(super) sync_seconds: Histogram,
    pub(super) pending_records: Gauge,
    pub(super) segment_bytes: Gauge,
    pub(super) torn_tails: Counter,
    pub(super) snapshots_ignored: Counter,
    pub(super) room_reserve: Gauge,
    pub(super) open_lives: Gauge,
    pub(super) misfits: Gauge,
}

impl Gauges {
    /// Registers them with whatever recorder is installed.
    pub fn new() -> Self {
        describe();
        Self {
            records: counter!("turnout_journal_records_total"),
            batch_records: histogram!("turnout_journal_batch_records"),
            sync_seconds: histogram!("turnout_journal_sync_seconds"),
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

fn describe() {
    describe_counter!("turnout_journal_records_total", "Records made durable since the start.");
    describe_histogram!("turnout_journal_batch_records", "Records per flush.");
    describe_histogram!("turnout_journal_sync_seconds", Unit::Seconds, "Duration of one write and sync.");
    describe_gauge!("turnout_journal_pending_records", "Records that wait for the disk.");
    describe_gauge!("turnout_journal_segment_bytes", Unit::Bytes, "Bytes used of the present segment.");
    describe_counter!("turnout_journal_torn_tails_total", "Torn tails that were cut back at a start.");
    describe_counter!(
        "turnout_journal_snapshots_ignored_total",
        "Snapshots that could not be believed at a start."
    );
    describe_gauge!("turnout_journal_room_reserve", "1 while only the reserve is left to write to.");
    describe_gauge!("turnout_journal_open_lives", "Open payments on the shelf.");
    describe_gauge!(
        "turnout_journal_misfits",
        "Facts that could not follow the one before them; always 0, or a bug."
    );
}
