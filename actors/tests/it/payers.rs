//! Stories of payers and their phones: where they stand, what they are told, what they may see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use crate::house::bank::RIGHT;
use crate::house::ports::Trap;
use crate::house::{Estate, House, PATIENCE, SECOND, claim_of, id_of, pass, payer, settle, till};
use actors::domain::identity::{Keeper, PaymentId};
use actors::domain::payer::{Card, Missed, Wallet};
use actors::domain::payment::Payment;
use actors::domain::payment::command::Misfit;
use actors::domain::payment::phase::{Attempt, Claim, Consent, Digest32};
use actors::one_time_code::CodeVerdict;
use actors::payer::{Change, EventNumber, Listening};
use actors::report::Until;
use actors::switchboard::Refused;
use std::time::Duration;

async fn listen(house: &House, n: u32, seen: Option<EventNumber>) -> Listening {
    house.board.listen(payer(n), seen, house.by()).await.unwrap()
}

fn number(change: &Change) -> EventNumber {
    match change {
        Change::Payment(number, _) | Change::Resync(number) => *number,
    }
}

fn phase(change: &Change) -> &'static str {
    match change {
        Change::Payment(_, card) => card.payment.phase().name(),
        Change::Resync(_) => "resync",
    }
}

#[test]
fn a_phone_that_goes_to_another_terminal_leaves_the_first() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        house.stand(payer(1), till(2)).await.unwrap();
        settle().await;
        assert!(house.cards(payer(1)).await.is_empty());
        assert_eq!(house.board.standing(till(1), house.by()).await.unwrap().holder, None);
        assert_eq!(house.board.place_of(payer(1), house.by()).await.unwrap().unwrap().0, till(2));
        house.stand(payer(2), till(1)).await.unwrap();
        house.confirm(payer(2)).await.unwrap();
    });
}

#[test]
fn a_phone_that_leaves_has_left_when_it_is_told_so() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        house.journal.inner.hold();
        let (board, by) = (house.board.clone(), house.by());
        let leaving = actix_rt::spawn(async move { board.leave(payer(1), by).await });
        pass(SECOND).await;
        assert!(!leaving.is_finished());
        house.journal.inner.release();
        leaving.await.unwrap().unwrap();
        assert_eq!(house.board.standing(till(1), house.by()).await.unwrap().holder, None);
        assert_eq!(house.phase(till(1), id_of(till(1), "sale")).await, "await_phone");
        house.stand(payer(2), till(1)).await.unwrap();
        house.card(payer(2)).await;
    });
}

#[test]
fn a_phone_that_leaves_after_its_claim_ran_out_takes_its_yes_with_it() {
    Estate::new().live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        pass(Duration::from_secs(100)).await;
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.card(payer(1)).await;
        pass(Duration::from_secs(30)).await;
        assert_eq!(house.board.standing(till(1), house.by()).await.unwrap().holder, None);
        house.stand(payer(1), till(2)).await.unwrap();
        settle().await;
        assert_eq!(house.phase(till(1), id_of(till(1), "sale")).await, "await_phone");
    });
}

#[test]
fn nobody_pays_or_sees_what_another_was_asked() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        let card = house.card(payer(1)).await;
        let thief = payer(2);
        let looked = house.board.payer_looks(thief, id, Until::Recorded, house.by()).await;
        assert_eq!(looked.unwrap_err(), Refused::NoSuchPayment);
        let paid = house.present(thief, id, Attempt::FIRST, RIGHT).await;
        assert_eq!(paid.unwrap_err(), Refused::NoSuchPayment);
        let claim = Claim { payer: thief, ..claim_of(&card) };
        let declined = house.board.decline(id, claim, house.by()).await;
        assert_eq!(declined.unwrap_err(), Refused::NoSuchPayment);
        let consent = Consent { claim, signed: Digest32([1; 32]) };
        let money = card.payment.phase().order().unwrap().money;
        let said = house.board.confirm(id, consent, money, Until::Recorded, house.by()).await;
        assert_eq!(said.unwrap_err(), Refused::NoSuchPayment);
        assert_eq!(house.phase(till(1), id).await, "await_payment");
    });
}

#[test]
fn who_waits_for_a_payment_that_went_on_without_him_is_not_shown_the_other_payers() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        let (board, by, id) = (house.board.clone(), house.by(), id_of(till(1), "sale"));
        let waiting =
            actix_rt::spawn(async move { board.payer_looks(payer(1), id, Until::Decided, by).await });
        settle().await;
        house.board.leave(payer(1), house.by()).await.unwrap();
        house.stand(payer(2), till(1)).await.unwrap();
        house.confirm(payer(2)).await.unwrap();
        house.pay(payer(2), RIGHT).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap_err(), Refused::NoSuchPayment);
    });
}

