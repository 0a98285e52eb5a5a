//! Stories of too many: gates, queues, deadlines, and memory.
use super::tills::{Ask, Plan, SECOND, in_virtual_time, pass};
use actors::answer::Fault;
use actors::directory::Limits;
use actors::gate::Class;
use futures_util::future::join_all;
use std::sync::atomic::Ordering;

#[test]
fn a_full_gate_refuses_at_once_and_keeps_room_for_reversals() {
    in_virtual_time(async {
        let house = Plan { permits: 10, ..Plan::generous() }.build();
        let held: Vec<_> = (1..=8).map(|key| house.ask(key, Class::Authorization, Ask::Hold)).collect();
        let before = house.clock.now();
        assert_eq!(house.pay(9, 1).await, Err(Fault::Overloaded { retry_after: SECOND }));
        assert_eq!(house.clock.now(), before, "no time is lost over a no");
        let reversal = house.ask(9, Class::Reversal, |reply| Ask::Pay(1, reply));
        assert_eq!(reversal.await, Ok(1));
        (1..=8).for_each(|key| house.tills.post(key, Ask::Release));
        assert!(join_all(held).await.iter().all(Result::is_ok));
        assert_eq!(house.tills.gate().used(), 0, "every permit came back");
        assert!(house.pay(9, 1).await.is_ok());
    });
}

#[test]
fn permits_come_back_whatever_became_of_the_question() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        drop(house.pay(1, 1));
        drop(house.ask(2, Class::Authorization, Ask::Hold));
        let faults = [house.poison(3), house.ask(4, Class::Status, Ask::Ignore)];
        assert_eq!(join_all(faults).await, [Err(Fault::Crashed), Err(Fault::Crashed)]);
        pass(SECOND).await;
        assert_eq!(house.tills.gate().used(), 0);
    });
}

#[test]
fn a_draining_node_begins_nothing_and_finishes_what_it_has() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.tills.gate().drain();
        assert_eq!(house.pay(1, 1).await, Err(Fault::Draining));
        assert_eq!(house.ask(1, Class::Completion, |reply| Ask::Pay(1, reply)).await, Ok(1));
    });
}

#[test]
fn a_question_left_unanswered_is_answered_with_a_fault() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        assert_eq!(house.ask(1, Class::Status, Ask::Ignore).await, Err(Fault::Crashed));
        assert_eq!(house.census().crashed, 0, "the actor itself is well");
    });
}

#[test]
fn what_nobody_waits_for_any_more_is_not_worked_on() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.town.wake_takes_ms.store(2_000, Ordering::Relaxed);
        let expires = house.tills.ask(1, Class::Authorization, house.in_secs(1), |reply| Ask::Pay(1, reply));
        drop(house.pay(1, 2));
        let waits = house.pay(1, 4);
        assert_eq!(expires.await, Err(Fault::Expired));
        assert_eq!(waits.await, Ok(4));
        let late = house.tills.ask(1, Class::Reversal, house.in_secs(0), |reply| Ask::Pay(8, reply));
        assert_eq!(late.await, Err(Fault::Expired));
        assert_eq!(house.town.written(1), [4]);
    });
}

#[test]
fn what_weighs_more_goes_first() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        assert_eq!(house.pay(1, 1).await, Ok(1));
        let asked = [
            house.ask(1, Class::Status, |reply| Ask::Pay(2, reply)),
            house.ask(1, Class::Authorization, |reply| Ask::Pay(3, reply)),
            house.ask(1, Class::Completion, |reply| Ask::Pay(4, reply)),
            house.ask(1, Class::Advice, |reply| Ask::Pay(5, reply)),
            house.ask(1, Class::Reversal, |reply| Ask::Pay(6, reply)),
        ];
        assert!(join_all(asked).await.iter().all(Result::is_ok));
        assert_eq!(house.town.written(1), [1, 6, 5, 4, 3, 2]);
    });
}

#[test]
fn an_actor_that_talks_to_itself_for_ever_does_not_starve_its_neighbour() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        house.tills.post(1, Ask::Chatter);
        assert_eq!(house.ask(2, Class::Advice, |reply| Ask::Pay(1, reply)).await, Ok(1));
    });
}

