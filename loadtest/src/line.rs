//! The line of terminals that speak ISO 8583: where it is, how it writes, TLS, and the MAC that proves its messages.
//!
//! Everything is read once, before the first terminal connects: a file that is not there, a key that does not fit its
//! algorithm, or an option that means nothing without another is refused by name. `docs/lines.md` is the other side.
use crate::concentrator::Concentrator;
use actors::domain::identity::{MerchantId, TerminalId};
use actors::domain::money::Money;
use actors::ports::security_module::{Cipher, MacAlgorithm};
use adapters::http_client::{ClientIdentity, ClientTls, Network, TlsNetwork};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::Framing;
use adapters::players::Surroundings;
use adapters::players::pos::{Pos, PosLine};
use adapters::security_module::mac::MacKey;
use adapters::security_module::secret::SecretKey;
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NoSuchWord, StrDeserializer};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Network management: are you there?
const ECHO: &str = "301";
/// What a terminal that is believed is told of what no platform does.
const NOT_SERVED: &str = "40";
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The command line's part of it.
#[derive(Args, Clone, Debug)]
pub struct LineArgs {
    /// A line for terminals that speak ISO 8583, where the scenario has some.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8084")]
    pub line: String,
    /// How the line frames messages (docs/lines.md).
    #[arg(long, default_value = "len2")]
    framing: String,
    /// How it writes them.
    #[arg(long, default_value = "iso87-ascii")]
    dialect: String,
    /// So many connections, which all terminals share as behind a concentrator, instead of one each.
    #[arg(long, value_name = "NUMBER")]
    line_links: Option<NonZeroUsize>,
    /// Speaks TLS over the line, and trusts the certificates of this authority (PEM).
    #[arg(long, value_name = "FILE")]
    line_authority: Option<PathBuf>,
    /// The name that the line's certificate bears, where that is not the host of `--line`.
    #[arg(long, value_name = "NAME", requires = "line_authority")]
    line_name: Option<String>,
    /// The certificate that terminals show, where the line asks for one (PEM, its own first).
    #[arg(long, value_name = "FILE", requires_all = ["line_authority", "line_key"])]
    line_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "line_certificate")]
    line_key: Option<PathBuf>,
    /// The line's MAC: x919, x919-left4, iso16609-tdes, aes-cmac or cup-ecb.
    #[arg(long, value_name = "ALGORITHM", requires = "line_mac_key")]
    line_mac: Option<String>,
    /// Its key, the same that the switch has: hexadecimal digits in a file.
    #[arg(long, value_name = "FILE", requires = "line_mac")]
    line_mac_key: Option<PathBuf>,
}

/// A line that terminals can connect to.
#[derive(Clone)]
pub struct Line {
    pos: PosLine,
    tls: Option<(ClientTls, Option<String>)>,
    links: Option<NonZeroUsize>,
    concentrator: Option<Arc<Concentrator>>,
}

