//! What the demo stands on: a folder, a sandbox platform, the configuration written out, and the house opened from it.
use super::DemoArgs;
use super::cast::{ACCOUNTS, LINES, MERCHANT, MERCHANT_NAME, TILLS, key_sha256};
use crate::config::Config;
use crate::house::{Addresses, House};
use crate::sandbox::{self, AccountConfig, RunningSandbox, SandboxConfig, books};
use actors::domain::identity::{MerchantId, TerminalId};
use actors::domain::money::Money;
use actors::ports::clock::{Clock, Dice};
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::Framing;
use adapters::players::Surroundings;
use adapters::players::connection::Address;
use adapters::players::device::DeviceKey;
use adapters::players::phone::Phone;
use adapters::players::pos::{Pos, PosLine};
use adapters::players::till::Till;
use adapters::signature::SharedSecret;
use anyhow::Context;
use base64::Engine;
use metrics_exporter_prometheus::PrometheusHandle;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The stage.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) surroundings: Surroundings,
    pub(super) sandbox: RunningSandbox,
    pub(super) addresses: Addresses,
    house: House,
    _temporary: Option<Temporary>,
}

/// Eight ports, phones first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) phones: u16,
    pub(super) terminals: u16,
    pub(super) admin: u16,
    pub(super) platform: u16,
    pub(super) lines: [u16; LINES.len()],
}

impl Ports {
    fn from(first: u16) -> anyhow::Result<Self> {
        if first == 0 {
            return Self::free();
        }
        let next = |by: u16| first.checked_add(by).context("--port leaves no room for seven more");
        let lines = [next(4)?, next(5)?, next(6)?, next(7)?];
        Ok(Self { phones: first, terminals: next(1)?, admin: next(2)?, platform: next(3)?, lines })
    }

    /// Ports that nobody holds right now.
    pub(super) fn free() -> anyhow::Result<Self> {
        let held: Vec<TcpListener> =
            (0..8).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
        let ports: Vec<u16> =
            held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<anyhow::Result<_>>()?;
        let [phones, terminals, admin, platform, a, b, c, d] = ports[..] else {
            anyhow::bail!("no free ports")
        };
        Ok(Self { phones, terminals, admin, platform, lines: [a, b, c, d] })
    }
}

impl Stage {
    pub(super) async fn set(args: &DemoArgs, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        let temporary = match &args.folder {
            Some(_) => None,
            None => Some(Temporary::new()?),
        };
        let folder =
            args.folder.clone().or_else(|| temporary.as_ref().map(|t| t.0.clone())).unwrap_or_default();
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let surroundings = surroundings()?;
        let ports = Ports::from(args.port)?;
        let secret = new_secret(&surroundings);
        let sandbox = sandbox(&surroundings, ports, &secret)?;
        let config = write_config(&folder, ports, &secret)?;
        let checked = Config::read(&config)?.checked()?;
        let house = House::open(checked, metrics).await?;
        let addresses = house.addresses;
        Ok(Self { folder, surroundings, sandbox, addresses, house, _temporary: temporary })
    }

    /// What is where.
    pub(super) fn table(&self) -> String {
        let Addresses { phones, terminals, admin } = self.addresses;
        let mut table = String::from("\nTurnout is open.\n\n");
        let mut row = |who: &str, address: String| writeln!(table, "  {who:<34} {address}");
        let [till, _] = TILLS;
        let (account, password, _) = ACCOUNTS[0];
        let rows = [
            ("A phone", format!("http://{phones}/#terminal={}", till.id)),
            ("A till", format!("http://{terminals}/#terminal={}&key={}", till.id, till.key)),
            ("What the switch is doing", format!("http://{admin}/")),
            ("The interfaces, to browse", format!("http://{phones}/docs  http://{terminals}/docs")),
            ("Metrics", format!("http://{admin}/metrics")),
            ("The platform's books", format!("http://{}/v1/books", self.sandbox.address())),
            ("An account to pay with", format!("{account} / {password}")),
            ("The journal and the configuration", self.folder.display().to_string()),
        ];
        let lines = self.house.line_addresses.iter().zip(LINES).map(|((_, address), line)| {
            ("A terminal that speaks ISO 8583", format!("{address}  {}, {}", line.dialect, line.framing))
        });
        // Writing to a String cannot fail.
        for (who, address) in rows.into_iter().chain(lines) {
            row(who, address).unwrap_or_default();
        }
        table.push('\n');
        table
    }

    /// The till called so, where it speaks ISO 8583 on the first line.
    pub(super) fn pos(&self, number: usize) -> anyhow::Result<Pos> {
        let cast = TILLS.get(number).context("there are two tills")?;
        let (_, address) = self.house.line_addresses.first().context("a line")?;
        let [line, ..] = LINES;
        let framing: Framing = line.framing.parse()?;
        let line = PosLine {
            host: address.ip().to_string(),
            port: address.port(),
            framing,
            header: framing.plain_header(),
            dialect: Arc::new(Dialect::named(line.dialect).context("a dialect")?.clone()),
            sealer: None,
        };
        let (terminal, merchant) = (TerminalId::new(cast.id)?, MerchantId::new(MERCHANT)?);
        // A trace number that no demo before this one used today, in the same folder.
        let seconds = u32::try_from(self.surroundings.clock.now().secs() % 900_000).unwrap_or(1);
        Ok(Pos::new(self.surroundings.clone(), line, terminal, merchant, seconds.saturating_add(1)))
    }

