//! A journal in production: writer and caretaker on threads of their own, and a process that ends if the disk fails.
use super::{Fatal, FileJournal, OpenFault, Opened, Options, Recovery};
use crate::disk::{Directory, DirectoryFault};
use actors::ports::clock::Clock;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// A running journal.
pub struct Running {
    /// To append to and ask.
    pub journal: FileJournal,
    /// What the start found.
    pub recovery: Recovery,
    threads: Vec<JoinHandle<()>>,
}

/// Why a journal did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The directory cannot be had.
    #[error(transparent)]
    Directory(#[from] DirectoryFault),
    /// The journal in it cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// The operating system gave no thread.
    #[error("the journal's threads could not be started: {0}; raise the limit on threads")]
    Threads(io::Error),
}

/// Takes the directory at `path` and runs the journal in it.
pub fn start(path: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Running, StartFault> {
    let disk = Arc::new(Directory::exclusive(path)?);
    let runtime = runtime().map_err(StartFault::Threads)?;
    let opened = runtime.block_on(super::open(disk, clock, options, Box::new(abort_process)))?;
    let Opened { journal, writer, caretaker, recovery } = opened;
    let writer = on_thread("journal-writer", move || writer.run());
    let caretaker = on_thread("journal-caretaker", move || caretaker.run());
    let threads = vec![writer.map_err(StartFault::Threads)?, caretaker.map_err(StartFault::Threads)?];
    Ok(Running { journal, recovery, threads })
}

impl Running {
    /// Ends the journal and waits until everything appended is durable and the last snapshot is written.
    pub fn stop(self) {
        self.journal.stop();
        for thread in self.threads {
            // A worker that panicked has reported itself; there is nothing left to wait for.
            thread.join().ok();
        }
    }
}

/// Says why, and ends the process at once: no destructor may answer anybody after the disk failed.
pub fn abort_process(fatal: Fatal) {
    // Nothing can be done about a closed stderr; the process ends either way.
    writeln!(io::stderr(), "{fatal}").ok();
    std::process::abort();
}

fn on_thread<F, W>(name: &str, work: W) -> io::Result<JoinHandle<()>>
where
    F: Future<Output = ()>,
    W: FnOnce() -> F + Send + 'static,
{
    let runtime = runtime()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(work()))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().build()
}
