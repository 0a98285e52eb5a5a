//! One request at the sandbox's desk, from the question to what goes back, with the trouble that is planned for it.
//!
//! A front (actix-web's in `turnout sandbox`, hyper's in `loadtest`) reads a [`Question`] off HTTP and writes a [`Reply`]
//! back; all that happens between is here. It knows no server, and whether a caller has hung up is nothing to it: a
//! platform does not undo a debit because nobody waits for the answer.
use super::books::BooksRefusal;
use super::callback::{CallbackBody, Due};
use super::desk::{Desk, Done, PermitRequest, another};
use super::problem::Problem;
use super::trouble::{Operation, Plan, Trouble};
use actors::domain::identity::{PayerId, PaymentId};
use actors::domain::money::Money;
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;
use std::time::Duration;

/// How long silence lasts before the connection is given back.
pub const SILENCE: Duration = Duration::from_mins(2);
/// An early callback gets so much of a head start.
const HEAD_START: Duration = Duration::from_secs(2);

/// What is asked.
pub enum Question {
    /// Leave to pay.
    Permit(PermitRequest),
    /// To use it, with a sealed credential.
    Pay {
        /// The permit's name.
        permit: String,
        /// A compact JWE.
        sealed: Bytes,
    },
    /// Where a payment stands.
    Query(PaymentId),
    /// To undo it.
    Reverse(PaymentId, Bytes),
    /// To give some of it back.
    Refund(PaymentId, Bytes),
}

/// What is sent back, or not.
pub enum Reply {
    /// As it was done.
    Answer(Done),
    /// Refused, and why.
    No(Problem),
    /// Something that is no answer.
    Raw(StatusCode, String),
    /// A redirect to nowhere.
    Redirect,
    /// Half a response.
    CutOff,
    /// Nothing, for as long as [`SILENCE`].
    Silence,
}

impl Question {
    /// What happens to it; counted, so ask once.
    pub fn plan(&self, desk: &Desk) -> Plan {
        let (operation, payer) = self.asks(desk);
        desk.plan(operation, payer)
    }

    fn asks(&self, desk: &Desk) -> (Operation, Option<PayerId>) {
        match self {
            Self::Permit(ask) => (Operation::Permit, Some(ask.payer())),
            Self::Pay { permit, .. } => (Operation::Pay, desk.permit_payer(permit)),
            Self::Query(payment) => (Operation::Query, desk.payer(*payment)),
            Self::Reverse(payment, _) => (Operation::Reversal, desk.payer(*payment)),
            Self::Refund(payment, _) => (Operation::Refund, desk.payer(*payment)),
        }
    }

    fn done(&self, desk: &Desk, plan: &Plan) -> Result<Done, Problem> {
        match self {
            Self::Permit(ask) => desk.permit(ask, plan),
            Self::Pay { permit, sealed } => desk.pay(permit, sealed, plan),
            Self::Query(payment) => desk.query(*payment),
            Self::Reverse(payment, body) => desk.reverse(*payment, body, plan),
            Self::Refund(payment, body) => desk.refund(*payment, body),
        }
    }
}

/// Does the work and says what to answer, with whatever trouble is planned. To be run to its end, whoever hangs up.
pub async fn carry_out(desk: &Desk, question: Question, plan: Plan) -> Reply {
    tokio::time::sleep(plan.latency).await;
    if plan.has(Trouble::Lost) {
        return Reply::Silence;
    }
    if plan.has(Trouble::Refuse) {
        return Reply::No(Problem::new(StatusCode::FORBIDDEN, "refused", "the platform refuses"));
    }
    let done = match question.done(desk, &plan) {
        Ok(done) => done,
        Err(problem) => return Reply::No(problem),
    };
    if let Some(callback) = &done.callback {
        send(desk, &plan, callback).await;
    }
    if plan.has(Trouble::LateAnswer) {
        tokio::time::sleep(desk.manner.late_by).await;
    }
    disguise(&plan, done)
}

/// What a silent reply becomes when its caller is still there at the end.
pub fn silenced() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "silence", "this request was to stay unanswered")
}

async fn send(desk: &Desk, plan: &Plan, callback: &CallbackBody) {
    if plan.has(Trouble::NoCallback) {
        return;
    }
    let callback = if plan.has(Trouble::LyingCallback) { callback.lying() } else { callback.clone() };
    let late_by = if plan.has(Trouble::LateCallback) { desk.manner.late_by } else { Duration::ZERO };
    let copies = if plan.has(Trouble::DuplicateCallback) { 2 } else { 1 };
    let due = Due { at: desk.now().plus(late_by), copies };
    let first_try = desk.post.send(&callback, due, desk.now());
    if plan.has(Trouble::EarlyCallback) {
        first_try.made_within(HEAD_START).await;
    }
}

fn disguise(plan: &Plan, done: Done) -> Reply {
    if plan.has(Trouble::Silent) {
        Reply::Silence
    } else if plan.has(Trouble::CutOff) {
        Reply::CutOff
    } else if plan.has(Trouble::Redirect) {
        Reply::Redirect
    } else if plan.has(Trouble::ServerError) {
        Reply::No(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "trouble", "this request was to fail"))
    } else if plan.has(Trouble::Garbage) {
        Reply::Raw(done.status, "{\"payment\":".to_owned())
    } else if plan.has(Trouble::Oversize) {
        Reply::Raw(done.status, " ".repeat(128 * 1024))
    } else if plan.has(Trouble::NotFound) {
        Reply::No(Problem::refused(None, BooksRefusal::NoSuchPayment))
    } else if plan.has(Trouble::StrayAnswer) {
        Reply::Answer(gone_astray(done))
    } else if plan.has(Trouble::LyingAnswer) {
        Reply::Answer(lie(done))
    } else {
        Reply::Answer(done)
    }
}

fn gone_astray(mut done: Done) -> Done {
    if let Some(body) = done.body.as_object_mut().filter(|body| body.contains_key("payment")) {
        body.insert("payment".to_owned(), Value::from("pay_00000000000000000000000000"));
    }
    done
}

fn lie(mut done: Done) -> Done {
    let text = |field| done.body.get(field).and_then(Value::as_str);
    let money =
        text("amount").zip(text("currency")).and_then(|(amount, code)| Money::parse(amount, code).ok());
    if let (Some(money), Some(body)) = (money, done.body.as_object_mut()) {
        body.insert("amount".to_owned(), Value::from(another(money).decimal()));
    }
    done
}
