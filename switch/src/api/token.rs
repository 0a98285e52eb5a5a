//! The phones' tokens: JWS compact (RFC 7515), HS256, good for minutes, bound to a device key by `cnf.jkt` (RFC 7800).
//!
//! The header is fixed, so no header is ever believed. Time is the caller's. Whose device it is, is `device`'s to say.
use actors::domain::identity::PayerId;
use actors::domain::time::{Deadline, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest that a token may last.
pub const LASTS_MAX: Duration = Duration::from_mins(10);
/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Mints and reads tokens.
pub struct Tokens {
    key: hmac::Key,
    lasts: Duration,
}

/// The key is too short for HMAC-SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token secret must have at least 32 bytes (RFC 7518, section 3.2)")]
pub struct SecretTooShort;

/// A token for a phone.
pub struct Minted {
    /// The token.
    pub token: String,
    /// How long it is good for.
    pub lasts: Duration,
}

/// Who holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whose phone.
    pub payer: PayerId,
    /// The thumbprint of the phone's key.
    pub jkt: String,
    /// Until when.
    pub until: Deadline,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is not one of ours.
    #[error("the token is not one of this switch's: log in again")]
    Forged,
    /// It was.
    #[error("the token has expired: log in again")]
    Expired,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: PayerId,
    cnf: Confirmation,
    iat: u64,
    exp: u64,
}

#[derive(Serialize, Deserialize)]
struct Confirmation {
    jkt: String,
}

impl Tokens {
    /// Tokens signed with `secret`, good for `lasts` but never for more than [`LASTS_MAX`].
    pub fn new(secret: &[u8], lasts: Duration) -> Result<Self, SecretTooShort> {
        if secret.len() < 32 {
            return Err(SecretTooShort);
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), lasts: lasts.min(LASTS_MAX) })
    }

    /// A token for `payer`'s phone with the key of this thumbprint.
    pub fn mint(&self, now: Timestamp, payer: PayerId, jkt: &str) -> Minted {
        let iat = now.secs();
        let exp = iat.saturating_add(self.lasts.as_secs());
        let claims = Claims { sub: payer, cnf: Confirmation { jkt: jkt.to_owned() }, iat, exp };
        let claims = BASE64URL.encode(serde_json::to_vec(&claims).unwrap_or_default());
        let signed = format!("{HEADER}.{claims}");
        let tag = BASE64URL.encode(hmac::sign(&self.key, signed.as_bytes()));
        Minted { token: format!("{signed}.{tag}"), lasts: self.lasts }
    }

    /// Who holds `token`, if it is good.
    pub fn read(&self, now: Timestamp, token: &str) -> Result<Holder, TokenFault> {
        let (signed, tag) = token.rsplit_once('.').ok_or(TokenFault::Forged)?;
        let tag = BASE64URL.decode(tag).map_err(|_| TokenFault::Forged)?;
        hmac::verify(&self.key, signed.as_bytes(), &tag).map_err(|_| TokenFault::Forged)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenFault::Forged)?;
        let claims = BASE64URL.decode(claims).map_err(|_| TokenFault::Forged)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| TokenFault::Forged)?;
        if header != HEADER {
            return Err(TokenFault::Forged);
        }
        let until = Deadline::at(Timestamp::from_micros(claims.exp.saturating_mul(1_000_000)));
        if until.is_over(now) {
            return Err(TokenFault::Expired);
        }
        Ok(Holder { payer: claims.sub, jkt: claims.cnf.jkt, until })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn tokens(secret: u8) -> Tokens {
        Tokens::new(&[secret; 32], Duration::from_hours(1)).unwrap()
    }

    fn payer() -> PayerId {
        PayerId::new("15550000001").unwrap()
    }

    #[test]
    fn a_token_tells_its_holder_for_ten_minutes_at_most() {
        let minted = tokens(1).mint(NOW, payer(), "thumb");
        let holder = tokens(1).read(NOW, &minted.token).unwrap();
        assert_eq!((holder.payer, holder.jkt.as_str()), (payer(), "thumb"));
        assert_eq!(holder.until.left(NOW), LASTS_MAX);
        assert_eq!(tokens(1).read(NOW.plus(LASTS_MAX), &minted.token), Err(TokenFault::Expired));
    }

    #[test]
    fn a_token_that_was_touched_is_forged() {
        let minted = tokens(1).mint(NOW, payer(), "thumb").token;
        assert_eq!(tokens(2).read(NOW, &minted), Err(TokenFault::Forged));
        let unsigned = BASE64URL.encode(r#"{"alg":"none"}"#);
        let (_, rest) = minted.split_once('.').unwrap();
        for forged in ["", ".", "..", "a.b.c", &format!("{unsigned}.{rest}"), &format!("{minted}A")] {
            assert_eq!(tokens(1).read(NOW, forged), Err(TokenFault::Forged), "{forged}");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(Tokens::new(&[0; 31], LASTS_MAX).is_err());
    }
}
