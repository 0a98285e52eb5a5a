//! Stories of terminals: either order, repeats, reversals, deadlines, and never a word before it is durable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod crowds;
mod disk;

use crate::house::bank::{Act, Call, RIGHT};
use crate::house::{Estate, House, PATIENCE, SECOND, euro, id_of, key, pass, payer, settle, till};
use actors::domain::identity::{PaymentId, RefundId};
use actors::domain::payment::Outcome;
use actors::domain::payment::command::{Misfit, Verdict};
use actors::domain::payment::outcome::{Failure, PaymentOutcome};
use actors::domain::payment::phase::{Attempt, Phase};
use actors::domain::response_code::Refusal;
use actors::domain::time::{Deadline, Timestamp};
use actors::report::{Report, Until};
use actors::switchboard::Refused;
use std::time::Duration;

pub fn refusal(report: &Report) -> Option<Refusal> {
    match report.payment.outcome() {
        Some(Outcome::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

/// The phases before the end, each reached as a story would.
pub const PHASES: [&str; 6] =
    ["await_phone", "await_confirmation", "await_permit", "await_payment", "await_outcome", "in_doubt"];

/// Brings the payment `name` of till 1 and payer 1 into a phase, and leaves it there.
pub async fn bring_to(house: &House, phase: &str, name: &str) -> PaymentId {
    bring(house, phase, name).await;
    let id = id_of(till(1), name);
    assert_eq!(house.phase(till(1), id).await, phase);
    id
}

async fn bring(house: &House, phase: &str, name: &str) {
    let (till, payer) = (till(1), payer(1));
    if phase == "await_permit" {
        house.bank.on_permit(Act::Silent);
    }
    if phase == "await_outcome" {
        house.bank.on_pay(Act::Silent);
    }
    if phase == "in_doubt" {
        house.bank.on_pay(Act::Say(PaymentOutcome::Unknown));
        (0..9).for_each(|_| house.bank.on_inquire(Act::Silent));
    }
    house.place(till, name, "12.50").await.unwrap();
    if phase == "await_phone" {
        return;
    }
    house.stand(payer, till).await.unwrap();
    if phase == "await_confirmation" {
        return;
    }
    let card = house.card(payer).await;
    house.confirm_card(&card, Until::Recorded).await.unwrap();
    settle().await;
    if matches!(phase, "await_permit" | "await_payment") {
        return;
    }
    let sealed = actors::ports::platform::SealedCredential::new(RIGHT.to_vec()).unwrap();
    let (board, id, by) = (house.board.clone(), card.payment.id(), house.by());
    let digest = actors::domain::payment::phase::Digest32([9; 32]);
    actix_rt::spawn(async move { board.present(payer, id, Attempt::FIRST, digest, sealed, by).await });
    settle().await;
}

#[test]
fn os_3_an_amount_that_comes_before_the_phone_ends_paid() {
    Estate::new().live(async |house| {
        let waiting = house.wait(till(1), "sale", "12.50");
        settle().await;
        house.stand(payer(1), till(1)).await.unwrap();
        assert_eq!(house.confirm(payer(1)).await.unwrap().payment.phase().name(), "await_payment");
        house.pay(payer(1), RIGHT).await.unwrap();
        let told = waiting.await.unwrap().unwrap();
        assert!(matches!(told.payment.outcome(), Some(Outcome::Approved(_))));
        assert_eq!(house.bank.holds(told.payment.id()), Some(euro("12.50")));
    });
}

#[test]
fn os_3_a_phone_that_comes_before_the_amount_ends_paid() {
    Estate::new().live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        let waiting = house.wait(till(1), "sale", "12.50");
        settle().await;
        house.confirm(payer(1)).await.unwrap();
        house.pay(payer(1), RIGHT).await.unwrap();
        assert!(matches!(waiting.await.unwrap().unwrap().payment.outcome(), Some(Outcome::Approved(_))));
    });
}

#[test]
fn os_5_nothing_is_asked_of_the_platform_before_the_payer_said_yes() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        pass(Duration::from_secs(30)).await;
        assert_eq!(house.bank.calls(), []);
    });
}

#[test]
fn an_order_repeated_in_every_phase_attaches_and_gets_the_same_answer() {
    for phase in PHASES {
        Estate::new().live(async |house| {
            let id = bring_to(house, phase, "sale").await;
            let (first, again) = (house.wait(till(1), "sale", "12.50"), house.wait(till(1), "sale", "12.50"));
            let (first, again) = (first.await.unwrap().unwrap(), again.await.unwrap().unwrap());
            assert_eq!(first.payment.outcome(), again.payment.outcome(), "{phase}");
            let later = house.place(till(1), "sale", "12.50").await.unwrap();
            assert_eq!(later.payment.outcome(), first.payment.outcome(), "{phase}");
            assert_eq!(later.payment.id(), id);
            assert_eq!(later.verdict, Verdict::Already);
        });
    }
}

