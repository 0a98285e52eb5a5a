//! Which working keys a terminal may hold: those under which it proved a message, and those that were handed over since.
//!
//! Anybody can ask for keys in a terminal's name: what is handed over is of use only to whoever holds its master key, and
//! a terminal that lost its keys has nothing to prove itself with. So asking alone never takes away what the terminal
//! proved last, and whoever asks without a proof is handed the same keys until something is proven under them. What a
//! key is, is the security module's to say; who proved what, the line's.
use serde::{Deserialize, Serialize};

/// The name of a set of working keys. It says nothing about the keys to whoever lacks the master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyGeneration(u64);

/// The working keys that a terminal may hold.
///
/// On disk this is a number and what belongs to it. The first two are those of an `Option`, as books began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkingKeys {
    /// It was never handed any.
    #[default]
    None,
    /// It was handed some, and nothing was proven under them yet.
    Offered {
        /// What was handed over last.
        newest: KeyGeneration,
        /// What was handed over before.
        before: Option<KeyGeneration>,
    },
    /// It proved a message.
    InUse {
        /// Under these.
        held: KeyGeneration,
        /// And was handed these since.
        offered: Option<KeyGeneration>,
    },
}

/// Who asks for new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRequest {
    /// Whoever holds the keys of this generation.
    Proven(KeyGeneration),
    /// Whoever is believed by other means than working keys: by the line's own key, or by the network.
    Trusted,
    /// Nobody knows: it may be a stranger, or a terminal that has no keys.
    Unproven,
}

impl KeyGeneration {
    /// The generation of this number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its number.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl WorkingKeys {
    /// Every generation under which the terminal may prove a message, the likeliest first.
    pub fn candidates(self) -> impl Iterator<Item = KeyGeneration> {
        let (first, second) = match self {
            Self::None => (None, None),
            Self::Offered { newest, before } => (Some(newest), before),
            Self::InUse { held, offered } => (Some(held), offered),
        };
        [first, second].into_iter().flatten()
    }

    /// Whether a message that is proven under `generation` tells anything new.
    pub fn would_learn_from(self, generation: KeyGeneration) -> bool {
        self.proven(generation) != self
    }

    /// A message was proven under `generation`: what was handed over before that is of no more use.
    pub(super) fn proven(self, generation: KeyGeneration) -> Self {
        match self {
            Self::Offered { newest, before } if before == Some(generation) => {
                Self::InUse { held: generation, offered: Some(newest) }
            }
            Self::Offered { newest, .. } if newest == generation => {
                Self::InUse { held: generation, offered: None }
            }
            Self::InUse { offered, .. } if offered == Some(generation) => {
                Self::InUse { held: generation, offered: None }
            }
            keys => keys,
        }
    }

    /// Which keys are handed to whoever asks, if `new` are there, and what the terminal may hold then.
    pub(super) fn asked(self, request: KeyRequest, new: KeyGeneration) -> (KeyGeneration, Self) {
        let keys = match request {
            KeyRequest::Proven(generation) => self.proven(generation),
            KeyRequest::Trusted | KeyRequest::Unproven => self,
        };
        match keys {
            Self::None => (new, Self::Offered { newest: new, before: None }),
            Self::Offered { newest, .. } if request == KeyRequest::Trusted && newest != new => {
                (new, Self::Offered { newest: new, before: Some(newest) })
            }
            Self::Offered { newest, .. } => (newest, keys),
            // A terminal that asks again under the keys that it holds never heard of the others.
            Self::InUse { offered: Some(offered), .. } if request != KeyRequest::Trusted => (offered, keys),
            Self::InUse { held, .. } => (new, Self::InUse { held, offered: Some(new) }),
        }
    }
}
