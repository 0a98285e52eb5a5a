//! A terminal: asks for money, repeats with the same key, and takes back what it cannot learn.
//!
//! `sell` is what a conforming terminal does from the amount to the receipt; the single requests are there for whoever
//! wants to misbehave. It authenticates with its id and key, knows no phone, and counts in the clock it was given.
use super::connection::{Address, Ask, Connection, Reply};
use super::seen::{SaleSeen, Status, TerminalSeen};
use super::{PlayFault, Silence, Surroundings};
use crate::dice::random_name;
use actors::domain::backoff::Backoff;
use actors::domain::identity::{PaymentKey, RefundId, TerminalId};
use actors::domain::money::Money;
use actors::domain::time::Deadline;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Serialize;
use std::time::Duration;

/// An answer to a request that does not wait comes within this, or counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The longest wait that the switch grants (docs/http-api.md).
const WAIT_MAX: Duration = Duration::from_mins(1);
const REPEAT: Backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(2) };
const REVERSE: Backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(30) };

/// A terminal.
pub struct Till {
    connection: Connection,
    authorization: HeaderValue,
    repeats: u64,
}

/// What a terminal asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// How much.
    pub money: Money,
    /// What it makes a repeat by.
    pub key: PaymentKey,
    /// Its own reference, for the payer.
    pub reference: Option<String>,
    /// It wants an answer by then, and gives up a little later.
    pub answer_within: Duration,
}

/// What a terminal holds at the end of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sale {
    /// Paid: hand over the goods.
    Approved {
        /// The payment's id.
        id: String,
        /// The platform's name for the debit.
        reference: Option<String>,
    },
    /// Not paid.
    Declined {
        /// ISO 8583 DE 39.
        code: String,
    },
    /// The terminal gave up, and the switch has promised that nobody pays.
    Reversed,
}

/// The terminal's key has a character that HTTP can't carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a terminal's id has no colon where it logs in by HTTP Basic (RFC 7617)")]
pub struct ColonInId;

#[derive(Serialize)]
struct OrderBody<'a> {
    amount: String,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    answer_within_seconds: u64,
}

#[derive(Serialize)]
struct MoneyBody<'a> {
    amount: String,
    currency: &'a str,
}

#[derive(Serialize)]
struct ReverseBody<'a> {
    idempotency_key: &'a str,
}

impl Order {
    /// An order for `money` under a key that nobody has used.
    pub fn new(
        surroundings: &Surroundings,
        money: Money,
        answer_within: Duration,
    ) -> Result<Self, PlayFault> {
        let key = PaymentKey::new(&random_name::<16>(&*surroundings.dice));
        let key = key.map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
        Ok(Self { money, key, reference: None, answer_within })
    }
}

impl Till {
    /// The terminal `id`, which has `key`, at the terminals' listener.
    pub fn new(
        surroundings: Surroundings,
        address: Address,
        id: TerminalId,
        key: &str,
    ) -> Result<Self, ColonInId> {
        if id.as_str().contains(':') {
            return Err(ColonInId);
        }
        let basic = format!("Basic {}", BASE64.encode(format!("{id}:{key}")));
        let mut authorization = HeaderValue::from_str(&basic).map_err(|_| ColonInId)?;
        authorization.set_sensitive(true);
        Ok(Self { connection: Connection::new(surroundings, address), authorization, repeats: 0 })
    }

    /// What it was made with.
    pub fn surroundings(&self) -> &Surroundings {
        self.connection.surroundings()
    }

    /// How often it has repeated a request so far.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Asks for money; the switch may hold the answer back for `wait`.
    pub async fn place(&mut self, order: &Order, wait: Duration) -> Result<SaleSeen, PlayFault> {
        let body = OrderBody {
            amount: order.money.decimal(),
            currency: order.money.currency().code(),
            reference: order.reference.as_deref(),
            answer_within_seconds: order.answer_within.as_secs(),
        };
        let ask = keyed(Ask::new(Method::POST, "/v1/payments").json(&body), order.key.as_str())?;
        self.ask(ask, wait).await?.decode()
    }

    /// Looks at a payment; the switch may hold the answer back for `wait`, until it is decided.
    pub async fn look(&mut self, id: &str, wait: Duration) -> Result<SaleSeen, PlayFault> {
        self.ask(Ask::new(Method::GET, format!("/v1/payments/{id}")), wait).await?.decode()
    }

    /// Looks until the payment is decided, or the last answer when `give_up` has come.
    pub async fn until_decided(&mut self, id: &str, give_up: Deadline) -> Result<SaleSeen, PlayFault> {
        loop {
            let left = give_up.left(self.surroundings().clock.now()).min(WAIT_MAX);
            let seen = self.look(id, left).await?;
            if seen.status.is_decided() || left.as_secs() == 0 {
                return Ok(seen);
            }
        }
    }

    /// Takes a payment back.
    pub async fn reverse(&mut self, id: &str) -> Result<SaleSeen, PlayFault> {
        let ask = Ask::new(Method::POST, format!("/v1/payments/{id}/reversals"));
        self.ask(ask, Duration::ZERO).await?.decode()
    }

