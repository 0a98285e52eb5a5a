//! The one TOML file, as the operator writes it, and what it comes to when every part of it makes sense.
//!
//! Unknown keys are errors. Secrets are named by file or environment variable, never written here. The file is read
//! into plain structs first; [`Config::checked`] then turns text into the domain's types and says which key is
//! wrong and what it may be. A JSON Schema of the file comes from `turnout check-config --schema`.
use actors::domain::backoff::Backoff;
use actors::domain::identity::{MerchantId, PlatformId, TerminalId};
use actors::domain::merchant::{MerchantProfile, Trading};
use actors::domain::money::{Currency, Money};
use actors::domain::order::Terms;
use actors::domain::routing::Route;
use actors::world::Rules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod checked;
mod keys;
mod lines;
pub use checked::{Checked, CheckedPlatform, KnownRoster, Problem, Problems, Surroundings};
pub use keys::Key;
pub use lines::{CheckedLine, CheckedProof, LineConfig, LineDukpt, LineMac, UnseenReversal, WorkingKeys};

/// The whole file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where this node keeps its truth.
    pub node: Node,
    /// The listener for payers' phones.
    #[serde(default = "Listener::phones")]
    pub phones: Listener,
    /// The listener for terminals and for the platforms' callbacks.
    #[serde(default = "Listener::terminals")]
    pub terminals: Listener,
    /// The listener for operators.
    #[serde(default = "Listener::admin")]
    pub admin: Listener,
    /// How payers log in.
    #[serde(default)]
    pub login: Login,
    /// How patient payments are.
    #[serde(default)]
    pub patience: Patience,
    /// How much may be under way.
    #[serde(default)]
    pub limits: Limits,
    /// The payment platforms, in no particular order.
    #[serde(rename = "platform")]
    pub platforms: Vec<Platform>,
    /// The merchants.
    #[serde(rename = "merchant")]
    pub merchants: Vec<Merchant>,
    /// The terminals.
    #[serde(rename = "terminal", default)]
    pub terminals_known: Vec<Terminal>,
    /// A file with more terminals, one JSON object a line, with the same keys as a `[[terminal]]`.
    #[serde(default)]
    pub terminals_file: Option<PathBuf>,
    /// The lines: where terminals connect over TCP that speak ISO 8583.
    #[serde(default)]
    pub lines: Vec<LineConfig>,
    /// The keys of the security module.
    #[serde(rename = "key", default)]
    pub keys: Vec<Key>,
}

/// Where this node keeps its truth.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The folder of the journal; made if it is not there.
    pub journal: PathBuf,
    /// The read model's file; rebuilt from the journal if it is not there.
    pub read_model: PathBuf,
    /// Threads for each of the phones' and the terminals' listener.
    #[serde(default = "defaults::workers")]
    pub workers: usize,
    /// How many days a finished payment stays in the journal. A terminal that repeats or takes back later than that speaks of a
    /// payment that nobody knows any more.
    #[serde(default = "defaults::keep_days")]
    pub keep_days: u32,
    /// Megabytes of one journal segment.
    #[serde(default = "defaults::segment_mib")]
    pub segment_mib: u32,
}

/// One listener.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS; without it only a loopback address is listened on, unless `plain` says otherwise.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// "anywhere" allows plain HTTP on an address that is not loopback: where TLS ends in front of the switch.
    #[serde(default)]
    pub plain: Plain,
    /// Where people find this listener's page, if not at its address: what a till's code shows (phones only).
    #[serde(default)]
    pub page: Option<String>,
    /// The listener's own bearer token (admin only).
    #[serde(default)]
    pub token: Option<Secret>,
}

/// A certificate with its key, and whom to ask for one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Clients must show a certificate of this authority, PEM.
    #[serde(default)]
    pub client_authority: Option<PathBuf>,
}

/// Where plain HTTP is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plain {
    /// On loopback only.
    #[default]
    Loopback,
    /// Wherever it listens.
    Anywhere,
}

/// Where a secret is: exactly one of the two.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// A file whose first line it is.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// An environment variable that holds it.
    #[serde(default)]
    pub env: Option<String>,
}

/// How payers log in.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Signs access tokens; all nodes of a cluster share it. Without one, a fresh one is thrown at every start.
    pub token_secret: Option<Secret>,
    /// Seconds an access token lasts, 60 to 600.
    pub token_seconds: u64,
    /// Seconds a one-time code lasts, 30 to 900.
    pub code_seconds: u64,
    /// "page" shows the code in the answer, for demonstrations; "program" hands it to `code_program`.
    pub codes: Codes,
    /// The program that sends an SMS: gets `NUMBER CODE` as one line on its standard input.
    pub code_program: Option<PathBuf>,
}

