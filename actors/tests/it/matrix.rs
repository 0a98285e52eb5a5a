//! The specification on a page: every phase and what every event does to it, printed from the machine itself.
//!
//! A line reads: event -> next phase | facts | effects; events that do not fit share a line, and "already" makes no
//! difference. A variant of a phase shows what differs from the phase above it. To change the page on purpose:
//! `INSTA_UPDATE=always cargo test -p actors --test it matrix`.
use crate::life::{Life, PERMIT_GOOD_FOR, TERMS, every_event};
use actors::domain::payment::Payment;
use actors::domain::payment::command::{Commands, Effect, Verdict};
use actors::domain::payment::event::Event;
use actors::domain::payment::invariants::GRAPH;
use actors::domain::payment::outcome::{Failure, ReversalOutcome};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

/// Every phase as it usually is, and the variants that answer differently.
fn standing() -> Vec<(&'static str, Life)> {
    let again = Life::awaits_outcome().fails(Failure::WrongCredentials);
    vec![
        ("await_merchant", Life::begins()),
        ("await_phone", Life::awaits_phone()),
        ("await_confirmation", Life::awaits_confirmation()),
        ("await_confirmation, kept by the payer", Life::begins_at_the_payer().admitted()),
        ("await_permit", Life::awaits_permit()),
        ("await_permit, perhaps asked before a crash", Life::awaits_permit().crashes()),
        ("await_permit, second attempt", again.clone()),
        ("await_payment", Life::awaits_payment()),
        ("await_payment, permit run out", Life::awaits_payment().after(PERMIT_GOOD_FOR)),
        ("await_outcome", Life::awaits_outcome()),
        (
            "await_outcome, last attempt",
            again.permitted().pays().fails(Failure::WrongCredentials).permitted().pays(),
        ),
        ("in_doubt", Life::in_doubt()),
        ("in_doubt, budget spent", spent()),
        ("paid", Life::paid()),
        ("paid, refund owed", Life::paid().refund_asked("r1", "5.00")),
        ("reversing", Life::reversing()),
        ("reversing, giving back", Life::reversing().reversal_says(ReversalOutcome::TooLate)),
        ("reversing, by hand", Life::reversing().reversal_says(ReversalOutcome::Refused)),
        ("reversed, nothing had moved", Life::reversed()),
        ("reversed, money is back", Life::reversing().reversal_acknowledged()),
        ("declined", Life::declined()),
        ("reversed_unseen", Life::begins_with_a_reversal()),
    ]
}

fn spent() -> Life {
    let inquired = |life: Life, _| life.sleeps_until_it_wakes();
    (0..TERMS.inquiries_max).fold(Life::in_doubt(), inquired)
}

/// The events as they meet this life; its deadlines are met when they come.
fn meeting(life: &Life) -> Vec<(String, Payment, Commands)> {
    let mut met: Vec<(String, Life, Event)> = Vec::new();
    for (name, event) in every_event(life.attempt(), life.now) {
        if event == Event::DeadlineCame {
            let Some(wakes_at) = life.payment.wakes_at() else {
                met.push((name.to_owned(), life.clone(), event));
                continue;
            };
            let asleep = life.clone().after(wakes_at.left(life.now));
            let answer_by = life.payment.phase().order().expect("it wakes").answer_by;
            if wakes_at < answer_by {
                met.push(("woken early".to_owned(), asleep, event.clone()));
            }
            met.push(("answer is due".to_owned(), life.clone().after(answer_by.left(life.now)), event));
        } else {
            met.push((name.to_owned(), life.clone(), event));
        }
    }
    let stepped = |(name, life, event): (String, Life, Event)| {
        let (payment, commands) = life.payment.step(life.now, event);
        (name, payment, commands)
    };
    met.into_iter().map(stepped).collect()
}

fn page() -> String {
    let mut page = String::new();
    let mut usual: BTreeSet<(String, String)> = BTreeSet::new();
    for (name, life) in standing() {
        writeln!(page, "{name}{}", asleep(&life)).unwrap();
        let answers = answers(&life);
        if name.contains(',') {
            let other = answers.into_iter().filter(|answer| !usual.contains(answer)).collect::<Vec<_>>();
            write(&mut page, &other, "everything else: as above");
        } else {
            let said = answers.iter().filter(|(_, answer)| answer != ALREADY).cloned().collect::<Vec<_>>();
            write(&mut page, &said, "everything else: already");
            usual = answers.into_iter().collect();
        }
    }
    page
}

