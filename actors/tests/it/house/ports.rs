//! The other doors of the stories' world: a clock of virtual time, dice, a roster, codes, bindings, and a journal
//! that can be made to break the actor that writes into it.
use super::bank::Bank;
use actors::domain::identity::{Keeper, MerchantId, PayerId, PaymentId, TerminalId};
use actors::domain::journal::{Entry, OpenLife, Recorded, Seq, Subject};
use actors::domain::merchant::{MerchantProfile, Trading};
use actors::domain::money::{Currency, Money};
use actors::domain::order::Terms;
use actors::domain::payment::phase::Claim;
use actors::domain::routing::Route;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::Answer;
use actors::ports::binding_store::{BindingStore, StoreFault};
use actors::ports::clock::{Clock, Dice};
use actors::ports::code_sender::{CodeNotSent, CodeSender};
use actors::ports::journal::{Journal, JournalFault, Room};
use actors::ports::memory::MemoryJournal;
use actors::ports::roster::Roster;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The paused runtime's own time, going on where the life before it ended.
pub struct VirtualClock {
    began: Timestamp,
    since: tokio::time::Instant,
    reads: AtomicU64,
}

impl VirtualClock {
    pub fn going_on(began: Timestamp) -> Self {
        Self { began, since: tokio::time::Instant::now(), reads: AtomicU64::new(0) }
    }

    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.began.plus(self.since.elapsed())
    }
}

/// Numbers that look thrown, from a seed.
#[derive(Default)]
pub struct SeededDice(AtomicU64);

impl Dice for SeededDice {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let x = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[0];
        }
    }
}

/// The code goes nowhere: the story reads it from the switchboard's answer.
pub struct NoPost;

impl CodeSender for NoPost {
    fn send(&self, _: PayerId, _: &str) -> Answer<Result<(), CodeNotSent>> {
        Box::pin(async { Ok(()) })
    }
}

/// One merchant, to whom every terminal belongs.
pub struct OneShop(pub Arc<MerchantProfile>);

impl OneShop {
    pub fn new(in_flight_max: u32) -> Self {
        Self(Arc::new(MerchantProfile {
            id: MerchantId::new("shop").unwrap(),
            name: "The Shop".into(),
            trading: Trading::Open,
            limits: vec![Money::parse("1000.00", "EUR").unwrap()],
            routes: vec![Route { currency: Currency::of_code("EUR").unwrap(), platform: Bank::name() }],
            terms: Terms {
                confirm_within: Duration::from_mins(1),
                platform_within: Duration::from_secs(10),
                attempts_max: 3,
                inquire_every: Duration::from_secs(5),
                inquiries_max: 3,
            },
            in_flight_max,
        }))
    }
}

impl Roster for OneShop {
    fn merchant_of(&self, _: TerminalId) -> Option<MerchantId> {
        Some(self.0.id)
    }

    fn merchant(&self, id: MerchantId) -> Option<Arc<MerchantProfile>> {
        (id == self.0.id).then(|| Arc::clone(&self.0))
    }
}

type Places = BTreeMap<TerminalId, (Claim, Deadline)>;

/// Bindings in memory.
#[derive(Clone, Default)]
pub struct Doormat(Arc<Mutex<Places>>);

impl Doormat {
    fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Places) -> T) -> Answer<Result<T, StoreFault>> {
        let done = work(&mut self.0.lock().unwrap());
        Box::pin(async move { Ok(done) })
    }
}

impl BindingStore for Doormat {
    fn bind(&self, terminal: TerminalId, claim: Claim, until: Deadline) -> Answer<Result<(), StoreFault>> {
        self.with(|places| {
            if places.get(&terminal).is_none_or(|(held, _)| held.epoch <= claim.epoch) {
                places.insert(terminal, (claim, until));
            }
        })
    }

    fn release(&self, terminal: TerminalId, epoch: u64) -> Answer<Result<(), StoreFault>> {
        self.with(|places| {
            if places.get(&terminal).is_some_and(|(held, _)| held.epoch == epoch) {
                places.remove(&terminal);
            }
        })
    }

