//! The sandbox's desk: reads a request's body, asks the books, and says what is answered and what is called back.
//!
//! Everything but sockets and waiting: `api` brings requests and carries out trouble, `callback` delivers the post.
//! The lock on the books is never held across an await.
use super::books::{Books, BooksPage, DailyPage, Grant, Paying, PermitOrder, Terms};
use super::callback::{CallbackBody, PostBox};
use super::problem::Problem;
use super::seal::SealKey;
use super::trouble::{Operation, Plan, Trouble, Troubles};
use crate::dice::random_name;
use crate::rfc3339;
use crate::signature::SharedSecret;
use actors::domain::identity::{PayerId, PaymentId, RefundId};
use actors::domain::money::{Amount, Money, MoneyError};
use actors::domain::payment::outcome::Failure;
use actors::domain::payment::phase::Attempt;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::clock::{Clock, Dice};
use actors::ports::platform::HeaderLookup;
use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Everything that the listeners share.
pub struct Desk {
    books: Mutex<Books>,
    troubles: Mutex<Troubles>,
    seal_key: SealKey,
    secret: SharedSecret,
    pub(super) post: PostBox,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    pub(super) manner: Manner,
}

/// How this platform behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// How long a permit is good.
    pub permit_lifetime: Duration,
    /// How late "late" is.
    pub late_by: Duration,
    /// Where phones reach it: `https://pay.example`, without a path.
    pub public_address: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's body.
    pub body: Value,
    /// What the switch is told beside it.
    pub callback: Option<CallbackBody>,
}

/// A permit request that is well formed.
pub struct PermitRequest(PermitOrder);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PermitBody {
    payment: String,
    attempt: u8,
    amount: String,
    currency: String,
    merchant: String,
    merchant_name: String,
    terminal: Option<String>,
    payer: String,
    answer_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyBody {
    amount: String,
    currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    refund: String,
    amount: String,
    currency: String,
}

const NAME_BYTES_MAX: usize = 128;

impl Desk {
    /// A desk with these books.
    pub fn new(
        books: Books,
        seal_key: SealKey,
        secret: SharedSecret,
        post: PostBox,
        clock: Arc<dyn Clock>,
        dice: Arc<dyn Dice>,
        manner: Manner,
    ) -> Self {
        let (books, troubles) = (Mutex::new(books), Mutex::new(Troubles::NONE));
        Self { books, troubles, seal_key, secret, post, clock, dice, manner }
    }

    /// What happens to the next request of this kind.
    pub fn plan(&self, operation: Operation, payer: Option<PayerId>) -> Plan {
        lock(&self.troubles).take(operation, payer)
    }

    /// The trouble that is switched on.
    pub fn troubles(&self) -> Troubles {
        lock(&self.troubles).clone()
    }

    /// Switches trouble on or off.
    pub fn set_troubles(&self, troubles: Troubles) -> Result<Troubles, Problem> {
        let troubles = troubles.check().map_err(|fault| Problem::invalid("rules", fault))?;
        lock(&self.troubles).clone_from(&troubles);
        Ok(troubles)
    }

    /// Everything in the books.
    pub fn books(&self) -> BooksPage {
        lock(&self.books).page(self.clock.now())
    }

    /// The settled list of a day.
    pub fn daily(&self, date: &str) -> Result<DailyPage, Problem> {
        let is_date = rfc3339::parse(&format!("{date}T00:00:00Z")).is_some();
        if is_date {
            Ok(lock(&self.books).daily(date))
        } else {
            Err(Problem::invalid("date", "a date is such as 2030-01-31"))
        }
    }

    /// Who pays this payment.
    pub fn payer(&self, payment: PaymentId) -> Option<PayerId> {
        lock(&self.books).payer(payment)
    }

    /// Who pays with this permit.
    pub fn permit_payer(&self, permit: &str) -> Option<PayerId> {
        lock(&self.books).permit_payer(permit).map(|(_, payer)| payer)
    }

