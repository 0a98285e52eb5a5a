//! A switch in memory: real actors and doors over twins of journal, binding store and platform, in virtual time.
//!
//! The platform says what the sealed credential tells it to say, so a story needs no script: a "JWE" whose third part is
//! `wrong`, `poor`, `silent` or `lost` fails, lacks money, is never answered, or was never sent. Everything else pays.
use actors::directory::{Directory, Limits, Place};
use actors::domain::backoff::Backoff;
use actors::domain::identity::{Keeper, MerchantId, PayerId, PaymentId, PlatformId, RefundId, TerminalId};
use actors::domain::journal::{Entry, OpenLife, Recorded, Seq, Shelf, Shelved, Subject};
use actors::domain::merchant::{MerchantProfile, Trading};
use actors::domain::money::Money;
use actors::domain::order::Terms;
use actors::domain::payment::Stamped;
use actors::domain::payment::outcome::{
    Effect, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::{Attempt, Claim, Interface, Receipt};
use actors::domain::routing::Route;
use actors::domain::till::booking::Booking;
use actors::domain::till::{Counted, Period};
use actors::domain::time::{Deadline, Timestamp};
use actors::gate::Gate;
use actors::ports::Answer;
use actors::ports::binding_store::{BindingStore, StoreFault};
use actors::ports::clock::{Clock, Dice};
use actors::ports::code_sender::{CodeNotSent, CodeSender};
use actors::ports::history::{History, HistoryFault, PastPayment, Wanted};
use actors::ports::journal::{Journal, JournalFault, Room};
use actors::ports::platform::{
    CallbackFault, CallbackMessage, Claimed, PermitAsk, Platform, PlatformAsk, Presentation, Promises,
};
use actors::ports::roster::Roster;
use actors::supervisor::{Intensity, Supervisor};
use actors::switchboard::Switchboard;
use actors::world::{Ports as WorldPorts, Rooms, Rules, World};
use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switch::api::{
    ActorCounts, Codes, Doors, JournalAt, KeyDigests, MetricsText, Overlook, Overview, OwedSum, Ports, Rates,
    Readiness, Settings, Tokens,
};
use switch::line::{LineSettings, Lines};

pub const BEGIN: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
pub const FORGED_HEADER: &str = "x-sandbox-signature";

/// The house under test, and the handles on its twins.
pub struct House {
    pub doors: Arc<Doors>,
    pub board: Switchboard,
    pub history: Arc<dyn History>,
    pub journal: Arc<MemoryJournal>,
    pub gate: Gate,
    pub clock: Arc<dyn Clock>,
}

/// A house as most stories want it.
pub fn house() -> House {
    house_with(settings())
}

/// The settings that most stories want.
pub fn settings() -> Settings {
    Settings { codes: Codes::Shown, ..Settings::standard() }
}

/// A house with these settings; call it on an actix system.
pub fn house_with(settings: Settings) -> House {
    house_of(settings, Arc::new(|| "turnout_up 1\n".to_owned()))
}

/// A house with these settings and metrics.
pub fn house_of(settings: Settings, metrics: MetricsText) -> House {
    let journal = Arc::new(MemoryJournal::default());
    let clock: Arc<dyn Clock> = Arc::new(TokioClock(tokio::time::Instant::now()));
    let world = Arc::new(world(&clock, &journal));
    let gate = Gate::new(64, Duration::from_millis(1_500));
    open(&world, &gate, &clock);
    let board = Switchboard::new(Arc::clone(&world));
    let history: Arc<dyn History> = Arc::new(JournalHistory(Arc::clone(&journal)));
    let ports = Ports {
        switchboard: board.clone(),
        terminal_keys: Arc::new(KeyDigests::of_keys([
            (terminal("T1"), "key-1"),
            (terminal("T2"), "key-2"),
            (terminal("orphan"), "key-3"),
        ])),
        tokens: Tokens::new(&[7; 32], Duration::from_mins(10)).unwrap(),
        history: Arc::clone(&history),
        overview: Arc::new(Quiet),
        metrics,
        readiness: Arc::new(|| Readiness::Ready),
        lines: Arc::new(one_line(&clock)),
    };
    House { doors: Arc::new(Doors::new(ports, settings)), board, history, journal, gate, clock }
}

fn world(clock: &Arc<dyn Clock>, journal: &Arc<MemoryJournal>) -> World {
    let journal: Arc<dyn Journal> = Arc::<MemoryJournal>::clone(journal);
    let ports = WorldPorts {
        clock: Arc::clone(clock),
        dice: Arc::new(Counting::default()),
        journal,
        bindings: Arc::new(MemoryBindings::default()),
        roster: Arc::new(TwoShops),
        codes: Arc::new(NoSms),
        platforms: vec![Arc::new(Obedient::default())],
    };
    let rules = Rules {
        binding_lasts: Duration::from_mins(2),
        code_lasts: Duration::from_mins(5),
        code_tries_max: 3,
        owed_backoff: Backoff { first: Duration::from_secs(1), cap: Duration::from_mins(5) },
        owed_in_flight_max: 8,
        owed_within: Duration::from_secs(5),
    };
    World::new(ports, rules)
}

fn open(world: &Arc<World>, gate: &Gate, clock: &Arc<dyn Clock>) {
    let one = NonZeroUsize::MIN;
    let rooms = Rooms {
        sessions: Directory::new(one, gate.clone(), Arc::clone(clock)),
        payers: Directory::new(one, gate.clone(), Arc::clone(clock)),
        merchants: Directory::new(one, gate.clone(), Arc::clone(clock)),
        outboxes: Directory::new(one, gate.clone(), Arc::clone(clock)),
    };
    world.furnish(rooms.clone());
    let borne = Intensity { most: 3, within: Duration::from_mins(1) };
    let backoff =
        actors::domain::backoff::Backoff { first: Duration::from_millis(10), cap: Duration::from_secs(1) };
    let mut supervisor = Supervisor::new(borne, backoff, Arc::clone(clock), |code| panic!("gave up: {code}"));
    let (places, limits) = ([Place::Here], Limits::standard(1_000));
    rooms.sessions.open(&mut supervisor, world, &places, limits);
    rooms.payers.open(&mut supervisor, world, &places, limits);
    rooms.merchants.open(&mut supervisor, world, &places, limits);
    rooms.outboxes.open(&mut supervisor, world, &places, limits);
    supervisor.start();
}

/// A line that nobody is connected to.
fn one_line(clock: &Arc<dyn Clock>) -> Lines {
    Lines::new(clock, 10, [LineSettings::standard("shops", "len2+tpdu".parse().unwrap(), "iso87-bcd")])
}

pub fn terminal(id: &str) -> TerminalId {
    TerminalId::new(id).unwrap()
}

fn merchant(id: &str) -> MerchantId {
    MerchantId::new(id).unwrap()
}

fn platform_id() -> PlatformId {
    PlatformId::new("sandbox").unwrap()
}

/// Virtual time: tokio's.
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        BEGIN.plus(self.0.elapsed())
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Dice for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let thrown = self.0.fetch_add(7_919, Ordering::Relaxed).wrapping_add(314_159);
        bytes.iter_mut().zip(thrown.to_le_bytes().iter().cycle()).for_each(|(to, from)| *to = *from);
    }
}

