//! The read model in SQLite: one file, two tables, one thread that writes and reads it.
//!
//! It follows the journal's tail in batches, each with the place it ends at in the same transaction, so that it goes on
//! where it was. The file is not the truth: it is not synced, and an unreadable or foreign one is built anew.
use super::{Change, Projection};
use actors::domain::identity::{MerchantId, PayerId, PaymentId, PlatformId, RefundId, TerminalId};
use actors::domain::journal::{Recorded, Seq};
use actors::domain::money::{Amount, Currency, Money};
use actors::domain::payment::phase::{Refund, RefundState};
use actors::domain::payment::status::Status;
use actors::domain::response_code::Refusal;
use actors::domain::till::booking::{Booking, BookingKind};
use actors::domain::till::{Count, Counted, Period};
use actors::domain::time::Timestamp;
use actors::ports::Answer;
use actors::ports::history::{History, HistoryFault, PastPayment, Wanted};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::{oneshot, watch};

/// The tables' shape; another number means that it is built anew.
const SHAPE: i64 = 2;
/// Questions and batches that may wait for the thread; beyond that a question is refused.
const WAITING_MAX: usize = 256;

const TABLES: &str = "
CREATE TABLE payment (
  id TEXT PRIMARY KEY, status TEXT NOT NULL, minor_units INTEGER, currency TEXT, merchant TEXT, merchant_name TEXT,
  terminal TEXT, payer TEXT, reference TEXT, platform TEXT, platform_reference TEXT, refusal TEXT,
  refunds TEXT NOT NULL, started_at INTEGER NOT NULL, decided_at INTEGER
) WITHOUT ROWID;
CREATE INDEX payment_by_payer ON payment (payer, started_at DESC);
CREATE INDEX payment_by_terminal ON payment (terminal, started_at DESC);
CREATE INDEX payment_by_time ON payment (started_at DESC);
CREATE TABLE booking (
  terminal TEXT NOT NULL, currency TEXT NOT NULL, at INTEGER NOT NULL, payment TEXT NOT NULL, kind TEXT NOT NULL,
  refund TEXT NOT NULL, minor_units INTEGER NOT NULL, PRIMARY KEY (terminal, currency, at, payment, kind, refund)
) WITHOUT ROWID;
CREATE TABLE place (seq INTEGER NOT NULL);
INSERT INTO place VALUES (0);
";

const COLUMNS: &str = "id, status, minor_units, currency, merchant, merchant_name, terminal, payer, reference, platform, \
     platform_reference, refusal, refunds, started_at, decided_at";

/// The read model. Dropping it ends its thread.
pub struct SqliteReadModel {
    line: SyncSender<Job>,
    place: watch::Receiver<Seq>,
}

/// The read model cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the read model cannot be used: {0}; it may be deleted, it is rebuilt from the journal")]
pub struct ReadModelFault(String);

/// What a batch came to.
#[derive(Debug, Default)]
pub struct TakenIn {
    /// The rows as they stand at its end, one for each payment that it touched.
    pub rows: Vec<PastPayment>,
    /// The payments whose whole lives are needed: see [`SqliteReadModel::relearn`]. Until it has them the place stays.
    pub unknown: Vec<PaymentId>,
}

type Found = Result<Vec<PastPayment>, HistoryFault>;
type Lives = Vec<(PaymentId, Vec<Recorded>)>;

enum Job {
    Find(String, Vec<Value>, oneshot::Sender<Found>),
    Count(Period, oneshot::Sender<Result<Counted, HistoryFault>>),
    TakeIn(Vec<Recorded>, Seq, oneshot::Sender<Result<TakenIn, ReadModelFault>>),
    Relearn(Lives, oneshot::Sender<Result<TakenIn, ReadModelFault>>),
}

impl SqliteReadModel {
    /// Opens or makes the file, and starts the thread.
    pub fn open(path: &Path) -> Result<Self, ReadModelFault> {
        let (connection, place) = opened(path).or_else(|_| {
            remove(path);
            opened(path).map_err(said)
        })?;
        let (line, jobs) = sync_channel(WAITING_MAX);
        let (taken_in, place) = watch::channel(place);
        let work = Work { connection, projection: Projection::default(), taken_in, awaits_lives: None };
        std::thread::Builder::new()
            .name("read-model".to_owned())
            .spawn(move || work.run(&jobs))
            .map_err(|error| ReadModelFault(error.to_string()))?;
        Ok(Self { line, place })
    }