#[test]
fn a_key_used_again_for_another_amount_is_a_misfit_in_every_phase_and_told_at_once() {
    for phase in PHASES {
        Estate::new().live(async |house| {
            bring_to(house, phase, "sale").await;
            let before = house.now();
            let told = house.wait(till(1), "sale", "99.00").await.unwrap();
            assert_eq!(told.unwrap_err(), Refused::Misfit(Misfit::SameKeyOtherData), "{phase}");
            assert!(house.now().since(before) < SECOND, "{phase}: it was told late");
        });
    }
}

#[test]
fn os_9_a_wrong_password_gets_a_new_permit_and_the_second_try_succeeds() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        let told = house.pay(payer(1), b"wrong").await.unwrap();
        assert_eq!(told.last_failure, Some(Failure::WrongCredentials));
        assert!(
            matches!(told.payment.phase(), Phase::AwaitPayment(_, _, attempt, _) if attempt.number() == 2)
        );
        assert_eq!(house.pay(payer(1), RIGHT).await.unwrap().payment.phase().name(), "paid");
        assert_eq!(house.bank.account(id).permits, [1, 2]);
    });
}

#[test]
fn os_9_tries_are_bounded_and_end_in_a_clear_decline() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        for _ in 0..2 {
            house.pay(payer(1), b"wrong").await.unwrap();
        }
        let told = house.pay(payer(1), b"wrong").await.unwrap();
        assert_eq!(refusal(&told), Some(Refusal::WrongCredentials));
        settle().await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert_eq!(house.bank.holds(id), None);
    });
}

#[test]
fn a_payer_who_declines_ends_it_for_the_terminal() {
    Estate::new().live(async |house| {
        let waiting = house.wait(till(1), "sale", "12.50");
        settle().await;
        house.stand(payer(1), till(1)).await.unwrap();
        house.decline(payer(1)).await.unwrap();
        assert_eq!(refusal(&waiting.await.unwrap().unwrap()), Some(Refusal::DeclinedByPayer));
    });
}

#[test]
fn a_payer_who_declines_with_the_permit_in_hand_leaves_nothing_at_the_platform() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        assert_eq!(refusal(&house.decline(payer(1)).await.unwrap()), Some(Refusal::DeclinedByPayer));
        settle().await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert!(house.bank.account(id).is_undone);
    });
}

#[test]
fn the_deadline_ends_every_phase_and_leaves_no_money_behind() {
    for phase in PHASES {
        Estate::new().live(async |house| {
            let id = bring_to(house, phase, "sale").await;
            pass(PATIENCE + SECOND).await;
            let told = house.look(till(1), id).await.unwrap();
            assert!(refusal(&told).is_some(), "{phase}: {}", told.payment.phase().name());
            assert!(told.payment.is_closed(), "{phase}: {}", told.payment.phase().name());
            assert_eq!(house.bank.holds(id), None, "{phase}");
            let was_asked = !matches!(phase, "await_phone" | "await_confirmation");
            assert_eq!(house.bank.account(id).is_undone, was_asked, "{phase}");
        });
    }
}

#[test]
fn a_terminal_can_take_back_in_every_phase() {
    for phase in PHASES {
        Estate::new().live(async |house| {
            let id = bring_to(house, phase, "sale").await;
            let told = house.take_back(till(1), "sale").await.unwrap();
            assert_eq!(refusal(&told), Some(Refusal::ReversedByTerminal), "{phase}");
            settle().await;
            assert!(house.look(till(1), id).await.unwrap().payment.is_closed(), "{phase}");
            assert_eq!(house.bank.holds(id), None, "{phase}");
            assert_eq!(house.take_back(till(1), "sale").await.unwrap().verdict, Verdict::Already, "{phase}");
        });
    }
}

#[test]
fn a_paid_payment_is_taken_back_once_however_often_that_is_said() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        for _ in 0..3 {
            let told = house.board.reverse(till(1), id, house.by()).await.unwrap();
            assert_eq!(refusal(&told), Some(Refusal::ReversedByTerminal));
        }
        settle().await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert_eq!(house.bank.count(|call| *call == Call::Reverse(id)), 1);
    });
}

