//! Who stands before the doors while there is a pace: whoever would begin something new is sent away before much is done for it.
//!
//! Only the two requests with which a payment begins are looked at, and only so far as to know at which terminal: neither key nor
//! token is checked, and nothing is let in here. Whoever is not sent away is asked everything as ever. What a merchant may still begin is
//! `actors::gate`'s to say; how long an answer is held back, `doorman`'s.
use super::doors::Doors;
use super::extract::authorization;
use super::limits::whole_body;
use super::problem::Problem;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::{Method, header};
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use actors::domain::identity::TerminalId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::once;
use serde::Deserialize;

/// What says where a phone is to stand has no more bytes than these; whatever has is looked at later.
const STAND_MAX: usize = 512;

/// Which request begins a payment at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// None of this route's.
    Nothing,
    /// A phone's, that is to stand at a terminal.
    Standing,
    /// A terminal's order.
    Order,
}

/// As much of what a phone says as has to be known.
#[derive(Deserialize)]
struct Stand<'a> {
    #[serde(borrow)]
    terminal: &'a str,
}

impl Begins {
    /// Lets by whoever does not begin anything, or may.
    pub async fn pass(self, doors: &Doors, asked: &mut ServiceRequest) -> Result<(), HttpResponse> {
        let gate = doors.board().world().rooms().sessions.gate();
        if self == Self::Nothing || !gate.is_pressed() || asked.method() != self.method() {
            return Ok(());
        }
        let terminal = match self {
            Self::Standing => {
                where_to_stand(doors, asked).await.map_err(|problem| problem.error_response())?
            }
            _ => who_orders(asked),
        };
        let Some(terminal) = terminal else { return Ok(()) };
        let Some(merchant) = doors.roster().merchant_of(terminal) else { return Ok(()) };
        gate.turn_away(doors.now(), merchant, terminal).map_err(|fault| Problem::from(fault).error_response())
    }

    const fn method(self) -> Method {
        match self {
            Self::Standing => Method::PUT,
            Self::Nothing | Self::Order => Method::POST,
        }
    }
}

/// The terminal that an order says it is of.
fn who_orders(asked: &ServiceRequest) -> Option<TerminalId> {
    let said = BASE64.decode(authorization(asked.headers(), "basic")?).ok()?;
    let colon = said.iter().position(|byte| *byte == b':')?;
    TerminalId::new(std::str::from_utf8(said.get(..colon)?).ok()?).ok()
}

/// The terminal at which a phone is to stand. The body is read, and put back for whoever reads it next.
async fn where_to_stand(doors: &Doors, asked: &mut ServiceRequest) -> Result<Option<TerminalId>, Problem> {
    let announced = asked.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_none_or(|length: usize| length > STAND_MAX) {
        return Ok(None);
    }
    let payload = asked.take_payload();
    let body = whole_body(doors, asked.request(), payload, STAND_MAX).await?;
    let stand: Option<Stand<'_>> = serde_json::from_slice(&body).ok();
    let terminal = stand.and_then(|stand| TerminalId::new(stand.terminal).ok());
    asked.set_payload(Payload::Stream { payload: Box::pin(once(ready(Ok(Bytes::from(body))))) });
    Ok(terminal)
}
