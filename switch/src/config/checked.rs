//! A configuration in which every part makes sense, and what is said of one in which not.
//!
//! All problems are found in one go, each with the key it stands under.
use super::{
    CheckedLine, Codes, Config, Listener, Plain, Platform, Secret, Terminal, keys, lines, profile, terminal,
};
use crate::api::{TerminalKeys, is_key_of};
use actors::domain::identity::{MerchantId, PlatformId, TerminalId};
use actors::domain::merchant::MerchantProfile;
use actors::ports::roster::Roster;
use actors::world::Rules;
use adapters::security_module::ConfiguredKey;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A configuration in which every part makes sense, with its secrets read.
pub struct Checked {
    /// What the operator wrote.
    pub config: Config,
    /// Who is known.
    pub roster: Arc<KnownRoster>,
    /// The platforms with their secrets.
    pub platforms: Vec<CheckedPlatform>,
    /// The lines.
    pub lines: Vec<CheckedLine>,
    /// The keys of the security module: taken by whoever opens the house.
    pub keys: Vec<ConfiguredKey>,
    /// Signs access tokens; `None` for a fresh one.
    pub token_secret: Option<Zeroizing<String>>,
    /// The admin listener's token.
    pub admin_token: Option<Zeroizing<String>>,
}

/// A platform with its secrets.
pub struct CheckedPlatform {
    /// Its id.
    pub id: PlatformId,
    /// What the operator wrote of it.
    pub written: Platform,
    /// Signs requests and verifies callbacks.
    pub secret: Zeroizing<String>,
}

/// The terminals and merchants of the configuration.
#[derive(Debug, Default)]
pub struct KnownRoster {
    merchants: HashMap<MerchantId, Arc<MerchantProfile>>,
    terminals: HashMap<TerminalId, (MerchantId, Option<[u8; 32]>)>,
}

impl KnownRoster {
    /// The SHA-256 of a terminal's key.
    pub fn key_digest(&self, terminal: TerminalId) -> Option<&[u8; 32]> {
        self.terminals.get(&terminal).and_then(|(_, digest)| digest.as_ref())
    }

    /// How many terminals are known.
    pub fn terminals(&self) -> usize {
        self.terminals.len()
    }

    /// How many merchants are known.
    pub fn merchants(&self) -> usize {
        self.merchants.len()
    }
}

impl TerminalKeys for KnownRoster {
    fn verify(&self, terminal: TerminalId, key: &str) -> bool {
        is_key_of(self.key_digest(terminal), key)
    }
}

impl Roster for KnownRoster {
    fn merchant_of(&self, terminal: TerminalId) -> Option<MerchantId> {
        self.terminals.get(&terminal).map(|(merchant, _)| *merchant)
    }

    fn merchant(&self, id: MerchantId) -> Option<Arc<MerchantProfile>> {
        self.merchants.get(&id).cloned()
    }
}

/// Where is looked up what the file only names: secrets, and long lists.
pub trait Surroundings {
    /// A file's text.
    fn file(&self, path: &Path) -> io::Result<String>;
    /// An environment variable, if it is set.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The machine that the process runs on.
struct Machine;

impl Surroundings for Machine {
    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Something that is wrong, and under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, `merchant[0].limits.EUR`.
    pub key: String,
    /// What is wrong, and what it may be.
    pub what: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|problem| writeln!(f, "{}: {}", problem.key, problem.what))
    }
}

impl Problems {
    /// One problem.
    pub fn one(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self(vec![Problem { key: key.into(), what: what.into() }])
    }

    pub(super) fn in_file(self, path: &Path) -> Self {
        let rename = |problem: Problem| match problem.key.as_str() {
            "toml" => Problem { key: path.display().to_string(), ..problem },
            _ => problem,
        };
        Self(self.0.into_iter().map(rename).collect())
    }
}

impl Config {
    /// Checks everything and reads the secrets from this machine.
    pub fn checked(self) -> Result<Checked, Problems> {
        self.checked_in(&Machine)
    }

