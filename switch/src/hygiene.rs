//! What the process forbids itself, so that no secret of a payer's ends in a file.
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// No core dumps, and no other process of the same user may look into this one's memory.
pub fn forbid_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// As many open files as the system lets this process have: each terminal and each phone is one.
pub fn raise_file_limit() -> io::Result<u64> {
    let held = rustix::process::getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: held.maximum, maximum: held.maximum })?;
    Ok(held.maximum.unwrap_or(u64::MAX))
}
