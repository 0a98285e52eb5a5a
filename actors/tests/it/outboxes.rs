//! Stories of what the switch owes: tried until it is acknowledged, never forgotten, always to be seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use crate::house::bank::{Act, Bank, Call};
use crate::house::ports::Trap;
use crate::house::{Estate, House, Plan, SECOND, euro, id_of, pass, payer, settle, till};
use actors::domain::identity::RefundId;
use actors::domain::outbox::{DebtKind, Standing};
use actors::domain::payment::outcome::{RefundOutcome, ReversalOutcome};
use actors::domain::payment::phase::{Phase, RefundState};
use std::time::Duration;

async fn owed(house: &House) -> Vec<Standing> {
    house.board.owed(Bank::name(), house.by()).await.unwrap()
}

fn reversals(house: &House) -> usize {
    house.bank.count(|call| matches!(call, Call::Reverse(_)))
}

#[test]
fn a_reversal_is_tried_again_later_each_time_until_it_is_acknowledged() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        for _ in 0..5 {
            house.bank.on_reverse(Act::Say(ReversalOutcome::Unknown));
        }
        house.take_back(till(1), "sale").await.unwrap();
        let mut tried_at = Vec::new();
        let began = house.now();
        for _ in 0..400 {
            let before = reversals(house);
            pass(SECOND / 10).await;
            if reversals(house) > before {
                tried_at.push(house.now().since(began).as_secs());
            }
        }
        assert_eq!(tried_at, [1, 3, 7, 15, 31]);
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert_eq!(house.bank.holds(id), None);
        assert!(owed(house).await.is_empty());
    });
}

#[test]
fn what_is_past_reversing_is_given_back() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.bank.on_reverse(Act::Say(ReversalOutcome::TooLate));
        house.bank.on_refund(Act::Say(RefundOutcome::Unknown));
        house.take_back(till(1), "sale").await.unwrap();
        pass(SECOND * 5).await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        let back = RefundId::new(actors::outbox::GIVING_BACK).unwrap();
        assert_eq!(house.bank.account(id).refunds.get(&back), Some(&euro("12.50")));
        assert!(owed(house).await.is_empty());
    });
}

#[test]
fn what_a_platform_refuses_to_undo_is_shown_until_people_settle_it() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.bank.on_reverse(Act::Say(ReversalOutcome::Refused));
        house.bank.on_reverse(Act::Say(ReversalOutcome::Refused));
        house.take_back(till(1), "sale").await.unwrap();
        settle().await;
        let shown = owed(house).await;
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].debt.payment, shown[0].debt.kind), (id, DebtKind::ByHand));
        assert_eq!(shown[0].debt.money, euro("12.50"));
        assert_eq!(reversals(house), 1);
        pass(Duration::from_secs(61)).await;
        assert_eq!((reversals(house), owed(house).await.len()), (2, 1));
        pass(Duration::from_mins(2)).await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert!(owed(house).await.is_empty());
    });
}

#[test]
fn a_refund_is_tried_until_it_is_done_and_two_do_not_disturb_each_other() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.bank.on_refund(Act::Say(RefundOutcome::Unknown));
        house.bank.on_refund(Act::Lost(RefundOutcome::Unknown));
        let [first, second] = ["first", "second"].map(|name| RefundId::new(name).unwrap());
        for (refund, amount) in [(first, "2.00"), (second, "10.50")] {
            house.board.refund(till(1), id, refund, euro(amount), house.by()).await.unwrap();
        }
        let more = RefundId::new("more").unwrap();
        assert!(house.board.refund(till(1), id, more, euro("0.01"), house.by()).await.is_err());
        pass(SECOND * 10).await;
        let told = house.look(till(1), id).await.unwrap();
        let Phase::Paid(_, _, _, refunds) = told.payment.phase() else { panic!("{told:?}") };
        assert!(refunds.iter().all(|refund| refund.state == RefundState::Done), "{refunds:?}");
        assert_eq!(house.bank.account(id).refunds.len(), 2);
        assert!(owed(house).await.is_empty());
    });
}

