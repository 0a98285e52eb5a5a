//! What a request says, read once and named: who asks, about which payment, with which key, how patiently, and what.
//!
//! Extractors are listed in a handler's arguments in the order in which they may refuse: who asks comes first, the
//! body last. Each refuses with a problem that names the field and what is allowed.
use super::doors::Doors;
use super::limits::{expect_media_type, whole_body};
use super::problem::{Kind, Problem};
use super::token::Holder;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use actors::domain::identity::{MerchantId, PaymentId, TerminalId};
use actors::domain::money::{Money, MoneyError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::{LocalBoxFuture, Ready, ready};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use std::time::Duration;

const BASIC: &str = "Basic realm=\"turnout terminals\", charset=\"UTF-8\"";
const BEARER: &str = "Bearer realm=\"turnout\"";
const BEARER_INVALID: &str = "Bearer realm=\"turnout\", error=\"invalid_token\"";

/// The doors, wherever a request needs them.
pub fn doors_of(request: &HttpRequest) -> Result<web::Data<Doors>, Problem> {
    request.app_data::<web::Data<Doors>>().cloned().ok_or_else(Problem::crashed)
}

/// A terminal that said who it is and proved it.
#[derive(Clone, Copy)]
pub struct Terminal {
    /// Which terminal.
    pub id: TerminalId,
    /// Whose it is.
    pub merchant: MerchantId,
}

impl FromRequest for Terminal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(terminal(request))
    }
}

fn terminal(request: &HttpRequest) -> Result<Terminal, Problem> {
    let doors = doors_of(request)?;
    let who = |detail: &'static str| Problem::unauthenticated(BASIC, detail);
    let said = authorization(request.headers(), "basic")
        .ok_or_else(|| who("a terminal says who it is with HTTP Basic: its id and its key"))?;
    let decoded = BASE64.decode(said).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let wrong = || who("the terminal's id or its key is wrong");
    let (id, key) = decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(wrong)?;
    let id = TerminalId::new(id).map_err(|_| wrong())?;
    if !doors.ports.terminal_keys.verify(id, key) {
        return Err(wrong());
    }
    let merchant = doors.roster().merchant_of(id).ok_or_else(|| {
        Problem::new(
            Kind::Forbidden,
            "this terminal belongs to no merchant: the operator has to assign it to one",
        )
    })?;
    Ok(Terminal { id, merchant })
}

/// A phone that holds a good token.
pub struct Phone(pub Holder);

impl FromRequest for Phone {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(phone(request))
    }
}

fn phone(request: &HttpRequest) -> Result<Phone, Problem> {
    let doors = doors_of(request)?;
    let token = authorization(request.headers(), "bearer")
        .ok_or_else(|| Problem::unauthenticated(BEARER, "log in, and send the token as Bearer"))?;
    let holder = doors.ports.tokens.read(doors.now(), token);
    holder.map(Phone).map_err(|fault| Problem::unauthenticated(BEARER_INVALID, fault.to_string()))
}

/// What an `Authorization` header of this scheme says.
pub fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (said, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    said.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}

/// The payment in the path.
#[derive(Clone, Copy)]
pub struct PaymentInPath(pub PaymentId);

impl FromRequest for PaymentInPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|id| PaymentId::parse(id).ok());
        let id = id.ok_or_else(|| Problem::new(Kind::NotFound, "there is no such payment here"));
        ready(id.map(PaymentInPath))
    }
}

/// How long the client would rather wait (RFC 7240), as far as the settings let it. What cannot be read is ignored,
/// as that standard has it.
#[derive(Clone, Copy)]
pub struct Prefer(pub Option<Duration>);

impl Prefer {
    /// The wait, or this one.
    pub fn wait_or(self, otherwise: Duration) -> Duration {
        self.0.unwrap_or(otherwise)
    }

    /// The `Preference-Applied` header, where a preference was.
    pub fn applied(self) -> Option<(&'static str, String)> {
        self.0.map(|wait| ("Preference-Applied", format!("wait={}", wait.as_secs())))
    }
}

impl FromRequest for Prefer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(doors_of(request).map(|doors| {
            let lines = request.headers().get_all("prefer").filter_map(|line| line.to_str().ok());
            let wait = lines.flat_map(|line| line.split([',', ';'])).find_map(wait_seconds);
            Self(wait.map(|wait| wait.min(doors.settings.wait_max)))
        }))
    }
}

fn wait_seconds(preference: &str) -> Option<Duration> {
    let (name, seconds) = preference.split_once('=')?;
    let seconds = seconds.trim().trim_matches('"').parse().ok()?;
    name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds))
}

