//! How long the heart takes: single steps, and a whole payment from the order to the approval.
#![allow(missing_docs, clippy::unwrap_used)]

use actors::domain::identity::{Keeper, MerchantId, PayerId, PaymentKey, PlatformId, TerminalId};
use actors::domain::money::Money;
use actors::domain::order::{Admission, Order, Terms};
use actors::domain::payment::event::Event;
use actors::domain::payment::outcome::{Failure, PaymentOutcome, PermitOutcome};
use actors::domain::payment::phase::{Attempt, Claim, Consent, Digest32, Interface, Receipt};
use actors::domain::payment::{Payment, Stamped};
use actors::domain::time::{Deadline, Timestamp};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn order() -> Order {
    Order {
        keeper: Keeper::Terminal(TerminalId::new("till-1").unwrap()),
        key: PaymentKey::new("sale-1").unwrap(),
        merchant: MerchantId::new("bakery").unwrap(),
        money: Money::parse("12.50", "EUR").unwrap(),
        reference: Some("receipt 1".into()),
        answer_by: Deadline::after(NOW, Duration::from_mins(1)),
    }
}

/// The events of a payment that goes well, in order.
fn happy_path() -> Vec<(&'static str, Event)> {
    let claim = Claim { payer: PayerId::new("anna").unwrap(), epoch: 1 };
    let admission = Admission {
        merchant_name: "Bakery".into(),
        platform: PlatformId::new("sandbox").unwrap(),
        terms: Terms {
            confirm_within: Duration::from_secs(20),
            platform_within: Duration::from_secs(5),
            attempts_max: 3,
            inquire_every: Duration::from_secs(6),
            inquiries_max: 3,
        },
    };
    let interface = Interface {
        url: "https://platform.example/pay".into(),
        key: "{}".into(),
        permit: "permit-1".into(),
        expires: Deadline::after(NOW, Duration::from_secs(30)),
    };
    let receipt = Receipt { reference: "ref-1".into(), money: order().money };
    let consent = Consent { claim, signed: Digest32([7; 32]) };
    vec![
        ("merchant_admitted", Event::MerchantSaid(Ok(admission))),
        ("phone_came", Event::PhoneCame(claim)),
        ("confirmed", Event::Confirmed(consent, order().money)),
        ("permit_granted", Event::PermitSaid(Attempt::FIRST, PermitOutcome::Granted(interface))),
        ("presented", Event::Presented(claim.payer, Attempt::FIRST, Digest32([9; 32]))),
        ("approved", Event::PaymentSaid(Attempt::FIRST, PaymentOutcome::Approved(receipt))),
    ]
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    let (mut payment, _) = Payment::open(order());
    for (name, event) in happy_path() {
        let before = payment.clone();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (before.clone(), event.clone()),
                |(payment, event)| black_box(payment.step(NOW, event)),
                BatchSize::SmallInput,
            );
        });
        payment = payment.step(NOW, event).0;
    }
    let late = Event::PaymentSaid(Attempt::FIRST, PaymentOutcome::Failed(Failure::WrongCredentials));
    group.bench_function("late word, ignored", |bencher| {
        bencher.iter_batched(
            || (payment.clone(), late.clone()),
            |(payment, event)| black_box(payment.step(NOW, event)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn whole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole");
    group.bench_function("happy path, 7 steps", |bencher| {
        bencher.iter_batched(
            || (order(), happy_path()),
            |(order, events)| {
                let (mut payment, _) = Payment::open(order);
                for (_, event) in events {
                    payment = black_box(payment.step(NOW, event)).0;
                }
                payment
            },
            BatchSize::SmallInput,
        );
    });
    let life = life();
    let id = order().payment();
    group.bench_function("recovered from its facts", |bencher| {
        bencher.iter(|| black_box(Payment::recover(id, NOW, black_box(&life))));
    });
    group.finish();
}

fn life() -> Vec<Stamped> {
    let (mut payment, _) = Payment::open(order());
    let mut life = Vec::new();
    for (_, event) in happy_path() {
        let (next, commands) = payment.step(NOW, event);
        life.extend(commands.facts.into_iter().map(|fact| Stamped { at: NOW, fact }));
        payment = next;
    }
    life
}

criterion_group!(benches, steps, whole);
criterion_main!(benches);
