//! Everything that is not the answer hoped for, as `application/problem+json` (RFC 9457).
//!
//! One closed set of kinds, each with its status; the detail says what to change and, where one field is to blame,
//! which. No word of what went wrong inside leaves by here. Faults and misfits of the actors get their status here.
use super::doorman;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use actors::answer::Fault;
use actors::domain::payment::command::Misfit;
use actors::ports::code_sender::CodeNotSent;
use actors::ports::history::HistoryFault;
use actors::ports::platform::CallbackFault;
use actors::switchboard::{NotTakenIn, Refused};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What a client is told when it does not get what it hoped for.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    header: Option<(header::HeaderName, String)>,
}

/// What kind of problem it is: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is not JSON, or not in the agreed form.
    Malformed,
    /// A field has a value that is not allowed, is missing or is unknown.
    InvalidField,
    /// Nobody, or nobody we know.
    Unauthenticated,
    /// Somebody, but not allowed.
    Forbidden,
    /// There is no such thing, or not for the one who asked.
    NotFound,
    /// There is, but not with this method.
    MethodNotAllowed,
    /// The body took too long to arrive.
    TooSlow,
    /// It does not fit how things stand.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body's media type is not what is read here.
    UnsupportedMediaType,
    /// Understood and impossible.
    Unprocessable,
    /// A bug of ours.
    Crashed,
    /// The same asker, too often.
    TooOften,
    /// Too much is under way.
    Overloaded,
    /// This node is not to be asked now.
    Unavailable,
    /// No answer in time.
    Late,
}

/// The body of a problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// What kind of problem it is: a stable name.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:turnout:problem:[a-z-]+$")]
    kind: &'a str,
    /// The same for people.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What to change.
    detail: &'a str,
    /// The field that is to blame, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
}

impl Kind {
    const fn urn(self) -> &'static str {
        match self {
            Self::Malformed => "urn:turnout:problem:malformed",
            Self::InvalidField => "urn:turnout:problem:invalid-field",
            Self::Unauthenticated => "urn:turnout:problem:unauthenticated",
            Self::Forbidden => "urn:turnout:problem:forbidden",
            Self::NotFound => "urn:turnout:problem:not-found",
            Self::MethodNotAllowed => "urn:turnout:problem:method-not-allowed",
            Self::TooSlow => "urn:turnout:problem:too-slow",
            Self::Conflict => "urn:turnout:problem:conflict",
            Self::TooLarge => "urn:turnout:problem:too-large",
            Self::UnsupportedMediaType => "urn:turnout:problem:unsupported-media-type",
            Self::Unprocessable => "urn:turnout:problem:unprocessable",
            Self::Crashed => "urn:turnout:problem:crashed",
            Self::TooOften => "urn:turnout:problem:too-often",
            Self::Overloaded => "urn:turnout:problem:overloaded",
            Self::Unavailable => "urn:turnout:problem:unavailable",
            Self::Late => "urn:turnout:problem:late",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request cannot be read",
            Self::InvalidField => "A value is not allowed",
            Self::Unauthenticated => "Who is asking is not known",
            Self::Forbidden => "This is not allowed",
            Self::NotFound => "There is no such thing here",
            Self::MethodNotAllowed => "This method is not allowed here",
            Self::TooSlow => "The request took too long to arrive",
            Self::Conflict => "This does not fit how things stand",
            Self::TooLarge => "The request is too large",
            Self::UnsupportedMediaType => "This media type is not read here",
            Self::Unprocessable => "This cannot be done",
            Self::Crashed => "The switch could not finish its work",
            Self::TooOften => "This was asked too often",
            Self::Overloaded => "Too much is under way",
            Self::Unavailable => "This node is not to be asked now",
            Self::Late => "No answer in time",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::InvalidField => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Crashed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Late => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl Problem {
    /// A problem of this kind, with what to change.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), field: None, header: None }
    }

    /// A field is to blame.
    pub fn field(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Kind::InvalidField, detail) }
    }

    /// Nobody we know; `challenge` says how to say who one is.
    pub fn unauthenticated(challenge: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        let header = Some((header::WWW_AUTHENTICATE, challenge.to_owned()));
        Self { header, ..Self::new(Kind::Unauthenticated, detail) }
    }

    /// Another method would do.
    pub fn method_not_allowed(allow: &str) -> Self {
        let header = Some((header::ALLOW, allow.to_owned()));
        Self { header, ..Self::new(Kind::MethodNotAllowed, format!("use {allow}")) }
    }

    /// There is nothing at this address.
    pub fn no_such_address() -> Self {
        Self::new(Kind::NotFound, "there is nothing at this address: see /openapi.json for what there is")
    }

    /// A bug of ours, without a word of it.
    pub fn crashed() -> Self {
        Self::new(
            Kind::Crashed,
            "the work broke off inside the switch: repeat the request with the same key to learn what became of it",
        )
    }

    /// When it is worth asking again.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        Self { header: Some((header::RETRY_AFTER, seconds.to_string())), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.kind.status());
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), value.as_str()));
        }
        if matches!(self.kind, Kind::TooSlow | Kind::TooLarge) {
            // What is left of the body is not worth reading.
            response.force_close();
        }
        let mut response = response.content_type(HeaderValue::from_static(MEDIA_TYPE)).json(ProblemBody {
            kind: self.kind.urn(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
        });
        doorman::guard_headers(response.headers_mut());
        response
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Overloaded { retry_after } => {
                Self::new(Kind::Overloaded, "nothing was done: ask again later").retry_after(retry_after)
            }
            Fault::TooOften { retry_after } => {
                Self::new(Kind::TooOften, "ask less often, or wait for the answer with Prefer: wait")
                    .retry_after(retry_after)
            }
            Fault::Restarting { retry_after } => {
                Self::new(Kind::Unavailable, "repeat the request with the same key").retry_after(retry_after)
            }
            Fault::Draining => Self::new(Kind::Unavailable, "this node is being shut down: ask another one")
                .retry_after(Duration::from_secs(1)),
            Fault::Expired => Self::new(
                Kind::Late,
                "no answer in time: repeat the request with the same key to learn what became of it",
            ),
            Fault::Crashed => Self::crashed(),
        }
    }
}

