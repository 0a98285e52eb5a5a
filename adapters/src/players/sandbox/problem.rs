//! What the sandbox says when it says no: RFC 9457, with a code for machines and the field to blame.
//!
//! The codes are the sandbox's published interface: the switch's adapter decides by them whether money may have moved.
//! Knows no reason that is not final for the request as it stands.
use super::books::BooksRefusal;
use actors::domain::identity::PaymentId;
use hyper::StatusCode;
use serde::Serialize;
use std::fmt;

/// An error as the caller gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    payment: Option<PaymentId>,
}

#[derive(Serialize)]
struct ProblemPage<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
}

impl Problem {
    /// A problem with this status, code and sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl fmt::Display) -> Self {
        Self { status, code, detail: detail.to_string(), field: None, payment: None }
    }

    /// A field is not what it must be.
    pub fn invalid(field: &str, detail: impl fmt::Display) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        Self { field: Some(field.to_owned()), ..problem }
    }

    /// The books do not follow.
    pub fn refused(payment: Option<PaymentId>, refusal: BooksRefusal) -> Self {
        let (status, code) = match refusal {
            BooksRefusal::Reversed => (StatusCode::CONFLICT, "reversed"),
            BooksRefusal::AlreadyPaid => (StatusCode::CONFLICT, "already_paid"),
            BooksRefusal::StillPending => (StatusCode::CONFLICT, "still_pending"),
            BooksRefusal::Superseded => (StatusCode::CONFLICT, "superseded"),
            BooksRefusal::NotPaid => (StatusCode::CONFLICT, "not_paid"),
            BooksRefusal::ExceedsPayment => (StatusCode::CONFLICT, "exceeds_payment"),
            BooksRefusal::Differs => (StatusCode::UNPROCESSABLE_ENTITY, "differs"),
            BooksRefusal::NoSuchPayment => (StatusCode::NOT_FOUND, "no_such_payment"),
            BooksRefusal::NoSuchPermit => (StatusCode::NOT_FOUND, "no_such_permit"),
            BooksRefusal::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
        };
        Self { payment, ..Self::new(status, code, refusal) }
    }

    /// The same, about this payment.
    #[must_use]
    pub fn about(self, payment: PaymentId) -> Self {
        Self { payment: Some(payment), ..self }
    }

    /// The status it goes with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// `application/problem+json`.
    pub fn page(&self) -> Vec<u8> {
        let page = ProblemPage {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
            payment: self.payment.map(|payment| payment.to_string()),
        };
        serde_json::to_vec(&page).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}
