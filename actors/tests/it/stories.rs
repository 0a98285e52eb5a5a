//! The requirements of the on-site payment as stories of single payments, and every way in which one goes wrong.
use crate::life::{Life, anna, boris, order_of, receipt, till};
use actors::domain::identity::Keeper;
use actors::domain::outbox::DebtKind;
use actors::domain::payment::command::{Alarm, Effect, Misfit, Verdict};
use actors::domain::payment::outcome::{Effect as Undone, Failure, PaymentOutcome, ReversalOutcome};

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
