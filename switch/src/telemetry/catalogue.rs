//! Every metric of the switch on one page: its name, kind and buckets, unit, and what it tells.
//!
//! The page is closed: a test holds the sources against it, and only what is on it has a help text at `/metrics`. Where a
//! metric is counted, and with which labels, stands there. Labels are closed sets or configured ids, never a payer, a
//! terminal or a payment. Histograms carry their buckets, because without them the exporter would make summaries.
use metrics::Unit;

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// How it counts.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// What it tells, for people.
    pub help: &'static str,
}

/// How a metric counts.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is as it is now.
    Gauge,
    /// It is spread over these buckets.
    Histogram(&'static [f64]),
}

/// Seconds, for what a person or a terminal waits for.
const PATIENCE: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Seconds, for what the machine does in between.
const WORK: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];
/// Seconds, for answers of other people's machines and for answers that are held back on request.
const ANSWERS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Records in one group commit.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// Amounts, from a coffee to a car's repair, in whatever currency.
const AMOUNTS: &[f64] =
    &[1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 5000.0, 25000.0, 100_000.0];
/// Counted by the system, not by the recorder.
pub(super) const CPU_HELP: &str = "Processor time that this process has used.";

/// All of them, by the room in which they are counted.
pub const METRICS: [Metric; 69] = [
    counter(
        "turnout_payments_total",
        "Payments that were decided, by outcome and by the reason of a refusal.",
    ),
    seconds(
        "turnout_payment_seconds",
        PATIENCE,
        "From the terminal's order to its answer, people's time included.",
    ),
    histogram(
        "turnout_payment_amount",
        Unit::Count,
        AMOUNTS,
        "Amounts of approved payments, in the currency's own unit.",
    ),
    counter("turnout_payment_phases_total", "Payments that entered a phase."),
    seconds("turnout_payment_phase_seconds", ANSWERS, "How long payments stayed in a phase that they left."),
    gauge("turnout_payments_open", Unit::Count, "Payments that are in a phase now and will leave it."),
    gauge("turnout_in_doubt_payments", Unit::Count, "Payments of which nobody knows whether money moved."),
    gauge(
        "turnout_in_doubt_amount",
        Unit::Count,
        "The amount of payments of which nobody knows whether money moved, in the currency's own unit.",
    ),
    gauge(
        "turnout_in_doubt_oldest_seconds",
        Unit::Seconds,
        "How long the payment that is in doubt for the longest has been so.",
    ),
    counter("turnout_alarms_total", "Payments that a person has to look at, by reason."),
    gauge(
        "turnout_outbox_owed",
        Unit::Count,
        "What is owed to a platform: reversals and refunds not yet acknowledged.",
    ),
    gauge(
        "turnout_outbox_oldest_seconds",
        Unit::Seconds,
        "How long the oldest of what is owed to a platform has been owed.",
    ),
    gauge("turnout_bindings", Unit::Count, "Phones that stand at a terminal."),
    gauge("turnout_terminals", Unit::Count, "Terminals that are known, awake or asleep."),
    gauge("turnout_actors_live", Unit::Count, "Actors in memory."),
    gauge(
        "turnout_actors_limit",
        Unit::Count,
        "Actors that there may be in memory before idle ones are put to sleep.",
    ),
    gauge("turnout_inbox_messages", Unit::Count, "Messages that wait to be heard by an actor."),
    seconds("turnout_inbox_wait_seconds", WORK, "From a message's posting until an actor heard it."),
    counter("turnout_actors_woken_total", "Actors woken from the journal for a message."),
    counter("turnout_actors_slept_total", "Idle actors put to sleep."),
    counter("turnout_actors_crashes_total", "Panics, deaths and failed wakes of actors."),
    counter("turnout_actors_restarts_total", "Actors rebuilt after a crash."),
    counter("turnout_shed_total", "Messages turned away unheard, by reason."),
    gauge("turnout_gate_in_use", Unit::Count, "Questions inside the gate."),
    gauge("turnout_gate_limit", Unit::Count, "Questions that the gate admits."),
    gauge("turnout_gate_pace", Unit::Count, "New payments that may begin each second; 0: as they come."),
    gauge("turnout_gate_sharers", Unit::Count, "Merchants among whom the pace is shared."),
    gauge(
        "turnout_thread_late_seconds",
        Unit::Seconds,
        "How much later than it was due a worker's thread came round to something.",
    ),
    counter("turnout_http_requests_total", "Requests answered, by door, route and class of the status."),
    seconds(
        "turnout_http_request_seconds",
        ANSWERS,
        "From a request's head to its answer, waits that were asked for included.",
    ),
    gauge("turnout_http_in_flight", Unit::Count, "Requests that are being answered."),
    gauge("turnout_http_streams", Unit::Count, "Event streams that are open."),
    gauge("turnout_http_streams_limit", Unit::Count, "Event streams that may be open at once."),
    counter(
        "turnout_line_messages_total",
        "Messages of terminals that were answered, by line, class of the MTI and response code.",
    ),
    seconds(
        "turnout_line_round_trip_seconds",
        PATIENCE,
        "From a terminal's message to its answer, people's time included.",
    ),
    gauge("turnout_line_in_flight", Unit::Count, "Messages of terminals that are being answered."),
    gauge("turnout_line_connections", Unit::Count, "Connections of a line."),
    counter("turnout_line_closed_total", "Connections that ended, or were turned away, by reason."),
    counter("turnout_line_keep_alives_total", "Empty frames that were sent back."),
    counter("turnout_line_bad_frames_total", "Bytes that were no frame, by reason."),
    counter(
        "turnout_line_dropped_total",
        "Messages that matched nothing, and answers that could not be given, by reason.",
    ),
    counter("turnout_line_mac_failures_total", "Messages whose MAC was wrong or missing."),
    counter("turnout_platform_requests_total", "Requests to platforms, by operation and outcome."),
    seconds(
        "turnout_platform_request_seconds",
        ANSWERS,
        "From a request to a platform until its outcome was decided.",
    ),
    gauge("turnout_platform_in_flight", Unit::Count, "Requests to platforms that are under way."),
    gauge(
        "turnout_platform_in_flight_limit",
        Unit::Count,
        "Requests to platforms that may be under way at once; those beyond are not sent.",
    ),
    gauge(
        "turnout_platform_unanswered_in_a_row",
        Unit::Count,
        "Requests since the platform last answered one; 0 while it answers.",
    ),
    counter(
        "turnout_platform_lies_total",
        "Answers of platforms that name another payment, amount or currency than was asked about.",
    ),
    counter("turnout_journal_records_total", "Records made durable since the start."),
    histogram("turnout_journal_batch_records", Unit::Count, BATCH, "Records in one write and sync."),
    seconds("turnout_journal_sync_seconds", WORK, "Duration of one write and sync."),
    seconds("turnout_journal_wait_seconds", WORK, "From a record's being true until the disk had it."),
    gauge("turnout_journal_pending_records", Unit::Count, "Records that wait for the disk."),
    gauge(
        "turnout_journal_pending_limit_records",
        Unit::Count,
        "Records that may wait for the disk before new work is refused.",
    ),
    gauge("turnout_journal_disk_free_bytes", Unit::Bytes, "Bytes free on the journal's disk."),
    gauge("turnout_journal_disk_bytes", Unit::Bytes, "Bytes of the journal's disk."),
    gauge("turnout_journal_segment_bytes", Unit::Bytes, "Bytes used of the present segment."),
    counter("turnout_journal_torn_tails_total", "Torn tails that were cut back at a start."),
    counter("turnout_journal_snapshots_ignored_total", "Snapshots that could not be believed at a start."),
    gauge(
        "turnout_journal_room_reserve",
        Unit::Count,
        "1 while only the reserve is left to write to, else 0.",
    ),
    gauge("turnout_journal_open_lives", Unit::Count, "Open payments on the shelf."),
    gauge(
        "turnout_journal_misfits",
        Unit::Count,
        "Facts that could not follow the one before them; always 0, or a bug.",
    ),
    gauge(
        "turnout_read_model_behind_records",
        Unit::Count,
        "Records that are in the journal and not yet in the read model.",
    ),
    gauge("turnout_build_info", Unit::Count, "Always 1; which build this is."),
    gauge(
        "turnout_process_start_time_seconds",
        Unit::Seconds,
        "When this process started, in seconds since the epoch.",
    ),
    counter("turnout_process_cpu_seconds_total", CPU_HELP),
    gauge("turnout_process_resident_bytes", Unit::Bytes, "Memory of this process that is resident."),
    gauge("turnout_process_open_files", Unit::Count, "Files and sockets that this process holds open."),
    gauge("turnout_process_open_files_limit", Unit::Count, "Files and sockets that it may hold open."),
];

/// Tells the recorder what each metric is.
pub(super) fn describe() {
    for Metric { name, kind, unit, help } in METRICS {
        metrics::with_recorder(|recorder| match kind {
            Kind::Counter => recorder.describe_counter(name.into(), Some(unit), help.into()),
            Kind::Gauge => recorder.describe_gauge(name.into(), Some(unit), help.into()),
            Kind::Histogram(_) => recorder.describe_histogram(name.into(), Some(unit), help.into()),
        });
    }
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, help }
}

const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help }
}

const fn seconds(name: &'static str, buckets: &'static [f64], help: &'static str) -> Metric {
    histogram(name, Unit::Seconds, buckets, help)
}

const fn histogram(name: &'static str, unit: Unit, buckets: &'static [f64], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), unit, help }
}
