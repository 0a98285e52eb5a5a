//! A terminal's place: who it is, and whose phone stands there.
use crate::api::doors::Doors;
use crate::api::extract::Terminal;
use crate::api::problem::Problem;
use actix_web::{HttpResponse, web};
use adapters::rfc3339::format as rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// What a terminal is.
#[derive(Serialize, ToSchema)]
pub struct TerminalView {
    terminal: String,
    merchant: String,
    /// The name that payers are shown.
    merchant_name: String,
    /// The currency that the merchant takes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z]{3}$")]
    currency: Option<&'static str>,
    /// Where phones find their page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone_page: Option<String>,
    binding: BindingView,
}

/// Whether a phone stands at the terminal. Whose, a terminal does not learn.
#[derive(Serialize, ToSchema)]
pub struct BindingView {
    bound: bool,
    /// How many rounds there have been.
    epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    until: Option<String>,
}

/// Who the terminal is, and whether a phone stands there.
#[utoipa::path(get, path = "/v1/terminal", tag = "terminal", operation_id = "lookAtTerminal", security(("terminal" = [])),
    responses((status = 200, description = "The terminal", body = TerminalView)))]
pub async fn look_at_terminal(terminal: Terminal, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    let standing = doors.board().standing(terminal.id, doors.soon()).await?;
    let profile = doors.roster().merchant(terminal.merchant);
    Ok(HttpResponse::Ok().json(TerminalView {
        terminal: terminal.id.to_string(),
        merchant: terminal.merchant.to_string(),
        merchant_name: profile.as_ref().map_or_else(String::new, |profile| profile.name.clone().into()),
        currency: profile.and_then(|profile| profile.limits.first().map(|limit| limit.currency().code())),
        phone_page: doors.settings.phone_page.clone(),
        binding: BindingView {
            bound: standing.holder.is_some(),
            epoch: standing.epoch,
            until: standing.holder.map(|holder| rfc3339(holder.until.instant())),
        },
    }))
}

/// Sends the phone away that stands there, unless its payer has confirmed.
#[utoipa::path(delete, path = "/v1/terminal/binding", tag = "terminal", operation_id = "clearTerminal", security(("terminal" = [])),
    responses((status = 204, description = "The place is free")))]
pub async fn clear_terminal(terminal: Terminal, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    doors.board().clear(terminal.id, doors.soon()).await?;
    Ok(HttpResponse::NoContent().finish())
}
