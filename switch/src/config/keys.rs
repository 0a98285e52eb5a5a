//! The keys in the file: each named, with the one thing that it is for, and never written there itself.
use super::checked::Findings;
use super::{CheckedLine, Secret};
use crate::iso::MacKeyRule;
use actors::domain::identity::KeyName;
use actors::ports::security_module::{Cipher, KeyRole};
use adapters::security_module::ConfiguredKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A key of the security module.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name, as lines refer to it.
    pub name: String,
    /// What it is for, and nothing else: `local-master`, `dukpt-base`, `terminal-master`, `pin` or `mac`.
    #[schemars(with = "String")]
    pub role: KeyRole,
    /// `des`, `tdes`, `tdes3`, `aes128`, `aes192` or `aes256`.
    #[schemars(with = "String")]
    pub cipher: Cipher,
    /// Its value, in hexadecimal digits.
    pub secret: Secret,
    /// The left bytes of its check value, in hexadecimal digits: a slip of the hand is found at the start.
    #[serde(default)]
    pub check_value: Option<String>,
}

/// Reads the keys, and whether every line finds the one that it names.
pub(super) fn checked(keys: &[Key], lines: &[CheckedLine], found: &mut Findings<'_>) -> Vec<ConfiguredKey> {
    let mut read = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        if keys.iter().take(at).any(|other| other.name == key.name) {
            found.wrong(format!("key[{at}].name"), "this name is there twice");
        }
        let Some(secret) = found.secret(&format!("key[{at}].secret"), &key.secret) else { continue };
        match key.read(&secret) {
            Ok(key) => read.push(key),
            Err((part, what)) => found.wrong(format!("key[{at}].{part}"), what),
        }
    }
    for line in lines {
        let mac = line.proof.mac.as_ref().map(|mac| mac.key);
        let needed = match mac {
            Some(MacKeyRule::Named(name)) => Some(("mac.key", name, KeyRole::Mac)),
            Some(MacKeyRule::Dukpt(dukpt)) => Some(("mac.dukpt.base", dukpt.base, KeyRole::DukptBase)),
            Some(MacKeyRule::Working(_)) | None => None,
        };
        let exchange = line.proof.exchange.map(|exchange| exchange.under);
        let under = exchange.map(|name| ("working_keys.under", name, KeyRole::TerminalMaster));
        for (key, name, role) in needed.into_iter().chain(under) {
            let is_there = keys.iter().any(|key| key.name == name.as_str() && key.role == role);
            if !is_there {
                let what = format!("there is no [[key]] {name} with the role {role:?}");
                found.wrong(format!("lines.{}.{key}", line.written.name), what);
            }
        }
        if exchange.is_some() && keys.iter().all(|key| key.role != KeyRole::LocalMaster) {
            let what =
                "working keys are derived from a [[key]] with the role \"local-master\", and there is none";
            found.wrong(format!("lines.{}.working_keys", line.written.name), what);
        }
    }
    read
}

impl Key {
    fn read(&self, secret: &str) -> Result<ConfiguredKey, (&'static str, String)> {
        let name = KeyName::new(&self.name).map_err(|error| ("name", error.to_string()))?;
        let check_value = self.check_value.as_deref().map(hex).transpose();
        let check_value = check_value.map_err(|what| ("check_value", what))?;
        let key = ConfiguredKey::new(name, self.role, self.cipher, secret, check_value.as_deref());
        key.map_err(|fault| ("secret", fault.to_string()))
    }
}

fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let pairs =
        digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().and_then(super::hex_byte));
    pairs.collect::<Option<_>>().ok_or_else(|| "a check value has 2 to 10 hexadecimal digits".to_owned())
}
