//! Bytes that are not what was written: a tail is cut back, anything else is refused with its place.
use super::rig::{Rig, SMALL, history, run};
use actors::domain::identity::PaymentId;
use actors::ports::contract::samples;
use actors::ports::disk::Disk;
use actors::ports::journal::JournalFault;
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::frame::Chain;
use adapters::journal::segment::{Header, name};
use adapters::journal::{Filter, OpenFault, Standing, payments, show, verify};
use std::sync::Arc;

const FIRST: &str = "0000000001.segment";

/// A disk with a history on it and no snapshot, and where its last segment's bytes end.
fn written(payments: u64) -> (SimulatedDisk, String, usize) {
    let disk = SimulatedDisk::new();
    run(async {
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle_all(&history(payments)).await;
        rig.kill();
    });
    let segments = names(&disk);
    let last = segments.last().unwrap().clone();
    let end = disk.bytes(&last).iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (disk, last, end)
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.list().unwrap();
    names.retain(|name| name.ends_with(".segment") && name.starts_with('0'));
    names.sort();
    names
}

fn copy(disk: &SimulatedDisk) -> SimulatedDisk {
    disk.after_power_cut(adapters::disk::simulated::Survival::Everything)
}

fn reopened(disk: &SimulatedDisk) -> Result<(usize, usize), OpenFault> {
    run(async {
        let rig = Rig::open(disk, SMALL).await?;
        let (records, torn) = (rig.records().len(), rig.recovery.torn);
        rig.kill();
        Ok((records, torn))
    })
}

/// Where the last frame of a segment begins.
fn last_frame(bytes: &[u8]) -> usize {
    bytes.windows(4).rposition(|window| window == [0xf5, b'T', b'J', 0xfe]).unwrap()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_back() {
    let (disk, last, end) = written(3);
    let total = reopened(&copy(&disk)).unwrap().0;
    let begin = last_frame(&disk.bytes(&last));
    let of_last_frame = history(3).last().unwrap().len();
    for kept in begin..end {
        let torn = copy(&disk);
        torn.corrupt(&last, kept, &vec![0; end - kept]);
        let whole = disk.bytes(&last)[kept..end].iter().all(|byte| *byte == 0);
        let expected = if whole { total } else { total - of_last_frame };
        assert_eq!(reopened(&torn).unwrap().0, expected, "torn after byte {kept}");
        assert_eq!(reopened(&torn).unwrap(), (expected, 0), "and it is clean afterwards");
    }
}

#[test]
fn a_flipped_bit_is_refused_with_its_place_or_cut_back_if_it_is_in_the_tail() {
    let (disk, last, end) = written(9);
    let total = reopened(&copy(&disk)).unwrap().0;
    let begin_of_last = last_frame(&disk.bytes(&last));
    let segments = names(&disk);
    assert!(segments.len() > 1);
    for name in &segments {
        let used = if *name == last { end } else { 4096 };
        for offset in (0..used).step_by(7) {
            let flipped = copy(&disk);
            flipped.corrupt(name, offset, &[disk.bytes(name)[offset] ^ 0x10]);
            match reopened(&flipped) {
                Ok((records, torn)) => {
                    assert!(*name == last && offset >= begin_of_last, "{name} {offset} was not noticed");
                    assert!(records < total && torn > 0, "{name} {offset}");
                }
                Err(OpenFault::Journal(JournalFault::Damaged { file, offset: at, .. })) => {
                    assert_eq!(file, *name, "byte {offset}");
                    assert!(at <= u64::try_from(offset).unwrap(), "{at} is not after {offset}");
                }
                Err(fault) => panic!("{name} {offset}: {fault}"),
            }
        }
    }
}

#[test]
fn a_lost_sector_in_the_middle_is_refused() {
    let (disk, _, _) = written(5);
    disk.corrupt(FIRST, 1024, &[0; 512]);
    assert!(matches!(reopened(&disk), Err(OpenFault::Journal(JournalFault::Damaged { .. }))));
}

#[test]
fn a_missing_segment_is_refused() {
    let (disk, _, _) = written(30);
    let segments = names(&disk);
    assert!(segments.len() > 2);
    actors::ports::disk::Disk::remove(&disk, &segments[1]).unwrap();
    let fault = reopened(&disk).unwrap_err().to_string();
    assert!(fault.contains(&segments[2]) && fault.contains("missing"), "{fault}");
}

#[test]
fn a_log_that_ends_before_its_own_snapshot_is_refused() {
    let disk = SimulatedDisk::new();
    run(async {
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle_all(&history(2)).await;
        rig.stop().await;
    });
    let bytes = disk.bytes(FIRST);
    let begin = last_frame(&bytes);
    disk.corrupt(FIRST, begin, &vec![0; bytes.len() - begin]);
    let fault = reopened(&disk).unwrap_err().to_string();
    assert!(fault.contains("ends before one of its own snapshots"), "{fault}");
}

#[test]
fn a_sound_batch_of_another_history_is_refused() {
    let write = |epoch: u64| {
        let disk = SimulatedDisk::new();
        run(async {
            let mut rig = Rig::open(&disk, SMALL).await.unwrap();
            rig.settle_all(&[vec![samples::bound(1, epoch)]]).await;
            rig.settle_all(&history(1)).await;
            rig.kill();
        });
        disk.bytes(FIRST)
    };
    let (ours, theirs) = (write(1), write(2));
    let begin = last_frame(&ours);
    assert_eq!(begin, last_frame(&theirs));
    let (disk, _, _) = written(1);
    disk.corrupt(FIRST, 0, &[&ours[..begin], &theirs[begin..]].concat());
    let fault = reopened(&disk).unwrap_err().to_string();
    assert!(fault.contains("does not follow"), "{fault}");
}

#[test]
fn verify_finds_planted_damage_and_names_its_place() {
    let (disk, _, _) = written(5);
    let report = verify(Arc::new(disk.clone()));
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.records, u64::try_from(history(5).concat().len()).unwrap());
    assert_eq!(report.open_payments, 2);
    disk.corrupt(FIRST, 700, &[0xff; 3]);
    let report = verify(Arc::new(disk));
    assert!(!report.is_sound());
    let Some(JournalFault::Damaged { file, offset, .. }) = &report.damage else { panic!("{report}") };
    assert_eq!(file, FIRST);
    assert!(*offset <= 700, "{report}");
    assert!(report.to_string().contains("NOT SOUND"), "{report}");
}