#[test]
fn a_yes_to_another_amount_or_an_older_round_is_no_yes() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        let card = house.card(payer(1)).await;
        let consent = Consent { claim: claim_of(&card), signed: Digest32([1; 32]) };
        let (id, by) = (card.payment.id(), house.by());
        let other = crate::house::euro("0.01");
        let told = house.board.confirm(id, consent, other, Until::Recorded, by).await;
        assert_eq!(told.unwrap_err(), Refused::Misfit(Misfit::OtherAmount));
        let old = Claim { epoch: 0, ..consent.claim };
        let money = card.payment.phase().order().unwrap().money;
        let told =
            house.board.confirm(id, Consent { claim: old, ..consent }, money, Until::Recorded, by).await;
        assert_eq!(told.unwrap_err(), Refused::Misfit(Misfit::StaleBinding));
        assert_eq!(house.bank.calls(), []);
    });
}

#[test]
fn a_listening_phone_is_told_every_change_in_order() {
    Estate::new().live(async |house| {
        let mut listening = listen(house, 1, None).await;
        assert_eq!(listening.missed.iter().map(phase).collect::<Vec<_>>(), ["resync"]);
        house.paid(till(1), payer(1), "sale").await;
        let mut told = Vec::new();
        while let Ok(change) = listening.changes.try_recv() {
            told.push(phase(&change));
        }
        told.dedup();
        assert_eq!(told, ["await_confirmation", "await_permit", "await_payment", "paid"]);
    });
}

#[test]
fn a_phone_that_comes_back_is_told_what_it_missed_and_only_that() {
    Estate::new().live(async |house| {
        let mut listening = listen(house, 1, None).await;
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        let seen = number(&listening.changes.recv().await.unwrap());
        drop(listening);
        house.confirm(payer(1)).await.unwrap();
        let missed = listen(house, 1, Some(seen)).await.missed;
        // Cards are told as they are now.
        assert!(!missed.is_empty() && missed.iter().all(|change| phase(change) == "await_payment"));
        let seen = number(missed.last().unwrap());
        assert_eq!(listen(house, 1, Some(seen)).await.missed, []);
    });
}

#[test]
fn a_phone_that_missed_a_payment_going_away_is_told_to_fetch_the_list() {
    Estate::new().live(async |house| {
        let mut listening = listen(house, 1, None).await;
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        let seen = number(&listening.changes.recv().await.unwrap());
        drop(listening);
        house.board.clear(till(1), house.by()).await.unwrap();
        settle().await;
        let missed = listen(house, 1, Some(seen)).await.missed;
        assert_eq!(missed.iter().map(phase).collect::<Vec<_>>(), ["resync"]);
    });
}

#[test]
fn after_a_restart_every_old_number_is_too_old() {
    Estate::new().live(async |house| {
        let mut listening = listen(house, 1, None).await;
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        let seen = number(&listening.changes.recv().await.unwrap());
        house.rooms().payers.kill(payer(1));
        settle().await;
        assert!(listening.changes.recv().await.is_none(), "the stream ends with its actor");
        let again = listen(house, 1, Some(seen)).await;
        assert_eq!(again.missed.iter().map(phase).collect::<Vec<_>>(), ["resync"]);
        house.card(payer(1)).await;
        assert_eq!(house.board.place_of(payer(1), house.by()).await.unwrap().unwrap().0, till(1));
    });
}

#[test]
fn a_slow_phone_is_cut_off_and_nobody_waits_for_it() {
    Estate::new().live(async |house| {
        let mut slow = listen(house, 1, None).await;
        let mut quick = listen(house, 1, None).await;
        for n in 0..10 {
            house.paid(till(1), payer(1), &format!("sale-{n}")).await;
            while quick.changes.try_recv().is_ok() {}
        }
        let mut told = 0;
        while let Some(change) = slow.changes.recv().await {
            told += 1;
            drop(change);
        }
        assert_eq!(told, 16);
        assert!(!quick.changes.is_closed());
    });
}

#[test]
fn the_fifth_phone_of_a_payer_takes_the_place_of_the_first() {
    Estate::new().live(async |house| {
        let mut phones = Vec::new();
        for _ in 0..5 {
            phones.push(listen(house, 1, None).await);
        }
        assert!(phones[0].changes.recv().await.is_none());
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        for phone in &mut phones[1..] {
            assert_eq!(phase(&phone.changes.recv().await.unwrap()), "await_confirmation");
        }
    });
}

