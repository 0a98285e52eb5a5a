//! Dumps of a live process, as a thief with the machine's highest rights would take them: `gcore` of Debian's gdb.
//!
//! The switch forbids dumps of itself, so it takes root to get one. Where that cannot be had, a line that begins with
//! `SKIPPED:` says so on standard error, past the test runner that would swallow it.
use crate::house::released;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Mutex;

/// One at a time: most of a dump is memory that was reserved and never used, but the file is as large.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A dump is on a disk no longer than it has to be: best never.
const IN_MEMORY: &str = "/dev/shm";
const PAGE: usize = 4096;

/// The used pages of this process's memory, or why there is no dump.
async fn dump(pid: u32) -> Result<Vec<u8>, String> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let folder = tempfile::tempdir_in(IN_MEMORY).or_else(|_| tempfile::tempdir()).unwrap();
    let mut gcore = Command::new("gcore");
    gcore.arg("-o").arg(folder.path().join("core")).arg(pid.to_string());
    let output = gcore.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("gcore (package gdb) cannot be run: {error}"))?;
    used_pages(&folder.path().join(format!("core.{pid}"))).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        format!("gcore may not look into another process: {}", said.lines().last().unwrap_or_default())
    })
}

/// Pages of zeros left out: no secret is in them, and there is a gigabyte of them.
fn used_pages(core: &Path) -> io::Result<Vec<u8>> {
    let mut core = File::open(core)?;
    let (mut used, mut chunk) = (Vec::new(), vec![0; 256 * PAGE]);
    loop {
        let read = core.read(&mut chunk)?;
        if read == 0 {
            return Ok(used);
        }
        let pages = chunk[..read].chunks(PAGE);
        pages.filter(|page| **page != [0; PAGE][..page.len()]).for_each(|page| used.extend_from_slice(page));
    }
}

/// A dump of the switch. Only a release is looked into: without optimisation, registers full of what is parsed are
/// written to the stack, where nobody wipes them.
pub async fn dump_of_the_switch(pid: u32) -> Option<Vec<u8>> {
    if released().is_none() {
        return skipped("TURNOUT_BINARY names no release build to look into (.ci/test secrets)");
    }
    dump_or_skip(pid).await
}

/// The dump of a process that holds these lines in its memory and does nothing else.
pub async fn dump_of_a_holder(lines: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut holder = Command::new("sort");
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut input = holder.stdin.take().unwrap();
    input.write_all(&lines.join(&b'\n')).await.unwrap();
    // Its input stays open, so it goes on waiting for more; a moment is for what is in the pipe.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let core = dump_or_skip(holder.id().unwrap()).await;
    holder.kill().await.unwrap();
    core
}

async fn dump_or_skip(pid: u32) -> Option<Vec<u8>> {
    match dump(pid).await {
        Ok(core) => Some(core),
        Err(why) => skipped(&why),
    }
}

/// A line that nobody overlooks.
fn skipped(why: &str) -> Option<Vec<u8>> {
    // Not by a macro, whose words the test runner keeps to itself.
    let line = format!("SKIPPED: no core dump was searched for secrets: {why}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
    None
}