    /// Grants a permit, or the one that was granted before.
    pub fn permit(&self, request: &PermitRequest, plan: &Plan) -> Result<Done, Problem> {
        let (order, now) = (&request.0, self.clock.now());
        let lifetime = if plan.has(Trouble::Expired) { Duration::ZERO } else { self.manner.permit_lifetime };
        let name = random_name::<16>(&*self.dice);
        let granted = lock(&self.books).permit(order, name, Deadline::after(now, lifetime));
        let granted = granted.map_err(|refusal| Problem::refused(Some(order.payment), refusal))?;
        let status = if granted.grant == Grant::First { StatusCode::CREATED } else { StatusCode::OK };
        let money = order.terms.money;
        let body = json!({
            "permit": granted.name,
            "pay_url": format!("{}/v1/permits/{}/pay", self.manner.public_address, granted.name),
            "key": self.seal_key.jwk(),
            "expires_at": rfc3339::format(granted.expires.instant()),
            "payment": order.payment.to_string(),
            "attempt": order.attempt.number(),
            "amount": money.decimal(),
            "currency": money.currency().code(),
        });
        Ok(Done { status, body, callback: None })
    }

    /// Uses a permit with a sealed credential.
    pub fn pay(&self, permit: &str, sealed: &[u8], plan: &Plan) -> Result<Done, Problem> {
        if plan.has(Trouble::Pending) {
            return self.hold(permit);
        }
        let presented = self.seal_key.open(sealed);
        let mut books = lock(&self.books);
        let payment = books.permit_payer(permit).map(|(payment, _)| payment);
        let paying = books.pay(permit, presented.as_ref(), self.clock.now());
        let paying = paying.map_err(|refusal| Problem::refused(payment, refusal))?;
        let callback = books.callback(&paying);
        Ok(Done { callback, ..paid_page(&paying) })
    }

    /// Where a payment stands.
    pub fn query(&self, payment: PaymentId) -> Result<Done, Problem> {
        let page = lock(&self.books).payment_page(payment, self.clock.now());
        let page = page.ok_or(super::books::BooksRefusal::NoSuchPayment);
        let page = page.map_err(|refusal| Problem::refused(Some(payment), refusal))?;
        Ok(Done { status: StatusCode::OK, body: json!(page), callback: None })
    }

    /// Undoes a payment.
    pub fn reverse(&self, payment: PaymentId, body: &[u8], plan: &Plan) -> Result<Done, Problem> {
        let MoneyBody { amount, currency } = decode(body)?;
        let money = payable(&amount, &currency)?;
        if plan.has(Trouble::TooLate) {
            let detail = "the payment is past reversing; refund it";
            return Err(Problem::new(StatusCode::CONFLICT, "too_late", detail).about(payment));
        }
        let effect = lock(&self.books).reverse(payment, money, self.clock.now());
        let effect = effect.map_err(|refusal| Problem::refused(Some(payment), refusal))?;
        let body = json!({
            "payment": payment.to_string(),
            "status": "reversed",
            "effect": effect,
            "amount": money.decimal(),
            "currency": money.currency().code(),
        });
        Ok(Done { status: StatusCode::OK, body, callback: None })
    }

    /// Gives money back.
    pub fn refund(&self, payment: PaymentId, body: &[u8]) -> Result<Done, Problem> {
        let RefundBody { refund, amount, currency } = decode(body)?;
        let refund = RefundId::new(&refund).map_err(|fault| Problem::invalid("refund", fault))?;
        let money = payable(&amount, &currency)?;
        let grant = lock(&self.books).refund(payment, refund, money, self.clock.now());
        let grant = grant.map_err(|refusal| Problem::refused(Some(payment), refusal))?;
        let status = if grant == Grant::First { StatusCode::CREATED } else { StatusCode::OK };
        let body = json!({
            "payment": payment.to_string(),
            "refund": refund,
            "status": "refunded",
            "amount": money.decimal(),
            "currency": money.currency().code(),
        });
        Ok(Done { status, body, callback: None })
    }

