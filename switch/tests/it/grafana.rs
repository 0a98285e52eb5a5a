//! Alerts lead somewhere, are proved to work, and what is counted is wanted by a panel or an alert.
//!
//! It reads `grafana/` and `docs/runbook.md` as text. `.ci/grafana` lets promtool, Grafana's types and a Prometheus judge the rest.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use switch::telemetry::catalogue::METRICS;

/// What a histogram or a counter is asked by.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];
/// Recorded from the others by `grafana/alerts/promises.yml`.
const RECORDED: &str = "slo:";

#[test]
fn every_alert_leads_to_a_section_of_the_runbook_that_exists() {
    let sections = anchors(&read("docs/runbook.md"));
    let (alerts, links) = (lines_after("- alert: "), lines_after("runbook_url: "));
    assert!(alerts.len() > 20, "the alerts are no longer where this test looks for them");
    assert_eq!(alerts.len(), links.len(), "an alert has no runbook_url, or two");
    let lost: Vec<&String> = links
        .iter()
        .filter(|link| {
            let anchor = link.trim_matches('"').split_once("/runbook.md#").map(|(_, anchor)| anchor);
            !anchor.is_some_and(|anchor| sections.contains(anchor))
        })
        .collect();
    assert!(lost.is_empty(), "docs/runbook.md has no such section: {lost:?}; it has {sections:?}");
}

#[test]
fn what_the_runbook_links_to_in_itself_exists() {
    let runbook = read("docs/runbook.md");
    let sections = anchors(&runbook);
    let links = runbook.match_indices("](#").map(|(at, _)| runbook[at + 3..].split(')').next().unwrap());
    let lost: Vec<&str> = links.filter(|link| !sections.contains(*link)).collect();
    assert!(lost.is_empty(), "no such section: {lost:?}");
}

#[test]
fn every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_clears() {
    let stories: String = files("grafana/alerts/stories").iter().map(|path| text(path)).collect();
    for alert in lines_after("- alert: ") {
        let told: Vec<&str> =
            stories.lines().filter(|line| line.contains(&format!("alertname=\"{alert}\""))).collect();
        let says = |value: &str| told.iter().filter(|line| line.contains(value)).count();
        assert!(says("value: 1 }") >= 1 && says("value: 0 }") >= 2, "{alert} has no whole story: {told:?}");
    }
}

#[test]
fn every_metric_is_wanted_by_a_panel_or_an_alert_and_none_is_wanted_that_is_not_there() {
    let mut asked = BTreeSet::new();
    for path in files("grafana/dashboards").into_iter().chain(files("grafana/alerts")) {
        names_in(&text(&path), &mut asked);
    }
    let listed: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    let unwanted: Vec<&String> = listed.difference(&asked).collect();
    assert!(unwanted.is_empty(), "nobody looks at these: {unwanted:?}");
    let unknown: Vec<&String> = asked.difference(&listed).collect();
    assert!(unknown.is_empty(), "nobody counts these: {unknown:?}");
}

/// The anchors of a page's headings, as they are made from them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// What stands behind this in the rules.
fn lines_after(key: &str) -> Vec<String> {
    let rules: String = files("grafana/alerts").iter().map(|path| text(path)).collect();
    rules.lines().filter_map(|line| Some(line.split_once(key)?.1.trim().to_owned())).collect()
}

fn names_in(text: &str, names: &mut BTreeSet<String>) {
    for (at, _) in text.match_indices("turnout_") {
        let recorded = text[..at].ends_with(RECORDED);
        let end = text[at..].find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let name = &text[at..at + end.unwrap_or(text.len() - at)];
        let base = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        if !recorded {
            names.insert(base.to_owned());
        }
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn read(path: &str) -> String {
    text(&root().join(path))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
