//! A payment's life told in a line per event: what the stories, the matrix and the properties are written with.
//!
//! After every event the life is held to what must never be: its facts folded give where it stands, its path is one
//! of the published graph, and it never hangs. A `crash` throws everything away but the facts.
use actors::domain::identity::{Keeper, MerchantId, PayerId, PaymentKey, PlatformId, RefundId, TerminalId};
use actors::domain::money::Money;
use actors::domain::order::{Admission, Order, Terms};
use actors::domain::outbox::DebtKind;
use actors::domain::payment::command::{Commands, Effect, Fact, Misfit, Verdict};
use actors::domain::payment::event::Event;
use actors::domain::payment::invariants::{History, audit};
use actors::domain::payment::outcome::{
    Effect as Undone, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::{Asked, Attempt, Claim, Consent, Digest32, Interface, Phase, Receipt};
use actors::domain::payment::{Outcome, Payment, Stamped};
use actors::domain::response_code::Refusal;
use actors::domain::time::{Deadline, Timestamp};
use std::time::Duration;

/// When every life begins.
pub const BEGIN: Timestamp = Timestamp::from_micros(1_000_000_000_000);
pub const ANSWER_WITHIN: Duration = Duration::from_mins(1);
pub const TERMS: Terms = Terms {
    confirm_within: Duration::from_secs(20),
    platform_within: Duration::from_secs(5),
    attempts_max: 3,
    inquire_every: Duration::from_secs(6),
    inquiries_max: 3,
};
/// How long a permit is good.
pub const PERMIT_GOOD_FOR: Duration = Duration::from_secs(30);

pub fn euros(amount: &str) -> Money {
    Money::parse(amount, "EUR").unwrap()
}

pub fn anna() -> PayerId {
    PayerId::new("anna").unwrap()
}

pub fn boris() -> PayerId {
    PayerId::new("boris").unwrap()
}

pub fn till() -> Keeper {
    Keeper::Terminal(TerminalId::new("till-1").unwrap())
}

pub fn merchant() -> MerchantId {
    MerchantId::new("bakery").unwrap()
}

pub fn order_of(keeper: Keeper, amount: &str) -> Order {
    Order {
        keeper,
        key: PaymentKey::new("sale-1").unwrap(),
        merchant: merchant(),
        money: euros(amount),
        reference: Some("receipt 1".into()),
        answer_by: Deadline::after(BEGIN, ANSWER_WITHIN),
    }
}

pub fn admission(terms: Terms) -> Admission {
    Admission { merchant_name: "Bakery".into(), platform: PlatformId::new("sandbox").unwrap(), terms }
}

pub fn consent(payer: PayerId, epoch: u64) -> Consent {
    Consent { claim: Claim { payer, epoch }, signed: Digest32([7; 32]) }
}

pub fn interface(at: Timestamp, attempt: Attempt) -> Interface {
    Interface {
        url: "https://platform.example/pay".into(),
        key: "{}".into(),
        permit: format!("permit-{}", attempt.number()).into(),
        expires: Deadline::after(at, PERMIT_GOOD_FOR),
    }
}

/// The same where the credential goes through the switch.
pub fn relayed(at: Timestamp, attempt: Attempt) -> Interface {
    Interface { url: "".into(), ..interface(at, attempt) }
}

pub fn receipt(amount: &str) -> Receipt {
    Receipt { reference: "ref-1".into(), money: euros(amount) }
}

pub fn attempt(number: u8) -> Attempt {
    Attempt::numbered(number).unwrap()
}

pub fn refund(name: &str) -> RefundId {
    RefundId::new(name).unwrap()
}

/// A life so far.
#[derive(Clone, Debug)]
pub struct Life {
    pub payment: Payment,
    pub now: Timestamp,
    pub facts: Vec<Stamped>,
    pub last: Commands,
}

/// How a life begins.
impl Life {
    /// The terminal asks for 12.50 euros.
    pub fn begins() -> Self {
        Self::begins_with(order_of(till(), "12.50"))
    }

    pub fn begins_with(order: Order) -> Self {
        let (payment, last) = Payment::open(order);
        Self { payment, now: BEGIN, facts: Vec::new(), last }
    }

    /// Anna asks for herself: no terminal takes part.
    pub fn begins_at_the_payer() -> Self {
        Self::begins_with(order_of(Keeper::Payer(anna()), "12.50"))
    }

    /// The terminal takes back what it never asked.
    pub fn begins_with_a_reversal() -> Self {
        let order = order_of(till(), "12.50");
        let (payment, last) = Payment::reverse_unseen(order.payment(), order.keeper);
        let facts = last.facts.iter().map(|fact| Stamped { at: BEGIN, fact: fact.clone() }).collect();
        Self { payment, now: BEGIN, facts, last }
    }

    pub fn awaits_phone() -> Self {
        Self::begins().admitted()
    }

    pub fn awaits_confirmation() -> Self {
        Self::awaits_phone().phone_comes(anna(), 1)
    }

    pub fn awaits_permit() -> Self {
        Self::awaits_confirmation().confirms()
    }

    pub fn awaits_payment() -> Self {
        Self::awaits_permit().permitted()
    }

    pub fn awaits_outcome() -> Self {
        Self::awaits_payment().pays()
    }

    pub fn in_doubt() -> Self {
        Self::awaits_outcome().platform_says(PaymentOutcome::Unknown)
    }

    pub fn paid() -> Self {
        Self::awaits_outcome().approved()
    }

    pub fn reversing() -> Self {
        Self::in_doubt().terminal_reverses()
    }

    pub fn reversed() -> Self {
        Self::reversing().reversal_says(ReversalOutcome::Acknowledged(Undone::NothingToUndo))
    }

    pub fn declined() -> Self {
        Self::awaits_confirmation().payer_declines()
    }
}

/// What happens in it.
impl Life {
    pub fn hears(mut self, event: Event) -> Self {
        let (payment, last) = self.payment.clone().step(self.now, event);
        self.facts.extend(last.facts.iter().map(|fact| Stamped { at: self.now, fact: fact.clone() }));
        self.payment = payment;
        self.last = last;
        self.holds()
    }

    pub fn admitted(self) -> Self {
        self.hears(Event::MerchantSaid(Ok(admission(TERMS))))
    }

    pub fn phone_comes(self, payer: PayerId, epoch: u64) -> Self {
        self.hears(Event::PhoneCame(Claim { payer, epoch }))
    }

    /// Whoever was asked says yes to what was asked.
    pub fn confirms(self) -> Self {
        let claim = self.payment.phase().claim().expect("somebody was asked");
        let money = self.payment.phase().order().expect("an order").money;
        self.hears(Event::Confirmed(Consent { claim, signed: Digest32([7; 32]) }, money))
    }

    pub fn payer_declines(self) -> Self {
        let claim = self.payment.phase().claim().expect("somebody was asked");
        self.hears(Event::DeclinedByPayer(claim))
    }

    pub fn permitted(self) -> Self {
        let attempt = self.attempt();
        let interface = interface(self.now, attempt);
        self.hears(Event::PermitSaid(attempt, PermitOutcome::Granted(interface)))
    }

    pub fn permit_says(self, outcome: PermitOutcome) -> Self {
        let attempt = self.attempt();
        self.hears(Event::PermitSaid(attempt, outcome))
    }

    /// The phone hands in its sealed credential.
    pub fn pays(self) -> Self {
        let attempt = self.attempt();
        let payer = self.payment.payer().expect("a payer");
        self.hears(Event::Presented(payer, attempt, Digest32([9; 32])))
    }

    pub fn platform_says(self, outcome: PaymentOutcome) -> Self {
        let attempt = self.attempt();
        self.hears(Event::PaymentSaid(attempt, outcome))
    }

    pub fn approved(self) -> Self {
        self.platform_says(PaymentOutcome::Approved(receipt("12.50")))
    }

    pub fn fails(self, failure: Failure) -> Self {
        self.platform_says(PaymentOutcome::Failed(failure))
    }

    pub fn inquiry_says(self, outcome: InquiryOutcome) -> Self {
        let attempt = self.attempt();
        self.hears(Event::InquirySaid(attempt, outcome))
    }

    pub fn terminal_reverses(self) -> Self {
        self.hears(Event::ReversalAsked)
    }

    pub fn terminal_repeats(self) -> Self {
        let order = order_of(self.payment.keeper(), "12.50");
        self.hears(Event::Repeated(order))
    }

    pub fn reversal_says(self, outcome: ReversalOutcome) -> Self {
        self.hears(Event::ReversalSaid(outcome))
    }

    pub fn reversal_acknowledged(self) -> Self {
        self.reversal_says(ReversalOutcome::Acknowledged(Undone::Undone))
    }

    pub fn refund_asked(self, name: &str, amount: &str) -> Self {
        self.hears(Event::RefundAsked(refund(name), euros(amount)))
    }

    pub fn refund_says(self, name: &str, outcome: RefundOutcome) -> Self {
        self.hears(Event::RefundSaid(refund(name), outcome))
    }

    /// Time passes until the payment wakes, and it wakes.
    pub fn sleeps_until_it_wakes(mut self) -> Self {
        self.now = self.payment.wakes_at().expect("it sleeps").instant().max(self.now);
        self.hears(Event::DeadlineCame)
    }

    pub fn after(mut self, wait: Duration) -> Self {
        self.now = self.now.plus(wait);
        self
    }

    /// Nothing is left but the facts.
    pub fn crashes(mut self) -> Self {
        let (payment, last) = Payment::recover(self.payment.id(), self.now, &self.facts)
            .expect("a possible life")
            .expect("a life");
        self.facts.extend(last.facts.iter().map(|fact| Stamped { at: self.now, fact: fact.clone() }));
        self.payment = payment;
        self.last = last;
        self.holds()
    }

    /// The attempt it is at.
    pub fn attempt(&self) -> Attempt {
        match self.payment.phase() {
            Phase::AwaitPermit(_, _, attempt, _)
            | Phase::AwaitPayment(_, _, attempt, _)
            | Phase::AwaitOutcome(_, _, attempt, _)
            | Phase::InDoubt(_, _, attempt, ..) => *attempt,
            _ => Attempt::FIRST,
        }
    }
}

/// What is to be seen of it.
impl Life {
    #[track_caller]
    pub fn stands(self, phase: &str) -> Self {
        assert_eq!(self.payment.phase().name(), phase, "after {:?}", self.last);
        self
    }

    #[track_caller]
    pub fn hears_back(self, verdict: Verdict) -> Self {
        assert_eq!(self.last.verdict, verdict);
        self
    }

    #[track_caller]
    pub fn misfits(self, misfit: Misfit) -> Self {
        assert!(self.last.facts.is_empty() && self.last.effects.is_empty(), "a misfit changes nothing");
        self.hears_back(Verdict::Misfit(misfit))
    }

    #[track_caller]
    pub fn changes_nothing(self) -> Self {
        assert_eq!(self.last.facts, [], "nothing new is true");
        self.hears_back(Verdict::Already)
    }

    #[track_caller]
    pub fn does(self, effect: Effect) -> Self {
        assert!(self.last.effects.contains(&effect), "{effect:?} is not among {:?}", self.last.effects);
        self
    }

    #[track_caller]
    pub fn does_not(self, effect: Effect) -> Self {
        assert!(!self.last.effects.contains(&effect), "{effect:?} is among {:?}", self.last.effects);
        self
    }

    #[track_caller]
    pub fn owes(self, kinds: &[DebtKind]) -> Self {
        let owed: Vec<DebtKind> = self.payment.debts().iter().map(|debt| debt.kind).collect();
        assert_eq!(owed, kinds);
        self
    }

    #[track_caller]
    pub fn ends_approved(self) -> Self {
        assert!(matches!(self.payment.outcome(), Some(Outcome::Approved(_))), "{:?}", self.payment.outcome());
        self
    }

    #[track_caller]
    pub fn ends_refused(self, refusal: Refusal) -> Self {
        assert_eq!(self.payment.outcome(), Some(Outcome::Refused(refusal)));
        self
    }

    #[track_caller]
    pub fn stays_undecided(self) -> Self {
        assert_eq!(self.payment.outcome(), None);
        self
    }

    #[track_caller]
    pub fn ends_closed(self) -> Self {
        assert!(
            self.payment.is_closed() && self.payment.debts().is_empty() && self.payment.wakes_at().is_none()
        );
        self
    }

    /// What must never be, is not.
    #[track_caller]
    pub fn holds(self) -> Self {
        let history = History { payment: self.payment.id(), facts: &self.facts, spoken: &[], books: &[] };
        audit(&history).unwrap();
        match Payment::folded(self.payment.id(), &self.facts).unwrap() {
            Some(folded) => assert_eq!(on_record(folded), on_record(self.payment.clone())),
            None => assert_eq!(self.payment.phase().name(), "await_merchant"),
        }
        self
    }
}

/// The payment as its facts know it: whether this process asked for the permit once is not one of them.
pub fn on_record(payment: Payment) -> (actors::domain::identity::PaymentId, Keeper, Phase) {
    let phase = match payment.phase().clone() {
        Phase::AwaitPermit(deal, consent, attempt, _) => {
            Phase::AwaitPermit(deal, consent, attempt, Asked::Once)
        }
        other => other,
    };
    (payment.id(), payment.keeper(), phase)
}

/// Whether a fact of this name is among them.
pub fn has(facts: &[Stamped], name: &str) -> bool {
    facts.iter().map(|stamped| &stamped.fact).map(Fact::name).any(|known| known == name)
}

/// Every kind of event with every kind of answer, about `attempt`, as it would come at `now`.
pub fn every_event(attempt: Attempt, now: Timestamp) -> Vec<(&'static str, Event)> {
    let claim = |payer, epoch| Claim { payer, epoch };
    let digest = Digest32([9; 32]);
    let paid = |amount| PaymentOutcome::Approved(receipt(amount));
    let (first, second) = (refund("r1"), refund("r2"));
    let mut events = vec![
        ("repeated", Event::Repeated(order_of(till(), "12.50"))),
        ("repeated, other amount", Event::Repeated(order_of(till(), "12.51"))),
        ("merchant_admitted", Event::MerchantSaid(Ok(admission(TERMS)))),
        ("merchant_refused", Event::MerchantSaid(Err(Refusal::MerchantClosed))),
        ("phone_came", Event::PhoneCame(claim(anna(), 1))),
        ("phone_came, next round", Event::PhoneCame(claim(boris(), 2))),
        ("phone_left", Event::PhoneLeft { epoch: 1 }),
        ("confirmed", Event::Confirmed(consent(anna(), 1), euros("12.50"))),
        ("confirmed, other amount", Event::Confirmed(consent(anna(), 1), euros("12.51"))),
        ("confirmed, other payer", Event::Confirmed(consent(boris(), 2), euros("12.50"))),
        ("declined_by_payer", Event::DeclinedByPayer(claim(anna(), 1))),
        ("permit_granted", Event::PermitSaid(attempt, PermitOutcome::Granted(interface(now, attempt)))),
        (
            "permit_granted, relayed",
            Event::PermitSaid(attempt, PermitOutcome::Granted(relayed(now, attempt))),
        ),
        ("permit_refused", Event::PermitSaid(attempt, PermitOutcome::Refused(Refusal::NotPermitted))),
        ("permit_not_sent", Event::PermitSaid(attempt, PermitOutcome::NotSent)),
        ("permit_unknown", Event::PermitSaid(attempt, PermitOutcome::Unknown)),
        ("presented", Event::Presented(anna(), attempt, digest)),
        ("presented, other payer", Event::Presented(boris(), attempt, digest)),
        ("approved", Event::PaymentSaid(attempt, paid("12.50"))),
        ("approved, other amount", Event::PaymentSaid(attempt, paid("99.99"))),
        ("failed", Event::PaymentSaid(attempt, PaymentOutcome::Failed(Failure::WrongCredentials))),
        ("failed for good", Event::PaymentSaid(attempt, PaymentOutcome::Failed(Failure::AccountBlocked))),
        ("pay_not_sent", Event::PaymentSaid(attempt, PaymentOutcome::NotSent)),
        ("pay_unknown", Event::PaymentSaid(attempt, PaymentOutcome::Unknown)),
    ];
    events.extend(every_later_event(attempt, first, second));
    events
}

fn every_later_event(attempt: Attempt, first: RefundId, second: RefundId) -> Vec<(&'static str, Event)> {
    let inquiry = |outcome| Event::InquirySaid(attempt, outcome);
    let undone = |effect| Event::ReversalSaid(ReversalOutcome::Acknowledged(effect));
    vec![
        ("inquiry: paid", inquiry(InquiryOutcome::Paid(receipt("12.50")))),
        ("inquiry: failed", inquiry(InquiryOutcome::Failed(Failure::WrongCredentials))),
        ("inquiry: pending", inquiry(InquiryOutcome::Pending)),
        ("inquiry: never seen", inquiry(InquiryOutcome::NeverSeen)),
        ("inquiry: undone", inquiry(InquiryOutcome::Undone)),
        ("inquiry: unknown", inquiry(InquiryOutcome::Unknown)),
        ("reversal_asked", Event::ReversalAsked),
        ("reversal: undone", undone(Undone::Undone)),
        ("reversal: nothing", undone(Undone::NothingToUndo)),
        ("reversal_too_late", Event::ReversalSaid(ReversalOutcome::TooLate)),
        ("reversal: refused", Event::ReversalSaid(ReversalOutcome::Refused)),
        ("reversal: unknown", Event::ReversalSaid(ReversalOutcome::Unknown)),
        ("refund_asked", Event::RefundAsked(first, euros("8.00"))),
        ("refund_asked, too much", Event::RefundAsked(second, euros("12.51"))),
        ("refund: done", Event::RefundSaid(first, RefundOutcome::Done)),
        ("refund: refused", Event::RefundSaid(first, RefundOutcome::Refused)),
        ("refund: unknown", Event::RefundSaid(first, RefundOutcome::Unknown)),
        ("deadline_came", Event::DeadlineCame),
        ("given_up", Event::GivenUp),
    ]
}
