//! How a phone seals account and password: the same JWE from two sources of randomness.
//!
//! `DiceSealer` takes its ephemeral keys from the dice, so that a simulation repeats itself; `RingSealer` lets ring make
//! them, which costs a fifth and is what a process that plays thousands of phones wants. See `seal` for the format.
use super::PlayFault;
use super::seen::{Interface, PaymentSeen};
use crate::rfc3339;
use crate::seal::{self, Credential, PublicJwk, SealFault, SealTerms};
use actors::domain::identity::{MerchantId, PaymentId};
use actors::domain::money::Money;
use actors::domain::time::Deadline;
use actors::ports::clock::Dice;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use std::sync::Arc;

/// Makes the sealed credential for one attempt at one payment.
pub trait Sealer: Send + Sync {
    /// Seals for the holder of `key`, good for `terms` only.
    fn seal(
        &self,
        key: &PublicJwk,
        terms: &SealTerms<'_>,
        credential: Credential<'_>,
    ) -> Result<String, SealFault>;
}

/// Seals with ephemeral keys from the dice.
pub struct DiceSealer(pub Arc<dyn Dice>);

impl Sealer for DiceSealer {
    fn seal(
        &self,
        key: &PublicJwk,
        terms: &SealTerms<'_>,
        credential: Credential<'_>,
    ) -> Result<String, SealFault> {
        let key = serde_json::to_string(key).map_err(|_| SealFault::Key)?;
        seal::seal(&key, terms, credential, &*self.0)
    }
}

/// Seals with ephemeral keys from ring.
pub struct RingSealer {
    random: SystemRandom,
    dice: Arc<dyn Dice>,
}

impl RingSealer {
    /// A sealer whose nonces come from `dice`.
    pub fn new(dice: Arc<dyn Dice>) -> Self {
        Self { random: SystemRandom::new(), dice }
    }
}

impl Sealer for RingSealer {
    fn seal(
        &self,
        key: &PublicJwk,
        terms: &SealTerms<'_>,
        credential: Credential<'_>,
    ) -> Result<String, SealFault> {
        let platform = sec1(key).ok_or(SealFault::Key)?;
        let platform = UnparsedPublicKey::new(&ECDH_P256, platform);
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &self.random).map_err(|_| SealFault::Dice)?;
        let epk = own.compute_public_key().map_err(|_| SealFault::Dice)?;
        let epk = public_jwk(epk.as_ref()).ok_or(SealFault::Key)?;
        // ring refuses a point that is not on the curve.
        let agreed = agree_ephemeral(own, &platform, |secret| seal::derived_key(secret, &[], &[]));
        seal::seal_under(&*agreed.map_err(|_| SealFault::Key)?, epk, terms, credential, &*self.dice)
    }
}

/// The uncompressed point of a P-256 key (SEC 1 2.3.3): 0x04, x, y.
fn sec1(key: &PublicJwk) -> Option<[u8; 65]> {
    if key.kty != "EC" || key.crv != "P-256" {
        return None;
    }
    let (x, y) = (BASE64URL.decode(&key.x).ok()?, BASE64URL.decode(&key.y).ok()?);
    (x.len() == 32).then_some(())?;
    [&[4][..], &x, &y].concat().try_into().ok()
}

/// The JWK of an uncompressed point.
pub(super) fn public_jwk(point: &[u8]) -> Option<PublicJwk> {
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let [x, y] = [x, y].map(|part| BASE64URL.encode(part));
    Some(PublicJwk { kty: "EC".into(), crv: "P-256".into(), x, y, usage: None })
}