struct NoSms;

impl CodeSender for NoSms {
    fn send(&self, _: PayerId, _: &str) -> Answer<Result<(), CodeNotSent>> {
        Box::pin(ready(Ok(())))
    }
}

/// `corner` has the terminals T1 and T2 and takes euros; `kiosk` is closed.
struct TwoShops;

impl Roster for TwoShops {
    fn merchant_of(&self, terminal: TerminalId) -> Option<MerchantId> {
        ["T1", "T2"].contains(&terminal.as_str()).then(|| merchant("corner"))
    }

    fn merchant(&self, id: MerchantId) -> Option<Arc<MerchantProfile>> {
        let euro = Money::parse("500.00", "EUR").unwrap();
        (id == merchant("corner")).then(|| {
            Arc::new(MerchantProfile {
                id,
                name: "Corner Shop".into(),
                trading: Trading::Open,
                limits: vec![euro],
                routes: vec![Route { currency: euro.currency(), platform: platform_id() }],
                terms: Terms {
                    confirm_within: Duration::from_secs(30),
                    platform_within: Duration::from_secs(5),
                    attempts_max: 3,
                    inquire_every: Duration::from_secs(45),
                    inquiries_max: 3,
                },
                in_flight_max: 100,
            })
        })
    }
}

/// The platform that does what the credential says.
#[derive(Default)]
struct Obedient {
    debits: AtomicU32,
}