impl From<Misfit> for Problem {
    fn from(misfit: Misfit) -> Self {
        let kind = match misfit {
            Misfit::NotYours => Kind::NotFound,
            Misfit::SameKeyOtherData | Misfit::MoreThanPaid | Misfit::TooManyRefunds => Kind::Unprocessable,
            Misfit::StaleBinding
            | Misfit::OtherAmount
            | Misfit::NotNow
            | Misfit::PermitSpent
            | Misfit::NotPaid
            | Misfit::AlreadyRefunded => Kind::Conflict,
        };
        Self::new(kind, misfit.to_string())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Fault(fault) => fault.into(),
            Refused::Misfit(misfit) => misfit.into(),
            Refused::NoSuchPayment | Refused::NoSuchTerminal => {
                Self::new(Kind::NotFound, refused.to_string())
            }
            Refused::Taken(_) => Self::new(Kind::Conflict, refused.to_string()),
        }
    }
}

impl From<NotTakenIn> for Problem {
    fn from(not: NotTakenIn) -> Self {
        match not {
            NotTakenIn::NoSuchPlatform => Self::new(Kind::NotFound, not.to_string()),
            NotTakenIn::Callback(fault @ (CallbackFault::Forged | CallbackFault::Stale)) => {
                Self::unauthenticated("Signature", fault.to_string())
            }
            NotTakenIn::Callback(fault @ CallbackFault::Malformed(_)) => {
                Self::new(Kind::Malformed, fault.to_string())
            }
            NotTakenIn::Refused(refused) => refused.into(),
        }
    }
}

impl From<CodeNotSent> for Problem {
    fn from(_: CodeNotSent) -> Self {
        Self::new(Kind::Unavailable, "the code could not be sent: ask for another one")
            .retry_after(Duration::from_secs(5))
    }
}

impl From<HistoryFault> for Problem {
    fn from(_: HistoryFault) -> Self {
        Self::new(Kind::Unavailable, "the history cannot be read now").retry_after(Duration::from_secs(1))
    }
}
