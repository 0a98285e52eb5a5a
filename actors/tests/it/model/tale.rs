//! A counterexample as a tale that a person can follow: one line for each thing that happened, and what it left behind.
use super::PaymentModel;
use super::scene::{Act, Answer, Fate, Scene, Till};
use crate::world::{Ask, Move, World};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The way to the last scene, a line for each act; how it goes on from there when nothing more goes wrong; and the
/// promise that is broken.
pub fn told(model: &PaymentModel, path: &[(Scene, Option<Act>)]) -> String {
    let Some((end, _)) = path.last() else { return String::new() };
    let mut tale = String::new();
    for (at, pair) in path.windows(2).enumerate() {
        if let [(before, Some(act)), (after, _)] = pair {
            tell(&mut tale, at + 1, before, *act, after);
        }
    }
    let (mut here, mut at) = (end.clone(), path.len());
    if !here.is_broken() {
        writeln!(tale, "      and when nothing more goes wrong:").unwrap();
    }
    let mut told = BTreeSet::new();
    while !here.is_broken() && told.insert(here.mark()) {
        let Some(act) = here.quiet_act(model.terminal) else { break };
        let next = here.after(model.terminal, act);
        tell(&mut tale, at, &here, act, &next);
        at += 1;
        here = next;
    }
    if let Some(verdict) = end.verdict(model) {
        writeln!(tale, "      {verdict}").unwrap();
    }
    tale
}

fn tell(tale: &mut String, at: usize, before: &Scene, act: Act, after: &Scene) {
    let (who, what) = match (act, after.till) {
        (Act::TakesBack(_), Till::Knows(Answer::Approved)) if before.till == Till::Waiting => {
            ("terminal", "TAKES SILENCE FOR A YES".into())
        }
        _ => line(&before.world, act),
    };
    let told = format!("{at:>4}  {who:<9} {what:<46} {}", left_behind(before, after));
    writeln!(tale, "{}", told.trim_end()).unwrap();
}

fn line(world: &World, act: Act) -> (&'static str, String) {
    match act {
        Act::Orders(fate) => ("terminal", format!("asks for 12.50 EUR; that {}", fated(fate))),
        Act::TakesBack(fate) => ("terminal", format!("takes it back; that {}", fated(fate))),
        Act::AsksAgain => ("terminal", "asks again under the same key".into()),
        Act::LineBreaks => ("line", "BREAKS before the answer comes".into()),
        Act::ArrivesLate(question) => ("line", format!("brings LATE the {question:?}")),
        Act::World(what) => moved(world, what),
    }
}

const fn fated(fate: Fate) -> &'static str {
    match fate {
        Fate::Arrives => "arrives",
        Fate::IsLate => "comes LATE",
        Fate::Doubles => "comes TWICE",
    }
}

fn moved(world: &World, what: Move) -> (&'static str, String) {
    let (asks, late) = world.asks();
    let asked = |at: usize| asks.get(at).map_or_else(String::new, named);
    match what {
        Move::Order | Move::Reversal => ("terminal", format!("{what:?}")),
        Move::Merchant(choice) => ("merchant", format!("says {choice:?}")),
        Move::PhoneComes(_) => ("phone", "stands at the terminal".into()),
        Move::PhoneLeaves => ("phone", "leaves".into()),
        Move::Confirms(_) => ("phone", "confirms".into()),
        Move::Declines => ("phone", "declines".into()),
        Move::Presents(attempt) => {
            ("phone", format!("presents its credential, attempt {}", attempt.number()))
        }
        Move::Disk => ("disk", "writes the oldest batch".into()),
        Move::Reaches(at, choice) => ("platform", format!("hears {}, and thinks {choice:?}", asked(at))),
        Move::LateReaches(at) => {
            ("platform", format!("hears LATE {}", late.get(at).map_or_else(String::new, named)))
        }
        Move::Hears(at) => ("switch", format!("hears what came of {}", asked(at))),
        Move::NotSent(at) => ("switch", format!("CANNOT SEND {}", asked(at))),
        Move::Silence(at) => ("switch", format!("hears NOTHING of {}", asked(at))),
        Move::CalledBack(..) => ("platform", "calls back".into()),
        Move::OutboxPays => ("outbox", "sends what is owed".into()),
        Move::Refund(_) => ("merchant", "gives a part back".into()),
        Move::Time => ("clock", "comes to the next deadline".into()),
        Move::Crash => ("switch", format!("CRASHES and forgets {:?}", world.unwritten())),
        Move::Panic => ("switch", "PANICS".into()),
    }
}

fn named(ask: &Ask) -> String {
    match ask {
        Ask::Permit(attempt) => format!("the request for permit {}", attempt.number()),
        Ask::Pay(attempt) => format!("the payment under permit {}", attempt.number()),
        Ask::Inquire(attempt) => format!("the inquiry about attempt {}", attempt.number()),
        Ask::Owed(debt) => format!("the {debt:?}"),
    }
}

/// What the witnesses have to tell after an act that they had not before.
fn left_behind(before: &Scene, after: &Scene) -> String {
    let mut news = Vec::new();
    let (old, new) = (before.world.history(), after.world.history());
    let facts = new.facts.iter().skip(old.facts.len()).map(|stamped| stamped.fact.name());
    news.extend(facts.map(|fact| format!("durable: {fact}")));
    let spoken = new.spoken.iter().skip(old.spoken.len());
    news.extend(spoken.map(|spoken| format!("said: {:.40}", format!("{:?}", spoken.said))));
    let books = new.books.iter().skip(old.books.len());
    news.extend(books.map(|booking| format!("BOOKED: {:.24}", format!("{:?}", booking.line))));
    if before.till != after.till {
        news.push(format!("terminal: {:?}", after.till));
    }
    news.join("; ")
}
