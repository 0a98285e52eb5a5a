//! The tills that speak ISO 8583: they do over a line what `shop`'s do over HTTP, with the same manners.
//!
//! What they know of a sale they read in fields 37, 38 and 39 of its answers. It goes into the same notebook in the same words, so that the
//! same promises are asked of it; one is theirs alone: a repeat is answered word for word, so each answer is kept as it came.
use crate::chance::Chance;
use crate::house::LINE;
use crate::scene::{Scene, terminal};
use crate::shop::{Manner, REPEATS_MAX, manner, money};
use crate::witness::{What, Who};
use actors::domain::money::Money;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::fields as field;
use adapters::iso8583::message::Message;
use adapters::iso8583::trace::{Class, Day, Period, Trace};
use adapters::players::pos::{Pos, PosAnswer, PosLine, PosOrder};
use adapters::players::{PlayFault, Surroundings};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// What a till waits for at once where nobody has to think.
const LOOK: Duration = Duration::from_secs(5);
/// A till waits so much longer than it says: what comes too late has to be seen to come.
const SLACK: Duration = Duration::from_secs(2);
/// Trace numbers are counted over the end of their six digits.
const FIRST_STAN: u32 = 999_997;

/// Sells everything that the plan has for this till.
pub async fn sell_all(scene: Arc<Scene>, number: usize) -> turmoil::Result {
    let name = format!("till {number}");
    let surroundings = scene.surroundings(&name);
    let chance = scene.chance.fork(&format!("{name}'s manners"));
    let dialect = Dialect::named(scene.plan.dialect).unwrap();
    let pos = pos(&scene, &surroundings, dialect, number);
    let mut counter = Counter { pos, scene: Arc::clone(&scene), surroundings, chance, dialect, number };
    sleep(counter.chance.millis(100..2_000)).await;
    for sale in 0..scene.plan.sales {
        counter.sell(sale).await;
        sleep(counter.chance.millis(50..scene.plan.pause_between)).await;
    }
    scene.tills_done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn pos(scene: &Scene, surroundings: &Surroundings, dialect: &Dialect, number: usize) -> Pos {
    let framing = scene.plan.framing.parse().unwrap();
    let line = PosLine {
        host: "switch".to_owned(),
        port: LINE,
        framing,
        header: framing.plain_header(),
        dialect: Arc::new(dialect.clone()),
        sealer: None,
    };
    Pos::new(surroundings.clone(), line, terminal(number), scene.merchant, FIRST_STAN)
}

struct Counter {
    pos: Pos,
    scene: Arc<Scene>,
    surroundings: Surroundings,
    chance: Chance,
    dialect: &'static Dialect,
    number: usize,
}

impl Counter {
    async fn sell(&mut self, sale: u64) {
        let cents = 100 + sale * 100 + self.chance.of(0..100) + 1_000 * self.number as u64;
        let order = self.pos.order(money(cents), self.scene.plan.line_patience());
        let key = key_of(&order);
        let manner = manner(&self.scene, &self.chance);
        if manner == Manner::TakesBackFirst {
            self.take_back(&order).await;
        }
        let patience = match manner {
            Manner::TakesBackEarly | Manner::Vanishes => self.chance.millis(10..3_000),
            _ => order.patience + SLACK,
        };
        match self.learn(&order, patience, manner).await {
            Some(answer) => self.after(&order, &answer, manner).await,
            None if manner == Manner::Vanishes => self.saw(What::Gone { key: key.clone() }),
            None => self.take_back(&order).await,
        }
        self.saw(What::Done { key });
    }

    /// The answer, if it came within `patience`.
    async fn learn(&mut self, order: &PosOrder, patience: Duration, manner: Manner) -> Option<PosAnswer> {
        let give_up = Instant::now() + patience;
        let mut reset = (manner == Manner::Resets).then(|| Instant::now() + self.chance.millis(50..3_000));
        let mut is_repeat = false;
        loop {
            let until = reset.map_or(give_up, |reset| reset.min(give_up));
            let doubles = manner == Manner::Repeats && self.chance.coin();
            let asked = timeout_at(until, self.ask(order, is_repeat, doubles)).await;
            if let Ok(Ok(answer)) = asked {
                return Some(answer);
            }
            is_repeat = true;
            let now = Instant::now();
            if now >= give_up {
                // Whether it hangs up or goes on over the same connection, which still owes it an answer.
                if self.chance.coin() {
                    self.pos.hang_up();
                }
                return None;
            }
            if reset.is_some_and(|reset| now >= reset) {
                self.scene.note(Who::Till(self.number), "loses power and repeats");
                self.pos.hang_up();
                reset = None;
            }
            tokio::time::sleep_until((now + self.chance.millis(50..400)).min(give_up)).await;
        }
    }

    /// Asks, and `doubles` over another connection at the same time.
    async fn ask(
        &mut self,
        order: &PosOrder,
        is_repeat: bool,
        doubles: bool,
    ) -> Result<PosAnswer, PlayFault> {
        let (key, amount) = (key_of(order), order.money.decimal());
        self.saw(What::Asked { key, amount, patience: order.patience });
        let long = order.patience + SLACK * 2;
        let answer = if doubles {
            let mut twin = pos(&self.scene, &self.surroundings, self.dialect, self.number);
            let (answer, other) =
                tokio::join!(self.pos.place(order, is_repeat, long), twin.place(order, true, long));
            if other.is_ok() {
                self.heard(order, &other);
            }
            answer
        } else {
            self.pos.place(order, is_repeat, long).await
        };
        self.heard(order, &answer);
        answer
    }

    fn heard(&self, order: &PosOrder, answer: &Result<PosAnswer, PlayFault>) {
        let key = key_of(order);
        match answer {
            Ok(answer) => {
                self.saw(What::Worded { key: key.clone(), words: hex(&answer.frame) });
                self.saw(self.told(key, answer));
            }
            Err(PlayFault::Unanswered(_)) => self.saw(What::Unanswered { key }),
            Err(fault) => panic!("till {}: {fault}", self.number),
        }
    }

    /// What an answer says of a sale: which, how much, and how it ended.
    fn told(&self, key: String, answer: &PosAnswer) -> What {
        let message = Message::parse(self.dialect, &answer.frame).unwrap();
        let amount = message.u64(field::AMOUNT).map(|cents| money(cents).decimal());
        let own = terminal(self.number);
        let meant = answer.reference.as_deref().and_then(|text| Trace::of_reference(text.as_bytes(), own));
        let id = meant.and_then(|trace| trace.payment(own)).map(|id| id.to_string());
        What::Told {
            key,
            id: id.unwrap_or_else(|| format!("nothing by {:?}", answer.reference)),
            status: if answer.code == "00" { "Approved" } else { "Declined" }.to_owned(),
            code: Some(answer.code.clone()),
            amount,
            reference: answer.approval.clone(),
        }
    }

    async fn after(&mut self, order: &PosOrder, answer: &PosAnswer, manner: Manner) {
        let is_approved = answer.code == "00";
        if is_approved && let What::Told { id, .. } = self.told(key_of(order), answer) {
            self.scene.approved.lock().unwrap().push((self.number, id));
        }
        match manner {
            Manner::Repeats | Manner::Resets | Manner::TakesBackFirst => {
                for _ in 0..self.chance.of(1..4) {
                    sleep(self.chance.millis(10..4_000)).await;
                    if self.chance.coin() {
                        self.pos.hang_up();
                    }
                    // Lost or not: the answer that it holds stays.
                    if timeout(LOOK, self.ask(order, true, false)).await.is_err() {
                        self.pos.hang_up();
                    }
                }
            }
            Manner::ReusesKey => self.reuse_number(order).await,
            Manner::TakesBackLate if is_approved => {
                sleep(self.chance.millis(10..3_000)).await;
                self.take_back(order).await;
            }
            Manner::Refunds if is_approved => self.refund(order, money(40)).await,
            Manner::RefundsTooMuch if is_approved => {
                self.refund(order, money(60)).await;
                self.refund(order, order.money.minus(money(30)).unwrap()).await;
            }
            _ => {}
        }
    }

    /// The same trace number, on the same day, for another amount.
    async fn reuse_number(&mut self, order: &PosOrder) {
        let other = PosOrder { money: order.money.plus(money(7)).unwrap(), ..order.clone() };
        let Ok(answer) = self.pos.place(&other, false, LOOK).await else { return };
        let amount = (answer.code == "00").then(|| other.money.decimal());
        self.saw(What::ToldOfAnother { key: key_of(order), amount });
    }

    /// Gives back under one trace number, and repeats that until the switch has said something; then once more.
    async fn refund(&mut self, order: &PosOrder, money: Money) {
        let refund = self.pos.order(money, LOOK);
        let (key, name, amount) = (key_of(order), key_of(&refund), money.decimal());
        self.saw(What::RefundAsked { key: key.clone(), refund: name.clone() });
        let mut said = 0;
        for time in 0..REPEATS_MAX {
            match self.pos.give_back(order, &refund, time > 0).await {
                Ok(answer) if answer.code == "00" => self.saw(What::RefundTaken {
                    key: key.clone(),
                    refund: name.clone(),
                    amount: amount.clone(),
                }),
                Ok(answer) if !is_passing(&answer) => {
                    self.saw(What::RefundRefused { key: key.clone(), refund: name.clone() });
                }
                _ => {
                    sleep(self.chance.millis(200..1_500)).await;
                    continue;
                }
            }
            said += 1;
            if said == 2 {
                return;
            }
            sleep(self.chance.millis(10..2_500)).await;
        }
    }

    /// Takes back until that is acknowledged.
    async fn take_back(&mut self, order: &PosOrder) {
        let (key, stan) = (key_of(order), self.pos.order(order.money, LOOK).stan);
        let mut mti = "0400";
        loop {
            self.saw(What::TakesBack { key: key.clone() });
            match self.pos.reverse(mti, order, stan).await {
                Ok(answer) if answer.code == "00" => return self.saw(What::TakenBack { key }),
                // What was refunded cannot be taken back any more: the payment stands.
                Ok(answer) if answer.code == "21" => {
                    return self.saw(What::Refused { key, status: 409 });
                }
                Ok(answer) if !is_passing(&answer) => panic!("a reversal is told {}", answer.code),
                _ => sleep(self.chance.millis(100..1_500)).await,
            }
            mti = "0401";
        }
    }

    fn saw(&self, what: What) {
        self.scene.saw(Who::Till(self.number), what);
    }
}

/// The switch could not do it now; where nothing was begun, that is not its last word.
fn is_passing(answer: &PosAnswer) -> bool {
    ["91", "96"].contains(&answer.code.as_str())
}

/// The payment's key is made of the message's class, trace number and day, and of nothing else.
fn key_of(order: &PosOrder) -> String {
    let day = Day::of_mmdd(order.sent[..4].parse().unwrap()).unwrap();
    let trace = Trace::new(Class::Financial, order.stan, Period::Day(day)).unwrap();
    trace.key().unwrap().as_str().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
