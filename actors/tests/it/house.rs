//! The house that the stories of sessions, payers, outboxes and kills are told in: the whole switch without doors,
//! on one thread, in virtual time.
//!
//! An [`Estate`] is what outlives a process: the journal, the platform's books, the binding store, the time. Each
//! [`Estate::live`] is one life of the process, and ends with a crash: what was not durable is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
pub mod bank;
pub mod ports;

use actors::directory::{Directory, Limits, Place};
use actors::domain::backoff::Backoff;
use actors::domain::identity::{Keeper, MerchantId, PayerId, PaymentId, PaymentKey, TerminalId};
use actors::domain::money::Money;
use actors::domain::order::Order;
use actors::domain::payer::Card;
use actors::domain::payment::phase::{Attempt, Claim, Consent, Digest32, Phase};
use actors::domain::time::{Deadline, Timestamp};
use actors::gate::Gate;
use actors::ports::clock::Clock;
use actors::ports::platform::{CallbackMessage, HeaderLookup, SealedCredential};
use actors::report::{Report, Until};
use actors::supervisor::Supervisor;
use actors::switchboard::{NotTakenIn, Refused, Switchboard};
use actors::terminal_session::Granted;
use actors::world::{Ports, Rooms, Rules, World};
use bank::Bank;
use ports::{Doormat, NoPost, OneShop, SeededDice, TrappedJournal, VirtualClock};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);
/// How long a terminal waits.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What outlives a process.
pub struct Estate {
    pub journal: TrappedJournal,
    pub bank: Bank,
    pub bindings: Doormat,
    pub now: Timestamp,
    pub plan: Plan,
}

/// How big the house is.
#[derive(Clone, Copy)]
pub struct Plan {
    pub live_max: usize,
    pub gate: u32,
    pub in_flight_max: u32,
    pub owed_in_flight_max: usize,
}

/// One life of the switch.
pub struct House {
    pub board: Switchboard,
    pub journal: TrappedJournal,
    pub bank: Bank,
    pub gate: Gate,
    clock: Arc<VirtualClock>,
}

impl Estate {
    pub fn new() -> Self {
        Self::planned(Plan { live_max: 1_000, gate: 100, in_flight_max: 1_000, owed_in_flight_max: 4 })
    }

    pub fn planned(plan: Plan) -> Self {
        Self {
            journal: TrappedJournal::default(),
            bank: Bank::default(),
            bindings: Doormat::default(),
            now: Timestamp::from_micros(1_700_000_000_000_000),
            plan,
        }
    }

    /// Lives the story until it ends; then the process is gone with all that it had not made durable.
    pub fn live<T>(&mut self, story: impl AsyncFnOnce(&House) -> T) -> T {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
        };
        let (told, now) = actix::System::with_tokio_rt(runtime).block_on(async {
            let clock = Arc::new(VirtualClock::going_on(self.now));
            let house = self.open(Arc::clone(&clock));
            house.board.wake_all().await;
            let told = story(&house).await;
            (told, clock.now())
        });
        self.now = now;
        self.journal.inner.crash();
        told
    }

    fn open(&self, virtual_clock: Arc<VirtualClock>) -> House {
        let clock: Arc<dyn Clock> = Arc::<VirtualClock>::clone(&virtual_clock);
        let ports = Ports {
            clock: Arc::clone(&clock),
            dice: Arc::new(SeededDice::default()),
            journal: Arc::new(self.journal.clone()),
            bindings: Arc::new(self.bindings.clone()),
            roster: Arc::new(OneShop::new(self.plan.in_flight_max)),
            codes: Arc::new(NoPost),
            platforms: vec![Arc::new(self.bank.clone())],
        };
        let gate = Gate::new(self.plan.gate, SECOND);
        let world = Arc::new(World::new(ports, self.plan.rules()));
        let (one, limits) = (NonZeroUsize::MIN, Limits::standard(self.plan.live_max));
        let rooms = Rooms {
            sessions: Directory::new(one, gate.clone(), Arc::clone(&clock)),
            payers: Directory::new(one, gate.clone(), Arc::clone(&clock)),
            merchants: Directory::new(one, gate.clone(), Arc::clone(&clock)),
            outboxes: Directory::new(one, gate.clone(), Arc::clone(&clock)),
        };
        world.furnish(rooms.clone());
        let mut supervisor =
            Supervisor::new(limits.crashes, limits.backoff, clock, |code| panic!("gave up: {code}"));
        rooms.sessions.open(&mut supervisor, &world, &[Place::Here], limits);
        rooms.payers.open(&mut supervisor, &world, &[Place::Here], limits);
        rooms.merchants.open(&mut supervisor, &world, &[Place::Here], limits);
        rooms.outboxes.open(&mut supervisor, &world, &[Place::Here], limits);
        supervisor.start();
        let (journal, bank) = (self.journal.clone(), self.bank.clone());
        House { board: Switchboard::new(world), journal, bank, gate, clock: virtual_clock }
    }
}