#[test]
fn a_payer_sees_the_result_even_if_the_actor_died_over_it() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.rooms().payers.kill(payer(1));
        settle().await;
        let told = house.board.payer_looks(payer(1), id, Until::Recorded, house.by()).await.unwrap();
        assert_eq!(told.payment.phase().name(), "paid");
        let thief = house.board.payer_looks(payer(2), id, Until::Recorded, house.by()).await;
        assert_eq!(thief.unwrap_err(), Refused::NoSuchPayment);
    });
}

#[test]
fn a_phone_learns_of_the_end_even_if_the_session_died_before_it_could_tell() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        let mut listening = listen(house, 1, None).await;
        house.journal.set(Trap::After, Some(id), "settled", 1);
        assert_eq!(house.pay(payer(1), RIGHT).await.unwrap().payment.phase().name(), "paid");
        pass(PATIENCE + SECOND * 5).await;
        let mut last = None;
        while let Ok(change) = listening.changes.try_recv() {
            last = Some(phase(&change));
        }
        assert_eq!(last, Some("paid"));
        assert!(house.cards(payer(1)).await.iter().all(|card| card.payment.outcome().is_some()));
    });
}

#[test]
fn a_phone_learns_what_it_is_asked_even_if_the_session_died_before_it_could_tell() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.journal.set(Trap::After, None, "phone_came", 1);
        assert!(house.stand(payer(1), till(1)).await.is_err());
        settle().await;
        house.confirm(payer(1)).await.unwrap();
        assert_eq!(house.pay(payer(1), RIGHT).await.unwrap().payment.phase().name(), "paid");
    });
}

#[test]
fn a_payment_lost_to_another_phone_leaves_the_list_even_if_the_session_died_before_it_could_tell() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        house.stand(payer(1), till(1)).await.unwrap();
        house.journal.set(Trap::After, None, "phone_left", 1);
        assert!(house.board.leave(payer(1), house.by()).await.is_err());
        settle().await;
        assert_eq!(house.phase(till(1), id_of(till(1), "sale")).await, "await_phone");
        assert!(house.cards(payer(1)).await.is_empty());
    });
}

#[test]
fn a_code_is_good_once_for_a_while_and_for_few_tries() {
    Estate::new().live(async |house| {
        let check = async |code: &str| house.board.check_code(payer(1), code, house.by()).await.unwrap();
        assert_eq!(check("000000").await, CodeVerdict::Wrong);
        let code = house.board.send_code(payer(1)).await.unwrap();
        assert_eq!(check("nonsense").await, CodeVerdict::Wrong);
        assert_eq!(check(&code).await, CodeVerdict::Right);
        assert_eq!(check(&code).await, CodeVerdict::Wrong);
        let code = house.board.send_code(payer(1)).await.unwrap();
        for _ in 0..3 {
            assert_eq!(check("nonsense").await, CodeVerdict::Wrong);
        }
        assert_eq!(check(&code).await, CodeVerdict::Wrong);
        let code = house.board.send_code(payer(1)).await.unwrap();
        pass(Duration::from_mins(5)).await;
        assert_eq!(check(&code).await, CodeVerdict::Wrong);
    });
}

#[test]
fn a_code_is_only_sent_if_it_will_be_known_when_it_comes_back() {
    Estate::new().live(async |house| {
        let mut permits = Vec::new();
        while let Ok(permit) = house.gate.admit(actors::gate::Class::Reversal) {
            permits.push(permit);
        }
        assert!(house.board.send_code(payer(1)).await.is_err());
    });
}

#[test]
fn a_wallet_remembers_eight_decided_payments_and_thirty_two_changes() {
    let mut wallet = Wallet::default();
    for n in 0..40 {
        let (payment, _) = Payment::reverse_unseen(PaymentId::from_bits(n), Keeper::Payer(payer(1)));
        wallet.take_in(Card { payment, last_failure: None });
    }
    assert_eq!(wallet.cards().count(), 8);
    assert!(wallet.card(PaymentId::from_bits(39)).is_some(), "the newest are kept");
    let Missed::Changes(changes) = wallet.since(40 - 32) else { panic!("all of it is remembered") };
    assert_eq!(changes.len(), 32);
    assert_eq!(wallet.since(40 - 33), Missed::TooMuch);
}
