//! The security module in software: keys in this process's memory, wiped when it ends, and never printed.
//!
//! **Working keys are not stored.** A terminal's PIN, MAC and data keys are derived (`working_key`) from one local master
//! key, the terminal's id, a generation and the purpose. The module draws a generation from the dice; the caller records
//! it with the terminal, then has its keys handed over, and names it with every use. So working keys survive a restart
//! without a new exchange, are the same on every node, and are replaced in one step: by the record. A repeated key
//! exchange gets the same bytes. A caller that keeps the former generation too can serve a terminal that never heard the
//! answer. Nothing here grows with the terminals, and there is no lock. A new local master key ends all generations.
//!
//! What it holds comes from the configuration: keys by name, each with a role that it is held to. A hardware module takes
//! its place behind the same port. `secret` has the policy on weak keys; the algorithms are in the files beside it.
pub mod dukpt;
mod engine;
pub mod key_block;
pub mod key_exchange;
pub mod mac;
pub mod pin_block;
pub mod secret;
mod working_key;

use actors::domain::identity::{KeyName, TerminalId};
use actors::ports::Answer;
use actors::ports::clock::Dice;
use actors::ports::security_module::{
    CheckValue, Cipher, Generation, HandOverForm, HandedOver, KeyProblem, KeyRef, KeyRole, Mac, MacAlgorithm,
    ModuleFault, Pan, PinBlock, PinSource, PinTarget, Purpose, Rejection, SecurityModule,
};
use key_block::{Header, Version};
use mac::{CipherMismatch, MacKey};
use pin_block::PinFault;
use secret::{KeyFault, SecretKey};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use working_key::{KeySet, LocalMaster};

/// Keys in this process.
pub struct SoftwareSecurityModule {
    keys: HashMap<KeyName, HeldKey>,
    local: Option<LocalMaster>,
    dice: Arc<dyn Dice>,
}

struct HeldKey {
    role: KeyRole,
    key: SecretKey,
}

/// A key as the configuration gives it.
#[derive(Debug)]
pub struct ConfiguredKey {
    name: KeyName,
    role: KeyRole,
    key: SecretKey,
}

/// Why the configured keys are not taken. It names the key and never shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// Its value is no key.
    #[error("the key {0}: {1}")]
    Value(KeyName, KeyFault),
    /// It is not the key that was meant.
    #[error(
        "the key {0} does not have the check value given with it: enter it again, or correct the check value"
    )]
    CheckValue(KeyName),
    /// Two keys of one name.
    #[error("there are two keys {0}: give each a name of its own")]
    Twice(KeyName),
    /// The role wants another cipher.
    #[error("the key {0} is a {2} key, which the role {1:?} cannot use")]
    Cipher(KeyName, KeyRole, Cipher),
    /// Working keys come from one key.
    #[error("the key {0} is a second local master key: keep one")]
    SecondLocalMaster(KeyName),
}

impl ConfiguredKey {
    /// Reads a key from hexadecimal digits. If a check value is given, its left bytes must be the key's.
    pub fn new(
        name: KeyName,
        role: KeyRole,
        cipher: Cipher,
        digits: &str,
        check_value: Option<&[u8]>,
    ) -> Result<Self, KeysFault> {
        let key = SecretKey::from_hex(cipher, digits).map_err(|fault| KeysFault::Value(name, fault))?;
        let fits = match role {
            KeyRole::LocalMaster => cipher == Cipher::Aes256,
            KeyRole::DukptBase => cipher == Cipher::Tdes || cipher.is_aes(),
            KeyRole::TerminalMaster | KeyRole::Pin => cipher != Cipher::Des,
            KeyRole::Mac => true,
        };
        if !fits {
            return Err(KeysFault::Cipher(name, role, cipher));
        }
        if check_value.is_some_and(|given| given.is_empty() || !key.check_value().0.starts_with(given)) {
            return Err(KeysFault::CheckValue(name));
        }
        Ok(Self { name, role, key })
    }
}

impl SoftwareSecurityModule {
    /// A module with these keys.
    pub fn new(
        keys: impl IntoIterator<Item = ConfiguredKey>,
        dice: Arc<dyn Dice>,
    ) -> Result<Self, KeysFault> {
        let mut module = Self { keys: HashMap::new(), local: None, dice };
        for ConfiguredKey { name, role, key } in keys {
            if role == KeyRole::LocalMaster && module.local.replace(LocalMaster::new(&key)).is_some() {
                return Err(KeysFault::SecondLocalMaster(name));
            }
            if module.keys.insert(name, HeldKey { role, key }).is_some() {
                return Err(KeysFault::Twice(name));
            }
        }
        Ok(module)
    }