impl Plan {
    const fn rules(self) -> Rules {
        Rules {
            binding_lasts: Duration::from_mins(2),
            code_lasts: Duration::from_mins(5),
            code_tries_max: 3,
            owed_backoff: Backoff { first: SECOND, cap: Duration::from_mins(1) },
            owed_in_flight_max: self.owed_in_flight_max,
            owed_within: Duration::from_secs(10),
        }
    }
}

pub fn till(number: u32) -> TerminalId {
    TerminalId::new(&format!("till-{number}")).unwrap()
}

pub fn payer(number: u32) -> PayerId {
    PayerId::new(&format!("payer-{number}")).unwrap()
}

pub fn euro(amount: &str) -> Money {
    Money::parse(amount, "EUR").unwrap()
}

pub fn key(text: &str) -> PaymentKey {
    PaymentKey::new(text).unwrap()
}

pub fn id_of(terminal: TerminalId, text: &str) -> PaymentId {
    PaymentId::derive(&Keeper::Terminal(terminal), &key(text))
}

/// Lets virtual time pass.
pub async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Lets everything happen that can happen now.
pub async fn settle() {
    pass(Duration::from_millis(20)).await;
}

impl House {
    pub fn now(&self) -> Timestamp {
        self.board.now()
    }

    pub fn by(&self) -> Deadline {
        Deadline::after(self.now(), PATIENCE + SECOND)
    }

    pub fn order(&self, terminal: TerminalId, name: &str, amount: &str) -> Order {
        Order {
            keeper: Keeper::Terminal(terminal),
            key: key(name),
            merchant: MerchantId::new("shop").unwrap(),
            money: euro(amount),
            reference: None,
            answer_by: Deadline::after(self.now(), PATIENCE),
        }
    }

    /// A terminal asks for money; answered as soon as that is recorded.
    pub async fn place(&self, terminal: TerminalId, name: &str, amount: &str) -> Result<Report, Refused> {
        let order = self.order(terminal, name, amount);
        self.board.place(order, Until::Leaves("await_merchant"), self.by()).await
    }

    /// A terminal asks, or repeats that it did, and waits for the end.
    pub fn wait(
        &self,
        terminal: TerminalId,
        name: &str,
        amount: &str,
    ) -> tokio::task::JoinHandle<Result<Report, Refused>> {
        let (board, by, order) = (self.board.clone(), self.by(), self.order(terminal, name, amount));
        actix_rt::spawn(async move { board.place(order, Until::Decided, by).await })
    }

    pub async fn stand(&self, payer: PayerId, terminal: TerminalId) -> Result<Granted, Refused> {
        self.board.bind(payer, terminal, self.by()).await
    }

    pub async fn cards(&self, payer: PayerId) -> Vec<Card> {
        self.board.cards(payer, self.by()).await.unwrap()
    }

    /// The one payment that awaits this payer.
    pub async fn card(&self, payer: PayerId) -> Card {
        let mut open = self.cards(payer).await;
        open.retain(|card| card.payment.outcome().is_none());
        assert_eq!(open.len(), 1, "{payer} has exactly one open payment: {open:?}");
        open.remove(0)
    }

    /// The payer says yes to what is on the card.
    pub async fn confirm(&self, payer: PayerId) -> Result<Report, Refused> {
        let card = self.card(payer).await;
        self.confirm_card(&card, Until::Permitted).await
    }

