//! Write before you speak: while the disk is busy, nobody hears and nobody is asked, but for the payer whose word is wanted.
use super::{bring_to, refusal};
use crate::house::bank::{Act, Call, RIGHT};
use crate::house::{Estate, House, SECOND, euro, id_of, key, pass, payer, settle, till};
use actors::domain::identity::{PaymentId, RefundId};
use actors::domain::payment::phase::Attempt;
use actors::domain::response_code::Refusal;
use actors::payer::Change;
use actors::ports::journal::{Journal, Room};
use actors::ports::platform::SealedCredential;
use actors::report::Until;
use actors::switchboard::Refused;
use std::time::Duration;

#[test]
fn an_order_is_not_acknowledged_before_it_is_durable() {
    Estate::new().live(async |house| {
        house.journal.inner.hold();
        let (board, by, order) = (house.board.clone(), house.by(), house.order(till(1), "sale", "12.50"));
        let told =
            actix_rt::spawn(async move { board.place(order, Until::Leaves("await_merchant"), by).await });
        pass(SECOND).await;
        assert!(!told.is_finished());
        house.journal.inner.release();
        assert_eq!(told.await.unwrap().unwrap().payment.phase().name(), "await_phone");
    });
}

#[test]
fn a_claim_is_not_granted_before_it_is_durable_and_no_phone_is_told_of_a_payment() {
    Estate::new().live(async |house| {
        house.place(till(1), "sale", "12.50").await.unwrap();
        let mut listening = house.board.listen(payer(1), None, house.by()).await.unwrap();
        house.journal.inner.hold();
        let (board, by) = (house.board.clone(), house.by());
        let granted = actix_rt::spawn(async move { board.bind(payer(1), till(1), by).await });
        pass(SECOND).await;
        assert!(!granted.is_finished());
        assert!(listening.changes.try_recv().is_err());
        house.journal.inner.release();
        granted.await.unwrap().unwrap();
        assert!(matches!(listening.changes.recv().await, Some(Change::Payment(..))));
    });
}

#[test]
fn who_stands_there_is_asked_at_once_but_the_terminal_hears_nothing_and_the_yes_leads_nowhere() {
    Estate::new().live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        let mut listening = house.board.listen(payer(1), None, house.by()).await.unwrap();
        house.journal.inner.hold();
        let (board, by, order) = (house.board.clone(), house.by(), house.order(till(1), "sale", "12.50"));
        let told =
            actix_rt::spawn(async move { board.place(order, Until::Leaves("await_merchant"), by).await });
        settle().await;
        assert!(matches!(listening.changes.try_recv(), Ok(Change::Payment(..))), "the phone is asked");
        let card = house.card(payer(1)).await;
        assert_eq!(card.payment.phase().name(), "await_confirmation");
        let confirming = house.confirm_card(&card, Until::Recorded);
        let watching = async {
            pass(SECOND).await;
            assert!(!told.is_finished(), "the terminal");
            assert_eq!(house.bank.calls(), []);
            assert!(listening.changes.try_recv().is_err(), "the phone hears of its yes");
            house.journal.inner.release();
        };
        let (confirmed, ()) = tokio::join!(confirming, watching);
        confirmed.unwrap();
        told.await.unwrap().unwrap();
        settle().await;
        assert_eq!(house.bank.calls(), [Call::Permit(id_of(till(1), "sale"), 1)]);
    });
}

/// A permit that is used through the switch has come, and is shown, while the disk is busy.
async fn permitted_while_the_disk_is_busy(house: &House) -> PaymentId {
    house.stand(payer(1), till(1)).await.unwrap();
    house.place(till(1), "sale", "12.50").await.unwrap();
    house.bank.relays();
    house.bank.on_permit(Act::Late(SECOND));
    let card = house.card(payer(1)).await;
    let holding = async {
        pass(SECOND / 2).await;
        house.journal.inner.hold();
    };
    let (shown, ()) = tokio::join!(house.confirm_card(&card, Until::Permitted), holding);
    assert_eq!(shown.unwrap().payment.phase().name(), "await_payment");
    card.payment.id()
}

