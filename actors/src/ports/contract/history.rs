//! What every read model must do. `fresh` makes an empty one, and what it takes entries in by.
use super::{complete, is_waiting, samples};
use crate::domain::identity::TerminalId;
use crate::domain::journal::{Entry, Seq};
use crate::domain::money::Currency;
use crate::domain::payment::status::Status;
use crate::domain::till::{Count, Counted, Period, Totals};
use crate::domain::time::Timestamp;
use crate::ports::history::{History, PastPayment, Wanted};
use std::sync::Arc;
use std::time::Duration;

/// A read model to be asked, and how it hears of entries that become true at an instant.
pub struct Fed {
    /// To be asked.
    pub history: Arc<dyn History>,
    /// To be told. When it returns, the entries have been taken in.
    pub feed: Box<dyn Fn(Timestamp, Vec<Entry>)>,
}

/// Runs the whole suite.
pub fn keeps_its_promises(fresh: &dyn Fn() -> Fed) {
    a_payment_is_found_by_terminal_by_payer_and_by_status(&fresh());
    a_sale_counts_in_the_period_in_which_it_was_decided(&fresh());
    only_the_terminal_and_the_currency_asked_for_are_counted(&fresh());
    what_is_taken_back_later_counts_later(&fresh());
    what_was_never_approved_is_not_counted(&fresh());
    a_refund_counts_and_one_that_is_refused_is_taken_off(&fresh());
    a_part_that_is_taken_back_counts_as_a_reversal_and_is_told_apart(&fresh());
    who_asks_for_more_than_was_taken_in_waits(&fresh());
}

/// So many seconds after the samples begin.
fn at(second: u64) -> Timestamp {
    samples::BEGIN.plus(Duration::from_secs(second))
}

/// The totals in euros of a terminal, over `(after, upto]` in seconds.
fn totals(fed: &Fed, terminal: TerminalId, after: u64, upto: u64) -> Totals {
    in_currency(fed, "EUR", terminal, after, upto)
}

fn in_currency(fed: &Fed, code: &str, terminal: TerminalId, after: u64, upto: u64) -> Totals {
    let currency = Currency::of_code(code).expect("a currency");
    let period = Period { terminal, currency, after: at(after), upto: at(upto) };
    complete(fed.history.totals(period)).expect("a read model that answers").totals
}

const fn sales(number: u64) -> Totals {
    Totals { debits: Count { number, amount: number.saturating_mul(1_250) }, ..Totals::ZERO }
}

fn found(fed: &Fed, wanted: Wanted) -> Vec<PastPayment> {
    complete(fed.history.search(wanted)).expect("a read model that answers")
}

fn a_payment_is_found_by_terminal_by_payer_and_by_status(fed: &Fed) {
    (fed.feed)(at(1), samples::paid_life(1, 1));
    (fed.feed)(at(2), samples::open_life(2, 1));
    let anything = Wanted { terminal: None, payer: None, status: None, most: 10 };
    let all = found(fed, anything);
    let [newest, paid] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((newest.id, newest.status), (samples::payment(2, 1), Status::AwaitingPermit));
    assert_eq!((paid.id, paid.decided_at), (samples::payment(1, 1), Some(at(1))));
    let terminal = Some(samples::terminal_id(1));
    assert_eq!(found(fed, Wanted { terminal, ..anything }), std::slice::from_ref(paid));
    assert_eq!(found(fed, Wanted { status: Some(Status::Approved), ..anything }), std::slice::from_ref(paid));
    assert_eq!(found(fed, Wanted { most: 1, ..anything }), std::slice::from_ref(newest));
    assert_eq!(complete(fed.history.of_payer(samples::payer_id(1), 10)), Ok(vec![paid.clone()]));
}

fn a_sale_counts_in_the_period_in_which_it_was_decided(fed: &Fed) {
    let mut life = samples::paid_life(1, 1);
    let decision = life.split_off(5);
    (fed.feed)(at(1), life);
    (fed.feed)(at(5), decision);
    (fed.feed)(at(9), samples::paid_life(1, 2));
    let till = samples::terminal_id(1);
    assert_eq!(totals(fed, till, 0, 4), Totals::ZERO, "begun, but not decided");
    assert_eq!(totals(fed, till, 4, 5), sales(1), "up to an instant includes it");
    assert_eq!(totals(fed, till, 5, 8), Totals::ZERO, "after an instant does not");
    assert_eq!(totals(fed, till, 5, 9), sales(1));
    assert_eq!(totals(fed, till, 0, 9), sales(2));
    assert_eq!(totals(fed, till, 9, 5), Totals::ZERO, "a period that ends before it begins is empty");
}

