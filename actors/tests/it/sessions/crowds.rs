//! Many at once: merchants' seats, the gate, and more sessions than fit in memory.
use super::refusal;
use crate::house::bank::RIGHT;
use crate::house::{Estate, PATIENCE, Plan, SECOND, euro, id_of, pass, payer, settle, till};
use actors::answer::Fault;
use actors::domain::identity::RefundId;
use actors::domain::payment::command::Verdict;
use actors::domain::response_code::Refusal;
use actors::gate::Class;
use actors::keeping::KeepingAsk;
use actors::merchant::MerchantAsk;
use actors::report::Until;
use actors::switchboard::Refused;
use actors::terminal_session::SessionAsk;
use std::time::Duration;

const PLAN: Plan = Plan { live_max: 1_000, gate: 100, in_flight_max: 1_000, owed_in_flight_max: 4 };

#[test]
fn a_merchants_seats_are_bounded_and_come_back_however_a_payment_ends() {
    Estate::planned(Plan { in_flight_max: 2, ..PLAN }).live(async |house| {
        for round in 0..3 {
            let [paid, left, back] = ["paid", "left", "back"].map(|name| format!("{name}-{round}"));
            house.permitted(till(1), payer(1), &paid).await;
            house.place(till(2), &left, "12.50").await.unwrap();
            let crowded = house.place(till(3), &back, "12.50").await.unwrap_err();
            assert!(matches!(crowded, Refused::Fault(Fault::Overloaded { .. })), "{crowded:?}");
            house.pay(payer(1), RIGHT).await.unwrap();
            house.place(till(3), &back, "12.50").await.unwrap();
            house.take_back(till(3), &back).await.unwrap();
            house.take_back(till(2), &left).await.unwrap();
            settle().await;
        }
    });
}

#[test]
fn a_seat_that_comes_for_a_payment_already_taken_back_is_free_at_once() {
    Estate::planned(Plan { in_flight_max: 1, ..PLAN }).live(async |house| {
        let order = Box::new(house.order(till(1), "sale", "12.50"));
        let (id, shop) = (order.payment(), order.merchant);
        let admit = |reply| MerchantAsk::Admit(order, reply);
        let late = house.rooms().merchants.consult(shop, house.by(), admit).await.unwrap();
        house.take_back(till(1), "sale").await.unwrap();
        let told = SessionAsk::Keeping(KeepingAsk::Admitted(id, late));
        house.rooms().sessions.post(till(1), told);
        settle().await;
        house.place(till(2), "next", "12.50").await.unwrap();
    });
}

#[test]
fn a_full_gate_still_lets_a_reversal_in() {
    Estate::planned(PLAN).live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        let waiting: Vec<_> = (10..210).map(|n| house.wait(till(n), "sale", "12.50")).collect();
        settle().await;
        let refused = house.place(till(500), "sale", "12.50").await.unwrap_err();
        assert!(matches!(refused, Refused::Fault(Fault::Overloaded { .. })), "{refused:?}");
        let mut permits = Vec::new();
        while let Ok(permit) = house.gate.admit(Class::Advice) {
            permits.push(permit);
        }
        let told = house.board.reverse(till(1), id, house.by()).await;
        assert_eq!(refusal(&told.unwrap()), Some(Refusal::ReversedByTerminal));
        drop((waiting, permits));
    });
}

#[test]
fn a_thousand_sessions_fit_where_fifty_are_awake_and_no_payment_is_lost_over_it() {
    Estate::planned(Plan { live_max: 50, ..PLAN }).live(async |house| {
        for n in 0..1_000 {
            house.paid(till(n), payer(n), "sale").await;
        }
        let census = house.rooms().sessions.census();
        assert!(census.live <= 60, "{census:?}");
        let refund = RefundId::new("r1").unwrap();
        for n in (0..1_000).step_by(7) {
            let id = id_of(till(n), "sale");
            let again = house.place(till(n), "sale", "12.50").await.unwrap();
            assert_eq!((again.payment.phase().name(), again.verdict), ("paid", Verdict::Already));
            match n % 3 {
                0 => {
                    house.board.refund(till(n), id, refund, euro("2.00"), house.by()).await.unwrap();
                    settle().await;
                    assert_eq!(house.bank.account(id).refunds.get(&refund), Some(&euro("2.00")));
                }
                1 => {
                    house.board.reverse(till(n), id, house.by()).await.unwrap();
                    settle().await;
                    assert_eq!(house.phase(till(n), id).await, "reversed");
                }
                _ => {}
            }
        }
        assert_eq!(house.rooms().sessions.census().crashed, 0);
    });
}

#[test]
fn an_idle_house_keeps_nobody_awake() {
    Estate::new().live(async |house| {
        for n in 0..20 {
            house.paid(till(n), payer(n), "sale").await;
            house.take_back(till(n), "sale").await.unwrap();
            house.board.send_code(payer(100 + n)).await.unwrap();
        }
        pass(PATIENCE + Duration::from_mins(10)).await;
        let rooms = house.rooms();
        assert_eq!(rooms.sessions.census().live, 0);
        assert_eq!(rooms.payers.census().live, 0, "a code that nobody used, too, is forgotten");
        assert_eq!(rooms.outboxes.census().live, 0);
        assert_eq!(house.gate.used(), 0);
    });
}

#[test]
fn a_platform_that_never_answers_keeps_nobody_awake_for_ever() {
    Estate::new().live(async |house| {
        house.bank.on_permit(crate::house::bank::Act::Silent);
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        let card = house.card(payer(1)).await;
        house.confirm_card(&card, Until::Recorded).await.unwrap();
        pass(PATIENCE + SECOND * 600).await;
        assert_eq!(house.rooms().sessions.census().live, 0);
        assert_eq!(house.rooms().outboxes.census().live, 0);
    });
}

#[test]
fn the_ninth_who_waits_for_a_payment_is_told_at_once_how_it_stands() {
    Estate::planned(PLAN).live(async |house| {
        let waiting: Vec<_> = (0..9).map(|_| house.wait(till(1), "sale", "12.50")).collect();
        settle().await;
        assert_eq!(waiting.iter().filter(|waiter| waiter.is_finished()).count(), 1);
        house.take_back(till(1), "sale").await.unwrap();
        settle().await;
        assert!(waiting.iter().all(tokio::task::JoinHandle::is_finished));
    });
}

#[test]
fn two_closed_payments_stay_at_hand_and_of_many_who_ask_for_an_older_one_some_are_turned_away() {
    Estate::planned(PLAN).live(async |house| {
        let first = house.paid(till(1), payer(1), "sale-0").await;
        for n in 1..=2 {
            house.paid(till(1), payer(1), &format!("sale-{n}")).await;
        }
        settle().await;
        let looks = (0..40).map(|_| house.look(till(1), first));
        let looks = futures_util::future::join_all(looks).await;
        let is_turned_away =
            |look: &&Result<_, _>| matches!(look, Err(Refused::Fault(Fault::Overloaded { .. })));
        assert_eq!(looks.iter().filter(is_turned_away).count(), 40 - 32);
        assert_eq!(looks.iter().filter(|look| look.is_ok()).count(), 32);
    });
}
