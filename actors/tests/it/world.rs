//! One payment and everybody who can touch it, as a value: what the walk of `explore` walks over.
//!
//! The switch is the machine behind a disk that lags: a step's effects leave once its facts, and all before them, are
//! durable; a crash forgets the rest. The platform keeps its promises C1 to C3 unless a plan says otherwise. Messages
//! are lost, late, doubled and overtaken. Every count is bounded by the plan.
mod platform;
mod switch;

use crate::life::{BEGIN, anna, boris, consent, euros, order_of, receipt, refund, till};
use actors::domain::identity::{PayerId, PaymentId};
use actors::domain::outbox::DebtKind;
use actors::domain::payment::command::{Alarm, Effect, Fact};
use actors::domain::payment::event::Event;
use actors::domain::payment::invariants::{Booking, History, Said, Spoken};
use actors::domain::payment::outcome::{Failure, PaymentOutcome};
use actors::domain::payment::phase::{Asked, Attempt, Claim, Phase};
use actors::domain::payment::{Outcome, Payment, Stamped};
use actors::domain::time::{Deadline, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What may happen at most how often, and which rule is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    pub crashes: u8,
    /// The keeper alone dies and is rebuilt: what was appended still becomes durable, its effects do not leave.
    pub panics: u8,
    /// Lost or late messages between switch and platform.
    pub losses: u8,
    pub doubled: u8,
    /// How often the platform tells on its own how an attempt ended.
    pub callbacks: u8,
    pub repeats: u8,
    pub reversals: u8,
    pub second_phone: u8,
    pub leaves: u8,
    pub declines: u8,
    pub confirms: u8,
    pub presents: u8,
    pub refunds: u8,
    /// The platform says no where it may.
    pub noes: u8,
    pub lies: u8,
    pub attempts_max: u8,
    pub inquiries_max: u8,
    pub broken: Option<Broken>,
}

/// A rule of the switch or of the platform, broken on purpose so that the walk can be seen to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    SpeaksBeforeTheDisk,
    LateYesApproves,
    NoTombstone,
    DeadlineIgnored,
    RepeatOpensAnew,
    DebtForgotten,
    DebtForgottenOnRestart,
    LieBelieved,
    PermitAskedBeforeTheYes,
    SilenceIsANo,
    RefundsUnchecked,
    PermitUsedTwice,
    DebitsEveryTime,
    OtherPayerDebited,
}

/// What the switch asks of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ask {
    Permit(Attempt),
    Pay(Attempt),
    Inquire(Attempt),
    Owed(DebtKind),
}

/// What the platform decides where it has a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Choice {
    Yes,
    No,
    TooLate,
    Lie,
}

/// One thing that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Order,
    Reversal,
    Merchant(Choice),
    PhoneComes(u64),
    PhoneLeaves,
    Confirms(u64),
    Declines,
    Presents(Attempt),
    Disk,
    Reaches(usize, Choice),
    Hears(usize),
    NotSent(usize),
    Silence(usize),
    LateReaches(usize),
    CalledBack(usize, Choice),
    OutboxPays,
    Refund(u8),
    Time,
    Crash,
    Panic,
}

