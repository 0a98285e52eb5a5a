//! The platforms' door: their signed word about a payment, believed or not by the platform's own adapter.
//!
//! Bodies are handed on as they came, since the signature is over the bytes. The answer is given once the word is
//! journaled, so a platform that repeats itself until then loses nothing.
use super::doors::Doors;
use super::limits::whole_body;
use super::openapi::PlatformParam;
use super::problem::{Kind, Problem};
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::domain::identity::PlatformId;
use actors::planted::{Bug, is_planted};
use actors::ports::platform::{CallbackMessage, HeaderLookup};

/// Takes in a platform's word.
#[utoipa::path(post, path = "/v1/callbacks/{platform}", tag = "callbacks", operation_id = "takeCallback", params(PlatformParam),
    request_body(content = String, content_type = "application/json", description = "As the platform's protocol has it; signed"),
    responses(
        (status = 204, description = "Journaled"),
        (status = 401, description = "Forged or stale", body = super::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such payment or platform", body = super::problem::ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn take_callback(
    doors: web::Data<Doors>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let platform = PlatformId::new(request.match_info().get("platform").unwrap_or_default())
        .map_err(|_| Problem::new(Kind::NotFound, "there is no platform of this name"))?;
    let body = whole_body(&doors, request.headers(), payload.into_inner(), doors.settings.body_max).await?;
    if is_planted(Bug::CallbackAckedEarly) {
        actix_rt::spawn(async move {
            let message = CallbackMessage { headers: &Headers(request.headers()), body: &body };
            doors.board().called_back(platform, &message, doors.soon()).await.ok();
        });
        return Ok(HttpResponse::NoContent().finish());
    }
    let headers = Headers(request.headers());
    let message = CallbackMessage { headers: &headers, body: &body };
    doors.board().called_back(platform, &message, doors.soon()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The headers as adapters look at them. They may carry secrets, so they are not printed.
struct Headers<'a>(&'a HeaderMap);

impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Headers({})", self.0.len())
    }
}

impl HeaderLookup for Headers<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.0.get_all(name);
        let value = values.next()?.to_str().ok();
        value.filter(|_| values.next().is_none())
    }
}
