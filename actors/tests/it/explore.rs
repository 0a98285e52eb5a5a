//! An exhaustive walk over `world`: every order of every event, with crash and restart as events like any other.
//!
//! In every world every invariant is checked, and from every world a quiet end of the day is walked to its end:
//! everything must come to rest, with the money where the terminal believes it to be. A checker is believed only
//! after it was seen to notice, so each rule is also broken on purpose.
use crate::world::{Broken, Move, Plan, World};
use actors::domain::payment::command::Alarm;
use actors::domain::payment::invariants::{Invariant, Violation, audit, audit_at_rest, audit_state};
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

pub const NOTHING_GOES_WRONG: Plan = Plan {
    crashes: 0,
    panics: 0,
    losses: 0,
    doubled: 0,
    callbacks: u8::MAX,
    repeats: 0,
    reversals: 0,
    second_phone: 0,
    leaves: 0,
    declines: 0,
    confirms: 1,
    presents: 1,
    refunds: 0,
    noes: 0,
    lies: 0,
    attempts_max: 1,
    inquiries_max: 2,
    broken: None,
};

/// What a walk saw.
#[derive(Debug, Default)]
struct Walk {
    worlds: usize,
    moves: usize,
    phases: HashSet<&'static str>,
}

/// A world that broke a promise, and the way there.
#[derive(Debug)]
struct Found {
    violation: Violation,
    trail: Vec<Move>,
}

struct Trail {
    last: Move,
    before: Option<Rc<Trail>>,
}

/// A world that is still to be looked at.
struct Ahead {
    world: World,
    mark: u64,
    has_news: bool,
    trail: Option<Rc<Trail>>,
}

fn walk(plan: Plan) -> Result<Walk, Box<Found>> {
    let begin = World::new(plan);
    let mut seen = HashSet::from([mark(&begin)]);
    let mut ended = HashSet::new();
    let mut saw = Walk::default();
    let mut queue = VecDeque::from([Ahead { mark: mark(&begin), world: begin, has_news: true, trail: None }]);
    while let Some(Ahead { world, mark: here, has_news, trail }) = queue.pop_front() {
        saw.worlds += 1;
        saw.phases.extend(world.live().map(|payment| payment.phase().name()));
        let found = |violation| Box::new(Found { violation, trail: told(trail.as_ref()) });
        check(&world, has_news).map_err(found)?;
        ends_well(&world, here, &mut ended).map_err(found)?;
        for what in world.moves() {
            saw.moves += 1;
            let next = world.after(what);
            let mark = mark(&next);
            if seen.insert(mark) {
                let has_news = next.has_news_since(&world);
                let trail = Some(Rc::new(Trail { last: what, before: trail.clone() }));
                queue.push_back(Ahead { world: next, mark, has_news, trail });
            }
        }
    }
    Ok(saw)
}

