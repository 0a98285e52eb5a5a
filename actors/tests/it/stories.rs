//! The requirements of the on-site payment as stories of single payments, and every way in which one goes wrong.
//!
//! Here are OS-1 to OS-10 as far as a payment by itself can keep them; what is carried between phone, terminal and
//! platform is the doors' part. `undoing` tells of reversals and refunds, `trouble` of crashes, silence and lies.
mod trouble;
mod undoing;

use crate::life::{
    Life, PERMIT_GOOD_FOR, TERMS, anna, attempt, boris, consent, euros, interface, order_of, relayed, till,
};
use actors::domain::binding::Binding;
use actors::domain::payment::command::{Effect, Misfit, Verdict};
use actors::domain::payment::event::Event;
use actors::domain::payment::outcome::{Failure, PaymentOutcome, PermitOutcome};
use actors::domain::payment::phase::{Attempt, Claim, Digest32};
use actors::domain::response_code::Refusal;
use actors::domain::time::{Deadline, Timestamp};
use std::time::Duration;

#[test]
fn os_1_a_phone_that_names_the_terminal_is_shown_what_the_terminal_asks() {
    Life::awaits_phone().phone_comes(anna(), 1).stands("await_confirmation").does(Effect::AskPayer(anna()));
}

#[test]
fn os_2_a_word_from_an_earlier_round_at_the_terminal_does_not_count() {
    Life::awaits_phone()
        .phone_comes(anna(), 1)
        .phone_comes(boris(), 2)
        .does(Effect::TellPayer(anna()))
        .does(Effect::AskPayer(boris()))
        .hears(Event::Confirmed(consent(anna(), 1), euros("12.50")))
        .misfits(Misfit::NotYours)
        .phone_comes(anna(), 3)
        .hears(Event::Confirmed(consent(anna(), 1), euros("12.50")))
        .misfits(Misfit::StaleBinding)
        .confirms()
        .stands("await_permit");
}

#[test]
fn os_3_the_amount_may_come_before_the_phone_and_the_phone_before_the_amount() {
    Life::begins().admitted().stands("await_phone").phone_comes(anna(), 1).stands("await_confirmation");
    // The phone came first: the session offers its claim as soon as the order is admitted.
    let (claim, _) = Binding::default().claim(crate::life::BEGIN, anna(), Duration::from_mins(1)).unwrap();
    Life::begins().admitted().hears(Event::PhoneCame(claim)).stands("await_confirmation");
}

#[test]
fn os_4_the_payer_is_asked_with_the_amount_and_the_merchants_name() {
    let asked = Life::awaits_confirmation().does(Effect::AskPayer(anna()));
    let deal = asked.payment.phase().deal().unwrap();
    assert_eq!(
        (deal.order.money.to_string().as_str(), &*deal.admission.merchant_name),
        ("12.50 EUR", "Bakery")
    );
}

#[test]
fn os_5_the_platform_is_asked_when_the_phone_confirms_and_only_then() {
    let ask = Effect::AskPermit(Attempt::FIRST);
    Life::begins()
        .does_not(ask.clone())
        .admitted()
        .does_not(ask.clone())
        .phone_comes(anna(), 1)
        .does_not(ask.clone())
        .confirms()
        .does(ask.clone())
        .confirms()
        .changes_nothing()
        .does_not(ask);
}

#[test]
fn os_5_a_yes_after_the_time_to_say_it_is_no_yes() {
    Life::awaits_confirmation().after(TERMS.confirm_within).confirms().misfits(Misfit::NotNow);
}

#[test]
fn os_6_the_permits_interface_is_handed_to_the_phone() {
    let holds = Life::awaits_permit().permitted().stands("await_payment").does(Effect::TellPayer(anna()));
    assert_eq!(holds.payment.wakes_at(), Some(Deadline::after(holds.now, PERMIT_GOOD_FOR)));
}

#[test]
fn os_6_a_permit_that_is_used_through_the_switch_is_shown_at_once() {
    let granted = PermitOutcome::Granted(relayed(crate::life::BEGIN, attempt(1)));
    Life::awaits_permit().permit_says(granted).stands("await_payment").does(Effect::AskPayer(anna()));
}

#[test]
fn os_6_a_refused_permit_declines_while_nothing_is_held() {
    Life::awaits_permit()
        .permit_says(PermitOutcome::Refused(Refusal::NotPermitted))
        .stands("declined")
        .ends_refused(Refusal::NotPermitted)
        .owes(&[]);
    Life::awaits_permit()
        .permit_says(PermitOutcome::NotSent)
        .ends_refused(Refusal::PlatformUnreachable)
        .ends_closed();
}