/// Where one-time codes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Codes {
    /// Into the answer to the phone: a demonstration.
    Page,
    /// To a program of the operator's that sends an SMS.
    #[default]
    Program,
}

/// How patient payments are, in seconds.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// A terminal that names no time of its own waits so long for its answer, 5 to 300.
    pub answer_seconds: u64,
    /// A payer may think so long.
    pub confirm_seconds: u64,
    /// A platform may take so long for one answer.
    pub platform_seconds: u64,
    /// Permits asked for at most for one payment, 1 to 9.
    pub attempts_max: u8,
    /// An unknown outcome rests so long before each inquiry.
    pub inquire_seconds: u64,
    /// Inquiries at most for one payment, 0 to 9.
    pub inquiries_max: u8,
    /// A phone's claim to a terminal lasts so long if nothing comes of it.
    pub binding_seconds: u64,
    /// A debt that failed once is tried again after so many milliseconds, then later each time.
    pub owed_first_millis: u64,
    /// The longest pause between tries at a debt.
    pub owed_cap_seconds: u64,
}

/// How much may be under way.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the keys of the file, where each says that it is a maximum")]
pub struct Limits {
    /// Questions inside the switch at once, waiting terminals included.
    pub inside_max: u32,
    /// Actors of one kind in memory at once, per worker; idle ones sleep.
    pub awake_max: usize,
    /// Connections at once per listener and worker.
    pub connections_max: usize,
    /// Calls to one platform at once.
    pub platform_calls_max: usize,
}

/// A payment platform.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Its name: in merchants' routes and in its callback address, `/v1/callbacks/{id}`.
    pub id: String,
    /// Which protocol it speaks.
    pub kind: PlatformKind,
    /// Where it is: `http://host:port` or `https://host:port`.
    pub url: String,
    /// Signs requests to it and verifies its callbacks: `whsec_` and base64, as Standard Webhooks has it.
    pub secret: Secret,
    /// How the payer's sealed credential travels.
    #[serde(default)]
    pub interface: InterfaceKind,
    /// Proves who we are, and whom we speak to (`https` only).
    #[serde(default)]
    pub tls: Option<PlatformTls>,
}

/// The protocols there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlatformKind {
    /// The sandbox that comes with the switch.
    Sandbox,
}

/// How the payer's sealed credential travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceKind {
    /// Through the switch, which cannot read it.
    #[default]
    Relay,
    /// From the phone to the platform.
    Direct,
}

/// Mutual TLS towards a platform.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformTls {
    /// The only authority that is believed, PEM.
    pub authority: PathBuf,
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// A merchant.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Merchant {
    /// Its id (DE 42).
    pub id: String,
    /// The name that payers are shown.
    pub name: String,
    /// Whether it takes payments.
    #[serde(default)]
    pub trading: TradingWord,
    /// The most that may be asked for at once, by currency: `{ EUR = "500.00" }`. Other currencies are refused.
    pub limits: BTreeMap<String, String>,
    /// Which platform takes which currency: `{ EUR = "sandbox" }`.
    pub routes: BTreeMap<String, String>,
    /// How many of its payments may be under way at once.
    #[serde(default = "defaults::merchant_in_flight")]
    pub in_flight_max: u32,
}

/// Whether a merchant takes payments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TradingWord {
    /// It does.
    #[default]
    Open,
    /// It does not; refunds and reversals still work.
    Closed,
}

/// A terminal.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// Its id (DE 41).
    pub id: String,
    /// The merchant it belongs to.
    pub merchant: String,
    /// The SHA-256 of its key, 64 hex digits: `printf %s KEY | sha256sum`. Without one it comes over a line only.
    #[serde(default)]
    pub key_sha256: Option<String>,
}

impl Config {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Problems::one(path.display().to_string(), format!("cannot be read: {error}")))?;
        Self::parse(&text).map_err(|problems| problems.in_file(path))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        toml::from_str(text).map_err(|error| Problems::one("toml", error.to_string().trim_end().to_owned()))
    }

    /// The JSON Schema of the file.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

impl Listener {
    fn on(port: u16) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        Self { listen, tls: None, plain: Plain::Loopback, page: None, token: None }
    }

    fn phones() -> Self {
        Self::on(8080)
    }

    fn terminals() -> Self {
        Self::on(8081)
    }

    fn admin() -> Self {
        Self::on(9090)
    }
}

