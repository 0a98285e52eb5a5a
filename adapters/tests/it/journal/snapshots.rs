//! Snapshots and retention: a start from either says the same as a full replay, and no open life is ever dropped.
use super::rig::{Rig, SMALL, SetClock, history, run};
use actors::domain::identity::Keeper;
use actors::domain::journal::{Entry, Seq, Subject};
use actors::ports::contract::samples;
use actors::ports::disk::Disk;
use actors::ports::journal::Journal;
use adapters::disk::simulated::{SimulatedDisk, Survival};
use adapters::journal::{Options, TailFault};
use proptest::prelude::*;
use std::fmt::Write;
use std::time::Duration;

fn snapshots(disk: &SimulatedDisk) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name.starts_with("snapshot-")).collect()
}

/// What can be asked of a journal, in one text.
async fn answers(rig: &Rig, payments: u64) -> String {
    let mut text = format!("{:?}\n", rig.journal.keepers().await);
    for terminal in 0..3 {
        let mut kept = rig.journal.kept_by(Keeper::Terminal(samples::terminal_id(terminal))).await;
        kept.sort_by_key(|open| open.payment.id());
        let payer = rig.journal.involving(samples::payer_id(terminal)).await;
        let latest = rig.journal.latest(Subject::Terminal(samples::terminal_id(terminal))).await;
        writeln!(text, "{kept:?}\n{}\n{:?}", payer.len(), latest.unwrap().map(|latest| latest.entry))
            .unwrap();
    }
    for number in 0..payments {
        let id = samples::payment(u32::try_from(number % 3).unwrap(), number);
        let life = rig.journal.life(Subject::Payment(id)).await.unwrap();
        let entries: Vec<Entry> = life.into_iter().map(|recorded| recorded.entry).collect();
        writeln!(text, "{id} {:?} {entries:?}", rig.journal.keeper_of(id).await).unwrap();
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn snapshot_and_tail_say_the_same_as_a_full_replay(
        payments in 1_u64..20, every in 300_u64..4000, refunds in proptest::collection::vec(0_u64..20, 0..6),
        stop in any::<bool>(),
    ) {
        run(async {
            let disk = SimulatedDisk::new();
            let options = Options { snapshot_every: every, ..SMALL };
            let mut rig = Rig::open(&disk, options).await.unwrap();
            rig.settle_all(&history(payments)).await;
            let mut refunded: Vec<u64> = refunds.into_iter().filter(|n| *n < payments && n % 2 == 0).collect();
            refunded.sort_unstable();
            refunded.dedup();
            for number in refunded {
                assert!(rig.settle(vec![samples::refund_owed(u32::try_from(number % 3).unwrap(), number)]).await);
            }
            let live = answers(&rig, payments).await;
            if stop { rig.stop().await } else { rig.kill() }
            let with = Rig::open(&disk, options).await.unwrap();
            let replayed = answers(&with, payments).await;
            assert!(!stop || with.recovery.replayed == 0, "a clean stop leaves nothing to replay");
            with.kill();
            for name in snapshots(&disk) {
                disk.remove(&name).unwrap();
            }
            let without = Rig::open(&disk, options).await.unwrap();
            assert_eq!(without.recovery.snapshot, None);
            assert_eq!(answers(&without, payments).await, live);
            assert_eq!(replayed, live);
        });
    }
}

#[test]
fn a_snapshot_that_cannot_be_believed_is_ignored() {
    run(async {
        let disk = SimulatedDisk::new();
        let options = Options { snapshot_every: 1500, ..SMALL };
        let mut rig = Rig::open(&disk, options).await.unwrap();
        rig.settle_all(&history(10)).await;
        let live = answers(&rig, 10).await;
        rig.stop().await;
        let names = snapshots(&disk);
        assert_eq!(names.len(), 2, "the newest, and one more in case");
        disk.corrupt(names.last().unwrap(), 100, &[0xaa; 4]);
        let rig = Rig::open(&disk, options).await.unwrap();
        assert_eq!(rig.recovery.snapshots_ignored, 1);
        assert!(rig.recovery.snapshot.is_some(), "the one before is used");
        assert_eq!(answers(&rig, 10).await, live);
    });
}

/// A journal of four days: history, a week's pause, more history.
async fn aged(disk: &SimulatedDisk, clock: &SetClock) -> Rig {
    let mut rig = Rig::open_at(disk, SMALL, clock.clone()).await.unwrap();
    rig.settle_all(&history(20)).await;
    clock.pass(Duration::from_hours(48));
    let later: Vec<Vec<Entry>> =
        (0..20).map(|n| vec![samples::bound(7, n + 1), samples::released(7, n + 1)]).collect();
    rig.settle_all(&later).await;
    rig
}

#[test]
fn old_segments_go_but_open_payments_and_rounds_stay() {
    run(async {
        let disk = SimulatedDisk::new();
        let clock = SetClock::new();
        let mut rig = aged(&disk, &clock).await;
        let open_before = rig.journal.kept_by(Keeper::Terminal(samples::terminal_id(1))).await;
        assert!(disk.list().unwrap().contains(&"0000000001.segment".to_owned()));
        // The caretaker looks once a minute.
        tokio::time::sleep(Duration::from_mins(3)).await;
        assert!(!disk.list().unwrap().contains(&"0000000001.segment".to_owned()), "the old ones are gone");
        check_kept(&rig, open_before.len()).await;
        let odd = samples::payment(1, 1);
        assert!(rig.settle(samples::paid_life(1, 1).split_off(3)).await, "a carried life goes on");
        let life = rig.journal.life(Subject::Payment(odd)).await.unwrap();
        assert_eq!(life.into_iter().map(|r| r.entry).collect::<Vec<_>>(), samples::paid_life(1, 1));
        rig.stop().await;
        for survival in [Survival::Nothing, Survival::Everything] {
            let found = disk.after_power_cut(survival);
            let rig = Rig::open_at(&found, SMALL, clock.clone()).await.unwrap();
            check_kept(&rig, open_before.len() - 1).await;
            rig.kill();
            for name in snapshots(&found) {
                found.remove(&name).unwrap();
            }
            let rig = Rig::open_at(&found, SMALL, clock.clone()).await.unwrap();
            check_kept(&rig, open_before.len() - 1).await;
            assert!(adapters::journal::verify(std::sync::Arc::new(found.clone())).is_sound());
            let lines = adapters::journal::payments(std::sync::Arc::new(found.clone())).unwrap();
            assert!(lines.iter().all(|line| line.settled <= 1), "a copy is no second payment: {lines:?}");
            rig.kill();
        }
    });
}

#[test]
fn a_terminals_book_outlives_the_segment_it_was_written_in() {
    run(async {
        let (disk, clock) = (SimulatedDisk::new(), SetClock::new());
        let mut rig = Rig::open_at(&disk, SMALL, clock.clone()).await.unwrap();
        let books = vec![samples::rekeyed(1, 1), samples::rekeyed(2, 5), samples::settled_book(1)];
        assert!(rig.settle(books).await);
        rig.settle_all(&history(20)).await;
        clock.pass(Duration::from_hours(48));
        let later: Vec<Vec<Entry>> = (0..20).map(|n| vec![samples::bound(7, n + 1)]).collect();
        rig.settle_all(&later).await;
        tokio::time::sleep(Duration::from_mins(3)).await;
        assert!(!disk.list().unwrap().contains(&"0000000001.segment".to_owned()), "the segment is gone");
        let mut follower = rig.journal.tail(rig.journal.durable_seq());
        let copies = tokio::time::timeout(Duration::from_secs(1), follower.next(10)).await;
        assert_eq!(copies.unwrap().unwrap(), [], "who follows is told that there were only copies");
        assert_eq!(follower.position().0, rig.journal.durable_seq().0 + 1);
        rig.stop().await;
        let rig = Rig::open_at(&disk.after_power_cut(Survival::Nothing), SMALL, clock).await.unwrap();
        for (terminal, book) in [(1, samples::settled_book(1)), (2, samples::rekeyed(2, 5))] {
            let latest = rig.journal.latest(Subject::Till(samples::terminal_id(terminal))).await;
            assert_eq!(latest.unwrap().unwrap().entry, book);
        }
        rig.kill();
    });
}

async fn check_kept(rig: &Rig, open: usize) {
    let kept = rig.journal.kept_by(Keeper::Terminal(samples::terminal_id(1))).await;
    assert_eq!(kept.len(), open, "every open payment is still there");
    for terminal in 0..3 {
        let latest = rig.journal.latest(Subject::Terminal(samples::terminal_id(terminal))).await.unwrap();
        assert!(latest.is_some(), "and every terminal's round");
    }
    let finished = samples::payment(0, 0);
    assert!(!rig.journal.knows(finished), "a finished one is not");
    assert!(rig.journal.life(Subject::Payment(finished)).await.unwrap().is_empty());
    let late = rig.journal.tail(Seq(1)).read(10);
    assert!(matches!(late, Err(TailFault::Dropped { oldest }) if oldest > Seq(1)), "a late reader is told");
}

#[test]
fn a_power_cut_during_retention_loses_no_open_payment() {
    let (changes_before, changes_after) = run(async {
        let disk = SimulatedDisk::new();
        let rig = aged(&disk, &SetClock::new()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = disk.changes();
        tokio::time::sleep(Duration::from_mins(3)).await;
        let after = disk.changes();
        rig.kill();
        (before, after)
    });
    assert!(changes_after > changes_before);
    for change in changes_before + 1..=changes_after {
        for survival in [Survival::Nothing, Survival::Everything, Survival::Torn(change)] {
            run(async {
                let disk = SimulatedDisk::new();
                disk.cut_power_at(change);
                let clock = SetClock::new();
                let rig = aged(&disk, &clock).await;
                tokio::time::sleep(Duration::from_mins(3)).await;
                rig.kill();
                let found = disk.after_power_cut(survival);
                let rig = Rig::open_at(&found, SMALL, clock).await.unwrap();
                let odd = samples::payment(1, 1);
                let shown = adapters::journal::life_on(std::sync::Arc::new(found), odd).unwrap().len();
                let kept = rig.journal.life(Subject::Payment(odd)).await.unwrap().len();
                assert_eq!(shown, kept, "a copy beside its original is told once: {change}, {survival:?}");
                let open: usize = (0..3_u32)
                    .map(|t| rig.journal.kept_by(Keeper::Terminal(samples::terminal_id(t))))
                    .map(actors::ports::contract::complete)
                    .map(|kept| kept.len())
                    .sum();
                assert_eq!(open, 10, "cut before change {change}, {survival:?}");
                rig.kill();
            });
        }
    }
}

/// Found by the fuzz target `journal`: the rest of a batch that had been acknowledged was taken for a torn tail.
#[test]
fn a_snapshot_after_which_the_log_would_go_on_in_the_middle_of_a_batch_is_not_believed() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle_all(&history(2)).await;
        rig.stop().await;
        let name = snapshots(&disk).pop().unwrap();
        let mut bytes = disk.bytes(&name);
        bytes[28] = bytes[28].wrapping_sub(30);
        let end = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        disk.corrupt(&name, 0, &bytes);
        let again = Rig::open(&disk, SMALL).await.unwrap();
        assert_eq!((again.recovery.snapshots_ignored, again.recovery.torn), (1, 0));
        assert_eq!(again.entries(), history(2).concat());
        again.kill();
    });
}