#[derive(Clone, Debug, PartialEq)]
struct Batch {
    facts: Vec<Stamped>,
    effects: Vec<Effect>,
    /// The credential that goes to the platform once the presentation is durable.
    relay: Option<Attempt>,
    /// The payment after the step: what is told is what was true then.
    payment: Payment,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Call {
    ask: Ask,
    heard: Option<Word>,
}

/// The platform's word on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Word {
    Yes,
    No,
    Pending,
    Gone,
    NeverSeen,
    TooLate,
    Nothing,
    Lie,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Platform {
    permits: Vec<(Attempt, Timestamp)>,
    failed: Vec<Attempt>,
    debited: Vec<Attempt>,
    undone: bool,
    tombstone: bool,
    callbacks: Vec<(Attempt, Word)>,
    refunded: Vec<u8>,
    /// A refusal is as final as a yes.
    unrefunded: Vec<u8>,
}

/// What phones were asked and shown: they know it still when a crash has taken it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Phones {
    asked: BTreeSet<u64>,
    permits: BTreeSet<Attempt>,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub plan: Plan,
    /// What of the plan may still happen.
    pub left: Plan,
    now: Timestamp,
    live: Option<Arc<Payment>>,
    durable: Arc<Vec<Stamped>>,
    pending: VecDeque<Arc<Batch>>,
    spoken: Arc<Vec<Spoken>>,
    books: Vec<Booking>,
    merchant_asked: bool,
    outbox: Vec<DebtKind>,
    calls: Vec<Call>,
    late: Vec<Ask>,
    platform: Platform,
    phones: Phones,
    pub alarms: Vec<Alarm>,
    /// The facts could not be folded any more.
    pub ruined: bool,
}

const APPENDS_AHEAD_MAX: usize = 2;

