//! A platform for stories: it keeps books and tombstones, and does what the story tells it to do next.
//!
//! Left alone it is a good platform: a permit for everybody, money for the right password, one reversal per
//! payment with a tombstone behind it. A story queues an [`Act`] per question to make it late, silent, mad or gone.
use actors::domain::identity::{PaymentId, PlatformId, RefundId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{
    Effect, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::{Attempt, Interface, Receipt};
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::Answer;
use actors::ports::platform::{
    CallbackFault, CallbackMessage, Claimed, PermitAsk, Platform, PlatformAsk, Presentation, Promises,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The credential that moves money; every other one is wrong.
pub const RIGHT: &[u8] = b"right";

/// What the bank does with one question, instead of answering it properly at once.
#[derive(Clone, Debug)]
pub enum Act<T> {
    /// Says this, and does nothing.
    Say(T),
    /// Does it properly after a while.
    Late(Duration),
    /// Does it, but the answer is lost on the way: this arrives instead.
    Lost(T),
    /// Never answers.
    Silent,
    /// The adapter panics while it waits.
    Panics,
    /// The adapter panics before it has even begun.
    PanicsAtOnce,
}

/// One payment in the books.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub permits: Vec<u8>,
    pub paid: Option<Money>,
    pub is_undone: bool,
    pub refunds: BTreeMap<RefundId, Money>,
}

/// What was asked, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Permit(PaymentId, u8),
    Pay(PaymentId, u8),
    Inquire(PaymentId),
    Reverse(PaymentId),
    Refund(PaymentId, RefundId),
}

#[derive(Default)]
struct Books {
    accounts: BTreeMap<PaymentId, Account>,
    calls: Vec<Call>,
    permits: VecDeque<Act<PermitOutcome>>,
    payments: VecDeque<Act<PaymentOutcome>>,
    inquiries: VecDeque<Act<InquiryOutcome>>,
    reversals: VecDeque<Act<ReversalOutcome>>,
    refunds: VecDeque<Act<RefundOutcome>>,
    relays: bool,
}

/// The bank. It outlives the switch's crashes.
#[derive(Clone, Default)]
pub struct Bank(Arc<Mutex<Books>>);

impl Bank {
    pub fn name() -> PlatformId {
        PlatformId::new("bank").unwrap()
    }

    pub fn on_permit(&self, act: Act<PermitOutcome>) {
        self.books().permits.push_back(act);
    }

    pub fn on_pay(&self, act: Act<PaymentOutcome>) {
        self.books().payments.push_back(act);
    }

    pub fn on_inquire(&self, act: Act<InquiryOutcome>) {
        self.books().inquiries.push_back(act);
    }

    pub fn on_reverse(&self, act: Act<ReversalOutcome>) {
        self.books().reversals.push_back(act);
    }

    pub fn on_refund(&self, act: Act<RefundOutcome>) {
        self.books().refunds.push_back(act);
    }

    /// From now on it is a good platform again.
    pub fn calms_down(&self) {
        let mut books = self.books();
        let Books { accounts, calls, relays, .. } = std::mem::take(&mut *books);
        *books = Books { accounts, calls, relays, ..Books::default() };
    }

    /// From now on credentials come through the switch.
    pub fn relays(&self) {
        self.books().relays = true;
    }

    /// What the books say of a payment.
    pub fn account(&self, payment: PaymentId) -> Account {
        self.books().accounts.get(&payment).cloned().unwrap_or_default()
    }

    /// The money that a payment moved and that is still moved.
    pub fn holds(&self, payment: PaymentId) -> Option<Money> {
        let account = self.account(payment);
        account.paid.filter(|_| !account.is_undone)
    }

    pub fn calls(&self) -> Vec<Call> {
        self.books().calls.clone()
    }

    /// How often something like this was asked.
    pub fn count(&self, like: impl Fn(&Call) -> bool) -> usize {
        self.books().calls.iter().filter(|call| like(call)).count()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn act<T: Clone + Send + 'static>(
        &self,
        act: Option<Act<T>>,
        properly: impl FnOnce(&mut Books) -> T + Send + 'static,
    ) -> Answer<T> {
        let bank = self.clone();
        match act {
            Some(Act::PanicsAtOnce) => panic!("the adapter panics at once"),
            Some(Act::Panics) => Box::pin(async { panic!("the adapter panics") }),
            Some(Act::Silent) => Box::pin(std::future::pending()),
            Some(Act::Say(answer)) => Box::pin(async move { answer }),
            Some(Act::Late(wait)) => Box::pin(async move {
                tokio::time::sleep(wait).await;
                properly(&mut bank.books())
            }),
            Some(Act::Lost(instead)) => Box::pin(async move {
                properly(&mut bank.books());
                instead
            }),
            None => Box::pin(async move { properly(&mut bank.books()) }),
        }
    }
}

/// The interface of a permit, good for so long.
pub fn interface(payment: PaymentId, attempt: Attempt, expires: Deadline) -> Interface {
    Interface {
        url: "https://bank.example/pay".into(),
        key: "{}".into(),
        permit: format!("{payment}/{}", attempt.number()).into(),
        expires,
    }
}

pub fn receipt(money: Money) -> Receipt {
    Receipt { reference: "ref".into(), money }
}

impl Platform for Bank {
    fn id(&self) -> PlatformId {
        Self::name()
    }

    fn promises(&self) -> Promises {
        Promises { keeps_tombstones: true, inquiry_reads_its_own_writes: true }
    }

    fn permit(&self, ask: PermitAsk) -> Answer<PermitOutcome> {
        let act = {
            let mut books = self.books();
            books.calls.push(Call::Permit(ask.payment, ask.attempt.number()));
            books.permits.pop_front()
        };
        self.act(act, move |books| {
            let account = books.accounts.entry(ask.payment).or_default();
            if account.is_undone {
                return PermitOutcome::Unknown;
            }
            account.permits.push(ask.attempt.number());
            let far = Deadline::at(Timestamp::from_micros(u64::MAX));
            let mut interface = interface(ask.payment, ask.attempt, far);
            if books.relays {
                interface.url = "".into();
            }
            PermitOutcome::Granted(interface)
        })
    }

    fn pay(&self, presentation: Presentation) -> Answer<PaymentOutcome> {
        let Presentation { payment, attempt, money, credential, .. } = presentation;
        let act = {
            let mut books = self.books();
            books.calls.push(Call::Pay(payment, attempt.number()));
            books.payments.pop_front()
        };
        self.act(act, move |books| {
            let account = books.accounts.entry(payment).or_default();
            if account.is_undone {
                PaymentOutcome::Failed(Failure::PermitExpired)
            } else if credential.expose() == RIGHT {
                account.paid = Some(money);
                PaymentOutcome::Approved(receipt(money))
            } else {
                PaymentOutcome::Failed(Failure::WrongCredentials)
            }
        })
    }

    fn inquire(&self, ask: PlatformAsk) -> Answer<InquiryOutcome> {
        let act = {
            let mut books = self.books();
            books.calls.push(Call::Inquire(ask.payment));
            books.inquiries.pop_front()
        };
        self.act(act, move |books| match books.accounts.get(&ask.payment) {
            None => InquiryOutcome::NeverSeen,
            Some(account) if account.is_undone => InquiryOutcome::Undone,
            Some(Account { paid: Some(money), .. }) => InquiryOutcome::Paid(receipt(*money)),
            Some(_) => InquiryOutcome::Pending,
        })
    }

    fn reverse(&self, ask: PlatformAsk) -> Answer<ReversalOutcome> {
        let act = {
            let mut books = self.books();
            books.calls.push(Call::Reverse(ask.payment));
            books.reversals.pop_front()
        };
        self.act(act, move |books| {
            let account = books.accounts.entry(ask.payment).or_default();
            account.is_undone = true;
            let undone = account.paid.is_some();
            ReversalOutcome::Acknowledged(if undone { Effect::Undone } else { Effect::NothingToUndo })
        })
    }

    fn refund(&self, ask: PlatformAsk, refund: RefundId, money: Money) -> Answer<RefundOutcome> {
        let act = {
            let mut books = self.books();
            books.calls.push(Call::Refund(ask.payment, refund));
            books.refunds.pop_front()
        };
        self.act(act, move |books| {
            let account = books.accounts.entry(ask.payment).or_default();
            account.refunds.insert(refund, money);
            RefundOutcome::Done
        })
    }

    /// A callback's body is the payment's id, the attempt and what is claimed.
    fn read_callback(&self, _: Timestamp, message: &CallbackMessage<'_>) -> Result<Claimed, CallbackFault> {
        let text = std::str::from_utf8(message.body).map_err(|_| CallbackFault::Forged)?;
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(CallbackFault::Malformed("too short"));
        let payment = PaymentId::parse(word()?).map_err(|_| CallbackFault::Malformed("payment"))?;
        let attempt = word()?.parse().ok().and_then(Attempt::numbered);
        let attempt = attempt.ok_or(CallbackFault::Malformed("attempt"))?;
        let result = match word()? {
            "wrong" => Err(Failure::WrongCredentials),
            amount => Money::parse(amount, "EUR").map(receipt).map_err(|_| Failure::Unreadable),
        };
        Ok(Claimed { payment, attempt, result })
    }
}