#[test]
fn every_record_is_shown_on_a_line_of_its_own() {
    let (disk, _, _) = written(2);
    let mut lines = Vec::new();
    show(Arc::new(disk.clone()), &Filter::default(), &mut |line| lines.push(line.to_owned())).unwrap();
    assert_eq!(lines.len(), history(2).concat().len());
    let payment = samples::payment(0, 0);
    let filter = Filter { payment: Some(payment), ..Filter::default() };
    let mut lines = Vec::new();
    show(Arc::new(disk), &filter, &mut |line| lines.push(line.to_owned())).unwrap();
    assert_eq!(lines.len(), 6);
    assert_eq!(
        lines[0],
        format!("         2 2026-01-01T00:00:00.000000Z {payment} opened 12.50 EUR for corner-shop")
    );
}

#[test]
fn a_machine_is_told_of_every_payment_what_it_was_for_and_how_often_its_money_moved() {
    let (disk, _, _) = written(2);
    let lines = payments(Arc::new(disk)).unwrap();
    let of = |payment: PaymentId| lines.iter().find(|line| line.payment == payment.to_string()).unwrap();
    let (paid, open) = (of(samples::payment(0, 0)), of(samples::payment(1, 1)));
    assert_eq!((lines.len(), paid.status, paid.settled), (2, Standing::Paid, 1));
    assert_eq!((open.status, open.settled, open.reference.as_deref()), (Standing::Open, 0, None));
    for line in [paid, open] {
        let told = (line.amount.as_deref(), line.currency.as_deref(), line.merchant.as_deref());
        assert_eq!(told, (Some("12.50"), Some("EUR"), Some("corner-shop")));
    }
    let told = (paid.terminal.as_deref(), paid.reference.as_deref(), paid.settled_amount.as_deref());
    assert_eq!(told, (Some("T000000"), Some("debit-1"), Some("12.50")));
}

#[test]
fn a_terminals_book_is_shown_with_its_terminal() {
    run(async {
        let disk = SimulatedDisk::new();
        let mut rig = Rig::open(&disk, SMALL).await.unwrap();
        rig.settle(vec![samples::settled_book(1), samples::rekeyed(2, 7), samples::bound(1, 4)]).await;
        rig.stop().await;
        let filter = Filter { terminal: Some(samples::terminal_id(1)), ..Filter::default() };
        let mut lines = Vec::new();
        show(Arc::new(disk), &filter, &mut |line| lines.push(line.to_owned())).unwrap();
        let time = "2026-01-01T00:00:00.000000Z";
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            format!(
                "         1 {time} T000001 book keys offered 0123456789abcdef after 0000000000000007 \
                 settled EUR up to {time} by settle-1, out of balance: \
                 claimed 1/1250 0/0 0/0 0/0; counted 2/2500 0/0 0/0 0/0"
            )
        );
    });
}

/// The number after it was itself again, and the walk went round.
#[test]
fn a_log_whose_segment_has_the_last_number_there_is_has_an_end() {
    let disk = SimulatedDisk::new();
    let header = Header { number: u32::MAX, first_seq: 1, opened: samples::BEGIN, chain: Chain::default() };
    let file = disk.create(&name(u32::MAX)).unwrap();
    file.write_at(0, &header.bytes()).unwrap();
    file.set_len(4096).unwrap();
    assert!(verify(Arc::new(disk.clone())).is_sound());
    assert_eq!(reopened(&disk), Ok((0, 0)));
}

#[test]
fn a_segment_header_that_says_more_than_this_release_knows_is_refused() {
    let header = Header { number: 1, first_seq: 1, opened: samples::BEGIN, chain: Chain::default() };
    let mut bytes = header.bytes();
    assert_eq!(Header::read(&bytes), Ok(header));
    let end = bytes.len() - 4;
    bytes[end - 1] = 1;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Header::read(&bytes), Err("a segment header that says more than this release knows"));
}
