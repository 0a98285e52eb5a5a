//! Stories that kill: one actor or the whole process, at every moment. In the end both sides agree, and a repeat
//! from the terminal gets the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod chaos;

use crate::house::bank::{Bank, Call, RIGHT};
use crate::house::ports::Trap;
use crate::house::{Estate, House, PATIENCE, Plan, SECOND, euro, id_of, key, pass, payer, settle, till};
use crate::sessions::{PHASES, bring_to, refusal};
use actors::domain::identity::{MerchantId, PaymentId};
use actors::domain::payment::Outcome;
use actors::domain::payment::phase::Phase;
use actors::domain::response_code::Refusal;
use actors::domain::time::Deadline;
use actors::gate::begun::Step;
use actors::report::Until;

/// The steps of a payment, as its facts name them.
const FACTS: [&str; 5] = ["opened", "phone_came", "consented", "permitted", "settled"];

/// The payment has ended, the same way for the terminal and for the platform, and says so whenever it is asked.
async fn agrees(house: &House, id: PaymentId, name: &str, what: &str) {
    let told = house.wait(till(1), name, "12.50").await.unwrap().expect(what);
    let again = house.place(till(1), name, "12.50").await.expect(what);
    assert_eq!(told.payment.outcome(), again.payment.outcome(), "{what}");
    pass(SECOND * 90).await;
    let holds = house.bank.holds(id);
    match told.payment.outcome() {
        Some(Outcome::Approved(_)) => assert_eq!(holds, Some(euro("12.50")), "{what}"),
        Some(Outcome::Refused(_)) => assert_eq!(holds, None, "{what}"),
        None => panic!("{what}: undecided"),
    }
    assert!(house.look(till(1), id).await.unwrap().payment.is_closed(), "{what}");
}

/// The phone goes on from wherever the payment stands, as far as it can.
async fn go_on(house: &House) {
    for _ in 0..4 {
        let open = house.cards(payer(1)).await.into_iter().find(|card| card.payment.outcome().is_none());
        match open.as_ref().map(|card| card.payment.phase()) {
            Some(Phase::AwaitConfirmation(..)) => drop(house.confirm(payer(1)).await),
            Some(Phase::AwaitPayment(..)) => drop(house.pay(payer(1), RIGHT).await),
            None => drop(house.stand(payer(1), till(1)).await),
            Some(_) => {}
        }
        settle().await;
    }
}

#[test]
fn a_session_killed_in_any_phase_goes_on_where_it_was() {
    for phase in PHASES {
        Estate::new().live(async |house| {
            let id = bring_to(house, phase, "sale").await;
            house.kill(till(1)).await;
            assert_eq!(house.rooms().sessions.census().crashed, 1);
            go_on(house).await;
            agrees(house, id, "sale", phase).await;
        });
    }
}

#[test]
fn a_payer_a_merchant_or_an_outbox_killed_in_any_phase_changes_nothing() {
    for phase in PHASES {
        Estate::new().live(async |house| {
            let id = bring_to(house, phase, "sale").await;
            house.rooms().payers.kill(payer(1));
            house.rooms().merchants.kill(MerchantId::new("shop").unwrap());
            house.rooms().outboxes.kill(Bank::name());
            settle().await;
            go_on(house).await;
            agrees(house, id, "sale", phase).await;
        });
    }
}

#[test]
fn a_process_killed_in_any_phase_finishes_after_its_restart() {
    for phase in PHASES {
        let mut estate = Estate::new();
        let id = estate.live(async |house| bring_to(house, phase, "sale").await);
        estate.live(async |house| {
            settle().await;
            go_on(house).await;
            agrees(house, id, "sale", phase).await;
        });
    }
}

#[test]
fn a_process_killed_in_any_phase_and_left_alone_ends_by_the_deadline() {
    for phase in PHASES {
        let mut estate = Estate::new();
        let id = estate.live(async |house| bring_to(house, phase, "sale").await);
        estate.live(async |house| {
            pass(PATIENCE + SECOND * 10).await;
            let records = house.facts(id).len();
            agrees(house, id, "sale", phase).await;
            assert_eq!(house.facts(id).len(), records, "{phase}: nobody had to ask");
        });
    }
}

#[test]
fn what_was_not_durable_when_the_process_died_was_never_said_or_asked() {
    for phase in PHASES {
        let mut estate = Estate::new();
        let (id, calls) = estate.live(async |house| {
            let id = bring_to(house, phase, "sale").await;
            house.journal.inner.hold();
            let calls = house.bank.calls();
            let (board, by) = (house.board.clone(), house.by());
            let back = actix_rt::spawn(async move { board.reverse_by_key(till(1), &key("sale"), by).await });
            pass(SECOND).await;
            assert!(!back.is_finished());
            assert_eq!(house.bank.calls(), calls, "{phase}");
            (id, calls.len())
        });
        estate.live(async |house| {
            assert!(!house.facts(id).contains(&"reversal_owed"), "{phase}");
            assert!(house.bank.calls().len() <= calls + 1, "{phase}");
            house.take_back(till(1), "sale").await.unwrap();
            agrees(house, id, "sale", phase).await;
            assert_eq!(house.bank.holds(id), None);
        });
    }
}

