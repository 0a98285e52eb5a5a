//! What the process tells about itself: log lines as JSON on standard error, and metrics for Prometheus.
//!
//! Both are installed once, before the first actor takes a handle. Buckets are set here, next to the promises they
//! measure; a metric's name and labels stand where it is counted. `/metrics` is rendered by the admin door.
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::io;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Seconds, for what a person or a terminal waits for.
const PATIENCE: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Seconds, for what the machine does in between.
const WORK: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];
/// Records in one group commit.
const BATCH: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// How often the exporter tidies what it has gathered.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the metrics recorder of this process.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let suffix = |end: &str| Matcher::Suffix(end.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(suffix("turnout_payment_seconds"), &PATIENCE)?
        .set_buckets_for_metric(suffix("_batch_records"), &BATCH)?
        .set_buckets_for_metric(suffix("_seconds"), &WORK)?
        .install_recorder()
}

/// Keeps the exporter tidy for as long as the process lives; without it, histograms grow.
pub fn keep_up(handle: PrometheusHandle) {
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    });
}

/// Sends log lines to standard error. `TURNOUT_LOG` chooses what is logged, as in `info,actors=debug`.
pub fn install_log(form: LogForm) {
    let filter =
        EnvFilter::try_from_env("TURNOUT_LOG").unwrap_or_else(|_| EnvFilter::new(form.default_filter()));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let installed = match form {
        LogForm::Json => lines.json().flatten_event(true).try_init(),
        LogForm::Quiet => lines.with_target(false).compact().try_init(),
    };
    if installed.is_err() {
        tracing::debug!("the log was installed before");
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// One JSON object a line: production.
    Json,
    /// Errors only, to be read beside the demo's own lines.
    Quiet,
}

impl LogForm {
    const fn default_filter(self) -> &'static str {
        match self {
            Self::Json => "info",
            Self::Quiet => "error",
        }
    }
}

/// Says where a panic happened, on one line, and not what was being handled: that may be somebody's secret.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload().downcast_ref::<&str>().copied().unwrap_or("(the message is withheld)");
        tracing::error!(place, what, "a panic; whoever kept the state is rebuilt from the journal");
    }));
}
