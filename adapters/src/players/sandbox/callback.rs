//! The sandbox's post: signed callbacks to the switch, retried with backoff until a 2xx.
//!
//! Letters wait in a bounded queue and are dropped after a day; what a dropped one said can still be asked. The schedule
//! is pure; the postman needs a clock and a client. Same id in every retry (Standard Webhooks).
use super::books::Paying;
use super::desk::another;
use crate::dice::random_name;
use crate::http_client::HttpClient;
use crate::signature::SharedSecret;
use actors::domain::identity::MerchantId;
use actors::domain::money::Money;
use actors::domain::payment::outcome::Failure;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::clock::{Clock, Dice};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hyper::Request;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Letters that were posted and not yet collected.
const POSTED_MAX: usize = 1_024;
/// Letters that can wait.
const LETTERS_MAX: usize = 100_000;
/// Letters on their way at once.
const ON_THE_WAY_MAX: usize = 32;
/// A letter older than this is dropped.
const AGE_MAX: Duration = Duration::from_hours(24);
/// How long the switch may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What the switch is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallbackBody {
    payment: String,
    attempt: u8,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    amount: String,
    currency: &'static str,
    merchant: String,
    #[serde(skip)]
    money: Money,
}

/// When a letter is due, and how often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Not before this.
    pub at: Timestamp,
    /// How many of it.
    pub copies: u8,
}

/// Where callbacks are posted.
#[derive(Clone)]
pub struct PostBox {
    letters: mpsc::Sender<Letter>,
    dice: Arc<dyn Dice>,
}

/// Carries the letters, as long as it is polled.
pub struct Postman {
    letters: mpsc::Receiver<Letter>,
    waiting: BTreeMap<(Timestamp, u64), Letter>,
    posted: u64,
    route: Arc<Route>,
}

/// Where the switch listens; it can move.
#[derive(Clone, Default)]
pub struct Address(Arc<RwLock<Option<String>>>);

/// Tells when the first try of a letter was made.
pub struct FirstTry(oneshot::Receiver<()>);

struct Route {
    address: Address,
    client: HttpClient,
    secret: SharedSecret,
    clock: Arc<dyn Clock>,
}

struct Letter {
    id: String,
    body: Bytes,
    due: Timestamp,
    born: Timestamp,
    tries: u32,
    first_try: Option<oneshot::Sender<()>>,
}

impl CallbackBody {
    /// Tells of a payment's result.
    pub fn new(paying: &Paying, money: Money, merchant: MerchantId) -> Self {
        let result = paying.result.as_ref();
        Self {
            payment: paying.payment.to_string(),
            attempt: paying.attempt.number(),
            status: if result.is_ok() { "paid" } else { "failed" },
            reason: result.err().copied(),
            reference: result.ok().map(|receipt| receipt.reference.to_string()),
            amount: money.decimal(),
            currency: money.currency().code(),
            merchant: merchant.to_string(),
            money,
        }
    }

    /// The same with another amount.
    #[must_use]
    pub fn lying(&self) -> Self {
        Self { amount: another(self.money).decimal(), ..self.clone() }
    }
}

