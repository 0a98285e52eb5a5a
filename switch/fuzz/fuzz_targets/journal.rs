//! The journal reader over a damaged disk: whatever lies there, it is read or refused, the same way each time.
#![no_main]

use actors::domain::identity::Keeper;
use actors::domain::journal::Seq;
use actors::domain::journal::Subject;
use actors::ports::contract::{complete, samples};
use actors::ports::journal::Journal;
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::{Filter, OpenFault, Opened, Recovery, life_on, open, show, verify};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use switch_fuzz::control;
use switch_fuzz::disk::{OPTIONS, Still, damaged, holding};

fuzz_target!(|input: &[u8]| {
    let files = damaged(input);
    let disk = holding(&files);
    let report = verify(Arc::new(disk.clone()));
    let mut lines = 0_u64;
    let shown = show(Arc::new(disk.clone()), &Filter::default(), &mut |_| lines += 1);
    assert_eq!((shown.err(), lines), (report.damage.clone(), report.records), "two readers, one truth");
    life_on(Arc::new(disk.clone()), samples::payment(1, 1)).ok();
    let has_snapshots = files.keys().any(|name| name.starts_with("snapshot-"));
    match opened(&disk) {
        Ok(found) => {
            assert!(has_snapshots || report.damage.is_none(), "damage was taken for a journal: {report}");
            let again = opened(&disk).expect("what was opened once opens again");
            assert_eq!((again.last, again.torn), (found.last, 0), "a second start finds what the first did");
            control(found.torn > 0 && found.last > Seq(20));
        }
        Err(OpenFault::Journal(fault)) => {
            assert!(has_snapshots || report.damage.is_some(), "a sound journal was refused: {fault}");
        }
        Err(_) => {}
    }
});

/// Opens the journal and asks it everything that can be asked.
fn opened(disk: &SimulatedDisk) -> Result<Recovery, OpenFault> {
    let opening = open(Arc::new(disk.clone()), Arc::new(Still), OPTIONS, Box::new(|_| {}));
    let Opened { journal, recovery, .. } = complete(opening)?;
    let (payment, terminal) = (samples::payment(0, 2), samples::terminal_id(1));
    for subject in [Subject::Payment(payment), Subject::Terminal(terminal)] {
        complete(journal.life(subject)).ok();
        complete(journal.latest(subject)).ok();
    }
    complete(journal.kept_by(Keeper::Terminal(terminal)));
    complete(journal.involving(samples::payer_id(1)));
    complete(journal.indebted());
    complete(journal.keeper_of(payment));
    journal.tail(Seq(1)).read(usize::MAX).ok();
    Ok(recovery)
}