    /// The till called so, at the demo's own house.
    pub(super) fn till(&self, number: usize) -> anyhow::Result<Till> {
        till_at(&self.surroundings, self.addresses.terminals, number)
    }

    /// A phone, logged in as the subscriber.
    pub(super) async fn phone(&self, subscriber: &str) -> anyhow::Result<Phone> {
        phone_at(&self.surroundings, self.addresses.phones, subscriber).await
    }

    /// Closes everything.
    pub(super) async fn strike(self) {
        self.house.close().await;
        self.sandbox.stop().await;
    }
}

/// A till at some house's terminals' door.
pub(super) fn till_at(surroundings: &Surroundings, door: SocketAddr, number: usize) -> anyhow::Result<Till> {
    let cast = TILLS.get(number).context("there are two tills")?;
    let address = Address::new(&format!("http://{door}"))?;
    Ok(Till::new(surroundings.clone(), address, TerminalId::new(cast.id)?, cast.key)?)
}

/// A phone at some house's phones' door, logged in.
pub(super) async fn phone_at(
    surroundings: &Surroundings,
    door: SocketAddr,
    subscriber: &str,
) -> anyhow::Result<Phone> {
    let address = Address::new(&format!("http://{door}"))?;
    let mut phone = Phone::new(surroundings.clone(), address, DeviceKey::generate()?);
    phone.log_in_by_shown_code(subscriber).await?;
    Ok(phone)
}

/// A fresh secret between a switch and a platform.
pub(super) fn new_secret(surroundings: &Surroundings) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    surroundings.dice.fill(&mut *bytes);
    Zeroizing::new(format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(*bytes)))
}

/// A sandbox that calls back to the terminals' door of these ports.
pub(super) fn sandbox(
    surroundings: &Surroundings,
    ports: Ports,
    secret: &str,
) -> anyhow::Result<RunningSandbox> {
    let accounts = ACCOUNTS.iter().map(|(name, password, balance)| {
        let balances = vec![Money::parse(balance, "EUR")?];
        Ok(AccountConfig { name: (*name).to_owned(), password: (*password).to_owned().into(), balances })
    });
    let config = SandboxConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, ports.platform)),
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: Some(format!("http://127.0.0.1:{}/v1/callbacks/sandbox", ports.terminals)),
        secret: SharedSecret::parse(secret)?,
        accounts: accounts.collect::<anyhow::Result<_>>()?,
        policy: books::Policy { password_tries_max: 5, payments_max: 1_000_000 },
        permit_lifetime: Duration::from_mins(5),
        late_by: Duration::from_secs(4),
        workers: 1,
    };
    let world = sandbox::World {
        clock: surroundings.clock.clone(),
        dice: surroundings.dice.clone(),
        network: surroundings.network.clone(),
    };
    Ok(sandbox::start(config, world)?)
}

/// Writes the configuration of a house into `folder`, as an operator would.
pub(super) fn write_config(folder: &Path, ports: Ports, secret: &str) -> anyhow::Result<PathBuf> {
    let Ports { phones, terminals, admin, platform, lines } = ports;
    std::fs::write(folder.join("platform.secret"), secret)?;
    let mut text = format!(
        "# Written by `turnout demo`. `turnout check-config --schema` lists every key.\n\
         [node]\njournal = {journal:?}\nread_model = {read_model:?}\nworkers = 1\nsegment_mib = 8\n\n\
         [phones]\nlisten = \"127.0.0.1:{phones}\"\n\n[terminals]\nlisten = \"127.0.0.1:{terminals}\"\n\n\
         [admin]\nlisten = \"127.0.0.1:{admin}\"\n\n[login]\ncodes = \"page\"\n\n\
         [patience]\nplatform_seconds = 2\ninquire_seconds = 2\ninquiries_max = 2\nowed_first_millis = 250\n\n\
         [[platform]]\nid = \"sandbox\"\nkind = \"sandbox\"\nurl = \"http://127.0.0.1:{platform}\"\n\
         secret = {{ file = {secret_file:?} }}\n\n\
         [[merchant]]\nid = {MERCHANT:?}\nname = {MERCHANT_NAME:?}\nlimits = {{ EUR = \"250.00\" }}\n\
         routes = {{ EUR = \"sandbox\" }}\n",
        journal = within(folder, "journal"),
        read_model = within(folder, "read-model.sqlite"),
        secret_file = within(folder, "platform.secret"),
    );
    for till in TILLS {
        let digest = key_sha256(till.key);
        write!(
            text,
            "\n[[terminal]]\nid = {:?}\nmerchant = {MERCHANT:?}\nkey_sha256 = {digest:?}\n",
            till.id
        )?;
    }
    for (line, port) in LINES.iter().zip(lines) {
        write!(
            text,
            "\n[[lines]]\nname = {:?}\nlisten = \"127.0.0.1:{port}\"\ndialect = {:?}\nframing = {:?}\n",
            line.name, line.dialect, line.framing
        )?;
    }
    let path = folder.join("turnout.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

fn within(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn surroundings() -> anyhow::Result<Surroundings> {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_now());
    let dice: Arc<dyn Dice> = Arc::new(SystemDice::new()?);
    Ok(Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice })
}

/// A folder that goes when the demo does.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("turnout-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing of value is in it; the system's own cleaning takes what is left.
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}
