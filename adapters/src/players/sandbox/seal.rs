//! The platform's side of the sealed credential: opens what the phone sealed.
//!
//! Compact JWE, ECDH-ES (direct) with A256GCM, nothing else. A credential that cannot be opened is `None`, whatever
//! the reason: to tell them apart would tell an attacker which part to change.
use super::books::Presented;
use crate::seal::{ALG, ENC, ProtectedHeader, PublicJwk, SealFault, agreed_key, ephemeral_key};
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::clock::Dice;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use p256::SecretKey;
use ring::aead;
use serde::Deserialize;
use zeroize::Zeroizing;

/// The platform's private key. It cannot be printed.
pub struct SealKey {
    secret: SecretKey,
    jwk: PublicJwk,
}

impl SealKey {
    /// A fresh key.
    pub fn generate(dice: &dyn Dice) -> Result<Self, SealFault> {
        let secret = ephemeral_key(dice)?;
        let jwk = PublicJwk::of(&secret.public_key());
        Ok(Self { secret, jwk })
    }

    /// The public half, for phones.
    pub fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// Opens a compact JWE.
    pub fn open(&self, compact: &[u8]) -> Option<Presented> {
        let mut parts = std::str::from_utf8(compact).ok()?.split('.');
        let (header, key) = (parts.next()?, parts.next()?);
        let (iv, sealed, tag) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !key.is_empty() {
            return None;
        }
        let pinned = read_header(header)?;
        let content_key = self.content_key(&pinned)?;
        let plaintext = decrypt(&content_key, header, iv, sealed, tag)?;
        presented(pinned, &plaintext)
    }

    fn content_key(&self, header: &ProtectedHeader) -> Option<Zeroizing<[u8; 32]>> {
        let party = |text: Option<&String>| BASE64URL.decode(text.map_or("", String::as_str)).ok();
        let (party_u, party_v) = (party(header.apu.as_ref())?, party(header.apv.as_ref())?);
        Some(agreed_key(&self.secret, &header.epk.point()?, &party_u, &party_v))
    }
}

fn read_header(encoded: &str) -> Option<ProtectedHeader> {
    let header: ProtectedHeader = serde_json::from_slice(&BASE64URL.decode(encoded).ok()?).ok()?;
    // A critical extension that is not understood must be refused (RFC 7516 4.1.13); none is.
    (header.alg == ALG && header.enc == ENC && header.crit.is_none()).then_some(header)
}

fn decrypt(key: &[u8; 32], aad: &str, iv: &str, sealed: &str, tag: &str) -> Option<Zeroizing<Vec<u8>>> {
    let part = |text: &str| BASE64URL.decode(text).ok();
    let nonce = aead::Nonce::try_assume_unique_for_key(&part(iv)?).ok()?;
    let tag = part(tag)?;
    if tag.len() != aead::AES_256_GCM.tag_len() {
        return None;
    }
    let mut text = Zeroizing::new(part(sealed)?);
    text.extend_from_slice(&tag);
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, key).ok()?);
    let length = key.open_in_place(nonce, aead::Aad::from(aad), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn presented(header: ProtectedHeader, plaintext: &[u8]) -> Option<Presented> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Plaintext {
        account: String,
        password: String,
    }
    let Plaintext { account, password } = serde_json::from_slice(plaintext).ok()?;
    let (account, password) = (Zeroizing::new(account), Zeroizing::new(password));
    let expires = Deadline::at(Timestamp::from_micros(header.exp.checked_mul(1_000_000)?));
    let ProtectedHeader { payment, permit, amount, currency, merchant, .. } = header;
    Some(Presented { payment, permit, amount, currency, merchant, expires, account, password })
}