#[test]
fn a_permit_is_shown_at_once_to_who_waits_for_it_and_who_listens() {
    Estate::new().live(async |house| {
        let mut listening = house.board.listen(payer(1), None, house.by()).await.unwrap();
        permitted_while_the_disk_is_busy(house).await;
        settle().await;
        let phases: Vec<_> = std::iter::from_fn(|| listening.changes.try_recv().ok())
            .map(|change| match change {
                Change::Payment(_, card) => card.payment.phase().name(),
                Change::Resync(_) => "resync",
            })
            .collect();
        assert_eq!(phases, ["await_confirmation", "await_permit", "await_payment"]);
        assert!(
            !house.journal.inner.is_durable(house.journal.inner.end()),
            "and all that before the disk has it"
        );
    });
}

#[test]
fn a_permit_that_is_good_at_the_platforms_own_door_is_not_shown_before_it_is_durable() {
    Estate::new().live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        house.place(till(1), "sale", "12.50").await.unwrap();
        let mut listening = house.board.listen(payer(1), None, house.by()).await.unwrap();
        house.bank.on_permit(Act::Late(SECOND));
        let card = house.card(payer(1)).await;
        let holding = async {
            pass(SECOND / 2).await;
            while listening.changes.try_recv().is_ok() {}
            house.journal.inner.hold();
            pass(SECOND).await;
            assert!(listening.changes.try_recv().is_err(), "the phone that listens");
            house.journal.inner.release();
        };
        let began = house.now();
        let (shown, ()) = tokio::join!(house.confirm_card(&card, Until::Permitted), holding);
        assert_eq!(shown.unwrap().payment.phase().name(), "await_payment");
        assert!(house.now().since(began) >= SECOND * 3 / 2, "the phone that waits");
    });
}

#[test]
fn no_credential_leaves_under_a_permit_that_is_not_durable() {
    Estate::new().live(async |house| {
        permitted_while_the_disk_is_busy(house).await;
        let paying = house.pay(payer(1), RIGHT);
        let watching = async {
            pass(SECOND).await;
            assert_eq!(house.bank.count(|call| matches!(call, Call::Pay(..))), 0);
            house.journal.inner.release();
        };
        let (told, ()) = tokio::join!(paying, watching);
        assert_eq!(told.unwrap().payment.phase().name(), "paid");
    });
}

#[test]
fn what_was_asked_and_a_crash_took_back_is_asked_again_when_the_terminal_repeats() {
    let mut estate = Estate::new();
    let card = estate.live(async |house| {
        house.stand(payer(1), till(1)).await.unwrap();
        house.journal.inner.hold();
        let (board, by, order) = (house.board.clone(), house.by(), house.order(till(1), "sale", "12.50"));
        actix_rt::spawn(async move { board.place(order, Until::Decided, by).await });
        settle().await;
        house.card(payer(1)).await
    });
    estate.live(async |house| {
        assert_eq!(house.cards(payer(1)).await, [], "a phone that comes back finds nothing");
        let confirmed = house.confirm_card(&card, Until::Permitted).await;
        assert!(matches!(confirmed, Err(Refused::NoSuchPayment)), "{confirmed:?}");
        let waiting = house.wait(till(1), "sale", "12.50");
        settle().await;
        assert_eq!(house.card(payer(1)).await.payment.id(), card.payment.id());
        house.confirm_card(&card, Until::Permitted).await.unwrap();
        house.pay(payer(1), RIGHT).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap().payment.phase().name(), "paid");
        assert_eq!(house.bank.count(|call| matches!(call, Call::Pay(..))), 1);
    });
}

#[test]
fn a_permit_that_was_shown_and_a_crash_took_back_is_good_when_the_platform_has_said_it_again() {
    let mut estate = Estate::new();
    let id = estate.live(async |house| permitted_while_the_disk_is_busy(house).await);
    estate.live(async |house| {
        settle().await;
        assert_eq!(house.bank.count(|call| *call == Call::Permit(id, 1)), 2);
        let told = house.present(payer(1), id, Attempt::FIRST, RIGHT).await.unwrap();
        assert_eq!(told.payment.phase().name(), "paid");
        assert_eq!(house.bank.count(|call| matches!(call, Call::Pay(..))), 1);
    });
}

#[test]
fn no_permit_is_asked_for_before_the_payers_yes_is_durable() {
    Estate::new().live(async |house| {
        let id = bring_to(house, "await_confirmation", "sale").await;
        let card = house.card(payer(1)).await;
        house.journal.inner.hold();
        let confirming = house.confirm_card(&card, Until::Recorded);
        let watching = async {
            pass(SECOND).await;
            assert_eq!(house.bank.calls(), []);
            house.journal.inner.release();
        };
        let (told, ()) = tokio::join!(confirming, watching);
        told.unwrap();
        settle().await;
        assert_eq!(house.bank.calls(), [Call::Permit(id, 1)]);
    });
}

