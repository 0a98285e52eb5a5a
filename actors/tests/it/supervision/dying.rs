//! Stories of panics, kills and escalation.
use super::tills::{Ask, House, Plan, SECOND, in_virtual_time, pass};
use actors::answer::Fault;
use actors::directory::Place;
use actors::gate::Class;
use actors::supervisor::{EXIT_CODE, Intensity};
use futures_util::future::join_all;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn restarting(answer: Result<u64, Fault>) -> Duration {
    match answer {
        Err(Fault::Restarting { retry_after }) => retry_after,
        other => panic!("expected to be told to come back, got {other:?}"),
    }
}

#[test]
fn a_poison_message_is_answered_and_the_rest_of_the_mail_is_heard() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        let answers = [house.pay(1, 5), house.poison(1), house.pay(1, 7), house.pay(1, 9)];
        assert_eq!(join_all(answers).await, [Ok(5), Err(Fault::Crashed), Ok(12), Ok(21)]);
        assert_eq!((house.census().crashed, house.census().restarted, house.census().live), (1, 1, 1));
        assert_eq!(house.town.wakes.load(Ordering::Relaxed), 2, "once for the mail, once after the crash");
    });
}

#[test]
fn whoever_waited_for_the_crashed_state_is_told_to_ask_again() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        let waiting = house.ask(1, Class::Authorization, Ask::Hold);
        let poison = house.poison(1);
        assert_eq!(poison.await, Err(Fault::Crashed));
        assert!(restarting(waiting.await) > Duration::ZERO);
    });
}

#[test]
fn a_panic_at_the_deadline_is_healed_and_the_deadline_is_kept() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.town.rings_to_panic.store(1, Ordering::Relaxed);
        house.tills.post(1, Ask::Alarm(house.in_secs(5)));
        pass(4 * SECOND).await;
        assert_eq!(house.census().crashed, 0);
        pass(2 * SECOND).await;
        assert_eq!((house.census().crashed, house.town.rings.load(Ordering::Relaxed)), (1, 1));
    });
}

#[test]
fn a_panicking_errand_ends_alone() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.tills.post(1, Ask::Errand { pays: 3, panics: true });
        house.tills.post(1, Ask::Errand { pays: 4, panics: false });
        pass(2 * SECOND).await;
        assert_eq!(house.pay(1, 1).await, Ok(5));
        assert_eq!((house.census().crashed, house.census().woken), (0, 1));
    });
}

#[test]
fn an_errand_that_outlives_its_actor_is_heard_by_the_next() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.tills.post(1, Ask::Errand { pays: 4, panics: false });
        assert_eq!(house.poison(1).await, Err(Fault::Crashed));
        pass(2 * SECOND).await;
        assert_eq!(house.pay(1, 1).await, Ok(5));
    });
}

#[test]
fn a_wake_that_panics_is_tried_again_and_the_mail_waits() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.town.wakes_to_panic.store(2, Ordering::Relaxed);
        assert_eq!(join_all([house.pay(1, 5), house.pay(1, 6)]).await, [Ok(5), Ok(11)]);
        assert_eq!(house.census().crashed, 2);
    });
}

#[test]
fn a_journal_that_fails_for_long_turns_askers_away_and_keeps_what_was_told() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.town.wakes_to_fail.store(4, Ordering::Relaxed);
        house.tills.post(1, Ask::Note(3));
        let asked = house.pay(1, 5);
        assert_eq!(restarting(asked.await), SECOND, "the third failure is one too many");
        pass(10 * SECOND).await;
        assert_eq!(house.pay(1, 5).await, Ok(8));
        assert_eq!(house.ended_with(), None, "a journal that does not answer is no reason to end");
    });
}

#[test]
fn a_wake_that_hangs_is_given_up_and_tried_again() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.town.wake_takes_ms.store(60_000, Ordering::Relaxed);
        let asked = house.pay(1, 5);
        pass(SECOND).await;
        house.town.wake_takes_ms.store(0, Ordering::Relaxed);
        assert_eq!(asked.await, Ok(5));
        assert_eq!(house.census().crashed, 1);
    });
}

#[test]
fn an_actor_killed_from_outside_takes_nobodys_message_with_it() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        assert_eq!(house.pay(1, 1).await, Ok(1));
        let queued: Vec<_> = (0..200).map(|_| house.pay(1, 1)).collect();
        house.tills.kill(1);
        let answers = join_all(queued).await;
        assert_eq!(answers, (2..=201).map(Ok).collect::<Vec<_>>());
        assert_eq!(house.census().restarted, 1);
    });
}

