//! What the doors may ask of the actors: one function per thing that a terminal, a phone or a platform can want.
//!
//! A door parses, authenticates and answers; it never sees an actor, an address or a mailbox. Every function takes
//! the deadline that was set at the line, and its answer is durable when it is given.
use crate::answer::{Fault, Reply};
use crate::domain::binding::Taken;
use crate::domain::identity::{Keeper, PayerId, PaymentId, PaymentKey, PlatformId, RefundId, TerminalId};
use crate::domain::money::Money;
use crate::domain::order::Order;
use crate::domain::outbox::Standing as Debt;
use crate::domain::payer::Card;
use crate::domain::payment::command::{Misfit, Verdict};
use crate::domain::payment::event::Event;
use crate::domain::payment::outcome::PaymentOutcome;
use crate::domain::payment::phase::{Attempt, Claim, Consent, Digest32, Phase};
use crate::domain::till::keys::{KeyGeneration, KeyRequest, WorkingKeys};
use crate::domain::till::{Settled, Settlement, Unsettled};
use crate::domain::time::{Deadline, Timestamp};
use crate::gate::Class;
use crate::gate::begun::Step;
use crate::keeping::{KeepingAsk, went_through};
use crate::one_time_code::{CodeVerdict, OneTimeCode};
use crate::outbox::OutboxAsk;
use crate::payer::{EventNumber, Listening, PayerAsk};
use crate::payment_tally::PaymentTally;
use crate::planted::{Bug, is_planted};
use crate::platform_errands::{answered, platform_deadline};
use crate::ports::code_sender::CodeNotSent;
use crate::ports::platform::{CallbackFault, CallbackMessage, Presentation, SealedCredential};
use crate::report::{Report, Told, Until};
use crate::terminal_session::{Cleared, Granted, SessionAsk, Standing, TillStanding};
use crate::world::World;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the inside may take over what must be finished though nobody at the door waits for it any more.
const INSIDE_WITHIN: Duration = Duration::from_secs(10);

/// The way from the doors to the actors. Cheap to clone.
#[derive(Clone)]
pub struct Switchboard {
    world: Arc<World>,
}

/// Why a wish was not fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The actors could not do it now.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It does not fit how things stand; nothing changed.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// There is no such payment, or not for the one who asked.
    #[error("there is no such payment here")]
    NoSuchPayment,
    /// There is no such terminal.
    #[error("there is no such terminal here")]
    NoSuchTerminal,
    /// Another phone stands there.
    #[error(transparent)]
    Taken(#[from] Taken),
}

