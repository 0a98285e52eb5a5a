//! Any events in any order, with the process dying at any moment: what the machine and the shelf still promise.
use crate::life::{BEGIN, Life, TERMS, attempt, every_event, on_record, order_of, till};
use actors::domain::identity::{Keeper, PayerId, PaymentId, PaymentKey};
use actors::domain::journal::{Shelf, Shelved};
use actors::domain::payment::command::{Effect, Fact, Verdict};
use actors::domain::payment::event::Event;
use actors::domain::payment::invariants::{History, audit};
use actors::domain::payment::{Outcome, Payment, Stamped};
use actors::domain::response_code::Refusal;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One thing that happens, after a wait.
#[derive(Clone, Debug)]
struct Beat {
    chooses: Chooses,
    wait_secs: u64,
    /// How many of the latest facts a crash takes with it, if there is one.
    crash: Option<usize>,
}

/// Which event of the matrix it is: any at all, or one that makes a difference now and does not just end it.
#[derive(Clone, Debug)]
enum Chooses {
    Any(usize, u8),
    Onward(usize),
}

fn beats() -> impl Strategy<Value = Vec<Beat>> {
    let crash = prop_oneof![9 => Just(None), 1 => (0usize..3).prop_map(Some)];
    let chooses = prop_oneof![
        1 => (0..every_event(attempt(1), BEGIN).len(), 1u8..4).prop_map(|(event, attempt)| Chooses::Any(event, attempt)),
        2 => any::<usize>().prop_map(Chooses::Onward),
    ];
    let wait = prop_oneof![8 => Just(0u64), 2 => 0u64..25];
    let beat =
        (chooses, wait, crash).prop_map(|(chooses, wait_secs, crash)| Beat { chooses, wait_secs, crash });
    prop::collection::vec(beat, 0..30)
}

const ENDS_IT: [&str; 5] =
    ["merchant_refused", "declined_by_payer", "reversal_asked", "deadline_came", "given_up"];

fn chosen(life: &Life, chooses: &Chooses) -> Event {
    match chooses {
        Chooses::Any(which, number) => every_event(attempt(*number), life.now).swap_remove(*which).1,
        Chooses::Onward(which) => {
            let takes = |event: &Event| {
                life.payment.clone().step(life.now, event.clone()).1.verdict == Verdict::Taken
            };
            let mut onward: Vec<Event> = every_event(life.attempt(), life.now)
                .into_iter()
                .filter(|(name, event)| !ENDS_IT.contains(name) && takes(event))
                .map(|(_, event)| event)
                .collect();
            let at = which.checked_rem(onward.len());
            at.map_or(Event::DeadlineCame, |at| onward.swap_remove(at))
        }
    }
}

