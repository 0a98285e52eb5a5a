//! A journal that is nearly full: what happens at the end of a segment then happens in the middle of a payment.
//!
//! It is written by the journal itself while no switch runs, with records that owe nothing to anybody.
use actors::domain::identity::{Keeper, PaymentId, TerminalId};
use actors::domain::journal::Entry;
use actors::domain::payment::command::Fact;
use actors::ports::clock::Clock;
use actors::ports::journal::Journal;
use adapters::clock::SteadyClock;
use adapters::journal::{self, Options};
use std::path::Path;
use std::sync::Arc;

const SEGMENT: u32 = 1024 * 1024;
const FIRST: &str = "0000000001.segment";

/// Fills the first segment of the journal in `folder` until at most `left` bytes of it are left.
pub fn fill(folder: &Path, left: usize) {
    let folder = folder.to_owned();
    // The journal has a runtime of its own, which does not start on another's thread.
    std::thread::spawn(move || filled(&folder, left)).join().unwrap();
}

fn filled(folder: &Path, left: usize) {
    let clock = Arc::new(SteadyClock::starting_now());
    let options = Options { segment_bytes: SEGMENT, ..Options::PRODUCTION };
    let running = journal::start(folder, clock.clone(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let keeper = Keeper::Terminal(TerminalId::new("T0").unwrap());
    let mut number: u128 = 0;
    while unused(folder) > left {
        // Far from the brim many at once, then one by one.
        let batch = ((unused(folder) - left) / 400).max(1);
        let entries = std::iter::repeat_with(|| {
            number += 1;
            Entry::Payment(PaymentId::from_bits(number), Fact::ReversedUnseen(keeper))
        });
        let seq = running.journal.append(clock.now(), entries.take(batch).collect());
        runtime.block_on(running.journal.durable(seq));
    }
    running.stop();
}

/// The zeros at the end of the first segment.
fn unused(folder: &Path) -> usize {
    let bytes = std::fs::read(folder.join(FIRST)).unwrap();
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}
