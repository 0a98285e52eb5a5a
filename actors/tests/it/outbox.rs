//! What is owed stays owed until it is paid, is under way at most once, and is as old as it is.
use crate::life::{BEGIN, Life, order_of, refund, till};
use actors::domain::backoff::Backoff;
use actors::domain::identity::{PaymentId, PlatformId};
use actors::domain::outbox::{Debt, DebtKind, Outbox};
use actors::domain::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_mins(1) };

fn debt(payment: u8, kind: DebtKind) -> Debt {
    let order = order_of(till(), "12.50");
    Debt {
        payment: PaymentId::from_bits(u128::from(payment)),
        keeper: order.keeper,
        platform: PlatformId::new("sandbox").unwrap(),
        paid: order.money,
        money: order.money,
        since: BEGIN,
        kind,
    }
}

fn kind(which: u8) -> DebtKind {
    match which {
        0 => DebtKind::Reversal,
        1 => DebtKind::GivingBack,
        2 => DebtKind::ByHand,
        other => DebtKind::Refund(refund(&other.to_string())),
    }
}

#[test]
fn a_debt_waits_longer_each_time_and_never_longer_than_the_cap() {
    let owed = [debt(1, DebtKind::Reversal)];
    let mut outbox = Outbox::new(BACKOFF);
    let mut now = BEGIN;
    outbox.take_in(now, owed[0].payment, &owed);
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(outbox.start_due(now, 10), owed);
        outbox.failed(now, &owed[0]);
        let next = outbox.wakes_at().unwrap();
        waits.push(next.since(now).as_secs());
        now = next;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn a_reversal_that_turns_into_giving_back_is_due_at_once() {
    let mut outbox = Outbox::new(BACKOFF);
    let payment = PaymentId::from_bits(1);
    outbox.take_in(BEGIN, payment, &[debt(1, DebtKind::Reversal)]);
    outbox.start_due(BEGIN, 1);
    outbox.take_in(BEGIN, payment, &[debt(1, DebtKind::GivingBack)]);
    outbox.failed(BEGIN, &debt(1, DebtKind::Reversal));
    assert_eq!(outbox.start_due(BEGIN, 9), [debt(1, DebtKind::GivingBack)]);
    assert_eq!(outbox.len(), 1);
}

#[test]
fn what_people_have_to_settle_is_shown_and_asked_for_rarely() {
    let mut outbox = Outbox::new(BACKOFF);
    outbox.take_in(BEGIN, PaymentId::from_bits(1), &[debt(1, DebtKind::ByHand)]);
    assert_eq!(outbox.standing().count(), 1);
    assert_eq!(outbox.wakes_at(), Some(BEGIN.plus(BACKOFF.cap)));
}

#[test]
fn an_acknowledged_debt_is_gone() {
    let mut outbox = Outbox::new(BACKOFF);
    let life = Life::reversing();
    outbox.take_in(BEGIN, life.payment.id(), &life.payment.debts());
    outbox.start_due(BEGIN, 9);
    outbox.take_in(BEGIN, life.payment.id(), &life.reversal_acknowledged().payment.debts());
    assert!(outbox.is_empty() && outbox.wakes_at().is_none());
}

#[test]
fn a_debt_is_as_old_as_it_is_and_not_as_the_process_that_shows_it() {
    let hour = Duration::from_hours(1);
    let owing = [Life::in_doubt().terminal_reverses(), Life::paid().refund_asked("r1", "5.00")];
    for life in owing {
        let since = life.now;
        let life = life.after(hour).crashes();
        let mut outbox = Outbox::new(BACKOFF);
        outbox.take_in(life.now, life.payment.id(), &life.payment.debts());
        let ages: Vec<Duration> = outbox.standing().map(|standing| life.now.since(standing.since)).collect();
        assert_eq!((ages, life.payment.debts()[0].since), (vec![hour], since));
    }
}

#[derive(Clone, Debug)]
enum Do {
    TakeIn(u8, BTreeSet<u8>),
    Start(usize),
    Fail(usize),
    Wait(u64),
}

fn doing() -> impl Strategy<Value = Vec<Do>> {
    let one = prop_oneof![
        (0u8..3, prop::collection::btree_set(0u8..5, 0..4))
            .prop_map(|(payment, kinds)| Do::TakeIn(payment, kinds)),
        (0usize..5).prop_map(Do::Start),
        (0usize..5).prop_map(Do::Fail),
        (0u64..90).prop_map(Do::Wait),
    ];
    prop::collection::vec(one, 0..60)
}

type Key = (PaymentId, DebtKind);

/// The same outbox, as simple as can be: what is owed, and what is under way.
#[derive(Default)]
struct Plain {
    owed: BTreeSet<Key>,
    under_way: Vec<Debt>,
}

impl Plain {
    fn take_in(&mut self, payment: PaymentId, debts: &[Debt]) {
        let now: BTreeSet<Key> = debts.iter().map(|debt| (payment, debt.kind)).collect();
        self.owed.retain(|key| key.0 != payment || now.contains(key));
        self.under_way.retain(|debt| self.owed.contains(&(debt.payment, debt.kind)));
        self.owed.extend(now);
    }
}

proptest! {
    #[test]
    fn no_debt_is_dropped_and_none_is_under_way_twice(doing in doing()) {
        let (mut outbox, mut plain, mut now) = (Outbox::new(BACKOFF), Plain::default(), BEGIN);
        for what in doing {
            match what {
                Do::TakeIn(payment, kinds) => {
                    let debts: Vec<Debt> = kinds.iter().map(|which| debt(payment, kind(*which))).collect();
                    let payment = PaymentId::from_bits(u128::from(payment));
                    outbox.take_in(now, payment, &debts);
                    plain.take_in(payment, &debts);
                }
                Do::Start(room) => {
                    let started = outbox.start_due(now, room);
                    prop_assert!(started.len() <= room);
                    for debt in started {
                        prop_assert!(plain.owed.contains(&(debt.payment, debt.kind)), "not owed: {:?}", debt);
                        prop_assert!(!plain.under_way.contains(&debt), "under way twice: {:?}", debt);
                        plain.under_way.push(debt);
                    }
                }
                Do::Fail(which) if which < plain.under_way.len() => {
                    let debt = plain.under_way.remove(which);
                    outbox.failed(now, &debt);
                }
                Do::Fail(_) => {}
                Do::Wait(secs) => now = now.plus(Duration::from_secs(secs)),
            }
            let standing: BTreeSet<Key> =
                outbox.standing().map(|standing| (standing.debt.payment, standing.debt.kind)).collect();
            prop_assert_eq!(&standing, &plain.owed);
        }
        let late = Timestamp::from_micros(u64::MAX);
        let due = outbox.start_due(late, usize::MAX).len();
        prop_assert_eq!(due + plain.under_way.len(), plain.owed.len(), "whatever waits will come due");
    }
}
