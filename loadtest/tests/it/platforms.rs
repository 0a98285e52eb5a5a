//! `loadtest run` as the platform too, and over lines with TLS and a MAC: against a real switch that has no other.
use crate::protection;
use crate::real_switch::{PATIENCE, RealSwitch, Setting};
use crate::runs::{EVERYTHING, run, said};
use crate::{loadtest, roster};
use serde_json::Value;
use std::process::Output;

const PATIENT: [&str; 4] = ["--patience", PATIENCE, "--lag-max", "5000"];

fn played(switch: &RealSwitch, scenario: &str, more: &[&str]) -> Output {
    run(switch, &[&["--scenario", scenario][..], &PATIENT, more].concat())
}

fn report(switch: &RealSwitch) -> Value {
    serde_json::from_slice(&std::fs::read(switch.path("r.json")).unwrap()).unwrap()
}

/// A slow platform that is silent, late, refuses and says things twice, all within three seconds.
const TROUBLED: &str = r#"
seed = 9
seconds = 4
warm_up = 1
thresholds = ["count>10", "violations==0"]
[arrivals]
shape = "poisson"
rate = 12
[mix]
sale = 80
reversal = 15
platform_late = 2
[[trouble]]
from = 0.5
lasts = 3
latency_ms = 30
rules = [
  { trouble = "silent", operation = "pay", next = 1 },
  { trouble = "lost", operation = "permit", next = 1 },
  { trouble = "late_answer", operation = "pay", next = 1 },
  { trouble = "duplicate_callback", operation = "pay", next = 8 },
  { trouble = "early_callback", operation = "pay", next = 4 },
  { trouble = "refuse", operation = "permit", next = 2 },
  { trouble = "cut_off", operation = "reversal", next = 1 },
  { trouble = "server_error", operation = "reversal", next = 1 },
]
"#;

#[test]
fn a_platform_that_the_load_plays_itself_makes_trouble_and_its_books_are_judged() {
    let switch = RealSwitch::open(Setting::Played);
    let scenario = switch.scenario("troubled.toml", TROUBLED);
    let (scenario, json) = (scenario.to_str().unwrap(), switch.path("r.json"));
    let done = played(&switch, scenario, &["--json", json.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let report = report(&switch);
    assert!(report["correctness"]["booked"].as_u64() > Some(20), "{}", report["correctness"]);
    assert_eq!(report["judge"]["missed"], serde_json::json!([]), "{}", report["judge"]);

    let short = ["--seconds", "1", "--warm-up", "0", "--control", "booked-twice"];
    let doctored = played(&switch, scenario, &short);
    assert_eq!(doctored.status.code(), Some(1), "{}", said(&doctored));
    assert!(said(&doctored).contains("paid more than once"), "{}", said(&doctored));
}

#[test]
fn over_a_line_with_tls_and_a_mac_every_story_passes_and_a_wrong_key_is_refused_by_name() {
    let switch = RealSwitch::open(Setting::Protected);
    let scenario = switch.scenario("everything.toml", EVERYTHING);
    let path = |name: &str| switch.path(name).to_str().unwrap().to_owned();
    let (authority, certificate, key, mac) =
        (path("authority.pem"), path("shop.pem"), path("shop.key"), path("mac.hex"));
    let named = ["--line-authority", &authority, "--line-name", protection::NAME];
    let shown = ["--line-certificate", &certificate, "--line-key", &key];
    let proven = ["--line-mac", "x919", "--line-mac-key", &mac];
    let done = played(&switch, scenario.to_str().unwrap(), &[&named[..], &shown, &proven].concat());
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains("iso"), "{}", said(&done));

    let other = path("other.hex");
    let mistyped = ["--line-mac", "x919", "--line-mac-key", &other];
    for (more, says) in [
        ([&named[..], &shown, &mistyped].concat(), "answered an echo with 63"),
        ([&named[..], &shown].concat(), "with 63: --framing, --dialect, --line-mac"),
        ([&named[..], &proven].concat(), "--line-certificate"),
        ([&named[..2], &shown, &proven].concat(), "--line-name"),
        (proven.to_vec(), "no --line-authority was given"),
    ] {
        let done = played(&switch, scenario.to_str().unwrap(), &more);
        assert_eq!(done.status.code(), Some(2), "{more:?}: {}", said(&done));
        assert!(said(&done).contains(says), "{more:?}: {}", said(&done));
    }
}

#[test]
fn what_cannot_be_played_or_protected_is_refused_by_the_option_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let (_, keys) = roster(folder.path(), "60");
    protection::write(folder.path());
    std::fs::write(folder.path().join("secret"), "hush").unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (mac, secret, key) = (path("mac.hex"), path("secret"), path("shop.key"));
    let (iso, plain) = ("[doors]\niso = 1\n", "");
    let refused = |text: &str, more: &[&str]| {
        let scenario = folder.path().join("s.toml");
        std::fs::write(&scenario, format!("[arrivals]\nshape = \"poisson\"\nrate = 5\n{text}")).unwrap();
        let args = ["run", "--roster", keys.to_str().unwrap(), "--scenario", scenario.to_str().unwrap()];
        let done = loadtest(&[&args[..], more].concat());
        assert_eq!(done.status.code(), Some(2), "{text} {more:?}: {}", said(&done));
        said(&done)
    };
    for (text, more, says) in [
        (iso, &["--line-mac", "x919"][..], "--line-mac-key"),
        (iso, &["--line-key", &key], "--line-certificate"),
        (iso, &["--line-name", "x"], "--line-authority"),
        (iso, &["--line-authority", "/nowhere"], "--line-authority /nowhere"),
        (iso, &["--line-authority", &mac], "--line-authority, "),
        (iso, &["--line-mac", "x929", "--line-mac-key", &mac], "--line-mac is one of x919"),
        (iso, &["--line-mac", "x99", "--line-mac-key", &mac], "x99 is only verified"),
        (iso, &["--line-mac", "x919", "--line-mac-key", &secret], "--line-mac-key"),
        (plain, &["--line-mac", "x919", "--line-mac-key", &mac], "no payment goes over the line"),
        (plain, &["--play-platform", "127.0.0.1:1"], "--play-platform needs --secret"),
        (plain, &["--secret", &secret], "--secret and --callback"),
        (plain, &["--play-platform", "192.0.2.1:1", "--secret", &secret], "--not-loopback"),
        (plain, &["--play-platform", "127.0.0.1:0", "--secret", &secret], "whsec_"),
        (
            plain,
            &["--play-platform", "127.0.0.1:0", "--secret", &secret, "--callback", "sandbox"],
            "platform.callback",
        ),
        ("[platform]\nlisten = \"127.0.0.1:0\"\nsecret_file = \"nowhere\"\n", &[], "platform.secret_file"),
        (
            "[platform]\nlisten = \"127.0.0.1:0\"\nsecret_file = \"secret\"\n",
            &["--platform", "http://127.0.0.1:1"],
            "leave out --platform",
        ),
        ("[platform]\nlisten = \"127.0.0.1\"\nsecret_file = \"secret\"\n", &[], "line 5, platform.listen"),
        (
            "[platform]\nlisten = \"127.0.0.1:0\"\nsecret_file = \"secret\"\nlate_seconds = 0\n",
            &[],
            "line 7, platform.late_seconds: is 1 to 300",
        ),
    ] {
        let told = refused(text, more);
        assert!(told.contains(says), "{text} {more:?}: {told}");
    }
}