/// Why a platform's callback was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTakenIn {
    /// There is no platform of this name.
    #[error("there is no platform of this name")]
    NoSuchPlatform,
    /// It was not believed.
    #[error(transparent)]
    Callback(#[from] CallbackFault),
    /// It could not be taken in now.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a terminal's totals were not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSettled {
    /// It does not fit its book.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
    /// It could not be done now.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What the terminals' door asks.
impl Switchboard {
    /// The switchboard of a furnished world.
    pub const fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// The world behind it.
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// A terminal asks for money, or repeats that it did (OS-3).
    pub async fn place(&self, order: Order, until: Until, by: Deadline) -> Result<Report, Refused> {
        let Some(terminal) = order.terminal() else { return Err(Refused::NoSuchTerminal) };
        let gate = self.world.rooms().sessions.gate();
        gate.begin(self.now(), order.merchant, terminal, Step::Order(order.payment()))?;
        let report = self
            .session(terminal, Class::Authorization, by, |reply| {
                SessionAsk::Place(Box::new(order), until, reply)
            })
            .await?;
        accepted(report)
    }

    /// A terminal is told, for good, that nothing comes of an order that was refused its beginning. `false`: something of it may be
    /// here, and it has to be given up.
    pub fn send_away(&self, order: PaymentId) -> bool {
        // In this order: what is let in from here on finds it sent away.
        let is_away = self.world.rooms().sessions.gate().send_away(self.now(), order);
        (is_away && !self.world.journal.knows(order)) || is_planted(Bug::SentAwayThoughInside)
    }

    /// A terminal looks at a payment of its own.
    pub async fn look(
        &self,
        terminal: TerminalId,
        payment: PaymentId,
        until: Until,
        by: Deadline,
    ) -> Result<Report, Refused> {
        self.looked(terminal, payment, Class::Status, until, by).await
    }

    /// The payment that a terminal is about to take back or to refund.
    pub async fn meant(
        &self,
        terminal: TerminalId,
        payment: PaymentId,
        by: Deadline,
    ) -> Result<Report, Refused> {
        self.looked(terminal, payment, Class::Reversal, Until::Recorded, by).await
    }

    async fn looked(
        &self,
        terminal: TerminalId,
        payment: PaymentId,
        class: Class,
        until: Until,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let told = |reply| {
            SessionAsk::Keeping(KeepingAsk::Tell(Told { payment, event: None, until, reply: Some(reply) }))
        };
        accepted(self.session(terminal, class, by, told).await?)
    }

    /// A terminal takes a payment of its own back.
    pub async fn reverse(
        &self,
        terminal: TerminalId,
        payment: PaymentId,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let told = move |reply| {
            SessionAsk::Keeping(KeepingAsk::Tell(Told {
                payment,
                event: Some(Event::ReversalAsked),
                until: Until::Recorded,
                reply: Some(reply),
            }))
        };
        accepted(self.session(terminal, Class::Reversal, by, told).await?)
    }

    /// A terminal takes back what it asked for under `key`, whether or not the switch has seen it: if not, it is
    /// remembered, and the order will be refused when it comes.
    pub async fn reverse_by_key(
        &self,
        terminal: TerminalId,
        key: &PaymentKey,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let payment = PaymentId::derive(&Keeper::Terminal(terminal), key);
        let asked = |reply| SessionAsk::Reverse(payment, reply);
        accepted(self.session(terminal, Class::Reversal, by, asked).await?)
    }

    /// A terminal could not be answered what it asked: nothing undecided of that stays, durably, even if it has yet to
    /// begin. What was decided is told.
    pub async fn give_up(&self, order: Order, by: Deadline) -> Result<Report, Refused> {
        let Some(terminal) = order.terminal() else { return Err(Refused::NoSuchTerminal) };
        let asked = |reply| SessionAsk::GiveUp(Box::new(order), reply);
        accepted(self.session(terminal, Class::Reversal, by, asked).await?)
    }

    /// A terminal gives money back.
    pub async fn refund(
        &self,
        terminal: TerminalId,
        payment: PaymentId,
        refund: RefundId,
        money: Money,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let told = move |reply| {
            SessionAsk::Keeping(KeepingAsk::Tell(Told {
                payment,
                event: Some(Event::RefundAsked(refund, money)),
                until: Until::Recorded,
                reply: Some(reply),
            }))
        };
        accepted(self.session(terminal, Class::Advice, by, told).await?)
    }

    /// Who stands at a terminal.
    pub async fn standing(&self, terminal: TerminalId, by: Deadline) -> Result<Standing, Refused> {
        Ok(self.session(terminal, Class::Status, by, SessionAsk::Look).await?)
    }

    /// A terminal sends the phone away that stands there.
    pub async fn clear(&self, terminal: TerminalId, by: Deadline) -> Result<Cleared, Refused> {
        Ok(self.session(terminal, Class::Completion, by, SessionAsk::Clear).await?)
    }

    /// A terminal's book, and up to where its totals can be counted now.
    pub async fn till(&self, terminal: TerminalId, by: Deadline) -> Result<TillStanding, Fault> {
        self.session(terminal, Class::Status, by, SessionAsk::Till).await
    }

    /// Which working keys a terminal may hold.
    pub async fn working_keys(&self, terminal: TerminalId, by: Deadline) -> Result<WorkingKeys, Fault> {
        self.session(terminal, Class::Status, by, SessionAsk::WorkingKeys).await
    }

    /// New working keys are asked for in a terminal's name, and `new` are there for it. The answer is which it is to be
    /// handed: those that it was offered before, as long as nothing is proven under them.
    pub async fn rekey(
        &self,
        terminal: TerminalId,
        request: KeyRequest,
        new: KeyGeneration,
        by: Deadline,
    ) -> Result<KeyGeneration, Fault> {
        self.session(terminal, Class::Authorization, by, |reply| SessionAsk::Rekey(request, new, reply)).await
    }

    /// A terminal proved a message under these keys; the answer is what it may hold then.
    pub async fn keys_proven(
        &self,
        terminal: TerminalId,
        generation: KeyGeneration,
        by: Deadline,
    ) -> Result<WorkingKeys, Fault> {
        let ask = |reply| SessionAsk::KeysProven(generation, reply);
        self.session(terminal, Class::Completion, by, ask).await
    }

    /// A terminal's totals were counted from where its book says to where [`Self::till`] said.
    pub async fn settle(
        &self,
        terminal: TerminalId,
        counted: Settlement,
        by: Deadline,
    ) -> Result<Settled, NotSettled> {
        let ask = |reply| SessionAsk::Settle(Box::new(counted), reply);
        Ok(self.session(terminal, Class::Completion, by, ask).await??)
    }

    async fn session<T: Send + 'static>(
        &self,
        terminal: TerminalId,
        class: Class,
        by: Deadline,
        ask: impl FnOnce(Reply<T>) -> SessionAsk,
    ) -> Result<T, Fault> {
        self.world.rooms().sessions.ask(terminal, class, by, ask).await
    }
}

