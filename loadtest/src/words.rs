//! A report as text: the verdict in the first line, then correctness, then latency by stage, then the rest.
use crate::control::Shown;
use crate::figure;
use crate::judge::{Findings, Rule};
use crate::machine::Usage;
use crate::tally::Endings;
use crate::verdict::{Report, Verdict};
use std::fmt::{self, Write};

/// The report, for a terminal.
pub fn told(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    write_all(report, &mut text).unwrap_or_default();
    text
}

fn write_all(report: &Report, out: &mut String) -> fmt::Result {
    let verdict = match report.verdict {
        Verdict::Passed => "PASSED",
        Verdict::Failed => "FAILED",
        Verdict::Void => "VOID",
    };
    writeln!(out, "{verdict}{}", if report.reasons.is_empty() { "" } else { ":" })?;
    report.reasons.iter().try_for_each(|reason| writeln!(out, "  - {reason}"))?;
    for outcome in &report.thresholds {
        let mark = if outcome.is_met { "ok  " } else { "MISS" };
        writeln!(out, "  {mark} {:<28} {}", outcome.threshold, outcome.measured)?;
    }
    match (&report.correctness, &report.judge) {
        (Some(findings), Some(shown)) => write_findings(findings, shown, out)?,
        _ => writeln!(out, "\ncorrectness: not judged (give --platform and --journal)")?,
    }
    if let Some(peak) = &report.peak {
        let rate = peak.rate.map_or("none".to_owned(), |rate| format!("{rate}/s"));
        writeln!(out, "\npeak: {rate} meets every threshold; the figures below are of that run")?;
        for step in &peak.steps {
            let missed = if step.missed.is_empty() { "met".to_owned() } else { step.missed.join("; ") };
            writeln!(out, "  {:>8}/s  {missed}", step.rate)?;
        }
    }
    writeln!(out, "\nlatency by stage, from the intended moment on where a stage begins with one")?;
    for row in &report.latency_us {
        writeln!(out, "  {:<24} {:>8} x  {}  {}", row.stage, row.latency.count, row.latency, row.what)?;
    }
    writeln!(
        out,
        "  {:<24} {:>8} x  {}  the generator's own lateness",
        "lag", report.lag_us.count, report.lag_us
    )?;
    write_stories(report, out)?;
    write_machine(report, out)
}

fn write_findings(findings: &Findings, shown: &Shown, out: &mut String) -> fmt::Result {
    let account = |count: Option<usize>| count.map_or("not read".to_owned(), |count| count.to_string());
    writeln!(
        out,
        "\ncorrectness: {} payments judged ({} approved, {} refused, {} taken back); in the platform's books {}, in the journal {}",
        findings.judged,
        findings.approved,
        findings.refused,
        findings.taken_back,
        account(findings.booked),
        account(findings.journaled)
    )?;
    for rule in Rule::ALL {
        let count = findings.count(rule);
        let mark = if count == 0 { "ok  " } else { "BAD " };
        writeln!(out, "  {mark} {count:>6} {:<14} {}", rule.name(), rule.says())?;
    }
    for violation in &findings.violations {
        writeln!(out, "       {}: {} {}", violation.rule.name(), violation.payment, violation.what)?;
    }
    writeln!(
        out,
        "  the judge was shown {} doctored accounts of this run first: it told {}, missed {}",
        shown.told.len().saturating_add(shown.missed.len()),
        shown.told.len(),
        shown.missed.len()
    )
}

fn write_stories(report: &Report, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "\n{} s measured: {}/s ended as they may, {}/s approved; errors {:.3} %, shed {:.3} %",
        report.seconds, report.rate, report.goodput, report.error_percent, report.shed_percent
    )?;
    writeln!(
        out,
        "  {:<18} {:>9} {:>9} {:>9} {:>10} {:>7} {:>7}",
        "story", "offered", "approved", "declined", "taken back", "shed", "errors"
    )?;
    for ends in &report.stories {
        let Endings { offered, approved, declined, taken_back, shed, errors } = ends.endings;
        let name = format!(
            "{}{}",
            ends.story,
            if ends.crowd == crate::stage::Crowd::Runaway { " (runaway)" } else { "" }
        );
        writeln!(
            out,
            "  {name:<18} {offered:>9} {approved:>9} {declined:>9} {taken_back:>10} {shed:>7} {errors:>7}"
        )?;
    }
    report.errors.iter().try_for_each(|(kind, count)| writeln!(out, "  error: {count} x {kind}"))
}

fn write_machine(report: &Report, out: &mut String) -> fmt::Result {
    writeln!(out)?;
    let Usage { processes, idle_percent, steal_percent, others_percent } = &report.cpu;
    for (at, process) in processes.iter().enumerate() {
        let told = |figure: Option<u64>| figure.map_or("?".to_owned(), |figure| figure.to_string());
        let last = report.timeline.last().and_then(|moment| moment.memory_kib.get(at).copied().flatten());
        writeln!(
            out,
            "  cpu of {:<12} {} ms, {} us a payment; {} KiB at the end (pid {})",
            process.name,
            told(process.cpu_ms),
            told(process.cpu_us_per_payment),
            told(last),
            process.pid
        )?;
    }
    writeln!(
        out,
        "  machine: {} cpus, {idle_percent} % idle, {others_percent} % others, {steal_percent} % stolen",
        report.settings.cpus
    )?;
    if let Some(growth) = report.memory_growth_percent {
        writeln!(out, "  memory of the first --pid grew by {} %", figure::rounded(growth, 2))?;
    }
    let settings = &report.settings;
    let switch = settings.switch.as_deref().unwrap_or("switch of unknown version");
    if let Some(platform) = &settings.platform {
        writeln!(out, "  platform at {platform}")?;
    }
    writeln!(
        out,
        "  {} pairs, seed {}, loadtest {}, {switch}, begun {}; {} requests repeated",
        settings.pairs, settings.seed, settings.loadtest, settings.began_at, report.repeats
    )
}