fn mark(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn told(mut trail: Option<&Rc<Trail>>) -> Vec<Move> {
    let mut moves = Vec::new();
    while let Some(step) = trail {
        moves.push(step.last);
        trail = step.before.as_ref();
    }
    moves.reverse();
    moves
}

/// Whether this world keeps every promise, as far as it has got.
pub fn check(world: &World, has_news: bool) -> Result<(), Violation> {
    let broken = |invariant, what| Err(Violation { invariant, payment: World::id(), what });
    if world.ruined {
        return broken(Invariant::OneDecision, "the facts on disk cannot be folded");
    }
    let honest = world.plan.lies == 0 && world.plan.broken.is_none();
    if honest && world.alarms.contains(&Alarm::DebitAfterReversal) {
        return broken(Invariant::OneDecision, "an honest platform was accused");
    }
    if world.plan.noes == 0 && world.alarms.contains(&Alarm::Unreversible) {
        return broken(Invariant::OneDecision, "a willing platform was called unwilling");
    }
    if has_news {
        audit(&world.history())?;
    }
    world.live().map_or(Ok(()), audit_state)
}

/// Nothing more goes wrong from here: does everything come to rest, and rightly? `ended` are worlds that are known to.
fn ends_well(world: &World, here: u64, ended: &mut HashSet<u64>) -> Result<(), Violation> {
    let (mut world, mut here) = (world.clone(), here);
    let mut way = HashSet::new();
    while !ended.contains(&here) {
        if !way.insert(here) {
            return Err(hangs("the end of the day goes round in circles"));
        }
        let Some(what) = world.quiet_move() else {
            rests_well(world)?;
            break;
        };
        world = world.after(what);
        here = mark(&world);
    }
    ended.extend(way);
    Ok(())
}

fn rests_well(mut world: World) -> Result<(), Violation> {
    check(&world, true)?;
    if !world.is_at_rest() {
        return Err(hangs("nothing is under way and the payment is still open"));
    }
    if world.left_a_permit_behind() {
        return Err(Violation {
            invariant: Invariant::PermitOnce,
            payment: World::id(),
            what: "refused, and the platform still holds a permit that it was never asked to forget",
        });
    }
    world.terminal_asks_at_last();
    audit_at_rest(&world.history())
}

pub const fn hangs(what: &'static str) -> Violation {
    Violation {
        invariant: Invariant::NothingHangs,
        payment: actors::domain::identity::PaymentId::from_bits(0),
        what,
    }
}

#[track_caller]
fn holds(name: &str, plan: Plan, worlds_min: usize) -> Walk {
    let saw =
        walk(plan).unwrap_or_else(|found| panic!("{name}: {}\n  by {:?}", found.violation, found.trail));
    println!("{name}: {} worlds, {} moves, phases {:?}", saw.worlds, saw.moves, saw.phases.len());
    assert!(saw.worlds >= worlds_min, "{name} has gone hollow: {} worlds, not {worlds_min}", saw.worlds);
    saw
}

#[track_caller]
fn is_noticed(broken: Broken, plan: Plan, by: &[Invariant]) {
    match walk(Plan { broken: Some(broken), ..plan }) {
        Ok(saw) => panic!("{broken:?} went unnoticed through {} worlds", saw.worlds),
        Err(found) => {
            println!("{broken:?}: {} by {:?}", found.violation, found.trail);
            assert!(by.contains(&found.violation.invariant), "{broken:?} tripped {}", found.violation);
        }
    }
}

#[test]
fn crashes_lost_messages_and_a_reversal_never_part_the_money_from_the_answer() {
    let plan = Plan { crashes: 1, losses: 1, reversals: 1, ..NOTHING_GOES_WRONG };
    let saw = holds("crash, loss, reversal", plan, 46_000);
    assert_eq!(saw.phases.len(), 12, "every phase was stood in");
}

#[test]
fn a_keeper_that_dies_alone_loses_nothing() {
    holds("panics, reversal", Plan { panics: 2, reversals: 1, ..NOTHING_GOES_WRONG }, 33_000);
}

#[test]
fn two_crashes_and_a_doubled_callback_are_survived() {
    holds("two crashes, double", Plan { crashes: 2, doubled: 1, ..NOTHING_GOES_WRONG }, 17_000);
}

#[test]
fn two_lost_messages_are_inquired_and_undone() {
    holds("two losses", Plan { losses: 2, inquiries_max: 3, ..NOTHING_GOES_WRONG }, 13_500);
}

#[test]
fn a_second_try_after_a_failure_pays_once() {
    let plan = Plan { noes: 1, losses: 1, attempts_max: 2, presents: 2, ..NOTHING_GOES_WRONG };
    holds("second try, loss", plan, 10_500);
    let plan = Plan { noes: 1, crashes: 1, attempts_max: 2, presents: 2, ..NOTHING_GOES_WRONG };
    holds("second try, crash", plan, 17_000);
}

#[test]
fn two_phones_a_leaver_and_a_decliner_never_pay_for_one_another() {
    let plan =
        Plan { second_phone: 1, leaves: 1, declines: 1, confirms: 2, crashes: 1, ..NOTHING_GOES_WRONG };
    holds("two phones", plan, 109_000);
}

#[test]
fn reversals_refused_or_too_late_are_given_back_or_shown() {
    holds("unwilling platform", Plan { reversals: 1, noes: 2, losses: 1, ..NOTHING_GOES_WRONG }, 8_900);
}

#[test]
fn a_lying_platform_never_gets_an_approval() {
    holds("lies", Plan { lies: 1, doubled: 1, losses: 1, inquiries_max: 3, ..NOTHING_GOES_WRONG }, 9_900);
}

#[test]
fn refunds_never_exceed_what_was_paid() {
    let refunds = Plan { refunds: 2, noes: 1, reversals: 1, ..NOTHING_GOES_WRONG };
    holds("refunds, crash", Plan { crashes: 1, ..refunds }, 21_000);
    holds("refunds, loss", Plan { losses: 1, ..refunds }, 13_500);
}

#[test]
fn repeats_of_the_order_and_of_the_reversal_change_nothing() {
    holds("repeats", Plan { repeats: 2, reversals: 2, crashes: 1, ..NOTHING_GOES_WRONG }, 31_500);
}

#[test]
fn every_rule_broken_on_purpose_is_noticed() {
    use Invariant::*;
    let crash = Plan { crashes: 1, ..NOTHING_GOES_WRONG };
    let reversal = Plan { reversals: 1, ..NOTHING_GOES_WRONG };
    let retry = Plan { attempts_max: 2, presents: 2, ..NOTHING_GOES_WRONG };
    is_noticed(Broken::SpeaksBeforeTheDisk, NOTHING_GOES_WRONG, &[WriteAhead]);
    is_noticed(Broken::PermitAskedBeforeTheYes, NOTHING_GOES_WRONG, &[WriteAhead]);
    is_noticed(Broken::LateYesApproves, reversal, &[OneDecision, StableAnswer]);
    is_noticed(Broken::NoTombstone, Plan { losses: 1, ..crash }, &[ApprovedIffPaid, NoOrphanMoney]);
    is_noticed(Broken::DebtForgotten, reversal, &[NothingHangs, ApprovedIffPaid, NoOrphanMoney]);
    is_noticed(Broken::DeadlineIgnored, NOTHING_GOES_WRONG, &[NothingHangs]);
    is_noticed(
        Broken::RepeatOpensAnew,
        Plan { repeats: 1, ..NOTHING_GOES_WRONG },
        &[OneDecision, StableAnswer],
    );
    is_noticed(Broken::LieBelieved, Plan { lies: 1, ..NOTHING_GOES_WRONG }, &[Immutable]);
    is_noticed(Broken::OtherPayerDebited, NOTHING_GOES_WRONG, &[Immutable]);
    is_noticed(
        Broken::SilenceIsANo,
        Plan { losses: 1, ..retry },
        &[AtMostOneDebit, ApprovedIffPaid, StableAnswer],
    );
    is_noticed(
        Broken::DebitsEveryTime,
        Plan { losses: 1, presents: 2, ..NOTHING_GOES_WRONG },
        &[AtMostOneDebit],
    );
    is_noticed(Broken::PermitUsedTwice, Plan { presents: 2, ..NOTHING_GOES_WRONG }, &[PermitOnce]);
    is_noticed(Broken::RefundsUnchecked, Plan { refunds: 2, ..NOTHING_GOES_WRONG }, &[RefundsConserved]);
}

#[test]
fn two_crashes_and_two_losses_are_exhausted() {
    holds("two crashes, two losses", Plan { crashes: 2, losses: 2, ..NOTHING_GOES_WRONG }, 217_000);
}
