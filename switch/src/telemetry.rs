//! What the process tells about itself: log lines as JSON on standard error, and metrics for Prometheus.
//!
//! Both are installed once, before the first actor takes a handle. `catalogue` lists the metrics and their buckets; labels
//! stand where they are counted. `/metrics` is rendered by the admin door.
use catalogue::{Kind, METRICS};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::io;
use std::path::Path;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

pub mod catalogue;
pub mod process;

/// How often the exporter tidies what it has gathered.
const UPKEEP: Duration = Duration::from_secs(5);

/// These repeat what strangers sent when they say more than this, whatever `TURNOUT_LOG` asks of everybody.
const DISCREET: [&str; 1] = ["actix_http=info"];

/// Installs the metrics recorder of this process.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = recording()?.install_recorder()?;
    catalogue::describe();
    Ok(handle)
}

/// A recorder that has the catalogue's buckets, to be installed or measured.
pub fn recording() -> Result<PrometheusBuilder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    Ok(builder)
}

/// The page of metrics as it is now; `folder` is where the journal lies.
pub fn page(handle: &PrometheusHandle, folder: &Path) -> String {
    process::measure(folder);
    let mut page = handle.render();
    page.push_str(&process::cpu_lines(catalogue::CPU_HELP));
    page
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
    let filter = DISCREET.iter().fold(filter, |filter, directive| match directive.parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    });
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
