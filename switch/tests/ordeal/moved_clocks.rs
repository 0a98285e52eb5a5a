//! A switch that wakes up hours later or earlier than it fell asleep: its decisions stand, its journal's time never runs
//! back, and what it cannot prove to the platform meanwhile is done when the clocks agree again.
use crate::house::turnout;
use crate::setting;
use crate::stage::{KILLED, Stage, signals};
use crate::story::Story;
use crate::strace::{ThreadName, Tracer, reason_not_to, threads};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

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
        let mut moved = 0;
        for shift in ["-3h", "+3h"] {
            let mut stage = Stage::open(60_000_000).await;
            for story in Story::ALL {
                for nth in 1..=setting("ORDEAL_CLOCKS", 4) {
                    stage.refreshed(story).await;
                    let mut command = turnout();
                    command.args(stage.site.serve_arguments()).stdout(Stdio::null()).stderr(Stdio::null());
                    stage.next_start = Some(faked(command, library, shift));
                    let writer =
                        threads(stage.pid())[&ThreadName { name: "journal-writer".to_owned(), which: 1 }];
                    let what = format!("signal=KILL:when={nth}");
                    let tracer = Tracer::striking(writer, "fdatasync", &what, stage.site.folder.path()).await;
                    let began = tokio::time::Instant::now();
                    let wrong = stage.tells(story).await;
                    tracer.released().await;
                    println!(
                        "{shift} {story:?} {nth}: {wrong:?} {:?} {:?}",
                        signals(&stage.deaths),
                        began.elapsed()
                    );
                    moved += usize::from(signals(&stage.deaths) == [KILLED]);
                }
            }
            let audit = stage.closed().await;
            println!("{shift}: {audit:?}");
        }
        println!("{moved}");
    });
}

fn faked(mut command: Command, library: &str, shift: &str) -> Command {
    command.env("LD_PRELOAD", library).env("FAKETIME", shift).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}