impl Platform for Obedient {
    fn id(&self) -> PlatformId {
        platform_id()
    }

    fn promises(&self) -> Promises {
        Promises { keeps_tombstones: true, inquiry_reads_its_own_writes: true }
    }

    fn permit(&self, ask: PermitAsk) -> Answer<PermitOutcome> {
        let attempt = ask.attempt.number();
        Box::pin(ready(PermitOutcome::Granted(Interface {
            url: format!("/v1/payments/{}/credential?attempt={attempt}", ask.payment).into(),
            key: r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.into(),
            permit: format!("permit-{attempt}").into(),
            expires: ask.answer_by,
        })))
    }

    fn pay(&self, presentation: Presentation) -> Answer<PaymentOutcome> {
        let said = String::from_utf8(presentation.credential.expose().to_vec()).unwrap();
        let outcome = match said.split('.').nth(2) {
            Some("wrong") => PaymentOutcome::Failed(Failure::WrongCredentials),
            Some("poor") => PaymentOutcome::Failed(Failure::InsufficientFunds),
            Some("lost") => PaymentOutcome::NotSent,
            Some("silent") => return Box::pin(std::future::pending()),
            _ => {
                let debit = self.debits.fetch_add(1, Ordering::Relaxed) + 1;
                let reference = format!("debit-{debit}").into();
                PaymentOutcome::Approved(Receipt { reference, money: presentation.money })
            }
        };
        Box::pin(ready(outcome))
    }

    fn inquire(&self, _: PlatformAsk) -> Answer<InquiryOutcome> {
        Box::pin(ready(InquiryOutcome::Unknown))
    }

    fn reverse(&self, _: PlatformAsk) -> Answer<ReversalOutcome> {
        Box::pin(ready(ReversalOutcome::Acknowledged(Effect::Undone)))
    }

    fn refund(&self, _: PlatformAsk, _: RefundId, _: Money) -> Answer<RefundOutcome> {
        Box::pin(ready(RefundOutcome::Done))
    }

    fn read_callback(&self, _: Timestamp, message: &CallbackMessage<'_>) -> Result<Claimed, CallbackFault> {
        match message.headers.header(FORGED_HEADER) {
            Some("good") => {}
            Some("old") => return Err(CallbackFault::Stale),
            _ => return Err(CallbackFault::Forged),
        }
        let body: serde_json::Value =
            serde_json::from_slice(message.body).map_err(|_| CallbackFault::Malformed("not JSON"))?;
        let payment = body["payment"].as_str().and_then(|id| PaymentId::parse(id).ok());
        let payment = payment.ok_or(CallbackFault::Malformed("no payment"))?;
        let money = Money::parse("12.50", "EUR").unwrap();
        let receipt = Receipt { reference: "called-back".into(), money };
        Ok(Claimed { payment, attempt: Attempt::FIRST, result: Ok(receipt) })
    }
}

/// Claims by terminal.
#[derive(Default)]
struct MemoryBindings(Mutex<BTreeMap<TerminalId, (Claim, Deadline)>>);

impl BindingStore for MemoryBindings {
    fn bind(&self, terminal: TerminalId, claim: Claim, until: Deadline) -> Answer<Result<(), StoreFault>> {
        let mut bindings = self.0.lock().unwrap();
        if bindings.get(&terminal).is_none_or(|(held, _)| held.epoch <= claim.epoch) {
            bindings.insert(terminal, (claim, until));
        }
        Box::pin(ready(Ok(())))
    }

    fn release(&self, terminal: TerminalId, epoch: u64) -> Answer<Result<(), StoreFault>> {
        self.0.lock().unwrap().retain(|at, (claim, _)| *at != terminal || claim.epoch != epoch);
        Box::pin(ready(Ok(())))
    }

