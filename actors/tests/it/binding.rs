//! Who stands at a terminal: rounds only count up, a round has one phone, and stale words change nothing.
use crate::life::{BEGIN, anna, boris};
use actors::domain::binding::{Binding, BindingFact};
use actors::domain::identity::PayerId;
use actors::domain::payment::phase::Claim;
use actors::domain::time::{Deadline, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

fn bound(epoch: u64, payer: PayerId) -> BindingFact {
    BindingFact::Bound { claim: Claim { payer, epoch }, until: Deadline::after(BEGIN, MINUTE) }
}

#[test]
fn the_first_phone_wins_and_may_extend_its_round() {
    let (first, fact) = Binding::default().claim(BEGIN, anna(), MINUTE).unwrap();
    let held = Binding::default().after(&fact);
    assert!(held.claim(BEGIN, boris(), MINUTE).is_err());
    let later = BEGIN.plus(Duration::from_secs(30));
    let (again, extended) = held.claim(later, anna(), MINUTE).unwrap();
    assert_eq!(again, first);
    assert_eq!(held.after(&extended).until(later), Some(Deadline::after(later, MINUTE)));
}

#[test]
fn a_round_that_ran_out_makes_room_for_the_next() {
    let held = Binding::default().after(&bound(1, anna()));
    let (claim, _) = held.claim(BEGIN.plus(MINUTE), boris(), MINUTE).unwrap();
    assert_eq!(claim, Claim { payer: boris(), epoch: 2 });
}

#[test]
fn releasing_an_earlier_round_leaves_the_present_one() {
    let held = Binding::default().after(&bound(1, anna())).after(&bound(2, boris()));
    assert_eq!(held.release(1), None);
    assert_eq!(held.after(&BindingFact::Released { epoch: 1 }).holder(BEGIN), held.holder(BEGIN));
}

#[test]
fn of_two_claims_decided_on_the_same_news_the_first_in_the_journal_wins() {
    let held = Binding::default().after(&bound(1, anna())).after(&bound(1, boris()));
    assert_eq!(held.holder(BEGIN), Some(Claim { payer: anna(), epoch: 1 }));
}

#[test]
fn an_extension_that_comes_after_the_release_does_not_bring_the_round_back() {
    let released = Binding::default().after(&bound(1, anna())).after(&BindingFact::Released { epoch: 1 });
    assert_eq!(released.after(&bound(1, anna())).holder(BEGIN), None);
}

#[derive(Clone, Debug)]
enum Word {
    Claims(bool, u64),
    /// Decided on what was true so many facts ago: two tellers who did not wait for one another.
    ClaimsOnOldNews(bool, usize),
    Releases(u64),
    Replays(usize),
    Waits(u64),
}

fn words() -> impl Strategy<Value = Vec<Word>> {
    let word = prop_oneof![
        (any::<bool>(), 1u64..90).prop_map(|(who, lasts)| Word::Claims(who, lasts)),
        (any::<bool>(), 1usize..4).prop_map(|(who, ago)| Word::ClaimsOnOldNews(who, ago)),
        (0u64..6).prop_map(Word::Releases),
        (0usize..20).prop_map(Word::Replays),
        (0u64..70).prop_map(Word::Waits),
    ];
    prop::collection::vec(word, 0..40)
}

/// What one word makes true, as whoever decides it sees the binding.
fn said(word: &Word, now: Timestamp, lives: &[Binding], facts: &[BindingFact]) -> Option<BindingFact> {
    let latest = lives.last().copied().unwrap_or_default();
    let who = |first: bool| if first { anna() } else { boris() };
    match word {
        Word::Claims(first, lasts) => {
            latest.claim(now, who(*first), Duration::from_secs(*lasts)).ok().map(|(_, fact)| fact)
        }
        Word::ClaimsOnOldNews(first, ago) => {
            let seen = lives.iter().rev().nth(*ago).copied().unwrap_or_default();
            seen.claim(now, who(*first), MINUTE).ok().map(|(_, fact)| fact)
        }
        Word::Releases(epoch) => latest.release(*epoch),
        Word::Replays(at) => facts.get(*at).copied(),
        Word::Waits(_) => None,
    }
}

proptest! {
    #[test]
    fn epochs_only_count_up_and_a_round_has_one_phone_for_ever(words in words()) {
        let mut now = BEGIN;
        let (mut lives, mut facts) = (vec![Binding::default()], Vec::new());
        let mut holders: BTreeMap<u64, PayerId> = BTreeMap::new();
        let mut over: Vec<u64> = Vec::new();
        for word in &words {
            if let Word::Waits(secs) = word { now = now.plus(Duration::from_secs(*secs)) }
            let Some(fact) = said(word, now, &lives, &facts) else { continue };
            let before = *lives.last().unwrap();
            let after = before.after(&fact);
            prop_assert!(after.epoch() >= before.epoch());
            if let Some(claim) = after.holder(now) {
                let first = *holders.entry(claim.epoch).or_insert(claim.payer);
                prop_assert_eq!(first, claim.payer, "round {} changed hands", claim.epoch);
                prop_assert!(!over.contains(&claim.epoch), "round {} came back", claim.epoch);
            }
            if matches!(fact, BindingFact::Released { .. }) && before != after { over.push(after.epoch()) }
            facts.push(fact);
            lives.push(after);
        }
        let folded = facts.iter().fold(Binding::default(), Binding::after);
        prop_assert_eq!(Some(&folded), lives.last());
    }

    #[test]
    fn a_claim_that_is_granted_is_the_holder_and_counts_up_unless_it_extends(words in words(), first: bool) {
        let mut binding = Binding::default();
        for word in &words {
            if let Some(fact) = said(word, BEGIN, &[binding], &[]) { binding = binding.after(&fact) }
        }
        let who = if first { anna() } else { boris() };
        match binding.claim(BEGIN, who, MINUTE) {
            Ok((claim, fact)) => {
                prop_assert_eq!(binding.after(&fact).holder(BEGIN), Some(claim));
                let extends = binding.holder(BEGIN).is_some();
                prop_assert_eq!(claim.epoch, binding.epoch() + u64::from(!extends));
            }
            Err(_) => prop_assert!(binding.holder(BEGIN).is_some_and(|held| held.payer != who)),
        }
    }
}
