//! Disks that lie or dawdle under a real switch: a sync that fails ends the process, a sync that is slow ends nothing.
//!
//! Only the journal's own thread is struck. A caretaker whose sync fails throws its half-filled file away; nobody was
//! told of that one.
use crate::setting;
use crate::stage::{ABORTED, KILLED, Stage, signals};
use crate::story::Story;
use crate::strace::{ThreadName, Tracer, injected, reason_not_to, threads, under_strace};
use std::process::Stdio;

const WRITER: &str = "journal-writer";
/// No payment has more syncs.
const SYNCS_MAX: u32 = 40;

#[test]
fn a_sync_that_fails_ends_the_switch_and_nobody_was_told_what_it_held() {
    actix_rt::System::new().block_on(async {
        if let Some(reason) = reason_not_to().await {
            println!("SKIPPED: failing syncs: {reason}");
            return;
        }
        let mut stage = Stage::open(10_000_000).await;
        let mut struck = 0;
        for story in Story::ALL {
            let mut nth = 1;
            while failed_sync(&mut stage, story, nth).await {
                nth += 1;
                assert!(nth < SYNCS_MAX, "{story:?} never comes to its end");
            }
            assert!(nth > 1, "the injection hit nothing in {story:?}");
            println!("{story:?}: {} syncs failed in turn", nth - 1);
            struck += nth - 1;
        }
        let audit = stage.closed().await;
        assert_eq!(audit.violations, Vec::<String>::new());
        println!("{struck} failed syncs in {} sales, 0 violations", audit.sales);
    });
}

/// Whether there was an `nth` sync to fail. The start after it fails its sync, too, every third time.
async fn failed_sync(stage: &mut Stage, story: Story, nth: u32) -> bool {
    stage.refreshed(story).await;
    let fails_again = nth.is_multiple_of(3);
    if fails_again {
        let arguments = stage.site.serve_arguments();
        stage.next_start = Some(under_strace("fdatasync", "error=EIO:when=1", &arguments));
    }
    let tracer = striking(stage, &format!("error=EIO:when={nth}")).await;
    let wrong = stage.tells(story).await;
    let hits = injected(&tracer.released().await);
    if hits > 0 && stage.deaths.is_empty() {
        stage.dies_late().await;
    }
    stage.next_start = None;
    assert!(wrong.is_empty(), "{story:?}, sync {nth} failed: {wrong:?}");
    if hits == 0 {
        assert!(stage.deaths.is_empty(), "{story:?}: it died of {:?}, and not of us", stage.deaths);
        return false;
    }
    let died = signals(&stage.deaths);
    assert_eq!(died.first(), Some(&ABORTED), "{story:?}: sync {nth} failed and the switch went on: {died:?}");
    if fails_again {
        let refused = stage.deaths.get(1).and_then(std::process::ExitStatus::code);
        assert_eq!(refused, Some(1), "a start whose sync fails must refuse: {:?}", stage.deaths);
    }
    true
}

#[test]
fn a_sync_that_takes_its_time_makes_no_payment_unknown_and_none_approved_that_is_not() {
    actix_rt::System::new().block_on(async {
        if let Some(reason) = reason_not_to().await {
            println!("SKIPPED: slow syncs: {reason}");
            return;
        }
        let rounds = setting("ORDEAL_SLOW_ROUNDS", 1);
        let lanes = Story::ALL.map(|story| actix_rt::spawn(slow(story, rounds)));
        let mut delayed = 0;
        for lane in lanes {
            delayed += lane.await.unwrap();
        }
        println!("{delayed} slow syncs, 0 violations");
    });
}

/// Plays a story with every sync half a second late, and one three seconds; how many were late.
async fn slow(story: Story, rounds: u64) -> usize {
    let mut stage = Stage::open(20_000_000).await;
    let mut delayed = 0;
    for round in 0..rounds {
        for what in ["delay_enter=500000".to_owned(), format!("delay_enter=3000000:when={}+2", 1 + round % 2)]
        {
            stage.refreshed(story).await;
            let tracer = striking(&stage, &what).await;
            let wrong = stage.tells(story).await;
            let late = injected(&tracer.released().await);
            assert!(wrong.is_empty() && stage.deaths.is_empty(), "{story:?}, {what}: {wrong:?}");
            assert!(late > 0, "the injection hit nothing in {story:?}");
            delayed += late;
        }
    }
    assert_eq!(stage.closed().await.violations, Vec::<String>::new());
    delayed
}

async fn striking(stage: &Stage, what: &str) -> Tracer {
    let writer = ThreadName { name: WRITER.to_owned(), which: 1 };
    let id = threads(stage.pid())[&writer];
    Tracer::striking(id, "fdatasync", what, stage.site.folder.path()).await
}

#[test]
fn a_switch_that_lost_its_journal_is_seen() {
    actix_rt::System::new().block_on(async {
        if let Some(reason) = reason_not_to().await {
            println!("SKIPPED: the control of the kill points: {reason}");
            return;
        }
        let mut stage = Stage::open(30_000_000).await;
        stage.refreshed(Story::Refund).await;
        let mut forgetful = tokio::process::Command::new("sh");
        forgetful.args(["-c", "rm -rf \"$0\"; exec \"$@\""]).arg(stage.site.journal());
        forgetful.arg(env!("CARGO_BIN_EXE_turnout")).args(stage.site.serve_arguments());
        forgetful.stdout(Stdio::null()).stderr(Stdio::null());
        stage.next_start = Some(forgetful);
        // A refund's sync comes after the sale's answer.
        let tracer = striking(&stage, "signal=KILL:when=7").await;
        let wrong = stage.tells(Story::Refund).await;
        tracer.released().await;
        assert_eq!(signals(&stage.deaths), [KILLED], "the injection hit nothing");
        assert!(!wrong.is_empty(), "an approved sale was forgotten, and the auditor saw nothing");
    });
}
