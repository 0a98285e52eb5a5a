//! The load generator from outside: its binary against a switch made of paper, and its refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod paper_switch;
mod platforms;
mod protection;
mod real_switch;
mod runs;
mod shapes;

use paper_switch::{Manner, PaperSwitch};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn loadtest(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(args).output().unwrap()
}

fn roster(folder: &Path, terminals: &str) -> (PathBuf, PathBuf) {
    let out = folder.join("terminals.jsonl");
    let made =
        loadtest(&["roster", "--terminals", terminals, "--merchants", "2", "--out", out.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    (out.clone(), folder.join("terminals.jsonl.keys"))
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn drive(switch: &PaperSwitch, more: &[&str]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "8");
    let url = switch.url();
    let args = ["drive", "--phones", &url, "--terminals", &url, "--roster", keys.to_str().unwrap(), "--json"];
    let done = loadtest(&[&args[..], &["--pairs", "8", "--seconds", "1", "--warm-up", "1"], more].concat());
    let report = serde_json::from_slice(&done.stdout);
    (done.status.code(), report.unwrap_or_else(|_| panic!("{done:?}")))
}

#[test]
fn a_closed_loop_pays_whole_payments_and_counts_what_they_cost() {
    let switch = PaperSwitch::open(Manner::Pays);
    let own_pid = std::process::id().to_string();
    let (code, report) = drive(&switch, &["--pid", &own_pid]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report["payments"].as_u64().unwrap() > 8, "{report}");
    assert_eq!((&report["errors"], &report["unfinished"]), (&serde_json::json!({}), &serde_json::json!(0)));
    assert!(report["whole_us"]["p50"].as_u64() >= report["answer_us"]["p50"].as_u64());
    assert_eq!(report["cpu"]["processes"][1]["pid"].to_string(), own_pid);
    assert!(switch.payments() >= report["payments"].as_u64().unwrap());
}

#[test]
fn an_open_loop_offers_what_was_asked_for_and_no_more() {
    let switch = PaperSwitch::open(Manner::Pays);
    let (code, report) = drive(&switch, &["--rate", "300"]);
    // Those that were due, whenever they were over: the machine may be busy.
    let payments = report["whole_us"]["count"].as_u64().unwrap();
    assert_eq!(code, Some(0));
    // 300 at random moments: 100 off is almost six standard deviations.
    assert!((200..400).contains(&payments), "{report}");
}

#[test]
fn a_switch_that_only_declines_gives_no_figure_but_a_reason() {
    let switch = PaperSwitch::open(Manner::Declines);
    let (code, report) = drive(&switch, &[]);
    assert_eq!((code, &report["payments"]), (Some(1), &serde_json::json!(0)));
    assert!(report["errors"]["terminal: declined 91"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn a_load_goes_to_this_machine_unless_somebody_says_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "1");
    for option in ["--phones", "--terminals"] {
        // 192.0.2.0/24 is for documentation (RFC 5737): nobody answers there.
        let args =
            ["drive", "--roster", keys.to_str().unwrap(), "--pairs", "1", option, "http://192.0.2.1:80"];
        let done = loadtest(&args);
        assert_eq!(done.status.code(), Some(2));
        assert!(String::from_utf8(done.stderr).unwrap().contains("--anywhere"));
    }
}

#[test]
fn a_roster_too_short_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "2");
    let done = loadtest(&["drive", "--roster", keys.to_str().unwrap(), "--pairs", "3"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8(done.stderr).unwrap().contains("loadtest roster"));
}

#[test]
fn the_switch_gets_digests_and_only_the_driver_gets_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (public, private) = roster(folder.path(), "5");
    let (known, keys) = (lines(&public), lines(&private));
    assert_eq!((known.len(), keys.len()), (5, 5));
    for (known, own) in known.iter().zip(&keys) {
        let digest = Sha256::digest(own["key"].as_str().unwrap().as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert_eq!((&known["id"], known["key_sha256"].as_str()), (&own["id"], Some(digest.as_str())));
        assert_eq!(known.as_object().unwrap().len(), 3);
    }
    let merchants: Vec<_> = known.iter().map(|known| known["merchant"].as_str().unwrap()).collect();
    assert_eq!(merchants, ["M1", "M2", "M1", "M2", "M1"]);
    assert_eq!(std::fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
    let again = loadtest(&["roster", "--terminals", "1", "--out", public.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(lines(&public).len(), 5);
}
