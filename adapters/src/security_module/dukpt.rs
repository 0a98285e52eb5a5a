//! DUKPT, the host's side: the key of one message from the base key and the KSN that came with it.
//!
//! [`tdes`] is ANSI X9.24-1, [`aes`] is X9.24-3. Both derive from the base key anew for every message, so a host
//! remembers nothing of a terminal. Whether a KSN was used before is the session's question, not answered here.
pub mod aes;
pub mod tdes;

use super::secret::SecretKey;
use actors::domain::identity::KeyName;
use actors::ports::security_module::{Cipher, KeyProblem, Ksn, ModuleFault, Purpose, Rejection, Way};

/// What is wrong with a KSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KsnFault {
    /// The counter is 0.
    #[error("a KSN's counter begins with 1")]
    Unused,
    /// No terminal reaches this counter.
    #[error("the KSN's counter has more one bits than a terminal's ever has")]
    Exhausted,
}

/// The key of the message with `ksn`, for `purpose`.
pub(super) fn key(
    base: (KeyName, &SecretKey),
    ksn: Ksn,
    purpose: Purpose,
    way: Way,
    cipher: Cipher,
) -> Result<SecretKey, ModuleFault> {
    let (name, base) = base;
    let stronger = || KeyProblem::Stronger { under: name, cipher };
    let found = match (base.cipher(), ksn) {
        (Cipher::Tdes, Ksn::Tdes(ksn)) => {
            if cipher != Cipher::Tdes {
                return Err(stronger().into());
            }
            tdes::message_key(base, &ksn).map(|key| key.variant(purpose, way))
        }
        (of, Ksn::Aes(ksn)) if of.is_aes() => {
            if cipher == Cipher::Des || (cipher.is_aes() && cipher.key_len() > of.key_len()) {
                return Err(stronger().into());
            }
            aes::message_key(base, &ksn).map(|key| key.working(aes::usage(purpose, way), cipher))
        }
        _ => return Err(Rejection::KsnKind(name).into()),
    };
    found.map_err(|fault| match fault {
        KsnFault::Unused => Rejection::KsnUnused(name).into(),
        KsnFault::Exhausted => Rejection::KsnExhausted(name).into(),
    })
}