/// Plays the beats; every step is held to the invariants by `Life` itself.
fn played(mut life: Life, beats: &[Beat], mut seen: impl FnMut(&Life, &Life, &Event)) -> Life {
    for beat in beats {
        if let Some(lost) = beat.crash {
            life.facts.truncate(life.facts.len().saturating_sub(lost));
            if life.facts.is_empty() {
                return life;
            }
            life = life.crashes();
        }
        let before = life.clone();
        life = life.after(Duration::from_secs(beat.wait_secs));
        let event = chosen(&life, &beat.chooses);
        life = life.hears(event.clone());
        seen(&before, &life, &event);
    }
    life
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn where_a_payment_stands_is_what_its_facts_say(beats in beats()) {
        let life = played(Life::begins(), &beats, |_, _, _| ());
        if let Some(folded) = Payment::folded(life.payment.id(), &life.facts).unwrap() {
            let again = Life { payment: folded, ..life.clone() }.crashes();
            prop_assert_eq!(again.payment.id(), life.payment.id());
        }
    }

    #[test]
    fn a_decided_payment_stays_decided_but_for_the_terminals_own_reversal(beats in beats()) {
        played(Life::begins(), &beats, |before, after, event| {
            let (Some(was), now) = (before.payment.outcome(), after.payment.outcome()) else { return };
            let own = *event == Event::ReversalAsked
                && matches!(was, Outcome::Approved(_))
                && now == Some(Outcome::Refused(Refusal::ReversedByTerminal));
            assert!(now == Some(was.clone()) || own, "{was:?} became {now:?} by {event:?}");
        });
    }

    #[test]
    fn a_misfit_changes_nothing_and_an_already_records_nothing(beats in beats()) {
        played(Life::begins(), &beats, |before, after, event| match after.last.verdict {
            Verdict::Misfit(_) => {
                assert_eq!(before.payment, after.payment, "{event:?}");
                assert!(after.last.facts.is_empty() && after.last.effects.is_empty(), "{event:?}");
            }
            Verdict::Already => {
                assert_eq!(before.payment, after.payment, "{event:?}");
                assert!(after.last.facts.is_empty(), "{event:?}");
            }
            Verdict::Taken => assert!(!after.last.facts.is_empty(), "{event:?}"),
        });
    }

    #[test]
    fn whoever_sees_a_payment_is_told_when_it_goes_on(beats in beats()) {
        played(Life::begins(), &beats, |before, after, event| {
            let moved = before.payment.phase().name() != after.payment.phase().name();
            // The phone that presents hears back at once.
            if moved && !matches!(event, Event::Presented(..)) {
                for payer in [before.payment.payer(), after.payment.payer()].into_iter().flatten() {
                    let is_told = |effect: &Effect| matches!(effect, Effect::AskPayer(told) | Effect::TellPayer(told) if *told == payer);
                    assert!(after.last.effects.iter().any(is_told), "{event:?}: {:?}", after.last);
                }
            }
            if before.payment.outcome() != after.payment.outcome() {
                assert!(after.last.effects.contains(&Effect::TellTerminal), "{event:?}: {:?}", after.last);
            }
            if before.payment.debts() != after.payment.debts() && !after.payment.debts().is_empty() {
                let fewer = after.payment.debts().len() < before.payment.debts().len();
                assert!(fewer || after.last.effects.contains(&Effect::Owe), "{event:?}: {:?}", after.last);
            }
        });
    }

    #[test]
    fn permits_asked_for_are_as_many_as_the_terms_allow(beats in beats()) {
        let life = played(Life::begins(), &beats, |_, _, _| ());
        let tries = life.facts.iter().filter(|stamped| matches!(stamped.fact, Fact::AttemptFailed(..))).count();
        prop_assert!(tries < usize::from(TERMS.attempts_max));
    }

    #[test]
    fn the_shelf_is_the_fold_of_the_open_lives(all in prop::collection::vec(beats(), 1..6)) {
        let lives: Vec<Life> =
            all.iter().enumerate().map(|(which, beats)| played(Life::begins_with(numbered(which)), beats, |_, _, _| ())).collect();
        let mut shelf = Shelf::default();
        // One fact of each in turn, as a journal would have them.
        let longest = lives.iter().map(|life| life.facts.len()).max().unwrap_or(0);
        for turn in 0..longest {
            for life in &lives {
                let Some(stamped) = life.facts.get(turn) else { continue };
                let id = life.payment.id();
                if shelf.take_in(id, stamped.at, &stamped.fact).unwrap() == Shelved::Unknown {
                    shelf.reopen(id, life.facts[..=turn].to_vec()).unwrap();
                }
            }
        }
        let open: BTreeMap<PaymentId, &Life> = lives
            .iter()
            .filter(|life| !life.facts.is_empty() && !life.payment.is_closed())
            .map(|life| (life.payment.id(), life))
            .collect();
        prop_assert_eq!(shelf.len(), open.len());
        for (id, life) in &open {
            let kept = shelf.life(*id).expect("an open life is on the shelf");
            prop_assert_eq!(on_record(kept.payment.clone()), on_record(life.payment.clone()));
            prop_assert_eq!(&kept.facts, &life.facts);
            prop_assert_eq!(shelf.kept_by(life.payment.keeper()).filter(|l| l.payment.id() == *id).count(), 1);
            let payers = life.payment.payer().map(|payer| shelf.involving(payer).filter(|l| l.payment.id() == *id).count());
            prop_assert!(payers.is_none_or(|found| found == 1));
        }
        let nobody = PayerId::new("nobody").unwrap();
        prop_assert_eq!(shelf.kept_by(Keeper::Payer(nobody)).count() + shelf.involving(nobody).count(), 0);
    }
}

fn numbered(which: usize) -> actors::domain::order::Order {
    actors::domain::order::Order {
        key: PaymentKey::new(&format!("sale-{which}")).unwrap(),
        ..order_of(till(), "12.50")
    }
}

#[test]
fn a_fact_that_cannot_follow_is_refused_and_the_life_stays_on_the_shelf() {
    let life = Life::reversing();
    let (id, mut shelf) = (life.payment.id(), Shelf::default());
    shelf.reopen(id, life.facts.clone()).unwrap();
    let fault = shelf.take_in(id, life.now, &Fact::PhoneLeft).unwrap_err();
    assert_eq!((fault.fact, fault.phase), ("phone_left", "reversing"));
    let kept = shelf.life(id).expect("what is owed is not dropped with a bad record");
    assert_eq!((&kept.facts, kept.payment.debts().len()), (&life.facts, 1));
    assert_eq!(shelf.kept_by(till()).count(), 1);
}

#[test]
fn a_life_of_facts_from_another_world_is_refused_and_named() {
    let id = PaymentId::from_bits(1);
    let odd = [Stamped { at: BEGIN, fact: Fact::PhoneLeft }];
    let fault = Payment::recover(id, BEGIN, &odd).unwrap_err();
    assert_eq!(
        fault.to_string(),
        format!("payment {id}: the fact \"phone_left\" cannot follow the phase \"none\"")
    );
    assert_eq!(Payment::recover(id, BEGIN, &[]), Ok(None));
    let history = History { payment: id, facts: &odd, spoken: &[], books: &[] };
    assert!(audit(&history).is_err());
}

#[test]
fn every_phase_is_reached_by_some_beats() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut phases = BTreeSet::new();
    for _ in 0..500 {
        let beats = beats().new_tree(&mut runner).unwrap().current();
        played(Life::begins(), &beats, |_, after, _| phases.extend([after.payment.phase().name()]));
    }
    assert_eq!(phases.len(), 11, "every phase but the one without an order: {phases:?}");
}