#[test]
fn a_reversal_that_comes_before_its_order_forbids_it() {
    Estate::new().live(async |house| {
        let told = house.take_back(till(1), "sale").await.unwrap();
        assert_eq!(told.payment.phase().name(), "reversed_unseen");
        house.stand(payer(1), till(1)).await.unwrap();
        let order = house.wait(till(1), "sale", "12.50").await.unwrap().unwrap();
        assert_eq!(refusal(&order), Some(Refusal::ReversedByTerminal));
        assert!(house.cards(payer(1)).await.is_empty());
        assert_eq!(house.bank.calls(), []);
    });
}

#[test]
fn a_yes_that_comes_after_the_reversal_stays_reversed() {
    Estate::new().live(async |house| {
        house.bank.on_pay(Act::Late(Duration::from_secs(5)));
        let id = house.permitted(till(1), payer(1), "sale").await;
        let card = house.card(payer(1)).await;
        let paying = house.present(payer(1), card.payment.id(), Attempt::FIRST, RIGHT);
        let taking_back = async {
            pass(SECOND).await;
            house.bank.on_reverse(Act::Late(Duration::from_secs(8)));
            house.take_back(till(1), "sale").await.unwrap()
        };
        let (_, told) = tokio::join!(paying, taking_back);
        assert_eq!(refusal(&told), Some(Refusal::ReversedByTerminal));
        let late = house.call_back(&format!("{id} 1 12.50")).await.unwrap();
        assert_eq!(refusal(&late), Some(Refusal::ReversedByTerminal));
        pass(Duration::from_secs(10)).await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert_eq!(house.bank.holds(id), None);
    });
}

#[test]
fn a_callback_may_come_first_twice_or_with_a_lie() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        let lied = house.call_back(&format!("{id} 1 1250.00")).await.unwrap();
        assert_eq!(lied.payment.phase().name(), "in_doubt");
        let told = house.call_back(&format!("{id} 1 12.50")).await.unwrap();
        assert_eq!(told.payment.phase().name(), "paid");
        assert_eq!(house.call_back(&format!("{id} 1 12.50")).await.unwrap().verdict, Verdict::Already);
        assert_eq!(house.call_back(&format!("{id} 1 wrong")).await.unwrap().payment.phase().name(), "paid");
    });
}

#[test]
fn of_two_phones_at_one_terminal_the_first_wins_and_the_other_is_told_until_when() {
    Estate::new().live(async |house| {
        let won = house.stand(payer(1), till(1)).await.unwrap();
        let lost = house.stand(payer(2), till(1)).await.unwrap_err();
        assert!(matches!(lost, Refused::Taken(taken) if taken.until == won.until), "{lost:?}");
        house.place(till(1), "sale", "12.50").await.unwrap();
        let lost = house.stand(payer(2), till(1)).await.unwrap_err();
        assert!(matches!(lost, Refused::Taken(taken) if taken.until == won.until), "{lost:?}");
        house.card(payer(1)).await;
        assert!(house.cards(payer(2)).await.is_empty());
    });
}

#[test]
fn a_claim_ends_with_its_payment_and_the_next_one_counts_on() {
    Estate::new().live(async |house| {
        let first = house.stand(payer(1), till(1)).await.unwrap();
        house.paid(till(1), payer(1), "sale").await;
        assert_eq!(house.board.standing(till(1), house.by()).await.unwrap().holder, None);
        assert_eq!(house.board.place_of(payer(1), house.by()).await.unwrap(), None);
        let second = house.stand(payer(2), till(1)).await.unwrap();
        assert_eq!(second.claim.epoch, first.claim.epoch + 1);
    });
}

#[test]
fn a_claim_that_ran_out_makes_room_for_the_next_phone() {
    Estate::new().live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        pass(Duration::from_mins(2)).await;
        house.stand(payer(2), till(1)).await.unwrap();
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.card(payer(2)).await;
    });
}

#[test]
fn a_binding_that_runs_out_in_mid_payment_leaves_the_permit_alone() {
    let mut estate = Estate::new();
    estate.live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        pass(Duration::from_secs(100)).await;
        let id = bring_to(house, "await_payment", "sale").await;
        // The claim was extended when the phone stood there again; its time runs out all the same.
        let order_ends = Deadline::after(house.now(), PATIENCE);
        house.board.clear(till(1), house.by()).await.unwrap();
        house.stand(payer(2), till(1)).await.unwrap();
        assert!(!order_ends.is_over(house.now()));
        assert_eq!(house.pay(payer(1), RIGHT).await.unwrap().payment.phase().name(), "paid");
        assert_eq!(house.phase(till(1), id).await, "paid");
        let held = house.board.standing(till(1), house.by()).await.unwrap().holder.unwrap();
        assert_eq!(held.claim.payer, payer(2), "the end of an older round's payment ends no younger round");
    });
}

