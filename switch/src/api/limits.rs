//! How much of a body is read, and for how long it is waited for: actix bounds the head, nobody but us the body.
use super::doors::Doors;
use super::problem::{Kind, Problem};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use futures_util::StreamExt;

/// Reads a whole body of at most `most` bytes, within the time that the settings give it.
pub async fn whole_body(
    doors: &Doors,
    headers: &HeaderMap,
    mut payload: Payload,
    most: usize,
) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format!("a body has at most {most} bytes here"));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > most_u64(most)) {
        return Err(too_large());
    }
    let within = doors.settings.body_within;
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(Kind::Malformed, "the body broke off"))?;
            if body.len().saturating_add(chunk.len()) > most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(within, read).await.unwrap_or_else(|_| {
        Err(Problem::new(Kind::TooSlow, format!("a body has to arrive within {} seconds", within.as_secs())))
    })
}

/// Refuses a body of another media type.
pub fn expect_media_type(request: &HttpRequest, expected: &str) -> Result<(), Problem> {
    let said = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = said.map(|said| said.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMediaType, format!("the body has to be {expected}")))
}

fn most_u64(most: usize) -> u64 {
    u64::try_from(most).unwrap_or(u64::MAX)
}
