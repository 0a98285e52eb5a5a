//! What awaits a payer, and what was.
use crate::api::doors::{Doors, or_as_it_stands};
use crate::api::extract::{PaymentInPath, Phone, Prefer, Query};
use crate::api::openapi::{PaymentParam, PreferParam};
use crate::api::problem::Problem;
use crate::api::views::{HistoryPayment, Payments, PhonePayment};
use actix_web::{HttpResponse, web};
use actors::report::Until;
use serde::Deserialize;
use utoipa::IntoParams;

/// The most rows of history at once.
const MOST: u16 = 100;

/// How much of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Limit {
    /// At most so many, the newest first; 50 where it is left out.
    #[param(minimum = 1, maximum = 100, nullable = false)]
    limit: Option<u16>,
}

/// What awaits this payer, and what was decided in the last minutes. This list is the truth.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", operation_id = "listPayments", security(("phone" = [])),
    responses((status = 200, description = "The payments", body = Payments<PhonePayment>)))]
pub async fn list_payments(phone: Phone, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    let cards = doors.board().cards(phone.0.payer, doors.soon()).await?;
    let payments = cards.iter().map(|card| PhonePayment::of_card(card, doors.roster())).collect();
    Ok(HttpResponse::Ok().json(Payments { payments }))
}

/// What was, from the read model.
#[utoipa::path(get, path = "/v1/payments/history", tag = "payments", operation_id = "listHistory", params(Limit), security(("phone" = [])),
    responses((status = 200, description = "The payments, newest first", body = Payments<HistoryPayment>)))]
pub async fn list_history(
    phone: Phone,
    doors: web::Data<Doors>,
    Query(wanted): Query<Limit>,
) -> Result<HttpResponse, Problem> {
    let most = wanted.limit.unwrap_or(50);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::field("limit", "a limit is 1 to 100"));
    }
    let rows = doors.ports.history.of_payer(phone.0.payer, most).await?;
    let payments = rows.into_iter().map(|row| HistoryPayment::of(row, doors.roster())).collect();
    Ok(HttpResponse::Ok().json(Payments { payments }))
}

/// How a payment stands; held back until its status changes, for as long as is preferred.
#[utoipa::path(get, path = "/v1/payments/{id}", tag = "payments", operation_id = "lookAtOwnPayment",
    params(PaymentParam, PreferParam), security(("phone" = [])),
    responses((status = 200, description = "The payment", body = PhonePayment)))]
pub async fn look_at_own_payment(
    phone: Phone,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
    prefer: Prefer,
) -> Result<HttpResponse, Problem> {
    let (board, payer) = (doors.board(), phone.0.payer);
    let look = || board.payer_looks(payer, id, Until::Recorded, doors.soon());
    let mut report = look().await?;
    if let Some(wait) = prefer.0.filter(|wait| !wait.is_zero()) {
        let until = Until::Leaves(report.payment.phase().name());
        report = or_as_it_stands(board.payer_looks(payer, id, until, doors.by(wait)).await, look).await?;
    }
    let mut response = HttpResponse::Ok();
    if let Some(applied) = prefer.applied() {
        response.insert_header(applied);
    }
    Ok(response.json(PhonePayment::of_report(&report, doors.roster())))
}
