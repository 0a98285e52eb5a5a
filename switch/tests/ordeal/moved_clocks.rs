//! A switch whose wall clock was set hours off while it was dead, and is set right while it runs: its decisions stand, its
//! journal's time never runs back, and what it cannot prove to the platform meanwhile is done once the clocks agree.
use crate::house::turnout;
use crate::setting;
use crate::stage::{KILLED, Stage, signals};
use crate::story::Story;
use crate::strace::{ThreadName, Tracer, reason_not_to, threads};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];
const SHIFTS: [&str; 4] = ["-26h", "-3h", "+3h", "+26h"];
/// Syncs of a sale that somebody waits for: bound, consented, presented, settled.
const SYNCS: u64 = 4;
/// The operator takes so long to notice.
const WRONG_FOR: Duration = Duration::from_secs(3);

#[test]
fn a_clock_that_was_moved_by_hours_while_the_switch_was_dead_changes_no_decision() {
    actix_rt::System::new().block_on(async {
        let Some(library) = FAKETIME.into_iter().find(|path| Path::new(path).exists()) else {
            println!("SKIPPED: moved clocks: Debian's faketime is not installed");
            return;
        };
        if let Some(reason) = reason_not_to().await {
            println!("SKIPPED: moved clocks: {reason}");
            return;
        }
        let syncs = setting("ORDEAL_CLOCKS", 2);
        let lanes = SHIFTS.map(|shift| actix_rt::spawn(moved(library, shift, syncs)));
        let mut moves = 0;
        for lane in lanes {
            moves += lane.await.unwrap();
        }
        println!("{moves} moved clocks, 0 violations");
    });
}

/// Each story, killed at some of its syncs and started again by a clock that is wrong for a while; how often.
async fn moved(library: &str, shift: &str, syncs: u64) -> usize {
    let mut stage = Stage::open(60_000_000).await;
    let mut moves = 0;
    for story in [Story::Sale, Story::Reversal, Story::Refund] {
        for nth in (1..=SYNCS).rev().step_by(usize::try_from(SYNCS / syncs.clamp(1, SYNCS)).unwrap()) {
            stage.refreshed(story).await;
            let dial = Dial::set(&stage, shift);
            let mut command = turnout();
            command.args(stage.site.serve_arguments()).stdout(Stdio::null()).stderr(Stdio::null());
            stage.next_start = Some(dial.shown_to(command, library));
            let writer = threads(stage.pid())[&ThreadName { name: "journal-writer".to_owned(), which: 1 }];
            let what = format!("signal=KILL:when={nth}");
            let tracer = Tracer::striking(writer, "fdatasync", &what, stage.site.folder.path()).await;
            let righting = actix_rt::spawn(async move {
                tokio::time::sleep(WRONG_FOR).await;
                dial.put_right();
            });
            let mut wrong = stage.tells(story).await;
            let killed = signals(&stage.deaths);
            tracer.released().await;
            righting.await.unwrap();
            // The process that began in another time sells like any other now.
            stage.freed().await;
            wrong.extend(stage.tells(Story::Sale).await);
            assert!(wrong.is_empty(), "{shift}, {story:?}, killed at sync {nth}: {wrong:?}");
            assert_eq!(killed, [KILLED], "{shift}, {story:?}: the injection hit nothing");
            assert!(stage.deaths.is_empty(), "a moved clock is no reason to die: {:?}", stage.deaths);
            assert!(stage.was_approved(), "{shift}: the clock is right again and a sale was not approved");
            moves += 1;
        }
    }
    let audit = stage.closed().await;
    assert_eq!(audit.violations, Vec::<String>::new(), "{shift}");
    assert!(stage.journal_hours().await >= 2 || shift.starts_with('-'), "{shift} moved nothing");
    println!(
        "{shift}: {} sales, {} approved, {} across a death",
        audit.sales, audit.approved, audit.across_a_kill
    );
    moves
}

/// What libfaketime reads the time's shift from, at every look.
struct Dial(PathBuf);

impl Dial {
    fn set(stage: &Stage, shift: &str) -> Self {
        let file = stage.site.folder.path().join("clock");
        std::fs::write(&file, shift).unwrap();
        Self(file)
    }

    fn put_right(&self) {
        std::fs::write(&self.0, "+0").unwrap();
    }

    fn shown_to(&self, mut command: Command, library: &str) -> Command {
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }
}