#[test]
fn a_key_that_keeps_crashing_is_quarantined_and_its_neighbours_are_not() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        let mut rests = Vec::new();
        for crash in 1..=5 {
            let poison = house.poison(1);
            let behind = house.pay(1, 1);
            assert_eq!(poison.await, Err(Fault::Crashed));
            let asked = house.pay(1, 1);
            if crash >= 3 {
                let rest = restarting(behind.await);
                assert_eq!(restarting(asked.await), rest, "at once, not after the rest");
                rests.push(rest);
                assert!(house.pay(2, 1).await.is_ok(), "the neighbour notices nothing");
                pass(rest).await;
            } else {
                assert!(behind.await.is_ok());
                assert_ne!(asked.await, Err(Fault::Expired));
            }
        }
        assert_eq!(rests, [SECOND, 2 * SECOND, 4 * SECOND]);
        assert!(house.pay(1, 1).await.is_ok(), "after its rest it is tried again");
        assert_eq!(house.ended_with(), None);
    });
}

#[test]
fn a_poison_that_nobody_asked_for_is_dropped_and_the_rest_is_kept() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        for _ in 0..4 {
            house.tills.post(1, Ask::PoisonNote);
        }
        house.tills.post(1, Ask::Note(9));
        pass(10 * SECOND).await;
        assert_eq!(house.town.written(1), [9]);
    });
}

/// A house whose shard bears two crashes, and which itself bears `deaths` of the shard.
fn brittle(deaths: u32) -> House {
    let mut plan = Plan { deaths, ..Plan::generous() };
    plan.limits.crashes = Intensity { most: 2, within: 10 * SECOND };
    plan.build()
}

#[test]
fn a_shard_that_escalates_is_replaced_and_its_mail_and_deadlines_are_inherited() {
    in_virtual_time(async {
        let house = brittle(1);
        house.tills.post(9, Ask::Alarm(house.in_secs(5)));
        let poisons: Vec<_> = (1..=3).map(|key| house.poison(key)).collect();
        let queued: Vec<_> = (1..=8).map(|key| house.pay(key, key.into())).collect();
        assert_eq!(join_all(poisons).await, vec![Err(Fault::Crashed); 3]);
        assert_eq!(join_all(queued).await, (1..=8).map(Ok).collect::<Vec<_>>());
        pass(6 * SECOND).await;
        assert_eq!(house.town.rings.load(Ordering::Relaxed), 1, "the alarm survived the shard");
        assert_eq!(house.ended_with(), None);
    });
}

#[test]
fn what_restarting_does_not_heal_ends_the_process_with_code_70() {
    in_virtual_time(async {
        let house = brittle(1);
        for round in 0..2 {
            assert_eq!(house.ended_with(), None);
            drop(join_all((1..=3).map(|key| house.poison(10 * round + key))).await);
            pass(SECOND).await;
        }
        assert_eq!(house.ended_with(), Some(EXIT_CODE));
    });
}

#[test]
fn a_house_that_closes_restarts_nobody() {
    in_virtual_time(async {
        let house = brittle(0);
        house.watch.stand_down();
        drop(join_all((1..=3).map(|key| house.poison(key))).await);
        pass(SECOND).await;
        assert_eq!(house.ended_with(), None);
        assert_eq!(house.pay(1, 1).await, Err(Fault::Expired), "nobody is left to answer, and nobody hangs");
    });
}

#[test]
fn shards_on_their_own_arbiters_answer_and_heal_alike() {
    let system = actix::System::new();
    system.block_on(async {
        let arbiters = [actix::Arbiter::new(), actix::Arbiter::new()];
        let places = arbiters.iter().map(|arbiter| Place::On(arbiter.handle())).collect();
        let house = Plan { shards: 4, places, ..Plan::generous() }.build();
        for key in 0..64 {
            let answers = [house.pay(key, 1), house.poison(key), house.pay(key, 2)];
            assert_eq!(join_all(answers).await, [Ok(1), Err(Fault::Crashed), Ok(3)]);
        }
        assert_eq!((house.census().live, house.census().crashed), (64, 64));
        house.watch.stand_down();
        for arbiter in arbiters {
            arbiter.stop();
            arbiter.join().unwrap();
        }
    });
}

#[test]
fn an_arbiter_that_is_gone_for_good_ends_the_process() {
    let system = actix::System::new();
    system.block_on(async {
        let arbiter = actix::Arbiter::new();
        let house = Plan { places: vec![Place::On(arbiter.handle())], ..Plan::generous() }.build();
        assert_eq!(house.pay(1, 1).await, Ok(1));
        arbiter.stop();
        arbiter.join().unwrap();
        while house.ended_with().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(house.ended_with(), Some(EXIT_CODE));
    });
}
