//! What nobody waits for rides along with what somebody does, and goes alone when nothing comes.
use super::rig::{Rig, SMALL, run};
use actors::domain::journal::Seq;
use actors::ports::contract::samples;
use actors::ports::journal::Journal;
use adapters::disk::simulated::SimulatedDisk;
use std::time::Duration;

/// A journal with one record that nobody waits for.
async fn with_a_rider() -> (SimulatedDisk, Rig, Seq) {
    let disk = SimulatedDisk::new();
    let rig = Rig::open(&disk, SMALL).await.unwrap();
    let rider = rig.journal.append(samples::BEGIN, vec![samples::bound(1, 1)]);
    (disk, rig, rider)
}

#[test]
fn what_nobody_waits_for_goes_with_what_somebody_waits_for_in_one_write() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle(vec![samples::bound(1, 1)]).await;
        let before = disk.changes();
        rig.settle(vec![samples::bound(1, 2)]).await;
        let one = disk.changes() - before;
        let rider = rig.journal.append(samples::BEGIN, vec![samples::bound(1, 3)]);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(!rig.journal.is_durable(rider), "nobody waits for it");
        let before = disk.changes();
        rig.settle(vec![samples::bound(1, 4)]).await;
        assert!(rig.journal.is_durable(rider));
        assert_eq!(disk.changes() - before, one, "two calls cost what one costs");
        rig.stop().await;
    });
}

#[test]
fn what_nobody_waits_for_goes_alone_within_moments() {
    run(async {
        let (_disk, rig, rider) = with_a_rider().await;
        let mut tail = rig.journal.tail(Seq(1));
        // Whoever reads on waits, and hurries nobody.
        let began = tokio::time::Instant::now();
        assert_eq!(tail.next(10).await.unwrap().len(), 1);
        assert!(began.elapsed() >= Duration::from_millis(20), "{:?}", began.elapsed());
        assert!(began.elapsed() <= Duration::from_millis(21), "{:?}", began.elapsed());
        assert!(rig.journal.is_durable(rider));
        rig.stop().await;
    });
}

#[test]
fn whoever_waits_for_what_is_there_already_has_it_flushed_at_once() {
    run(async {
        let (_disk, rig, rider) = with_a_rider().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let began = tokio::time::Instant::now();
        rig.journal.durable(rider).await;
        assert!(began.elapsed() < Duration::from_millis(1), "{:?}", began.elapsed());
        rig.stop().await;
    });
}

#[test]
fn what_is_hurried_does_not_look_for_company() {
    run(async {
        let (_disk, rig, rider) = with_a_rider().await;
        let mut tail = rig.journal.tail(Seq(1));
        let began = tokio::time::Instant::now();
        rig.journal.hurry(rider);
        assert_eq!(tail.next(10).await.unwrap().len(), 1);
        assert!(began.elapsed() < Duration::from_millis(1), "{:?}", began.elapsed());
        rig.stop().await;
    });
}

#[test]
fn a_stop_takes_what_nobody_waits_for_along() {
    run(async {
        let (disk, rig, _) = with_a_rider().await;
        rig.stop().await;
        let rig = Rig::open(&disk, SMALL).await.unwrap();
        assert_eq!(rig.entries(), [samples::bound(1, 1)]);
        rig.stop().await;
    });
}
