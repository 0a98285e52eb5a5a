//! The stories that an ordeal tells: one payment each, by a till that conforms and a phone that just goes on.
//!
//! Whatever breaks, the till repeats and takes back what it cannot learn, and the phone logs in again, looks at its
//! list and does what is asked. Both believe only answers. What they were told at the end is the auditor's evidence.
use crate::auditor::{Held, Refund, Shown, Sold};
use crate::house::Site;
use actors::domain::identity::{Keeper, PaymentId, RefundId, TerminalId};
use actors::domain::money::Money;
use adapters::players::PlayFault;
use adapters::players::phone::Phone;
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::{PaymentSeen, SaleSeen, Status};
use adapters::players::till::{Order, Sale, Till};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::sync::Notify;

/// A till waits so long for its answer: longer than a restart, and than an inquiry after it.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// A till that has no ending by then has been left hanging.
const HANGS_AFTER: Duration = Duration::from_mins(1);
const LOOKS_EVERY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// The payer pays.
    Sale,
    /// The payer says no.
    Declined,
    /// The payer pays, the till takes it back.
    Reversal,
    /// The payer pays, the till gives a part back.
    Refund,
    /// The payer pays, and the journal's segment ends in between.
    SaleAcrossSegments,
}

impl Story {
    pub const ALL: [Self; 5] =
        [Self::Sale, Self::Declined, Self::Reversal, Self::Refund, Self::SaleAcrossSegments];
}

/// One payment under way.
pub struct Telling<'a> {
    pub site: &'a Site,
    pub story: Story,
    /// Sets it apart: amount and payer come from it.
    pub number: u64,
    shown: RefCell<Option<Shown>>,
    stands: Notify,
    is_over: Cell<bool>,
    /// Whether the payer waits after having been shown what to confirm.
    hesitates: Cell<bool>,
    is_asked: Notify,
    /// What last went wrong for the phone: told if the till gets no ending.
    last_fault: RefCell<Option<String>>,
}

impl<'a> Telling<'a> {
    pub fn new(site: &'a Site, story: Story, number: u64) -> Self {
        Self {
            site,
            story,
            number,
            shown: RefCell::default(),
            stands: Notify::new(),
            is_over: Cell::new(false),
            hesitates: Cell::new(false),
            is_asked: Notify::new(),
            last_fault: RefCell::default(),
        }
    }

    /// The payer confirms and does not pay, until [`Self::goes_on`].
    pub fn hesitating(self) -> Self {
        self.hesitates.set(true);
        self
    }

    /// The payer that hesitates has been asked.
    pub async fn asked(&self) {
        self.is_asked.notified().await;
    }

    /// The payer stops hesitating.
    pub fn goes_on(&self) {
        self.hesitates.set(false);
    }

