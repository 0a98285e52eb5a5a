//! The switch's side of the sandbox platform: signed JSON over HTTP, each failure decided.
//!
//! What an answer means is in `wire`; whether a question can have been heard is `http_client`'s to say. A platform
//! that is asked too much at once is not asked: that is `NotSent`, and honest.
pub mod wire;

use crate::dice::random_name;
use crate::http_client::{HttpAnswer, HttpClient, Unanswered};
use crate::platform::tally::{Operation, Tally};
use crate::signature::SharedSecret;
use actors::domain::identity::{PaymentId, PlatformId, RefundId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{
    InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::Interface;
use actors::domain::time::{Deadline, Timestamp};
use actors::planted::{Bug, is_planted};
use actors::ports::Answer;
use actors::ports::clock::{Clock, Dice};
use actors::ports::platform::{
    CallbackFault, CallbackMessage, Claimed, PermitAsk, Platform, PlatformAsk, Presentation, Promises,
};
use bytes::Bytes;
use hyper::{Method, Request, Uri};
use std::sync::Arc;
use tokio::sync::Semaphore;
use wire::Unbelieved;

/// Where a sandbox is and how to speak with it.
pub struct SandboxSettings {
    /// Its name in the configuration.
    pub id: PlatformId,
    /// `http://host:port` or `https://host:port`, without a path.
    pub address: Uri,
    /// Signs our requests and its callbacks.
    pub secret: SharedSecret,
    /// How the sealed credential travels.
    pub travels: CredentialTravels,
    /// How many permits and payments may be under way at once; as many inquiries, reversals and refunds may be beside them.
    pub in_flight_max: usize,
}

/// How the sealed credential travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialTravels {
    /// Through the switch, which cannot read it.
    Relayed,
    /// From the phone to the platform.
    Directly,
}

/// The address is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a platform's address is http://host:port or https://host:port, without a path")]
pub struct AddressFault;

/// The sandbox platform, as the switch sees it.
pub struct SandboxPlatform(Arc<Door>);

struct Door {
    settings: SandboxSettings,
    origin: String,
    client: HttpClient,
    clock: Arc<dyn Clock>,
    dice: Arc<dyn Dice>,
    tally: Tally,
    /// Apart, so that a rush of new payments cannot hold up the undoing of old ones.
    starting: Semaphore,
    ending: Semaphore,
}

impl SandboxPlatform {
    /// The adapter for the sandbox at `settings.address`, over `client`.
    pub fn new(
        settings: SandboxSettings,
        client: HttpClient,
        clock: Arc<dyn Clock>,
        dice: Arc<dyn Dice>,
    ) -> Result<Self, AddressFault> {
        let origin = origin(&settings.address).ok_or(AddressFault)?;
        let [starting, ending] = [(); 2].map(|()| Semaphore::new(settings.in_flight_max));
        let tally = Tally::of(settings.id, settings.in_flight_max);
        Ok(Self(Arc::new(Door { settings, origin, client, clock, dice, tally, starting, ending })))
    }
}

impl Platform for SandboxPlatform {
    fn id(&self) -> PlatformId {
        self.0.settings.id
    }

    fn promises(&self) -> Promises {
        Promises { keeps_tombstones: true, inquiry_reads_its_own_writes: true }
    }

    fn permit(&self, ask: PermitAsk) -> Answer<PermitOutcome> {
        let door = self.0.clone();
        Box::pin(async move {
            let question = Question::post(
                Operation::Permit,
                "/v1/permits".into(),
                wire::permit_body(&ask),
                ask.answer_by,
            );
            match door.ask(question, |status, body| wire::read_permit(&ask, status, body)).await {
                PermitOutcome::Granted(interface) if door.settings.travels == CredentialTravels::Relayed => {
                    PermitOutcome::Granted(Interface { url: "".into(), ..interface })
                }
                outcome => outcome,
            }
        })
    }

    fn pay(&self, presentation: Presentation) -> Answer<PaymentOutcome> {
        let door = self.0.clone();
        Box::pin(async move {
            if !wire::is_permit_name(&presentation.permit) {
                return PaymentOutcome::NotSent;
            }
            let path = format!("/v1/permits/{}/pay", presentation.permit);
            let sealed = presentation.credential.expose().to_vec();
            let question = Question::post(Operation::Pay, path, sealed, presentation.answer_by);
            let question = Question { media_type: "application/jose", ..question };
            door.ask(question, |status, body| wire::read_payment(&presentation, status, body)).await
        })
    }

    fn inquire(&self, ask: PlatformAsk) -> Answer<InquiryOutcome> {
        let door = self.0.clone();
        Box::pin(async move {
            let question =
                Question::post(Operation::Inquire, payment_path(ask.payment, ""), Vec::new(), ask.answer_by);
            let question = Question { method: Method::GET, ..question };
            door.ask(question, |status, body| wire::read_inquiry(ask, status, body)).await
        })
    }

    fn reverse(&self, ask: PlatformAsk) -> Answer<ReversalOutcome> {
        let door = self.0.clone();
        Box::pin(async move {
            let path = payment_path(ask.payment, "/reversal");
            let question =
                Question::post(Operation::Reverse, path, wire::money_body(ask.money, None), ask.answer_by);
            door.ask(question, |status, body| wire::read_reversal(ask, status, body)).await
        })
    }

    fn refund(&self, ask: PlatformAsk, refund: RefundId, money: Money) -> Answer<RefundOutcome> {
        let door = self.0.clone();
        Box::pin(async move {
            let path = payment_path(ask.payment, "/refunds");
            let question =
                Question::post(Operation::Refund, path, wire::money_body(money, Some(refund)), ask.answer_by);
            door.ask(question, |status, body| wire::read_refund(ask, refund, money, status, body)).await
        })
    }

    fn read_callback(&self, now: Timestamp, message: &CallbackMessage<'_>) -> Result<Claimed, CallbackFault> {
        let signed = self.0.settings.secret.check_message(now, message.headers, message.body);
        signed.or_else(|fault| if is_planted(Bug::CallbackUnsigned) { Ok(()) } else { Err(fault) })?;
        wire::read_callback(message.body)
    }
}

/// One request, before it is signed.
struct Question {
    operation: Operation,
    method: Method,
    path: String,
    media_type: &'static str,
    body: Vec<u8>,
    answer_by: Deadline,
}

impl Question {
    fn post(operation: Operation, path: String, body: Vec<u8>, answer_by: Deadline) -> Self {
        Self { operation, method: Method::POST, path, media_type: "application/json", body, answer_by }
    }
}

/// An outcome that can also be that nothing is known.
trait Outcome {
    /// The platform never heard the question (where that makes no difference: unknown).
    fn not_sent() -> Self;
    /// It may have.
    fn unknown() -> Self;
    /// The metrics' label.
    fn label(&self) -> &'static str;
}

impl Door {
    async fn ask<T: Outcome>(
        &self,
        question: Question,
        read: impl Fn(u16, &[u8]) -> Result<T, Unbelieved>,
    ) -> T {
        let (operation, asked_at) = (question.operation, self.clock.now());
        let _under_way = self.tally.began(operation);
        let outcome = match self.send(question).await {
            Ok(answer) => self.believe(read(answer.status.as_u16(), &answer.body)),
            Err(Some(Unanswered::Unknown(_))) => T::unknown(),
            Err(Some(Unanswered::NotSent(_)) | None) => T::not_sent(),
        };
        self.tally.ended(operation, outcome.label(), self.clock.now().since(asked_at));
        outcome
    }

    /// `None` if too much is under way.
    async fn send(&self, question: Question) -> Result<HttpAnswer, Option<Unanswered>> {
        let lane = if question.operation.starts_something() { &self.starting } else { &self.ending };
        let _place = lane.try_acquire().map_err(|_| None)?;
        let answer_by = question.answer_by;
        let request = self.sign(question).ok_or(None)?;
        self.client.send(request, answer_by).await.map_err(Some)
    }

    fn sign(&self, question: Question) -> Option<Request<Bytes>> {
        let Question { method, path, media_type, body, .. } = question;
        let id = random_name::<16>(&*self.dice);
        let stamp = self.settings.secret.stamp_request(id, self.clock.now(), method.as_str(), &path, &body);
        let request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        let request = request.header("content-type", media_type).header("accept", "application/json");
        let request =
            stamp.headers().into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(Bytes::from(body)).ok()
    }

    fn believe<T: Outcome>(&self, reading: Result<T, Unbelieved>) -> T {
        reading.unwrap_or_else(|unbelieved| {
            if unbelieved == Unbelieved::Lie {
                self.tally.lied();
                tracing::warn!(platform = %self.settings.id, "an answer names another payment, amount or currency");
            }
            T::unknown()
        })
    }
}

impl Outcome for PermitOutcome {
    fn not_sent() -> Self {
        Self::NotSent
    }
    fn unknown() -> Self {
        Self::Unknown
    }
    fn label(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::Refused(_) => "refused",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome for PaymentOutcome {
    fn not_sent() -> Self {
        Self::NotSent
    }
    fn unknown() -> Self {
        Self::Unknown
    }
    fn label(&self) -> &'static str {
        match self {
            Self::Approved(_) => "approved",
            Self::Failed(_) => "failed",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome for InquiryOutcome {
    fn not_sent() -> Self {
        Self::Unknown
    }
    fn unknown() -> Self {
        Self::Unknown
    }
    fn label(&self) -> &'static str {
        match self {
            Self::Paid(_) => "paid",
            Self::Failed(_) => "failed",
            Self::Pending => "pending",
            Self::NeverSeen => "never_seen",
            Self::Undone => "undone",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome for ReversalOutcome {
    fn not_sent() -> Self {
        Self::Unknown
    }
    fn unknown() -> Self {
        Self::Unknown
    }
    fn label(&self) -> &'static str {
        match self {
            Self::Acknowledged(_) => "acknowledged",
            Self::TooLate => "too_late",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome for RefundOutcome {
    fn not_sent() -> Self {
        Self::Unknown
    }
    fn unknown() -> Self {
        Self::Unknown
    }
    fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

fn payment_path(payment: PaymentId, rest: &str) -> String {
    format!("/v1/payments/{payment}{rest}")
}

fn origin(address: &Uri) -> Option<String> {
    let scheme = address.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = address.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let has_no_path = matches!(address.path(), "" | "/") && address.query().is_none();
    has_no_path.then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::domain::payment::outcome::{Effect, Failure};
    use actors::domain::payment::phase::Receipt;

    /// An outcome that has no counter would not be counted, and nobody would miss it.
    #[test]
    fn every_way_in_which_a_request_can_end_has_a_counter() {
        let money = Money::parse("12.50", "EUR").expect("an amount");
        let receipt = || Receipt { reference: "r".into(), money };
        let counted = |operation: Operation, labels: &[&'static str]| {
            assert_eq!(operation.outcomes(), labels, "{operation:?}");
        };
        let failed = Failure::WrongCredentials;
        counted(
            Operation::Permit,
            &["granted", "refused", PermitOutcome::NotSent.label(), PermitOutcome::Unknown.label()],
        );
        let paid = [
            PaymentOutcome::Approved(receipt()),
            PaymentOutcome::Failed(failed),
            PaymentOutcome::NotSent,
            PaymentOutcome::Unknown,
        ];
        counted(Operation::Pay, &paid.each_ref().map(Outcome::label));
        let inquired = [
            InquiryOutcome::Paid(receipt()),
            InquiryOutcome::Failed(failed),
            InquiryOutcome::Pending,
            InquiryOutcome::NeverSeen,
            InquiryOutcome::Undone,
            InquiryOutcome::Unknown,
        ];
        counted(Operation::Inquire, &inquired.each_ref().map(Outcome::label));
        let reversed = [
            ReversalOutcome::Acknowledged(Effect::Undone),
            ReversalOutcome::TooLate,
            ReversalOutcome::Refused,
            ReversalOutcome::Unknown,
        ];
        counted(Operation::Reverse, &reversed.each_ref().map(Outcome::label));
        let refunded = [RefundOutcome::Done, RefundOutcome::Refused, RefundOutcome::Unknown];
        counted(Operation::Refund, &refunded.each_ref().map(Outcome::label));
    }
}