impl World {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            left: plan,
            now: BEGIN,
            live: None,
            durable: Arc::default(),
            pending: VecDeque::new(),
            spoken: Arc::default(),
            books: Vec::new(),
            merchant_asked: false,
            outbox: Vec::new(),
            calls: Vec::new(),
            late: Vec::new(),
            platform: Platform::default(),
            phones: Phones::default(),
            alarms: Vec::new(),
            ruined: false,
        }
    }

    pub fn id() -> PaymentId {
        order_of(till(), "12.50").payment()
    }

    pub fn history(&self) -> History<'_> {
        History { payment: Self::id(), facts: &self.durable, spoken: &self.spoken, books: &self.books }
    }

    pub fn live(&self) -> Option<&Payment> {
        self.live.as_deref()
    }

    /// Whether the disk holds everything that was decided.
    pub fn is_written(&self) -> bool {
        self.pending.iter().all(|batch| batch.facts.is_empty())
    }

    /// What the terminal was told last.
    pub fn last_told(&self) -> Option<&Outcome> {
        self.spoken.iter().rev().find_map(|spoken| match &spoken.said {
            Said::TerminalTold(outcome) => Some(outcome),
            _ => None,
        })
    }

    /// What a crash would forget.
    pub fn unwritten(&self) -> Vec<&'static str> {
        self.pending.iter().flat_map(|batch| &batch.facts).map(|stamped| stamped.fact.name()).collect()
    }

    /// What the platform is being asked, and what it was asked by somebody who has stopped listening.
    pub fn asks(&self) -> (Vec<Ask>, &[Ask]) {
        (self.calls.iter().map(|call| call.ask).collect(), &self.late)
    }

    /// Whether the terminal's time is up.
    pub fn answer_is_due(&self) -> bool {
        order_of(till(), "12.50").answer_by.is_over(self.now)
    }

    /// Whether the keeper takes anything in while its disk lags.
    pub fn takes_in(&self) -> bool {
        self.pending.len() < APPENDS_AHEAD_MAX
    }

    /// Whether the witnesses have anything to tell that they had not before.
    pub fn has_news_since(&self, before: &Self) -> bool {
        !Arc::ptr_eq(&self.durable, &before.durable)
            || !Arc::ptr_eq(&self.spoken, &before.spoken)
            || self.books.len() != before.books.len()
    }

    /// Whether nothing is under way and nothing is owed.
    pub fn is_at_rest(&self) -> bool {
        self.pending.is_empty()
            && self.calls.is_empty()
            && self.late.is_empty()
            && self.platform.callbacks.is_empty()
            && self.live().is_none_or(|payment| {
                payment.is_closed() || payment.debts().iter().all(|debt| debt.kind == DebtKind::ByHand)
            })
    }

    /// What can happen next.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        if !self.pending.is_empty() {
            moves.push(Move::Disk);
        }
        if self.left.crashes > 0 {
            moves.push(Move::Crash);
        }
        if self.left.panics > 0 && self.live.is_some() {
            moves.push(Move::Panic);
        }
        self.platform_moves(&mut moves);
        if self.takes_in() {
            self.answers(&mut moves);
            self.people(&mut moves);
            if self.live().is_some_and(|payment| payment.wakes_at().is_some()) {
                moves.push(Move::Time);
            }
        }
        moves
    }

    fn platform_moves(&self, moves: &mut Vec<Move>) {
        for (at, call) in self.calls.iter().enumerate() {
            if call.heard.is_none() {
                moves.push(Move::Reaches(at, Choice::Yes));
                let can_refuse = match call.ask {
                    Ask::Permit(_) | Ask::Pay(_) => true,
                    Ask::Inquire(_) => false,
                    Ask::Owed(kind) => kind != DebtKind::ByHand && self.platform.stands(),
                };
                if can_refuse && self.left.noes > 0 {
                    moves.push(Move::Reaches(at, Choice::No));
                }
                if call.ask == Ask::Owed(DebtKind::Reversal) && self.left.noes > 0 && self.platform.stands() {
                    moves.push(Move::Reaches(at, Choice::TooLate));
                }
                if matches!(call.ask, Ask::Pay(_)) && self.left.lies > 0 {
                    moves.push(Move::Reaches(at, Choice::Lie));
                }
            }
        }
        moves.extend((0..self.late.len()).map(Move::LateReaches));
        let unpaid = |debt: &DebtKind| !self.calls.iter().any(|call| call.ask == Ask::Owed(*debt));
        if self.outbox.iter().any(unpaid) && !self.calls.iter().any(|call| matches!(call.ask, Ask::Owed(_))) {
            moves.push(Move::OutboxPays);
        }
    }

    fn answers(&self, moves: &mut Vec<Move>) {
        for (at, call) in self.calls.iter().enumerate() {
            if call.heard.is_some() {
                moves.push(Move::Hears(at));
            } else if self.left.losses > 0 {
                moves.push(Move::NotSent(at));
            }
            if self.left.losses > 0 {
                moves.push(Move::Silence(at));
            }
        }
        for at in 0..self.platform.callbacks.len() {
            moves.push(Move::CalledBack(at, Choice::Yes));
            if self.left.doubled > 0 {
                moves.push(Move::CalledBack(at, Choice::No));
            }
        }
        if self.merchant_asked {
            moves.push(Move::Merchant(Choice::Yes));
            if self.left.noes > 0 {
                moves.push(Move::Merchant(Choice::No));
            }
        }
    }

    fn people(&self, moves: &mut Vec<Move>) {
        if self.live.is_none() || self.left.repeats > 0 {
            moves.push(Move::Order);
        }
        if self.left.reversals > 0 {
            moves.push(Move::Reversal);
        }
        let Some(payment) = self.live() else { return };
        let claims = matches!(payment.phase(), Phase::AwaitPhone(_) | Phase::AwaitConfirmation(..));
        if claims {
            moves.push(Move::PhoneComes(1));
            if self.left.second_phone > 0 {
                moves.push(Move::PhoneComes(2));
            }
        }
        if self.left.leaves > 0 && payment.phase().claim().is_some() {
            moves.push(Move::PhoneLeaves);
        }
        if self.left.confirms > 0 && (payment.phase().claim().is_some() || !self.phones.asked.is_empty()) {
            moves.push(Move::Confirms(1));
            if self.plan.second_phone > 0 {
                moves.push(Move::Confirms(2));
            }
        }
        if self.left.declines > 0 && payment.phase().claim().is_some() {
            moves.push(Move::Declines);
        }
        if self.left.presents > 0 {
            moves.extend(self.phones.permits.iter().copied().map(Move::Presents));
        }
        if matches!(payment.phase(), Phase::Paid(..)) && self.left.refunds > 0 {
            moves.extend([Move::Refund(1), Move::Refund(2)]);
        }
    }

    /// The world after a move.
    pub fn after(&self, what: Move) -> Self {
        let mut next = self.clone();
        next.take_in(what);
        next
    }

    /// Makes a move.
    pub fn take_in(&mut self, what: Move) {
        self.make(what);
        self.calls.sort();
    }

    fn make(&mut self, what: Move) {
        match what {
            Move::Disk => self.flush(),
            Move::Crash => self.crash(),
            Move::Panic => self.panic(),
            Move::Order => self.order(),
            Move::Reversal => self.reversal(),
            Move::Merchant(choice) => self.merchant(choice),
            Move::PhoneComes(epoch) => {
                self.left.second_phone = self.left.second_phone.saturating_sub(u8::from(epoch == 2));
                self.step(Event::PhoneCame(Claim { payer: payer_of(epoch), epoch }));
            }
            Move::PhoneLeaves => {
                self.left.leaves -= 1;
                let epoch =
                    self.live().and_then(|payment| payment.phase().claim()).map_or(0, |claim| claim.epoch);
                self.step(Event::PhoneLeft { epoch });
            }
            Move::Confirms(epoch) => {
                self.left.confirms -= 1;
                self.step(Event::Confirmed(consent(payer_of(epoch), epoch), euros("12.50")));
            }
            Move::Declines => {
                self.left.declines -= 1;
                if let Some(claim) = self.live().and_then(|payment| payment.phase().claim()) {
                    self.step(Event::DeclinedByPayer(claim));
                }
            }
            Move::Presents(attempt) => self.present(attempt),
            Move::Reaches(at, choice) => self.reach(at, choice),
            Move::LateReaches(at) => {
                let ask = self.late.remove(at);
                self.platform_hears(ask, Choice::Yes);
            }
            Move::Hears(at) => {
                let call = self.calls.remove(at);
                self.hear(call.ask, call.heard.unwrap());
            }
            Move::NotSent(at) => {
                self.left.losses -= 1;
                let call = self.calls.remove(at);
                self.not_sent(call.ask);
            }
            Move::Silence(at) => {
                self.left.losses -= 1;
                let call = self.calls.remove(at);
                if call.heard.is_none() {
                    self.is_late(call.ask);
                }
                self.hear(call.ask, Word::Nothing);
            }
            Move::CalledBack(at, choice) => self.called_back(at, choice),
            Move::OutboxPays => {
                let kind = self.outbox.remove(0);
                self.calls.push(Call { ask: Ask::Owed(kind), heard: None });
            }
            Move::Refund(which) => {
                self.left.refunds -= 1;
                self.step(Event::RefundAsked(refund(&which.to_string()), euros("8.00")));
            }
            Move::Time => {
                let wakes_at = self.live().and_then(Payment::wakes_at).map(Deadline::instant);
                self.now = wakes_at.map_or(self.now, |at| at.max(self.now));
                self.step(Event::DeadlineCame);
            }
        }
    }
}

