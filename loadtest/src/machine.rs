//! What the machine did meanwhile: CPU of this process and of others, and how disturbed the whole was, from /proc.
//!
//! A figure from a machine that others used, or that was stolen from, is worth nothing; so it is printed beside the
//! figure. The kernel counts in hundredths of a second (USER_HZ, proc(5)): short runs are coarse.
use serde::Serialize;
use std::fs;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(10);

/// CPU so far.
pub struct Reading {
    processes: Vec<Option<Duration>>,
    machine: Whole,
}

/// What the processes of interest used between two readings.
#[derive(Serialize)]
pub struct Usage {
    /// This process first, then those that were asked for.
    pub processes: Vec<ProcessUsage>,
    /// Of all CPUs' time: unused.
    pub idle_percent: f64,
    /// Taken by the hypervisor.
    pub steal_percent: f64,
    /// Used by anybody else.
    pub others_percent: f64,
}

/// What one process used.
#[derive(Serialize)]
pub struct ProcessUsage {
    /// Which one.
    pub pid: u32,
    /// Its name, `?` if it is gone.
    pub name: String,
    /// CPU in milliseconds; nothing if it was not there at both readings.
    pub cpu_ms: Option<u64>,
    /// CPU in microseconds per payment.
    pub cpu_us_per_payment: Option<u64>,
}

#[derive(Clone, Copy, Default)]
struct Whole {
    all: Duration,
    idle: Duration,
    steal: Duration,
}

impl Reading {
    /// Reads now.
    pub fn take(pids: &[u32]) -> Self {
        let machine = fs::read_to_string("/proc/stat").ok().and_then(|text| whole(&text)).unwrap_or_default();
        Self { processes: pids.iter().map(|pid| process(*pid)).collect(), machine }
    }

    /// What was used from here to `later`, both of them of `pids`, for so many payments.
    pub fn until(&self, later: &Self, pids: &[u32], payments: u64) -> Usage {
        let used = |(before, after): (&Option<Duration>, &Option<Duration>)| {
            Some(after.as_ref()?.saturating_sub(*before.as_ref()?))
        };
        let used: Vec<_> = self.processes.iter().zip(&later.processes).map(used).collect();
        let ours = used.iter().flatten().sum::<Duration>();
        let span = |of: fn(&Whole) -> Duration| of(&later.machine).saturating_sub(of(&self.machine));
        let (all, idle, steal) = (span(|m| m.all), span(|m| m.idle), span(|m| m.steal));
        Usage {
            processes: pids
                .iter()
                .zip(used)
                .map(|(pid, cpu)| ProcessUsage::new(*pid, cpu, payments))
                .collect(),
            idle_percent: percent(idle, all),
            steal_percent: percent(steal, all),
            others_percent: percent(all.saturating_sub(idle).saturating_sub(steal).saturating_sub(ours), all),
        }
    }
}

impl ProcessUsage {
    fn new(pid: u32, cpu: Option<Duration>, payments: u64) -> Self {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        let in_micros = |cpu: Duration| u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        Self {
            pid,
            name: name.map_or_else(|_| "?".into(), |name| name.trim_end().into()),
            cpu_ms: cpu.map(|cpu| in_micros(cpu) / 1_000),
            cpu_us_per_payment: cpu.and_then(|cpu| in_micros(cpu).checked_div(payments)),
        }
    }
}

/// The resident set in KiB, field 2 of /proc/PID/statm in pages of 4 KiB.
pub fn memory_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(4))
}

/// Lets this process have `connections` at once, or as many as the system allows.
pub fn allow_connections(connections: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let held = getrlimit(Resource::Nofile);
    let wanted = held.maximum.map_or(connections, |most| most.min(connections));
    if held.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..held });
        if raised.is_err() || wanted < connections {
            eprintln!("loadtest: {connections} connections wanted, the system allows {wanted} (ulimit -n)");
        }
    }
}

/// User and system time, fields 14 and 15 of /proc/PID/stat; the name before them may hold anything but ends in `)`.
fn process(pid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    TICK.checked_mul(ticks()?.checked_add(ticks()?)?)
}

/// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
fn whole(text: &str) -> Option<Whole> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let fields: Vec<Duration> =
        fields.map(|field| TICK.checked_mul(field.parse().ok()?)).collect::<Option<_>>()?;
    let [_, _, _, idle, waiting, _, _, steal] = fields.as_slice() else { return None };
    Some(Whole { all: fields.iter().sum(), idle: idle.saturating_add(*waiting), steal: *steal })
}

fn percent(part: Duration, of: Duration) -> f64 {
    let percent = if of.is_zero() { 0.0 } else { part.as_secs_f64() / of.as_secs_f64() * 100.0 };
    (percent * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some_cpu_and_the_machine_has_a_past() {
        let pids = [std::process::id(), 0];
        let (first, second) = (Reading::take(&pids), Reading::take(&pids));
        let usage = first.until(&second, &pids, 0);
        assert!(first.machine.all > Duration::ZERO);
        let [own, none] = usage.processes.as_slice() else { panic!("two processes") };
        assert!(own.cpu_ms.is_some() && own.cpu_us_per_payment.is_none());
        assert_eq!((none.cpu_ms, none.name.as_str()), (None, "?"));
    }

    #[test]
    fn idle_and_waiting_for_disks_are_both_unused() {
        let whole = whole("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 …").unwrap_or_default();
        assert_eq!((whole.all, whole.idle, whole.steal), (TICK * 36, TICK * 9, TICK * 8));
    }
}
