//! Signed messages between the switch and a platform: Standard Webhooks, and its sister for requests.
//!
//! A message is signed over `id.timestamp.body`; a request over `id.timestamp.METHOD path.body`, so that it
//! cannot be sent to another door. Knows neither HTTP nor what a body says. Comparison takes constant time.
use actors::domain::time::Timestamp;
use actors::ports::platform::{CallbackFault, HeaderLookup};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use std::time::Duration;
use zeroize::Zeroizing;

/// The header that names a message; the same in every retry of it.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the seconds since the epoch at which it was signed.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures, `v1,<base64>`, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a timestamp may be from our clock.
pub const TOLERANCE: Duration = Duration::from_mins(5);

const SIGNATURES_MAX: usize = 4;

/// A secret that two sides share. It cannot be printed.
#[derive(Clone)]
pub struct SharedSecret(hmac::Key);

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shared secret is \"whsec_\" and 24 to 64 bytes in base64")]
pub struct NoSecret;

/// What goes into the three headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// For [`ID_HEADER`].
    pub id: String,
    /// For [`TIMESTAMP_HEADER`].
    pub timestamp: String,
    /// For [`SIGNATURE_HEADER`].
    pub signature: String,
}

impl Stamp {
    /// Header names and values.
    pub fn headers(&self) -> [(&'static str, &str); 3] {
        [(ID_HEADER, &self.id), (TIMESTAMP_HEADER, &self.timestamp), (SIGNATURE_HEADER, &self.signature)]
    }
}

impl SharedSecret {
    /// Reads a secret in Standard Webhooks' form, `whsec_…`.
    pub fn parse(text: &str) -> Result<Self, NoSecret> {
        let encoded = text.strip_prefix("whsec_").ok_or(NoSecret)?;
        let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| NoSecret)?);
        if !(24..=64).contains(&bytes.len()) {
            return Err(NoSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Signs a message.
    pub fn stamp_message(&self, id: String, now: Timestamp, body: &[u8]) -> Stamp {
        self.stamp(id, now, &[body])
    }

    /// Signs a request; `path` is as it goes over the wire, query included.
    pub fn stamp_request(&self, id: String, now: Timestamp, method: &str, path: &str, body: &[u8]) -> Stamp {
        self.stamp(id, now, &[method.as_bytes(), b" ", path.as_bytes(), b".", body])
    }

    /// Whether a message was signed with this secret, less than [`TOLERANCE`] away from `now`.
    pub fn check_message(
        &self,
        now: Timestamp,
        headers: &dyn HeaderLookup,
        body: &[u8],
    ) -> Result<(), CallbackFault> {
        self.check(now, headers, &[body])
    }

    /// Whether a request was signed with this secret, less than [`TOLERANCE`] away from `now`.
    pub fn check_request(
        &self,
        now: Timestamp,
        headers: &dyn HeaderLookup,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(), CallbackFault> {
        self.check(now, headers, &[method.as_bytes(), b" ", path.as_bytes(), b".", body])
    }

    fn stamp(&self, id: String, now: Timestamp, parts: &[&[u8]]) -> Stamp {
        let timestamp = now.secs().to_string();
        let tag = hmac::sign(&self.0, &signed_bytes(&id, &timestamp, parts));
        Stamp { id, timestamp, signature: format!("v1,{}", BASE64.encode(tag)) }
    }

    fn check(
        &self,
        now: Timestamp,
        headers: &dyn HeaderLookup,
        parts: &[&[u8]],
    ) -> Result<(), CallbackFault> {
        let header = |name| headers.header(name).ok_or(CallbackFault::Forged);
        let (id, timestamp) = (header(ID_HEADER)?, header(TIMESTAMP_HEADER)?);
        // A point in the id would let its end be read as a timestamp.
        if id.is_empty() || id.len() > 128 || id.contains('.') {
            return Err(CallbackFault::Forged);
        }
        let bytes = signed_bytes(id, timestamp, parts);
        let is_ours =
            |encoded| BASE64.decode(encoded).is_ok_and(|tag| hmac::verify(&self.0, &bytes, &tag).is_ok());
        let mut tags = header(SIGNATURE_HEADER)?.split(' ').take(SIGNATURES_MAX);
        if !tags.any(|tag| tag.strip_prefix("v1,").is_some_and(is_ours)) {
            return Err(CallbackFault::Forged);
        }
        let signed_at = timestamp.parse().ok().and_then(|secs: u64| secs.checked_mul(1_000_000));
        let signed_at = signed_at.map(Timestamp::from_micros).ok_or(CallbackFault::Stale)?;
        let is_near = now.since(signed_at) <= TOLERANCE && signed_at.since(now) <= TOLERANCE;
        if is_near { Ok(()) } else { Err(CallbackFault::Stale) }
    }
}

fn signed_bytes(id: &str, timestamp: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("{id}.{timestamp}.").into_bytes();
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug)]
    struct Headers(Stamp);

    impl HeaderLookup for Headers {
        fn header(&self, name: &str) -> Option<&str> {
            self.0.headers().into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
        }
    }

    /// The example of the Standard Webhooks reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNED_AT: Timestamp = Timestamp::from_micros(1_614_265_330_000_000);

    fn secret() -> SharedSecret {
        SharedSecret::parse(SECRET).unwrap()
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        let stamp = secret().stamp_message("msg_p5jXN8AQM9LWM0D4loKWxJek".into(), SIGNED_AT, BODY);
        assert_eq!(stamp.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret().check_message(SIGNED_AT, &Headers(stamp), BODY), Ok(()));
    }

    #[test]
    fn a_changed_body_path_or_secret_is_forged() {
        let stamp = secret().stamp_request("a".into(), SIGNED_AT, "POST", "/v1/permits", BODY);
        let check = |secret: &SharedSecret, path, body| {
            secret.check_request(SIGNED_AT, &Headers(stamp.clone()), "POST", path, body)
        };
        let other = SharedSecret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!(check(&secret(), "/v1/permits", BODY), Ok(()));
        assert_eq!(check(&secret(), "/v1/permits", b"{}"), Err(CallbackFault::Forged));
        assert_eq!(check(&secret(), "/v1/books", BODY), Err(CallbackFault::Forged));
        assert_eq!(check(&other, "/v1/permits", BODY), Err(CallbackFault::Forged));
    }

    #[test]
    fn a_signature_is_stale_after_300_seconds_and_as_long_before() {
        let stamp = Headers(secret().stamp_message("a".into(), SIGNED_AT, BODY));
        let at = |secs: u64| secret().check_message(Timestamp::from_micros(secs * 1_000_000), &stamp, BODY);
        assert_eq!(at(SIGNED_AT.secs() + 300), Ok(()));
        assert_eq!(at(SIGNED_AT.secs() + 301), Err(CallbackFault::Stale));
        assert_eq!(at(SIGNED_AT.secs() - 301), Err(CallbackFault::Stale));
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(SharedSecret::parse("whsec_AAAA").is_err());
        assert!(SharedSecret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_err());
    }
}