fn payment_outcome(word: Word) -> PaymentOutcome {
    match word {
        Word::Yes => PaymentOutcome::Approved(receipt("12.50")),
        Word::Lie => PaymentOutcome::Approved(receipt("99.99")),
        Word::Nothing => PaymentOutcome::Unknown,
        _ => PaymentOutcome::Failed(Failure::WrongCredentials),
    }
}

fn payer_of(epoch: u64) -> PayerId {
    if epoch == 2 { boris() } else { anna() }
}

/// The end of the day: nothing more goes wrong, the terminal asks once more, and everything under way arrives.
impl World {
    /// The next thing that happens when nobody does anything new; `None` when nothing is left.
    pub fn quiet_move(&self) -> Option<Move> {
        if !self.pending.is_empty() {
            return Some(Move::Disk);
        }
        if self.merchant_asked {
            return Some(Move::Merchant(Choice::Yes));
        }
        if let Some(at) = self.calls.iter().position(|call| call.heard.is_some()) {
            return Some(Move::Hears(at));
        }
        if !self.calls.is_empty() {
            return Some(Move::Reaches(0, Choice::Yes));
        }
        if !self.outbox.is_empty() {
            return Some(Move::OutboxPays);
        }
        if self.live().is_some_and(|payment| payment.wakes_at().is_some()) {
            return Some(Move::Time);
        }
        if !self.late.is_empty() {
            return Some(Move::LateReaches(0));
        }
        (!self.platform.callbacks.is_empty()).then_some(Move::CalledBack(0, Choice::Yes))
    }

