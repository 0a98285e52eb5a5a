//! One phone of the load: logged in, listening, and quick to pay whatever its terminal asks for.
//!
//! Tokens are short: it logs in again between two payments when its own is nearly over, so that no payment waits for
//! that. The stream of events says what to confirm; the list is asked only where the stream says that it lost count.
use crate::plan::Plan;
use actors::domain::time::{Deadline, Timestamp};
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

/// A payer with a phone.
pub struct Payer {
    phone: Phone,
    events: Events,
    token_until: Deadline,
    subscriber: String,
    account: String,
    password: String,
    sealer: Arc<dyn Sealer>,
    surroundings: Surroundings,
    /// The payment it confirmed last: its later events are no new question.
    last_id: String,
}

impl Payer {
    /// Logs in and listens.
    pub async fn arrive(
        plan: &Plan,
        pair: usize,
        surroundings: Surroundings,
        sealer: Arc<dyn Sealer>,
    ) -> anyhow::Result<Self> {
        let device = DeviceKey::generate()?;
        let mut phone = Phone::new(surroundings.clone(), plan.phones.clone(), device);
        let subscriber = plan.subscriber(pair);
        let (events, token_until) = log_in(&mut phone, &subscriber, surroundings.clock.now()).await?;
        let (account, password) = (plan.account(pair), plan.password.clone());
        let last_id = String::new();
        Ok(Self { phone, events, token_until, subscriber, account, password, sealer, surroundings, last_id })
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
            (self.events, self.token_until) = log_in(&mut self.phone, &self.subscriber, now).await?;
        }
        Ok(())
    }

    /// Stands at a terminal.
    pub async fn stand_at(&mut self, terminal: &str) -> Result<(), PlayFault> {
        let bound = self.phone.bind(terminal).await;
        self.heed(bound).map(|_| ())
    }

    /// Waits for the next question from `terminal`, confirms and pays; gives the moment when it knew.
    pub async fn pay(&mut self, terminal: &str) -> Result<(Status, Timestamp), PlayFault> {
        let paid = self.pay_next(terminal).await;
        self.heed(paid)
    }

    async fn pay_next(&mut self, terminal: &str) -> Result<(Status, Timestamp), PlayFault> {
        let payment = self.next_question(terminal).await?;
        self.last_id.clone_from(&payment.id);
        let credential = Credential { account: &self.account, password: &self.password };
        let seen = self.phone.play(payment, Script::Pay(&[credential]), &*self.sealer).await?;
        Ok((seen.status, self.surroundings.clock.now()))
    }

    async fn next_question(&mut self, terminal: &str) -> Result<PaymentSeen, PlayFault> {
        let last_id = &self.last_id;
        let is_question = |payment: &PaymentSeen| {
            payment.status == Status::AwaitingConfirmation
                && payment.terminal.as_deref() == Some(terminal)
                && payment.id != *last_id
        };
        loop {
            match self.events.next().await? {
                PhoneEvent::Payment(payment) if is_question(&payment) => return Ok(*payment),
                PhoneEvent::Payment(_) => {}
                PhoneEvent::Resync => {
                    if let Some(payment) = self.phone.payments().await?.into_iter().find(is_question) {
                        return Ok(payment);
                    }
                }
            }
        }
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