const ALREADY: &str = "already";

/// The changes a line each, then the rest by answer.
fn write(page: &mut String, answers: &[(String, String)], last: &str) {
    let mut same: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (event, answer) in answers {
        if answer.starts_with("->") {
            writeln!(page, "  {event} {answer}").unwrap();
        } else {
            same.entry(answer).or_default().push(event);
        }
    }
    for (answer, events) in same {
        writeln!(page, "  {answer}: {}", events.join("; ")).unwrap();
    }
    writeln!(page, "  {last}\n").unwrap();
}

/// Every event with its answer.
fn answers(life: &Life) -> Vec<(String, String)> {
    let answer = |(event, payment, commands): (String, Payment, Commands)| {
        let answer = match commands.verdict {
            Verdict::Taken => taken(&payment, &commands),
            Verdict::Already if commands.effects.is_empty() => ALREADY.to_owned(),
            Verdict::Already => format!("-> no change | {}", effects(&commands)),
            Verdict::Misfit(misfit) => format!("{misfit:?}"),
        };
        (event, answer)
    };
    meeting(life).into_iter().map(answer).collect()
}

fn asleep(life: &Life) -> String {
    let wakes = life.payment.wakes_at().map(|at| format!("wakes in {} s", at.left(life.now).as_secs()));
    let owes = life.payment.debts().first().map(|debt| format!("owes {}", debt.kind.name()));
    let closed = life.payment.is_closed().then(|| "closed".to_owned());
    let told: Vec<String> = [wakes, owes, closed].into_iter().flatten().collect();
    format!(" ({})", told.join(", "))
}

fn taken(payment: &Payment, commands: &Commands) -> String {
    let facts: Vec<&str> = commands.facts.iter().map(actors::domain::payment::command::Fact::name).collect();
    let line = format!("-> {} | {} | {}", payment.phase().name(), facts.join(", "), effects(commands));
    line.trim_end_matches([' ', '|']).to_owned()
}

fn effects(commands: &Commands) -> String {
    let name = |effect: &Effect| match effect {
        Effect::AskMerchant => "ask merchant".to_owned(),
        Effect::AskPermit(attempt) => format!("ask permit {}", attempt.number()),
        Effect::Inquire(attempt) => format!("inquire {}", attempt.number()),
        Effect::Owe => "owe".to_owned(),
        Effect::AskPayer(payer) => format!("ask {payer}"),
        Effect::TellPayer(payer) => format!("tell {payer}"),
        Effect::TellTerminal => "tell terminal".to_owned(),
        Effect::Raise(alarm) => format!("raise {alarm:?}"),
    };
    commands.effects.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_phase_meets_every_event_as_the_page_says() {
    let update = std::env::var("INSTA_UPDATE").unwrap_or_else(|_| "no".to_owned());
    assert!(
        update == "no" || std::env::var_os("CI").is_none(),
        "INSTA_UPDATE={update}: CI reads the page, it does not write it"
    );
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("matrix", page());
    });
}

#[test]
fn the_published_graph_is_what_the_machine_does() {
    let mut edges: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (_, life) in standing() {
        for (_, _, commands) in meeting(&life) {
            let mut payment = (!life.facts.is_empty()).then(|| life.payment.clone());
            for fact in &commands.facts {
                let before = payment.as_ref().map_or("none", |payment| payment.phase().name());
                let stamped = actors::domain::payment::Stamped { at: life.now, fact: fact.clone() };
                let after = match payment {
                    Some(payment) => payment.after(life.now, fact).unwrap(),
                    None => Payment::folded(life.payment.id(), &[stamped]).unwrap().unwrap(),
                };
                edges.insert((before, after.phase().name()));
                payment = Some(after);
            }
        }
    }
    // What no event of a phase shows: an order of a payer's own, a reversal of what was never seen, and the inquiry
    // with which a restart goes on.
    edges.extend([
        ("none", "await_confirmation"),
        ("none", "reversed_unseen"),
        ("await_payment", "await_payment"),
    ]);
    assert_eq!(edges, GRAPH.into_iter().collect());
}

#[test]
fn an_event_out_of_its_time_never_panics() {
    for (_, life) in standing() {
        for number in 1..=4 {
            for (_, event) in every_event(crate::life::attempt(number), life.now) {
                for wait in [0, 10, 25, 45, 100] {
                    drop(life.clone().after(Duration::from_secs(wait)).hears(event.clone()));
                }
            }
        }
    }
}
