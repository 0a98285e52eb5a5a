//! Crashes, silence and lies: what becomes of a payment when the platform or the process lets it down.
use super::each_phase_of_an_order;
use crate::life::{Life, PERMIT_GOOD_FOR, TERMS, anna, attempt, on_record, receipt};
use actors::domain::outbox::DebtKind;
use actors::domain::payment::command::{Alarm, Effect, Misfit, Verdict};
use actors::domain::payment::event::Event;
use actors::domain::payment::outcome::{
    Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::response_code::Refusal;

#[test]
fn an_unknown_outcome_is_inquired_within_its_budget_and_then_reversed_until_acknowledged() {
    let mut life = Life::in_doubt();
    for _ in 0..TERMS.inquiries_max {
        life = life.sleeps_until_it_wakes().does(Effect::Inquire(attempt(1))).stands("in_doubt");
        life = life.inquiry_says(InquiryOutcome::Unknown).changes_nothing();
    }
    life.sleeps_until_it_wakes()
        .does_not(Effect::Inquire(attempt(1)))
        .ends_refused(Refusal::PlatformSilent)
        .owes(&[DebtKind::Reversal])
        .reversal_says(ReversalOutcome::Unknown)
        .owes(&[DebtKind::Reversal])
        .reversal_acknowledged()
        .ends_closed();
}

#[test]
fn restarts_and_new_doubts_spend_the_same_budget_of_inquiries() {
    let mut life = Life::awaits_payment();
    for spent in 0..TERMS.inquiries_max + 2 {
        life = life.crashes();
        let inquiry = Effect::Inquire(life.attempt());
        life = if spent < TERMS.inquiries_max { life.does(inquiry) } else { life.does_not(inquiry) };
        life = life.inquiry_says(InquiryOutcome::Unknown).stands("await_payment");
    }
    life.pays().platform_says(PaymentOutcome::Unknown).sleeps_until_it_wakes().stands("reversing");
}

#[test]
fn a_payment_has_a_hundred_refunds_at_most() {
    let mut life = Life::paid();
    for number in 0..100 {
        let name = format!("R{number}");
        life = life.refund_asked(&name, "0.01").refund_says(&name, RefundOutcome::Refused);
    }
    life.refund_asked("R100", "0.01")
        .misfits(Misfit::TooManyRefunds)
        .refund_asked("R7", "0.01")
        .hears_back(Verdict::Already);
}

#[test]
fn an_inquiry_that_finds_the_money_approves() {
    Life::in_doubt()
        .inquiry_says(InquiryOutcome::Paid(receipt("12.50")))
        .ends_approved()
        .does(Effect::TellTerminal);
}

#[test]
fn an_inquiry_that_finds_a_failure_opens_the_next_try() {
    Life::in_doubt()
        .inquiry_says(InquiryOutcome::Failed(Failure::WrongCredentials))
        .does(Effect::AskPermit(attempt(2)))
        .stands("await_permit");
}

#[test]
fn an_unused_permit_can_be_used_after_all() {
    Life::in_doubt()
        .inquiry_says(InquiryOutcome::Pending)
        .stands("await_payment")
        .does(Effect::TellPayer(anna()))
        .pays()
        .approved()
        .ends_approved();
    Life::in_doubt().after(PERMIT_GOOD_FOR).inquiry_says(InquiryOutcome::Pending).changes_nothing();
}

#[test]
fn never_seen_is_not_final() {
    Life::in_doubt()
        .inquiry_says(InquiryOutcome::NeverSeen)
        .changes_nothing()
        .stands("in_doubt")
        .stays_undecided();
}

#[test]
fn a_platform_that_undid_it_by_itself_is_still_asked_to_vouch_for_it() {
    Life::in_doubt().inquiry_says(InquiryOutcome::Undone).stands("reversing").owes(&[DebtKind::Reversal]);
}

#[test]
fn a_credential_that_was_never_sent_can_be_sent_again() {
    Life::awaits_outcome()
        .platform_says(PaymentOutcome::NotSent)
        .stands("await_payment")
        .pays()
        .approved()
        .ends_approved();
}

#[test]
fn a_permit_request_of_unknown_fate_is_undone() {
    Life::awaits_permit()
        .permit_says(PermitOutcome::Unknown)
        .ends_refused(Refusal::PlatformSilent)
        .owes(&[DebtKind::Reversal]);
}

#[test]
fn a_permit_request_not_sent_after_a_restart_proves_nothing_and_owes_a_reversal() {
    Life::awaits_permit()
        .crashes()
        .does(Effect::AskPermit(attempt(1)))
        .permit_says(PermitOutcome::NotSent)
        .stands("reversing")
        .owes(&[DebtKind::Reversal]);
    Life::awaits_permit()
        .crashes()
        .permit_says(PermitOutcome::Refused(Refusal::NotPermitted))
        .stands("reversing");
    Life::awaits_outcome()
        .fails(Failure::WrongCredentials)
        .permit_says(PermitOutcome::NotSent)
        .stands("reversing");
}

#[test]
fn a_late_answer_to_an_earlier_attempt_changes_nothing() {
    let second = Life::awaits_outcome().fails(Failure::WrongCredentials).permitted();
    second
        .hears(Event::PaymentSaid(attempt(1), PaymentOutcome::Failed(Failure::WrongCredentials)))
        .changes_nothing()
        .hears(Event::PaymentSaid(attempt(1), PaymentOutcome::Unknown))
        .changes_nothing()
        .hears(Event::PermitSaid(attempt(1), PermitOutcome::Unknown))
        .changes_nothing()
        .stands("await_payment");
}

#[test]
fn a_restart_in_any_phase_stands_where_the_facts_left_it() {
    for life in each_phase_of_an_order().into_iter().skip(1) {
        let (before, phase) = (on_record(life.payment.clone()), life.payment.phase().name());
        let life = life.crashes();
        if phase == "await_outcome" {
            life.stands("in_doubt").does(Effect::Inquire(attempt(1)));
        } else {
            assert_eq!(on_record(life.payment), before);
        }
    }
}

#[test]
fn a_restart_while_the_payer_holds_the_interface_asks_before_it_believes() {
    Life::awaits_payment()
        .crashes()
        .does(Effect::Inquire(attempt(1)))
        .inquiry_says(InquiryOutcome::Pending)
        .changes_nothing()
        .pays()
        .approved()
        .ends_approved();
    Life::awaits_payment().crashes().inquiry_says(InquiryOutcome::Paid(receipt("12.50"))).ends_approved();
}

#[test]
fn an_order_that_crashed_before_its_merchant_answered_never_was() {
    let life = Life::begins();
    assert!(life.facts.is_empty(), "nothing was promised, so a repeat begins anew");
}

#[test]
fn a_keeper_that_dies_between_the_fact_and_its_effects_leaves_no_debt_untold() {
    Life::in_doubt()
        .terminal_reverses()
        .crashes()
        .stands("reversing")
        .does(Effect::Owe)
        .does(Effect::TellTerminal)
        .does(Effect::TellPayer(anna()));
}

#[test]
fn a_keeper_that_dies_before_it_could_tell_tells_after_its_rebirth() {
    Life::paid().crashes().stands("paid").does(Effect::TellTerminal).does(Effect::TellPayer(anna()));
    Life::awaits_confirmation().crashes().does(Effect::TellPayer(anna()));
}

#[test]
fn a_keeper_that_gives_up_leaves_no_money_behind() {
    for life in each_phase_of_an_order() {
        let decided = life.payment.outcome();
        assert_eq!(life.payment.is_decided(), decided.is_some(), "{}", life.payment.phase().name());
        let life = life.hears(Event::GivenUp);
        match decided {
            Some(outcome) => assert_eq!(life.payment.outcome(), Some(outcome)),
            None => drop(life.ends_refused(Refusal::Fault).does(Effect::Raise(Alarm::GivenUp))),
        }
    }
}

#[test]
fn a_lying_amount_never_approves() {
    for life in [Life::awaits_payment(), Life::awaits_outcome()] {
        life.platform_says(PaymentOutcome::Approved(receipt("99.99")))
            .stands("in_doubt")
            .does(Effect::Raise(Alarm::PlatformLied))
            .does(Effect::TellPayer(anna()))
            .stays_undecided()
            .inquiry_says(InquiryOutcome::Paid(receipt("99.99")))
            .does(Effect::Raise(Alarm::PlatformLied))
            .stays_undecided()
            .terminal_reverses()
            .owes(&[DebtKind::Reversal]);
    }
}

#[test]
fn a_permit_that_runs_out_unused_is_asked_about_and_not_guessed_at() {
    Life::awaits_payment()
        .sleeps_until_it_wakes()
        .stands("in_doubt")
        .does(Effect::Inquire(attempt(1)))
        .does(Effect::TellPayer(anna()))
        .stays_undecided();
}

#[test]
fn a_second_yes_that_says_something_else_is_an_alarm_and_changes_nothing() {
    Life::paid()
        .platform_says(PaymentOutcome::Approved(receipt("99.99")))
        .changes_nothing()
        .does(Effect::Raise(Alarm::PlatformLied))
        .ends_approved()
        .approved()
        .does_not(Effect::Raise(Alarm::PlatformLied));
}

#[test]
fn a_yes_to_what_was_never_asked_is_an_alarm_and_changes_nothing() {
    for life in [Life::awaits_phone(), Life::awaits_confirmation(), Life::declined()] {
        let phase = life.payment.phase().name();
        let alarmed = life.approved().changes_nothing().stands(phase);
        assert!(alarmed.last.effects.iter().any(|effect| matches!(effect, Effect::Raise(_))), "{phase}");
    }
}
