//! `loadtest run`: against a real switch with everything in it, and against one of paper for its exit codes.
use crate::paper_switch::{Manner, PaperSwitch};
use crate::real_switch::{PATIENCE, RealSwitch, Setting};
use crate::{loadtest, roster};
use actors::ports::clock::Clock;
use adapters::clock::SteadyClock;
use serde_json::Value;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// Everything that can happen, for five seconds, through both doors. The machine may be busy: times are generous.
pub const EVERYTHING: &str = r#"
seed = 5
seconds = 5
warm_up = 1
thresholds = ["answer.http:p(99)<8s", "answer.iso:p(99)<8s", "count>10", "errors<5%", "lost==0", "twice==0", "violations==0"]
[arrivals]
shape = "poisson"
rate = 16
[doors]
http = 1
iso = 1
[mix]
sale = 40
decline = 6
wrong_password = 6
vanished = 3
ignored = 3
abandoned = 3
reversal = 6
impatient = 6
repeat = 6
reconnect = 6
phone_reconnect = 6
platform_refuses = 2
platform_expires = 2
platform_pending = 2
platform_late = 2
platform_silent = 2
[amounts]
least = "0.50"
most = "199.99"
currency = "EUR"
[[trouble]]
from = 2
lasts = 1
latency_ms = 20
rules = [{ trouble = "duplicate_callback", operation = "pay", next = 3 }]
"#;

pub fn run(switch: &RealSwitch, more: &[&str]) -> Output {
    let arguments = switch.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    loadtest(&arguments)
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_story_through_both_doors_passes_its_thresholds_and_its_judge_and_a_doctored_run_fails() {
    let switch = RealSwitch::open(Setting::Sandbox);
    let (scenario, json, html) =
        (switch.scenario("everything.toml", EVERYTHING), switch.path("r.json"), switch.path("r.html"));
    let [scenario, json, html] = [&scenario, &json, &html].map(|path| path.to_str().unwrap());
    let patient = ["--patience", PATIENCE, "--lag-max", "5000"];
    let more = [&["--scenario", scenario, "--json", json, "--html", html][..], &patient].concat();
    let done = run(&switch, &more);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).starts_with("PASSED\n"), "{}", said(&done));

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let stories = report["stories"].as_array().unwrap();
    assert!(stories.len() >= 12, "{stories:?}");
    assert_eq!(report["judge"]["missed"], serde_json::json!([]), "{}", report["judge"]);
    assert!(report["judge"]["told"].as_array().unwrap().len() >= 10, "{}", report["judge"]);
    assert!(report["correctness"]["journaled"].as_u64() > Some(30), "{}", report["correctness"]);
    assert_eq!(report["settings"]["seed"], 5);
    assert!(report["cpu"]["processes"][1]["cpu_ms"].as_u64() > Some(0), "{}", report["cpu"]);
    let page = std::fs::read_to_string(html).unwrap();
    assert!(
        page.contains("<polyline") && !page.contains("<script") && !page.contains("http://www"),
        "{page}"
    );

    let quick = ["--rate", "10", "--seconds", "2", "--warm-up", "0", "--control", "booked-twice"];
    let doctored = run(&switch, &[&quick[..], &patient].concat());
    assert_eq!(doctored.status.code(), Some(1), "{}", said(&doctored));
    assert!(said(&doctored).contains("1 x paid more than once"), "{}", said(&doctored));
}

fn run_on_paper(switch: &PaperSwitch, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "60");
    let scenario = folder.path().join("sales.toml");
    let text = "seconds = 1\nwarm_up = 0\n[arrivals]\nshape = \"constant\"\nrate = 50\n\
                [amounts]\nleast = \"12.50\"\nmost = \"12.50\"\ncurrency = \"EUR\"\n";
    std::fs::write(&scenario, text).unwrap();
    let (url, keys, scenario) = (switch.url(), keys.to_str().unwrap(), scenario.to_str().unwrap());
    let args =
        ["run", "--quiet", "--phones", &url, "--terminals", &url, "--roster", keys, "--scenario", scenario];
    loadtest(&[&args[..], more].concat())
}

