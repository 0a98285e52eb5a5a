//! The real thing: `turnout serve` and `turnout sandbox` as children on free ports, for a load to be driven against.
//!
//! The binary is the one beside `loadtest`; where only this crate was built, it is built first.
use std::fmt::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The terminals of the roster.
const TERMINALS: usize = 260;
/// The terminals' patience, in seconds.
pub const PATIENCE: &str = "8";

/// A switch and its platform, until they are dropped.
pub struct RealSwitch {
    folder: TempDir,
    ports: [u16; 5],
    children: Vec<Child>,
}

impl RealSwitch {
    pub fn open() -> Self {
        let ports = free_ports();
        let mut switch = Self { folder: tempfile::tempdir().unwrap(), ports, children: Vec::new() };
        let (_, keys) = super::roster(switch.folder.path(), &TERMINALS.to_string());
        assert!(keys.exists());
        std::fs::write(switch.path("secret"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        std::fs::write(switch.path("turnout.toml"), switch.configuration()).unwrap();
        let [_, terminals, _, platform, _] = ports;
        let mut sandbox = turnout();
        sandbox.args(["sandbox", "--listen", &format!("127.0.0.1:{platform}"), "--secret"]);
        sandbox.arg(switch.path("secret")).arg("--callback");
        sandbox.arg(format!("http://127.0.0.1:{terminals}/v1/callbacks/sandbox"));
        for pair in 0..TERMINALS {
            sandbox.args(["--account", &format!("load-{pair}:load:1000000.00:EUR")]);
        }
        let mut serve = turnout();
        serve.arg("serve").arg("--config").arg(switch.path("turnout.toml"));
        for mut command in [sandbox, serve] {
            switch.children.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        for port in ports {
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
        option("platform", format!("http://127.0.0.1:{platform}"));
        option("line", format!("127.0.0.1:{line}"));
        option("journal", self.path("journal").display().to_string());
        option("turnout", binary().display().to_string());
        option("roster", self.path("terminals.jsonl.keys").display().to_string());
        option("account", "load-{}".to_owned());
        option("pid", self.children[1].id().to_string());
        arguments
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

/// Five that nobody holds right now, and that the system gives to nobody who just wants to call.
fn free_ports() -> [u16; 5] {
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    let mut free = (0..12_000)
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