/// Seals what `payment` shows through `interface`.
pub fn seal_for(
    sealer: &dyn Sealer,
    payment: &PaymentSeen,
    interface: &Interface,
    credential: Credential<'_>,
) -> Result<String, PlayFault> {
    let off_contract = |what: &dyn std::fmt::Display| PlayFault::OffContract(what.to_string());
    let terms = SealTerms {
        payment: PaymentId::parse(&payment.id).map_err(|fault| off_contract(&fault))?,
        money: Money::parse(&payment.amount, &payment.currency).map_err(|fault| off_contract(&fault))?,
        merchant: MerchantId::new(&payment.merchant).map_err(|fault| off_contract(&fault))?,
        permit: &interface.permit,
        expires: rfc3339::parse(&interface.expires_at)
            .map(Deadline::at)
            .ok_or_else(|| off_contract(&"interface.expires_at is no RFC 3339 instant in UTC"))?,
    };
    Ok(sealer.seal(&interface.key, &terms, credential)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dice::SystemDice;
    use crate::seal::{ProtectedHeader, agreed_key, ephemeral_key};
    use p256::SecretKey;
    use ring::aead;

    const CREDENTIAL: Credential<'_> = Credential { account: "anna", password: "open sesame" };

    fn payment(key: &SecretKey) -> PaymentSeen {
        let key = serde_json::to_string(&PublicJwk::of(&key.public_key())).unwrap();
        let text = format!(
            r#"{{"id":"pay_00000000000000000000000001","status":"awaiting_payment","amount":"12.50","currency":"EUR",
            "merchant":"M1","epoch":7,"interface":{{"url":"/x","attempt":1,"key":{key},"permit":"P1",
            "expires_at":"2030-01-31T12:00:00Z"}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn open(key: &SecretKey, sealed: &str) -> (ProtectedHeader, Vec<u8>) {
        let [header, _, iv, text, tag] = sealed.split('.').collect::<Vec<_>>().try_into().unwrap();
        let [iv, text, tag] = [iv, text, tag].map(|part| BASE64URL.decode(part).unwrap());
        let head: ProtectedHeader = serde_json::from_slice(&BASE64URL.decode(header).unwrap()).unwrap();
        let agreed = agreed_key(key, &head.epk.point().unwrap(), &[], &[]);
        let content = aead::UnboundKey::new(&aead::AES_256_GCM, &*agreed).unwrap();
        let mut text = [text, tag].concat();
        let nonce = aead::Nonce::try_assume_unique_for_key(&iv).unwrap();
        let opened = aead::LessSafeKey::new(content).open_in_place(nonce, aead::Aad::from(header), &mut text);
        (head, opened.unwrap().to_vec())
    }

    #[test]
    fn the_platform_opens_what_either_sealer_sealed_and_finds_the_payment_in_it() {
        let dice: Arc<dyn Dice> = Arc::new(SystemDice::new().unwrap());
        let key = ephemeral_key(&*dice).unwrap();
        let payment = payment(&key);
        let sealers: [&dyn Sealer; 2] = [&DiceSealer(dice.clone()), &RingSealer::new(dice)];
        for sealer in sealers {
            let interface = payment.interface.as_ref().unwrap();
            let sealed = seal_for(sealer, &payment, interface, CREDENTIAL).unwrap();
            let (head, text) = open(&key, &sealed);
            assert_eq!(text, br#"{"account":"anna","password":"open sesame"}"#);
            assert_eq!(
                (head.payment, head.amount, head.currency),
                (payment.id.clone(), "12.50".into(), "EUR".into())
            );
            assert_eq!((head.permit.as_str(), head.merchant.as_str()), ("P1", "M1"));
        }
    }

    #[test]
    fn a_key_that_is_none_seals_nothing() {
        let dice: Arc<dyn Dice> = Arc::new(SystemDice::new().unwrap());
        let payment = payment(&ephemeral_key(&*dice).unwrap());
        let mut interface = payment.interface.clone().unwrap();
        interface.key.y = interface.key.x.clone();
        let sealers: [&dyn Sealer; 2] = [&DiceSealer(dice.clone()), &RingSealer::new(dice)];
        for sealer in sealers {
            let fault = seal_for(sealer, &payment, &interface, CREDENTIAL);
            assert!(matches!(fault, Err(PlayFault::Seal(SealFault::Key))));
        }
    }
}
