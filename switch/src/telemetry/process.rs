//! What the machine says of this process: processor time, memory, open files, and the room that its disk has left.
//!
//! Read when somebody looks, never on the path of a payment. What cannot be read is not shown: a gap is honest, a zero is not.
use metrics::gauge;
use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const CPU: &str = "turnout_process_cpu_seconds_total";

/// Sets what is known once and stays: which build this is, and since when it runs.
pub fn introduce(started: Duration) {
    gauge!("turnout_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("turnout_process_start_time_seconds").set(started.as_secs_f64());
}

/// Sets the gauges of the process and of the disk under `folder`.
pub fn measure(folder: &Path) {
    if let Some(resident) = resident_bytes() {
        gauge!("turnout_process_resident_bytes").set(resident);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge!("turnout_process_open_files").set(shown(u64::try_from(open.count()).unwrap_or(u64::MAX)));
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        gauge!("turnout_process_open_files_limit").set(shown(limit));
    }
    if let Ok(disk) = statvfs(folder) {
        gauge!("turnout_journal_disk_free_bytes").set(shown(disk.f_bavail) * shown(disk.f_frsize));
        gauge!("turnout_journal_disk_bytes").set(shown(disk.f_blocks) * shown(disk.f_frsize));
    }
}

/// A counter of fractions, which the recorder does not have, as the lines that Prometheus reads.
pub fn cpu_lines(help: &str) -> String {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    let spent = Duration::try_from(spent).unwrap_or_default().as_secs_f64();
    let mut lines = String::new();
    // Writing to a String cannot fail.
    write!(lines, "# HELP {CPU} {help}\n# TYPE {CPU} counter\n{CPU} {spent:.6}\n\n").unwrap_or_default();
    lines
}

fn resident_bytes() -> Option<f64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(shown(pages) * shown(u64::try_from(rustix::param::page_size()).ok()?))
}

/// A number for a graph: exact up to 2^53, which no memory or disk of ours reaches in bytes.
fn shown(number: u64) -> f64 {
    let [high, low] = [number >> 32, number & u64::from(u32::MAX)];
    let half = |half| u32::try_from(half).map_or(0.0, f64::from);
    half(high) * 4_294_967_296.0 + half(low)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn a_process_has_memory_and_has_used_the_processor() {
        assert!(resident_bytes().expect("Linux tells") > 100_000.0);
        let lines = cpu_lines("Seconds.");
        let spent: f64 = lines.rsplit(' ').next().expect("a value").trim().parse().expect("a number");
        assert!(spent > 0.0, "{lines}");
        assert_eq!(shown(u64::from(u32::MAX) + 2), 4_294_967_297.0);
    }
}