#[test]
fn a_refund_that_is_refused_for_good_is_told_and_owed_no_more() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.bank.on_refund(Act::Say(RefundOutcome::Refused));
        let refund = RefundId::new("first").unwrap();
        house.board.refund(till(1), id, refund, euro("2.00"), house.by()).await.unwrap();
        settle().await;
        let told = house.look(till(1), id).await.unwrap();
        let Phase::Paid(_, _, _, refunds) = told.payment.phase() else { panic!("{told:?}") };
        assert_eq!(refunds[0].state, RefundState::Refused);
        assert!(owed(house).await.is_empty());
    });
}

#[test]
fn an_outbox_that_died_owes_the_same_when_it_is_back() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        (0..3).for_each(|_| house.bank.on_reverse(Act::Silent));
        house.take_back(till(1), "sale").await.unwrap();
        settle().await;
        let before = owed(house).await;
        house.rooms().outboxes.kill(Bank::name());
        settle().await;
        let after = owed(house).await;
        assert_eq!(
            before.iter().map(|s| s.debt).collect::<Vec<_>>(),
            after.iter().map(|s| s.debt).collect::<Vec<_>>()
        );
        pass(Duration::from_mins(2)).await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
    });
}

#[test]
fn a_switch_that_died_owes_the_same_when_it_is_back() {
    let mut estate = Estate::new();
    let id = estate.live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        let refunded = house.paid(till(2), payer(2), "sale").await;
        (0..2).for_each(|_| house.bank.on_reverse(Act::Silent));
        house.bank.on_refund(Act::Silent);
        house.take_back(till(1), "sale").await.unwrap();
        let refund = RefundId::new("first").unwrap();
        house.board.refund(till(2), refunded, refund, euro("2.00"), house.by()).await.unwrap();
        settle().await;
        id
    });
    estate.live(async |house| {
        assert_eq!(owed(house).await.len(), 2);
        pass(Duration::from_mins(1)).await;
        assert!(owed(house).await.is_empty());
        assert_eq!(house.phase(till(1), id).await, "reversed");
        assert_eq!(house.bank.account(id_of(till(2), "sale")).refunds.len(), 1);
    });
}

#[test]
fn a_platform_call_that_panics_or_never_returns_is_tried_again() {
    for act in [Act::Panics, Act::PanicsAtOnce, Act::Silent] {
        let what = format!("{act:?}");
        Estate::new().live(async |house| {
            let id = house.paid(till(1), payer(1), "sale").await;
            house.bank.on_reverse(act.clone());
            house.bank.on_reverse(act.clone());
            house.take_back(till(1), "sale").await.unwrap();
            pass(Duration::from_secs(30)).await;
            assert_eq!(house.phase(till(1), id).await, "reversed", "{what}");
            assert_eq!(house.rooms().outboxes.census().crashed, 0, "{what}");
        });
    }
}

#[test]
fn a_debt_is_paid_even_if_the_session_died_before_it_could_tell_the_outbox() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.journal.set(Trap::After, Some(id), "reversal_owed", 1);
        assert!(house.take_back(till(1), "sale").await.is_err());
        pass(SECOND * 5).await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
    });
}

#[test]
fn more_debts_than_may_be_tried_at_once_wait_their_turn_without_a_spin() {
    let plan = Plan { live_max: 1_000, gate: 100, in_flight_max: 1_000, owed_in_flight_max: 2 };
    Estate::planned(plan).live(async |house| {
        for n in 0..8 {
            house.paid(till(n), payer(n), "sale").await;
        }
        (0..8).for_each(|_| house.bank.on_reverse(Act::Late(SECOND * 5)));
        for n in 0..8 {
            house.take_back(till(n), "sale").await.unwrap();
        }
        let before = house.clock_reads();
        pass(SECOND * 4).await;
        assert_eq!(reversals(house), 2);
        assert!(house.clock_reads() - before < 200, "read the clock {} times", house.clock_reads() - before);
        pass(SECOND * 20).await;
        for n in 0..8 {
            assert_eq!(house.phase(till(n), id_of(till(n), "sale")).await, "reversed");
        }
    });
}