    fn named(&self, name: KeyName, needed: KeyRole) -> Result<&SecretKey, KeyProblem> {
        let held = self.keys.get(&name).ok_or(KeyProblem::Unknown(name))?;
        if held.role == needed {
            Ok(&held.key)
        } else {
            Err(KeyProblem::Role { key: name, role: held.role, needed })
        }
    }

    fn local(&self) -> Result<&LocalMaster, KeyProblem> {
        self.local.as_ref().ok_or(KeyProblem::Missing(KeyRole::LocalMaster))
    }

    /// The key that is meant, for `purpose`.
    fn secret(&self, key: KeyRef, purpose: Purpose) -> Result<SecretKey, ModuleFault> {
        match key {
            KeyRef::Named(name) => {
                let role = if purpose == Purpose::Pin { KeyRole::Pin } else { KeyRole::Mac };
                Ok(self.named(name, role)?.clone())
            }
            KeyRef::Working { terminal, generation, cipher } => {
                let set = KeySet { terminal, generation, cipher };
                Ok(self.local()?.working_key(set, purpose).ok_or(KeyProblem::UnluckyGeneration)?)
            }
            KeyRef::Dukpt { base, ksn, way, cipher } => {
                dukpt::key((base, self.named(base, KeyRole::DukptBase)?), ksn, purpose, way, cipher)
            }
        }
    }

    fn mac_key(&self, key: KeyRef, algorithm: MacAlgorithm) -> Result<MacKey, ModuleFault> {
        let secret = self.secret(key, Purpose::Mac)?;
        let problem = |CipherMismatch { cipher, algorithm }| KeyProblem::MacCipher { key, cipher, algorithm };
        Ok(MacKey::new(algorithm, &secret).map_err(problem)?)
    }

    fn make_mac(&self, key: KeyRef, algorithm: MacAlgorithm, message: &[u8]) -> Result<Mac, ModuleFault> {
        if algorithm == MacAlgorithm::X99 {
            return Err(KeyProblem::Legacy.into());
        }
        Ok(self.mac_key(key, algorithm)?.mac(message))
    }

    fn check_mac(
        &self,
        key: KeyRef,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), ModuleFault> {
        if self.mac_key(key, algorithm)?.verifies(message, mac) {
            Ok(())
        } else {
            Err(Rejection::Mac(key).into())
        }
    }

    fn translate(&self, pan: Pan<'_>, from: PinSource<'_>, to: PinTarget) -> Result<PinBlock, ModuleFault> {
        let (under, next) = (self.secret(from.key, Purpose::Pin)?, self.secret(to.key, Purpose::Pin)?);
        let fault = |key: KeyRef| {
            move |fault| match fault {
                PinFault::Cipher { cipher, format } => {
                    ModuleFault::from(KeyProblem::PinCipher { key, cipher, format })
                }
                PinFault::NoPin | PinFault::Unreadable => Rejection::PinBlock(key).into(),
            }
        };
        let pin = pin_block::decode(from.block, pan, from.format, &under).map_err(fault(from.key))?;
        pin_block::encode(&pin, pan, to.format, &next, &*self.dice).map_err(fault(to.key))
    }

    fn hand_over_keys(
        &self,
        set: impl Fn(Cipher) -> KeySet,
        under: KeyName,
        form: HandOverForm,
    ) -> Result<HandedOver, ModuleFault> {
        let parcel =
            Parcel { local: self.local()?, master: self.named(under, KeyRole::TerminalMaster)?, under };
        match form {
            HandOverForm::Cryptograms { mac } => {
                parcel.cryptograms(&[(Purpose::Pin, set(Cipher::Tdes)), (Purpose::Mac, set(mac))])
            }
            HandOverForm::CryptogramsWithData { mac } => parcel.cryptograms(&[
                (Purpose::Pin, set(Cipher::Tdes)),
                (Purpose::Mac, set(mac)),
                (Purpose::Data, set(Cipher::Tdes)),
            ]),
            HandOverForm::KeyBlocks { cipher, algorithm } => parcel.key_blocks(set(cipher), algorithm),
        }
    }
}

/// Working keys being made ready for a terminal.
struct Parcel<'a> {
    local: &'a LocalMaster,
    master: &'a SecretKey,
    under: KeyName,
}

