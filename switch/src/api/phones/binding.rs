//! Where a phone stands.
use crate::api::doors::Doors;
use crate::api::extract::{Json, Phone};
use crate::api::problem::{Kind, Problem, ProblemBody};
use actix_web::{HttpResponse, web};
use actors::domain::identity::TerminalId;
use actors::switchboard::Refused;
use actors::terminal_session::Granted;
use adapters::rfc3339::format as rfc3339;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The terminal that a phone stands at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stand {
    /// The terminal's id, typed or scanned.
    #[schema(example = "T1", pattern = "^[A-Za-z0-9_.:+-]{1,31}$")]
    terminal: String,
}

/// Where a phone stands, and until when if nothing comes of it.
#[derive(Serialize, ToSchema)]
pub struct PlaceView {
    terminal: String,
    /// Whose terminal it is, for people.
    merchant_name: String,
    /// The round; part of what a confirmation signs.
    epoch: u64,
    #[schema(format = DateTime)]
    until: String,
}

/// Stands at a terminal.
#[utoipa::path(put, path = "/v1/binding", tag = "binding", operation_id = "bind", request_body = Stand, security(("phone" = [])),
    responses(
        (status = 200, description = "The phone stands there", body = PlaceView),
        (status = 404, description = "No such terminal", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another phone stands there", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "When that one's claim runs out, in seconds"))),
    ))]
pub async fn bind(
    phone: Phone,
    doors: web::Data<Doors>,
    Json(stand): Json<Stand>,
) -> Result<HttpResponse, Problem> {
    let terminal = stand.terminal()?;
    match doors.board().bind(phone.0.payer, terminal, doors.soon()).await {
        Ok(granted) => Ok(HttpResponse::Ok().json(place(&doors, terminal, &granted))),
        Err(refused @ Refused::Taken(taken)) => {
            Err(Problem::from(refused).retry_after(taken.until.left(doors.now())))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Where the phone stands.
#[utoipa::path(get, path = "/v1/binding", tag = "binding", operation_id = "lookAtBinding", security(("phone" = [])),
    responses(
        (status = 200, description = "There", body = PlaceView),
        (status = 404, description = "Nowhere", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn look_at_binding(phone: Phone, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    let nowhere = || Problem::new(Kind::NotFound, "this phone stands at no terminal");
    let place_of = doors.board().place_of(phone.0.payer, doors.soon()).await?;
    let (terminal, claim) = place_of.ok_or_else(nowhere)?;
    // The terminal's session knows until when, and whether the round still stands.
    let standing = doors.board().standing(terminal, doors.soon()).await?;
    let granted = standing.holder.filter(|holder| holder.claim == claim).ok_or_else(nowhere)?;
    Ok(HttpResponse::Ok().json(place(&doors, terminal, &granted)))
}

/// Leaves the terminal.
#[utoipa::path(delete, path = "/v1/binding", tag = "binding", operation_id = "leave", security(("phone" = [])),
    responses((status = 204, description = "The phone stands nowhere")))]
pub async fn leave(phone: Phone, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    doors.board().leave(phone.0.payer, doors.soon()).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl Stand {
    /// Where.
    pub fn terminal(&self) -> Result<TerminalId, Problem> {
        TerminalId::new(&self.terminal).map_err(|error| Problem::field("terminal", error.to_string()))
    }
}

fn place(doors: &Doors, terminal: TerminalId, granted: &Granted) -> PlaceView {
    let merchant = doors.roster().merchant_of(terminal).and_then(|id| doors.roster().merchant(id));
    PlaceView {
        terminal: terminal.to_string(),
        merchant_name: merchant.map_or_else(String::new, |merchant| merchant.name.clone().into()),
        epoch: granted.claim.epoch,
        until: rfc3339(granted.until.instant()),
    }
}
