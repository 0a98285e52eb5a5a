//! The real thing: `turnout serve` and `turnout sandbox` as children on free ports, for a load to be driven against.
//!
//! The binary is the one beside `loadtest`; where only this crate was built, it is built first.
use crate::protection;
use std::fmt::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The terminals of the roster.
const TERMINALS: usize = 260;
/// The terminals' patience, in seconds.
pub const PATIENCE: &str = "8";

/// What is around a switch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// `turnout sandbox` is its platform.
    Sandbox,
    /// Its platform is for the load to play.
    Played,
    /// So it is, and its line wants TLS, a certificate and a MAC.
    Protected,
}

/// A switch, until it is dropped.
pub struct RealSwitch {
    folder: TempDir,
    ports: [u16; 5],
    setting: Setting,
    children: Vec<Child>,
}

impl RealSwitch {
    pub fn open(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut switch = Self { folder, ports: free_ports(), setting, children: Vec::new() };
        let (_, keys) = super::roster(switch.folder.path(), &TERMINALS.to_string());
        assert!(keys.exists());
        std::fs::write(switch.path("secret"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        if setting == Setting::Protected {
            protection::write(switch.folder.path());
        }
        std::fs::write(switch.path("turnout.toml"), switch.configuration()).unwrap();
        let mut serve = turnout();
        serve.arg("serve").arg("--config").arg(switch.path("turnout.toml"));
        let sandbox = (setting == Setting::Sandbox).then(|| switch.sandbox());
        for mut command in std::iter::once(serve).chain(sandbox) {
            switch.children.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        let [phones, terminals, admin, platform, line] = switch.ports;
        let platform = (setting == Setting::Sandbox).then_some(platform);
        for port in [phones, terminals, admin, line].into_iter().chain(platform) {
            await_port(port);
        }
        switch
    }

    /// What `loadtest run` is told to find it.
    pub fn arguments(&self) -> Vec<String> {
        let [phones, terminals, _, platform, line] = self.ports;
        let mut arguments = vec!["run".to_owned(), "--quiet".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        option("phones", format!("http://127.0.0.1:{phones}"));
        option("terminals", format!("http://127.0.0.1:{terminals}"));
        if self.setting == Setting::Sandbox {
            option("platform", format!("http://127.0.0.1:{platform}"));
        }
        option("line", format!("127.0.0.1:{line}"));
        option("journal", self.path("journal").display().to_string());
        option("turnout", binary().display().to_string());
        option("roster", self.path("terminals.jsonl.keys").display().to_string());
        option("account", "load-{}".to_owned());
        option("pid", self.children[0].id().to_string());
        arguments
    }

    /// A scenario of this text, with the platform that it plays, if that is for it to play.
    pub fn scenario(&self, name: &str, text: &str) -> PathBuf {
        let platform = match self.setting {
            Setting::Sandbox => String::new(),
            Setting::Played | Setting::Protected => {
                format!("[platform]\nlisten = \"127.0.0.1:{}\"\nsecret_file = \"secret\"\n", self.ports[3])
            }
        };
        std::fs::write(self.path(name), format!("{text}\n{platform}")).unwrap();
        self.path(name)
    }

    fn sandbox(&self) -> Command {
        let [_, terminals, _, platform, _] = self.ports;
        let mut sandbox = turnout();
        sandbox.args(["sandbox", "--listen", &format!("127.0.0.1:{platform}"), "--secret"]);
        sandbox.arg(self.path("secret")).arg("--callback");
        sandbox.arg(format!("http://127.0.0.1:{terminals}/v1/callbacks/sandbox"));
        for pair in 0..TERMINALS {
            sandbox.args(["--account", &format!("load-{pair}:load:1000000.00:EUR")]);
        }
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        let folder = self.folder.path().display();
        let [phones, terminals, admin, platform, line] = self.ports;
        let mut text = format!(
            "terminals_file = \"{folder}/terminals.jsonl\"\n[node]\njournal = \"{folder}/journal\"\n\
             read_model = \"{folder}/read.sqlite\"\nworkers = 1\nsegment_mib = 8\n\
             [phones]\nlisten = \"127.0.0.1:{phones}\"\n[terminals]\nlisten = \"127.0.0.1:{terminals}\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n[login]\ncodes = \"page\"\n\
             [[platform]]\nid = \"sandbox\"\nkind = \"sandbox\"\nurl = \"http://127.0.0.1:{platform}\"\n\
             secret = {{ file = \"{folder}/secret\" }}\n\
             [[lines]]\nname = \"shops\"\nlisten = \"127.0.0.1:{line}\"\ndialect = \"iso87-ascii\"\nframing = \"len2\"\n\
             patience_seconds = {PATIENCE}\nmargin_seconds = 2\n"
        );
        if self.setting == Setting::Protected {
            text.push_str(&protection::configuration(self.folder.path()));
        }
        for merchant in ["M1", "M2"] {
            write!(
                text,
                "[[merchant]]\nid = \"{merchant}\"\nname = \"Shop {merchant}\"\nlimits = {{ EUR = \"250.00\" }}\n\
                 routes = {{ EUR = \"sandbox\" }}\n"
            )
            .unwrap();
        }
        text
    }
}

impl Drop for RealSwitch {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn turnout() -> Command {
    Command::new(binary())
}

fn binary() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_loadtest")).with_file_name("turnout");
    if !beside.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-q", "-p", "switch", "--bin", "turnout"]);
        assert!(
            build.status().unwrap().success() && beside.exists(),
            "build it first: cargo build -p switch"
        );
    }
    beside
}

/// Five that nobody holds right now, that the system gives to nobody who just wants to call, and that no other test has.
fn free_ports() -> [u16; 5] {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    let mut free = std::iter::repeat_with(|| TAKEN.fetch_add(1, Ordering::Relaxed))
        .take(12_000)
        .map(|next| 20_000 + (start + next) % 12_000)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    std::array::from_fn(|_| free.next().expect("five free ports below the ephemeral ones"))
}

fn await_port(port: u16) {
    for _ in 0..600 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing opened at port {port} in half a minute");
}