    /// Checks everything; what the file only names is looked up in `surroundings`.
    pub fn checked_in(self, surroundings: &dyn Surroundings) -> Result<Checked, Problems> {
        let named = self.merchants.iter().map(|merchant| merchant.id.clone()).collect();
        let mut found = Findings { problems: Vec::new(), named, surroundings };
        let platforms = found.platforms(&self.platforms);
        let roster = found.roster(&self, &platforms);
        let token_secret =
            self.login.token_secret.as_ref().and_then(|s| found.secret("login.token_secret", s));
        let admin_token = self.admin.token.as_ref().and_then(|s| found.secret("admin.token", s));
        found.numbers(&self);
        let lines = lines::checked(&self.lines, &roster, &mut |key, what| found.wrong(key, what));
        let keys = keys::checked(&self.keys, &lines, &mut found);
        for (key, listener) in
            [("phones", &self.phones), ("terminals", &self.terminals), ("admin", &self.admin)]
        {
            found.listener(key, listener);
        }
        if self.login.codes == Codes::Program && self.login.code_program.is_none() {
            found.wrong(
                "login.code_program",
                "codes = \"program\" needs one; codes = \"page\" is for demonstrations",
            );
        }
        if found.problems.is_empty() {
            let roster = Arc::new(roster);
            Ok(Checked { config: self, roster, platforms, lines, keys, token_secret, admin_token })
        } else {
            Err(Problems(found.problems))
        }
    }
}

impl Checked {
    /// What all payments have in common.
    pub fn rules(&self) -> Rules {
        self.config.patience.rules(&self.config.login)
    }
}

/// What is wrong so far, and which merchants were named, sound or not: a merchant's fault is said once.
pub(super) struct Findings<'a> {
    problems: Vec<Problem>,
    named: HashSet<String>,
    surroundings: &'a dyn Surroundings,
}