    /// Takes back whatever was or will be asked under `key`, known to the switch or not.
    pub async fn reverse_key(&mut self, key: &PaymentKey) -> Result<SaleSeen, PlayFault> {
        let body = ReverseBody { idempotency_key: key.as_str() };
        self.ask(Ask::new(Method::POST, "/v1/reversals").json(&body), Duration::ZERO).await?.decode()
    }

    /// Gives back `money` of a paid payment.
    pub async fn refund(&mut self, id: &str, refund: &RefundId, money: Money) -> Result<SaleSeen, PlayFault> {
        let body = MoneyBody { amount: money.decimal(), currency: money.currency().code() };
        let ask = Ask::new(Method::POST, format!("/v1/payments/{id}/refunds")).json(&body);
        self.ask(keyed(ask, refund.as_str())?, Duration::ZERO).await?.decode()
    }

    /// What the switch knows of this terminal, and whether a phone stands there.
    pub async fn describe(&mut self) -> Result<TerminalSeen, PlayFault> {
        self.ask(Ask::new(Method::GET, "/v1/terminal"), Duration::ZERO).await?.decode()
    }

    /// Sends away the phone that stands there.
    pub async fn clear(&mut self) -> Result<(), PlayFault> {
        self.ask(Ask::new(Method::DELETE, "/v1/terminal/binding"), Duration::ZERO).await?.success()
    }

    /// A whole sale as a conforming terminal makes it: asks, repeats with the same key, and if it gives up takes back
    /// by key until that is acknowledged, for ever. Fails only where the switch refuses to deal with it.
    pub async fn sell(&mut self, order: &Order) -> Result<Sale, PlayFault> {
        // The switch decides within the time that it was given; two seconds more are for its answer to arrive.
        let patience = order.answer_within.saturating_add(Duration::from_secs(2));
        let give_up = Deadline::after(self.surroundings().clock.now(), patience);
        match self.learn(order, give_up).await {
            Ok(Some(sale)) => Ok(sale),
            Ok(None) => self.take_back(&order.key).await,
            Err(fault) => Err(fault),
        }
    }

    /// The outcome of `order`; `None` if it did not come before `give_up`.
    async fn learn(&mut self, order: &Order, give_up: Deadline) -> Result<Option<Sale>, PlayFault> {
        let (mut failures, mut may_be_placed, mut id) = (0, false, None);
        loop {
            let left = give_up.left(self.surroundings().clock.now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.ask_again(order, id.as_deref(), left).await {
                Ok(seen) if seen.status.is_decided() => return held(seen).map(Some),
                Ok(seen) => id = Some(seen.id),
                Err(fault) if fault.is_passing() => may_be_placed |= fault.may_have_acted(),
                // It was heard, or may have been: what is not known is taken back.
                Err(_) if may_be_placed || id.is_some() => return Ok(None),
                Err(fault) => return Err(fault),
            }
            failures += 1;
            self.repeats = self.repeats.saturating_add(1);
            let pause = REPEAT.wait(failures).min(give_up.left(self.surroundings().clock.now()));
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask_again(
        &mut self,
        order: &Order,
        id: Option<&str>,
        left: Duration,
    ) -> Result<SaleSeen, PlayFault> {
        let wait = left.min(WAIT_MAX);
        let asked = async {
            match id {
                Some(id) => self.look(id, wait).await,
                None => self.place(order, wait).await,
            }
        };
        tokio::time::timeout(left, asked).await.unwrap_or(Err(PlayFault::Unanswered(Silence::Late)))
    }

    /// Takes back by key until the switch acknowledges.
    pub async fn take_back(&mut self, key: &PaymentKey) -> Result<Sale, PlayFault> {
        let mut failures = 0;
        loop {
            match self.reverse_key(key).await {
                Ok(seen) if seen.status == Status::Approved => {
                    return Err(PlayFault::OffContract("a reversal was answered with `approved`".into()));
                }
                Ok(seen) if seen.status.is_decided() => return held(seen),
                Ok(_) => {}
                Err(fault) if fault.is_passing() => {}
                Err(fault) => return Err(fault),
            }
            failures += 1;
            self.repeats = self.repeats.saturating_add(1);
            tokio::time::sleep(REVERSE.wait(failures)).await;
        }
    }

    async fn ask(&mut self, ask: Ask, wait: Duration) -> Result<Reply, PlayFault> {
        let ask = ask.wait(wait).with(AUTHORIZATION, self.authorization.clone());
        self.connection.ask(ask, wait.saturating_add(ANSWER_WITHIN)).await
    }
}

fn keyed(ask: Ask, key: &str) -> Result<Ask, PlayFault> {
    let value = HeaderValue::from_str(key).map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
    Ok(ask.with(HeaderName::from_static("idempotency-key"), value))
}

fn held(seen: SaleSeen) -> Result<Sale, PlayFault> {
    match seen.status {
        Status::Approved => Ok(Sale::Approved { id: seen.id, reference: seen.platform_reference }),
        Status::Declined => match seen.response_code {
            Some(code) => Ok(Sale::Declined { code }),
            None => Err(PlayFault::OffContract("declined without response_code".into())),
        },
        _ => Ok(Sale::Reversed),
    }
}
