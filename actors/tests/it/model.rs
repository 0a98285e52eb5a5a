//! The payment protocol under a checker that is not ours: `stateright` exhausts it, with the promises as its properties.
//!
//! One payment, two crashes, two lost messages, and the terminal at the far end of a bad line (`model/scene.rs`). The
//! properties are the functions of `invariants`, the same that every other method asks. The checker is believed only
//! after it has found what was broken on purpose, and only when it has seen what a payment can come to.
mod scene;
mod tale;

use crate::explore::NOTHING_GOES_WRONG;
use crate::world::{Broken, Plan, World};
use actors::domain::payment::invariants::{Invariant, Line as Booked};
use scene::{Act, Answer, Scene, Terminal, Till};
use stateright::{Checker, CheckerBuilder, HasDiscoveries, Model, Property};
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// One payment, and everything that may befall it.
pub struct PaymentModel {
    plan: Plan,
    second_thoughts: u8,
    pub terminal: Terminal,
    /// Scenes from which the end of the day is known to be a good one.
    ended: Mutex<HashSet<u64>>,
    /// How many scenes the promises were asked about. The checker's own word that it is done is not enough: it gives
    /// it when it was stopped, too.
    judged: AtomicUsize,
    /// Where a promise was first found broken: the checker would take each later place for a better one.
    first_broken: OnceLock<u64>,
    seen: [AtomicBool; SIGHTS.len()],
}

impl PaymentModel {
    fn new(plan: Plan, second_thoughts: u8, terminal: Terminal) -> Self {
        let (ended, judged, first_broken) = (Mutex::default(), AtomicUsize::new(0), OnceLock::new());
        Self { plan, second_thoughts, terminal, ended, judged, first_broken, seen: Default::default() }
    }

    pub fn judges(&self) {
        self.judged.fetch_add(1, Ordering::Relaxed);
    }

    pub fn is_known_to_end(&self, mark: u64) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains(&mark)
    }

    pub fn these_end(&self, marks: BTreeSet<u64>) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).extend(marks);
    }

    /// `always`: the promise numbered so in `Invariant::ALL` is kept.
    fn keeps<const PROMISE: usize>(&self, scene: &Scene) -> bool {
        let broken = scene.verdict(self).filter(|broken| broken.invariant == Invariant::ALL[PROMISE]);
        broken.is_none_or(|_| *self.first_broken.get_or_init(|| scene.mark()) != scene.mark())
    }

    /// `sometimes`: this is one of `SIGHTS`. The checker notes each scene in which it is; the first is enough.
    fn sees<const SIGHT: usize>(&self, scene: &Scene) -> bool {
        let (_, is_there) = SIGHTS[SIGHT];
        let is_new =
            || self.seen[SIGHT].compare_exchange(false, true, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        !self.seen[SIGHT].load(Ordering::Relaxed) && is_there(self, scene) && is_new()
    }
}

impl Model for PaymentModel {
    type State = Scene;
    type Action = Act;

    fn init_states(&self) -> Vec<Scene> {
        vec![Scene::new(World::new(self.plan), self.second_thoughts)]
    }

    fn actions(&self, scene: &Scene, acts: &mut Vec<Act>) {
        scene.acts(self.terminal, acts);
    }

    fn next_state(&self, scene: &Scene, act: Act) -> Option<Scene> {
        Some(scene.after(self.terminal, act))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I1 approved exactly if paid", Self::keeps::<0>),
            Property::always("I2 no orphan money", Self::keeps::<1>),
            Property::always("I3 at most one debit", Self::keeps::<2>),
            Property::always("I4 nothing is altered", Self::keeps::<3>),
            Property::always("I5 one decision", Self::keeps::<4>),
            Property::always("I6 one answer", Self::keeps::<5>),
            Property::always("I7 written before spoken", Self::keeps::<6>),
            Property::always("I8 a permit is used once", Self::keeps::<7>),
            Property::always("I12 refunds conserved", Self::keeps::<8>),
            Property::always("I13 everyone is answered", Self::keeps::<9>),
            Property::always("I14 nothing hangs", Self::keeps::<10>),
            Property::sometimes(SIGHTS[0].0, Self::sees::<0>),
            Property::sometimes(SIGHTS[1].0, Self::sees::<1>),
            Property::sometimes(SIGHTS[2].0, Self::sees::<2>),
            Property::sometimes(SIGHTS[3].0, Self::sees::<3>),
            Property::sometimes(SIGHTS[4].0, Self::sees::<4>),
            Property::sometimes(SIGHTS[5].0, Self::sees::<5>),
            Property::sometimes(SIGHTS[6].0, Self::sees::<6>),
        ]
    }
}

