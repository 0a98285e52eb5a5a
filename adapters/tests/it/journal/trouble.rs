//! Disks that fail or fill up: nothing is acknowledged that is not durable, and nothing is begun without room.
use super::rig::{Rig, SMALL, history, run};
use actors::ports::contract::samples;
use actors::ports::journal::{Journal, Room};
use adapters::disk::simulated::{Operation, SimulatedDisk};
use adapters::journal::Options;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn a_failed_sync_ends_the_process_once_and_nothing_is_acknowledged() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        assert!(rig.settle(samples::open_life(1, 1)).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
        disk.fail(Operation::Sync, 1, ErrorKind::Other);
        assert!(!rig.settle(samples::open_life(2, 2)).await, "the writer ended instead");
        assert_eq!(rig.fatal.load(Ordering::Relaxed), 1);
        let seq = rig.journal.append(samples::BEGIN, samples::open_life(3, 3));
        let later = tokio::time::timeout(Duration::from_mins(1), rig.journal.durable(seq)).await;
        assert!(later.is_err(), "nor is anything later");
        assert!(!rig.journal.is_durable(seq) && !rig.journal.knows(samples::payment(2, 2)));
        assert_eq!(rig.fatal.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_failed_write_ends_the_process_too() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        assert!(rig.settle(samples::open_life(1, 1)).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
        disk.fail(Operation::Write, 1, ErrorKind::Other);
        assert!(!rig.settle(samples::open_life(2, 2)).await);
        assert_eq!(rig.fatal.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_full_disk_leaves_the_reserve_and_recovers_by_itself() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(rig.journal.room(), Room::Plenty);
        // The present segment and the prepared one are all that fits.
        disk.set_capacity(Some(2 * 4096));
        let calls = history(8);
        let mut settled = 0;
        while rig.journal.room() == Room::Plenty {
            assert!(rig.settle(calls[settled].clone()).await);
            settled += 1;
        }
        assert!(rig.settle(samples::open_life(9, 900)).await, "what was begun is finished on the reserve");
        assert_eq!(rig.fatal.load(Ordering::Relaxed), 0, "a full disk is no reason to die");
        disk.set_capacity(None);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(rig.journal.room(), Room::Plenty);
        rig.settle_all(&calls[settled..]).await;
    });
}

#[test]
fn what_waits_for_a_full_disk_is_durable_once_there_is_space() {
    run(async {
        let disk = SimulatedDisk::new();
        let rig = Rig::open(&disk, SMALL).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        disk.set_capacity(Some(2 * 4096));
        for call in history(20) {
            rig.journal.append(samples::BEGIN, call);
        }
        let last = rig.journal.append(samples::BEGIN, Vec::new());
        assert!(tokio::time::timeout(Duration::from_mins(1), rig.journal.durable(last)).await.is_err());
        assert_eq!(rig.journal.room(), Room::ReserveOnly);
        disk.set_capacity(None);
        tokio::time::timeout(Duration::from_mins(1), rig.journal.durable(last)).await.unwrap();
        assert_eq!(rig.entries(), history(20).concat());
    });
}

#[test]
fn a_segment_that_cannot_be_made_once_is_tried_again() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        disk.fail(Operation::Create, 1, ErrorKind::Other);
        rig.settle_all(&history(20)).await;
        assert_eq!((rig.fatal.load(Ordering::Relaxed), rig.entries()), (0, history(20).concat()));
    });
}

#[test]
fn where_no_segment_can_be_made_any_more_the_process_ends_instead_of_waiting_for_ever() {
    run(async {
        let disk = SimulatedDisk::new();
        let rig = Rig::open(&disk, SMALL).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        (1..=100).for_each(|nth| disk.fail(Operation::Create, nth, ErrorKind::Other));
        for call in history(20) {
            rig.journal.append(samples::BEGIN, call);
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(rig.fatal.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn gathering_under_load_loses_nothing() {
    run(async {
        let disk = SimulatedDisk::new();
        let options = Options { gather: Duration::from_millis(1), ..SMALL };
        let mut rig = Rig::open(&disk, options).await.unwrap();
        rig.settle_all(&history(10)).await;
        assert_eq!(rig.entries(), history(10).concat());
    });
}

#[test]
fn with_as_many_payments_open_as_may_be_nothing_new_is_begun_until_one_is_closed() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, Options { open_max: 3, ..SMALL }).await.unwrap();
        for terminal in 1..=3 {
            assert_eq!(rig.journal.room(), Room::Plenty);
            assert!(rig.settle(samples::open_life(terminal, 1)).await);
        }
        assert_eq!(rig.journal.room(), Room::ReserveOnly);
        assert!(rig.settle(samples::paid_life(1, 1).split_off(3)).await, "what is open goes on");
        assert_eq!(rig.journal.room(), Room::Plenty);
        assert!(rig.settle(vec![samples::refund_owed(1, 1)]).await, "what is owed counts");
        assert_eq!(rig.journal.room(), Room::ReserveOnly);
    });
}

#[test]
fn with_as_many_records_waiting_for_the_disk_as_may_nothing_new_is_begun_until_they_are_written() {
    run(async {
        let disk = SimulatedDisk::new();
        let rig = Rig::open(&disk, Options { pending_max: 8, ..SMALL }).await.unwrap();
        let mut last = rig.journal.append(samples::BEGIN, samples::open_life(1, 1));
        last = last.max(rig.journal.append(samples::BEGIN, samples::open_life(2, 1)));
        assert_eq!(rig.journal.room(), Room::Plenty);
        last = last.max(rig.journal.append(samples::BEGIN, samples::open_life(3, 1)));
        assert_eq!(rig.journal.room(), Room::ReserveOnly);
        rig.journal.durable(last).await;
        assert_eq!(rig.journal.room(), Room::Plenty);
    });
}