    /// Everything up to here has been taken in: what follows is to be taken in next, whatever went wrong before.
    pub fn place(&self) -> Seq {
        *self.place.borrow()
    }

    /// Takes in all there is to take in from behind its place up to `upto`, in order.
    pub async fn take_in(&self, records: Vec<Recorded>, upto: Seq) -> Result<TakenIn, ReadModelFault> {
        let (done, answer) = oneshot::channel();
        self.put(Job::TakeIn(records, upto, done))?;
        answer.await.map_err(|_| gone())?
    }

    /// Takes in the whole lives that were asked for.
    pub async fn relearn(&self, lives: Lives) -> Result<TakenIn, ReadModelFault> {
        let (done, answer) = oneshot::channel();
        self.put(Job::Relearn(lives, done))?;
        answer.await.map_err(|_| gone())?
    }

    fn put(&self, job: Job) -> Result<(), ReadModelFault> {
        self.line.try_send(job).map_err(|_| ReadModelFault("it is too busy".to_owned()))
    }

    fn find(&self, clauses: &str, values: Vec<Value>) -> Answer<Found> {
        let (done, answer) = oneshot::channel();
        let put = self.put(Job::Find(format!("SELECT {COLUMNS} FROM payment {clauses}"), values, done));
        Box::pin(async move {
            put.map_err(|fault| HistoryFault(fault.to_string()))?;
            answer.await.map_err(|_| HistoryFault(gone().to_string()))?
        })
    }
}

impl History for SqliteReadModel {
    fn of_payer(&self, payer: PayerId, most: u16) -> Answer<Found> {
        self.search(Wanted { terminal: None, payer: Some(payer), status: None, most })
    }

    fn search(&self, wanted: Wanted) -> Answer<Found> {
        let terms = [
            ("terminal", wanted.terminal.map(|id| id.as_str().to_owned())),
            ("payer", wanted.payer.map(|id| id.as_str().to_owned())),
            ("status", wanted.status.map(|status| status.name().to_owned())),
        ];
        let asked: Vec<(&str, String)> =
            terms.into_iter().filter_map(|(column, value)| Some((column, value?))).collect();
        let conditions: Vec<String> = asked.iter().map(|(column, _)| format!("{column} = ?")).collect();
        let condition =
            if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        let values = asked.into_iter().map(|(_, value)| Value::Text(value));
        let values = values.chain([Value::Integer(i64::from(wanted.most))]).collect();
        self.find(&format!("{condition} ORDER BY started_at DESC LIMIT ?"), values)
    }

    fn caught_up(&self, with: Seq) -> Answer<Result<(), HistoryFault>> {
        let mut place = self.place.clone();
        Box::pin(async move {
            let reached = place.wait_for(|place| *place >= with).await;
            reached.map(|_| ()).map_err(|_| HistoryFault(gone().to_string()))
        })
    }

    fn totals(&self, period: Period) -> Answer<Result<Counted, HistoryFault>> {
        let (done, answer) = oneshot::channel();
        let put = self.put(Job::Count(period, done));
        Box::pin(async move {
            put.map_err(|fault| HistoryFault(fault.to_string()))?;
            answer.await.map_err(|_| HistoryFault(gone().to_string()))?
        })
    }
}

struct Work {
    connection: Connection,
    projection: Projection,
    taken_in: watch::Sender<Seq>,
    /// The place that is reached once the lives are there that were asked for.
    awaits_lives: Option<Seq>,
}

