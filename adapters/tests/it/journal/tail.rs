//! The reader that read models are rebuilt by.
use super::rig::{Rig, SMALL, SetClock, history, run};
use actors::domain::journal::{Entry, Seq};
use actors::ports::clock::Clock;
use actors::ports::contract::samples;
use actors::ports::journal::Journal;
use adapters::disk::simulated::{SimulatedDisk, Survival};
use std::time::Duration;

#[test]
fn a_reader_gets_every_record_once_in_small_bites_and_then_waits() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle_all(&history(12)).await;
        let mut tail = rig.journal.tail(Seq(1));
        let mut found: Vec<Entry> = Vec::new();
        while found.len() < history(12).concat().len() {
            let bite = tail.next(4).await.unwrap();
            assert!((1..=4).contains(&bite.len()));
            assert_eq!(bite[0].seq, Seq(u64::try_from(found.len()).unwrap() + 1));
            found.extend(bite.into_iter().map(|recorded| recorded.entry));
        }
        assert_eq!(found, history(12).concat());
        let nothing = tokio::time::timeout(Duration::from_secs(1), tail.next(4)).await;
        assert!(nothing.is_err(), "it waits");
        rig.journal.append(samples::BEGIN, vec![samples::bound(1, 99)]);
        let more = tokio::time::timeout(Duration::from_secs(1), tail.next(4)).await.unwrap().unwrap();
        assert_eq!(more[0].entry, samples::bound(1, 99));
    });
}

#[test]
fn the_latest_instant_is_known_though_the_last_records_are_copies() {
    run(async {
        let (disk, clock) = (SimulatedDisk::new(), SetClock::new());
        let mut rig = Rig::open_at(&disk, SMALL, clock.clone()).await.unwrap();
        assert_eq!(rig.journal.latest_instant(), Ok(clock.now()), "an empty log was begun then");
        assert!(rig.settle(vec![samples::settled_book(1)]).await);
        rig.settle_all(&history(20)).await;
        clock.pass(Duration::from_hours(48));
        for round in 0..20 {
            let seq = rig.journal.append(clock.now(), vec![samples::bound(7, round + 1)]);
            rig.journal.durable(seq).await;
        }
        tokio::time::sleep(Duration::from_mins(3)).await;
        let last = rig.journal.tail(rig.journal.durable_seq()).read(1);
        assert_eq!(last, Ok(vec![]), "the last record is a copy");
        rig.stop().await;
        let after = disk.after_power_cut(Survival::Nothing);
        let rig = Rig::open_at(&after, SMALL, SetClock::new()).await.unwrap();
        assert_eq!(rig.journal.latest_instant(), Ok(clock.now()), "and not two days earlier, nor at no time");
        rig.kill();
    });
}

#[test]
fn a_reader_goes_on_from_where_it_was() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle_all(&history(12)).await;
        let all = rig.records();
        for from in 1..=all.len() {
            let from_there = rig.journal.tail(Seq(u64::try_from(from).unwrap())).read(usize::MAX).unwrap();
            assert_eq!(from_there, all[from - 1..]);
        }
    });
}
