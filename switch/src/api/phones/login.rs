//! Logging in: a one-time code to the subscriber's number, then a short token bound to the phone's key.
use crate::api::device::{Device, DeviceKey};
use crate::api::doors::{Codes, Doors};
use crate::api::extract::{Json, object};
use crate::api::problem::{Kind, Problem, ProblemBody};
use actix_web::{HttpResponse, web};
use actors::domain::identity::PayerId;
use actors::one_time_code::CodeVerdict;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscriber {
    /// The subscriber's number: digits, with `+` before them or not.
    #[schema(example = "15550000001", pattern = r"^\+?[0-9]{3,15}$")]
    subscriber: String,
}

/// A code is on its way.
#[derive(Serialize, ToSchema)]
pub struct CodeSent {
    /// How long it is good for, in seconds.
    expires_in: u64,
    /// The code itself, where the configuration shows it: demonstrations only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
}

/// The code, and the phone's key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    #[schema(example = "15550000001", pattern = r"^\+?[0-9]{3,15}$")]
    subscriber: String,
    /// The code that was sent.
    #[schema(example = "123456", pattern = "^[0-9]{6}$")]
    code: String,
    #[serde(deserialize_with = "object")]
    device_key: DeviceKey,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// How long it is good for, in seconds.
    #[schema(maximum = 600)]
    expires_in: u64,
    /// Who is logged in.
    payer: String,
}

/// Sends a one-time code to a subscriber.
#[utoipa::path(post, path = "/v1/login/codes", tag = "log in", operation_id = "sendCode", request_body = Subscriber,
    responses((status = 202, description = "On its way", body = CodeSent)))]
pub async fn send_code(
    doors: web::Data<Doors>,
    Json(who): Json<Subscriber>,
) -> Result<HttpResponse, Problem> {
    let code = doors.board().send_code(who.payer()?).await?;
    let sent = CodeSent {
        expires_in: doors.board().world().rules.code_lasts.as_secs(),
        code: match doors.settings.codes {
            Codes::Shown => Some(code),
            Codes::Secret => None,
        },
    };
    Ok(HttpResponse::Accepted().json(sent))
}

/// Exchanges the code for a token that is bound to the phone's key.
#[utoipa::path(post, path = "/v1/login", tag = "log in", operation_id = "logIn", request_body = LogIn,
    responses(
        (status = 200, description = "Logged in", body = LoggedIn),
        (status = 403, description = "The code is wrong, used up or too old", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn log_in(doors: web::Data<Doors>, Json(said): Json<LogIn>) -> Result<HttpResponse, Problem> {
    let (payer, device) = said.payer_and_device()?;
    match doors.board().check_code(payer, &said.code, doors.soon()).await? {
        CodeVerdict::Right => {}
        CodeVerdict::Wrong => {
            return Err(Problem::new(
                Kind::Forbidden,
                "the code is wrong, used up or too old: ask for a new one",
            ));
        }
    }
    let minted = doors.ports.tokens.mint(doors.now(), payer, device.jkt());
    Ok(HttpResponse::Ok().json(LoggedIn {
        access_token: minted.token,
        token_type: "Bearer",
        expires_in: minted.lasts.as_secs(),
        payer: payer.to_string(),
    }))
}

impl Subscriber {
    /// Who it is.
    pub fn payer(&self) -> Result<PayerId, Problem> {
        payer(&self.subscriber)
    }
}

impl LogIn {
    /// Who it is, with which phone.
    pub fn payer_and_device(&self) -> Result<(PayerId, Device), Problem> {
        Ok((payer(&self.subscriber)?, self.device_key.device()?))
    }
}

/// The payer with this number; the `+` that some write before it makes no difference.
fn payer(subscriber: &str) -> Result<PayerId, Problem> {
    let digits = subscriber.strip_prefix('+').unwrap_or(subscriber);
    let is_number = (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    PayerId::new(digits).ok().filter(|_| is_number).ok_or_else(|| {
        Problem::field("subscriber", "a subscriber's number has 3 to 15 digits, with + before them or not")
    })
}
