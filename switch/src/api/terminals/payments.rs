//! A terminal's payments.
use crate::api::doors::{Doors, or_as_it_stands};
use crate::api::extract::{IdempotencyKey, Json, PaymentInPath, Prefer, Terminal, payable, present};
use crate::api::openapi::{KeyParam, PaymentParam, PreferParam, RefundKeyParam};
use crate::api::problem::{Problem, ProblemBody};
use crate::api::views::TerminalPayment;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use actors::domain::identity::{Keeper, PaymentKey, RefundId};
use actors::domain::money::Money;
use actors::domain::order::Order;
use actors::domain::payment::command::Verdict;
use actors::domain::till::booking::is_part;
use actors::outbox::GIVING_BACK;
use actors::planted::{Bug, is_planted};
use actors::report::{Report, Until};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The shortest and the longest `answer_within_seconds`.
const ANSWER_WITHIN: std::ops::RangeInclusive<u64> = 5..=300;
/// The longest `reference`.
const REFERENCE_MAX: usize = 64;
/// The phase in which nothing is written yet.
const UNWRITTEN: &str = "await_merchant";

/// What a terminal asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// A decimal number with at most as many decimals as the currency has, and more than zero.
    #[schema(example = "12.50", pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: String,
    /// ISO 4217.
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// The terminal's own name for the sale, shown to the payer: 1 to 64 characters, none of them a control character.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    reference: Option<String>,
    /// When the terminal stops waiting, in seconds from now.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 5, maximum = 300)]
    answer_within_seconds: Option<u64>,
}

/// A sale as a terminal meant it.
pub struct Sale {
    /// How much.
    pub money: Money,
    /// The terminal's own name for it.
    pub reference: Option<Box<str>>,
    /// How long the terminal waits, if it says so.
    pub answer_within: Option<Duration>,
}

/// The key of a payment that is to be taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversalByKey {
    /// The `Idempotency-Key` under which the payment was asked for.
    #[schema(min_length = 1, max_length = 64, pattern = "^[!-~]{1,64}$")]
    idempotency_key: String,
}

