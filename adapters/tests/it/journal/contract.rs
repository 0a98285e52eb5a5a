//! The contract suite against the real thing: on a real directory with threads, and on the simulated disk.
use super::rig::{SMALL, SetClock};
use actors::ports::contract;
use adapters::disk::simulated::SimulatedDisk;
use adapters::disk::{Directory, DirectoryFault};
use adapters::journal::{Options, StartFault, start};
use std::sync::Arc;

const MODEST: Options = Options { segment_bytes: 64 * 1024, ..SMALL };

#[test]
fn the_journal_in_a_directory_keeps_the_contract() {
    contract::journal::keeps_its_promises(&|| {
        let directory = tempfile::tempdir().unwrap().keep();
        let running = start(&directory, Arc::new(SetClock::new()), MODEST).unwrap();
        Arc::new(running.journal)
    });
}

#[test]
fn the_journal_on_the_simulated_disk_keeps_the_contract() {
    contract::journal::keeps_its_promises(&|| {
        let disk = Arc::new(SimulatedDisk::new());
        let fatal = Box::new(|fatal| panic!("{fatal}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let opening = adapters::journal::open(disk, Arc::new(SetClock::new()), SMALL, fatal);
        let opened = runtime.block_on(opening).unwrap();
        // The workers live as long as the test's process.
        std::thread::spawn(move || {
            runtime.block_on(async { tokio::join!(opened.writer.run(), opened.caretaker.run()) });
        });
        Arc::new(opened.journal)
    });
}

#[test]
fn two_processes_cannot_write_one_journal() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(directory.path(), Arc::new(SetClock::new()), MODEST).unwrap();
    let second = start(directory.path(), Arc::new(SetClock::new()), MODEST);
    assert!(matches!(second.err(), Some(StartFault::Directory(DirectoryFault::InUse(_)))));
    assert!(Directory::reading(directory.path()).is_ok(), "but others may look");
    first.stop();
    start(directory.path(), Arc::new(SetClock::new()), MODEST).unwrap().stop();
}