#[test]
fn os_7_the_credential_is_taken_once_from_the_payer_who_confirmed_and_while_the_permit_is_good() {
    let digest = Digest32([9; 32]);
    Life::awaits_payment()
        .hears(Event::Presented(boris(), attempt(1), digest))
        .misfits(Misfit::NotYours)
        .hears(Event::Presented(anna(), attempt(2), digest))
        .misfits(Misfit::PermitSpent)
        .pays()
        .stands("await_outcome")
        .pays()
        .misfits(Misfit::PermitSpent);
    Life::awaits_payment().after(PERMIT_GOOD_FOR).pays().misfits(Misfit::PermitSpent);
}

#[test]
fn os_8_success_reaches_the_terminal_and_the_phone() {
    Life::awaits_outcome()
        .approved()
        .stands("paid")
        .does(Effect::TellTerminal)
        .does(Effect::TellPayer(anna()))
        .ends_approved()
        .ends_closed();
}

#[test]
fn os_8_the_platforms_callback_may_overtake_its_answer() {
    Life::awaits_outcome()
        .approved()
        .platform_says(PaymentOutcome::Unknown)
        .changes_nothing()
        .ends_approved();
    Life::awaits_outcome().approved().approved().changes_nothing().ends_approved();
}

#[test]
fn os_9_a_wrong_password_gets_a_new_permit_and_the_second_try_pays() {
    Life::awaits_outcome()
        .fails(Failure::WrongCredentials)
        .stands("await_permit")
        .does(Effect::AskPermit(attempt(2)))
        .does(Effect::TellPayer(anna()))
        .stays_undecided()
        .permitted()
        .pays()
        .approved()
        .ends_approved();
}

#[test]
fn os_9_tries_are_bounded_and_end_in_a_clear_decline() {
    Life::awaits_outcome()
        .fails(Failure::WrongCredentials)
        .permitted()
        .pays()
        .fails(Failure::WrongCredentials)
        .permitted()
        .pays()
        .fails(Failure::WrongCredentials)
        .ends_refused(Refusal::WrongCredentials)
        .does(Effect::TellTerminal)
        .does(Effect::TellPayer(anna()))
        .reversal_acknowledged()
        .ends_refused(Refusal::WrongCredentials)
        .ends_closed();
}

#[test]
fn os_9_a_blocked_account_is_not_tried_again() {
    Life::awaits_outcome().fails(Failure::AccountBlocked).ends_refused(Refusal::AccountBlocked);
}

#[test]
fn os_9_new_permits_do_not_move_the_one_deadline() {
    let late =
        Life::awaits_outcome().fails(Failure::InsufficientFunds).after(Duration::from_secs(50)).permitted();
    assert_eq!(late.payment.wakes_at(), Some(order_of(till(), "12.50").answer_by));
    late.sleeps_until_it_wakes().ends_refused(Refusal::NotPaidInTime);
}

#[test]
fn os_10_what_the_phone_needs_for_its_own_channel_to_the_platform_comes_with_the_permit_untouched() {
    let given = interface(crate::life::BEGIN, attempt(1));
    let life = Life::awaits_permit().permit_says(PermitOutcome::Granted(given.clone()));
    let actors::domain::payment::phase::Phase::AwaitPayment(.., kept) = life.payment.phase() else {
        panic!("{:?}", life.payment.phase())
    };
    assert_eq!(**kept, given);
}

#[test]
fn a_payer_who_declines_ends_it_for_both_sides_and_saying_so_twice_is_once() {
    Life::awaits_confirmation()
        .payer_declines()
        .ends_refused(Refusal::DeclinedByPayer)
        .does(Effect::TellTerminal)
        .does(Effect::TellPayer(anna()))
        .ends_closed()
        .payer_declines()
        .changes_nothing();
    Life::awaits_payment().payer_declines().stands("reversing").payer_declines().changes_nothing();
}

#[test]
fn two_phones_at_one_terminal_have_one_winner_and_the_loser_is_told_until_when() {
    let now = crate::life::BEGIN;
    let binding = Binding::default();
    let (claim, fact) = binding.claim(now, anna(), Duration::from_mins(1)).unwrap();
    let binding = binding.after(&fact);
    let taken = binding.claim(now, boris(), Duration::from_mins(1)).unwrap_err();
    assert_eq!(taken.until, Deadline::after(now, Duration::from_mins(1)));
    Life::awaits_phone()
        .hears(Event::PhoneCame(claim))
        .hears(Event::PhoneCame(Claim { payer: boris(), epoch: claim.epoch }))
        .changes_nothing()
        .confirms()
        .stands("await_permit");
}

#[test]
fn one_phone_at_two_terminals_confirms_each_by_its_own_round() {
    let now = Timestamp::from_micros(1);
    let [one, other] = [Binding::default(), Binding::default()].map(|binding| {
        let (claim, fact) = binding.claim(now, anna(), Duration::from_mins(1)).unwrap();
        (claim, binding.after(&fact))
    });
    assert_eq!(one.0.epoch, other.0.epoch, "epochs belong to a terminal");
    // The phone leaves the first for the second: the first lets go of exactly that round.
    let left = one.1.release(one.0.epoch).map(|fact| one.1.after(&fact)).unwrap();
    assert_eq!((left.holder(now), other.1.holder(now)), (None, Some(other.0)));
    Life::awaits_confirmation().hears(Event::PhoneLeft { epoch: 1 }).stands("await_phone");
}

