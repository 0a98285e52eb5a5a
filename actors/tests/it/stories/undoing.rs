//! Taking back: the terminal's reversal at every moment, refunds, and platforms that are too late or unwilling.
use super::each_phase_of_an_order;
use crate::life::{Life, anna, has, refund};
use actors::domain::outbox::DebtKind;
use actors::domain::payment::Outcome;
use actors::domain::payment::command::{Alarm, Effect, Misfit};
use actors::domain::payment::event::Event;
use actors::domain::payment::outcome::{Effect as Undone, InquiryOutcome, RefundOutcome, ReversalOutcome};
use actors::domain::response_code::Refusal;

#[test]
fn a_terminals_reversal_is_taken_in_every_phase_and_nothing_is_approved_after_it() {
    for life in each_phase_of_an_order() {
        let life = life.terminal_reverses();
        assert!(matches!(life.payment.outcome(), Some(Outcome::Refused(_))), "{:?}", life.payment.phase());
        let life = life.approved().terminal_reverses().changes_nothing();
        assert!(matches!(life.payment.outcome(), Some(Outcome::Refused(_))), "{:?}", life.payment.phase());
    }
}

#[test]
fn a_reversal_before_a_permit_was_asked_ends_it_at_once() {
    for life in [Life::begins(), Life::awaits_phone(), Life::awaits_confirmation()] {
        life.terminal_reverses()
            .stands("declined")
            .ends_refused(Refusal::ReversedByTerminal)
            .owes(&[])
            .ends_closed();
    }
}

#[test]
fn a_reversal_after_a_permit_was_asked_is_owed_to_the_platform() {
    let lives = [
        Life::awaits_permit(),
        Life::awaits_payment(),
        Life::awaits_outcome(),
        Life::in_doubt(),
        Life::paid(),
    ];
    for life in lives {
        life.terminal_reverses()
            .stands("reversing")
            .does(Effect::Owe)
            .does(Effect::TellPayer(anna()))
            .owes(&[DebtKind::Reversal])
            .ends_refused(Refusal::ReversedByTerminal)
            .reversal_acknowledged()
            .stands("reversed")
            .ends_closed();
    }
}

#[test]
fn a_reversal_that_comes_before_its_order_refuses_the_order() {
    let life = Life::begins_with_a_reversal().ends_closed();
    assert!(has(&life.facts, "reversed_unseen"));
    life.terminal_repeats()
        .changes_nothing()
        .ends_refused(Refusal::ReversedByTerminal)
        .crashes()
        .terminal_repeats()
        .ends_refused(Refusal::ReversedByTerminal);
}

#[test]
fn the_platforms_yes_before_the_reversal_was_an_approval_and_is_undone() {
    Life::awaits_outcome()
        .approved()
        .ends_approved()
        .terminal_reverses()
        .ends_refused(Refusal::ReversedByTerminal)
        .reversal_acknowledged()
        .ends_closed();
}

#[test]
fn the_platforms_yes_after_the_reversal_approves_nothing() {
    Life::awaits_outcome()
        .terminal_reverses()
        .approved()
        .changes_nothing()
        .ends_refused(Refusal::ReversedByTerminal)
        .hears(Event::InquirySaid(
            crate::life::attempt(1),
            InquiryOutcome::Paid(crate::life::receipt("12.50")),
        ))
        .changes_nothing()
        .owes(&[DebtKind::Reversal]);
}

#[test]
fn a_yes_that_comes_after_its_money_went_back_accuses_nobody() {
    Life::awaits_outcome()
        .terminal_reverses()
        .reversal_says(ReversalOutcome::Acknowledged(Undone::Undone))
        .approved()
        .changes_nothing()
        .does_not(Effect::Raise(Alarm::DebitAfterReversal))
        .stands("reversed");
}

#[test]
fn a_yes_after_the_platform_vouched_that_nothing_moved_is_an_alarm() {
    Life::awaits_outcome()
        .terminal_reverses()
        .reversal_says(ReversalOutcome::Acknowledged(Undone::NothingToUndo))
        .approved()
        .changes_nothing()
        .does(Effect::Raise(Alarm::DebitAfterReversal))
        .stands("reversed");
}