impl Work {
    fn run(mut self, jobs: &Receiver<Job>) {
        // Whoever asked may have gone; the answer is then let go.
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Find(query, values, done) => drop(done.send(self.find(&query, &values))),
                Job::Count(period, done) => {
                    let counted = self.count(&period).map_err(|error| HistoryFault(error.to_string()));
                    drop(done.send(counted));
                }
                Job::TakeIn(records, upto, done) => {
                    drop(done.send(self.take_in(&records, upto).map_err(said)));
                }
                Job::Relearn(lives, done) => drop(done.send(self.relearn(&lives).map_err(said))),
            }
        }
    }

    fn find(&self, query: &str, values: &[Value]) -> Found {
        let fault = |error: rusqlite::Error| HistoryFault(error.to_string());
        let mut query = self.connection.prepare_cached(query).map_err(fault)?;
        let rows = query.query_map(params_from_iter(values), |row| Ok(past_payment(row))).map_err(fault)?;
        let rows: Vec<Option<PastPayment>> = rows.collect::<Result<_, _>>().map_err(fault)?;
        Ok(rows.into_iter().flatten().collect())
    }

    fn count(&self, period: &Period) -> rusqlite::Result<Counted> {
        let query = "SELECT kind, COUNT(*), SUM(minor_units) FROM booking \
             WHERE terminal = ? AND currency = ? AND at > ? AND at <= ? GROUP BY kind";
        let mut query = self.connection.prepare_cached(query)?;
        let (terminal, currency) = (period.terminal.as_str(), period.currency.code());
        let mut rows = query.query(params![terminal, currency, micros(period.after), micros(period.upto)])?;
        let mut counted = Counted::ZERO;
        while let Some(row) = rows.next()? {
            let (kind, number, amount): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let positive = |number: i64| u64::try_from(number).unwrap_or(0);
            if let Some(kind) = BookingKind::named(&kind) {
                counted = counted.and(kind, Count { number: positive(number), amount: positive(amount) });
            }
        }
        Ok(counted)
    }

    fn take_in(&mut self, records: &[Recorded], upto: Seq) -> rusqlite::Result<TakenIn> {
        let mut learned = Learned::default();
        let mut unknown = Vec::new();
        for record in records {
            match self.projection.take_in(record) {
                Change::Row(row, booked) => learned.add(*row, booked),
                Change::Unknown(id) => unknown.push(id),
                Change::Nothing => {}
            }
        }
        self.awaits_lives = (!unknown.is_empty()).then_some(upto);
        self.write(&learned, unknown.is_empty().then_some(upto))?;
        Ok(TakenIn { rows: learned.rows.into_values().collect(), unknown })
    }

    fn relearn(&mut self, lives: &Lives) -> rusqlite::Result<TakenIn> {
        let mut learned = Learned::default();
        for (id, life) in lives {
            if let Change::Row(row, booked) = self.projection.relearn(*id, life) {
                learned.add(*row, booked);
            }
        }
        let place = self.awaits_lives.take();
        self.write(&learned, place)?;
        Ok(TakenIn { rows: learned.rows.into_values().collect(), unknown: Vec::new() })
    }

    fn write(&mut self, learned: &Learned, place: Option<Seq>) -> rusqlite::Result<()> {
        let write = self.connection.transaction()?;
        for row in learned.rows.values() {
            put_row(&write, row)?;
        }
        for (payment, terminal, booking) in &learned.booked {
            put_booking(&write, *payment, *terminal, booking)?;
        }
        if let Some(place) = place {
            write.execute("UPDATE place SET seq = ?", [i64::try_from(place.0).unwrap_or(i64::MAX)])?;
        }
        write.commit()?;
        if let Some(place) = place {
            self.taken_in.send_replace(place);
        }
        Ok(())
    }
}

/// What a batch came to, to be written in one piece.
#[derive(Default)]
struct Learned {
    rows: BTreeMap<PaymentId, PastPayment>,
    booked: Vec<(PaymentId, TerminalId, Booking)>,
}

impl Learned {
    fn add(&mut self, row: PastPayment, booked: Vec<Booking>) {
        // A payment without a terminal is on no terminal's account.
        if let Some(terminal) = row.terminal {
            self.booked.extend(booked.into_iter().map(|booking| (row.id, terminal, booking)));
        }
        self.rows.insert(row.id, row);
    }
}

fn opened(path: &Path) -> rusqlite::Result<(Connection, Seq)> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let shape: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match shape {
        0 => {
            connection.execute_batch(TABLES)?;
            connection.pragma_update(None, "user_version", SHAPE)?;
        }
        SHAPE => {}
        _ => return Err(rusqlite::Error::InvalidQuery),
    }
    let place: Option<i64> =
        connection.query_row("SELECT seq FROM place", [], |row| row.get(0)).optional()?;
    let place = place.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0);
    Ok((connection, Seq(place)))
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        if let Err(error) = std::fs::remove_file(&name) {
            tracing::debug!(%error, "nothing to remove");
        }
    }
}