fn only_the_terminal_and_the_currency_asked_for_are_counted(fed: &Fed) {
    (fed.feed)(at(1), samples::paid_life(1, 1));
    (fed.feed)(at(1), samples::paid_life(2, 2));
    assert_eq!(totals(fed, samples::terminal_id(1), 0, 9), sales(1));
    assert_eq!(totals(fed, samples::terminal_id(3), 0, 9), Totals::ZERO);
    assert_eq!(in_currency(fed, "USD", samples::terminal_id(1), 0, 9), Totals::ZERO);
}

fn what_is_taken_back_later_counts_later(fed: &Fed) {
    let till = samples::terminal_id(1);
    (fed.feed)(at(1), samples::paid_life(1, 1));
    (fed.feed)(at(5), vec![samples::taken_back(1, 1)]);
    assert_eq!(totals(fed, till, 0, 4), sales(1), "what was counted stays counted");
    let taken_back = Count { number: 1, amount: 1_250 };
    assert_eq!(totals(fed, till, 4, 9), Totals { debit_reversals: taken_back, ..Totals::ZERO });
    assert_eq!(totals(fed, till, 0, 9), Totals { debit_reversals: taken_back, ..sales(1) });
}

fn what_was_never_approved_is_not_counted(fed: &Fed) {
    let mut life = samples::paid_life(1, 1);
    life.truncate(5);
    (fed.feed)(at(1), life);
    (fed.feed)(at(2), vec![samples::taken_back(1, 1)]);
    (fed.feed)(at(3), samples::open_life(1, 2));
    (fed.feed)(at(4), vec![samples::bound(1, 9), samples::settled_book(1)]);
    assert_eq!(totals(fed, samples::terminal_id(1), 0, 9), Totals::ZERO);
}

fn a_refund_counts_and_one_that_is_refused_is_taken_off(fed: &Fed) {
    let till = samples::terminal_id(1);
    (fed.feed)(at(1), samples::paid_life(1, 1));
    (fed.feed)(at(2), vec![samples::refund_owed(1, 1)]);
    let given = Count { number: 1, amount: 250 };
    assert_eq!(totals(fed, till, 0, 9), Totals { credits: given, ..sales(1) });
    (fed.feed)(at(3), vec![samples::refund_refused(1, 1)]);
    assert_eq!(totals(fed, till, 0, 2), Totals { credits: given, ..sales(1) });
    assert_eq!(totals(fed, till, 2, 3), Totals { credit_reversals: given, ..Totals::ZERO });
}

fn a_part_that_is_taken_back_counts_as_a_reversal_and_is_told_apart(fed: &Fed) {
    let till = samples::terminal_id(1);
    (fed.feed)(at(1), samples::paid_life(1, 1));
    (fed.feed)(at(1), samples::paid_life(1, 2));
    (fed.feed)(at(2), vec![samples::part_owed(1, 1), samples::taken_back(1, 2)]);
    let currency = Currency::of_code("EUR").expect("a currency");
    let period = Period { terminal: till, currency, after: at(0), upto: at(9) };
    let counted = complete(fed.history.totals(period)).expect("a read model that answers");
    let debit_reversals = Count { number: 2, amount: 1_500 };
    assert_eq!(counted, Counted { totals: Totals { debit_reversals, ..sales(2) }, parts: 1 });
}

fn who_asks_for_more_than_was_taken_in_waits(fed: &Fed) {
    (fed.feed)(at(1), samples::open_life(1, 1));
    assert_eq!(complete(fed.history.caught_up(Seq(3))), Ok(()));
    let mut waiting = fed.history.caught_up(Seq(4));
    assert!(is_waiting(&mut waiting));
    (fed.feed)(at(2), vec![samples::bound(1, 1)]);
    assert_eq!(complete(waiting), Ok(()));
}