    /// Whether a payment that ended without money left the platform with leave to take some.
    pub fn left_a_permit_behind(&self) -> bool {
        let ended_without = matches!(self.live().map(Payment::phase), Some(Phase::Declined(..)));
        ended_without && !self.platform.permits.is_empty() && !self.platform.tombstone
    }

    /// The terminal asks how it ended, and is told.
    pub fn terminal_asks_at_last(&mut self) {
        if self.spoken.is_empty() && self.durable.is_empty() {
            return;
        }
        let outcome = self.live().and_then(Payment::outcome);
        self.tell_terminal(outcome);
    }
}

/// Two worlds are the same if nothing that follows, and nothing that was promised, can tell them apart.
impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.left, self.now, self.merchant_asked, self.ruined).hash(state);
        (&self.outbox, &self.calls, &self.late, &self.platform, &self.phones).hash(state);
        match self.live() {
            None => 0u8.hash(state),
            Some(payment) => {
                payment.phase().name().hash(state);
                let again = matches!(payment.phase(), Phase::AwaitPermit(.., Asked::Again));
                again.hash(state);
            }
        }
        hash_facts(&self.durable, state);
        self.pending.len().hash(state);
        for batch in &self.pending {
            hash_facts(&batch.facts, state);
            (batch.effects.len(), batch.relay).hash(state);
            batch.effects.iter().for_each(|effect| hash_effect(effect, state));
        }
        self.spoken.len().hash(state);
        for spoken in self.spoken.iter() {
            spoken.after.hash(state);
            match &spoken.said {
                Said::PermitAsked(attempt) => (1u8, attempt).hash(state),
                Said::CredentialRelayed(attempt) => (2u8, attempt).hash(state),
                Said::TerminalTold(Outcome::Approved(_)) => 3u8.hash(state),
                Said::TerminalTold(Outcome::Refused(refusal)) => (4u8, refusal).hash(state),
            }
        }
        self.books.len().hash(state);
        for booking in &self.books {
            (booking.at, booking.after).hash(state);
        }
    }
}

fn hash_facts<H: Hasher>(facts: &[Stamped], state: &mut H) {
    facts.len().hash(state);
    for Stamped { at, fact } in facts {
        (at, fact.name()).hash(state);
        match fact {
            Fact::Permitted(attempt, interface) => (attempt, interface.expires).hash(state),
            Fact::PhoneCame(claim) => claim.epoch.hash(state),
            Fact::Consented(consent) => consent.claim.epoch.hash(state),
            Fact::Presented(attempt, _)
            | Fact::AttemptFailed(attempt, ..)
            | Fact::Doubted(attempt)
            | Fact::Inquired(attempt)
            | Fact::StillPermitted(attempt) => attempt.hash(state),
            Fact::TurnedAway(_, refusal) | Fact::Declined(refusal) | Fact::ReversalOwed(refusal) => {
                refusal.hash(state);
            }
            Fact::UndoingBy(how) => how.hash(state),
            Fact::RefundOwed(id, _) | Fact::RefundDone(id) | Fact::RefundRefused(id) => id.hash(state),
            _ => {}
        }
    }
}

fn hash_effect<H: Hasher>(effect: &Effect, state: &mut H) {
    std::mem::discriminant(effect).hash(state);
    match effect {
        Effect::AskPermit(attempt) | Effect::Inquire(attempt) => attempt.hash(state),
        Effect::AskPayer(payer) | Effect::TellPayer(payer) => payer.hash(state),
        Effect::Raise(alarm) => alarm.hash(state),
        Effect::AskMerchant | Effect::Owe | Effect::TellTerminal => {}
    }
}
