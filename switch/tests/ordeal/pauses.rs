//! Processes that stop for seconds in the middle of a payment and go on as if nothing had been: the switch, the platform.
use crate::house::Site;
use crate::setting;
use crate::stage::Stage;
use crate::story::Story;
use std::time::Duration;
use tokio::process::Command;

/// Who stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paused {
    Switch,
    Platform,
}

/// A short one, one longer than a platform's answer may take, one longer than any till waits.
const SECONDS: [u64; 3] = [1, 4, 20];

#[test]
fn a_switch_or_a_platform_that_stands_still_for_seconds_leaves_every_payment_done_or_undone() {
    actix_rt::System::new().block_on(async {
        let rounds = setting("ORDEAL_PAUSES", 1);
        let mut lanes = Vec::new();
        for (lane, (paused, seconds)) in
            [Paused::Switch, Paused::Platform].into_iter().flat_map(|p| SECONDS.map(|s| (p, s))).enumerate()
        {
            let first_number = 40_000_000 + u64::try_from(lane).unwrap() * 1_000_000;
            lanes.push(actix_rt::spawn(paused_for(paused, seconds, rounds, first_number)));
        }
        let mut total = 0;
        for lane in lanes {
            total += lane.await.unwrap();
        }
        println!("{total} pauses, 0 violations");
    });
}

/// Every story, `rounds` times over, each with a pause somewhere in its first tenth of a second.
async fn paused_for(who: Paused, seconds: u64, rounds: u64, first_number: u64) -> u64 {
    let mut site = Site::small();
    let platform = site.with_platform_apart().await;
    let mut stage = Stage::at(site, first_number).await;
    let (mut pauses, mut random) = (0, setting("ORDEAL_SEED", 20_260_101) + first_number);
    for story in (0..rounds).flat_map(|_| Story::ALL) {
        stage.refreshed(story).await;
        let pid = match who {
            Paused::Switch => stage.pid(),
            Paused::Platform => platform.id().unwrap(),
        };
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_millis((random >> 33) % 100);
        let pause = actix_rt::spawn(async move {
            tokio::time::sleep(moment).await;
            signal(pid, "-STOP").await;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert_eq!(state(pid), Some('T'), "it went on although it was stopped");
            signal(pid, "-CONT").await;
        });
        let wrong = stage.tells(story).await;
        pause.await.unwrap();
        assert!(wrong.is_empty(), "{who:?} stood still for {seconds} s after {moment:?}: {wrong:?}");
        assert!(stage.deaths.is_empty(), "a pause is no reason to die: {:?}", stage.deaths);
        pauses += 1;
    }
    let audit = stage.closed().await;
    assert_eq!(audit.violations, Vec::<String>::new(), "{who:?}, {seconds} s");
    println!("{who:?}, {seconds} s: {} sales, {} approved", audit.sales, audit.approved);
    pauses
}

async fn signal(pid: u32, which: &str) {
    let sent = Command::new("kill").args([which, &pid.to_string()]).status().await.unwrap();
    assert!(sent.success(), "kill {which} hit nothing");
}

/// The state letter of /proc.
fn state(pid: u32) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("State:"))?.trim().chars().next()
}
