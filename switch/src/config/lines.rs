//! The lines in the file: where terminals connect that speak ISO 8583, how they frame, and what is borne of them.
//!
//! Every limit has a range, so that a slip of the keyboard is found here and not under load. The names are those of
//! docs/lines.md. What becomes of a line that is in order is `line`'s.
use super::{Plain, Tls};
use crate::iso::{Dukpt, Exchange, MacKeyRule, MacRules, Peers, Rules};
use crate::line::{LineSettings, is_line_name};
use actors::domain::identity::{KeyName, TerminalId};
use actors::domain::response_code::ResponseCode;
use actors::ports::roster::Roster;
use actors::ports::security_module::{Cipher, HandOverForm, MacAlgorithm};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::{Framing, LENGTH_MAX};
use adapters::iso8583::ksn::KsnPlace;
use rustls::pki_types::ServerName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How many lines there may be: each has metrics of its own.
const LINES_MAX: usize = 64;
/// The dialects in which terminals are served; those of 1993 are only read and written by the tools.
const SERVED: [&str; 4] = ["iso87-ascii", "iso87-ascii-bin", "iso87-bcd", "cup-pos"];

/// A line: where terminals connect over TCP and speak ISO 8583.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// Its name, in metrics and on the operators' page: 1 to 31 letters, digits, `-` and `_`.
    pub name: String,
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How messages are framed: `len2`, `len2i`, `ascii4` or `bcd2`, then nothing, `+tpdu`, `+tpdu+cup6`,
    /// `+tpdu+fixedN` or `+fixedN`.
    #[serde(default = "defaults::framing")]
    pub framing: String,
    /// How messages are written: `iso87-ascii`, `iso87-ascii-bin`, `iso87-bcd` or `cup-pos`.
    pub dialect: String,
    /// Where this line differs from its dialect: `{ 39 = "BCD", 49 = "n 3 BCD" }`, as docs/lines.md has it.
    #[serde(default)]
    pub overrides: BTreeMap<String, String>,
    /// The MAC that every message about money has to have.
    #[serde(default)]
    pub mac: Option<LineMac>,
    /// Working keys for its terminals, on request: 0800 with field 70 = 161, or UnionPay's sign-on.
    #[serde(default)]
    pub working_keys: Option<WorkingKeys>,
    /// What a reversal is told whose original was never seen; it is remembered either way.
    #[serde(default)]
    pub unseen_reversal: UnseenReversal,
    /// TLS; without it only a loopback address is listened on, unless `plain` says otherwise.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// With `tls.client_authority`: for which terminals a peer may speak, by a name in its certificate (DNS or address).
    /// `{ "host-1.example" = ["T1", "T2"] }`; without it, whoever shows a certificate may speak for every terminal.
    #[serde(default)]
    pub peers: BTreeMap<String, Vec<String>>,
    /// "anywhere" allows bare TCP on an address that is not loopback: a private network, or TLS that ends in front.
    #[serde(default)]
    pub plain: Plain,
    /// Connections at once; more are closed at once. 1 to 100,000.
    #[serde(default = "defaults::connections_max")]
    pub connections_max: usize,
    /// And of one address, or of one /64 network of IPv6: a host that speaks for a thousand terminals has one. 1 to 100,000.
    #[serde(default = "defaults::per_peer_max")]
    pub per_peer_max: usize,
    /// Messages of one connection answered at once; beyond that it is not read. 1 to 4,096.
    #[serde(default = "defaults::in_flight_max")]
    pub in_flight_max: usize,
    /// The longest frame in bytes, header included. 32 to 65,535.
    #[serde(default = "defaults::length_max")]
    pub length_max: usize,
    /// How many more bad messages than good ones end a connection. 1 to 10,000.
    #[serde(default = "defaults::bad_messages_max")]
    pub bad_messages_max: u32,
    /// How long the terminals wait for an answer. 5 to 300.
    #[serde(default = "defaults::patience_seconds")]
    pub patience_seconds: u64,
    /// So many seconds before their patience ends the payment is decided, for the answer to arrive in time.
    #[serde(default = "defaults::margin_seconds")]
    pub margin_seconds: u64,
    /// How long a connection may say nothing. 5 to 86,400.
    #[serde(default = "defaults::idle_seconds")]
    pub idle_seconds: u64,
    /// How long a frame may take from its first byte, and a TLS handshake. 1 to 60.
    #[serde(default = "defaults::frame_seconds")]
    pub frame_seconds: u64,
    /// How long a terminal may take to read what waits for it. 1 to 60.
    #[serde(default = "defaults::write_seconds")]
    pub write_seconds: u64,
}

