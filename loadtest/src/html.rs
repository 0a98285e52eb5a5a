//! A report as one page that needs nothing else: figures in tables, seconds in charts (inline SVG), no script.
use crate::figure;
use crate::judge::Rule;
use crate::timeline::Moment;
use crate::verdict::{Report, Verdict};
use crate::words;
use std::fmt::{self, Write};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 180.0;
/// More points than pixels show nothing more.
const POINTS_MAX: usize = 900;
const COLOURS: [&str; 5] = ["#1a7f37", "#0969da", "#bf8700", "#cf222e", "#6e7781"];

/// The page.
pub fn page(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    write_page(report, &mut text).unwrap_or_default();
    text
}

/// A line of a chart.
struct Curve {
    name: String,
    values: Vec<f64>,
}

fn write_page(report: &Report, out: &mut String) -> fmt::Result {
    let (verdict, colour) = match report.verdict {
        Verdict::Passed => ("PASSED", COLOURS[0]),
        Verdict::Failed => ("FAILED", COLOURS[3]),
        Verdict::Void => ("VOID", COLOURS[2]),
    };
    write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Turnout load: {verdict}</title><style>\
         body{{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1f2328}}\
         table{{border-collapse:collapse;margin:.5rem 0}}td,th{{padding:.15rem .8rem .15rem 0;text-align:left}}\
         td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}pre{{background:#f6f8fa;padding:1rem;overflow:auto}}\
         svg{{width:100%;height:auto}}.bad{{color:#cf222e;font-weight:600}}h2{{margin-top:2rem}}</style>\
         <h1 style=\"color:{colour}\">{verdict}</h1>"
    )?;
    write!(out, "<ul>")?;
    report.reasons.iter().try_for_each(|reason| write!(out, "<li class=\"bad\">{}", escaped(reason)))?;
    write!(out, "</ul>")?;
    write_thresholds(report, out)?;
    write_correctness(report, out)?;
    write_latency(report, out)?;
    write_charts(report, out)?;
    let settings = &report.settings;
    write!(out, "<h2>All of it, as text</h2><pre>{}</pre>", escaped(&words::told(report)))?;
    write!(out, "<h2>Made with</h2><pre>{}</pre>", escaped(&settings.command_line.join(" ")))?;
    write!(out, "<h2>Scenario</h2><pre>{}</pre></html>", escaped(&settings.scenario))
}

fn write_thresholds(report: &Report, out: &mut String) -> fmt::Result {
    if report.thresholds.is_empty() {
        return Ok(());
    }
    write!(out, "<h2>Thresholds</h2><table><tr><th>threshold<th>measured<th>")?;
    for outcome in &report.thresholds {
        let (class, word) = if outcome.is_met { ("", "met") } else { ("bad", "missed") };
        write!(
            out,
            "<tr class=\"{class}\"><td>{}<td>{}<td>{word}",
            escaped(&outcome.threshold),
            outcome.measured
        )?;
    }
    write!(out, "</table>")
}

fn write_correctness(report: &Report, out: &mut String) -> fmt::Result {
    write!(out, "<h2>Correctness</h2>")?;
    let Some(findings) = &report.correctness else { return write!(out, "<p>Not judged.") };
    write!(out, "<p>{} payments judged, {} of them approved.<table>", findings.judged, findings.approved)?;
    for rule in Rule::ALL {
        let count = findings.count(rule);
        let class = if count == 0 { "" } else { "bad" };
        write!(out, "<tr class=\"{class}\"><td class=\"n\">{count}<td>{}", rule.says())?;
    }
    write!(out, "</table>")
}

fn write_latency(report: &Report, out: &mut String) -> fmt::Result {
    write!(out, "<h2>Latency by stage, ms</h2><table><tr><th>stage")?;
    ["count", "p50", "p90", "p99", "p99.9", "max"]
        .iter()
        .try_for_each(|head| write!(out, "<th class=\"n\">{head}"))?;
    write!(out, "<th>")?;
    for row in &report.latency_us {
        let latency = &row.latency;
        write!(out, "<tr><td>{}<td class=\"n\">{}", row.stage, latency.count)?;
        for us in [latency.p50, latency.p90, latency.p99, latency.p999, latency.max] {
            write!(out, "<td class=\"n\">{}", figure::ms(us))?;
        }
        write!(out, "<td>{}", escaped(row.what))?;
    }
    write!(out, "</table>")
}

fn write_charts(report: &Report, out: &mut String) -> fmt::Result {
    let moments = &report.timeline;
    if moments.len() < 2 {
        return Ok(());
    }
    let span = (moments.first().map_or(0, |moment| moment.at), moments.last().map_or(0, |moment| moment.at));
    let curve = |name: &str, value: fn(&Moment) -> f64| Curve {
        name: name.to_owned(),
        values: moments.iter().map(value).collect(),
    };
    let ends = [
        curve("approved", |m| figure::real(m.approved)),
        curve("offered", |m| figure::real(m.offered)),
        curve("shed", |m| figure::real(m.shed)),
        curve("errors", |m| figure::real(m.errors)),
        curve("other ends", |m| figure::real(m.others)),
    ];
    chart("Payments a second", &ends, span, out)?;
    let times = [
        curve("p50", |m| figure::real(m.p50_us) / 1_000.0),
        curve("p99", |m| figure::real(m.p99_us) / 1_000.0),
        curve("the generator's lag, p99", |m| figure::real(m.lag_p99_us) / 1_000.0),
    ];
    chart("Question to answer, ms", &times, span, out)?;
    let waiting = [curve("in flight", |m| figure::real(u64::try_from(m.in_flight).unwrap_or(u64::MAX)))];
    chart("Payments whose terminals wait", &waiting, span, out)?;
    let memory: Vec<Curve> = report
        .cpu
        .processes
        .iter()
        .enumerate()
        .map(|(at, process)| {
            let of = |moment: &Moment| moment.memory_kib.get(at).copied().flatten().unwrap_or(0);
            let values = moments.iter().map(|moment| figure::real(of(moment)) / 1_024.0).collect();
            Curve { name: process.name.clone(), values }
        })
        .collect();
    chart("Resident memory, MiB", &memory, span, out)
}

fn chart(title: &str, curves: &[Curve], ends: (i64, i64), out: &mut String) -> fmt::Result {
    let most = curves.iter().flat_map(|curve| &curve.values).copied().fold(0.0, f64::max).max(1e-9);
    write!(
        out,
        "<h2>{}</h2><svg viewBox=\"-60 -10 {} {}\" role=\"img\">",
        escaped(title),
        WIDTH + 70.0,
        HEIGHT + 50.0
    )?;
    for part in [0.0, 0.5, 1.0] {
        let y = HEIGHT * (1.0 - part);
        write!(out, "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#d0d7de\"/>")?;
        write!(
            out,
            "<text x=\"-6\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"end\">{:.1}</text>",
            y + 4.0,
            most * part
        )?;
    }
    for (x, at, anchor) in [(0.0, ends.0, "start"), (WIDTH, ends.1, "end")] {
        write!(
            out,
            "<text x=\"{x}\" y=\"{}\" font-size=\"11\" text-anchor=\"{anchor}\">{at} s</text>",
            HEIGHT + 14.0
        )?;
    }
    let mut label_at = 0.0;
    for (curve, colour) in curves.iter().zip(COLOURS) {
        write!(out, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"")?;
        let values = thinned(&curve.values);
        let last = figure::real(u64::try_from(values.len().saturating_sub(1)).unwrap_or(1)).max(1.0);
        for (at, value) in values.iter().enumerate() {
            let x = figure::real(u64::try_from(at).unwrap_or(0)) / last * WIDTH;
            write!(out, "{x:.1},{:.1} ", HEIGHT * (1.0 - value / most))?;
        }
        write!(
            out,
            "\"/><text x=\"{label_at}\" y=\"{}\" font-size=\"12\" fill=\"{colour}\">{}</text>",
            HEIGHT + 32.0,
            escaped(&curve.name)
        )?;
        label_at += 170.0;
    }
    write!(out, "</svg>")
}

/// At most so many points; of those left out the highest is kept, so that no spike is lost.
fn thinned(values: &[f64]) -> Vec<f64> {
    let each = values.len().div_ceil(POINTS_MAX).max(1);
    values.chunks(each).map(|few| few.iter().copied().fold(0.0, f64::max)).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_survives_thinning_and_text_is_not_markup() {
        let mut values = vec![1.0; 10_000];
        if let Some(value) = values.get_mut(5_003) {
            *value = 9.0;
        }
        let few = thinned(&values);
        assert!(few.len() <= POINTS_MAX && few.contains(&9.0));
        assert_eq!(escaped("p(99)<5ms & \"x\""), "p(99)&lt;5ms &amp; &quot;x&quot;");
    }
}
