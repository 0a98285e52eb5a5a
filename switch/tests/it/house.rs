//! A real house to stand in front of: a `turnout serve` child with its configuration written out, and the platform it pays through.
//!
//! The switch is another process, so it can be killed, drowned and searched. Nothing here knows what a story wants of it.
use crate::auditor::Books;
use actors::domain::identity::TerminalId;
use actors::domain::money::Money;
use actors::ports::clock::{Clock, Dice};
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::players::Surroundings;
use adapters::players::connection::{Address, Ask, Connection};
use adapters::players::device::DeviceKey;
use adapters::players::phone::Phone;
use adapters::players::till::Till;
use adapters::seal::Credential;
use adapters::signature::SharedSecret;
use hyper::Method;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use switch::sandbox::{self, AccountConfig, RunningSandbox, SandboxConfig, World, books::Policy};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The secret that the switch shares with its platform.
pub const SHARED_SECRET: &str = "whsec_a2lsbGVkLWFuZC1zdGFydGVkLWFnYWluLTAxMjM0NTY3";
/// Signs tokens: they outlive the process that minted them.
pub const TOKEN_SECRET: &str = "tokens-outlive-the-process-that-minted-them";
/// A switch that has to replay a journal on a busy machine opens within this.
const OPENS_WITHIN: Duration = Duration::from_secs(30);

/// A house: where its files and doors are, who may play there, and its platform, which runs.
pub struct Site {
    pub folder: TempDir,
    pub ports: Ports,
    pub surroundings: Surroundings,
    pub sandbox: RunningSandbox,
    pub config: PathBuf,
    apart: Option<SocketAddr>,
    tills: Vec<TillKey>,
    account: Credential<'static>,
}

/// A till's id and key.
#[derive(Clone, Debug)]
pub struct TillKey {
    pub id: String,
    pub key: String,
}

/// The doors' ports.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub phones: u16,
    pub terminals: u16,
    pub admin: u16,
}

impl Ports {
    /// Three that nobody holds right now, and that the system gives to nobody who just wants to call: while a switch
    /// is dead, its doors must not become the other end of somebody's connection.
    pub fn free() -> Self {
        let ports: Vec<u16> = free_ports().take(3).collect();
        Self { phones: ports[0], terminals: ports[1], admin: ports[2] }
    }
}

fn free_ports() -> impl Iterator<Item = u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    std::iter::repeat_with(move || 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
}

/// Where a child's standard error goes, and how much it says.
#[derive(Clone, Copy, Debug)]
pub enum Log<'a> {
    Nowhere,
    Everything(&'a Path),
}

impl Site {
    /// A house with these tills and one account; call it on an actix system.
    pub fn new(tills: Vec<TillKey>, account: Credential<'static>) -> Self {
        let (folder, ports, surroundings) = (tempfile::tempdir().unwrap(), Ports::free(), surroundings());
        let sandbox = sandbox(&surroundings, ports, account);
        let config = written(folder.path(), ports, sandbox.address(), &tills);
        Self { folder, ports, surroundings, sandbox, config, apart: None, tills, account }
    }

    /// A house with one till and one account, for stories that are about something else.
    pub fn small() -> Self {
        let till = TillKey { id: "T0".to_owned(), key: "key-of-the-only-till".to_owned() };
        Self::new(vec![till], Credential { account: "everybody", password: "one-for-all" })
    }

    /// Starts the switch and waits until it takes connections.
    pub async fn opened(&self, log: Log<'_>) -> Child {
        let mut command = turnout();
        command.args(self.serve_arguments());
        match log {
            Log::Nowhere => command.stdout(Stdio::null()).stderr(Stdio::null()),
            Log::Everything(path) => {
                let file = File::options().create(true).append(true).open(path).unwrap();
                command.env("TURNOUT_LOG", "trace").stdout(file.try_clone().unwrap()).stderr(file)
            }
        };
        self.opened_by(command).await.expect("the switch ended while it started")
    }

