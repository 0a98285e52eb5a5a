//! The payer's word: yes with a signature, no, and the sealed credential on its way to the platform.
use crate::api::device::{Device, DeviceKey, Shown};
use crate::api::doors::{Doors, or_as_it_stands};
use crate::api::extract::{Json, PaymentInPath, Phone, Prefer, Query, object, payable};
use crate::api::limits::{expect_media_type, whole_body};
use crate::api::openapi::{PaymentParam, PreferParam};
use crate::api::problem::{Kind, Problem, ProblemBody};
use crate::api::terminal_keys::sha256;
use crate::api::views::PhonePayment;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::answer::Fault;
use actors::domain::identity::TerminalId;
use actors::domain::money::Money;
use actors::domain::order::Order;
use actors::domain::payment::phase::{Attempt, Claim, Consent, Digest32};
use actors::ports::platform::SealedCredential;
use actors::report::{Report, Until};
use actors::switchboard::Refused;
use adapters::seal::is_compact_jwe;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// A payer's yes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The amount that was shown.
    #[schema(example = "12.50", pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: String,
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    currency: String,
    /// The round in which it was shown.
    epoch: u64,
    /// The key that the token is bound to.
    #[serde(deserialize_with = "object")]
    device_key: DeviceKey,
    /// Its signature under what was shown: 64 bytes, base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{86}$")]
    signature: String,
}

/// A payer's no.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// The round in which it was shown.
    epoch: u64,
}

/// Which permit the credential is for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichAttempt {
    /// The interface's `attempt`.
    #[param(minimum = 1, maximum = 255)]
    attempt: u8,
}

/// Confirms an amount; held back until the platform has answered, for as long as is preferred.
#[utoipa::path(post, path = "/v1/payments/{id}/confirmation", tag = "payments", operation_id = "confirmPayment",
    params(PaymentParam, PreferParam), request_body = Confirmation, security(("phone" = [])),
    responses(
        (status = 200, description = "The payment: normally awaiting_payment, with the interface", body = PhonePayment),
        (status = 403, description = "Another device's key, or a signature that does not fit", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another amount, an old round, or not the moment", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn confirm_payment(
    phone: Phone,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
    prefer: Prefer,
    Json(said): Json<Confirmation>,
) -> Result<HttpResponse, Problem> {
    let (board, payer) = (doors.board(), phone.0.payer);
    let (money, device) = said.money_and_device()?;
    if device.jkt() != phone.0.jkt {
        return Err(Problem::new(Kind::Forbidden, "the token is bound to another device's key"));
    }
    let look = || board.payer_looks(payer, id, Until::Recorded, doors.soon());
    let shown = look().await?;
    let order = shown.payment.phase().order();
    let (merchant, terminal) = (order.map(|order| order.merchant), order.and_then(Order::terminal));
    let signed = device.check(
        &Shown {
            payment: id,
            money,
            merchant: merchant.as_ref().map_or("", |merchant| merchant.as_str()),
            terminal: terminal.as_ref().map_or("", TerminalId::as_str),
            epoch: said.epoch,
        },
        &said.signature,
    )?;
    let consent = Consent { claim: Claim { payer, epoch: said.epoch }, signed };
    let wait = prefer.wait_or(doors.settings.confirm_wait);
    let report = if wait.is_zero() {
        board.confirm(id, consent, money, Until::Recorded, doors.soon()).await
    } else {
        let waited = board.confirm(id, consent, money, Until::Permitted, doors.by(wait)).await;
        or_as_it_stands(waited, look).await
    }?;
    Ok(answer(&doors, prefer, &report))
}

/// Declines a payment.
#[utoipa::path(post, path = "/v1/payments/{id}/decline", tag = "payments", operation_id = "declinePayment",
    params(PaymentParam), request_body = Decline, security(("phone" = [])),
    responses(
        (status = 200, description = "The payment", body = PhonePayment),
        (status = 409, description = "An old round, or not the moment", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn decline_payment(
    phone: Phone,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
    Json(said): Json<Decline>,
) -> Result<HttpResponse, Problem> {
    let claim = Claim { payer: phone.0.payer, epoch: said.epoch };
    let report = doors.board().decline(id, claim, doors.soon()).await?;
    Ok(answer(&doors, Prefer(None), &report))
}

/// Relays the sealed credential, unread; answers how the payment stands after the platform's word.
#[utoipa::path(post, path = "/v1/payments/{id}/credential", tag = "payments", operation_id = "presentCredential",
    params(PaymentParam, WhichAttempt, PreferParam), security(("phone" = [])),
    request_body(content = String, content_type = "application/jose", description = "JWE compact, sealed for the interface's key"),
    responses(
        (status = 200, description = "The payment", body = PhonePayment),
        (status = 409, description = "The permit is spent, or not the moment", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn present_credential(
    phone: Phone,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
    Query(which): Query<WhichAttempt>,
    prefer: Prefer,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (board, payer) = (doors.board(), phone.0.payer);
    let attempt = Attempt::numbered(which.attempt)
        .ok_or_else(|| Problem::field("attempt", "attempts are counted from 1"))?;
    expect_media_type(&request, "application/jose")?;
    let bytes =
        whole_body(&doors, request.headers(), payload.into_inner(), SealedCredential::BYTES_MAX).await?;
    if !is_compact_jwe(&bytes) {
        return Err(Problem::new(
            Kind::Malformed,
            "the body has to be a JWE in compact form: five parts of base64url",
        ));
    }
    let digest = Digest32(sha256(&bytes));
    let credential = SealedCredential::new(bytes).ok_or_else(Problem::crashed)?;
    let wait = prefer.wait_or(doors.settings.relay_wait).max(doors.settings.patience);
    let presented = board.present(payer, id, attempt, digest, credential, doors.by(wait));
    // What the platform says later than the phone waits is taken in all the same.
    let presented =
        tokio::time::timeout(wait, presented).await.unwrap_or(Err(Refused::Fault(Fault::Expired)));
    let look = || board.payer_looks(payer, id, Until::Recorded, doors.soon());
    let report = or_as_it_stands(presented, look).await?;
    Ok(answer(&doors, prefer, &report))
}

impl Confirmation {
    /// What was shown, on which phone.
    pub fn money_and_device(&self) -> Result<(Money, Device), Problem> {
        Ok((payable(&self.amount, &self.currency)?, self.device_key.device()?))
    }
}

fn answer(doors: &Doors, prefer: Prefer, report: &Report) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(applied) = prefer.applied() {
        response.insert_header(applied);
    }
    response.json(PhonePayment::of_report(report, doors.roster()))
}
