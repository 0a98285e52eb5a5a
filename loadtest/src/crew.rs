//! Everybody who plays: phones logged in, terminals assigned, and who of them is at leisure.
//!
//! A payment takes a phone and a terminal of its kind for as long as its story lasts. How many that takes follows from
//! rate, mix and patience (Little's law); a crew too small for the scenario is refused, because it could only pretend.
use crate::counter::{Counter, Wire};
use crate::line::Line;
use crate::mix::PayerKind;
use crate::payers::Payers;
use crate::phone::Payer;
use crate::player::Player;
use crate::roster::KnownTerminal;
use crate::scenario::Scenario;
use crate::stage::{Crowd, Door};
use crate::targets::{Targets, merchant_of};
use adapters::players::Surroundings;
use adapters::players::sealing::{RingSealer, Sealer};
use adapters::players::till::Till;
use anyhow::{Context, ensure};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Phones that log in at once.
const ARRIVING_MAX: usize = 64;
/// So long may it take until everybody has arrived.
const ARRIVE_WITHIN: Duration = Duration::from_mins(5);
/// More pairs than this need more than one process.
const PAIRS_MAX: usize = 20_000;
/// The fewest of a kind.
const OF_A_KIND_MIN: usize = 4;
/// A random process comes in bursts: so many standard deviations beyond the mean are provided for.
const BURSTS: f64 = 4.0;
/// Terminals that the merchant who runs away asks from.
const RUNAWAY_MAX: usize = 200;

/// What a pair is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    pub door: Door,
    pub payer: PayerKind,
    pub crowd: Crowd,
}

/// How many pairs of each kind.
pub type Demand = BTreeMap<Kind, usize>;

/// The crew, at leisure and at work.
pub struct Crew {
    idle: BTreeMap<Kind, Mutex<VecDeque<Player>>>,
    pub pairs: usize,
}

/// How many pairs a scenario keeps busy, by kind.
pub fn demand(scenario: &Scenario) -> Demand {
    let mut busy: BTreeMap<Kind, f64> = BTreeMap::new();
    let shares = [(Door::Http, 1.0 - scenario.iso_share), (Door::Iso, scenario.iso_share)];
    for (door, of_door) in shares.into_iter().filter(|(_, share)| *share > 0.0) {
        for (story, share) in scenario.shares() {
            let kind = Kind { door, payer: story.payer(), crowd: Crowd::Everybody };
            let lasts = story.keeps_busy(scenario.patience, scenario.customers.mean()).as_secs_f64();
            *busy.entry(kind).or_default() += scenario.peak() * of_door * share * lasts;
        }
    }
    let needed = |mean: f64| whole(mean + BURSTS * mean.sqrt()).saturating_add(OF_A_KIND_MIN);
    busy.into_iter().map(|(kind, mean)| (kind, needed(mean))).collect()
}

/// The same, grown to so many pairs: those who only pay get what is left.
pub fn grown(mut demand: Demand, pairs: usize) -> anyhow::Result<Demand> {
    let needed: usize = demand.values().sum();
    ensure!(
        pairs >= needed,
        "{pairs} pairs cannot play this: rate, mix and patience keep about {needed} busy; give --pairs {needed} or more"
    );
    let plain: Vec<Kind> = demand.keys().filter(|kind| kind.payer == PayerKind::Plain).copied().collect();
    let more = pairs.saturating_sub(needed).checked_div(plain.len()).unwrap_or(0);
    for kind in plain {
        demand.entry(kind).and_modify(|count| *count = count.saturating_add(more));
    }
    Ok(demand)
}

/// A figure that is not negative, rounded up.
fn whole(value: f64) -> usize {
    let millis = Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::from_secs(1_000_000));
    usize::try_from(millis.as_secs().saturating_add(u64::from(millis.subsec_nanos() > 0)))
        .unwrap_or(usize::MAX)
}

