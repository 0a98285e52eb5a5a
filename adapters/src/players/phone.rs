//! A payer's phone: logs in, stands at a terminal, hears what is asked, says yes or no, and pays through the interface.
//!
//! The single requests are docs/http-api.md, one each; `play` acts a whole payment by a script. The credential is sealed
//! here for the platform's key: neither the switch nor any log of this process sees it in the clear.
use super::connection::{Address, Ask, Connection, Reply};
use super::device::DeviceKey;
use super::events::{Events, PhoneEvent};
use super::sealing::{Sealer, seal_for};
use super::seen::{
    BindingSeen, CodeSent, HistorySeen, Interface, LoggedIn, PastSeen, PaymentSeen, PaymentsSeen, Status,
};
use super::{PlayFault, Surroundings};
use crate::seal::{Credential, PublicJwk};
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde::Serialize;
use std::time::Duration;

/// An answer to a request that does not wait comes within this, or counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The switch holds a confirmation back so long unless told otherwise, and a credential at least as long.
const PLATFORM_WITHIN: Duration = Duration::from_mins(1);
/// How long one look at a payment waits for a change. Short, because a change that falls between two looks wakes neither.
const LOOK_WAIT: Duration = Duration::from_secs(5);

/// A phone.
pub struct Phone {
    connection: Connection,
    /// To the platform's own interface, once one was named that is not the switch.
    platform: Option<Connection>,
    device: DeviceKey,
    authorization: Option<HeaderValue>,
}

/// What a payer does with a payment.
#[derive(Clone, Copy)]
pub enum Script<'a> {
    /// Confirms, then presents these, one after the other, until one is accepted or none is left.
    Pay(&'a [Credential<'a>]),
    /// Says no.
    Decline,
    /// Confirms and is never seen again.
    VanishAfterConfirming,
    /// Does not react.
    Ignore,
}

/// There is no token: log in first.
fn not_logged_in() -> PlayFault {
    PlayFault::OffContract("this phone has not logged in: ask for a code and log in first".into())
}

#[derive(Serialize)]
struct CodeBody<'a> {
    subscriber: &'a str,
}

#[derive(Serialize)]
struct LoginBody<'a> {
    subscriber: &'a str,
    code: &'a str,
    device_key: &'a PublicJwk,
}

#[derive(Serialize)]
struct BindBody<'a> {
    terminal: &'a str,
}

#[derive(Serialize)]
struct ConfirmBody<'a> {
    amount: &'a str,
    currency: &'a str,
    epoch: u64,
    device_key: &'a PublicJwk,
    signature: String,
}

#[derive(Serialize)]
struct DeclineBody {
    epoch: u64,
}

impl Phone {
    /// A phone with this device key, at the phones' listener.
    pub fn new(surroundings: Surroundings, address: Address, device: DeviceKey) -> Self {
        let connection = Connection::new(surroundings, address);
        Self { connection, platform: None, device, authorization: None }
    }

    /// Asks for a one-time code for `subscriber`.
    pub async fn ask_code(&mut self, subscriber: &str) -> Result<CodeSent, PlayFault> {
        let ask = Ask::new(Method::POST, "/v1/login/codes").json(&CodeBody { subscriber });
        self.connection.ask(ask, ANSWER_WITHIN).await?.decode()
    }

    /// Logs in with the code; everything from then on carries the token.
    pub async fn log_in(&mut self, subscriber: &str, code: &str) -> Result<LoggedIn, PlayFault> {
        let body = LoginBody { subscriber, code, device_key: self.device.jwk() };
        let ask = Ask::new(Method::POST, "/v1/login").json(&body);
        let answer: LoggedIn = self.connection.ask(ask, ANSWER_WITHIN).await?.decode()?;
        self.resume(&answer.access_token)?;
        Ok(answer)
    }

    /// Logs in where the switch shows the code in its answer, as a demonstration does.
    pub async fn log_in_by_shown_code(&mut self, subscriber: &str) -> Result<LoggedIn, PlayFault> {
        let code = self.ask_code(subscriber).await?.code;
        let code = code.ok_or_else(|| {
            PlayFault::OffContract("the switch shows no code: set login.codes to \"page\"".into())
        })?;
        self.log_in(subscriber, &code).await
    }