/// What the phones' door asks.
impl Switchboard {
    /// Sends a one-time code to a subscriber; returns it for those who may show it.
    pub async fn send_code(&self, payer: PayerId) -> Result<String, CodeNotSent> {
        let rules = self.world.rules;
        let until = Deadline::after(self.now(), rules.code_lasts);
        let (expected, code) =
            OneTimeCode::throw(self.world.dice.as_ref(), payer, until, rules.code_tries_max);
        let by = Deadline::after(self.now(), INSIDE_WITHIN);
        let expects = self.payer(payer, Class::Authorization, by, |reply| PayerAsk::Expect(expected, reply));
        expects.await.map_err(|fault| CodeNotSent(fault.to_string()))?;
        self.world.codes.send(payer, &code).await?;
        Ok(code)
    }

    /// Whether `code` is the one that was sent.
    pub async fn check_code(&self, payer: PayerId, code: &str, by: Deadline) -> Result<CodeVerdict, Refused> {
        let code = code.into();
        Ok(self.payer(payer, Class::Completion, by, |reply| PayerAsk::Check(code, reply)).await?)
    }

    /// A phone claims a terminal (OS-1, OS-2).
    pub async fn bind(&self, payer: PayerId, terminal: TerminalId, by: Deadline) -> Result<Granted, Refused> {
        let merchant = self.world.roster.merchant_of(terminal).ok_or(Refused::NoSuchTerminal)?;
        let gate = self.world.rooms().payers.gate();
        gate.begin(self.now(), merchant, terminal, Step::Phone(payer))?;
        let granted =
            self.payer(payer, Class::Authorization, by, |reply| PayerAsk::Bind(terminal, reply)).await?;
        Ok(granted?)
    }

    /// Where a phone stands.
    pub async fn place_of(
        &self,
        payer: PayerId,
        by: Deadline,
    ) -> Result<Option<(TerminalId, Claim)>, Refused> {
        let Some((terminal, claim)) = self.payer(payer, Class::Status, by, PayerAsk::Place).await? else {
            return Ok(None);
        };
        // The terminal may have sent the phone away, or the claim has run out; the terminal's word counts.
        let standing = self.standing(terminal, by).await?;
        Ok(standing.holder.filter(|held| held.claim == claim).map(|held| (terminal, held.claim)))
    }

    /// A phone leaves where it stands.
    pub async fn leave(&self, payer: PayerId, by: Deadline) -> Result<(), Refused> {
        Ok(self.payer(payer, Class::Completion, by, PayerAsk::Leave).await?)
    }

