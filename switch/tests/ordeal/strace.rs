//! strace as the hand that strikes: counts system calls, or does something to the Nth of a kind on one thread.
//!
//! `when=N` counts for each thread apart and from the moment at which strace attaches. So a blow is aimed at one thread,
//! after the switch has opened its doors, or at a start from its first call on. A killed call is not carried out: the
//! signal meets the thread at the call's entry. Whether a blow struck is seen by the process's end, not promised here.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const ATTACHES_WITHIN: Duration = Duration::from_secs(10);

/// A thread of the switch: its name and which of that name, by age. The same thread has the same in every run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThreadName {
    pub name: String,
    pub which: usize,
}

/// A tracer that is attached.
pub struct Tracer {
    strace: Child,
    output: PathBuf,
}

/// How often each thread made each call.
pub type Census = BTreeMap<(ThreadName, String), u32>;

/// Why nothing can be traced here; nothing if it can.
pub async fn reason_not_to() -> Option<String> {
    let mut sleeper = Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
    let pid = sleeper.id().unwrap().to_string();
    let traced = Command::new("timeout")
        .args(["-s", "INT", "1", "strace", "-qq", "-o", "/dev/null", "-p", &pid])
        .output()
        .await;
    sleeper.kill().await.unwrap();
    match traced {
        Err(fault) => Some(format!("strace cannot be run: {fault}")),
        Ok(output) if output.stderr.is_empty() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// The threads that a process has now, with their ids.
pub fn threads(pid: u32) -> BTreeMap<ThreadName, u32> {
    let listed = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut ids: Vec<u32> =
        listed.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    ids.sort_unstable();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let named = ids.into_iter().map(|id| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/task/{id}/comm")).unwrap_or_default();
        let name = name.trim().to_owned();
        let which = seen.entry(name.clone()).or_default();
        *which += 1;
        (ThreadName { name, which: *which }, id)
    });
    named.collect()
}

impl Tracer {
    /// Does `what` (strace's `inject=CALL:…`, without the call) to thread `id` alone.
    pub async fn striking(id: u32, call: &str, what: &str, folder: &Path) -> Self {
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{what}"));
        Self::attached(&["-e", &trace, "-e", &inject, "-p", &id.to_string()], folder).await
    }

    /// Counts `calls` (separated by commas) of every thread of `pid`.
    pub async fn counting(pid: u32, calls: &str, folder: &Path) -> Self {
        Self::attached(&["-f", "-e", &format!("trace={calls}"), "-p", &pid.to_string()], folder).await
    }

    async fn attached(arguments: &[&str], folder: &Path) -> Self {
        let output = folder.join("strace.out");
        std::fs::remove_file(&output).ok();
        let mut command = Command::new("strace");
        command.arg("-o").arg(&output).args(arguments).kill_on_drop(true);
        let mut strace = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
        let line = tokio::time::timeout(ATTACHES_WITHIN, said.next_line()).await;
        let line = line.expect("strace did not attach").unwrap().unwrap_or_default();
        assert!(line.contains("attached"), "strace did not attach: {line}");
        // Its further words must not fill the pipe, or it would stand still and the switch with it.
        actix_rt::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { strace, output }
    }

    /// Lets go; what it wrote.
    pub async fn released(mut self) -> String {
        if let Some(pid) = self.strace.id() {
            // Only a polite end lets the traced process go on.
            Command::new("kill").args(["-INT", &pid.to_string()]).status().await.unwrap();
            tokio::time::timeout(ATTACHES_WITHIN, self.strace.wait())
                .await
                .expect("strace does not let go")
                .unwrap();
        }
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }
}

/// How many calls were tampered with, from what a striking tracer wrote.
pub fn injected(written: &str) -> usize {
    written.lines().filter(|line| line.contains("(INJECTED)") || line.contains("(DELAYED)")).count()
}

/// How often each of these threads made each call, from what a counting tracer wrote.
pub fn census(written: &str, threads: &BTreeMap<ThreadName, u32>) -> Census {
    let mut census = Census::new();
    for line in written.lines() {
        let Some((id, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        let Ok(id) = id.parse::<u32>() else { continue };
        if !call.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            continue;
        }
        let known = threads.iter().find(|(_, known)| **known == id).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| ThreadName { name: "born later".to_owned(), which: 1 });
        *census.entry((name, call.to_owned())).or_default() += 1;
    }
    census
}

/// A switch that is struck while it starts, itself the child: strace stands beside it.
pub fn under_strace(call: &str, what: &str, arguments: &[OsString]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-qq", "-f", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{what}"), env!("CARGO_BIN_EXE_turnout")]).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