#[test]
fn the_exit_code_is_the_verdict() {
    let switch = PaperSwitch::open(Manner::Pays);
    for (more, code, first) in [
        (&["--lag-max", "2000", "--threshold", "errors<1%", "--threshold", "rate>=25/s"][..], 0, "PASSED\n"),
        (&["--lag-max", "2000", "--threshold", "p(50)<1us"], 1, "FAILED:\n  - p(50)<1us is "),
        (&["--lag-max", "0"], 3, "VOID:\n  - the generator was late by "),
        // Nothing was judged, so nothing is known to be right.
        (&["--lag-max", "2000", "--threshold", "lost==0"], 1, "FAILED:\n  - lost==0 is nothing"),
    ] {
        let done = run_on_paper(&switch, more);
        assert_eq!(done.status.code(), Some(code), "{more:?}: {}", said(&done));
        assert!(said(&done).starts_with(first), "{more:?}: {}", said(&done));
    }
}

#[test]
fn a_switch_that_only_declines_fails_whatever_was_asked_of_it() {
    let done = run_on_paper(&PaperSwitch::open(Manner::Declines), &["--lag-max", "2000"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("not one payment came through"), "{}", said(&done));
}

#[test]
fn what_cannot_be_run_is_refused_with_what_to_change() {
    let switch = PaperSwitch::open(Manner::Pays);
    let nobody = "http://127.0.0.1:1";
    for (more, says) in [
        (&["--rate", "100000/s"][..], "cannot be generated"),
        (&["--pairs", "3"], "give --pairs"),
        (&["--threshold", "p(99)<5"], "with us, ms, s"),
        // 192.0.2.0/24 is for documentation (RFC 5737): nobody answers there.
        (&["--platform", "http://192.0.2.1:80"], "--not-loopback"),
        (&["--line", "192.0.2.1:8583"], "--not-loopback"),
        (&["--line", "localhost"], "--line HOST:PORT"),
        (&["--platform", nobody], "turnout sandbox"),
        (&["--find-peak"], "needs a --threshold"),
        (&["--journal", "/nowhere", "--turnout", "/bin/false"], "cannot read it"),
    ] {
        let done = run_on_paper(&switch, more);
        assert_eq!(done.status.code(), Some(2), "{more:?}: {}", said(&done));
        assert!(said(&done).contains(says), "{more:?}: {}", said(&done));
    }
}

#[test]
fn a_target_that_is_not_there_fails_within_seconds_and_says_what_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "60");
    let clock = SteadyClock::starting_now();
    let began = clock.now();
    let done = loadtest(&[
        "run",
        "--rate",
        "5",
        "--phones",
        "http://127.0.0.1:1",
        "--roster",
        keys.to_str().unwrap(),
    ]);
    let took = clock.now().since(began);
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done).contains("turnout serve --config"), "{}", said(&done));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_wrong_scenario_says_which_key_on_which_line() {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "4");
    let scenario = folder.path().join("wrong.toml");
    std::fs::write(&scenario, "[arrivals]\nshape = \"poisson\"\nraet = 5\n").unwrap();
    let args = ["run", "--scenario", scenario.to_str().unwrap(), "--roster", keys.to_str().unwrap()];
    let done = loadtest(&args);
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done).contains("line 3, arrivals.raet: unknown field"), "{}", said(&done));
}

#[test]
fn the_scenarios_that_are_delivered_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "4");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(scenarios).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
    assert!(files.len() >= 4);
    for file in files {
        let keys = keys.to_str().unwrap();
        let nobody = ["--phones", "http://127.0.0.1:1", "--platform", "http://127.0.0.1:1"];
        let args = ["run", "--scenario", file.to_str().unwrap(), "--roster", keys];
        let done = loadtest(&[&args[..], &nobody].concat());
        assert!(
            said(&done).contains("nothing answers at 127.0.0.1:1"),
            "{}: {}",
            file.display(),
            said(&done)
        );
    }
}
