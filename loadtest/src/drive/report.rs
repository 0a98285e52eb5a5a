//! What a run comes to, for people and for machines: the same figures in the same order.
use crate::drive::plan::{Pace, Plan};
use crate::drive::tally::Counts;
use crate::latency::Latency;
use crate::machine::Usage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The figures of a run.
#[derive(Serialize)]
pub struct Report {
    /// Phones, each with its terminal.
    pub pairs: usize,
    /// Payments a second that were due; nothing in a closed loop.
    pub rate: Option<u32>,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Payments that were over within them.
    pub payments: u64,
    /// The same a second.
    pub payments_per_second: f64,
    /// From the terminal's question to its answer.
    pub answer_us: Latency,
    /// From when the payment was due until both sides knew.
    pub whole_us: Latency,
    /// What went wrong, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Pairs whose last payment did not end.
    pub unfinished: u64,
    /// Requests that terminals repeated.
    pub repeats: u64,
    /// CPU.
    pub cpu: Usage,
}

impl Report {
    pub fn new(plan: &Plan, counts: &Counts, cpu: Usage, unfinished: u64) -> Self {
        let seconds = plan.measured.as_secs_f64();
        let payments = f64::from(u32::try_from(counts.payments).unwrap_or(u32::MAX));
        let rate = match plan.pace {
            Pace::Closed => None,
            Pace::Open(rate) => Some(rate.get()),
        };
        Self {
            pairs: plan.pairs.len(),
            rate,
            seconds,
            payments: counts.payments,
            payments_per_second: (payments / seconds * 10.0).round() / 10.0,
            answer_us: Latency::of(&counts.answer),
            whole_us: Latency::of(&counts.whole),
            errors: counts.errors.clone(),
            unfinished,
            repeats: counts.repeats,
            cpu,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loop_kind = self.rate.map_or("closed loop".into(), |rate| format!("open loop at {rate}/s"));
        writeln!(f, "{} pairs, {loop_kind}, {} s", self.pairs, self.seconds)?;
        writeln!(f, "payments              {} ({}/s)", self.payments, self.payments_per_second)?;
        writeln!(f, "question to answer    {}", self.answer_us)?;
        writeln!(f, "whole payment         {}", self.whole_us)?;
        for process in &self.cpu.processes {
            let figure = |figure: Option<u64>| figure.map_or("?".into(), |figure| figure.to_string());
            let (ms, each) = (figure(process.cpu_ms), figure(process.cpu_us_per_payment));
            writeln!(f, "cpu of {:<14} {ms} ms, {each} us a payment (pid {})", process.name, process.pid)?;
        }
        let Usage { idle_percent, steal_percent, others_percent, .. } = &self.cpu;
        writeln!(
            f,
            "machine               {idle_percent} % idle, {others_percent} % others, {steal_percent} % stolen"
        )?;
        writeln!(f, "repeats, unfinished   {}, {}", self.repeats, self.unfinished)?;
        for (kind, count) in &self.errors {
            writeln!(f, "error                 {count} x {kind}")?;
        }
        Ok(())
    }
}