/// The `Idempotency-Key`, quoted (as a structured-field string) or bare.
pub struct IdempotencyKey(pub String);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut said = request.headers().get_all("idempotency-key");
        let key = match (said.next(), said.next()) {
            (Some(key), None) => key.to_str().ok().map(unquoted),
            (Some(_), Some(_)) => None,
            (None, _) => Some(""),
        };
        ready(match key {
            Some("") => Err(Problem::field(
                "Idempotency-Key",
                "this header is required: a key of your own for what you ask",
            )),
            Some(key) => Ok(Self(key.to_owned())),
            None => Err(Problem::field(
                "Idempotency-Key",
                "this header carries one key of printable ASCII characters",
            )),
        })
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let doors = doors_of(&request)?;
            expect_media_type(&request, "application/json")?;
            let body = whole_body(&doors, request.headers(), payload, doors.settings.body_max).await?;
            json(&body).map(Json)
        })
    }
}

/// Reads a JSON body, naming the field that is wrong. Only what cannot be read is read again, to find the field.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match T::deserialize(Object(&mut deserializer)) {
        Ok(value) if deserializer.end().is_ok() => Ok(value),
        _ => complained_of(body),
    }
}

fn complained_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Object(&mut deserializer)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data if path != "." && is_like_ours(&path) => {
                Problem::field(path, complaint(&inner.to_string()))
            }
            serde_json::error::Category::Data => {
                Problem::new(Kind::InvalidField, complaint(&inner.to_string()))
            }
            _ => Problem::new(Kind::Malformed, format!("the body is not JSON: {inner}")),
        }
    })?;
    deserializer.end().map_err(|_| Problem::new(Kind::Malformed, "there is more after the JSON value"))?;
    Ok(value)
}

/// A deserializer that takes a struct from a JSON object only; serde's own would take an array of its values too.
struct Object<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A nested object: for `deserialize_with`.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(Object(from))
}

/// An absent field is none; a field that is there has a value, and `null` is not one: for `deserialize_with`.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// The message without line and column, which say little where the field is named, and without the value or an odd
/// name: somebody may have put a password there, and problems end in other people's logs.
fn complaint(text: &str) -> String {
    let message = text.rsplit_once(" at line ").map_or(text, |(message, _)| message);
    for (said, open, close) in [
        ("invalid type: string", " \"", "\", expected "),
        ("invalid value: string", " \"", "\", expected "),
        ("unknown variant", " `", "`, expected "),
        ("unknown field", " `", "`, expected "),
    ] {
        let value = message.strip_prefix(said).and_then(|rest| rest.strip_prefix(open));
        let is_field = said == "unknown field";
        if let Some((value, expected)) = value.and_then(|value| value.rsplit_once(close))
            && !(is_field && is_like_ours(value))
        {
            return format!("{said}, expected {expected}");
        }
    }
    message.to_owned()
}

/// Whether this could be the name of one of our fields, or the path to one: such a name is repeated to who sent it.
fn is_like_ours(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.[]".contains(&byte);
    name.len() <= 48 && name.bytes().all(fits)
}

/// What the query string says.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = web::Query::<T>::from_query(request.query_string());
        ready(read.map(|query| Self(query.into_inner())).map_err(|error| {
            let text = error.to_string();
            let text = text.strip_prefix("Query deserialize error: ").unwrap_or(&text);
            Problem::new(Kind::InvalidField, format!("the query string: {}", complaint(text)))
        }))
    }
}

/// An amount that can be asked for.
pub fn payable(amount: &str, currency: &str) -> Result<Money, Problem> {
    Money::parse_payable(amount, currency).map_err(|error| {
        let field = if error == MoneyError::UnknownCurrency { "currency" } else { "amount" };
        Problem::field(field, error.to_string())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_preference_is_read_among_others_and_nonsense_is_ignored() {
        assert_eq!(wait_seconds(" wait=10"), Some(Duration::from_secs(10)));
        assert_eq!(wait_seconds("Wait = \"7\""), Some(Duration::from_secs(7)));
        for nonsense in ["wait", "wait=", "wait=-1", "wait=soon", "respond-async"] {
            assert_eq!(wait_seconds(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_complaint_says_what_is_expected_and_not_what_came() {
        #[derive(Debug, Deserialize)]
        enum Curve {
            #[serde(rename = "P-256")]
            P256,
        }
        let said = |json: &str| complaint(&serde_json::from_str::<Curve>(json).unwrap_err().to_string());
        assert_eq!(said("\"se`, expected cret\""), "unknown variant, expected `P-256`");
        let said = |json: &str| complaint(&serde_json::from_str::<u64>(json).unwrap_err().to_string());
        assert_eq!(said("\"se\\\", expected cret\""), "invalid type: string, expected u64");
        assert_eq!(said("-5"), "invalid value: integer `-5`, expected u64");
        assert_eq!(complaint("unknown field `tip`, expected `a`"), "unknown field `tip`, expected `a`");
        assert_eq!(
            complaint("unknown field `se`, expected cret`, expected `a`"),
            "unknown field, expected `a`"
        );
    }

    #[test]
    fn a_key_is_the_same_quoted_and_bare() {
        assert_eq!(unquoted("\"sale-1\""), unquoted("sale-1"));
        assert_eq!(unquoted("\""), "\"");
    }
}