/// How the messages of a line are proven.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineMac {
    /// `x919`, `x919-left4`, `x99`, `iso16609-tdes`, `aes-cmac` or `cup-ecb`.
    #[schemars(with = "String")]
    pub algorithm: MacAlgorithm,
    /// The name of a `[[key]]` with the role `mac`; without one, each terminal's own working key (see `working_keys`).
    #[serde(default)]
    pub key: Option<String>,
    /// Instead of a key: a key of its own for every message.
    #[serde(default)]
    pub dukpt: Option<LineDukpt>,
}

/// How the key of each message is derived (ANSI X9.24-1 and X9.24-3).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineDukpt {
    /// The name of a `[[key]]` with the role `dukpt-base`.
    pub base: String,
    /// The field with the KSN, as an item of BER-TLV: 48 or 63.
    pub field: u8,
    /// Its tag, in hexadecimal digits.
    pub tag: String,
    /// The derived keys' cipher: `tdes`, or with `aes-cmac` `aes128` unless another is given.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub cipher: Option<Cipher>,
}

/// How the terminals of a line get working keys of their own.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkingKeys {
    /// The name of the `[[key]]` with the role `terminal-master` that their terminals hold.
    pub under: String,
    /// The working keys' cipher: `tdes` or `aes128` and the like.
    #[schemars(with = "String")]
    pub cipher: Cipher,
}

/// How the messages of a line are proven, checked.
pub struct CheckedProof {
    /// The MAC that has to be there.
    pub mac: Option<MacRules>,
    /// How working keys are handed over.
    pub exchange: Option<Exchange>,
}

/// What a reversal is told whose original was never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnseenReversal {
    /// 00: as it wanted, nothing will stand.
    #[default]
    Approved,
    /// 25: there is no such original.
    NotFound,
}

/// A line in which every part makes sense.
pub struct CheckedLine {
    /// What the operator wrote of it.
    pub written: LineConfig,
    /// What it comes to.
    pub settings: LineSettings,
    /// How its messages are written.
    pub dialect: Arc<Dialect>,
    /// How it is served.
    pub rules: Rules,
    /// How its messages are proven.
    pub proof: CheckedProof,
    /// Who may speak for whom; `None`: everybody for everybody.
    pub peers: Option<Peers>,
}

/// Checks the lines; `wrong` is told a key and what it may be.
pub(super) fn checked(
    lines: &[LineConfig],
    roster: &dyn Roster,
    wrong: &mut impl FnMut(String, String),
) -> Vec<CheckedLine> {
    if lines.len() > LINES_MAX {
        wrong("lines".to_owned(), format!("there may be {LINES_MAX} of them"));
    }
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    let mut checked = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut wrong = |key: &str, what: String| wrong(format!("lines[{at}].{key}"), what);
        line.check(&mut wrong);
        if !names.insert(line.name.as_str()) {
            wrong("name", "this name is there twice".to_owned());
        }
        if line.listen.port() != 0 && !addresses.insert(line.listen) {
            wrong("listen", "another line listens there".to_owned());
        }
        if let (Some(dialect), Some(proof)) = (line.dialect(&mut wrong), line.proof(&mut wrong))
            && let Some(settings) = line.settings(&dialect, &mut wrong)
        {
            let peers = line.peers(roster, &mut wrong);
            let (written, rules) = (line.clone(), line.rules());
            checked.push(CheckedLine { written, settings, dialect: Arc::new(dialect), rules, proof, peers });
        }
    }
    checked
}