    fn at(&self, now: Timestamp, terminal: TerminalId) -> Answer<Result<Option<Claim>, StoreFault>> {
        let held =
            self.0.lock().unwrap().get(&terminal).filter(|(_, until)| !until.is_over(now)).map(|held| held.0);
        Box::pin(ready(Ok(held)))
    }

    fn of(&self, now: Timestamp, payer: PayerId) -> Answer<Result<Option<(TerminalId, u64)>, StoreFault>> {
        let bindings = self.0.lock().unwrap();
        let mut held =
            bindings.iter().filter(|(_, (claim, until))| claim.payer == payer && !until.is_over(now));
        let found = held.next().map(|(at, (claim, _))| (*at, claim.epoch));
        Box::pin(ready(Ok(found)))
    }
}

/// A journal in which everything is durable at once.
#[derive(Default)]
pub struct MemoryJournal(Mutex<Log>);

#[derive(Default)]
struct Log {
    records: Vec<Recorded>,
    shelf: Shelf,
}

impl MemoryJournal {
    pub fn records(&self) -> Vec<Recorded> {
        self.0.lock().unwrap().records.clone()
    }

    fn shelved<T>(&self, read: impl FnOnce(&Shelf) -> T) -> T {
        read(&self.0.lock().unwrap().shelf)
    }
}

impl Log {
    fn life(&self, subject: Subject) -> Vec<Recorded> {
        self.records.iter().filter(|recorded| recorded.entry.subject() == subject).cloned().collect()
    }

    fn take_in(&mut self, recorded: Recorded) {
        let (at, entry) = (recorded.at, recorded.entry.clone());
        self.records.push(recorded);
        let Entry::Payment(id, fact) = entry else { return };
        if self.shelf.take_in(id, at, &fact).unwrap() == Shelved::Unknown {
            let facts = stamped(self.life(Subject::Payment(id)));
            self.shelf.reopen(id, facts).unwrap();
        }
    }
}

fn stamped(life: Vec<Recorded>) -> Vec<Stamped> {
    let facts = life.into_iter().filter_map(|recorded| match recorded.entry {
        Entry::Payment(_, fact) => Some(Stamped { at: recorded.at, fact }),
        Entry::Binding(..) | Entry::Till(..) => None,
    });
    facts.collect()
}

impl Journal for MemoryJournal {
    fn append(&self, at: Timestamp, entries: Vec<Entry>) -> Seq {
        let mut log = self.0.lock().unwrap();
        for entry in entries {
            let seq = Seq(u64::try_from(log.records.len()).unwrap() + 1);
            log.take_in(Recorded { seq, at, entry });
        }
        Seq(u64::try_from(log.records.len()).unwrap())
    }

    fn hurry(&self, _: Seq) {}

    fn durable(&self, _: Seq) -> Answer<()> {
        Box::pin(ready(()))
    }

    fn is_durable(&self, _: Seq) -> bool {
        true
    }

    fn end(&self) -> Seq {
        Seq(u64::try_from(self.records().len()).unwrap())
    }

    fn life(&self, subject: Subject) -> Answer<Result<Vec<Recorded>, JournalFault>> {
        Box::pin(ready(Ok(self.0.lock().unwrap().life(subject))))
    }

    fn latest(&self, subject: Subject) -> Answer<Result<Option<Recorded>, JournalFault>> {
        Box::pin(ready(Ok(self.0.lock().unwrap().life(subject).pop())))
    }

    fn kept_by(&self, keeper: Keeper) -> Answer<Vec<OpenLife>> {
        Box::pin(ready(self.shelved(|shelf| shelf.kept_by(keeper).cloned().collect())))
    }

    fn involving(&self, payer: PayerId) -> Answer<Vec<OpenLife>> {
        Box::pin(ready(self.shelved(|shelf| shelf.involving(payer).cloned().collect())))
    }

    fn indebted(&self) -> Answer<Vec<OpenLife>> {
        let owes = |life: &&OpenLife| !life.payment.debts().is_empty();
        Box::pin(ready(self.shelved(|shelf| shelf.lives().filter(owes).cloned().collect())))
    }