#[test]
fn a_phone_that_leaves_before_it_confirms_makes_room_for_the_next() {
    Life::awaits_confirmation()
        .hears(Event::PhoneLeft { epoch: 1 })
        .stands("await_phone")
        .does(Effect::TellPayer(anna()))
        .hears(Event::Confirmed(consent(anna(), 1), euros("12.50")))
        .misfits(Misfit::StaleBinding)
        .phone_comes(boris(), 2)
        .confirms()
        .stands("await_permit");
}

#[test]
fn a_phone_that_leaves_after_it_confirmed_keeps_its_permit() {
    for life in [Life::awaits_permit(), Life::awaits_payment(), Life::awaits_outcome()] {
        let phase = life.payment.phase().name();
        life.hears(Event::PhoneLeft { epoch: 1 }).changes_nothing().stands(phase);
    }
}

#[test]
fn a_repeat_hears_the_same_and_a_repeat_with_another_amount_is_told_so() {
    for life in each_phase_of_an_order() {
        let (phase, outcome) = (life.payment.phase().name(), life.payment.outcome());
        let life = life.terminal_repeats().changes_nothing().stands(phase);
        assert_eq!(life.payment.outcome(), outcome);
        life.hears(Event::Repeated(order_of(till(), "12.51")))
            .misfits(Misfit::SameKeyOtherData)
            .stands(phase);
    }
}

#[test]
fn an_order_that_nobody_answers_is_refused_by_its_deadline_in_every_phase() {
    let refusals = [
        (Life::begins(), Refusal::Fault),
        (Life::awaits_phone(), Refusal::NoPhone),
        (Life::awaits_confirmation(), Refusal::NotConfirmed),
        (Life::awaits_permit(), Refusal::PlatformSilent),
        (Life::awaits_outcome(), Refusal::PlatformSilent),
    ];
    for (life, refusal) in refusals {
        life.sleeps_until_it_wakes().ends_refused(refusal).does(Effect::TellTerminal);
    }
    let over = order_of(till(), "12.50").answer_by.left(crate::life::BEGIN);
    Life::awaits_payment().after(over).sleeps_until_it_wakes().ends_refused(Refusal::NotPaidInTime);
    Life::in_doubt().after(over).sleeps_until_it_wakes().ends_refused(Refusal::PlatformSilent);
}

#[test]
fn an_alarm_clock_that_rings_early_is_ignored() {
    for life in each_phase_of_an_order() {
        let phase = life.payment.phase().name();
        life.hears(Event::DeadlineCame).hears_back(Verdict::Already).stands(phase);
    }
}

#[test]
fn a_merchant_who_says_no_ends_it_before_any_phone_is_asked() {
    Life::begins()
        .hears(Event::MerchantSaid(Err(Refusal::AboveLimit)))
        .stands("declined")
        .ends_refused(Refusal::AboveLimit)
        .does(Effect::TellTerminal)
        .ends_closed();
}

#[test]
fn a_payment_kept_by_its_payer_needs_no_terminal_and_nobody_else_can_take_it() {
    Life::begins_at_the_payer()
        .admitted()
        .stands("await_confirmation")
        .does(Effect::AskPayer(anna()))
        .phone_comes(boris(), 1)
        .changes_nothing()
        .confirms()
        .permitted()
        .pays()
        .approved()
        .ends_approved()
        .does(Effect::TellPayer(anna()));
}

#[test]
fn a_payer_who_keeps_a_payment_sees_it_turned_away() {
    let life = Life::begins_at_the_payer()
        .hears(Event::MerchantSaid(Err(Refusal::MerchantClosed)))
        .ends_refused(Refusal::MerchantClosed)
        .does(Effect::TellPayer(anna()));
    assert_eq!(life.payment.payer(), Some(anna()));
}

#[test]
fn os_5_a_yes_to_another_amount_is_no_yes() {
    Life::awaits_confirmation()
        .hears(Event::Confirmed(consent(anna(), 1), euros("12.51")))
        .misfits(Misfit::OtherAmount)
        .stands("await_confirmation")
        .confirms()
        .hears(Event::Confirmed(consent(anna(), 1), euros("12.51")))
        .misfits(Misfit::OtherAmount);
}

/// A life in every phase that has an order.
fn each_phase_of_an_order() -> [Life; 11] {
    [
        Life::begins(),
        Life::awaits_phone(),
        Life::awaits_confirmation(),
        Life::awaits_permit(),
        Life::awaits_payment(),
        Life::awaits_outcome(),
        Life::in_doubt(),
        Life::paid(),
        Life::reversing(),
        Life::reversed(),
        Life::declined(),
    ]
}