#[test]
fn a_terminal_sends_the_phone_away_and_the_payment_waits_for_the_next() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        house.board.clear(till(1), house.by()).await.unwrap();
        settle().await;
        assert!(house.cards(payer(1)).await.is_empty());
        assert_eq!(house.board.place_of(payer(1), house.by()).await.unwrap(), None);
        house.stand(payer(2), till(1)).await.unwrap();
        house.confirm(payer(2)).await.unwrap();
    });
}

#[test]
fn a_terminal_neither_sees_nor_touches_what_another_asked_for() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        let stranger = till(2);
        assert_eq!(house.look(stranger, id).await.unwrap_err(), Refused::NoSuchPayment);
        let reversed = house.board.reverse(stranger, id, house.by()).await;
        assert_eq!(reversed.unwrap_err(), Refused::NoSuchPayment);
        let refund = RefundId::new("r1").unwrap();
        let refunded = house.board.refund(stranger, id, refund, euro("1.00"), house.by()).await;
        assert_eq!(refunded.unwrap_err(), Refused::NoSuchPayment);
        assert_eq!(house.phase(till(1), id).await, "paid");
        let other = house.take_back(stranger, "sale").await.unwrap();
        assert_ne!(other.payment.id(), id, "the same key of another terminal names another payment");
        assert_eq!(house.phase(till(1), id).await, "paid");
    });
}

#[test]
fn a_merchants_no_is_the_terminals_answer() {
    Estate::new().live(async |house| {
        let told = house.wait(till(1), "sale", "1000.01").await.unwrap().unwrap();
        assert_eq!(refusal(&told), Some(Refusal::AboveLimit));
        let told = house.wait(till(1), "sale", "1000.01").await.unwrap().unwrap();
        assert_eq!(refusal(&told), Some(Refusal::AboveLimit));
    });
}

#[test]
fn an_order_that_is_late_already_leaves_nothing_behind() {
    Estate::new().live(async |house| {
        let mut order = house.order(till(1), "sale", "12.50");
        order.answer_by = Deadline::at(Timestamp::from_micros(1));
        let told = house.board.place(order, Until::Decided, house.by()).await;
        assert!(told.is_err(), "{told:?}");
        assert_eq!(house.look(till(1), id_of(till(1), "sale")).await.unwrap_err(), Refused::NoSuchPayment);
        let told = house.board.reverse_by_key(till(1), &key("sale"), house.by()).await.unwrap();
        assert_eq!(told.payment.phase().name(), "reversed_unseen");
    });
}

#[test]
fn what_could_not_be_answered_is_given_up_but_never_what_was_decided() {
    Estate::new().live(async |house| {
        let (sale, give_up) =
            (house.order(till(1), "sale", "12.50"), |order| house.board.give_up(order, house.by()));
        // It has yet to come: it is refused when it does.
        assert_eq!(give_up(sale.clone()).await.unwrap().payment.phase().name(), "reversed_unseen");
        assert!(matches!(
            house.place(till(1), "sale", "12.50").await.unwrap().payment.outcome(),
            Some(Outcome::Refused(_))
        ));
        // It is under way.
        let id = house.permitted(till(1), payer(1), "second").await;
        let other = house.order(till(1), "second", "13.00");
        assert_eq!(give_up(other).await.unwrap_err(), Refused::Misfit(Misfit::SameKeyOtherData));
        assert_eq!(house.phase(till(1), id).await, "await_payment");
        let told = give_up(house.order(till(1), "second", "12.50")).await.unwrap();
        assert!(matches!(told.payment.outcome(), Some(Outcome::Refused(_))), "{told:?}");
        // It was approved, and perhaps told: at hand, and after the session was gone.
        let id = house.paid(till(1), payer(1), "third").await;
        for is_gone in [false, true] {
            if is_gone {
                house.kill(till(1)).await;
            }
            let told = give_up(house.order(till(1), "third", "12.50")).await.unwrap();
            assert!(matches!(told.payment.outcome(), Some(Outcome::Approved(_))), "{told:?}");
            let other = house.order(till(1), "third", "13.00");
            assert_eq!(give_up(other).await.unwrap_err(), Refused::Misfit(Misfit::SameKeyOtherData));
        }
        assert_eq!(house.phase(till(1), id).await, "paid");
    });
}