/// What goes back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    #[schema(example = "2.50", pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: String,
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// Asks for money.
///
/// The same key again is the same payment again, whatever happened in between.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", operation_id = "placePayment",
    params(KeyParam, PreferParam), request_body = NewPayment, security(("terminal" = [])),
    responses(
        (status = 200, description = "A repeat: the payment as it stands, decided", body = TerminalPayment),
        (status = 201, description = "Decided", body = TerminalPayment, headers(("Location" = String, description = "The payment"))),
        (status = 202, description = "Not decided yet", body = TerminalPayment, headers(("Location" = String, description = "The payment"))),
        (status = 422, description = "The key was used for something else", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn place_payment(
    terminal: Terminal,
    doors: web::Data<Doors>,
    key: IdempotencyKey,
    prefer: Prefer,
    Json(asked): Json<NewPayment>,
) -> Result<HttpResponse, Problem> {
    let order = order(terminal, &doors, &key, asked)?;
    let (id, board) = (order.payment(), doors.board());
    let report = match prefer.0.filter(|wait| !wait.is_zero()) {
        None => board.place(order, Until::Leaves(UNWRITTEN), doors.soon()).await,
        Some(wait) => {
            let waited = board.place(order, Until::Decided, doors.by(wait)).await;
            let look = || board.look(terminal.id, id, Until::Leaves(UNWRITTEN), doors.soon());
            or_as_it_stands(waited, look).await
        }
    }?;
    let status = match (report.payment.is_decided(), report.verdict) {
        (false, _) => StatusCode::ACCEPTED,
        (true, Verdict::Taken) => StatusCode::CREATED,
        (true, _) => StatusCode::OK,
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((header::LOCATION, format!("/v1/payments/{id}")));
    if let Some(applied) = prefer.applied() {
        response.insert_header(applied);
    }
    let shown = TerminalPayment::of(&report.payment);
    if status == StatusCode::OK && is_planted(Bug::RefusalForgotten) {
        return Ok(response.json(shown.into_approved()));
    }
    Ok(response.json(shown))
}

fn order(
    terminal: Terminal,
    doors: &Doors,
    key: &IdempotencyKey,
    asked: NewPayment,
) -> Result<Order, Problem> {
    let key = payment_key("Idempotency-Key", &key.0)?;
    let Sale { money, reference, answer_within } = asked.sale()?;
    Ok(Order {
        keeper: Keeper::Terminal(terminal.id),
        key,
        merchant: terminal.merchant,
        money,
        reference,
        answer_by: doors.by(answer_within.unwrap_or(doors.settings.answer_within)),
    })
}

impl NewPayment {
    /// The sale that is meant.
    pub fn sale(self) -> Result<Sale, Problem> {
        let money = payable(&self.amount, &self.currency)?;
        if self.reference.as_ref().is_some_and(|text| {
            text.is_empty() || text.chars().count() > REFERENCE_MAX || text.chars().any(char::is_control)
        }) {
            return Err(Problem::field(
                "reference",
                "a reference has 1 to 64 characters, none of them a control character",
            ));
        }
        if self.answer_within_seconds.is_some_and(|seconds| !ANSWER_WITHIN.contains(&seconds)) {
            return Err(Problem::field("answer_within_seconds", "a terminal waits 5 to 300 seconds"));
        }
        let answer_within = self.answer_within_seconds.map(Duration::from_secs);
        Ok(Sale { money, reference: self.reference.map(Into::into), answer_within })
    }
}

impl ReversalByKey {
    /// The key of what is to be taken back.
    pub fn key(&self) -> Result<PaymentKey, Problem> {
        payment_key("idempotency_key", &self.idempotency_key)
    }
}

impl NewRefund {
    /// How much goes back.
    pub fn money(&self) -> Result<Money, Problem> {
        payable(&self.amount, &self.currency)
    }
}

fn payment_key(field: &'static str, key: &str) -> Result<PaymentKey, Problem> {
    PaymentKey::new(key).map_err(|error| Problem::field(field, error.to_string()))
}

/// How a payment stands; held back until it is decided, for as long as is preferred.
#[utoipa::path(get, path = "/v1/payments/{id}", tag = "payments", operation_id = "lookAtPayment",
    params(PaymentParam, PreferParam), security(("terminal" = [])),
    responses((status = 200, description = "The payment", body = TerminalPayment)))]
pub async fn look_at_payment(
    terminal: Terminal,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
    prefer: Prefer,
) -> Result<HttpResponse, Problem> {
    let board = doors.board();
    let look = || board.look(terminal.id, id, Until::Recorded, doors.soon());
    let report = match prefer.0.filter(|wait| !wait.is_zero()) {
        None => look().await,
        Some(wait) => {
            or_as_it_stands(board.look(terminal.id, id, Until::Decided, doors.by(wait)).await, look).await
        }
    }?;
    let mut response = HttpResponse::Ok();
    if let Some(applied) = prefer.applied() {
        response.insert_header(applied);
    }
    Ok(response.json(TerminalPayment::of(&report.payment)))
}

/// Takes a payment back.
#[utoipa::path(post, path = "/v1/payments/{id}/reversals", tag = "payments", operation_id = "reversePayment",
    params(PaymentParam), security(("terminal" = [])),
    responses(
        (status = 200, description = "The payment: reversing, reversed or declined", body = TerminalPayment),
        (status = 409, description = "It was refunded", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn reverse_payment(
    terminal: Terminal,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
) -> Result<HttpResponse, Problem> {
    let report = doors.board().reverse(terminal.id, id, doors.soon()).await?;
    Ok(shown(&report))
}

/// Takes back what was asked for under a key, whether or not the switch ever saw it.
#[utoipa::path(post, path = "/v1/reversals", tag = "payments", operation_id = "reverseByKey",
    request_body = ReversalByKey, security(("terminal" = [])),
    responses(
        (status = 200, description = "The payment: reversing, reversed or declined", body = TerminalPayment),
        (status = 409, description = "It was refunded", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn reverse_by_key(
    terminal: Terminal,
    doors: web::Data<Doors>,
    Json(wanted): Json<ReversalByKey>,
) -> Result<HttpResponse, Problem> {
    let key = wanted.key()?;
    let report = doors.board().reverse_by_key(terminal.id, &key, doors.soon()).await?;
    Ok(shown(&report))
}

/// Gives money back after a payment that stood. The key names the refund.
#[utoipa::path(post, path = "/v1/payments/{id}/refunds", tag = "payments", operation_id = "refundPayment",
    params(PaymentParam, RefundKeyParam), request_body = NewRefund, security(("terminal" = [])),
    responses(
        (status = 202, description = "Taken in: the payment with its refunds", body = TerminalPayment),
        (status = 409, description = "Not paid, or taken back", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "More than is left, or the key was used for another amount", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn refund_payment(
    terminal: Terminal,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
    key: IdempotencyKey,
    Json(wanted): Json<NewRefund>,
) -> Result<HttpResponse, Problem> {
    let refund =
        RefundId::new(&key.0).map_err(|error| Problem::field("Idempotency-Key", error.to_string()))?;
    if refund.as_str() == GIVING_BACK || is_part(refund) {
        return Err(Problem::field("Idempotency-Key", "this name is the switch's own: choose another one"));
    }
    let money = wanted.money()?;
    let report = doors.board().refund(terminal.id, id, refund, money, doors.soon()).await?;
    Ok(HttpResponse::Accepted().json(TerminalPayment::of(&report.payment)))
}

fn shown(report: &Report) -> HttpResponse {
    HttpResponse::Ok().json(TerminalPayment::of(&report.payment))
}