impl LineDukpt {
    fn rule(&self, algorithm: MacAlgorithm, wrong: &mut impl FnMut(&str, String)) -> Option<Dukpt> {
        let base = key_name("mac.dukpt.base", &self.base, wrong)?;
        let Some(place) = KsnPlace::new(self.field, &self.tag) else {
            wrong("mac.dukpt", "field is 48 or 63, tag a BER-TLV tag in hexadecimal digits".to_owned());
            return None;
        };
        let cipher = self.cipher.unwrap_or(match algorithm {
            MacAlgorithm::AesCmac => Cipher::Aes128,
            _ => Cipher::Tdes,
        });
        Some(Dukpt { base, cipher, place })
    }
}

impl LineConfig {
    fn check(&self, wrong: &mut impl FnMut(&str, String)) {
        if !is_line_name(&self.name) {
            wrong("name", "a line's name has 1 to 31 letters, digits, - and _".to_owned());
        }
        if !self.listen.ip().is_loopback() && self.tls.is_none() && self.plain == Plain::Loopback {
            let what = "bare TCP is for loopback: give tls, or plain = \"anywhere\" on a private network";
            wrong("listen", what.to_owned());
        }
        if self.margin_seconds >= self.patience_seconds {
            wrong("margin_seconds", "it has to be less than patience_seconds".to_owned());
        }
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (key, value, least, most) in [
            ("connections_max", count(self.connections_max), 1, 100_000),
            ("per_peer_max", count(self.per_peer_max), 1, 100_000),
            ("in_flight_max", count(self.in_flight_max), 1, 4096),
            ("length_max", count(self.length_max), 32, 65_535),
            ("bad_messages_max", u64::from(self.bad_messages_max), 1, 10_000),
            ("patience_seconds", self.patience_seconds, 5, 300),
            ("idle_seconds", self.idle_seconds, 5, 86_400),
            ("frame_seconds", self.frame_seconds, 1, 60),
            ("write_seconds", self.write_seconds, 1, 60),
        ] {
            if !(least..=most).contains(&value) {
                wrong(key, format!("{value} is out of range: {least} to {most}"));
            }
        }
    }

    fn dialect(&self, wrong: &mut impl FnMut(&str, String)) -> Option<Dialect> {
        let Some(dialect) = Dialect::named(&self.dialect).filter(|_| SERVED.contains(&self.dialect.as_str()))
        else {
            wrong("dialect", format!("a dialect is one of {}", SERVED.join(", ")));
            return None;
        };
        dialect.with_overrides(&self.overrides).map_err(|fault| wrong("overrides", fault.to_string())).ok()
    }

    /// How its messages are proven; `None` if that is wrong.
    fn proof(&self, wrong: &mut impl FnMut(&str, String)) -> Option<CheckedProof> {
        let mac = match &self.mac {
            None => None,
            Some(mac) => Some((mac.algorithm, self.mac_key(mac, wrong)?)),
        };
        let algorithm = mac.map_or(MacAlgorithm::X919, |(algorithm, _)| algorithm);
        let exchange = match &self.working_keys {
            None => None,
            Some(keys) => {
                let form = match self.dialect.as_str() {
                    "cup-pos" => HandOverForm::Cryptograms { mac: keys.cipher },
                    _ => HandOverForm::KeyBlocks { cipher: keys.cipher, algorithm },
                };
                Some(Exchange { under: key_name("working_keys.under", &keys.under, wrong)?, form })
            }
        };
        let refusal = match algorithm {
            MacAlgorithm::CupEcb => ResponseCode::MAC_ERROR,
            _ => ResponseCode::SECURITY_VIOLATION,
        };
        let mac = mac.map(|(algorithm, key)| MacRules { algorithm, key, refusal });
        Some(CheckedProof { mac, exchange })
    }