    /// Goes on with a token that this device key got earlier.
    pub fn resume(&mut self, access_token: &str) -> Result<(), PlayFault> {
        let value = HeaderValue::from_str(&format!("Bearer {access_token}"));
        let mut value = value.map_err(|_| PlayFault::OffContract("access_token is no token".into()))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    /// Stands at `terminal` (OS-1).
    pub async fn bind(&mut self, terminal: &str) -> Result<BindingSeen, PlayFault> {
        self.ask(Ask::new(Method::PUT, "/v1/binding").json(&BindBody { terminal })).await?.decode()
    }

    /// Where it stands.
    pub async fn binding(&mut self) -> Result<BindingSeen, PlayFault> {
        self.ask(Ask::new(Method::GET, "/v1/binding")).await?.decode()
    }

    /// Leaves the terminal.
    pub async fn leave(&mut self) -> Result<(), PlayFault> {
        self.ask(Ask::new(Method::DELETE, "/v1/binding")).await?.success()
    }

    /// What awaits this payer, and what was decided lately.
    pub async fn payments(&mut self) -> Result<Vec<PaymentSeen>, PlayFault> {
        let list: PaymentsSeen = self.ask(Ask::new(Method::GET, "/v1/payments")).await?.decode()?;
        Ok(list.payments)
    }

    /// The payer's last `limit` payments.
    pub async fn history(&mut self, limit: u32) -> Result<Vec<PastSeen>, PlayFault> {
        let ask = Ask::new(Method::GET, format!("/v1/payments/history?limit={limit}"));
        let list: HistorySeen = self.ask(ask).await?.decode()?;
        Ok(list.payments)
    }

    /// One payment; the switch may hold the answer back for `wait`, until the status changes.
    pub async fn look(&mut self, id: &str, wait: Duration) -> Result<PaymentSeen, PlayFault> {
        let ask = Ask::new(Method::GET, format!("/v1/payments/{id}")).wait(wait);
        self.ask_within(ask, wait.saturating_add(ANSWER_WITHIN)).await?.decode()
    }

    /// Says yes to exactly what `payment` shows (OS-5); normally the answer has the interface (OS-6).
    pub async fn confirm(&mut self, payment: &PaymentSeen) -> Result<PaymentSeen, PlayFault> {
        let signature = self.device.sign(payment);
        let body = ConfirmBody {
            amount: &payment.amount,
            currency: &payment.currency,
            epoch: payment.epoch,
            device_key: self.device.jwk(),
            signature: signature.map_err(|fault| PlayFault::OffContract(fault.to_string()))?,
        };
        let ask = Ask::new(Method::POST, format!("/v1/payments/{}/confirmation", payment.id)).json(&body);
        self.ask_within(ask, PLATFORM_WITHIN).await?.decode()
    }

    /// Says no.
    pub async fn decline(&mut self, payment: &PaymentSeen) -> Result<PaymentSeen, PlayFault> {
        let ask = Ask::new(Method::POST, format!("/v1/payments/{}/decline", payment.id));
        self.ask(ask.json(&DeclineBody { epoch: payment.epoch })).await?.decode()
    }

    /// Gives the platform account and password through the interface that `payment` has (OS-7).
    pub async fn present(
        &mut self,
        payment: &PaymentSeen,
        credential: Credential<'_>,
        sealer: &dyn Sealer,
    ) -> Result<PaymentSeen, PlayFault> {
        let no_interface = || PlayFault::OffContract(format!("{:?} without interface", payment.status));
        let interface = payment.interface.as_ref().ok_or_else(no_interface)?;
        let jwe = seal_for(sealer, payment, interface, credential)?;
        self.send_sealed(payment, interface, jwe).await
    }

    /// Sends an already sealed credential: to the switch, or straight to the platform if the interface is there.
    pub async fn send_sealed(
        &mut self,
        payment: &PaymentSeen,
        interface: &Interface,
        jwe: String,
    ) -> Result<PaymentSeen, PlayFault> {
        let jose = HeaderValue::from_static("application/jose");
        let Some((address, path)) = Address::split(&interface.url) else {
            let ask = Ask::new(Method::POST, interface.url.as_str()).body(jose, jwe);
            return self.ask_within(ask, PLATFORM_WITHIN).await?.decode();
        };
        // No token for the platform: the permit is what it knows. Its yes or no reaches us through the switch.
        let ask = Ask::new(Method::POST, path).body(jose, jwe);
        self.platform(address).ask(ask, PLATFORM_WITHIN).await?;
        self.changed_from(payment).await
    }

    /// Looks until the payment is decided.
    pub async fn follow(&mut self, id: &str) -> Result<PaymentSeen, PlayFault> {
        self.look_until(id, |seen| seen.status.is_decided()).await
    }

    /// Hangs up on its requests' connection; the next request makes another one. Its events go on.
    pub fn rest(&mut self) {
        self.connection.hang_up();
    }

    /// The events of this payer, not yet opened.
    pub fn events(&self) -> Result<Events, PlayFault> {
        let authorization = self.authorization.clone().ok_or_else(not_logged_in)?;
        let surroundings = self.connection.surroundings().clone();
        Ok(Events::new(surroundings, self.connection.address().clone(), authorization))
    }

    /// Waits until this payer is asked to confirm something at `terminal` (anywhere, if that is `None`).
    pub async fn awaits_confirmation(
        &mut self,
        events: &mut Events,
        terminal: Option<&str>,
    ) -> Result<PaymentSeen, PlayFault> {
        let is_it = |payment: &PaymentSeen| {
            payment.status == Status::AwaitingConfirmation
                && (terminal.is_none() || payment.terminal.as_deref() == terminal)
        };
        loop {
            if let Some(payment) = self.payments().await?.into_iter().find(is_it) {
                return Ok(payment);
            }
            loop {
                match events.next().await? {
                    PhoneEvent::Payment(payment) if is_it(&payment) => return Ok(*payment),
                    PhoneEvent::Payment(_) => {}
                    PhoneEvent::Resync => break,
                }
            }
        }
    }

    /// Acts on a payment that awaits confirmation; gives what the phone saw last.
    pub async fn play(
        &mut self,
        payment: PaymentSeen,
        script: Script<'_>,
        sealer: &dyn Sealer,
    ) -> Result<PaymentSeen, PlayFault> {
        match script {
            Script::Ignore => Ok(payment),
            Script::Decline => self.decline(&payment).await,
            Script::VanishAfterConfirming => self.confirm(&payment).await,
            Script::Pay(credentials) => {
                let mut seen = self.confirm(&payment).await?;
                for credential in credentials {
                    seen = self.with_interface(seen).await?;
                    if seen.interface.is_none() {
                        break;
                    }
                    seen = self.present(&seen, *credential, sealer).await?;
                }
                if seen.status.is_decided() || seen.interface.is_some() {
                    return Ok(seen);
                }
                self.follow(&seen.id).await
            }
        }
    }

    /// Waits for the next interface, or for the decision.
    async fn with_interface(&mut self, seen: PaymentSeen) -> Result<PaymentSeen, PlayFault> {
        let is_there = |seen: &PaymentSeen| seen.interface.is_some() || seen.status.is_decided();
        if is_there(&seen) {
            return Ok(seen);
        }
        self.look_until(&seen.id, is_there).await
    }

    /// Waits until the switch has heard from the platform what came of this attempt.
    async fn changed_from(&mut self, before: &PaymentSeen) -> Result<PaymentSeen, PlayFault> {
        let is_new = |seen: &PaymentSeen| seen.status != before.status || seen.attempt != before.attempt;
        self.look_until(&before.id, is_new).await
    }

    async fn look_until(
        &mut self,
        id: &str,
        is_enough: impl Fn(&PaymentSeen) -> bool,
    ) -> Result<PaymentSeen, PlayFault> {
        let mut seen = self.look(id, Duration::ZERO).await?;
        while !is_enough(&seen) {
            seen = self.look(id, LOOK_WAIT).await?;
        }
        Ok(seen)
    }

    fn platform(&mut self, address: Address) -> &mut Connection {
        let surroundings = self.connection.surroundings().clone();
        if self.platform.as_ref().is_some_and(|known| *known.address() != address) {
            self.platform = None;
        }
        self.platform.get_or_insert_with(|| Connection::new(surroundings, address))
    }

    async fn ask(&mut self, ask: Ask) -> Result<Reply, PlayFault> {
        self.ask_within(ask, ANSWER_WITHIN).await
    }

    async fn ask_within(&mut self, ask: Ask, within: Duration) -> Result<Reply, PlayFault> {
        let authorization = self.authorization.clone().ok_or_else(not_logged_in)?;
        self.connection.ask(ask.with(AUTHORIZATION, authorization), within).await
    }
}