    /// What awaits a payer.
    pub async fn cards(&self, payer: PayerId, by: Deadline) -> Result<Vec<Card>, Refused> {
        Ok(self.payer(payer, Class::Status, by, PayerAsk::List).await?)
    }

    /// A phone listens for what changes.
    pub async fn listen(
        &self,
        payer: PayerId,
        seen: Option<EventNumber>,
        by: Deadline,
    ) -> Result<Listening, Refused> {
        Ok(self.payer(payer, Class::Status, by, |reply| PayerAsk::Listen(seen, reply)).await?)
    }

    /// A payer looks at a payment.
    pub async fn payer_looks(
        &self,
        payer: PayerId,
        payment: PaymentId,
        until: Until,
        by: Deadline,
    ) -> Result<Report, Refused> {
        self.payer_tells(payer, payment, None, until, by).await
    }

    /// A payer confirms an amount (OS-5); answered once the platform has, if it does in time.
    pub async fn confirm(
        &self,
        payment: PaymentId,
        consent: Consent,
        money: Money,
        until: Until,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let event = Event::Confirmed(consent, money);
        self.payer_tells(consent.claim.payer, payment, Some(event), until, by).await
    }

    /// A payer declines.
    pub async fn decline(&self, payment: PaymentId, claim: Claim, by: Deadline) -> Result<Report, Refused> {
        let event = Event::DeclinedByPayer(claim);
        self.payer_tells(claim.payer, payment, Some(event), Until::Recorded, by).await
    }

    /// A payer hands in the sealed credential (OS-7): it is relayed unread, and how the payment stands after the
    /// platform's word is answered.
    pub async fn present(
        &self,
        payer: PayerId,
        payment: PaymentId,
        attempt: Attempt,
        digest: Digest32,
        credential: SealedCredential,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let relayed =
            self.clone().relay(payer, payment, Event::Presented(payer, attempt, digest), credential, by);
        // The phone may vanish now; what it set going must be finished all the same.
        let relayed = actix_rt::spawn(relayed);
        match timeout(by.left(self.now()), relayed).await {
            Ok(relayed) => relayed.unwrap_or(Err(Refused::Fault(Fault::Crashed))),
            Err(_) => Err(Refused::Fault(Fault::Expired)),
        }
    }

    async fn relay(
        self,
        payer: PayerId,
        payment: PaymentId,
        presented: Event,
        credential: SealedCredential,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let by = by.max(Deadline::after(self.now(), INSIDE_WITHIN));
        let report = self.payer_tells(payer, payment, Some(presented), Until::Recorded, by).await?;
        let Phase::AwaitOutcome(deal, _, held, interface) = report.payment.phase() else { return Ok(report) };
        let Some(platform) = self.world.platforms.get(&deal.admission.platform) else { return Ok(report) };
        let presentation = Presentation {
            payment,
            attempt: *held,
            money: deal.order.money,
            permit: interface.permit.clone(),
            credential,
            answer_by: platform_deadline(deal, &self.world),
        };
        let (answer_by, pay) = (presentation.answer_by, || platform.pay(presentation));
        let said = answered(self.world.clock.as_ref(), answer_by, PaymentOutcome::Unknown, pay).await;
        let Keeper::Terminal(terminal) = report.payment.keeper() else { return Err(Refused::NoSuchPayment) };
        self.heard(terminal, payment, Event::PaymentSaid(*held, said), by).await
    }

    /// Lets a keeper hear what must not be lost, and answers how the payment stands once that is settled.
    async fn heard(
        &self,
        terminal: TerminalId,
        payment: PaymentId,
        event: Event,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let sessions = &self.world.rooms().sessions;
        sessions.post(terminal, SessionAsk::Keeping(KeepingAsk::Tell(Told::unasked(payment, event))));
        let until = Until::Leaves("await_permit");
        let by = by.max(Deadline::after(self.now(), INSIDE_WITHIN));
        let look = |reply| Told { payment, event: None, until, reply: Some(reply) };
        let looked =
            sessions.consult(terminal, by, |reply| SessionAsk::Keeping(KeepingAsk::Tell(look(reply))));
        accepted(looked.await?)
    }

