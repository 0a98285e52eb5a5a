//! The merchant's tills: they ask, repeat, reset, reconnect, take back, give back, and never leave a sale unknown.
//!
//! A till that conforms ends each sale with an answer or with an acknowledged taking back, however long that takes.
//! Everything that it is told goes into the witness's notebook.
use crate::chance::Chance;
use crate::house::TERMINALS;
use crate::plan::Fault;
use crate::scene::{Scene, terminal, till_key};
use crate::witness::{What, Who};
use actors::domain::identity::{PaymentKey, RefundId};
use actors::domain::money::Money;
use adapters::players::seen::{SaleSeen, Status};
use adapters::players::till::{Order, Till};
use adapters::players::{PlayFault, Surroundings};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a till waits for at once, at most.
const LOOK: Duration = Duration::from_secs(5);
/// How long a till repeats itself at least before it gives the repeats up.
pub const REPEATS_MAX: u32 = 60;

/// Sells everything that the plan has for this till.
pub async fn sell_all(scene: Arc<Scene>, number: usize) -> turmoil::Result {
    let name = format!("till {number}");
    let surroundings = scene.surroundings(&name);
    let chance = scene.chance.fork(&format!("{name}'s manners"));
    let mut counter = Counter {
        till: till(&surroundings, number),
        scene: Arc::clone(&scene),
        surroundings,
        chance,
        number,
    };
    tokio::time::sleep(counter.chance.millis(100..2_000)).await;
    for sale in 0..scene.plan.sales {
        counter.sell(sale).await;
        tokio::time::sleep(counter.chance.millis(50..scene.plan.pause_between)).await;
    }
    scene.tills_done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn till(surroundings: &Surroundings, number: usize) -> Till {
    let address = format!("http://switch:{TERMINALS}").parse().unwrap();
    Till::new(surroundings.clone(), address, terminal(number), &till_key(number)).unwrap()
}

struct Counter {
    till: Till,
    scene: Arc<Scene>,
    surroundings: Surroundings,
    chance: Chance,
    number: usize,
}

/// What a till makes of a sale.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Plain,
    /// Asks again after it has been answered.
    Repeats,
    /// Loses power in the middle, and repeats.
    Resets,
    /// Takes back before it was answered.
    TakesBackEarly,
    /// Takes back what was approved.
    TakesBackLate,
    /// Takes back before it asks: the reversal overtook its original.
    TakesBackFirst,
    /// Uses its key for another amount too.
    ReusesKey,
    /// Gives some of it back, and says so twice.
    Refunds,
    /// Gives back more than there was.
    RefundsTooMuch,
    /// Asks, and is never seen again with this sale.
    Vanishes,
}

const ODD: [Manner; 13] = [
    Manner::Vanishes,
    Manner::Plain,
    Manner::Plain,
    Manner::Repeats,
    Manner::Repeats,
    Manner::Resets,
    Manner::TakesBackEarly,
    Manner::TakesBackLate,
    Manner::TakesBackFirst,
    Manner::ReusesKey,
    Manner::Refunds,
    Manner::Refunds,
    Manner::RefundsTooMuch,
];

/// How the next sale goes.
pub fn manner(scene: &Scene, chance: &Chance) -> Manner {
    let manner = if scene.plan.has(Fault::OddTills) { chance.pick(&ODD) } else { Manner::Plain };
    if manner != Manner::Plain {
        scene.strikes(Fault::OddTills);
    }
    manner
}

impl Counter {
    async fn sell(&mut self, sale: u64) {
        let cents = 100 + sale * 100 + self.chance.of(0..100) + 1_000 * self.number as u64;
        let money = money(cents);
        let (least, most) = self.scene.plan.answer_within;
        let answer_within = Duration::from_secs(self.chance.of(least..most + 1));
        let order = Order::new(&self.surroundings, money, answer_within).unwrap();
        let manner = manner(&self.scene, &self.chance);
        let key = order.key.as_str().to_owned();
        if manner == Manner::TakesBackFirst {
            self.take_back(&order.key).await;
        }
        let patience = match manner {
            Manner::TakesBackEarly | Manner::Vanishes => self.chance.millis(10..3_000),
            _ => answer_within + Duration::from_secs(2),
        };
        match self.learn(&order, patience, manner).await {
            Some(seen) => self.after(&order, &seen, manner).await,
            None if manner == Manner::Vanishes => self.saw(What::Gone { key: key.clone() }),
            None => self.take_back(&order.key).await,
        }
        self.saw(What::Done { key });
        if self.scene.plan.has(Fault::Strangers) && self.chance.coin() {
            self.meddle().await;
        }
    }

    /// Takes back what another till was paid.
    async fn meddle(&mut self) {
        let approved = self.scene.approved.lock().unwrap().clone();
        let Some((_, id)) = approved.into_iter().rev().find(|(till, _)| *till != self.number) else { return };
        let answer = tokio::time::timeout(LOOK, self.till.reverse(&id)).await;
        let believed = matches!(answer, Ok(Ok(_)));
        self.saw(What::Lied { id, how: "takes back what is not its own", believed });
    }

    /// The outcome, if it came within `patience`.
    async fn learn(&mut self, order: &Order, patience: Duration, manner: Manner) -> Option<SaleSeen> {
        let give_up = tokio::time::Instant::now() + patience;
        let reset =
            (manner == Manner::Resets).then(|| tokio::time::Instant::now() + self.chance.millis(50..3_000));
        let (mut id, mut reset) = (None, reset);
        loop {
            let until = reset.map_or(give_up, |reset| reset.min(give_up));
            let asked = tokio::time::timeout_at(until, self.ask(order, id.as_deref())).await;
            match asked {
                Ok(Ok(seen)) if seen.status.is_decided() => return Some(seen),
                Ok(Ok(seen)) => id = Some(seen.id),
                Ok(Err(fault)) if !fault.is_passing() => return None,
                Ok(Err(_)) | Err(_) => {}
            }
            let now = tokio::time::Instant::now();
            if now >= give_up {
                return None;
            }
            if reset.is_some_and(|reset| now >= reset) {
                self.scene.note(Who::Till(self.number), "loses power and repeats");
                (self.till, reset, id) = (till(&self.surroundings, self.number), None, None);
            }
            tokio::time::sleep_until((now + self.chance.millis(50..400)).min(give_up)).await;
        }
    }