impl Parcel<'_> {
    fn cryptograms(&self, keys: &[(Purpose, KeySet)]) -> Result<HandedOver, ModuleFault> {
        let refused = keys
            .iter()
            .map(|(_, set)| set.cipher)
            .find(|cipher| self.master.cipher().is_aes() || !matches!(cipher, Cipher::Des | Cipher::Tdes));
        if let Some(cipher) = refused {
            return Err(KeyProblem::Form { cipher }.into());
        }
        let packed: Result<Vec<_>, KeyProblem> = keys
            .iter()
            .map(|(purpose, set)| {
                let key = self.working_key(*set, *purpose)?;
                Ok(((*purpose, key.check_value()), key_exchange::cryptogram(self.master, &key)))
            })
            .collect();
        let (check_values, bytes): (Vec<_>, Vec<_>) = packed?.into_iter().unzip();
        Ok(HandedOver { bytes: bytes.concat(), check_values })
    }

    fn key_blocks(&self, set: KeySet, algorithm: MacAlgorithm) -> Result<HandedOver, ModuleFault> {
        let (pin, pin_block) = self.key_block(set, Purpose::Pin, (*b"P0", b'E'))?;
        let usage = mac_usage(algorithm).ok_or(KeyProblem::NoKeyBlock { algorithm })?;
        let (mac, mac_block) = self.key_block(set, Purpose::Mac, (usage, b'C'))?;
        let key = KeyRef::Working { terminal: set.terminal, generation: set.generation, cipher: set.cipher };
        MacKey::new(algorithm, &mac).map_err(|CipherMismatch { cipher, algorithm }| {
            KeyProblem::MacCipher { key, cipher, algorithm }
        })?;
        let check_values = vec![(Purpose::Pin, pin.check_value()), (Purpose::Mac, mac.check_value())];
        Ok(HandedOver { bytes: (pin_block + &mac_block).into_bytes(), check_values })
    }

    fn key_block(
        &self,
        set: KeySet,
        purpose: Purpose,
        (usage, mode): ([u8; 2], u8),
    ) -> Result<(SecretKey, String), ModuleFault> {
        let key = self.working_key(set, purpose)?;
        let header = Header::new(Version::under(self.master.cipher()), usage, key.cipher(), mode);
        let fill = |padding: &mut [u8]| self.local.padding(set, purpose, padding);
        let stronger = |_| KeyProblem::Stronger { under: self.under, cipher: set.cipher };
        let block = key_block::wrap(self.master, &header, &key, fill).map_err(stronger)?;
        Ok((key, block))
    }

    fn working_key(&self, set: KeySet, purpose: Purpose) -> Result<SecretKey, KeyProblem> {
        self.local.working_key(set, purpose).ok_or(KeyProblem::UnluckyGeneration)
    }
}

/// What a key block says of a MAC key.
const fn mac_usage(algorithm: MacAlgorithm) -> Option<[u8; 2]> {
    match algorithm {
        MacAlgorithm::X919 | MacAlgorithm::X919Left4 => Some(*b"M3"),
        MacAlgorithm::Iso16609Tdes => Some(*b"M0"),
        MacAlgorithm::AesCmac => Some(*b"M6"),
        MacAlgorithm::X99 | MacAlgorithm::CupEcb => None,
    }
}

impl SecurityModule for SoftwareSecurityModule {
    fn mac(&self, key: KeyRef, algorithm: MacAlgorithm, message: &[u8]) -> Answer<Result<Mac, ModuleFault>> {
        ready(self.make_mac(key, algorithm, message))
    }

    fn verify_mac(
        &self,
        key: KeyRef,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Answer<Result<(), ModuleFault>> {
        ready(self.check_mac(key, algorithm, message, mac))
    }

    fn translate_pin(
        &self,
        pan: Pan<'_>,
        from: PinSource<'_>,
        to: PinTarget,
    ) -> Answer<Result<PinBlock, ModuleFault>> {
        ready(self.translate(pan, from, to))
    }

    fn new_generation(&self) -> Answer<Result<Generation, ModuleFault>> {
        let mut drawn = [0; 8];
        self.dice.fill(&mut drawn);
        ready(Ok(Generation::from_bits(u64::from_be_bytes(drawn))))
    }

    fn hand_over(
        &self,
        terminal: TerminalId,
        generation: Generation,
        under: KeyName,
        form: HandOverForm,
    ) -> Answer<Result<HandedOver, ModuleFault>> {
        let set = |cipher| KeySet { terminal, generation, cipher };
        ready(self.hand_over_keys(set, under, form))
    }

    fn check_value(&self, key: KeyName) -> Answer<Result<CheckValue, ModuleFault>> {
        let held = self.keys.get(&key).ok_or(KeyProblem::Unknown(key));
        ready(held.map(|held| held.key.check_value()).map_err(ModuleFault::from))
    }
}

impl fmt::Debug for SoftwareSecurityModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareSecurityModule({} keys)", self.keys.len())
    }
}

fn ready<T: Send + 'static>(value: T) -> Answer<T> {
    Box::pin(std::future::ready(value))
}