impl Findings<'_> {
    pub(super) fn wrong(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.problems.push(Problem { key: key.into(), what: what.into() });
    }

    fn platforms(&mut self, written: &[Platform]) -> Vec<CheckedPlatform> {
        let mut platforms = Vec::new();
        for (at, platform) in written.iter().enumerate() {
            let key = format!("platform[{at}]");
            if !(platform.url.starts_with("http://") || platform.url.starts_with("https://")) {
                self.wrong(format!("{key}.url"), "an address begins with http:// or https://");
            }
            if platform.tls.is_some() != platform.url.starts_with("https://") {
                self.wrong(
                    format!("{key}.tls"),
                    "https:// and tls go together: name authority, certificate and key",
                );
            }
            let secret = self.secret(&format!("{key}.secret"), &platform.secret);
            match (PlatformId::new(&platform.id), secret) {
                (Err(error), _) => self.wrong(format!("{key}.id"), error.to_string()),
                (Ok(id), Some(secret)) => {
                    platforms.push(CheckedPlatform { id, written: platform.clone(), secret });
                }
                _ => {}
            }
        }
        platforms
    }

    fn roster(&mut self, config: &Config, platforms: &[CheckedPlatform]) -> KnownRoster {
        let known: Vec<PlatformId> = platforms.iter().map(|platform| platform.id).collect();
        let mut roster = KnownRoster::default();
        for (at, merchant) in config.merchants.iter().enumerate() {
            match profile(merchant, config.patience.terms(), &known) {
                Ok(profile) => {
                    if roster.merchants.insert(profile.id, Arc::new(profile)).is_some() {
                        self.wrong(format!("merchant[{at}].id"), "this id is there twice");
                    }
                }
                Err((key, what)) => self.wrong(format!("merchant[{at}].{key}"), what),
            }
        }
        for (at, written) in config.terminals_known.iter().enumerate() {
            self.terminal(&format!("terminal[{at}]"), written, &mut roster);
        }
        if let Some(path) = &config.terminals_file {
            self.terminals_in(path, &mut roster);
        }
        roster
    }

    fn terminal(&mut self, at: &str, written: &Terminal, roster: &mut KnownRoster) {
        match terminal(written) {
            Ok((_, merchant, _)) if !self.named.contains(merchant.as_str()) => {
                self.wrong(
                    format!("{at}.merchant"),
                    format!("there is no [[merchant]] with the id \"{merchant}\""),
                );
            }
            Ok((id, merchant, digest)) => {
                if roster.terminals.insert(id, (merchant, digest)).is_some() {
                    self.wrong(format!("{at}.id"), "this id is there twice");
                }
            }
            Err((key, what)) => self.wrong(format!("{at}.{key}"), what),
        }
    }

    fn terminals_in(&mut self, path: &Path, roster: &mut KnownRoster) {
        let text = match self.surroundings.file(path) {
            Ok(text) => text,
            Err(error) => return self.wrong("terminals_file", format!("{}: {error}", path.display())),
        };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = format!("terminals_file line {}", number.saturating_add(1));
            match serde_json::from_str::<Terminal>(line) {
                Ok(written) => self.terminal(&at, &written, roster),
                Err(error) => self.wrong(at, error.to_string()),
            }
        }
    }

    pub(super) fn secret(&mut self, key: &str, secret: &Secret) -> Option<Zeroizing<String>> {
        let read = match (&secret.file, &secret.env) {
            (Some(path), None) => {
                self.surroundings.file(path).map_err(|error| format!("{}: {error}", path.display()))
            }
            (None, Some(name)) => {
                self.surroundings.variable(name).ok_or_else(|| format!("the environment has no {name}"))
            }
            _ => Err("name either a file or an env(ironment variable)".to_owned()),
        };
        match read.map(|text| Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())) {
            Ok(secret) if secret.len() < 16 => {
                self.wrong(key, "a secret has at least 16 characters");
                None
            }
            Ok(secret) => Some(secret),
            Err(what) => {
                self.wrong(key, what);
                None
            }
        }
    }

    fn listener(&mut self, key: &str, listener: &Listener) {
        let open = !listener.listen.ip().is_loopback();
        if open && listener.tls.is_none() && listener.plain == Plain::Loopback {
            self.wrong(
                format!("{key}.listen"),
                "plain HTTP is for loopback: give tls, or plain = \"anywhere\" where TLS ends in front of the switch",
            );
        }
        if key == "admin" && open && listener.token.is_none() {
            self.wrong("admin.token", "an admin listener that is not on loopback needs a token");
        }
        if key != "admin" && listener.token.is_some() {
            self.wrong(format!("{key}.token"), "only the admin listener has a token");
        }
    }

    fn numbers(&mut self, config: &Config) {
        let patience = &config.patience;
        let ranges = [
            ("patience.answer_seconds", patience.answer_seconds, 5, 300),
            ("patience.confirm_seconds", patience.confirm_seconds, 1, 300),
            ("patience.platform_seconds", patience.platform_seconds, 1, 120),
            ("patience.attempts_max", u64::from(patience.attempts_max), 1, 9),
            ("patience.inquire_seconds", patience.inquire_seconds, 1, 7200),
            ("patience.inquiries_max", u64::from(patience.inquiries_max), 0, 9),
            ("patience.binding_seconds", patience.binding_seconds, 5, 3600),
            ("patience.owed_first_millis", patience.owed_first_millis, 10, 60_000),
            ("patience.owed_cap_seconds", patience.owed_cap_seconds, 1, 86_400),
            ("login.token_seconds", config.login.token_seconds, 60, 600),
            ("login.code_seconds", config.login.code_seconds, 30, 900),
            ("node.keep_days", u64::from(config.node.keep_days), 1, 400),
            ("node.segment_mib", u64::from(config.node.segment_mib), 1, 1024),
            ("node.workers", u64::try_from(config.node.workers).unwrap_or(u64::MAX), 1, 64),
            ("limits.inside_max", u64::from(config.limits.inside_max), 100, 10_000_000),
        ];
        for (key, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                self.wrong(key, format!("{value} is out of range: {least} to {most}"));
            }
        }
    }
}
