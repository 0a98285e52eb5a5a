//! A journal as text for people: one line a record, with its time in UTC. Facts hold no secrets, so neither do lines.
use super::reader::Files;
use super::record::{Kind, Location, Record, Telling};
use super::walk;
use actors::domain::binding::BindingFact;
use actors::domain::identity::{PaymentId, TerminalId};
use actors::domain::journal::{Entry, Seq};
use actors::domain::payment::Stamped;
use actors::domain::payment::command::Fact;
use actors::domain::till::keys::{KeyGeneration, WorkingKeys};
use actors::domain::till::{Count, TillBook, Totals};
use actors::domain::time::Timestamp;
use actors::ports::disk::Disk;
use actors::ports::journal::JournalFault;
use std::sync::Arc;

/// Which records are shown: those that match everything that is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only this payment's.
    pub payment: Option<PaymentId>,
    /// Only this terminal's bindings and books.
    pub terminal: Option<TerminalId>,
    /// From this record on.
    pub from: Seq,
}

impl Filter {
    fn lets_through(&self, record: &Record) -> bool {
        let subject = match &record.entry {
            Entry::Payment(id, _) => {
                self.terminal.is_none() && self.payment.is_none_or(|payment| payment == *id)
            }
            Entry::Binding(id, _) | Entry::Till(id, _) => {
                self.payment.is_none() && self.terminal.is_none_or(|terminal| terminal == *id)
            }
        };
        subject && record.seq >= self.from
    }
}

/// Gives `print` one line for every record on `disk` that the filter lets through, up to the first damage.
pub fn show(disk: Arc<dyn Disk>, filter: &Filter, print: &mut dyn FnMut(&str)) -> Result<(), JournalFault> {
    let files = Files::new(disk.clone());
    let (headers, _) = walk::headers(&*disk, &files)?;
    let Some((_, oldest)) = headers.first_key_value() else { return Ok(()) };
    let mut take = |_: Location, record: Record| {
        if filter.lets_through(&record) {
            print(&line(&record));
        }
        Ok(())
    };
    walk::walk(&files, &headers, walk::beginning(oldest), &mut take).map(|_| ())
}

/// A payment's facts as they lie on `disk`, without a running journal: what a trace is told from.
pub fn life_on(disk: Arc<dyn Disk>, payment: PaymentId) -> Result<Vec<Stamped>, JournalFault> {
    let files = Files::new(disk.clone());
    let (headers, _) = walk::headers(&*disk, &files)?;
    let Some((_, oldest)) = headers.first_key_value() else { return Ok(Vec::new()) };
    let mut life = Vec::new();
    let mut take = |_: Location, record: Record| {
        let Some(telling) = record.tells() else { return Ok(()) };
        if let Entry::Payment(id, fact) = record.entry
            && id == payment
        {
            if telling == Telling::Anew {
                life.clear();
            }
            life.push(Stamped { at: record.at, fact });
        }
        Ok(())
    };
    walk::walk(&files, &headers, walk::beginning(oldest), &mut take)?;
    Ok(life)
}

fn line(record: &Record) -> String {
    let mark = match record.kind {
        Kind::Own => "",
        Kind::Carried => " (copy)",
        Kind::Void => " (void copy)",
    };
    let time = utc(record.at);
    match &record.entry {
        Entry::Payment(id, fact) => {
            format!("{:>10} {time} {id} {}{}{mark}", record.seq.0, fact.name(), details(fact))
        }
        Entry::Binding(terminal, BindingFact::Bound { claim, until }) => format!(
            "{:>10} {time} {terminal} bound {} round {} until {}{mark}",
            record.seq.0,
            claim.payer,
            claim.epoch,
            utc(until.instant())
        ),
        Entry::Binding(terminal, BindingFact::Released { epoch }) => {
            format!("{:>10} {time} {terminal} released round {epoch}{mark}", record.seq.0)
        }
        Entry::Till(terminal, book) => {
            format!("{:>10} {time} {terminal} book{}{mark}", record.seq.0, of_book(book))
        }
    }
}

fn of_book(book: &TillBook) -> String {
    let generation = |generation: KeyGeneration| format!("{:016x}", generation.bits());
    let or_none = |word: &str, keys: Option<KeyGeneration>| {
        keys.map_or_else(String::new, |keys| format!(" {word} {}", generation(keys)))
    };
    let keys = match book.keys() {
        WorkingKeys::None => String::new(),
        WorkingKeys::Offered { newest, before } => {
            format!(" keys offered {}{}", generation(newest), or_none("after", before))
        }
        WorkingKeys::InUse { held, offered } => {
            format!(" keys in use {}{}", generation(held), or_none("offered", offered))
        }
    };
    let settled = book.settled().last().map_or_else(String::new, |settled| {
        let balance = if settled.balanced { "in balance" } else { "out of balance" };
        let (currency, upto) = (settled.currency.code(), utc(settled.upto));
        let (claimed, counted) = (of_totals(&settled.claimed), of_totals(&settled.counted));
        let key = settled.key.as_str();
        format!(" settled {currency} up to {upto} by {key}, {balance}: claimed {claimed}; counted {counted}")
    });
    format!("{keys}{settled}")
}

/// Number and minor units: sales, sales taken back, refunds, refunds of which nothing came.
fn of_totals(totals: &Totals) -> String {
    let count = |count: Count| format!("{}/{}", count.number, count.amount);
    let Totals { debits, debit_reversals, credits, credit_reversals } = *totals;
    [debits, debit_reversals, credits, credit_reversals].map(count).join(" ")
}

fn details(fact: &Fact) -> String {
    match fact {
        Fact::Opened(deal) => format!(" {} for {}", deal.order.money, deal.order.merchant),
        Fact::TurnedAway(order, refusal) => format!(" {} for {}: {refusal:?}", order.money, order.merchant),
        Fact::PhoneCame(claim) => format!(" {} round {}", claim.payer, claim.epoch),
        Fact::Consented(consent) => format!(" {} round {}", consent.claim.payer, consent.claim.epoch),
        Fact::Permitted(attempt, interface) => {
            format!(" attempt {} until {}", attempt.number(), utc(interface.expires.instant()))
        }
        Fact::Presented(attempt, _)
        | Fact::Doubted(attempt)
        | Fact::Inquired(attempt)
        | Fact::StillPermitted(attempt) => format!(" attempt {}", attempt.number()),
        Fact::AttemptFailed(attempt, failure, next) => {
            format!(" attempt {}: {failure:?}; next is {}", attempt.number(), next.number())
        }
        Fact::Settled(receipt) => format!(" {} by {}", receipt.money, receipt.reference),
        Fact::Declined(refusal) | Fact::ReversalOwed(refusal) => format!(" {refusal:?}"),
        Fact::UndoingBy(how) => format!(" {how:?}"),
        Fact::Reversed(effect) => format!(" {effect:?}"),
        Fact::ReversedUnseen(keeper) => format!(" {keeper:?}"),
        Fact::RefundOwed(refund, money) => format!(" {refund} {money}"),
        Fact::RefundDone(refund) | Fact::RefundRefused(refund) => format!(" {refund}"),
        Fact::PhoneLeft => String::new(),
    }
}

/// RFC 3339 in UTC, to the microsecond.
fn utc(instant: Timestamp) -> String {
    let (days, second) = (instant.secs() / 86_400, instant.secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let micros = instant.micros() % 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Days since 1970-01-01 to a date: Howard Hinnant's `civil_from_days`, for days that are not negative.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(utc(Timestamp::from_micros(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(utc(Timestamp::from_micros(1_709_210_096_000_007)), "2024-02-29T12:34:56.000007Z");
    }
}