type Sight = (&'static str, fn(&PaymentModel, &Scene) -> bool);

/// What has to be seen at least once, or the checker saw no payment worth the name.
const SIGHTS: [Sight; 7] = [
    ("the terminal holds an approval", |_, scene| scene.till == Till::Knows(Answer::Approved)),
    ("the terminal holds a refusal", |_, scene| scene.till == Till::Knows(Answer::Refused)),
    ("a debit is undone", |_, scene| {
        scene.world.history().books.iter().any(|booking| matches!(booking.line, Booked::Undone(_)))
    }),
    ("a reversal overtakes its order", |_, scene| stands(scene, "reversed_unseen")),
    ("a payment is in doubt", |_, scene| stands(scene, "in_doubt")),
    ("every crash is used up after a debit", |model, scene| {
        model.plan.crashes > 0 && scene.world.left.crashes == 0 && !scene.world.history().books.is_empty()
    }),
    ("every loss is used up after a debit", |model, scene| {
        model.plan.losses > 0 && scene.world.left.losses == 0 && !scene.world.history().books.is_empty()
    }),
];

fn stands(scene: &Scene, phase: &str) -> bool {
    scene.world.live().is_some_and(|payment| payment.phase().name() == phase)
}

/// Why a run of the checker proves nothing, or the opposite.
#[derive(Debug)]
enum Unproved {
    /// A promise is broken; the shortest way there that was met.
    Broken { promise: &'static str, tale: String },
    /// The checker stopped before the promises had been asked about every scene.
    Unfinished { scenes: usize, judged: usize },
    /// This was never seen to happen.
    Hollow(&'static str),
}

/// What a run of the checker saw.
#[derive(Debug)]
struct Exhausted {
    scenes: usize,
    acts: usize,
    depth: usize,
}

fn exhaust(checker: CheckerBuilder<PaymentModel>) -> Result<Exhausted, Unproved> {
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (model, discoveries) = (checker.model(), checker.discoveries());
    let properties = model.properties();
    let (promises, sights): (Vec<_>, Vec<_>) =
        properties.iter().partition(|property| property.expectation.discovery_is_failure());
    for promise in promises {
        if let Some(path) = discoveries.get(promise.name) {
            let tale = tale::told(model, &path.clone().into_vec());
            return Err(Unproved::Broken { promise: promise.name, tale });
        }
    }
    let (scenes, judged) = (checker.unique_state_count(), model.judged.load(Ordering::Relaxed));
    if scenes != judged {
        return Err(Unproved::Unfinished { scenes, judged });
    }
    match sights.iter().find(|sight| !discoveries.contains_key(sight.name)) {
        Some(sight) => Err(Unproved::Hollow(sight.name)),
        None => Ok(Exhausted { scenes, acts: checker.state_count(), depth: checker.max_depth() }),
    }
}

#[track_caller]
fn holds(name: &str, model: PaymentModel, scenes_min: usize) {
    match exhaust(model.checker().threads(2)) {
        Ok(Exhausted { scenes, acts, depth }) => {
            println!("{name}: {scenes} scenes, {acts} acts, at most {depth} deep");
            assert!(scenes >= scenes_min, "{name} has gone hollow: {scenes} scenes, not {scenes_min}");
        }
        Err(Unproved::Broken { promise, tale }) => panic!("{name}: {promise} is broken\n{tale}"),
        Err(unproved) => panic!("{name}: {unproved:?}"),
    }
}

#[track_caller]
fn is_found(what: &str, model: PaymentModel, by: &[&str]) {
    match exhaust(model.checker()) {
        Err(Unproved::Broken { promise, tale }) => {
            println!("{what}: {promise}\n{tale}");
            assert!(by.iter().any(|id| promise.starts_with(id)), "{what} broke {promise}, not {by:?}");
        }
        other => panic!("{what} went unfound: {other:?}"),
    }
}

/// What is done wrong in the switch or the platform, with what it takes to notice.
fn is_found_when(broken: Broken, plan: Plan, by: &[&str]) {
    let plan = Plan { broken: Some(broken), ..plan };
    is_found(&format!("{broken:?}"), PaymentModel::new(plan, 0, Terminal::Patient), by);
}

const CRASH_AND_LOSS: Plan = Plan { crashes: 1, losses: 1, ..NOTHING_GOES_WRONG };

#[test]
fn two_crashes_and_two_losses_never_part_the_money_from_what_the_terminal_believes() {
    // The platform's answers are enough here; that it may also call back is walked below and in `explore`.
    let plan = Plan { crashes: 2, losses: 2, callbacks: 0, ..NOTHING_GOES_WRONG };
    holds("two crashes, two losses", PaymentModel::new(plan, 0, Terminal::Patient), 1_000_000);
}

#[test]
fn a_cashier_who_cancels_at_any_moment_parts_nothing_either() {
    let plan = Plan { doubled: 1, ..CRASH_AND_LOSS };
    holds("crash, loss, double, cancel", PaymentModel::new(plan, 1, Terminal::Hasty), 500_000);
}

#[test]
fn the_checker_finds_what_the_switch_does_wrong() {
    let crash = Plan { crashes: 1, ..NOTHING_GOES_WRONG };
    let again = Plan { attempts_max: 2, presents: 2, ..CRASH_AND_LOSS };
    is_found_when(Broken::SpeaksBeforeTheDisk, crash, &["I7"]);
    is_found_when(Broken::LateYesApproves, CRASH_AND_LOSS, &["I5", "I6"]);
    is_found_when(Broken::DebtForgotten, CRASH_AND_LOSS, &["I1", "I2", "I14"]);
    is_found_when(Broken::DebtForgottenOnRestart, CRASH_AND_LOSS, &["I1", "I2", "I14"]);
    is_found_when(Broken::DeadlineIgnored, crash, &["I14"]);
    is_found_when(Broken::SilenceIsANo, again, &["I1", "I3", "I6"]);
    is_found_when(Broken::PermitUsedTwice, again, &["I8"]);
    is_found_when(Broken::RepeatOpensAnew, CRASH_AND_LOSS, &["I5", "I6"]);
    is_found_when(Broken::PermitAskedBeforeTheYes, crash, &["I7"]);
}

#[test]
fn the_checker_finds_what_the_platform_does_wrong() {
    is_found_when(Broken::NoTombstone, CRASH_AND_LOSS, &["I1", "I2"]);
    is_found_when(Broken::DebitsEveryTime, Plan { presents: 2, ..CRASH_AND_LOSS }, &["I3"]);
    is_found_when(Broken::OtherPayerDebited, CRASH_AND_LOSS, &["I4"]);
    is_found_when(Broken::LieBelieved, Plan { lies: 1, ..CRASH_AND_LOSS }, &["I4"]);
}

#[test]
fn the_checker_finds_what_the_terminal_does_wrong() {
    let generous = PaymentModel::new(CRASH_AND_LOSS, 0, Terminal::TakesSilenceForAYes);
    is_found("silence is taken for a yes", generous, &["I1", "I4", "I7"]);
    let once = PaymentModel::new(CRASH_AND_LOSS, 0, Terminal::TakesBackOnlyOnce);
    is_found("a lost reversal is not repeated", once, &["I14"]);
}

#[test]
fn a_checker_that_saw_no_payment_is_not_believed() {
    match exhaust(PaymentModel::new(CRASH_AND_LOSS, 0, Terminal::Mute).checker()) {
        Err(Unproved::Hollow(unseen)) => println!("never seen: {unseen}"),
        other => panic!("nobody asked for anything, and the checker says {other:?}"),
    }
}

#[test]
fn a_checker_that_stops_early_is_not_believed() {
    let model = PaymentModel::new(CRASH_AND_LOSS, 0, Terminal::Patient);
    match exhaust(model.checker().target_state_count(2_000)) {
        Err(Unproved::Unfinished { scenes, judged }) => println!("{judged} of {scenes} scenes were judged"),
        other => panic!("the checker stopped early and says {other:?}"),
    }
}
