//! The program `turnout`: reads its command line, starts one actix system, and says in plain words what went wrong.
use clap::Parser;
use std::process::ExitCode;
use switch::cli::Turnout;

/// Wipes what is freed: request buffers, tokens and keys do not wait in free memory for a core dump
/// (docs/decisions/0004-wiped-memory.md).
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<Beneath> = zeroizing_alloc::ZeroAlloc(BENEATH);

/// A payment makes several hundred small allocations, on a thread that outlives them: the system's allocator takes twice as long.
#[cfg(feature = "mimalloc")]
type Beneath = mimalloc::MiMalloc;
#[cfg(feature = "mimalloc")]
const BENEATH: Beneath = mimalloc::MiMalloc;
#[cfg(not(feature = "mimalloc"))]
type Beneath = std::alloc::System;
#[cfg(not(feature = "mimalloc"))]
const BENEATH: Beneath = std::alloc::System;

fn main() -> ExitCode {
    let turnout = Turnout::parse();
    match actix_rt::System::new().block_on(turnout.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last words of a command that failed belong on standard error, whatever the log is set to.
            complain(&format!("turnout: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn complain(text: &str) {
    // Nobody is left to tell if standard error is closed.
    std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap_or_default();
}