    fn mac_key(&self, mac: &LineMac, wrong: &mut impl FnMut(&str, String)) -> Option<MacKeyRule> {
        match (&mac.key, &mac.dukpt) {
            (Some(_), Some(_)) => {
                wrong("mac.key", "give either a key or dukpt".to_owned());
                None
            }
            (Some(key), None) => key_name("mac.key", key, wrong).map(MacKeyRule::Named),
            (None, Some(dukpt)) => dukpt.rule(mac.algorithm, wrong).map(MacKeyRule::Dukpt),
            (None, None) => {
                let cipher = self.working_keys.as_ref().map(|keys| keys.cipher);
                if cipher.is_none() {
                    wrong("mac.key", "name a [[key]] or dukpt, or give the line working_keys".to_owned());
                }
                cipher.map(MacKeyRule::Working)
            }
        }
    }

    /// Who may speak for whom; what is wrong is said, and left out.
    fn peers(&self, roster: &dyn Roster, wrong: &mut impl FnMut(&str, String)) -> Option<Peers> {
        let asks = self.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some());
        if !self.peers.is_empty() && !asks {
            wrong("peers", "a peer is known by its certificate: give tls.client_authority".to_owned());
        }
        let mut peers = Vec::new();
        for (name, written) in &self.peers {
            let Ok(certified) = ServerName::try_from(name.clone()) else {
                wrong(&format!("peers.{name}"), "a DNS name or an address".to_owned());
                continue;
            };
            let mut terminals = BTreeSet::new();
            for text in written {
                match TerminalId::new(text).ok().filter(|id| roster.merchant_of(*id).is_some()) {
                    Some(terminal) => drop(terminals.insert(terminal)),
                    None => wrong(&format!("peers.{name}"), format!("there is no terminal \"{text}\"")),
                }
            }
            peers.push((certified, terminals));
        }
        (!peers.is_empty()).then(|| Peers::new(peers))
    }

    fn rules(&self) -> Rules {
        Rules {
            patience: Duration::from_secs(self.patience_seconds),
            margin: Duration::from_secs(self.margin_seconds),
            unseen_reversal: match self.unseen_reversal {
                UnseenReversal::Approved => ResponseCode::APPROVED,
                UnseenReversal::NotFound => ResponseCode::NOT_FOUND,
            },
        }
    }

    fn settings(&self, dialect: &Dialect, wrong: &mut impl FnMut(&str, String)) -> Option<LineSettings> {
        let form: Framing =
            self.framing.parse().map_err(|error| wrong("framing", format!("{error}"))).ok()?;
        let framing = form.within(dialect.shortest(), self.length_max);
        let framing = framing.map_err(|error| wrong("length_max", error.to_string())).ok()?;
        Some(LineSettings {
            connections_max: self.connections_max,
            per_peer_max: self.per_peer_max,
            in_flight_max: self.in_flight_max,
            bad_messages_max: self.bad_messages_max,
            patience: Duration::from_secs(self.patience_seconds),
            idle: Duration::from_secs(self.idle_seconds),
            frame_within: Duration::from_secs(self.frame_seconds),
            write_within: Duration::from_secs(self.write_seconds),
            ..LineSettings::standard(&self.name, framing, &self.dialect)
        })
    }
}

fn key_name(key: &str, text: &str, wrong: &mut impl FnMut(&str, String)) -> Option<KeyName> {
    KeyName::new(text).map_err(|error| wrong(key, error.to_string())).ok()
}

mod defaults {
    pub(super) fn framing() -> String {
        "len2".to_owned()
    }
    pub(super) const fn connections_max() -> usize {
        10_000
    }
    pub(super) const fn per_peer_max() -> usize {
        1024
    }
    pub(super) const fn in_flight_max() -> usize {
        64
    }
    pub(super) const fn length_max() -> usize {
        super::LENGTH_MAX
    }
    pub(super) const fn bad_messages_max() -> u32 {
        16
    }
    pub(super) const fn patience_seconds() -> u64 {
        30
    }
    pub(super) const fn margin_seconds() -> u64 {
        5
    }
    pub(super) const fn idle_seconds() -> u64 {
        900
    }
    pub(super) const fn frame_seconds() -> u64 {
        10
    }
    pub(super) const fn write_seconds() -> u64 {
        10
    }
}
