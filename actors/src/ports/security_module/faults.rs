//! Why a security module did not do what it was asked, grouped by who can change it.
//!
//! An error names keys, ciphers and limits. It never holds key material, a PIN, an account number, or a byte of the
//! message.
use super::keys::{Cipher, KeyRef, KeyRole};
use super::{MacAlgorithm, PinFormat};
use crate::domain::identity::KeyName;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleFault {
    /// The message is not what it claims to be: refuse it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// No message of this kind can be served until the configuration is changed.
    #[error(transparent)]
    Misconfigured(#[from] KeyProblem),
    /// The module did not answer; another try may.
    #[error("the security module did not answer ({0}): check its connection and its state")]
    Unavailable(String),
}

/// What is wrong with what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Another key made this MAC, or another message has it.
    #[error(
        "the MAC does not verify under {0}: compare the check values of both sides, and what the MAC covers"
    )]
    Mac(KeyRef),
    /// The block holds no PIN of this account. That is all that is said about it.
    #[error(
        "the PIN block cannot be read under {0}: compare check values, format and account number with the terminal"
    )]
    PinBlock(KeyRef),
    /// A KSN of another kind of DUKPT than the base key.
    #[error("the KSN does not fit {0}: 10 bytes go with a TDES base key, 12 bytes with an AES one")]
    KsnKind(KeyName),
    /// A KSN whose counter is not used yet: 0.
    #[error("the KSN's counter is 0, which is no transaction's, for {0}: the terminal counts from 1")]
    KsnUnused(KeyName),
    /// A KSN whose counter no terminal reaches: it has no keys left.
    #[error("the KSN's counter has too many one bits for {0}: give the terminal a new initial key")]
    KsnExhausted(KeyName),
}

/// What is wrong with what a module was asked to do, whatever the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// There is no such key.
    #[error("there is no key {0}: add it to the keys of the configuration")]
    Unknown(KeyName),
    /// There is no key of this role, and one is needed.
    #[error("there is no key of the role {0:?}: add one to the keys of the configuration")]
    Missing(KeyRole),
    /// The key is for something else.
    #[error(
        "the key {key} has the role {role:?} and is not used as {needed:?}: name another key, or give it its own"
    )]
    Role {
        /// Which.
        key: KeyName,
        /// What it is for.
        role: KeyRole,
        /// What it was to do.
        needed: KeyRole,
    },
    /// The algorithm wants a key of another cipher.
    #[error("{key} is a {cipher} key, which {algorithm:?} cannot use: change the one or the other")]
    MacCipher {
        /// Which.
        key: KeyRef,
        /// What it is.
        cipher: Cipher,
        /// What wanted it.
        algorithm: MacAlgorithm,
    },
    /// The PIN format wants a key of another cipher.
    #[error("{key} is a {cipher} key, which PIN format {format:?} cannot use: change the one or the other")]
    PinCipher {
        /// Which.
        key: KeyRef,
        /// What it is.
        cipher: Cipher,
        /// What wanted it.
        format: PinFormat,
    },
    /// A derived or handed-over key would be stronger than what protects it, or of a cipher that does not go with it.
    #[error(
        "a {cipher} key cannot come from or under {under}: choose a cipher that is no stronger than that key"
    )]
    Stronger {
        /// The protecting key.
        under: KeyName,
        /// The cipher asked for.
        cipher: Cipher,
    },
    /// The terminal's key is not of a form that these bytes can carry.
    #[error("{cipher} keys cannot be handed over in this form: use key blocks, or double-length TDES")]
    Form {
        /// The cipher asked for.
        cipher: Cipher,
    },
    /// Key blocks have no name for keys of this algorithm.
    #[error(
        "key blocks have no usage for {algorithm:?} keys: hand them over as cryptograms, or change the algorithm"
    )]
    NoKeyBlock {
        /// Which.
        algorithm: MacAlgorithm,
    },
    /// X9.9 is too weak to be sent.
    #[error("x99 is verified and never generated: set x919 or aes-cmac for what the switch sends")]
    Legacy,
    /// One generation in 2^50 has a weak DES key.
    #[error("this generation has a weak DES key: draw another one")]
    UnluckyGeneration,
}
