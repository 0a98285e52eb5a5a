//! A phone's device key: what proves that this phone, and no other, said yes to this amount.
//!
//! ECDSA P-256 with SHA-256, signatures as r‖s (what WebCrypto makes). The key lives in memory as PKCS#8; it cannot be
//! printed. What is signed is the text of docs/http-api.md, made from what the payment showed.
use super::sealing::public_jwk;
use super::seen::PaymentSeen;
use crate::seal::PublicJwk;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

/// A device key.
pub struct DeviceKey {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    jwk: PublicJwk,
    random: SystemRandom,
}

/// Why there is no device key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceKeyFault {
    /// The system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// Not a key.
    #[error("a device key is a P-256 private key in PKCS#8, as it was made here")]
    NotAKey,
}

impl DeviceKey {
    /// Makes a key.
    pub fn generate() -> Result<Self, DeviceKeyFault> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self::from_pkcs8(pkcs8.map_err(|_| DeviceKeyFault::NoRandomness)?.as_ref())
    }

    /// The key that [`Self::pkcs8`] gave.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, DeviceKeyFault> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
        let pair = pair.map_err(|_| DeviceKeyFault::NotAKey)?;
        let jwk = public_jwk(pair.public_key().as_ref()).ok_or(DeviceKeyFault::NotAKey)?;
        Ok(Self { pair, pkcs8: Zeroizing::new(pkcs8.to_vec()), jwk, random })
    }

    /// The private key, for whoever keeps it between two runs.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public key.
    pub fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// Signs the payer's yes to what `payment` showed.
    pub fn sign(&self, payment: &PaymentSeen) -> Result<String, DeviceKeyFault> {
        let signature = self.pair.sign(&self.random, confirmation_text(payment).as_bytes());
        Ok(BASE64URL.encode(signature.map_err(|_| DeviceKeyFault::NoRandomness)?))
    }
}

/// The text that a confirmation signs.
pub fn confirmation_text(payment: &PaymentSeen) -> String {
    let PaymentSeen { id, amount, currency, merchant, epoch, .. } = payment;
    let terminal = payment.terminal.as_deref().unwrap_or_default();
    format!("turnout-confirmation-v1\n{id}\n{amount}\n{currency}\n{merchant}\n{terminal}\n{epoch}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    fn payment() -> PaymentSeen {
        serde_json::from_str(
            r#"{"id":"pay_1","status":"awaiting_confirmation","amount":"12.50","currency":"EUR","merchant":"M1","terminal":"T1","epoch":7}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_the_phone_signs_is_the_text_of_the_contract() {
        assert_eq!(confirmation_text(&payment()), "turnout-confirmation-v1\npay_1\n12.50\nEUR\nM1\nT1\n7");
        let without_terminal = PaymentSeen { terminal: None, ..payment() };
        assert_eq!(
            confirmation_text(&without_terminal),
            "turnout-confirmation-v1\npay_1\n12.50\nEUR\nM1\n\n7"
        );
    }

    #[test]
    fn the_signature_verifies_under_the_jwk_and_for_no_other_amount() {
        let key = DeviceKey::generate().unwrap();
        let signature = BASE64URL.decode(key.sign(&payment()).unwrap()).unwrap();
        assert_eq!(signature.len(), 64);
        let [x, y] = [&key.jwk().x, &key.jwk().y].map(|part| BASE64URL.decode(part).unwrap());
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], x, y].concat());
        let verify = |payment: &PaymentSeen| public.verify(confirmation_text(payment).as_bytes(), &signature);
        assert!(verify(&payment()).is_ok());
        assert!(verify(&PaymentSeen { amount: "12.51".into(), ..payment() }).is_err());
    }

    #[test]
    fn a_key_kept_and_read_back_is_the_same_key() {
        let key = DeviceKey::generate().unwrap();
        assert_eq!(DeviceKey::from_pkcs8(key.pkcs8()).unwrap().jwk(), key.jwk());
        assert_eq!(DeviceKey::from_pkcs8(b"no key").err(), Some(DeviceKeyFault::NotAKey));
    }
}