    /// Waits until the switch that `command` starts takes connections, or how it ended before that.
    pub async fn opened_by(&self, mut command: Command) -> Result<Child, ExitStatus> {
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let opening = async {
            while TcpStream::connect(("127.0.0.1", self.ports.phones)).await.is_err() {
                if let Some(ended) = child.try_wait().unwrap() {
                    return Err(ended);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        let opened = tokio::time::timeout(OPENS_WITHIN, opening).await;
        let threads = || child.id().map(waiting).unwrap_or_default();
        opened
            .unwrap_or_else(|_| panic!("the switch did not open its doors in time: {}", threads()))
            .map(|()| child)
    }

    /// What the program is told, to be this house's switch.
    pub fn serve_arguments(&self) -> [OsString; 3] {
        ["serve".into(), "--config".into(), self.config.clone().into()]
    }

    /// A switch that cannot open: what it says before it ends, and that it says it by its exit code too.
    pub async fn refusal(&self) -> String {
        let mut command = turnout();
        command.arg("serve").arg("--config").arg(&self.config).kill_on_drop(true);
        refusal(command).await
    }

    pub fn till(&self, number: usize) -> Till {
        let TillKey { id, key } = &self.tills[number];
        let address = Address::new(&format!("http://127.0.0.1:{}", self.ports.terminals)).unwrap();
        Till::new(self.surroundings.clone(), address, TerminalId::new(id).unwrap(), key).unwrap()
    }

    /// A phone that has not logged in.
    pub fn phone(&self) -> Phone {
        let address = Address::new(&format!("http://127.0.0.1:{}", self.ports.phones)).unwrap();
        Phone::new(self.surroundings.clone(), address, DeviceKey::generate().unwrap())
    }

    pub const fn account(&self) -> Credential<'static> {
        self.account
    }

    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// The platform's own books, as soon as it shows them.
    pub async fn books(&self) -> Books {
        let Some(apart) = self.apart else { return Books::of(&self.sandbox.books()) };
        let address = Address::new(&format!("http://{apart}")).unwrap();
        let mut connection = Connection::new(self.surroundings.clone(), address);
        loop {
            let asked = connection.ask(Ask::new(Method::GET, "/v1/books"), Duration::from_secs(1)).await;
            // One that stood still for long may first answer what came meanwhile with a 408.
            if let Ok(reply) = asked
                && let Ok(books) = reply.decode()
            {
                return books;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Pays from now on through a platform that is a process of its own: before the switch is started.
    #[allow(dead_code, reason = "only the ordeals have a platform apart")]
    pub async fn with_platform_apart(&mut self) -> Child {
        let port = Ports::free().admin;
        let callback = format!("http://127.0.0.1:{}/v1/callbacks/sandbox", self.ports.terminals);
        let Credential { account, password } = self.account;
        let mut command = turnout();
        command.args(["sandbox", "--listen", &format!("127.0.0.1:{port}"), "--callback", &callback]);
        command.args(["--account", &format!("{account}:{password}:900000000.00:EUR"), "--secret"]);
        command.arg(self.folder.path().join("platform.secret"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let platform = command.spawn().unwrap();
        let apart = SocketAddr::from(([127, 0, 0, 1], port));
        self.reconfigure(&self.sandbox.address().to_string(), &apart.to_string());
        self.apart = Some(apart);
        self.books().await;
        platform
    }

    /// A line of that name for terminals that speak ISO 8583, with these words of configuration; its port.
    #[allow(dead_code, reason = "the ordeals have no lines")]
    pub fn with_line(&self, name: &str, words: &str) -> u16 {
        let port = free_ports().next().unwrap();
        let line = format!("[[lines]]\nname = {name:?}\nlisten = \"127.0.0.1:{port}\"\n{words}\n");
        self.reconfigure("[[platform]]", &format!("{line}[[platform]]"));
        port
    }

    /// Changes the configuration's text.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from), "the configuration has no {from:?}");
        std::fs::write(&self.config, text.replacen(from, to, 1)).unwrap();
    }
}

/// The program; another build of it if `TURNOUT_BINARY` names one.
pub fn turnout() -> Command {
    Command::new(released().unwrap_or_else(|| env!("CARGO_BIN_EXE_turnout").into()))
}

/// The build that `TURNOUT_BINARY` names.
pub fn released() -> Option<OsString> {
    std::env::var_os("TURNOUT_BINARY")
}

/// What a command that has to fail says.
pub async fn refusal(mut command: Command) -> String {
    let output = tokio::time::timeout(OPENS_WITHIN, command.output()).await.expect("it did not end").unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// What a door answered to bytes that were sent as they are, and after how long it closed.
#[derive(Clone, Debug)]
pub struct Heard {
    pub text: String,
    pub closed_after: Option<Duration>,
}

impl Heard {
    /// The status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.text.split(' ').nth(1)?.parse().ok()
    }
}

/// Sends these bytes and listens until the door closes, or for `within`.
pub async fn heard(port: u16, bytes: &[u8], within: Duration) -> Heard {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let began = tokio::time::Instant::now();
    let mut answer = Vec::new();
    let listening = async {
        connection.write_all(bytes).await.unwrap();
        // A reset after the answer is a way to close, too.
        drop(connection.read_to_end(&mut answer).await);
    };
    let closed = tokio::time::timeout(within, listening).await.is_ok();
    let text = String::from_utf8_lossy(&answer).into_owned();
    Heard { text, closed_after: closed.then(|| began.elapsed()) }
}

fn sandbox(surroundings: &Surroundings, ports: Ports, account: Credential<'_>) -> RunningSandbox {
    let account = AccountConfig {
        name: account.account.to_owned(),
        password: account.password.to_owned().into(),
        balances: vec![Money::parse("900000000.00", "EUR").unwrap()],
    };
    let config = SandboxConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: Some(format!("http://127.0.0.1:{}/v1/callbacks/sandbox", ports.terminals)),
        secret: SharedSecret::parse(SHARED_SECRET).unwrap(),
        accounts: vec![account],
        policy: Policy { password_tries_max: 5, payments_max: 1_000_000 },
        permit_lifetime: Duration::from_mins(1),
        late_by: Duration::from_secs(5),
        workers: 1,
    };
    let Surroundings { network, clock, dice, .. } = surroundings.clone();
    sandbox::start(config, World { clock, dice, network }).unwrap()
}

fn written(folder: &Path, ports: Ports, platform: SocketAddr, tills: &[TillKey]) -> PathBuf {
    std::fs::write(folder.join("platform.secret"), SHARED_SECRET).unwrap();
    std::fs::write(folder.join("token.secret"), TOKEN_SECRET).unwrap();
    let Ports { phones, terminals, admin } = ports;
    let at = |name| folder.join(name).to_str().unwrap().to_owned();
    let mut text = format!(
        "[node]\njournal = {:?}\nread_model = {:?}\nworkers = 1\nsegment_mib = 1\n\
         [phones]\nlisten = \"127.0.0.1:{phones}\"\n[terminals]\nlisten = \"127.0.0.1:{terminals}\"\n\
         [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
         [login]\ncodes = \"page\"\ntoken_secret = {{ file = {:?} }}\n\
         [patience]\nplatform_seconds = 2\ninquire_seconds = 1\nowed_first_millis = 100\nowed_cap_seconds = 2\n\
         [[platform]]\nid = \"sandbox\"\nkind = \"sandbox\"\nurl = \"http://{platform}\"\nsecret = {{ file = {:?} }}\n\
         [[merchant]]\nid = \"M\"\nname = \"Kiosk\"\nlimits = {{ EUR = \"9000.00\" }}\nroutes = {{ EUR = \"sandbox\" }}\n",
        at("journal"),
        at("read-model.sqlite"),
        at("token.secret"),
        at("platform.secret"),
    );
    for TillKey { id, key } in tills {
        let digest = hex(&Sha256::digest(key.as_bytes()));
        write!(text, "[[terminal]]\nid = {id:?}\nmerchant = \"M\"\nkey_sha256 = \"{digest}\"\n").unwrap();
    }
    let path = folder.join("turnout.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn surroundings() -> Surroundings {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_now());
    let dice: Arc<dyn Dice> = Arc::new(SystemDice::new().unwrap());
    Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice }
}

/// What each thread of a process does, for a process that does not do what it should.
fn waiting(pid: u32) -> String {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let each = threads.map(|thread| {
        let read = |what: &str| std::fs::read_to_string(thread.path().join(what)).unwrap_or_default();
        format!("{} {} {}", read("comm").trim(), read("wchan").trim(), read("syscall").trim())
    });
    each.collect::<Vec<_>>().join("; ")
}

/// In lower hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}
