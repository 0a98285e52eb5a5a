//! The journal reader over a damaged disk: whatever lies there, it is read or refused, the same way each time.
#![no_main]

use actors::domain::identity::Keeper;
use actors::domain::journal::Seq;
use actors::domain::journal::Subject;
use actors::ports::contract::{complete, samples};
use actors::ports::journal::Journal;
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::{Filter, OpenFault, Opened, life_on, open, show, verify};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use switch_fuzz::control;
use switch_fuzz::disk::{Files, OPTIONS, Still, damaged, holding};
use switch_fuzz::draw::Draw;

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw(input);
    let asked = draw.byte() % 5;
    let files = damaged(draw);
    let disk = holding(&files);
    match asked {
        0 => shown(&disk),
        1 => questioned(&disk),
        2 => verified(&files, &disk),
        _ => started(&disk),
    }
});

/// The readers that look without opening.
fn shown(disk: &SimulatedDisk) {
    let report = verify(Arc::new(disk.clone()));
    let mut lines = 0_u64;
    let shown = show(Arc::new(disk.clone()), &Filter::default(), &mut |_| lines += 1);
    // Verifying walks every life back too, so it sees more.
    assert!(shown.is_ok() || report.damage.is_some(), "what cannot be shown is not sound");
    assert!(report.damage.is_some() || lines == report.records, "what is sound is shown to its end");
}

/// What was verified is what opens.
fn verified(files: &Files, disk: &SimulatedDisk) {
    let report = verify(Arc::new(disk.clone()));
    let has_snapshots = files.keys().any(|name| name.starts_with("snapshot-"));
    match opened(disk) {
        Ok(_) => {
            assert!(has_snapshots || report.damage.is_none(), "damage was taken for a journal: {report}")
        }
        Err(OpenFault::Journal(fault)) => {
            assert!(has_snapshots || report.damage.is_some(), "a sound journal was refused: {fault}");
        }
        Err(_) => {}
    }
}

/// A start, and one more, find the same.
fn started(disk: &SimulatedDisk) {
    let Ok(Opened { recovery: found, .. }) = opened(disk) else { return };
    let again = match opened(disk) {
        Ok(Opened { recovery, .. }) => recovery,
        Err(fault) => panic!("{found:?} opened once, and then no more: {fault}"),
    };
    assert_eq!((again.last, again.torn), (found.last, 0), "a second start finds what the first did");
    control(found.torn > 0 && found.last > Seq(8));
}

/// An open journal, asked everything that can be asked.
fn questioned(disk: &SimulatedDisk) {
    life_on(Arc::new(disk.clone()), samples::payment(1, 1)).ok();
    let Ok(Opened { journal, .. }) = opened(disk) else { return };
    let (payment, terminal) = (samples::payment(0, 2), samples::terminal_id(1));
    for subject in [Subject::Payment(payment), Subject::Terminal(terminal), Subject::Till(terminal)] {
        complete(journal.life(subject)).ok();
        complete(journal.latest(subject)).ok();
    }
    complete(journal.kept_by(Keeper::Terminal(terminal)));
    complete(journal.involving(samples::payer_id(1)));
    complete(journal.indebted());
    complete(journal.keeper_of(payment));
    journal.tail(Seq(1)).read(usize::MAX).ok();
}

fn opened(disk: &SimulatedDisk) -> Result<Opened, OpenFault> {
    complete(open(Arc::new(disk.clone()), Arc::new(Still), OPTIONS, Box::new(|_| {})))
}