#[test]
fn an_inbox_has_a_limit_for_messages_without_a_permit_too() {
    in_virtual_time(async {
        let mut plan = Plan::generous();
        plan.limits.inbox_max = 4;
        let house = plan.build();
        house.town.wake_takes_ms.store(1_000, Ordering::Relaxed);
        (0..100).for_each(|_| house.tills.post(1, Ask::Note(1)));
        assert_eq!(house.pay(1, 1).await, Err(Fault::Overloaded { retry_after: SECOND }));
        pass(2 * SECOND).await;
        assert_eq!(house.pay(1, 1).await, Ok(5));
    });
}

#[test]
fn no_more_than_the_limit_is_awake_and_the_sleepers_forget_nothing() {
    in_virtual_time(async {
        let house = Plan { limits: Limits::standard(10), ..Plan::generous() }.build();
        for round in 1..=3 {
            for key in 0..100 {
                assert_eq!(house.pay(key, u64::from(key)).await, Ok(round * u64::from(key)));
                assert!(house.census().live <= 10);
            }
        }
        let census = house.census();
        assert_eq!((census.woken, census.slept, census.crashed), (300, 290, 0));
    });
}

#[test]
fn the_busy_stay_awake_and_the_idle_make_room() {
    in_virtual_time(async {
        let house = Plan { limits: Limits::standard(10), ..Plan::generous() }.build();
        for key in 1..=100 {
            assert!(house.pay(0, 1).await.is_ok());
            assert!(house.pay(key, 1).await.is_ok());
        }
        assert_eq!(house.census().woken, 101, "till 0 was never put to sleep");
    });
}

#[test]
fn when_nobody_may_sleep_new_business_is_refused_and_old_business_is_not() {
    in_virtual_time(async {
        let house = Plan { limits: Limits::standard(3), ..Plan::generous() }.build();
        let held: Vec<_> = (1..=3).map(|key| house.ask(key, Class::Authorization, Ask::Hold)).collect();
        assert_eq!(house.pay(4, 1).await, Err(Fault::Overloaded { retry_after: SECOND }));
        assert_eq!(house.ask(5, Class::Reversal, |reply| Ask::Pay(1, reply)).await, Ok(1));
        (1..=3).for_each(|key| house.tills.post(key, Ask::Release));
        assert!(join_all(held).await.iter().all(Result::is_ok));
        assert_eq!(house.pay(4, 1).await, Ok(1));
    });
}

#[test]
fn the_idle_are_put_to_sleep_but_not_before_their_deadline() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        assert_eq!(house.pay(1, 5).await, Ok(5));
        house.tills.post(2, Ask::Alarm(house.in_secs(600)));
        let held = house.tills.ask(3, Class::Authorization, house.in_secs(900), Ask::Hold);
        pass(300 * SECOND).await;
        assert_eq!(house.census().live, 2, "one waits for its deadline, one keeps somebody waiting");
        pass(500 * SECOND).await;
        assert_eq!((house.census().live, house.town.rings.load(Ordering::Relaxed)), (1, 1));
        house.tills.post(3, Ask::Release);
        assert_eq!(held.await, Ok(0));
        pass(300 * SECOND).await;
        assert_eq!((house.census().live, house.town.live.load(Ordering::Relaxed)), (0, 0));
        assert_eq!(house.pay(1, 5).await, Ok(10));
    });
}

#[test]
fn whoever_walked_away_keeps_nobody_awake() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        let held = house.ask(1, Class::Authorization, Ask::Hold);
        pass(SECOND).await;
        drop(held);
        pass(300 * SECOND).await;
        assert_eq!((house.census().live, house.tills.gate().used()), (0, 0));
    });
}

#[test]
fn a_hundred_thousand_tills_fit_into_the_memory_of_a_thousand() {
    in_virtual_time(async {
        let house = Plan::generous().build();
        for first in (0..100_000).step_by(100) {
            let answers = join_all((first..first + 100).map(|key| house.pay(key, 1))).await;
            assert!(answers.iter().all(|answer| *answer == Ok(1)));
        }
        assert_eq!(house.census().live, 1_000);
        assert!(house.town.live_most.load(Ordering::Relaxed) <= 1_200, "those that leave are soon gone");
        assert_eq!(house.pay(7, 1).await, Ok(2));
    });
}