fn put_row(write: &Transaction<'_>, row: &PastPayment) -> rusqlite::Result<()> {
    let query = format!("INSERT OR REPLACE INTO payment ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    write.prepare_cached(&query)?.execute(params![
        row.id.to_string(),
        row.status.name(),
        row.money.and_then(|money| i64::try_from(money.amount().minor_units()).ok()),
        row.money.map(|money| money.currency().code()),
        row.merchant.map(|id| id.as_str().to_owned()),
        row.merchant_name.as_deref(),
        row.terminal.map(|id| id.as_str().to_owned()),
        row.payer.map(|id| id.as_str().to_owned()),
        row.reference.as_deref(),
        row.platform.map(|id| id.as_str().to_owned()),
        row.platform_reference.as_deref(),
        row.refusal.map(Refusal::code),
        refunds_text(&row.refunds),
        micros(row.started_at),
        row.decided_at.map(micros),
    ])?;
    Ok(())
}

fn put_booking(
    write: &Transaction<'_>,
    payment: PaymentId,
    terminal: TerminalId,
    booking: &Booking,
) -> rusqlite::Result<()> {
    let query = "INSERT OR REPLACE INTO booking VALUES (?,?,?,?,?,?,?)";
    write.prepare_cached(query)?.execute(params![
        terminal.as_str(),
        booking.money.currency().code(),
        micros(booking.at),
        payment.to_string(),
        booking.kind.name(),
        booking.refund.map(|refund| refund.to_string()).unwrap_or_default(),
        i64::try_from(booking.money.amount().minor_units()).unwrap_or(i64::MAX),
    ])?;
    Ok(())
}

fn past_payment(row: &Row<'_>) -> Option<PastPayment> {
    let text = |at: usize| row.get::<_, Option<String>>(at).ok().flatten();
    let number = |at: usize| row.get::<_, Option<i64>>(at).ok().flatten().and_then(|n| u64::try_from(n).ok());
    let money = || {
        let currency = Currency::of_code(&text(3)?).ok()?;
        Some(Money::new(Amount::new(number(2)?).ok()?, currency))
    };
    let money = money();
    Some(PastPayment {
        id: PaymentId::parse(&text(0)?).ok()?,
        status: Status::named(&text(1)?)?,
        money,
        merchant: text(4).and_then(|id| MerchantId::new(&id).ok()),
        merchant_name: text(5).map(Into::into),
        terminal: text(6).and_then(|id| TerminalId::new(&id).ok()),
        payer: text(7).and_then(|id| PayerId::new(&id).ok()),
        reference: text(8).map(Into::into),
        platform: text(9).and_then(|id| PlatformId::new(&id).ok()),
        platform_reference: text(10).map(Into::into),
        refusal: text(11).and_then(|code| Refusal::ALL.into_iter().find(|refusal| refusal.code() == code)),
        refunds: money.map(|money| refunds_read(&text(12).unwrap_or_default(), money)).unwrap_or_default(),
        started_at: Timestamp::from_micros(number(13)?),
        decided_at: number(14).map(Timestamp::from_micros),
    })
}

fn micros(at: Timestamp) -> i64 {
    i64::try_from(at.micros()).unwrap_or(i64::MAX)
}

const STATES: [(RefundState, &str); 3] =
    [(RefundState::Owed, "owed"), (RefundState::Done, "done"), (RefundState::Refused, "refused")];

/// One word per refund, `id=minor_units=state=since`; ids have neither `=` nor spaces.
fn refunds_text(refunds: &[Refund]) -> String {
    let word = |refund: &Refund| {
        let state = STATES.iter().find(|(state, _)| *state == refund.state).map_or("owed", |(_, name)| name);
        format!("{}={}={state}={}", refund.id, refund.money.amount().minor_units(), refund.since.micros())
    };
    refunds.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn refunds_read(text: &str, paid: Money) -> Vec<Refund> {
    let refund = |word: &str| {
        let mut parts = word.split('=');
        let id = RefundId::new(parts.next()?).ok()?;
        let amount = Amount::new(parts.next()?.parse().ok()?).ok()?;
        let name = parts.next()?;
        let (state, _) = STATES.iter().find(|(_, known)| *known == name)?;
        let since = Timestamp::from_micros(parts.next()?.parse().ok()?);
        Some(Refund { id, money: Money::new(amount, paid.currency()), state: *state, since })
    };
    text.split(' ').filter_map(refund).collect()
}

fn said(error: rusqlite::Error) -> ReadModelFault {
    ReadModelFault(error.to_string())
}

fn gone() -> ReadModelFault {
    ReadModelFault("its thread has ended".to_owned())
}