impl LineArgs {
    /// Host and port.
    pub fn address(&self) -> anyhow::Result<(&str, u16)> {
        let (host, port) = self.line.rsplit_once(':').context("--line HOST:PORT")?;
        Ok((host.trim_matches(['[', ']']), port.parse().context("--line HOST:PORT")?))
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> anyhow::Result<bool> {
        let (host, _) = self.address()?;
        Ok(host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
    }

    /// Reads everything that is named.
    pub fn read(&self) -> anyhow::Result<Line> {
        let (host, port) = self.address()?;
        let framing: Framing = self.framing.parse().context("--framing")?;
        let dialect = Dialect::named(&self.dialect);
        let dialect = dialect.with_context(|| format!("--dialect is one of {}", Dialect::ALL.join(", ")))?;
        let (header, dialect) = (framing.plain_header(), Arc::new(dialect.clone()));
        let pos = PosLine { host: host.to_owned(), port, framing, header, dialect, sealer: self.mac()? };
        Ok(Line { pos, tls: self.tls()?, links: self.line_links, concentrator: None })
    }

    /// Options that mean something to a line alone are refused where no payment goes over it: they would only seem to be tried.
    pub fn is_used(&self, uses_line: bool) -> anyhow::Result<()> {
        let given = [
            ("--line-authority", self.line_authority.is_some()),
            ("--line-mac-key", self.line_mac_key.is_some()),
            ("--line-links", self.line_links.is_some()),
        ];
        let idle = given.iter().find(|(_, is_given)| !uses_line && *is_given);
        let Some((option, _)) = idle else { return Ok(()) };
        bail!("{option}: no payment goes over the line: give `iso` a weight in the scenario's [doors]")
    }

    fn tls(&self) -> anyhow::Result<Option<(ClientTls, Option<String>)>> {
        let Some(authority) = &self.line_authority else { return Ok(None) };
        let authority = file("--line-authority", authority)?;
        let certificate =
            self.line_certificate.as_ref().map(|path| file("--line-certificate", path)).transpose()?;
        let key = self.line_key.as_ref().map(|path| file("--line-key", path)).transpose()?;
        let identity = certificate
            .as_ref()
            .zip(key.as_ref())
            .map(|(certificate, key)| ClientIdentity { certificates_pem: certificate, key_pem: key });
        let tls = ClientTls::new(&authority, identity);
        let tls = tls.context("--line-authority, --line-certificate, --line-key")?;
        Ok(Some((tls, self.line_name.clone())))
    }

    fn mac(&self) -> anyhow::Result<Option<Arc<MacKey>>> {
        let Some((algorithm, path)) = self.line_mac.as_ref().zip(self.line_mac_key.as_ref()) else {
            return Ok(None);
        };
        let algorithm = algorithm_named(algorithm)?;
        let digits = String::from_utf8(file("--line-mac-key", path)?);
        let digits = digits.context("--line-mac-key is hexadecimal digits")?;
        let cipher = cipher(algorithm, digits.trim().len().div_euclid(2));
        let key = SecretKey::from_hex(cipher, digits.trim()).context("--line-mac-key")?;
        let key = MacKey::new(algorithm, &key).context("--line-mac-key does not go with --line-mac")?;
        Ok(Some(Arc::new(key)))
    }
}

impl Line {
    /// The same, over connections that all its terminals share, if that was asked for.
    #[must_use]
    pub fn shared(mut self, surroundings: &Surroundings) -> Self {
        let under = self.network(surroundings);
        self.concentrator = self.links.map(|links| Arc::new(Concentrator::new(links, &under, &self.pos)));
        self
    }

    /// A terminal on the line.
    pub fn terminal(
        &self,
        surroundings: &Surroundings,
        terminal: TerminalId,
        merchant: MerchantId,
        stan: u32,
    ) -> Pos {
        let branch = self.concentrator.as_ref().and_then(|concentrator| concentrator.branch(terminal));
        let network = branch.map_or_else(|| self.network(surroundings), |branch| Arc::new(branch));
        let surroundings = Surroundings { network, ..surroundings.clone() };
        Pos::new(surroundings, self.pos.clone(), terminal, merchant, stan)
    }

    fn network(&self, surroundings: &Surroundings) -> Arc<dyn Network> {
        match &self.tls {
            Some((tls, peer)) => Arc::new(over_tls(surroundings, tls, peer.as_ref())),
            None => Arc::clone(&surroundings.network),
        }
    }

    /// That a terminal is understood and believed, before a thousand try: with an echo and with a question that is always
    /// refused, neither of which is a payment.
    pub async fn is_open(
        &self,
        surroundings: &Surroundings,
        terminal: TerminalId,
        merchant: MerchantId,
        money: Money,
    ) -> anyhow::Result<()> {
        let at = format!("--line {}:{}", self.pos.host, self.pos.port);
        if let Some((tls, peer)) = &self.tls {
            let network = over_tls(surroundings, tls, peer.as_ref());
            let shaken = within(network.connect(self.pos.host.clone(), self.pos.port)).await;
            shaken.with_context(|| format!("{at} does not shake hands: {HANDSHAKE}"))?;
        }
        let stan = u32::try_from(surroundings.clock.now().secs() % 86_400)?.saturating_add(1);
        let mut pos = self.terminal(surroundings, terminal, merchant, stan);
        let echo = within(pos.manage(ECHO)).await;
        // A certificate that is missing is told after a handshake of TLS 1.3, by hanging up.
        let also = if self.tls.is_some() { HANDSHAKE } else { "no --line-authority was given" };
        let echo = echo.with_context(|| format!("{at} does not answer an echo: {WRITING}; {also}"))?;
        ensure!(echo.code == "00", "{at} answered an echo with {}: {WRITING}", echo.code);
        let order = pos.order(money, ANSWERS_WITHIN);
        let refused = within(pos.ask_balance(&order)).await;
        let refused = refused.with_context(|| format!("{at} does not answer a terminal: {WRITING}"))?;
        let code = refused.code;
        ensure!(code == NOT_SERVED, "{at} answered terminal {terminal} of {merchant} with {code}: {WRITING}");
        Ok(())
    }
}

/// What handshakes depend on.
const HANDSHAKE: &str = "--line-authority signed its certificate, which bears --line-name or the host; it may ask for a --line-certificate";
/// What answers depend on.
const WRITING: &str = "--framing, --dialect, --line-mac and --line-mac-key are what the switch's [[lines]] says, TLS is there where \
that has `tls`, and the terminals are those of the roster (docs/lines.md has the codes)";

fn over_tls(surroundings: &Surroundings, tls: &ClientTls, peer: Option<&String>) -> TlsNetwork {
    TlsNetwork { under: Arc::clone(&surroundings.network), tls: tls.clone(), peer: peer.cloned() }
}

async fn within<T, E>(answering: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    anyhow::Error: From<E>,
{
    let answer = tokio::time::timeout(ANSWERS_WITHIN, answering).await;
    Ok(answer.context("nothing came within five seconds")??)
}

fn file(option: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{option} {}", path.display()))
}

fn algorithm_named(name: &str) -> anyhow::Result<MacAlgorithm> {
    const KNOWN: &str = "--line-mac is one of x919, x919-left4, iso16609-tdes, aes-cmac, cup-ecb";
    let word: StrDeserializer<'_, NoSuchWord> = name.into_deserializer();
    match MacAlgorithm::deserialize(word) {
        Ok(MacAlgorithm::X99) => bail!("{KNOWN}: x99 is only verified, so an answer could not be"),
        Ok(algorithm) => Ok(algorithm),
        Err(_) => bail!("{KNOWN}, not {name:?}"),
    }
}

/// The cipher that a key of so many bytes is for, under this algorithm; whether it fits is the key's to say.
const fn cipher(algorithm: MacAlgorithm, bytes: usize) -> Cipher {
    match (algorithm, bytes) {
        (MacAlgorithm::AesCmac, 32) => Cipher::Aes256,
        (MacAlgorithm::AesCmac, 24) => Cipher::Aes192,
        (MacAlgorithm::AesCmac, _) => Cipher::Aes128,
        (MacAlgorithm::Iso16609Tdes, 24) => Cipher::Tdes3,
        (MacAlgorithm::CupEcb | MacAlgorithm::X99, 8) => Cipher::Des,
        _ => Cipher::Tdes,
    }
}
