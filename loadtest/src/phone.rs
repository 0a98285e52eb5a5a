//! One phone of the load: logged in, listening, and quick to do what its payer's part says.
//!
//! Tokens are short: it logs in again between two payments when its own is nearly over, so that no payment waits for
//! that. The stream of events says what to confirm; the list is asked only where the stream says that it lost count.
use crate::customers;
use actors::domain::time::{Deadline, Timestamp};
use adapters::players::connection::Address;
use adapters::players::device::DeviceKey;
use adapters::players::events::{Events, PhoneEvent};
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::Sealer;
use adapters::players::seen::{PaymentSeen, Status};
use adapters::players::{PlayFault, Surroundings};
use adapters::seal::Credential;
use std::sync::Arc;
use std::time::Duration;

/// A token is replaced so long before its end.
const TOKEN_SPARE: Duration = Duration::from_secs(90);
/// How long one look at a payment waits for a change.
const LOOK_WAIT: Duration = Duration::from_secs(5);

/// Who pays.
#[derive(Clone)]
pub struct Identity {
    pub phones: Address,
    pub subscriber: String,
    pub account: String,
    pub password: String,
    /// Nobody else pays from this account.
    pub is_own_account: bool,
}

/// A payer with a phone.
pub struct Payer {
    phone: Phone,
    events: Events,
    token_until: Deadline,
    identity: Identity,
    sealer: Arc<dyn Sealer>,
    surroundings: Surroundings,
    /// The payment it confirmed last: its later events are no new question.
    last_id: String,
}

/// What a payer does when a payment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Confirms and pays, mistyping so often before.
    Pays {
        mistakes: u8,
    },
    /// Confirms and pays; every attempt that is offered.
    Insists,
    Declines,
    /// Confirms and is never seen again.
    Vanishes,
    Ignores,
}

/// Who looks over the payer's shoulder.
pub trait Onlooker: Sync {
    fn shown(&self, payment: &PaymentSeen);
    fn looked(&self, began: Timestamp);
    fn confirmed(&self, began: Timestamp);
    fn paid(&self, began: Timestamp);
}

impl Identity {
    /// What is typed. A wrong password blocks an account after a few: where many share one, the name is wrong instead.
    fn typed(&self, is_mistake: bool) -> Credential<'_> {
        match (is_mistake, self.is_own_account) {
            (false, _) => Credential { account: &self.account, password: &self.password },
            (true, true) => Credential { account: &self.account, password: "not-the-password" },
            (true, false) => Credential { account: "nobody-of-this-name", password: &self.password },
        }
    }
}

impl Payer {
    /// Logs in and listens.
    pub async fn arrive(
        identity: Identity,
        surroundings: Surroundings,
        sealer: Arc<dyn Sealer>,
    ) -> Result<Self, PlayFault> {
        let device = DeviceKey::generate().map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
        let mut phone = Phone::new(surroundings.clone(), identity.phones.clone(), device);
        let (events, token_until) =
            log_in(&mut phone, &identity.subscriber, surroundings.clock.now()).await?;
        Ok(Self { phone, events, token_until, identity, sealer, surroundings, last_id: String::new() })
    }

    /// A switch that does not know the token any more (it was started again, perhaps) wants a new log-in.
    fn heed<T>(&mut self, answer: Result<T, PlayFault>) -> Result<T, PlayFault> {
        if let Err(PlayFault::Refused(problem)) = &answer
            && problem.status == 401
        {
            self.token_until = Deadline::at(self.surroundings.clock.now());
        }
        answer
    }

    /// Replaces the token if it is nearly over.
    pub async fn stay_logged_in(&mut self) -> Result<(), PlayFault> {
        let now = self.surroundings.clock.now();
        if self.token_until.left(now) < TOKEN_SPARE {
            (self.events, self.token_until) = log_in(&mut self.phone, &self.identity.subscriber, now).await?;
        }
        Ok(())
    }

    /// Stands at a terminal.
    pub async fn stand_at(&mut self, terminal: &str) -> Result<(), PlayFault> {
        let bound = self.phone.bind(terminal).await;
        self.heed(bound).map(|_| ())
    }

    /// Keeps nothing but its stream of events, as a phone that nobody touches.
    pub fn rest(&mut self) {
        self.phone.rest();
    }

    /// Loses its stream of events; the next question opens it again.
    pub fn lose_events(&mut self) -> Result<(), PlayFault> {
        self.events = self.phone.events()?;
        Ok(())
    }

