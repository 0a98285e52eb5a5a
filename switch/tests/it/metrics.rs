//! The page of metrics is complete and true: what the sources count is on it, and what is on it is counted.
//!
//! It reads the sources as text. `.ci/metrics` lets `promtool` judge what a running switch shows.
use std::collections::BTreeSet;
use std::path::Path;
use switch::telemetry::catalogue::{Kind, METRICS, Metric};

#[test]
fn every_metric_that_is_counted_is_on_the_page_and_the_other_way_round() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut counted = BTreeSet::new();
    for sources in ["actors/src", "adapters/src", "switch/src"] {
        names_in(&root.join(sources), &mut counted);
    }
    let listed: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(listed.len(), METRICS.len(), "a metric is listed twice");
    assert_eq!(counted, listed);
}

#[test]
fn names_carry_their_unit_and_histograms_their_buckets() {
    for Metric { name, kind, help, .. } in METRICS {
        assert_eq!(matches!(kind, Kind::Counter), name.ends_with("_total"), "{name}");
        assert!(help.ends_with('.') && help.len() > 10, "{name}: {help}");
        if let Kind::Histogram(buckets) = kind {
            assert!(buckets.len() > 4 && buckets.is_sorted(), "{name}");
        }
    }
}

fn names_in(folder: &Path, counted: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names_in(&path, counted);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("catalogue.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let starts = text.match_indices("\"turnout_").map(|(at, _)| &text[at + 1..]);
            counted.extend(starts.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}
