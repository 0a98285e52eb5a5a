//! What every binding store must do. `fresh` makes an empty one.
//!
//! Loss is allowed (the journal decides), a wrong answer is not: so the suite asks right after it told.
use super::{complete, samples};
use crate::domain::payment::phase::Claim;
use crate::domain::time::Deadline;
use crate::ports::binding_store::BindingStore;
use std::sync::Arc;
use std::time::Duration;

/// Runs the whole suite.
pub fn keeps_its_promises(fresh: &dyn Fn() -> Arc<dyn BindingStore>) {
    a_claim_is_found_from_both_ends(&*fresh());
    a_claim_runs_out(&*fresh());
    an_older_round_changes_nothing(&*fresh());
    a_newer_round_takes_the_terminal_over(&*fresh());
    only_the_named_round_is_released(&*fresh());
    a_payer_is_found_at_the_terminal_of_the_latest_claim(&*fresh());
}

fn claim(payer: u32, epoch: u64) -> Claim {
    Claim { payer: samples::payer_id(payer), epoch }
}

fn bind(store: &dyn BindingStore, terminal: u32, claim: Claim) {
    let until = Deadline::after(samples::BEGIN, Duration::from_mins(1));
    complete(store.bind(samples::terminal_id(terminal), claim, until)).expect("a store that answers");
}

fn release(store: &dyn BindingStore, terminal: u32, epoch: u64) {
    complete(store.release(samples::terminal_id(terminal), epoch)).expect("a store that answers");
}

fn at(store: &dyn BindingStore, after: u64, terminal: u32) -> Option<Claim> {
    let now = samples::BEGIN.plus(Duration::from_secs(after));
    complete(store.at(now, samples::terminal_id(terminal))).expect("a store that answers")
}

fn of(store: &dyn BindingStore, after: u64, payer: u32) -> Option<(u32, u64)> {
    let now = samples::BEGIN.plus(Duration::from_secs(after));
    let found = complete(store.of(now, samples::payer_id(payer))).expect("a store that answers");
    let number = |id: crate::domain::identity::TerminalId| {
        id.as_str().trim_start_matches('T').trim_start_matches('0').parse().unwrap_or_default()
    };
    found.map(|(terminal, epoch)| (number(terminal), epoch))
}

fn a_claim_is_found_from_both_ends(store: &dyn BindingStore) {
    assert_eq!((at(store, 0, 1), of(store, 0, 1)), (None, None));
    bind(store, 1, claim(1, 3));
    assert_eq!(at(store, 0, 1), Some(claim(1, 3)));
    assert_eq!(of(store, 0, 1), Some((1, 3)));
    assert_eq!((at(store, 0, 2), of(store, 0, 2)), (None, None));
}

fn a_claim_runs_out(store: &dyn BindingStore) {
    bind(store, 1, claim(1, 3));
    assert_eq!(at(store, 59, 1), Some(claim(1, 3)));
    assert_eq!((at(store, 60, 1), of(store, 60, 1)), (None, None));
}

fn an_older_round_changes_nothing(store: &dyn BindingStore) {
    bind(store, 1, claim(1, 3));
    bind(store, 1, claim(2, 2));
    assert_eq!(at(store, 0, 1), Some(claim(1, 3)));
    assert_eq!((of(store, 0, 1), of(store, 0, 2)), (Some((1, 3)), None));
}

fn a_newer_round_takes_the_terminal_over(store: &dyn BindingStore) {
    bind(store, 1, claim(1, 3));
    bind(store, 1, claim(2, 4));
    assert_eq!(at(store, 0, 1), Some(claim(2, 4)));
    assert_eq!((of(store, 0, 1), of(store, 0, 2)), (None, Some((1, 4))));
}

fn only_the_named_round_is_released(store: &dyn BindingStore) {
    bind(store, 1, claim(1, 3));
    release(store, 1, 2);
    assert_eq!(at(store, 0, 1), Some(claim(1, 3)));
    release(store, 1, 3);
    assert_eq!((at(store, 0, 1), of(store, 0, 1)), (None, None));
    release(store, 1, 3);
    bind(store, 1, claim(2, 2));
    assert_eq!(at(store, 0, 1), None, "a round that is over does not let an older one in");
}

fn a_payer_is_found_at_the_terminal_of_the_latest_claim(store: &dyn BindingStore) {
    bind(store, 1, claim(1, 9));
    bind(store, 2, claim(1, 1));
    assert_eq!(of(store, 0, 1), Some((2, 1)), "the latest, whatever the terminals' own counts");
    release(store, 1, 9);
    assert_eq!(of(store, 0, 1), Some((2, 1)), "letting go of the former place changes nothing");
}