impl Crew {
    /// Logs phones in and signs terminals of a line on, a few at a time, and fails if one of them can't.
    pub async fn arrive(
        scenario: &Scenario,
        targets: &Targets,
        payers: &Payers,
        roster: Vec<KnownTerminal>,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        let places = places(scenario, roster)?;
        let arriving = arrive(places, scenario, targets, payers, surroundings);
        let arrived = tokio::time::timeout(ARRIVE_WITHIN, arriving).await;
        let arrived = arrived.context("not everybody could log in within five minutes")??;
        let (mut idle, mut pairs) = (BTreeMap::<Kind, Mutex<VecDeque<Player>>>::new(), 0usize);
        for (kind, player) in arrived {
            pairs = pairs.saturating_add(usize::from(player.payer.is_some()));
            let pool = idle.entry(kind).or_default();
            pool.get_mut().unwrap_or_else(PoisonError::into_inner).push_back(player);
        }
        Ok(Self { idle, pairs })
    }

    /// The one who has been at leisure the longest.
    pub fn engage(&self, kind: Kind) -> Option<Player> {
        self.idle.get(&kind)?.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Has played.
    pub fn release(&self, kind: Kind, player: Player) {
        if let Some(pool) = self.idle.get(&kind) {
            pool.lock().unwrap_or_else(PoisonError::into_inner).push_back(player);
        }
    }

    /// A door through which the merchant who runs away asks.
    pub fn runaway(&self) -> impl Iterator<Item = Kind> + '_ {
        self.idle.keys().filter(|kind| kind.crowd == Crowd::Runaway).copied()
    }
}

/// Which terminal is for what.
fn places(scenario: &Scenario, roster: Vec<KnownTerminal>) -> anyhow::Result<Vec<(Kind, KnownTerminal)>> {
    let known = roster.len();
    let runaway = scenario.runaway.as_ref().map(|runaway| runaway.merchant);
    let is_runaways = |known: &KnownTerminal| runaway.is_some() && known.merchant == runaway;
    let (running, quiet): (Vec<_>, Vec<_>) = roster.into_iter().partition(is_runaways);
    if let Some(merchant) = runaway {
        ensure!(!running.is_empty(), "runaway.merchant: the roster has no terminal of {merchant}");
    }
    let demand = demand(scenario);
    let needed: usize = demand.values().sum();
    // A switch that is slower than hoped keeps them longer.
    let pairs = scenario.pairs.unwrap_or_else(|| needed.saturating_mul(2).min(quiet.len()).max(needed));
    ensure!(
        pairs <= PAIRS_MAX,
        "{pairs} pairs need more than one process: a scenario has at most {PAIRS_MAX}"
    );
    let demand = grown(demand, pairs)?;
    let total: usize = demand.values().sum();
    ensure!(
        quiet.len() >= total,
        "the roster has {known} terminals, {} of them for this; {total} are needed: make them with `loadtest roster`",
        quiet.len()
    );
    let kinds = demand.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
    let of_runaway = [Door::Http, Door::Iso].into_iter().filter(|door| match door {
        Door::Http => scenario.iso_share < 1.0,
        Door::Iso => scenario.iso_share > 0.0,
    });
    let of_runaway: Vec<Kind> =
        of_runaway.map(|door| Kind { door, payer: PayerKind::Plain, crowd: Crowd::Runaway }).collect();
    let running = of_runaway.into_iter().cycle().zip(running.into_iter().take(RUNAWAY_MAX));
    Ok(kinds.zip(quiet).chain(running).collect())
}