#[test]
fn no_credential_leaves_before_its_intent_is_durable() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "sale").await;
        house.journal.inner.hold();
        let paying = house.present(payer(1), id, Attempt::FIRST, RIGHT);
        let watching = async {
            pass(SECOND).await;
            assert_eq!(house.bank.count(|call| matches!(call, Call::Pay(..))), 0);
            house.journal.inner.release();
        };
        let (told, ()) = tokio::join!(paying, watching);
        assert_eq!(told.unwrap().payment.phase().name(), "paid");
    });
}

#[test]
fn neither_terminal_nor_phone_nor_platform_hears_yes_before_it_is_durable() {
    Estate::new().live(async |house| {
        let waiting = house.wait(till(1), "sale", "12.50");
        let id = house.permitted(till(1), payer(1), "sale").await;
        let mut listening = house.board.listen(payer(1), None, house.by()).await.unwrap();
        house.journal.inner.hold();
        let body = format!("{id} 1 12.50");
        let calling_back = house.call_back(&body);
        let watching = async {
            pass(SECOND).await;
            assert!(!waiting.is_finished(), "the terminal");
            assert!(listening.changes.try_recv().is_err(), "the phone");
            house.journal.inner.release();
        };
        let (told, ()) = tokio::join!(calling_back, watching);
        assert_eq!(told.unwrap().payment.phase().name(), "paid");
        assert_eq!(waiting.await.unwrap().unwrap().payment.phase().name(), "paid");
        assert!(matches!(listening.changes.recv().await, Some(Change::Payment(..))));
    });
}

#[test]
fn a_platform_is_not_asked_to_undo_before_that_is_durable() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        house.journal.inner.hold();
        let taking_back = house.take_back(till(1), "sale");
        let watching = async {
            pass(SECOND).await;
            assert_eq!(house.bank.count(|call| matches!(call, Call::Reverse(_))), 0);
            house.journal.inner.release();
        };
        let (told, ()) = tokio::join!(taking_back, watching);
        assert_eq!(refusal(&told.unwrap()), Some(Refusal::ReversedByTerminal));
        settle().await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
    });
}

#[test]
fn what_was_said_while_the_disk_was_busy_is_all_answered_once_it_is_not() {
    Estate::new().live(async |house| {
        house.journal.inner.hold();
        let mut told = Vec::new();
        for name in ["one", "two", "three", "four"] {
            let (board, by) = (house.board.clone(), house.by());
            told.push(actix_rt::spawn(async move { board.reverse_by_key(till(1), &key(name), by).await }));
            settle().await;
        }
        house.journal.inner.release();
        for told in told {
            tokio::time::timeout(SECOND, told).await.expect("an answer").unwrap().unwrap();
        }
    });
}

#[test]
fn a_debt_that_is_not_durable_yet_does_not_slip_out_with_an_older_one() {
    Estate::new().live(async |house| {
        let id = house.paid(till(1), payer(1), "sale").await;
        let [first, second] = ["first", "second"].map(|name| RefundId::new(name).unwrap());
        house.journal.inner.hold();
        let older = house.board.refund(till(1), id, first, euro("1.00"), house.by());
        let younger = async {
            settle().await;
            // The disk takes the first group, and is busy with the next one before anybody has looked.
            house.journal.inner.release();
            house.journal.inner.hold();
            let (board, by) = (house.board.clone(), house.by());
            let asked =
                actix_rt::spawn(async move { board.refund(till(1), id, second, euro("2.00"), by).await });
            pass(SECOND).await;
            assert_eq!(house.bank.count(|call| *call == Call::Refund(id, second)), 0);
            house.journal.inner.release();
            asked.await.unwrap()
        };
        let (older, younger) = tokio::join!(older, younger);
        older.unwrap();
        younger.unwrap();
        settle().await;
        assert_eq!(house.bank.account(id).refunds.len(), 2);
    });
}

