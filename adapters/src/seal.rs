//! The phone's side of the sealed credential: account and password as a compact JWE for the platform's key.
//!
//! RFC 7516 with ECDH-ES (RFC 7518 4.6, direct) and A256GCM. The protected header pins the payment, so that nobody
//! on the way can move the credential to another one. The platform's side opens it; the switch never does.
use actors::domain::identity::{MerchantId, PaymentId};
use actors::domain::money::Money;
use actors::domain::time::Deadline;
use actors::ports::clock::Dice;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{EncodedPoint, FieldBytes, PublicKey, SecretKey};
use ring::aead;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The key agreement of the protected header.
pub const ALG: &str = "ECDH-ES";
/// The content encryption of the protected header.
pub const ENC: &str = "A256GCM";

/// What the credential is good for; authenticated together with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealTerms<'a> {
    /// The payment, and no other.
    pub payment: PaymentId,
    /// The amount that the payer saw.
    pub money: Money,
    /// The merchant that the payer saw.
    pub merchant: MerchantId,
    /// The platform's name for the permit.
    pub permit: &'a str,
    /// After this the platform refuses it.
    pub expires: Deadline,
}

/// Account and password, as the payer types them. They cannot be printed.
#[derive(Clone, Copy)]
pub struct Credential<'a> {
    /// The payer's account at the platform.
    pub account: &'a str,
    /// Its password.
    pub password: &'a str,
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// The platform's key cannot be used.
    #[error("the platform's key must be a JWK with kty EC, crv P-256 and a point on the curve")]
    Key,
    /// The credential is too long to be one.
    #[error("account and password have at most 256 bytes each")]
    TooLong,
    /// The dice are broken.
    #[error("no ephemeral key could be made: the source of randomness repeats itself")]
    Dice,
}

/// A public EC key as JSON (RFC 7517, RFC 7518 6.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicJwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// The point's x, 32 bytes in base64url.
    pub x: String,
    /// The point's y, 32 bytes in base64url.
    pub y: String,
    /// `enc`, if the key says what it is for.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// The protected header (RFC 7516 4) with what it pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedHeader {
    /// [`ALG`].
    pub alg: String,
    /// [`ENC`].
    pub enc: String,
    /// The phone's ephemeral key.
    pub epk: PublicJwk,
    /// Agreement PartyUInfo, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apu: Option<String>,
    /// Agreement PartyVInfo, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apv: Option<String>,
    /// Extensions that must be understood; none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crit: Option<Vec<String>>,
    /// The payment's id.
    pub payment: String,
    /// The amount, a decimal string.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// The merchant's id.
    pub merchant: String,
    /// The platform's name for the permit.
    pub permit: String,
    /// Seconds since the epoch after which it is void.
    pub exp: u64,
    /// Random, so that no two are alike.
    pub nonce: String,
}

const CREDENTIAL_BYTES_MAX: usize = 256;

/// Seals `credential` for the holder of `platform_jwk`, good for `terms` only.
pub fn seal(
    platform_jwk: &str,
    terms: &SealTerms<'_>,
    credential: Credential<'_>,
    dice: &dyn Dice,
) -> Result<String, SealFault> {
    let platform: PublicJwk = serde_json::from_str(platform_jwk).map_err(|_| SealFault::Key)?;
    let platform = platform.point().ok_or(SealFault::Key)?;
    let ephemeral = ephemeral_key(dice)?;
    let agreed = agreed_key(&ephemeral, &platform, &[], &[]);
    let epk = PublicJwk { usage: None, ..PublicJwk::of(&ephemeral.public_key()) };
    seal_under(&agreed, epk, terms, credential, dice)
}

/// Whether `bytes` have the form of a compact JWE (RFC 7516 3.1): all that can be said of one without its key.
pub fn is_compact_jwe(bytes: &[u8]) -> bool {
    let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'.').collect();
    // The second part, the encrypted key, is empty with ECDH-ES.
    let whole = parts.iter().enumerate().all(|(place, part)| place == 1 || !part.is_empty());
    parts.len() == 5 && whole && parts.iter().all(|part| part.iter().all(is_base64url))
}

/// Seals under the content key that the holder of `epk`'s private half agreed on with the platform's key.
pub(crate) fn seal_under(
    agreed: &[u8; 32],
    epk: PublicJwk,
    terms: &SealTerms<'_>,
    credential: Credential<'_>,
    dice: &dyn Dice,
) -> Result<String, SealFault> {
    let header = serde_json::to_vec(&header(terms, epk, dice)).map_err(|_| SealFault::Key)?;
    let header = BASE64URL.encode(header);
    let mut iv = [0; aead::NONCE_LEN];
    dice.fill(&mut iv);
    let mut sealed = plaintext(credential)?;
    let nonce = aead::Nonce::assume_unique_for_key(iv);
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, agreed).map_err(|_| SealFault::Key)?;
    let tag = aead::LessSafeKey::new(key)
        .seal_in_place_separate_tag(nonce, aead::Aad::from(&header), &mut sealed)
        .map_err(|_| SealFault::TooLong)?;
    let [iv, sealed, tag] = [&iv[..], &sealed[..], tag.as_ref()].map(|part| BASE64URL.encode(part));
    // ECDH-ES in direct mode has no encrypted key: its part is empty.
    Ok(format!("{header}..{iv}.{sealed}.{tag}"))
}