    fn at(&self, now: Timestamp, terminal: TerminalId) -> Answer<Result<Option<Claim>, StoreFault>> {
        self.with(|places| {
            places.get(&terminal).filter(|(_, until)| !until.is_over(now)).map(|(claim, _)| *claim)
        })
    }

    fn of(&self, now: Timestamp, payer: PayerId) -> Answer<Result<Option<(TerminalId, u64)>, StoreFault>> {
        self.with(|places| {
            let stands = |(_, (claim, until)): &(&TerminalId, &(Claim, Deadline))| {
                claim.payer == payer && !until.is_over(now)
            };
            let latest = places.iter().filter(stands).max_by_key(|(_, (_, until))| *until);
            latest.map(|(terminal, (claim, _))| (*terminal, claim.epoch))
        })
    }
}

/// When a trapped append breaks its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// Before anything is written.
    Before,
    /// After it is.
    After,
}

struct Trapped {
    payment: Option<PaymentId>,
    fact: &'static str,
    trap: Trap,
    times: u32,
}

/// The journal in memory, with traps in it.
#[derive(Clone, Default)]
pub struct TrappedJournal {
    pub inner: MemoryJournal,
    traps: Arc<Mutex<Vec<Trapped>>>,
}

impl TrappedJournal {
    /// The next `times` appends of a fact of this name (of this payment, if one is named) panic.
    pub fn set(&self, trap: Trap, payment: Option<PaymentId>, fact: &'static str, times: u32) {
        self.traps.lock().unwrap().push(Trapped { payment, fact, trap, times });
    }

    /// Takes all traps away.
    pub fn clear(&self) {
        self.traps.lock().unwrap().clear();
    }

    fn springs(&self, entries: &[Entry]) -> Option<Trap> {
        let mut traps = self.traps.lock().unwrap();
        let hit = traps.iter_mut().find(|trapped| {
            trapped.times > 0
                && entries.iter().any(|entry| match entry {
                    Entry::Payment(id, fact) => {
                        fact.name() == trapped.fact && trapped.payment.is_none_or(|wanted| wanted == *id)
                    }
                    Entry::Binding(..) | Entry::Till(..) => false,
                })
        })?;
        hit.times -= 1;
        Some(hit.trap)
    }
}

impl Journal for TrappedJournal {
    fn append(&self, at: Timestamp, entries: Vec<Entry>) -> Seq {
        let trap = self.springs(&entries);
        assert!(trap != Some(Trap::Before), "the journal breaks its writer");
        let seq = self.inner.append(at, entries);
        assert!(trap != Some(Trap::After), "the journal breaks its writer after the fact");
        seq
    }
    fn hurry(&self, seq: Seq) {
        self.inner.hurry(seq);
    }
    fn durable(&self, seq: Seq) -> Answer<()> {
        self.inner.durable(seq)
    }
    fn is_durable(&self, seq: Seq) -> bool {
        self.inner.is_durable(seq)
    }
    fn end(&self) -> Seq {
        self.inner.end()
    }
    fn life(&self, subject: Subject) -> Answer<Result<Vec<Recorded>, JournalFault>> {
        self.inner.life(subject)
    }
    fn latest(&self, subject: Subject) -> Answer<Result<Option<Recorded>, JournalFault>> {
        self.inner.latest(subject)
    }
    fn kept_by(&self, keeper: Keeper) -> Answer<Vec<OpenLife>> {
        self.inner.kept_by(keeper)
    }
    fn involving(&self, payer: PayerId) -> Answer<Vec<OpenLife>> {
        self.inner.involving(payer)
    }
    fn indebted(&self) -> Answer<Vec<OpenLife>> {
        self.inner.indebted()
    }
    fn keepers(&self) -> Answer<Vec<Keeper>> {
        self.inner.keepers()
    }
    fn keeper_of(&self, payment: PaymentId) -> Answer<Option<Keeper>> {
        self.inner.keeper_of(payment)
    }
    fn knows(&self, payment: PaymentId) -> bool {
        self.inner.knows(payment)
    }
    fn room(&self) -> Room {
        self.inner.room()
    }
}