    /// Waits for the next question from `terminal`, confirms and pays; gives the moment when it knew.
    pub async fn pay(&mut self, terminal: &str) -> Result<(Status, Timestamp), PlayFault> {
        let paid = self.pay_next(terminal).await;
        self.heed(paid)
    }

    /// Waits for the next question from `terminal`, looks at it for so long, and does its part.
    pub async fn act(
        &mut self,
        terminal: &str,
        part: (Part, Duration),
        onlooker: &dyn Onlooker,
    ) -> Result<PaymentSeen, PlayFault> {
        let acted = self.act_next(terminal, part, onlooker).await;
        if customers::is_rest(part.1) {
            self.rest();
        }
        self.heed(acted)
    }

    async fn pay_next(&mut self, terminal: &str) -> Result<(Status, Timestamp), PlayFault> {
        let payment = self.next_question(terminal).await?;
        let credential = Credential { account: &self.identity.account, password: &self.identity.password };
        let seen = self.phone.play(payment, Script::Pay(&[credential]), &*self.sealer).await?;
        Ok((seen.status, self.surroundings.clock.now()))
    }

    async fn act_next(
        &mut self,
        terminal: &str,
        (part, looks): (Part, Duration),
        onlooker: &dyn Onlooker,
    ) -> Result<PaymentSeen, PlayFault> {
        let payment = self.next_question(terminal).await?;
        onlooker.shown(&payment);
        let began = self.surroundings.clock.now();
        if customers::is_rest(looks) {
            self.rest();
        }
        if !looks.is_zero() {
            tokio::time::sleep(looks).await;
            onlooker.looked(began);
        }
        match part {
            Part::Ignores => Ok(payment),
            Part::Declines => self.phone.decline(&payment).await,
            Part::Vanishes => self.phone.confirm(&payment).await,
            Part::Pays { mistakes } => self.confirm_and_pay(&payment, mistakes, mistakes, onlooker).await,
            Part::Insists => self.confirm_and_pay(&payment, 0, 8, onlooker).await,
        }
    }

    async fn confirm_and_pay(
        &mut self,
        payment: &PaymentSeen,
        mistakes: u8,
        failures_max: u8,
        onlooker: &dyn Onlooker,
    ) -> Result<PaymentSeen, PlayFault> {
        let began = self.surroundings.clock.now();
        let mut seen = self.phone.confirm(payment).await?;
        onlooker.confirmed(began);
        for failures in 0..=failures_max {
            seen = self.until(seen, |seen| seen.interface.is_some() || seen.status.is_decided()).await?;
            if seen.interface.is_none() {
                break;
            }
            let began = self.surroundings.clock.now();
            let credential = self.identity.typed(failures < mistakes);
            seen = self.phone.present(&seen, credential, &*self.sealer).await?;
            onlooker.paid(began);
        }
        self.until(seen, |seen| seen.status.is_decided()).await
    }

    /// Looks until it is so.
    async fn until(
        &mut self,
        seen: PaymentSeen,
        is_so: impl Fn(&PaymentSeen) -> bool,
    ) -> Result<PaymentSeen, PlayFault> {
        let (mut seen, mut wait) = (seen, Duration::ZERO);
        while !is_so(&seen) {
            seen = self.phone.look(&seen.id, wait).await?;
            wait = LOOK_WAIT;
        }
        Ok(seen)
    }

    async fn next_question(&mut self, terminal: &str) -> Result<PaymentSeen, PlayFault> {
        let last_id = &self.last_id;
        let is_question = |payment: &PaymentSeen| {
            payment.status == Status::AwaitingConfirmation
                && payment.terminal.as_deref() == Some(terminal)
                && payment.id != *last_id
        };
        let question = loop {
            match self.events.next().await? {
                PhoneEvent::Payment(payment) if is_question(&payment) => break *payment,
                PhoneEvent::Payment(_) => {}
                PhoneEvent::Resync => {
                    if let Some(payment) = self.phone.payments().await?.into_iter().find(is_question) {
                        break payment;
                    }
                }
            }
        };
        self.last_id.clone_from(&question.id);
        Ok(question)
    }
}

async fn log_in(
    phone: &mut Phone,
    subscriber: &str,
    now: Timestamp,
) -> Result<(Events, Deadline), PlayFault> {
    let token = phone.log_in_by_shown_code(subscriber).await?;
    let mut events = phone.events()?;
    events.open().await?;
    Ok((events, Deadline::after(now, Duration::from_secs(token.expires_in))))
}