async fn arrive(
    places: Vec<(Kind, KnownTerminal)>,
    scenario: &Scenario,
    targets: &Targets,
    payers: &Payers,
    surroundings: &Surroundings,
) -> anyhow::Result<Vec<(Kind, Player)>> {
    let sealer: Arc<dyn Sealer> = Arc::new(RingSealer::new(Arc::clone(&surroundings.dice)));
    let doors = Arc::new(Semaphore::new(ARRIVING_MAX));
    let mut arriving = JoinSet::new();
    let (count, line) = (places.len(), targets.line.read()?.shared(surroundings));
    let on_line = places.iter().find(|(kind, _)| kind.door == Door::Iso);
    if let Some((_, known)) = on_line {
        let money = scenario.amounts.least();
        line.is_open(surroundings, known.id, merchant_of(known.merchant)?, money).await?;
    }
    for (number, (kind, known)) in places.into_iter().enumerate() {
        let mut counter = counter(kind.door, &known, (targets, &line), surroundings)?;
        let identity = payers.identity(number, kind.payer, &targets.phones);
        let (doors, sealer, surroundings) = (Arc::clone(&doors), Arc::clone(&sealer), surroundings.clone());
        let (phones, rests) = (targets.phones.clone(), scenario.customers.let_rest());
        arriving.spawn(async move {
            let _place = doors.acquire().await?;
            let open = counter.open().await;
            open.with_context(|| format!("terminal {} cannot sign on at the line", counter.id))?;
            let payer = match kind.crowd {
                Crowd::Runaway => None,
                Crowd::Everybody => {
                    let payer = Payer::arrive(identity, surroundings, sealer).await;
                    let mut payer =
                        payer.with_context(|| format!("phone {number} cannot log in at {phones}"))?;
                    if rests {
                        payer.rest();
                    }
                    Some(payer)
                }
            };
            anyhow::Ok((kind, Player { counter, payer }))
        });
    }
    let mut arrived = Vec::with_capacity(count);
    while let Some(one) = arriving.join_next().await {
        arrived.push(one??);
    }
    Ok(arrived)
}

fn counter(
    door: Door,
    known: &KnownTerminal,
    (targets, line): (&Targets, &Line),
    surroundings: &Surroundings,
) -> anyhow::Result<Counter> {
    let wire = match door {
        Door::Http => {
            let till = Till::new(surroundings.clone(), targets.terminals.clone(), known.id, &known.key)?;
            Wire::Http(Box::new(till))
        }
        Door::Iso => {
            let merchant = merchant_of(known.merchant)?;
            // A terminal's trace numbers of one day are its payments' names: each run begins where no run before it was.
            let stan = surroundings.clock.now().secs() % 86_400;
            let stan = u32::try_from(stan)?.saturating_mul(11).saturating_add(1);
            Wire::Iso(Box::new(line.terminal(surroundings, known.id, merchant, stan)))
        }
    };
    Ok(Counter::new(known.id, known.merchant, surroundings.clone(), wire))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    fn scenario(text: &str) -> Scenario {
        Scenario::parse(text, Path::new(".")).unwrap()
    }

    const BUSY: &str = "patience_seconds = 10\n[arrivals]\nshape = \"constant\"\nrate = 100\n\
                        [mix]\nsale = 98\nvanished = 1\nplatform_silent = 1\n[doors]\nhttp = 1\niso = 1\n";

    #[test]
    fn patience_takes_more_pairs_than_payments_do() {
        let demand = demand(&scenario(BUSY));
        let of = |door, payer| demand[&Kind { door, payer, crowd: Crowd::Everybody }];
        // 49 sales a second of 0.3 s and half a vanished phone of 10 s are 19.7 at a time, with a deviation of 4.4.
        assert_eq!(of(Door::Http, PayerKind::Plain), 38 + 4);
        assert_eq!(of(Door::Iso, PayerKind::Silent), 14 + 4);
    }

    #[test]
    fn a_trace_brings_the_people_that_its_stories_take() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("trace"), "0 platform_silent\n0.1 vanished\n0.2\n0.3\n").unwrap();
        let text = "[arrivals]\nshape = \"replay\"\nfile = \"trace\"\n[mix]\ndecline = 1\n";
        let replay = Scenario::parse(text, folder.path()).unwrap();
        assert_eq!(replay.measured.as_secs(), 1);
        let demand = demand(&replay);
        let of = |payer| demand[&Kind { door: Door::Http, payer, crowd: Crowd::Everybody }];
        // One of four a second is silent for the 30 seconds of patience.
        assert!(of(PayerKind::Silent) > 30 && of(PayerKind::Plain) > 30, "{demand:?}");
        let shares: f64 = replay.shares().into_values().sum();
        assert!((shares - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_crew_too_small_is_refused_and_says_how_large_it_has_to_be() {
        let demand = demand(&scenario(BUSY));
        let needed: usize = demand.values().sum();
        let fault = grown(demand.clone(), needed - 1).unwrap_err().to_string();
        assert!(fault.contains(&format!("--pairs {needed}")), "{fault}");
        assert_eq!(grown(demand, needed + 100).unwrap().values().sum::<usize>(), needed + 100);
    }
}