#[test]
fn a_disk_down_to_its_reserve_begins_nothing_and_finishes_everything() {
    Estate::new().live(async |house| {
        let id = house.permitted(till(1), payer(1), "old").await;
        house.journal.inner.set_room(Room::ReserveOnly);
        let refused = house.place(till(2), "new", "12.50").await.unwrap_err();
        assert!(matches!(refused, Refused::Fault(actors::answer::Fault::Overloaded { .. })), "{refused:?}");
        assert_eq!(house.place(till(1), "old", "12.50").await.unwrap().payment.id(), id);
        assert_eq!(house.pay(payer(1), RIGHT).await.unwrap().payment.phase().name(), "paid");
        house.take_back(till(1), "old").await.unwrap();
        settle().await;
        assert_eq!(house.phase(till(1), id).await, "reversed");
        house.journal.inner.set_room(Room::Plenty);
        house.place(till(2), "new", "12.50").await.unwrap();
    });
}

#[test]
fn a_platform_that_panics_or_never_answers_holds_nobody_beyond_the_deadline() {
    for (permit, pay) in [
        (Some(Act::Silent), None),
        (Some(Act::Panics), None),
        (Some(Act::PanicsAtOnce), None),
        (None, Some(Act::Silent)),
        (None, Some(Act::Panics)),
        (None, Some(Act::PanicsAtOnce)),
    ] {
        let what = format!("{permit:?} {pay:?}");
        Estate::new().live(async |house| {
            if let Some(act) = permit {
                house.bank.on_permit(act);
            }
            if let Some(act) = pay {
                house.bank.on_pay(act);
            }
            (0..9).for_each(|_| house.bank.on_inquire(Act::Panics));
            let waiting = house.wait(till(1), "sale", "12.50");
            settle().await;
            house.stand(payer(1), till(1)).await.unwrap();
            let card = house.card(payer(1)).await;
            house.confirm_card(&card, Until::Recorded).await.unwrap();
            settle().await;
            let sealed = SealedCredential::new(RIGHT.to_vec()).unwrap();
            let digest = actors::domain::payment::phase::Digest32([9; 32]);
            let (board, by, id) = (house.board.clone(), house.by(), card.payment.id());
            actix_rt::spawn(
                async move { board.present(payer(1), id, Attempt::FIRST, digest, sealed, by).await },
            );
            let told = waiting.await.unwrap().unwrap();
            assert_eq!(refusal(&told), Some(Refusal::PlatformSilent), "{what}");
            pass(Duration::from_secs(2)).await;
            assert_eq!(house.phase(till(1), id_of(till(1), "sale")).await, "reversed", "{what}");
            assert!(house.bank.account(id).is_undone, "{what}");
            let census = house.rooms().sessions.census();
            assert_eq!(census.crashed, 0, "{what}: the session crashed");
        });
    }
}

#[test]
fn a_platforms_word_that_comes_after_the_phone_gave_up_still_counts() {
    Estate::new().live(async |house| {
        house.bank.on_pay(Act::Late(Duration::from_secs(4)));
        let waiting = house.wait(till(1), "sale", "12.50");
        let id = house.permitted(till(1), payer(1), "sale").await;
        let sealed = SealedCredential::new(RIGHT.to_vec()).unwrap();
        let digest = actors::domain::payment::phase::Digest32([9; 32]);
        let by = actors::domain::time::Deadline::after(house.now(), SECOND);
        let told = house.board.present(payer(1), id, Attempt::FIRST, digest, sealed, by).await;
        assert_eq!(told.unwrap_err(), Refused::Fault(actors::answer::Fault::Expired));
        assert_eq!(waiting.await.unwrap().unwrap().payment.phase().name(), "paid");
    });
}

#[test]
fn a_phone_that_vanishes_after_it_authorised_has_paid() {
    Estate::new().live(async |house| {
        let waiting = house.wait(till(1), "sale", "12.50");
        let id = house.permitted(till(1), payer(1), "sale").await;
        house.journal.inner.hold();
        let sealed = SealedCredential::new(RIGHT.to_vec()).unwrap();
        let digest = actors::domain::payment::phase::Digest32([9; 32]);
        let (board, by) = (house.board.clone(), house.by());
        let phone =
            actix_rt::spawn(
                async move { board.present(payer(1), id, Attempt::FIRST, digest, sealed, by).await },
            );
        settle().await;
        // The line drops while the disk still works on it.
        phone.abort();
        settle().await;
        house.journal.inner.release();
        assert_eq!(waiting.await.unwrap().unwrap().payment.phase().name(), "paid");
    });
}
