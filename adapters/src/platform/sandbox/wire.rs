//! The sandbox's JSON, and what each of its answers is believed to mean. Pure: bytes in, outcome out.
//!
//! An answer that names another payment, amount or currency than was asked about is a lie; one that cannot be read,
//! or that no rule here gives a meaning to, is unclear. Either way nothing is concluded from it.
use actors::domain::identity::{PaymentId, RefundId, TerminalId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{
    Effect, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::{Attempt, Interface, Receipt};
use actors::domain::response_code::Refusal;
use actors::domain::time::Deadline;
use actors::planted::{Bug, is_planted};
use actors::ports::platform::{CallbackFault, Claimed, PermitAsk, PlatformAsk, Presentation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbelieved {
    /// It cannot be true.
    Lie,
    /// It cannot be understood.
    Unclear,
}

type Reading<T> = Result<T, Unbelieved>;

const TEXT_MAX: usize = 512;

#[derive(Serialize)]
struct PermitBody<'a> {
    payment: String,
    attempt: u8,
    amount: String,
    currency: &'static str,
    merchant: &'a str,
    merchant_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<&'a str>,
    payer: &'a str,
    answer_by: String,
}

#[derive(Serialize)]
struct MoneyBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<&'a str>,
    amount: String,
    currency: &'static str,
}

#[derive(Deserialize)]
struct PermitAnswer {
    permit: String,
    pay_url: String,
    key: serde_json::Value,
    expires_at: String,
    #[serde(flatten)]
    about: About,
}

/// What every answer and callback says about its payment.
#[derive(Deserialize)]
struct About {
    payment: String,
    attempt: Option<u8>,
    status: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    reference: Option<String>,
    reason: Option<Failure>,
    effect: Option<Effect>,
    refund: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    payment: Option<String>,
}

/// The body that asks for a permit.
pub fn permit_body(ask: &PermitAsk) -> Vec<u8> {
    encode(&PermitBody {
        payment: ask.payment.to_string(),
        attempt: ask.attempt.number(),
        amount: ask.money.decimal(),
        currency: ask.money.currency().code(),
        merchant: ask.merchant.as_str(),
        merchant_name: &ask.merchant_name,
        terminal: ask.terminal.as_ref().map(TerminalId::as_str),
        payer: ask.payer.as_str(),
        answer_by: crate::rfc3339::format(ask.answer_by.instant()),
    })
}

/// The body that names money, and a refund if it is one.
pub fn money_body(money: Money, refund: Option<RefundId>) -> Vec<u8> {
    let refund = refund.as_ref().map(RefundId::as_str);
    encode(&MoneyBody { refund, amount: money.decimal(), currency: money.currency().code() })
}

/// Whether a permit's name can stand in a path as it is.
pub fn is_permit_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// What the answer to a permit request means.
pub fn read_permit(ask: &PermitAsk, status: u16, body: &[u8]) -> Reading<PermitOutcome> {
    match status {
        200 | 201 => {
            let answer: PermitAnswer = decode(body)?;
            answer.about.must_be(ask.payment, Some(ask.attempt), ask.money)?;
            answer.interface().map(PermitOutcome::Granted).ok_or(Unbelieved::Unclear)
        }
        400..=499 => match problem(ask.payment, body)?.as_str() {
            // Each is said before the books are touched, or because they hold a tombstone.
            "refused" | "reversed" | "invalid" => Ok(PermitOutcome::Refused(Refusal::NotPermitted)),
            _ => Err(Unbelieved::Unclear),
        },
        _ => Err(Unbelieved::Unclear),
    }
}

/// What the answer to a presented credential means.
pub fn read_payment(ask: &Presentation, status: u16, body: &[u8]) -> Reading<PaymentOutcome> {
    match status {
        200 => {
            let about: About = decode(body)?;
            let lies = about.money().filter(|money| *money != ask.money && is_planted(Bug::AmountFromAnswer));
            let money = lies.unwrap_or(ask.money);
            about.must_be(ask.payment, Some(ask.attempt), money)?;
            about.must_say("paid")?;
            about.receipt(money).map(PaymentOutcome::Approved)
        }
        402 | 409 => {
            let code = problem(ask.payment, body)?;
            let failure = match code.as_str() {
                // A tombstone: the permit is as void as an expired one.
                "reversed" => Failure::PermitExpired,
                code => failure_of(code).ok_or(Unbelieved::Unclear)?,
            };
            Ok(PaymentOutcome::Failed(failure))
        }
        _ => Err(Unbelieved::Unclear),
    }
}

/// What the answer to an inquiry means.
pub fn read_inquiry(ask: PlatformAsk, status: u16, body: &[u8]) -> Reading<InquiryOutcome> {
    match status {
        200 => inquiry(ask, &decode(body)?),
        404 if problem(ask.payment, body)? == "no_such_payment" => Ok(InquiryOutcome::NeverSeen),
        _ => Err(Unbelieved::Unclear),
    }
}

/// What the answer to a reversal means.
pub fn read_reversal(ask: PlatformAsk, status: u16, body: &[u8]) -> Reading<ReversalOutcome> {
    match status {
        200 => {
            let about: About = decode(body)?;
            about.must_be(ask.payment, None, ask.money)?;
            about.must_say("reversed")?;
            about.effect.map(ReversalOutcome::Acknowledged).ok_or(Unbelieved::Unclear)
        }
        409 | 422 => match problem(ask.payment, body)?.as_str() {
            "too_late" => Ok(ReversalOutcome::TooLate),
            "refused" | "differs" => Ok(ReversalOutcome::Refused),
            _ => Err(Unbelieved::Unclear),
        },
        500..=599 if is_planted(Bug::ServerErrorIsNo) => {
            Ok(ReversalOutcome::Acknowledged(Effect::NothingToUndo))
        }
        _ => Err(Unbelieved::Unclear),
    }
}

/// What the answer to a refund means.
pub fn read_refund(
    ask: PlatformAsk,
    refund: RefundId,
    money: Money,
    status: u16,
    body: &[u8],
) -> Reading<RefundOutcome> {
    match status {
        200 | 201 => {
            let about: About = decode(body)?;
            about.must_be(ask.payment, None, money)?;
            about.must_say("refunded")?;
            if about.refund.as_deref() == Some(refund.as_str()) {
                Ok(RefundOutcome::Done)
            } else {
                Err(Unbelieved::Lie)
            }
        }
        404 | 409 | 422 => match problem(ask.payment, body)?.as_str() {
            "refused" | "reversed" | "not_paid" | "no_such_payment" | "exceeds_payment" | "differs" => {
                Ok(RefundOutcome::Refused)
            }
            _ => Err(Unbelieved::Unclear),
        },
        _ => Err(Unbelieved::Unclear),
    }
}

/// Reads an authentic callback.
pub fn read_callback(body: &[u8]) -> Result<Claimed, CallbackFault> {
    let malformed = CallbackFault::Malformed;
    let about: About = serde_json::from_slice(body).map_err(|_| malformed("not the agreed JSON"))?;
    let payment = PaymentId::parse(&about.payment).map_err(|_| malformed("payment"))?;
    let attempt = about.attempt.and_then(Attempt::numbered).ok_or(malformed("attempt"))?;
    let money = about.money().ok_or(malformed("amount or currency"))?;
    let result = match about.status.as_deref() {
        Some("paid") => Ok(about.receipt(money).map_err(|_| malformed("reference"))?),
        Some("failed") => Err(about.reason.ok_or(malformed("reason"))?),
        _ => return Err(malformed("status")),
    };
    Ok(Claimed { payment, attempt, result })
}

fn inquiry(ask: PlatformAsk, about: &About) -> Reading<InquiryOutcome> {
    // A tombstone of a payment that the platform never saw has no amount.
    match about.amount {
        None if about.status.as_deref() == Some("reversed") => about.must_be_about(ask.payment)?,
        _ => about.must_be(ask.payment, None, ask.money)?,
    }
    match about.status.as_deref() {
        Some("paid") => about.receipt(ask.money).map(InquiryOutcome::Paid),
        Some("failed") => about.reason.map(InquiryOutcome::Failed).ok_or(Unbelieved::Unclear),
        Some("permitted" | "pending") => Ok(InquiryOutcome::Pending),
        Some("reversed") => Ok(InquiryOutcome::Undone),
        _ => Err(Unbelieved::Unclear),
    }
}

impl About {
    fn money(&self) -> Option<Money> {
        Money::parse(self.amount.as_deref()?, self.currency.as_deref()?).ok()
    }

    fn must_be_about(&self, payment: PaymentId) -> Reading<()> {
        let is_ours = self.payment == payment.to_string() || is_planted(Bug::OtherPaymentsAnswer);
        if is_ours { Ok(()) } else { Err(Unbelieved::Lie) }
    }

    fn must_be(&self, payment: PaymentId, attempt: Option<Attempt>, money: Money) -> Reading<()> {
        self.must_be_about(payment)?;
        let is_same_attempt = attempt.is_none_or(|attempt| self.attempt == Some(attempt.number()));
        if is_same_attempt && self.money() == Some(money) { Ok(()) } else { Err(Unbelieved::Lie) }
    }

    fn must_say(&self, status: &str) -> Reading<()> {
        if self.status.as_deref() == Some(status) { Ok(()) } else { Err(Unbelieved::Unclear) }
    }

    fn receipt(&self, money: Money) -> Reading<Receipt> {
        let reference = self.reference.as_deref().filter(|r| (1..=64).contains(&r.len()));
        reference.map(|r| Receipt { reference: r.into(), money }).ok_or(Unbelieved::Unclear)
    }
}

impl PermitAnswer {
    fn interface(&self) -> Option<Interface> {
        let is_address = self.pay_url.starts_with("https://") || self.pay_url.starts_with("http://");
        let key = serde_json::to_string(&self.key).ok()?;
        let fits = self.pay_url.len() <= TEXT_MAX && key.len() <= TEXT_MAX;
        (is_address && fits && is_permit_name(&self.permit)).then_some(())?;
        Some(Interface {
            url: self.pay_url.as_str().into(),
            key: key.into(),
            permit: self.permit.as_str().into(),
            expires: Deadline::at(crate::rfc3339::parse(&self.expires_at)?),
        })
    }
}

fn failure_of(code: &str) -> Option<Failure> {
    serde_json::from_value(serde_json::Value::from(code)).ok()
}

fn problem(payment: PaymentId, body: &[u8]) -> Reading<String> {
    let problem: Problem = decode(body)?;
    match problem.payment {
        Some(other) if other != payment.to_string() => Err(Unbelieved::Lie),
        _ => Ok(problem.code),
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Reading<T> {
    serde_json::from_slice(body).map_err(|_| Unbelieved::Unclear)
}

fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    // Strings and a number cannot fail to be JSON.
    serde_json::to_vec(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use actors::ports::platform::SealedCredential;
    use serde_json::{Value, json};

    const OURS: PaymentId = PaymentId::from_bits(1);
    const OTHERS: PaymentId = PaymentId::from_bits(2);
    const BY: Deadline = Deadline::at(actors::domain::time::Timestamp::from_micros(1));

    fn euros(decimal: &str) -> Money {
        Money::parse(decimal, "EUR").unwrap()
    }

    fn ask() -> PlatformAsk {
        PlatformAsk { payment: OURS, money: euros("12.50"), answer_by: BY }
    }

    fn presentation() -> Presentation {
        Presentation {
            payment: OURS,
            attempt: Attempt::FIRST,
            money: euros("12.50"),
            permit: "p".into(),
            credential: SealedCredential::new(vec![0]).unwrap(),
            answer_by: BY,
        }
    }

    fn paid(payment: PaymentId, amount: &str) -> Vec<u8> {
        let (payment, attempt) = (payment.to_string(), 1);
        let body = json!({ "payment": payment, "attempt": attempt, "status": "paid", "reference": "r",
            "amount": amount, "currency": "EUR" });
        body.to_string().into_bytes()
    }

    #[test]
    fn a_yes_to_our_payment_and_amount_is_a_yes() {
        let receipt = Receipt { reference: "r".into(), money: euros("12.50") };
        let read = read_payment(&presentation(), 200, &paid(OURS, "12.50"));
        assert_eq!(read, Ok(PaymentOutcome::Approved(receipt)));
    }

    #[test]
    fn a_yes_to_another_payment_or_amount_is_a_lie() {
        for body in [paid(OTHERS, "12.50"), paid(OURS, "12.51")] {
            assert_eq!(read_payment(&presentation(), 200, &body), Err(Unbelieved::Lie));
            assert_eq!(read_inquiry(ask(), 200, &body), Err(Unbelieved::Lie));
        }
    }

    #[test]
    fn a_server_error_says_nothing_whatever_was_asked() {
        let body = Value::Null.to_string().into_bytes();
        assert_eq!(read_payment(&presentation(), 500, &body), Err(Unbelieved::Unclear));
        assert_eq!(read_inquiry(ask(), 503, &body), Err(Unbelieved::Unclear));
        assert_eq!(read_reversal(ask(), 500, &body), Err(Unbelieved::Unclear));
    }
}
