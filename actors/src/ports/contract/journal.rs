//! What every journal must do. `fresh` makes an empty one whose disk, if it has one, works.
use super::{complete, samples};
use crate::domain::identity::Keeper;
use crate::domain::journal::{Entry, Recorded, Seq, Subject};
use crate::ports::journal::{Journal, Room};
use std::sync::Arc;

/// Runs the whole suite.
pub fn keeps_its_promises(fresh: &dyn Fn() -> Arc<dyn Journal>) {
    seqs_count_from_one_without_gaps(&*fresh());
    what_is_durable_is_found_again_in_order(&*fresh());
    lives_do_not_mix(&*fresh());
    a_life_sees_what_was_appended_before_the_question(&*fresh());
    open_payments_are_found_by_keeper_and_by_payer(&*fresh());
    a_closed_payment_leaves_and_a_refund_brings_it_back(&*fresh());
    a_binding_is_found_by_its_terminal(&*fresh());
    an_old_round_never_hides_a_newer_one(&*fresh());
    the_newest_record_of_a_terminal_tells_its_round(&*fresh());
    a_terminals_book_and_its_binding_do_not_hide_each_other(&*fresh());
    the_end_is_the_place_of_the_newest_record(&*fresh());
    keepers_of_open_payments_are_named_once(&*fresh());
    what_was_never_appended_is_not_known(&*fresh());
}

fn append(journal: &dyn Journal, entries: Vec<Entry>) -> Seq {
    journal.append(samples::BEGIN, entries)
}

fn settle(journal: &dyn Journal, entries: Vec<Entry>) -> Seq {
    let seq = append(journal, entries);
    complete(journal.durable(seq));
    assert!(journal.is_durable(seq), "what durable() waited for is durable");
    seq
}

fn life(journal: &dyn Journal, subject: Subject) -> Vec<Recorded> {
    complete(journal.life(subject)).expect("an undamaged journal")
}

fn seqs_count_from_one_without_gaps(journal: &dyn Journal) {
    assert_eq!(journal.room(), Room::Plenty);
    assert_eq!(append(journal, samples::open_life(1, 1)), Seq(3), "the place of the last of three");
    assert_eq!(append(journal, vec![samples::bound(1, 1)]), Seq(4));
    complete(journal.durable(Seq(4)));
    assert!(journal.is_durable(Seq(1)) && journal.is_durable(Seq(4)));
    assert!(!journal.is_durable(Seq(5)), "nothing is there yet");
}

fn what_is_durable_is_found_again_in_order(journal: &dyn Journal) {
    let entries = samples::paid_life(1, 1);
    for entry in entries.clone() {
        settle(journal, vec![entry]);
    }
    let found = life(journal, Subject::Payment(samples::payment(1, 1)));
    let seqs: Vec<Seq> = found.iter().map(|recorded| recorded.seq).collect();
    assert_eq!(seqs, (1..=6).map(Seq).collect::<Vec<_>>());
    assert!(found.iter().all(|recorded| recorded.at == samples::BEGIN));
    assert_eq!(found.into_iter().map(|recorded| recorded.entry).collect::<Vec<_>>(), entries);
}

fn lives_do_not_mix(journal: &dyn Journal) {
    let (first, second) = (samples::paid_life(1, 1), samples::paid_life(2, 2));
    for (a, b) in first.iter().zip(&second) {
        append(journal, vec![a.clone(), b.clone()]);
    }
    for (terminal, number, expected) in [(1, 1, first), (2, 2, second)] {
        let found = life(journal, Subject::Payment(samples::payment(terminal, number)));
        assert_eq!(found.into_iter().map(|recorded| recorded.entry).collect::<Vec<_>>(), expected);
    }
}

fn a_life_sees_what_was_appended_before_the_question(journal: &dyn Journal) {
    let seq = append(journal, samples::paid_life(1, 1));
    let question = journal.life(Subject::Payment(samples::payment(1, 1)));
    let found = complete(question).expect("an undamaged journal");
    assert_eq!(found.len(), 6);
    assert!(journal.is_durable(seq), "only what is durable is returned");
}

fn open_payments_are_found_by_keeper_and_by_payer(journal: &dyn Journal) {
    append(journal, samples::open_life(1, 1));
    append(journal, samples::open_life(2, 2));
    append(journal, samples::paid_life(1, 3));
    let kept = complete(journal.kept_by(Keeper::Terminal(samples::terminal_id(1))));
    assert_eq!(kept.iter().map(|open| open.payment.id()).collect::<Vec<_>>(), vec![samples::payment(1, 1)]);
    assert_eq!(kept.first().map(|open| open.facts.len()), Some(3), "with its facts");
    let involved = complete(journal.involving(samples::payer_id(2)));
    assert_eq!(
        involved.iter().map(|open| open.payment.id()).collect::<Vec<_>>(),
        vec![samples::payment(2, 2)]
    );
    assert!(complete(journal.indebted()).is_empty(), "nobody owes anything yet");
}