    pub async fn confirm_card(&self, card: &Card, until: Until) -> Result<Report, Refused> {
        let claim = card.payment.phase().claim().unwrap();
        let money = card.payment.phase().order().unwrap().money;
        let consent = Consent { claim, signed: Digest32([7; 32]) };
        self.board.confirm(card.payment.id(), consent, money, until, self.by()).await
    }

    pub async fn decline(&self, payer: PayerId) -> Result<Report, Refused> {
        let card = self.card(payer).await;
        let claim = card.payment.phase().claim().unwrap();
        self.board.decline(card.payment.id(), claim, self.by()).await
    }

    /// The payer pays with this password.
    pub async fn pay(&self, payer: PayerId, password: &[u8]) -> Result<Report, Refused> {
        let payment = self.card(payer).await.payment;
        let Phase::AwaitPayment(_, _, attempt, _) = payment.phase() else {
            panic!("no permit yet: {}", payment.phase().name());
        };
        self.present(payer, payment.id(), *attempt, password).await
    }

    pub async fn present(
        &self,
        payer: PayerId,
        payment: PaymentId,
        attempt: Attempt,
        password: &[u8],
    ) -> Result<Report, Refused> {
        let sealed = SealedCredential::new(password.to_vec()).unwrap();
        self.board.present(payer, payment, attempt, Digest32([9; 32]), sealed, self.by()).await
    }

    /// The whole way to a payment that waits for the payer's password.
    pub async fn permitted(&self, terminal: TerminalId, payer: PayerId, name: &str) -> PaymentId {
        self.place(terminal, name, "12.50").await.unwrap();
        self.stand(payer, terminal).await.unwrap();
        self.confirm(payer).await.unwrap();
        id_of(terminal, name)
    }

    /// The whole way to money.
    pub async fn paid(&self, terminal: TerminalId, payer: PayerId, name: &str) -> PaymentId {
        let id = self.permitted(terminal, payer, name).await;
        let report = self.pay(payer, bank::RIGHT).await.unwrap();
        assert_eq!(report.payment.phase().name(), "paid");
        id
    }

    /// How a payment stands for its terminal.
    pub async fn look(&self, terminal: TerminalId, payment: PaymentId) -> Result<Report, Refused> {
        self.board.look(terminal, payment, Until::Recorded, self.by()).await
    }

    pub async fn phase(&self, terminal: TerminalId, payment: PaymentId) -> &'static str {
        self.look(terminal, payment).await.unwrap().payment.phase().name()
    }

    pub async fn take_back(&self, terminal: TerminalId, name: &str) -> Result<Report, Refused> {
        self.board.reverse_by_key(terminal, &key(name), self.by()).await
    }

    pub async fn call_back(&self, body: &str) -> Result<Report, NotTakenIn> {
        let message = CallbackMessage { headers: &NoHeaders, body: body.as_bytes() };
        self.board.called_back(Bank::name(), &message, self.by()).await
    }

    /// Ends a terminal's session as a crash would, and lets it come back.
    pub async fn kill(&self, terminal: TerminalId) {
        self.board.world().rooms().sessions.kill(terminal);
        settle().await;
    }

    /// The names of a payment's facts so far.
    pub fn facts(&self, payment: PaymentId) -> Vec<&'static str> {
        use actors::domain::journal::Entry;
        let records = self.journal.inner.records();
        let facts = records.iter().filter_map(|recorded| match &recorded.entry {
            Entry::Payment(id, fact) if *id == payment => Some(fact.name()),
            _ => None,
        });
        facts.collect()
    }

    pub fn rooms(&self) -> &Rooms {
        self.board.world().rooms()
    }

    /// How often anybody has looked at the clock: a spin shows.
    pub fn clock_reads(&self) -> u64 {
        self.clock.reads()
    }
}

#[derive(Debug)]
struct NoHeaders;

impl HeaderLookup for NoHeaders {
    fn header(&self, _: &str) -> Option<&str> {
        None
    }
}

/// A claim, for stories that need to hold one.
pub fn claim_of(card: &Card) -> Claim {
    card.payment.phase().claim().unwrap()
}
