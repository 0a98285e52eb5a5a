//! A spike and a replay from the first moment to the verdict: what was to be offered when, and that it was.
use crate::real_switch::{RealSwitch, Setting};
use crate::runs::{run, said};
use serde_json::Value;
use std::fmt::Write;

/// A machine that is busy with other tests may have to turn some away: that is not what is looked at here.
const SPIKE: &str = r#"
seed = 2
seconds = 5
warm_up = 1
patience_seconds = 8
thresholds = ["violations==0"]
[arrivals]
shape = "spike"
rate = 4
peak = 32
at = 2
lasts = 1
[mix]
sale = 90
reversal = 10
"#;

const REPLAY: &str = r#"
warm_up = 0
patience_seconds = 8
thresholds = ["violations==0"]
[arrivals]
shape = "replay"
file = "trace.txt"
[doors]
http = 1
iso = 1
[mix]
decline = 1
"#;

/// People who look at their phones for three seconds, whose terminals stand behind a concentrator. What is told leaves their three seconds out.
const UNHURRIED: &str = r#"
seed = 3
seconds = 2
warm_up = 1
patience_seconds = 8
thresholds = ["answer:p(50)<3s", "push:p(50)<3s", "answer:count>=10", "errors==0%", "violations==0"]
[arrivals]
shape = "constant"
rate = 12
[doors]
iso = 1
[customers]
least_seconds = 3
most_seconds = 3.5
[mix]
sale = 60
terminal_first = 10
reversal = 10
repeat = 10
reconnect = 10
"#;

/// Two seconds of a day: bursts, and people whom a mix would have to know of.
fn trace() -> String {
    let mut trace =
        String::from("# seconds story\n0.0 platform_expires\n0.05 impatient\n0.1 platform_refuses\n");
    for n in 0..8 {
        writeln!(trace, "{} sale", 0.5 + f64::from(n) / 100.0).unwrap();
    }
    trace + "1.5\n1.8 reversal\n"
}

fn played(switch: &RealSwitch, name: &str, text: &str) -> Value {
    let scenario = switch.scenario(name, text);
    let json = switch.path("r.json");
    let (scenario, shown) = (scenario.to_str().unwrap(), json.to_str().unwrap());
    let done = run(switch, &["--scenario", scenario, "--json", shown, "--lag-max", "5000"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap()
}

#[test]
fn a_spike_and_a_replay_are_offered_as_they_were_written_and_judged() {
    let switch = RealSwitch::open(Setting::Played);
    let report = played(&switch, "spike.toml", SPIKE);
    let of_second = |moment: &Value| moment["offered"].as_u64().unwrap();
    let timeline = report["timeline"].as_array().unwrap();
    let mut offered: Vec<u64> =
        timeline.iter().filter(|m| m["at"].as_i64() > Some(0)).map(of_second).collect();
    offered.sort_unstable();
    // The second of the spike, or the two that share it.
    let most: u64 = offered.iter().rev().take(2).sum();
    let others: u64 = offered.iter().rev().skip(2).sum();
    assert!(most >= 20 && most > others, "{offered:?}");

    std::fs::write(switch.path("trace.txt"), trace()).unwrap();
    let report = played(&switch, "replay.toml", REPLAY);
    let stories = report["stories"].as_array().unwrap();
    let offered = |story: &str| -> u64 {
        let of_story = stories.iter().filter(|ends| ends["story"] == story);
        of_story.map(|ends| ends["offered"].as_u64().unwrap()).sum()
    };
    let told =
        ["platform_expires", "impatient", "platform_refuses", "sale", "decline", "reversal"].map(offered);
    assert_eq!(told, [1, 1, 1, 8, 1, 1], "{stories:?}");
}

#[test]
fn customers_who_take_their_time_pay_and_their_terminals_may_share_connections() {
    let switch = RealSwitch::open(Setting::Played);
    let scenario = switch.scenario("unhurried.toml", UNHURRIED);
    let options = ["--scenario", scenario.to_str().unwrap(), "--line-links", "2", "--lag-max", "5000"];
    let done = run(&switch, &options);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let idle = run(&switch, &["--rate", "1", "--seconds", "1", "--line-links", "2"]);
    assert_eq!(idle.status.code(), Some(2), "{}", said(&idle));
    assert!(said(&idle).contains("--line-links: no payment goes over the line"), "{}", said(&idle));
    let hurried = run(&switch, &["--scenario", scenario.to_str().unwrap(), "--patience", "5"]);
    assert_eq!(hurried.status.code(), Some(2), "{}", said(&hurried));
    assert!(said(&hurried).contains("customers take longer"), "{}", said(&hurried));
}