fn a_closed_payment_leaves_and_a_refund_brings_it_back(journal: &dyn Journal) {
    let keeper = Keeper::Terminal(samples::terminal_id(1));
    settle(journal, samples::paid_life(1, 1));
    assert!(complete(journal.kept_by(keeper)).is_empty(), "paid and nothing owed");
    append(journal, vec![samples::refund_owed(1, 1)]);
    let indebted = complete(journal.indebted());
    assert_eq!(indebted.first().map(|open| open.facts.len()), Some(7), "its whole life is back");
    assert_eq!(complete(journal.kept_by(keeper)).len(), 1);
}

fn a_binding_is_found_by_its_terminal(journal: &dyn Journal) {
    append(journal, vec![samples::bound(1, 1), samples::bound(2, 7), samples::released(1, 1)]);
    assert_eq!(folded(journal, 1).epoch(), 1);
    assert_eq!(folded(journal, 1).holder(samples::BEGIN), None);
    assert_eq!(folded(journal, 2).holder(samples::BEGIN).map(|claim| claim.epoch), Some(7));
}

fn an_old_round_never_hides_a_newer_one(journal: &dyn Journal) {
    for epoch in [1, 2, 9, 3, 4] {
        settle(journal, vec![samples::bound(1, epoch)]);
    }
    assert_eq!(folded(journal, 1).epoch(), 9);
    append(journal, vec![samples::bound(1, 10)]);
    assert_eq!(folded(journal, 1).epoch(), 10);
}

fn the_newest_record_of_a_terminal_tells_its_round(journal: &dyn Journal) {
    append(journal, vec![samples::bound(1, 5), samples::released(1, 5), samples::bound(2, 1)]);
    let latest = complete(journal.latest(Subject::Terminal(samples::terminal_id(1)))).expect("no damage");
    let Some(Recorded { entry: Entry::Binding(_, fact), seq, .. }) = latest else { panic!("no binding") };
    assert_eq!(seq, Seq(2));
    assert_eq!(crate::domain::binding::Binding::default().after(&fact).epoch(), 5);
    let none = complete(journal.latest(Subject::Terminal(samples::terminal_id(3))));
    assert_eq!(none, Ok(None));
}

fn a_terminals_book_and_its_binding_do_not_hide_each_other(journal: &dyn Journal) {
    append(journal, vec![samples::rekeyed(1, 1), samples::bound(1, 5), samples::rekeyed(2, 3)]);
    append(journal, vec![samples::settled_book(1), samples::released(1, 5)]);
    let latest = |subject| complete(journal.latest(subject)).expect("no damage").map(|found| found.entry);
    assert_eq!(latest(Subject::Till(samples::terminal_id(1))), Some(samples::settled_book(1)));
    assert_eq!(latest(Subject::Terminal(samples::terminal_id(1))), Some(samples::released(1, 5)));
    assert_eq!(latest(Subject::Till(samples::terminal_id(2))), Some(samples::rekeyed(2, 3)));
    assert_eq!(latest(Subject::Till(samples::terminal_id(3))), None);
}

fn the_end_is_the_place_of_the_newest_record(journal: &dyn Journal) {
    assert_eq!(journal.end(), Seq(0));
    let seq = append(journal, samples::open_life(1, 1));
    assert_eq!((seq, journal.end()), (Seq(3), Seq(3)), "durable or not");
}

fn keepers_of_open_payments_are_named_once(journal: &dyn Journal) {
    append(journal, samples::open_life(1, 1));
    append(journal, samples::open_life(1, 2));
    append(journal, samples::paid_life(2, 3));
    let keeper = |terminal| Keeper::Terminal(samples::terminal_id(terminal));
    assert_eq!(complete(journal.keepers()), vec![keeper(1)]);
    assert_eq!(complete(journal.keeper_of(samples::payment(1, 2))), Some(keeper(1)));
    assert_eq!(complete(journal.keeper_of(samples::payment(2, 3))), Some(keeper(2)), "closed, but known");
    assert_eq!(complete(journal.keeper_of(samples::payment(2, 4))), None);
}

fn folded(journal: &dyn Journal, terminal: u32) -> crate::domain::binding::Binding {
    life(journal, Subject::Terminal(samples::terminal_id(terminal)))
        .iter()
        .filter_map(|recorded| match &recorded.entry {
            Entry::Binding(_, fact) => Some(fact),
            Entry::Payment(..) | Entry::Till(..) => None,
        })
        .fold(crate::domain::binding::Binding::default(), crate::domain::binding::Binding::after)
}

fn what_was_never_appended_is_not_known(journal: &dyn Journal) {
    let id = samples::payment(1, 1);
    assert!(!journal.knows(id));
    assert!(life(journal, Subject::Payment(id)).is_empty());
    settle(journal, samples::open_life(1, 1));
    assert!(journal.knows(id));
    assert!(!journal.knows(samples::payment(1, 2)));
}