#[test]
fn a_reversal_that_is_too_late_gives_the_money_back() {
    Life::paid()
        .terminal_reverses()
        .reversal_says(ReversalOutcome::TooLate)
        .does(Effect::Owe)
        .owes(&[DebtKind::GivingBack])
        .reversal_acknowledged()
        .ends_refused(Refusal::ReversedByTerminal)
        .ends_closed();
}

#[test]
fn a_reversal_refused_for_ever_stays_owed_and_is_shown() {
    let shown = Life::in_doubt()
        .terminal_reverses()
        .reversal_says(ReversalOutcome::Refused)
        .does(Effect::Raise(Alarm::Unreversible))
        .owes(&[DebtKind::ByHand])
        .reversal_says(ReversalOutcome::Refused)
        .changes_nothing()
        .owes(&[DebtKind::ByHand])
        .crashes()
        .owes(&[DebtKind::ByHand]);
    assert!(!shown.payment.is_closed());
    shown.reversal_acknowledged().ends_closed();
}

#[test]
fn a_silent_platform_is_asked_to_reverse_for_ever() {
    Life::reversing().reversal_says(ReversalOutcome::Unknown).changes_nothing().owes(&[DebtKind::Reversal]);
}

#[test]
fn part_of_a_payment_goes_back_and_then_the_rest() {
    Life::paid()
        .refund_asked("r1", "5.00")
        .does(Effect::Owe)
        .owes(&[DebtKind::Refund(refund("r1"))])
        .refund_says("r1", RefundOutcome::Done)
        .does(Effect::TellTerminal)
        .ends_closed()
        .refund_asked("r2", "7.50")
        .refund_says("r2", RefundOutcome::Done)
        .ends_closed()
        .ends_approved()
        .refund_asked("r3", "0.01")
        .misfits(Misfit::MoreThanPaid);
}

#[test]
fn more_than_was_paid_never_goes_back() {
    Life::paid().refund_asked("r1", "12.51").misfits(Misfit::MoreThanPaid);
    Life::paid().refund_asked("r1", "0.00").misfits(Misfit::MoreThanPaid);
    Life::paid().refund_asked("r1", "8.00").refund_asked("r2", "4.51").misfits(Misfit::MoreThanPaid);
    let yen = actors::domain::money::Money::parse("5", "JPY").unwrap();
    Life::paid().hears(Event::RefundAsked(refund("r1"), yen)).misfits(Misfit::MoreThanPaid);
}

#[test]
fn the_same_refund_twice_is_once() {
    Life::paid()
        .refund_asked("r1", "5.00")
        .refund_asked("r1", "5.00")
        .changes_nothing()
        .owes(&[DebtKind::Refund(refund("r1"))])
        .refund_asked("r1", "5.01")
        .misfits(Misfit::SameKeyOtherData)
        .refund_says("r1", RefundOutcome::Done)
        .refund_says("r1", RefundOutcome::Done)
        .changes_nothing();
}

#[test]
fn a_refused_refund_leaves_the_money_where_it_was_and_the_amount_free() {
    Life::paid()
        .refund_asked("r1", "12.50")
        .refund_says("r1", RefundOutcome::Refused)
        .ends_closed()
        .ends_approved()
        .refund_asked("r2", "12.50")
        .owes(&[DebtKind::Refund(refund("r2"))]);
}

#[test]
fn a_refund_that_nobody_answers_stays_owed_through_a_crash() {
    Life::paid()
        .refund_asked("r1", "5.00")
        .refund_says("r1", RefundOutcome::Unknown)
        .changes_nothing()
        .crashes()
        .does(Effect::Owe)
        .owes(&[DebtKind::Refund(refund("r1"))]);
}

#[test]
fn what_was_refunded_is_not_reversed_and_what_was_reversed_is_not_refunded() {
    Life::paid().refund_asked("r1", "5.00").terminal_reverses().misfits(Misfit::AlreadyRefunded);
    Life::paid().terminal_reverses().refund_asked("r1", "5.00").misfits(Misfit::NotPaid);
    Life::declined().refund_asked("r1", "5.00").misfits(Misfit::NotPaid);
}

#[test]
fn a_doubled_too_late_is_not_an_unwilling_platform() {
    Life::paid()
        .terminal_reverses()
        .reversal_says(ReversalOutcome::TooLate)
        .reversal_says(ReversalOutcome::TooLate)
        .changes_nothing()
        .owes(&[DebtKind::GivingBack]);
}