    fn keepers(&self) -> Answer<Vec<Keeper>> {
        let keepers: BTreeSet<Keeper> =
            self.shelved(|shelf| shelf.lives().map(|life| life.payment.keeper()).collect());
        Box::pin(ready(keepers.into_iter().collect()))
    }

    fn keeper_of(&self, payment: PaymentId) -> Answer<Option<Keeper>> {
        let life = stamped(self.0.lock().unwrap().life(Subject::Payment(payment)));
        let folded = actors::domain::payment::Payment::folded(payment, &life).unwrap();
        Box::pin(ready(folded.map(|payment| payment.keeper())))
    }

    fn knows(&self, payment: PaymentId) -> bool {
        !self.0.lock().unwrap().life(Subject::Payment(payment)).is_empty()
    }

    fn room(&self) -> Room {
        Room::Plenty
    }
}

/// The read model that reads the journal.
struct JournalHistory(Arc<MemoryJournal>);

impl JournalHistory {
    fn rows(&self, wanted: Wanted) -> Vec<PastPayment> {
        let log = self.0.0.lock().unwrap();
        let mut seen = BTreeSet::new();
        let payments = log.records.iter().rev().filter_map(|recorded| match &recorded.entry {
            Entry::Payment(id, _) => seen.insert(*id).then_some(*id),
            Entry::Binding(..) | Entry::Till(..) => None,
        });
        let rows = payments.map(|id| {
            let life = stamped(log.life(Subject::Payment(id)));
            let payment = actors::domain::payment::Payment::folded(id, &life).unwrap().unwrap();
            let decided = payment.outcome().map(|_| life[life.len() - 1].at);
            PastPayment::of(&payment, life[0].at, decided)
        });
        let fits = |row: &PastPayment| {
            wanted.terminal.is_none_or(|terminal| row.terminal == Some(terminal))
                && wanted.payer.is_none_or(|payer| row.payer == Some(payer))
                && wanted.status.is_none_or(|status| row.status == status)
        };
        rows.filter(fits).take(usize::from(wanted.most)).collect()
    }
}

impl JournalHistory {
    fn booked(&self, period: Period) -> Counted {
        let wanted = Wanted { terminal: Some(period.terminal), payer: None, status: None, most: u16::MAX };
        let booked = self.rows(wanted).into_iter().flat_map(|row| {
            let life = stamped(self.0.0.lock().unwrap().life(Subject::Payment(row.id)));
            Booking::all_of(row.id, &life).unwrap()
        });
        let counts =
            |booking: &Booking| booking.money.currency() == period.currency && period.covers(booking.at);
        Counted::of(&booked.filter(counts).collect::<Vec<_>>())
    }
}

impl History for JournalHistory {
    fn of_payer(&self, payer: PayerId, most: u16) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        self.search(Wanted { terminal: None, payer: Some(payer), status: None, most })
    }

    fn search(&self, wanted: Wanted) -> Answer<Result<Vec<PastPayment>, HistoryFault>> {
        Box::pin(ready(Ok(self.rows(wanted))))
    }

    fn caught_up(&self, _: Seq) -> Answer<Result<(), HistoryFault>> {
        Box::pin(ready(Ok(())))
    }

    fn totals(&self, period: Period) -> Answer<Result<Counted, HistoryFault>> {
        Box::pin(ready(Ok(self.booked(period))))
    }
}

/// An overview in which nothing happens.
struct Quiet;

impl Overview for Quiet {
    fn look(&self) -> Answer<Overlook> {
        Box::pin(ready(Overlook {
            at: "2030-01-01T00:00:00.000Z".into(),
            uptime_seconds: 1.0,
            version: "0.0.0".into(),
            rates: Rates { started: 0.0, approved: 0.0, declined: 0.0, reversed: 0.0 },
            latency_ms: None,
            open: BTreeMap::new(),
            outbox: OwedSum { owed: 0, oldest_seconds: None, items: Vec::new() },
            actors: ActorCounts { terminal_sessions: 0, payers: 0, merchants: 0 },
            journal: JournalAt { durable_seq: 0 },
            lines: Vec::new(),
            recent: Vec::new(),
        }))
    }
}
