//! Power cuts before every single change on the disk: nothing acknowledged is lost, and what is there is a prefix. Also
//! what a restart without a power cut found, and told, stays.
use super::rig::{Rig, SMALL, history, run};
use actors::domain::journal::Entry;
use actors::ports::contract::samples;
use actors::ports::journal::{Journal, Room};
use adapters::disk::simulated::{Operation, SimulatedDisk, Survival};
use adapters::journal::Options;
use std::io::ErrorKind;
use std::time::Duration;

/// With snapshots in between.
const OPTIONS: Options = Options { snapshot_every: 1500, ..SMALL };

/// Plays a history on `disk` until it ends or the power goes; how many entries were acknowledged.
async fn play(disk: &SimulatedDisk, calls: &[Vec<Entry>]) -> usize {
    let Ok(mut rig) = Rig::open(disk, OPTIONS).await else { return 0 };
    let mut acknowledged = 0;
    for call in calls {
        if !rig.settle(call.clone()).await {
            break;
        }
        acknowledged += call.len();
    }
    rig.kill();
    acknowledged
}

async fn check(disk: &SimulatedDisk, calls: &[Vec<Entry>], acknowledged: usize, story: &str) {
    let rig = Rig::open(disk, OPTIONS).await.unwrap_or_else(|fault| panic!("{story}: {fault}"));
    let found = rig.entries();
    let all: Vec<Entry> = calls.concat();
    assert!(found.len() >= acknowledged, "{story}: {} of {acknowledged} are left", found.len());
    assert_eq!(found, all[..found.len()], "{story}: what is there is a prefix");
    let whole_calls = calls.iter().scan(0, |sum, call| {
        *sum += call.len();
        Some(*sum)
    });
    assert!(
        found.is_empty() || whole_calls.into_iter().any(|sum| sum == found.len()),
        "{story}: calls are whole"
    );
    rig.kill();
}

fn survivals() -> Vec<Survival> {
    [Survival::Nothing, Survival::Everything].into_iter().chain((1..6).map(Survival::Torn)).collect()
}

#[test]
fn a_power_cut_anywhere_loses_nothing_that_was_acknowledged() {
    let calls = history(14);
    let whole = SimulatedDisk::new();
    assert_eq!(run(play(&whole, &calls)), calls.concat().len());
    let segments = actors::ports::disk::Disk::list(&whole).unwrap();
    assert!(segments.iter().filter(|name| name.starts_with("000")).count() >= 3, "{segments:?}");
    assert!(whole.changes() > 100, "several segments and snapshots: {}", whole.changes());
    for change in 1..=whole.changes() {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(change);
        let acknowledged = run(play(&disk, &calls));
        for survival in survivals() {
            let story = format!("cut before change {change}, {survival:?}");
            run(check(&disk.after_power_cut(survival), &calls, acknowledged, &story));
        }
    }
}

#[test]
fn a_second_power_cut_during_recovery_loses_nothing_either() {
    let calls = history(6);
    let whole = SimulatedDisk::new();
    run(play(&whole, &calls));
    for change in (1..=whole.changes()).step_by(3) {
        let disk = SimulatedDisk::new();
        disk.cut_power_at(change);
        let acknowledged = run(play(&disk, &calls));
        for second in 1..12 {
            let recovering = disk.after_power_cut(Survival::Torn(change));
            recovering.cut_power_at(second);
            run(play(&recovering, &[]));
            let story = format!("cut before change {change}, then before change {second} of the recovery");
            run(check(&recovering.after_power_cut(Survival::Torn(second)), &calls, acknowledged, &story));
        }
    }
}

#[test]
fn life_goes_on_after_a_torn_tail() {
    let calls = history(6);
    let (before, after) = calls.split_at(8);
    let disk = SimulatedDisk::new();
    run(play(&disk, before));
    disk.cut_power_at(disk.changes() + 3);
    run(play(&disk, after));
    let disk = disk.after_power_cut(Survival::Torn(3));
    let found = run(async {
        let mut rig = Rig::open(&disk, OPTIONS).await.unwrap();
        let found = rig.entries().len();
        rig.settle_all(after).await;
        rig.stop().await;
        found
    });
    run(async {
        let rig = Rig::open(&disk, OPTIONS).await.unwrap();
        assert_eq!(rig.records().len(), found + after.concat().len());
    });
}

#[test]
fn a_power_cut_on_a_full_disk_loses_nothing_in_a_segment_just_begun() {
    let calls = history(9);
    let disk = SimulatedDisk::new();
    let acknowledged = run(async {
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        disk.set_capacity(Some(2 * 4096));
        let mut acknowledged = 0;
        for call in &calls {
            assert!(rig.settle(call.clone()).await);
            acknowledged += call.len();
        }
        assert_eq!(rig.journal.room(), Room::ReserveOnly, "the second segment is in use");
        rig.kill();
        acknowledged
    });
    let found = disk.after_power_cut(Survival::Nothing);
    found.set_capacity(None);
    run(check(&found, &calls, acknowledged, "nothing but what was synced"));
}

#[test]
fn what_a_restart_finds_of_a_batch_that_was_never_synced_is_durable_before_anybody_hears_of_it() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        assert!(rig.settle(samples::open_life(1, 1)).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Written and not synced: the process dies here, the system's memory lives on.
        disk.fail(Operation::Sync, 1, ErrorKind::Other);
        assert!(!rig.settle(samples::open_life(2, 2)).await);
        rig.kill();
        let restarted = Rig::open(&disk, SMALL).await.unwrap();
        let heard = restarted.entries();
        assert!(
            restarted.journal.knows(samples::payment(2, 2)),
            "the batch was whole: it counts from here on"
        );
        restarted.kill();
        for survival in survivals() {
            let after = Rig::open(&disk.after_power_cut(survival), SMALL).await.unwrap();
            assert_eq!(after.entries(), heard, "{survival:?}");
            after.kill();
        }
    });
}