impl Address {
    /// The switch listens there.
    pub fn set(&self, url: String) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    fn get(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl PostBox {
    /// A post box and its postman.
    pub fn new(
        address: Address,
        client: HttpClient,
        secret: SharedSecret,
        clock: Arc<dyn Clock>,
        dice: Arc<dyn Dice>,
    ) -> (Self, Postman) {
        let (sender, letters) = mpsc::channel(POSTED_MAX);
        let route = Arc::new(Route { address, client, secret, clock });
        (Self { letters: sender, dice }, Postman { letters, waiting: BTreeMap::new(), posted: 0, route })
    }

    /// Posts a callback. A full box drops it: the switch can still ask.
    pub fn send(&self, callback: &CallbackBody, due: Due, now: Timestamp) -> FirstTry {
        let (id, body) = (format!("msg_{}", random_name::<12>(&*self.dice)), serde_json::to_vec(callback));
        let body = Bytes::from(body.unwrap_or_default());
        let (tell, first_try) = oneshot::channel();
        let mut tell = Some(tell);
        for _ in 0..due.copies {
            let (id, body, first_try) = (id.clone(), body.clone(), tell.take());
            let letter = Letter { id, body, due: due.at, born: now, tries: 0, first_try };
            if self.letters.try_send(letter).is_err() {
                tracing::warn!("the callback box is full; a callback was dropped");
            }
        }
        FirstTry(first_try)
    }
}

impl FirstTry {
    /// Waits for the first try, but not for longer than this.
    pub async fn made_within(self, patience: Duration) {
        // Made, dropped or too slow: the sandbox answers either way.
        drop(tokio::time::timeout(patience, self.0).await);
    }
}

impl Postman {
    /// Carries letters until every post box is gone.
    pub async fn run(mut self) {
        let mut on_the_way: FuturesUnordered<BoxFuture<'static, Option<Letter>>> = FuturesUnordered::new();
        loop {
            while on_the_way.len() < ON_THE_WAY_MAX {
                let Some(letter) = self.take_due() else { break };
                on_the_way.push(Box::pin(carry(self.route.clone(), letter)));
            }
            let rest = self.rest(on_the_way.len());
            tokio::select! {
                biased;
                Some(returned) = on_the_way.next(), if !on_the_way.is_empty() => {
                    if let Some(letter) = returned {
                        self.keep(letter);
                    }
                }
                letter = self.letters.recv(), if self.waiting.len() < LETTERS_MAX => match letter {
                    Some(letter) => self.keep(letter),
                    None => return,
                },
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    fn keep(&mut self, letter: Letter) {
        self.posted = self.posted.wrapping_add(1);
        self.waiting.insert((letter.due, self.posted), letter);
    }

    fn take_due(&mut self) -> Option<Letter> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= self.route.clock.now()).then(|| first.remove())
    }

    /// Until the next letter is due; when all hands are full, until one is free.
    fn rest(&self, on_the_way: usize) -> Duration {
        const IDLE: Duration = Duration::from_mins(1);
        let next = self.waiting.first_key_value().filter(|_| on_the_way < ON_THE_WAY_MAX);
        next.map_or(IDLE, |((due, _), _)| due.since(self.route.clock.now()).max(Duration::from_millis(1)))
    }
}

/// Delivers a letter, or returns it with its next time.
async fn carry(route: Arc<Route>, mut letter: Letter) -> Option<Letter> {
    let is_delivered = deliver(&route, &letter).await;
    if let Some(tell) = letter.first_try.take() {
        // Nobody may be waiting for it.
        tell.send(()).unwrap_or_default();
    }
    let now = route.clock.now();
    if is_delivered || now.since(letter.born) > AGE_MAX {
        return None;
    }
    letter.tries = letter.tries.saturating_add(1);
    letter.due = now.plus(backoff(letter.tries));
    Some(letter)
}

async fn deliver(route: &Route, letter: &Letter) -> bool {
    let Some(url) = route.address.get() else { return false };
    let now = route.clock.now();
    let stamp = route.secret.stamp_message(letter.id.clone(), now, &letter.body);
    let request = Request::post(url).header("content-type", "application/json");
    let request =
        stamp.headers().into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let Ok(request) = request.body(letter.body.clone()) else { return false };
    let answer = route.client.send(request, Deadline::after(now, ANSWER_WITHIN)).await;
    answer.is_ok_and(|answer| answer.status.is_success())
}

/// 100 ms, doubled with every try, at most a minute.
fn backoff(tries: u32) -> Duration {
    let doubled = 1u32.checked_shl(tries.saturating_sub(1).min(16)).unwrap_or(u32::MAX);
    Duration::from_millis(100).saturating_mul(doubled).min(Duration::from_mins(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SteadyClock;
    use crate::dice::SystemDice;
    use crate::http_client::TcpNetwork;
    use tokio::sync::oneshot::error::TryRecvError;

    fn callback() -> CallbackBody {
        let money = Money::parse("12.50", "EUR").unwrap();
        CallbackBody {
            payment: "pay_1".to_owned(),
            attempt: 1,
            status: "paid",
            reason: None,
            reference: None,
            amount: money.decimal(),
            currency: money.currency().code(),
            merchant: "bakery".to_owned(),
            money,
        }
    }

    #[tokio::test]
    async fn a_full_box_drops_a_callback_and_the_switch_can_still_ask() {
        const BEYOND: usize = 1_000;
        let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_now());
        let dice = Arc::new(SystemDice::new().unwrap());
        let client = HttpClient::new(Arc::new(TcpNetwork), None, clock.clone());
        let secret = SharedSecret::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3").unwrap();
        let (post, postman) = PostBox::new(Address::default(), client, secret, clock.clone(), dice);
        let carrying = tokio::spawn(postman.run());
        let (now, body) = (clock.now(), callback());
        let due = Due { at: now.plus(Duration::from_hours(1)), copies: 1 };
        let mut dropped = 0;
        for n in 0..LETTERS_MAX + POSTED_MAX + BEYOND {
            let FirstTry(mut made) = post.send(&body, due, now);
            dropped += usize::from(made.try_recv() == Err(TryRecvError::Closed));
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(dropped, BEYOND);
        carrying.abort();
    }

    #[test]
    fn retries_slow_down_to_one_a_minute() {
        let millis: Vec<_> = [1, 2, 3, 11, u32::MAX].map(backoff).iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [100, 200, 400, 60_000, 60_000]);
    }
}