    async fn payer_tells(
        &self,
        payer: PayerId,
        payment: PaymentId,
        event: Option<Event>,
        until: Until,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let class = if event.is_some() { Class::Completion } else { Class::Status };
        let told = |reply| PayerAsk::Tell(Told { payment, event, until, reply: Some(reply) });
        let report = accepted(self.payer(payer, class, by, told).await?)?;
        // It may have gone on without this payer while this one waited.
        Some(report).filter(|report| report.payment.payer() == Some(payer)).ok_or(Refused::NoSuchPayment)
    }

    async fn payer<T: Send + 'static>(
        &self,
        payer: PayerId,
        class: Class,
        by: Deadline,
        ask: impl FnOnce(Reply<T>) -> PayerAsk,
    ) -> Result<T, Fault> {
        self.world.rooms().payers.ask(payer, class, by, ask).await
    }
}

/// What the platforms' door and the operator's ask.
impl Switchboard {
    /// A platform calls back (OS-8, OS-9); answered once its word is durable, and safe to repeat.
    pub async fn called_back(
        &self,
        platform: PlatformId,
        message: &CallbackMessage<'_>,
        by: Deadline,
    ) -> Result<Report, NotTakenIn> {
        let port = self.world.platforms.get(&platform).ok_or(NotTakenIn::NoSuchPlatform)?;
        let claimed = port.read_callback(self.now(), message)?;
        let keeper = self.world.journal.keeper_of(claimed.payment).await;
        let keeper = keeper.ok_or(Refused::NoSuchPayment)?;
        let outcome = match claimed.result {
            Ok(receipt) => PaymentOutcome::Approved(receipt),
            Err(failure) => PaymentOutcome::Failed(failure),
        };
        let event = Event::PaymentSaid(claimed.attempt, outcome);
        Ok(self.tell_keeper(keeper, claimed.payment, event, Until::Recorded, by).await?)
    }

    /// What is owed to and by a platform.
    pub async fn owed(&self, platform: PlatformId, by: Deadline) -> Result<Vec<Debt>, Refused> {
        if !self.world.platforms.contains_key(&platform) {
            return Ok(Vec::new());
        }
        Ok(self.world.rooms().outboxes.ask(platform, Class::Status, by, OutboxAsk::List).await?)
    }

    /// Wakes every keeper of an open payment and every outbox: what a start does last.
    pub async fn wake_all(&self) -> usize {
        let keepers = self.world.journal.keepers().await;
        self.world.rooms().sessions.gate().took_over(keepers.len());
        for keeper in &keepers {
            if let Keeper::Terminal(terminal) = keeper
                && !is_planted(Bug::NobodyWokenAtStart)
            {
                self.world.rooms().sessions.post(*terminal, SessionAsk::WakeUp);
            }
        }
        for platform in self.world.platforms.keys() {
            self.world.rooms().outboxes.post(*platform, OutboxAsk::WakeUp);
        }
        keepers.len()
    }

    /// Brings the metrics up to date that age while nothing happens; to be called when somebody looks at them.
    pub fn show_ages(&self) {
        PaymentTally::get().show_in_doubt(self.now());
    }

    async fn tell_keeper(
        &self,
        keeper: Keeper,
        payment: PaymentId,
        event: Event,
        until: Until,
        by: Deadline,
    ) -> Result<Report, Refused> {
        let Keeper::Terminal(terminal) = keeper else { return Err(Refused::NoSuchPayment) };
        let told = move |reply| {
            SessionAsk::Keeping(KeepingAsk::Tell(Told {
                payment,
                event: Some(event),
                until,
                reply: Some(reply),
            }))
        };
        accepted(self.session(terminal, Class::Completion, by, told).await?)
    }
}

fn accepted(report: Option<Report>) -> Result<Report, Refused> {
    let report = report.ok_or(Refused::NoSuchPayment)?;
    match report.verdict {
        Verdict::Misfit(Misfit::NotYours) => Err(Refused::NoSuchPayment),
        verdict => went_through(verdict).map(|()| report).map_err(Refused::Misfit),
    }
}
