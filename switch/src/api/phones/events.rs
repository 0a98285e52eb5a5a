//! The stream that wakes phones.
use crate::api::doors::Doors;
use crate::api::extract::Phone;
use crate::api::problem::Problem;
use crate::api::sse;
use actix_web::{HttpRequest, HttpResponse, web};

/// Server-Sent Events: `payment` with the payment as data, `resync` when too much was missed: fetch the list.
///
/// What the payer is to act on is told at once; any other step within 20 ms, and not at all if the next one is there by then.
///
/// Ends with the token.
#[utoipa::path(get, path = "/v1/events", tag = "payments", operation_id = "followEvents", security(("phone" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The id that was seen last", nullable = false)),
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream")))]
pub async fn follow_events(
    phone: Phone,
    doors: web::Data<Doors>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let place = doors.streams.place()?;
    let seen =
        request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).and_then(sse::last_seen);
    let listening = doors.board().listen(phone.0.payer, seen, doors.soon()).await?;
    Ok(sse::changes(doors, listening, phone.0.until, place))
}
