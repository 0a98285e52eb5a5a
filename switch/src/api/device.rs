//! A phone's own key: its thumbprint, and its signature under what the payer saw.
//!
//! The key is made in the phone and never leaves it. A token is bound to it by its thumbprint (RFC 7638), a
//! confirmation by its signature (ECDSA P-256 with SHA-256, r‖s as WebCrypto makes it). The text that is signed is
//! part of the contract in docs/http-api.md.
use super::problem::{Kind, Problem};
use super::terminal_keys::sha256;
use actors::domain::identity::PaymentId;
use actors::domain::money::Money;
use actors::domain::payment::phase::Digest32;
use actors::planted::{Bug, is_planted};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;
use utoipa::ToSchema;

/// A phone's public key: a JWK with these four members.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceKey {
    #[allow(dead_code)]
    kty: KeyType,
    #[allow(dead_code)]
    crv: Curve,
    /// The point's x, 32 bytes in base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    x: String,
    /// The point's y, 32 bytes in base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    y: String,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
enum KeyType {
    #[serde(rename = "EC")]
    Ec,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
enum Curve {
    #[serde(rename = "P-256")]
    P256,
}

/// A device's key that is a point on the curve.
pub struct Device {
    point: [u8; 65],
    jkt: String,
}

/// What a payer was shown, in the terms of the confirmation's text.
pub struct Shown<'a> {
    /// The payment.
    pub payment: PaymentId,
    /// How much.
    pub money: Money,
    /// For whom.
    pub merchant: &'a str,
    /// Where; empty where no terminal takes part.
    pub terminal: &'a str,
    /// In which round.
    pub epoch: u64,
}

impl DeviceKey {
    /// The key, if it is one.
    pub fn device(&self) -> Result<Device, Problem> {
        let coordinate = |name: &'static str, text: &str| {
            let bytes = BASE64URL.decode(text).ok().filter(|bytes| bytes.len() == 32);
            bytes.ok_or_else(|| {
                Problem::field(name, "a coordinate has 32 bytes, as 43 characters of base64url")
            })
        };
        let (x, y) = (coordinate("device_key.x", &self.x)?, coordinate("device_key.y", &self.y)?);
        let mut point = [4; 65];
        point.iter_mut().skip(1).zip(x.iter().chain(&y)).for_each(|(to, from)| *to = *from);
        if p256::PublicKey::from_sec1_bytes(&point).is_err() {
            return Err(Problem::field("device_key", "x and y are not a point on the curve P-256"));
        }
        Ok(Device { point, jkt: thumbprint(&self.x, &self.y) })
    }
}

impl Device {
    /// The key's thumbprint.
    pub fn jkt(&self) -> &str {
        &self.jkt
    }

    /// Checks the signature (base64url of r‖s) under what was shown; its digest is what is kept of it.
    pub fn check(&self, shown: &Shown<'_>, signature: &str) -> Result<Digest32, Problem> {
        let signature =
            BASE64URL.decode(signature).ok().filter(|bytes| bytes.len() == 64).ok_or_else(|| {
                Problem::field(
                    "signature",
                    "a signature has 64 bytes (r and s), as 86 characters of base64url",
                )
            })?;
        let text = confirmation_text(shown);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point)
            .verify(text.as_bytes(), &signature)
            .or_else(|forged| if is_planted(Bug::SignatureUnchecked) { Ok(()) } else { Err(forged) })
            .map_err(|_| {
                Problem::new(Kind::Forbidden, "the signature does not fit what is to be confirmed")
            })?;
        Ok(Digest32(sha256(&[text.as_bytes(), &signature].concat())))
    }
}

/// The text that a device signs to confirm a payment.
pub fn confirmation_text(shown: &Shown<'_>) -> String {
    let Shown { payment, money, merchant, terminal, epoch } = shown;
    let (amount, currency) = (money.decimal(), money.currency().code());
    format!("turnout-confirmation-v1\n{payment}\n{amount}\n{currency}\n{merchant}\n{terminal}\n{epoch}")
}

/// The thumbprint (RFC 7638) of the P-256 key with these base64url coordinates.
pub fn thumbprint(x: &str, y: &str) -> String {
    BASE64URL.encode(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_published_example() {
        // RFC 9449, section 6.1: the key of its figures and the `jkt` it shows for it.
        let (x, y) =
            ("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA");
        assert_eq!(thumbprint(x, y), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_key_off_the_curve_is_refused() {
        let off = DeviceKey {
            kty: KeyType::Ec,
            crv: Curve::P256,
            x: BASE64URL.encode([1; 32]),
            y: BASE64URL.encode([1; 32]),
        };
        assert!(off.device().is_err());
    }
}