/// The content key that both sides agree on (RFC 7518 4.6.2, direct, A256GCM).
pub fn agreed_key(own: &SecretKey, other: &PublicKey, party_u: &[u8], party_v: &[u8]) -> Zeroizing<[u8; 32]> {
    let secret = p256::ecdh::diffie_hellman(own.to_nonzero_scalar(), other.as_affine());
    derived_key(secret.raw_secret_bytes(), party_u, party_v)
}

/// The content key of a secret agreed on (A256GCM).
pub(crate) fn derived_key(secret: &[u8], party_u: &[u8], party_v: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    concat_kdf(secret, ENC, party_u, party_v, &mut *key);
    key
}

/// One round of the Concat KDF with SHA-256 (NIST SP 800-56A 5.8.1 as RFC 7518 4.6.2 uses it): fills
/// `key`, which has at most 32 bytes.
fn concat_kdf(secret: &[u8], algorithm: &str, party_u: &[u8], party_v: &[u8], key: &mut [u8]) {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let key_bits = u32::try_from(key.len()).unwrap_or(u32::MAX).saturating_mul(8);
    let mut digest = Sha256::new().chain_update(1u32.to_be_bytes()).chain_update(secret);
    for field in [algorithm.as_bytes(), party_u, party_v] {
        digest = digest.chain_update(length(field)).chain_update(field);
    }
    let mut block: [u8; 32] = digest.chain_update(key_bits.to_be_bytes()).finalize().into();
    key.iter_mut().zip(block).for_each(|(to, from)| *to = from);
    zeroize::Zeroize::zeroize(&mut block);
}

impl PublicJwk {
    /// The JWK of a key, for encryption.
    pub fn of(key: &PublicKey) -> Self {
        let point = key.to_encoded_point(false);
        let part = |bytes: Option<&FieldBytes>| BASE64URL.encode(bytes.copied().unwrap_or_default());
        Self {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: part(point.x()),
            y: part(point.y()),
            usage: Some("enc".into()),
        }
    }

    /// The point, if it is one and on the curve (an invalid curve attack ends here).
    pub fn point(&self) -> Option<PublicKey> {
        if self.kty != "EC" || self.crv != "P-256" {
            return None;
        }
        let part = |text: &str| <[u8; 32]>::try_from(BASE64URL.decode(text).ok()?).ok();
        let (x, y) = (part(&self.x)?, part(&self.y)?);
        let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
        PublicKey::from_sec1_bytes(point.as_bytes()).ok()
    }
}

/// A fresh key from the dice: 32 bytes are a scalar but for one case in 2^32.
pub fn ephemeral_key(dice: &dyn Dice) -> Result<SecretKey, SealFault> {
    let mut bytes = Zeroizing::new([0; 32]);
    for _ in 0..8 {
        dice.fill(&mut *bytes);
        if let Ok(key) = SecretKey::from_slice(&*bytes) {
            return Ok(key);
        }
    }
    Err(SealFault::Dice)
}

fn header(terms: &SealTerms<'_>, epk: PublicJwk, dice: &dyn Dice) -> ProtectedHeader {
    let mut nonce = [0; 16];
    dice.fill(&mut nonce);
    ProtectedHeader {
        alg: ALG.into(),
        enc: ENC.into(),
        epk,
        apu: None,
        apv: None,
        crit: None,
        payment: terms.payment.to_string(),
        amount: terms.money.decimal(),
        currency: terms.money.currency().code().into(),
        merchant: terms.merchant.to_string(),
        permit: terms.permit.into(),
        exp: terms.expires.instant().secs(),
        nonce: BASE64URL.encode(nonce),
    }
}

fn plaintext(credential: Credential<'_>) -> Result<Zeroizing<Vec<u8>>, SealFault> {
    #[derive(Serialize)]
    struct Plaintext<'a> {
        account: &'a str,
        password: &'a str,
    }
    let Credential { account, password } = credential;
    if account.len().max(password.len()) > CREDENTIAL_BYTES_MAX {
        return Err(SealFault::TooLong);
    }
    // Room for every byte escaped: a buffer that grew would leave a copy of the password behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 + 2 * 6 * CREDENTIAL_BYTES_MAX));
    serde_json::to_writer(&mut *bytes, &Plaintext { account, password }).map_err(|_| SealFault::TooLong)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 7518 Appendix C: Alice's and Bob's keys, A128GCM, apu "Alice", apv "Bob".
    #[test]
    fn the_key_agreement_of_rfc_7518_appendix_c_comes_out() {
        let alice = BASE64URL.decode("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo").unwrap();
        let alice = SecretKey::from_slice(&alice).unwrap();
        let bob = PublicJwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ".into(),
            y: "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck".into(),
            usage: None,
        };
        let secret = p256::ecdh::diffie_hellman(alice.to_nonzero_scalar(), bob.point().unwrap().as_affine());
        let mut key = [0; 16];
        concat_kdf(secret.raw_secret_bytes(), "A128GCM", b"Alice", b"Bob", &mut key);
        assert_eq!(BASE64URL.encode(key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let x = BASE64URL.encode([1; 32]);
        let jwk = PublicJwk { kty: "EC".into(), crv: "P-256".into(), x: x.clone(), y: x, usage: None };
        assert_eq!(jwk.point(), None);
    }
}
