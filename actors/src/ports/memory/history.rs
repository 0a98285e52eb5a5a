//! The read model in memory: it reads the journal in memory whenever it is asked, so it never lags behind what is durable.
//!
//! Held to the same contract as the real one; see `ports::contract::history`.
use super::MemoryJournal;
use crate::domain::identity::{PayerId, PaymentId};
use crate::domain::journal::{Entry, Seq};
use crate::domain::payment::{Payment, Stamped};
use crate::domain::till::booking::Booking;
use crate::domain::till::{Counted, Period};
use crate::domain::time::Timestamp;
use crate::ports::Answer;
use crate::ports::history::{History, HistoryFault, PastPayment, Wanted};
use crate::ports::journal::Journal;
use std::collections::BTreeMap;
use std::future::ready;

/// The read model of a journal in memory.
#[derive(Clone, Default)]
pub struct MemoryHistory(MemoryJournal);

impl MemoryHistory {
    /// The read model of this journal.
    pub const fn new(journal: MemoryJournal) -> Self {
        Self(journal)
    }

    fn lives(&self) -> BTreeMap<PaymentId, Vec<Stamped>> {
        let mut lives: BTreeMap<PaymentId, Vec<Stamped>> = BTreeMap::new();
        for recorded in self.0.records().into_iter().filter(|recorded| self.0.is_durable(recorded.seq)) {
            if let Entry::Payment(id, fact) = recorded.entry {
                lives.entry(id).or_default().push(Stamped { at: recorded.at, fact });
            }
        }
        lives
    }

    fn rows(&self, wanted: Wanted) -> Vec<PastPayment> {
        let fits = |row: &PastPayment| {
            wanted.terminal.is_none_or(|terminal| row.terminal == Some(terminal))
                && wanted.payer.is_none_or(|payer| row.payer == Some(payer))
                && wanted.status.is_none_or(|status| row.status == status)
        };
        let lives = self.lives();
        let rows = lives.iter().filter_map(|(id, life)| row(*id, life));
        let mut rows: Vec<PastPayment> = rows.filter(fits).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.started_at));
        rows.truncate(usize::from(wanted.most));
        rows
    }

    fn counted(&self, period: Period) -> Counted {
        let lives = self.lives();
        let at_terminal = lives.iter().filter(|(id, life)| {
            row(**id, life).is_some_and(|payment| payment.terminal == Some(period.terminal))
        });
        let booked =
            at_terminal.flat_map(|(id, life)| Booking::all_of(*id, life).expect("facts that follow"));
        let booked: Vec<Booking> = booked
            .filter(|booking| booking.money.currency() == period.currency && period.covers(booking.at))
            .collect();
        Counted::of(&booked)
    }
}

fn row(id: PaymentId, life: &[Stamped]) -> Option<PastPayment> {
    let folded = |life: &[Stamped]| Payment::folded(id, life).expect("facts that can follow");
    let decided: Option<Timestamp> = (1..=life.len()).find_map(|upto| {
        let life = life.get(..upto)?;
        folded(life)?.outcome().and_then(|_| life.last()).map(|last| last.at)
    });
    Some(PastPayment::of(&folded(life)?, life.first()?.at, decided))
}

impl History for MemoryHistory {
    fn of_payer(&self, payer: PayerId, most: u16) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        self.search(Wanted { terminal: None, payer: Some(payer), status: None, most })
    }

    fn search(&self, wanted: Wanted) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        Box::pin(ready(Ok(self.rows(wanted))))
    }

    fn caught_up(&self, with: Seq) -> Answer<Result<(), HistoryFault>> {
        let durable = self.0.durable(with);
        Box::pin(async move {
            durable.await;
            Ok(())
        })
    }

    fn totals(&self, period: Period) -> Answer<Result<Counted, HistoryFault>> {
        Box::pin(ready(Ok(self.counted(period))))
    }
}