    /// Plays it to its end, whatever happens to the switch meanwhile.
    pub async fn told(&self) -> Result<(Sold, Option<Shown>), String> {
        let selling = async {
            let sold = tokio::time::timeout(HANGS_AFTER, async {
                self.stands.notified().await;
                self.sells().await
            });
            let sold = sold.await;
            self.is_over.set(true);
            sold.map_err(|_| {
                let phone = self.last_fault.borrow();
                format!("I13 {:?} {}: the till has no ending; the phone: {phone:?}", self.story, self.number)
            })?
        };
        let paying = async {
            while !self.is_over.get() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let mut payer = self.payer();
        let (sold, ()) = futures_util::future::join(selling, async {
            futures_util::future::select(Box::pin(payer.pays()), Box::pin(paying)).await;
        })
        .await;
        Ok((sold?, self.shown.borrow().clone()))
    }

    fn money(&self) -> Money {
        let cents = 100 + self.number % 800_000;
        Money::parse(&format!("{}.{:02}", cents / 100, cents % 100), "EUR").unwrap()
    }

    async fn sells(&self) -> Result<Sold, String> {
        let mut till = self.site.till(0);
        let order = Order::new(&self.site.surroundings, self.money(), PATIENCE).unwrap();
        let id = PaymentId::derive(&Keeper::Terminal(TerminalId::new("T0").unwrap()), &order.key).to_string();
        let fault = |fault: PlayFault| {
            format!("I13 {:?}: the switch will not deal with its till: {fault}", self.story)
        };
        let mut held = ending(till.sell(&order).await.map_err(fault)?);
        let mut refunds = Vec::new();
        if matches!(held, Held::Approved(_)) {
            match self.story {
                Story::Reversal => held = ending(till.take_back(&order.key).await.map_err(fault)?),
                Story::Refund => refunds.push(self.refunded(&mut till, &id).await?),
                Story::Sale | Story::Declined | Story::SaleAcrossSegments => {}
            }
        }
        let told_again = self.told_again(&mut till, &id, &held).await;
        Ok(Sold { id, amount: self.money().decimal(), held, told_again, refunds, across: false })
    }

    /// Gives a part back, and looks until the switch says that the platform has done it.
    async fn refunded(&self, till: &mut Till, id: &str) -> Result<Refund, String> {
        let part = Money::parse("0.40", "EUR").unwrap();
        let refund = RefundId::new(&format!("back-{}", self.number)).unwrap();
        loop {
            match till.refund(id, &refund, part).await {
                Ok(seen) if seen.refunds.iter().any(|back| back.state == "done") => {
                    return Ok(Refund { id: refund.to_string(), amount: part.decimal() });
                }
                Ok(_) => {}
                Err(fault) if fault.is_passing() => {}
                Err(fault) => return Err(format!("I12 a refund of a paid payment was refused: {fault}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks once more, as often as it takes to be answered.
    async fn told_again(&self, till: &mut Till, id: &str, held: &Held) -> Option<Held> {
        loop {
            match till.look(id, Duration::ZERO).await {
                Ok(seen) => return Some(told(&seen, held)),
                Err(fault) if fault.is_passing() => tokio::time::sleep(PAUSE).await,
                // What was only ever taken back by key may be unknown by id; what was approved may not.
                Err(_) if matches!(held, Held::Approved(_)) => return Some(Held::TakenBack),
                Err(_) => return None,
            }
        }
    }

    fn payer(&self) -> Payer<'_> {
        Payer { telling: self, phone: self.site.phone(), is_in: false }
    }
}

fn ending(sale: Sale) -> Held {
    match sale {
        Sale::Approved { reference, .. } => Held::Approved(reference),
        Sale::Declined { .. } => Held::Declined,
        Sale::Reversed => Held::TakenBack,
    }
}

fn told(seen: &SaleSeen, before: &Held) -> Held {
    match (seen.status, before) {
        (Status::Approved, _) => Held::Approved(seen.platform_reference.clone()),
        // A sale that was declined may still have a permit to be undone: the same no.
        (Status::Declined, _) | (_, Held::Declined) => Held::Declined,
        _ => Held::TakenBack,
    }
}

struct Payer<'a> {
    telling: &'a Telling<'a>,
    phone: Phone,
    is_in: bool,
}

impl Payer<'_> {
    /// Does what is asked of it, over and over.
    async fn pays(&mut self) {
        loop {
            // Whatever went wrong, the phone begins anew, with a new token if the old one is no longer good.
            let Err(fault) = self.acts().await else { continue };
            if let PlayFault::Refused(problem) = &fault {
                self.is_in &= problem.status != 401;
            }
            *self.telling.last_fault.borrow_mut() = Some(fault.to_string());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Stands at the till and does what its list asks, until something breaks.
    async fn acts(&mut self) -> Result<(), PlayFault> {
        if !self.is_in {
            let subscriber = format!("+9990{:08}", self.telling.number);
            self.phone.log_in_by_shown_code(&subscriber).await?;
            self.is_in = true;
        }
        self.phone.bind("T0").await?;
        let mut events = self.phone.events()?;
        events.open().await?;
        self.telling.stands.notify_one();
        loop {
            for payment in self.phone.payments().await? {
                self.acts_on(payment).await?;
            }
            // A stream only wakes, and may be lost with the switch: the list is the truth.
            if let Ok(event) = tokio::time::timeout(LOOKS_EVERY, events.next()).await {
                event?;
            }
        }
    }

    async fn acts_on(&mut self, payment: PaymentSeen) -> Result<(), PlayFault> {
        let (id, amount) = (payment.id.clone(), payment.amount.clone());
        let seen = match (payment.status, self.telling.story) {
            (Status::AwaitingConfirmation, Story::Declined) => {
                self.phone.decline(&payment).await?;
                return Ok(());
            }
            (Status::AwaitingConfirmation, _) => {
                *self.telling.shown.borrow_mut() = Some(Shown { id, amount });
                self.phone.confirm(&payment).await?
            }
            _ => payment,
        };
        while self.telling.hesitates.get() {
            self.telling.is_asked.notify_one();
            tokio::time::sleep(PAUSE).await;
        }
        if seen.interface.is_some() && seen.status == Status::AwaitingPayment {
            let sealer = DiceSealer(self.telling.site.surroundings.dice.clone());
            self.phone.present(&seen, self.telling.site.account(), &sealer).await?;
        }
        Ok(())
    }
}