    async fn ask(&mut self, order: &Order, id: Option<&str>) -> Result<SaleSeen, PlayFault> {
        let key = order.key.as_str().to_owned();
        let answer = if let Some(id) = id {
            self.till.look(id, LOOK).await
        } else {
            let amount = order.money.decimal();
            self.saw(What::Asked { key: key.clone(), amount, patience: order.answer_within });
            self.till.place(order, LOOK).await
        };
        self.heard(key, &answer);
        answer
    }

    fn heard(&self, key: String, answer: &Result<SaleSeen, PlayFault>) {
        self.saw(match answer {
            Ok(seen) => What::Told {
                key,
                id: seen.id.clone(),
                status: format!("{:?}", seen.status),
                code: seen.response_code.clone(),
                amount: seen.amount.clone(),
                reference: seen.platform_reference.clone(),
            },
            Err(PlayFault::Refused(problem)) => What::Refused { key, status: problem.status },
            Err(_) => What::Unanswered { key },
        });
    }

    async fn after(&mut self, order: &Order, seen: &SaleSeen, manner: Manner) {
        if seen.status == Status::Approved {
            self.scene.approved.lock().unwrap().push((self.number, seen.id.clone()));
        }
        match manner {
            Manner::Repeats | Manner::Resets | Manner::TakesBackFirst => {
                for _ in 0..self.chance.of(1..4) {
                    tokio::time::sleep(self.chance.millis(10..4_000)).await;
                    // Lost or not: the answer that it holds stays.
                    drop(tokio::time::timeout(LOOK, self.ask(order, None)).await);
                }
            }
            Manner::ReusesKey => self.reuse_key(order).await,
            Manner::TakesBackLate if seen.status == Status::Approved => {
                tokio::time::sleep(self.chance.millis(10..3_000)).await;
                self.take_back(&order.key).await;
            }
            Manner::Refunds if seen.status == Status::Approved => self.refund(order, &seen.id, "0.40").await,
            Manner::RefundsTooMuch if seen.status == Status::Approved => {
                self.refund(order, &seen.id, "0.60").await;
                let nearly_all = order.money.minus(money(30)).unwrap().decimal();
                self.refund(order, &seen.id, &nearly_all).await;
            }
            _ => {}
        }
    }

    async fn reuse_key(&mut self, order: &Order) {
        let other = Order { money: order.money.plus(money(7)).unwrap(), ..order.clone() };
        let answer = tokio::time::timeout(LOOK, self.till.place(&other, Duration::ZERO)).await;
        let key = order.key.as_str().to_owned();
        match answer {
            Ok(Ok(seen)) => self.saw(What::ToldOfAnother { key, amount: seen.amount }),
            Ok(Err(PlayFault::Refused(_))) => self.saw(What::ToldOfAnother { key, amount: None }),
            _ => {}
        }
    }

    /// Gives back under one id, and repeats that until the switch has said something; then once more.
    async fn refund(&mut self, order: &Order, id: &str, amount: &str) {
        let (key, refund) = (order.key.as_str().to_owned(), self.chance.of(1..1_000_000).to_string());
        let (name, money) = (RefundId::new(&refund).unwrap(), Money::parse(amount, "EUR").unwrap());
        self.saw(What::RefundAsked { key: key.clone(), refund: refund.clone() });
        let mut said = 0;
        for _ in 0..REPEATS_MAX {
            let answer = tokio::time::timeout(LOOK, self.till.refund(id, &name, money)).await;
            match answer {
                Ok(Ok(_)) => self.saw(What::RefundTaken {
                    key: key.clone(),
                    refund: refund.clone(),
                    amount: amount.to_owned(),
                }),
                Ok(Err(PlayFault::Refused(problem))) if problem.status < 500 && problem.status != 429 => {
                    self.saw(What::RefundRefused { key: key.clone(), refund: refund.clone() });
                }
                _ => {
                    tokio::time::sleep(self.chance.millis(200..1_500)).await;
                    continue;
                }
            }
            said += 1;
            if said == 2 {
                return;
            }
            tokio::time::sleep(self.chance.millis(10..2_500)).await;
        }
    }

    /// Takes back by key until that is acknowledged.
    async fn take_back(&mut self, key: &PaymentKey) {
        let name = key.as_str().to_owned();
        loop {
            self.saw(What::TakesBack { key: name.clone() });
            match tokio::time::timeout(LOOK, self.till.reverse_key(key)).await {
                Ok(Ok(seen)) if seen.status.is_decided() && seen.status != Status::Approved => {
                    return self.saw(What::TakenBack { key: name });
                }
                // What was refunded cannot be taken back any more: the payment stands.
                Ok(Err(PlayFault::Refused(problem))) if problem.status == 409 || problem.status == 422 => {
                    return self.saw(What::Refused { key: name, status: problem.status });
                }
                _ => tokio::time::sleep(self.chance.millis(100..1_500)).await,
            }
        }
    }

    fn saw(&self, what: What) {
        self.scene.saw(Who::Till(self.number), what);
    }
}

pub fn money(cents: u64) -> Money {
    Money::parse(&format!("{}.{:02}", cents / 100, cents % 100), "EUR").unwrap()
}