    /// Whether the switch asked, and now.
    pub fn check_request(
        &self,
        headers: &dyn HeaderLookup,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(), Problem> {
        let signed = self.secret.check_request(self.now(), headers, method, path, body);
        signed.map_err(|fault| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", fault))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn hold(&self, permit: &str) -> Result<Done, Problem> {
        let held = lock(&self.books).hold(permit);
        let (payment, attempt) = held.map_err(|refusal| Problem::refused(None, refusal))?;
        let body =
            json!({ "payment": payment.to_string(), "attempt": attempt.number(), "status": "pending" });
        Ok(Done { status: StatusCode::ACCEPTED, body, callback: None })
    }
}

impl Books {
    fn callback(&self, paying: &Paying) -> Option<CallbackBody> {
        let money = self.money(paying.payment)?;
        let merchant = self.merchant(paying.payment)?;
        Some(CallbackBody::new(paying, money, merchant))
    }
}

impl PermitRequest {
    /// Reads and checks a body.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let body: PermitBody = decode(body)?;
        let invalid = |field: &'static str| move |fault| Problem::invalid(field, fault);
        if body.merchant_name.is_empty() || body.merchant_name.len() > NAME_BYTES_MAX {
            return Err(Problem::invalid("merchant_name", "a merchant's name has 1 to 128 bytes"));
        }
        if body.answer_by.is_some_and(|text| rfc3339::parse(&text).is_none()) {
            return Err(Problem::invalid("answer_by", "an instant is such as 2030-01-31T12:00:00Z"));
        }
        let terms = Terms {
            money: payable(&body.amount, &body.currency)?,
            merchant: body.merchant.parse().map_err(invalid("merchant"))?,
            merchant_name: body.merchant_name,
            terminal: body.terminal.map(|text| text.parse()).transpose().map_err(invalid("terminal"))?,
            payer: body.payer.parse().map_err(invalid("payer"))?,
        };
        let payment = PaymentId::parse(&body.payment).map_err(invalid("payment"))?;
        let attempt = Attempt::numbered(body.attempt);
        let attempt = attempt.ok_or_else(|| Problem::invalid("attempt", "attempts are counted from 1"))?;
        Ok(Self(PermitOrder { payment, attempt, terms }))
    }

    /// Who pays.
    pub fn payer(&self) -> PayerId {
        self.0.terms.payer
    }
}

/// Reads JSON strictly, naming the field that is wrong.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|fault| Problem::invalid(&fault.path().to_string(), fault.inner()))?;
    json.end().map_err(|fault| Problem::invalid(".", fault))?;
    Ok(value)
}

/// The next possible amount beside the true one.
pub(super) fn another(money: Money) -> Money {
    let one = Amount::new(1).unwrap_or(Amount::ZERO);
    let (more, less) = (money.amount().plus(one), money.amount().minus(one));
    Money::new(more.or(less).unwrap_or(Amount::ZERO), money.currency())
}

fn paid_page(paying: &Paying) -> Done {
    let Paying { payment, attempt, result } = paying;
    let (status, body) = match result {
        Ok(receipt) => (
            StatusCode::OK,
            json!({
                "payment": payment.to_string(),
                "attempt": attempt.number(),
                "status": "paid",
                "reference": receipt.reference,
                "amount": receipt.money.decimal(),
                "currency": receipt.money.currency().code(),
            }),
        ),
        Err(failure) => (StatusCode::PAYMENT_REQUIRED, failure_page(*payment, *attempt, *failure)),
    };
    Done { status, body, callback: None }
}

fn failure_page(payment: PaymentId, attempt: Attempt, failure: Failure) -> Value {
    let detail = match failure {
        Failure::WrongCredentials => "the account or the password is wrong",
        Failure::InsufficientFunds => "the account does not hold the amount",
        Failure::AccountBlocked => "the account is blocked",
        Failure::PermitExpired => "the permit or the sealed credential is over; ask for a new one",
        Failure::Unreadable => "the credential cannot be opened, or was sealed for another payment",
    };
    json!({
        "type": "about:blank",
        "title": "Payment Required",
        "status": 402,
        "code": failure,
        "detail": detail,
        "payment": payment.to_string(),
        "attempt": attempt.number(),
    })
}

fn payable(amount: &str, currency: &str) -> Result<Money, Problem> {
    Money::parse_payable(amount, currency).map_err(|fault| {
        let field = if fault == MoneyError::UnknownCurrency { "currency" } else { "amount" };
        Problem::invalid(field, fault)
    })
}

/// A panic elsewhere does not make the books unreadable: each entry is written whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