impl Default for Login {
    fn default() -> Self {
        Self {
            token_secret: None,
            token_seconds: 600,
            code_seconds: 300,
            codes: Codes::Program,
            code_program: None,
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer_seconds: 90,
            confirm_seconds: 60,
            platform_seconds: 10,
            attempts_max: 3,
            inquire_seconds: 45,
            inquiries_max: 3,
            binding_seconds: 120,
            owed_first_millis: 500,
            owed_cap_seconds: 300,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { inside_max: 100_000, awake_max: 100_000, connections_max: 25_000, platform_calls_max: 512 }
    }
}

impl Patience {
    fn terms(&self) -> Terms {
        Terms {
            confirm_within: Duration::from_secs(self.confirm_seconds),
            platform_within: Duration::from_secs(self.platform_seconds),
            attempts_max: self.attempts_max,
            inquire_every: Duration::from_secs(self.inquire_seconds),
            inquiries_max: self.inquiries_max,
        }
    }

    fn rules(&self, login: &Login) -> Rules {
        Rules {
            binding_lasts: Duration::from_secs(self.binding_seconds),
            code_lasts: Duration::from_secs(login.code_seconds),
            code_tries_max: 5,
            owed_backoff: Backoff {
                first: Duration::from_millis(self.owed_first_millis),
                cap: Duration::from_secs(self.owed_cap_seconds),
            },
            owed_in_flight_max: 32,
            owed_within: Duration::from_secs(self.platform_seconds),
        }
    }
}

mod defaults {
    pub(super) const fn workers() -> usize {
        2
    }
    pub(super) const fn keep_days() -> u32 {
        7
    }
    pub(super) const fn segment_mib() -> u32 {
        64
    }
    pub(super) const fn merchant_in_flight() -> u32 {
        10_000
    }
}

/// A merchant's profile, from what the operator wrote.
fn profile(
    merchant: &Merchant,
    terms: Terms,
    known: &[PlatformId],
) -> Result<MerchantProfile, (String, String)> {
    let id = MerchantId::new(&merchant.id).map_err(|e| ("id".to_owned(), e.to_string()))?;
    let limits = merchant
        .limits
        .iter()
        .map(|(code, amount)| {
            Money::parse_payable(amount, code).map_err(|e| (format!("limits.{code}"), e.to_string()))
        })
        .collect::<Result<_, _>>()?;
    let routes = merchant
        .routes
        .iter()
        .map(|(code, platform)| route(code, platform, known).map_err(|e| (format!("routes.{code}"), e)))
        .collect::<Result<_, _>>()?;
    if merchant.name.is_empty() || merchant.name.chars().count() > 40 {
        return Err(("name".to_owned(), "a merchant's name has 1 to 40 characters".to_owned()));
    }
    let trading = match merchant.trading {
        TradingWord::Open => Trading::Open,
        TradingWord::Closed => Trading::Closed,
    };
    let name = merchant.name.as_str().into();
    Ok(MerchantProfile { id, name, trading, limits, routes, terms, in_flight_max: merchant.in_flight_max })
}

fn route(code: &str, platform: &str, known: &[PlatformId]) -> Result<Route, String> {
    let currency = Currency::of_code(code).map_err(|e| e.to_string())?;
    let platform = PlatformId::new(platform).map_err(|e| e.to_string())?;
    if known.contains(&platform) {
        Ok(Route { currency, platform })
    } else {
        Err(format!("there is no [[platform]] with the id \"{platform}\""))
    }
}

/// A terminal, its merchant, and the digest of its key if it has one.
type KnownTerminal = (TerminalId, MerchantId, Option<[u8; 32]>);

/// A terminal's id, merchant and key digest, from what the operator wrote.
fn terminal(terminal: &Terminal) -> Result<KnownTerminal, (String, String)> {
    let id = TerminalId::new(&terminal.id).map_err(|e| ("id".to_owned(), e.to_string()))?;
    let merchant = MerchantId::new(&terminal.merchant).map_err(|e| ("merchant".to_owned(), e.to_string()))?;
    let wrong = || ("key_sha256".to_owned(), "a SHA-256 has 64 hex digits".to_owned());
    let digest = terminal.key_sha256.as_deref().map(|hex| digest(hex).ok_or_else(wrong)).transpose()?;
    Ok((id, merchant, digest))
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(hex_byte))
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

fn hex_byte(pair: &str) -> Option<u8> {
    let is_hex = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}