#[test]
fn a_session_that_panics_at_any_step_before_or_after_writing_loses_nothing() {
    for trap in [Trap::Before, Trap::After] {
        for fact in FACTS {
            let what = format!("{trap:?} {fact}");
            Estate::new().live(async |house| {
                house.journal.set(trap, None, fact, 1);
                let id = id_of(till(1), "sale");
                drop(house.place(till(1), "sale", "12.50").await);
                settle().await;
                drop(house.place(till(1), "sale", "12.50").await);
                go_on(house).await;
                go_on(house).await;
                agrees(house, id, "sale", &what).await;
                assert_eq!(house.rooms().sessions.census().crashed, 1, "{what}");
                assert!(house.bank.holds(id).is_some(), "{what}: one panic costs no payment");
            });
        }
    }
}

#[test]
fn a_poison_costs_the_others_on_the_same_terminal_nothing_but_a_moment() {
    Estate::new().live(async |house| {
        let waiting = house.wait(till(1), "other", "12.50");
        settle().await;
        house.journal.set(Trap::Before, Some(id_of(till(1), "poison")), "opened", 1);
        assert!(house.place(till(1), "poison", "12.50").await.is_err());
        settle().await;
        let told = waiting.await.unwrap();
        assert!(matches!(told, Err(actors::switchboard::Refused::Fault(_))), "told to repeat: {told:?}");
        house.stand(payer(1), till(1)).await.unwrap();
        go_on(house).await;
        agrees(house, id_of(till(1), "other"), "other", "other").await;
    });
}

#[test]
fn a_payment_that_breaks_its_session_every_time_is_given_up_and_undone() {
    Estate::new().live(async |house| {
        let neighbour = id_of(till(1), "neighbour");
        house.place(till(1), "neighbour", "12.50").await.unwrap();
        let poison = id_of(till(1), "poison");
        house.place(till(1), "poison", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        house.journal.set(Trap::Before, Some(poison), "permitted", 1_000);
        let cards = house.cards(payer(1)).await;
        let card = cards.iter().find(|card| card.payment.id() == poison).unwrap();
        house.confirm_card(card, Until::Recorded).await.unwrap();
        pass(SECOND * 3).await;
        let told = house.look(till(1), poison).await.unwrap();
        assert_eq!(refusal(&told), Some(Refusal::Fault));
        assert_eq!(told.payment.phase().name(), "reversed");
        assert!(house.bank.account(poison).is_undone);
        assert_eq!(house.rooms().sessions.census().crashed, 3);
        go_on(house).await;
        assert_eq!(house.phase(till(1), neighbour).await, "paid");
        assert_eq!(house.rooms().sessions.census().crashed, 3);
    });
}

#[test]
fn a_payment_whose_timer_breaks_the_session_takes_no_neighbour_along() {
    Estate::new().live(async |house| {
        // Both are due at the same instant, so that one turn of the session touches both.
        let answer_by = Deadline::after(house.now(), PATIENCE);
        for name in ["poison", "neighbour"] {
            let order = actors::domain::order::Order { answer_by, ..house.order(till(1), name, "12.50") };
            house.board.place(order, Until::Leaves("await_merchant"), house.by()).await.unwrap();
        }
        let [poison, neighbour] = ["poison", "neighbour"].map(|name| id_of(till(1), name));
        house.journal.set(Trap::Before, Some(poison), "declined", 3);
        pass(PATIENCE + SECOND * 5).await;
        assert_eq!(refusal(&house.look(till(1), poison).await.unwrap()), Some(Refusal::Fault));
        assert_eq!(refusal(&house.look(till(1), neighbour).await.unwrap()), Some(Refusal::NoPhone));
    });
}

#[test]
fn the_platform_is_asked_once_for_a_permit_and_again_only_after_a_crash() {
    let mut estate = Estate::new();
    let id = estate.live(async |house| bring_to(house, "await_permit", "sale").await);
    estate.live(async |house| {
        settle().await;
        assert_eq!(house.bank.count(|call| *call == Call::Permit(id, 1)), 2);
        assert_eq!(house.phase(till(1), id).await, "await_payment");
    });
}

#[test]
fn a_terminal_that_forgot_everything_goes_on_counting_its_rounds_and_knows_who_stands_there() {
    let mut estate = Estate::new();
    let first = estate.live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        house.board.leave(payer(1), house.by()).await.unwrap();
        let granted = house.stand(payer(1), till(1)).await.unwrap();
        house.kill(till(1)).await;
        assert!(house.stand(payer(2), till(1)).await.is_err(), "somebody stands there");
        granted.claim.epoch
    });
    estate.live(async |house| {
        assert!(house.stand(payer(2), till(1)).await.is_err(), "after a restart too");
        house.board.clear(till(1), house.by()).await.unwrap();
        let granted = house.stand(payer(2), till(1)).await.unwrap();
        assert!(granted.claim.epoch > first, "round {} came after round {first}", granted.claim.epoch);
    });
}

#[test]
fn a_switch_that_died_with_hundreds_of_open_payments_may_have_as_many_again_at_once() {
    let plan = Plan { live_max: 1_000, gate: 1_000, in_flight_max: 1_000, owed_in_flight_max: 4 };
    let mut estate = Estate::planned(plan);
    estate.live(async |house| {
        for number in 0..400 {
            house.place(till(number), "sale", "12.50").await.unwrap();
        }
    });
    estate.live(async |house| {
        let open: Vec<_> = (0..700).map(|_| house.gate.opened()).collect();
        let (now, shop) = (house.now(), MerchantId::new("shop").unwrap());
        let mut begun = (400..999).map(|number| {
            house.gate.begin(now, shop, till(number), Step::Order(id_of(till(number), "sale")))
        });
        assert!(begun.all(|begun| begun.is_ok()));
        drop(open);
    });
}
