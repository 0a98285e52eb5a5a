//! Payments as JSON: one shape for the terminal that asked, one for the payer who pays, one for the history.
//!
//! What a view leaves out, its reader must not know. The shapes are those of docs/http-api.md; the schemas that are
//! derived here are what `/openapi.json` publishes.
use actors::domain::identity::{PayerId, PaymentId};
use actors::domain::money::Money;
use actors::domain::order::Order;
use actors::domain::payer::Card;
use actors::domain::payment::outcome::Failure;
use actors::domain::payment::phase::{Attempt, Deal, Interface, Phase, Refund, RefundState};
use actors::domain::payment::status::Status;
use actors::domain::payment::{Outcome, Payment};
use actors::domain::response_code::{Refusal, ResponseCode};
use actors::planted::{Bug, is_planted};
use actors::ports::history::PastPayment;
use actors::ports::roster::Roster;
use actors::report::Report;
use adapters::rfc3339::format as rfc3339;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A payment as the terminal sees it that asked for it.
#[derive(Serialize, ToSchema)]
pub struct TerminalPayment {
    /// The payment, for its whole life.
    #[schema(pattern = "^pay_[0-9a-hjkmnp-tv-z]{26}$")]
    id: String,
    #[schema(value_type = StatusName)]
    status: &'static str,
    /// A decimal number; absent where only a reversal was seen, as are `currency`, `merchant` and `answer_by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: Option<String>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z]{3}$")]
    currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    merchant: Option<String>,
    /// The terminal's own name for the sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<String>,
    /// ISO 8583 DE 39, once decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{2}$")]
    response_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refusal: Option<RefusalView>,
    /// The platform's own reference, once paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    platform_reference: Option<String>,
    refunds: Vec<RefundView>,
    /// When the terminal stops waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    answer_by: Option<String>,
}

/// A payment as the payer sees it.
#[derive(Serialize, ToSchema)]
pub struct PhonePayment {
    #[schema(pattern = "^pay_[0-9a-hjkmnp-tv-z]{26}$")]
    id: String,
    #[schema(value_type = StatusName)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z]{3}$")]
    currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    merchant: Option<String>,
    /// Who asks, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    merchant_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    terminal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<String>,
    /// The round at the terminal in which it was shown; part of what is signed.
    epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    confirm_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    answer_by: Option<String>,
    /// Which permit it is at, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    attempt: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    attempts_max: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_failure: Option<FailureView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    interface: Option<InterfaceView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{2}$")]
    response_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refusal: Option<RefusalView>,
    refunds: Vec<RefundView>,
}

/// A payment as the history keeps it.
#[derive(Serialize, ToSchema)]
pub struct HistoryPayment {
    #[schema(pattern = "^pay_[0-9a-hjkmnp-tv-z]{26}$")]
    id: String,
    #[schema(value_type = StatusName)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Z]{3}$")]
    currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    merchant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    merchant_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    terminal: Option<String>,
    /// For the operator, and masked: the last three digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    platform_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{2}$")]
    response_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refusal: Option<RefusalView>,
    refunds: Vec<RefundView>,
    #[schema(format = DateTime)]
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    decided_at: Option<String>,
}

/// A list of payments.
#[derive(Serialize, ToSchema)]
pub struct Payments<T> {
    /// The payments.
    pub payments: Vec<T>,
}

/// Why a payment was refused.
#[derive(Clone, Serialize, ToSchema)]
pub struct RefusalView {
    /// Of the closed set in docs/refusals.md.
    code: &'static str,
    /// One sentence for people.
    message: &'static str,
}

/// Why the attempt before this one failed.
#[derive(Serialize, ToSchema)]
pub struct FailureView {
    code: &'static str,
    message: &'static str,
}

/// Money given back, or to be.
#[derive(Serialize, ToSchema)]
pub struct RefundView {
    /// The terminal's name for it.
    id: String,
    #[schema(pattern = r"^[0-9]{1,12}(\.[0-9]{1,3})?$")]
    amount: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: &'static str,
    #[schema(value_type = RefundStateName)]
    state: &'static str,
}

/// The platform's leave to pay, with the way to do it.
#[derive(Serialize, ToSchema)]
pub struct InterfaceView {
    /// Where the sealed credential goes.
    url: String,
    #[schema(minimum = 1)]
    attempt: u8,
    /// The platform's public key, a JWK.
    #[schema(value_type = Object)]
    key: Value,
    permit: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A payment's standing in one word.
#[derive(ToSchema)]
#[schema(as = Status, rename_all = "snake_case")]
#[allow(dead_code)]
pub enum StatusName {
    AwaitingMerchant,
    AwaitingPhone,
    AwaitingConfirmation,
    AwaitingPermit,
    AwaitingPayment,
    AwaitingOutcome,
    InDoubt,
    Approved,
    Declined,
    Reversing,
    Reversed,
}

/// What became of a refund.
#[derive(ToSchema)]
#[schema(as = RefundState, rename_all = "snake_case")]
#[allow(dead_code)]
pub enum RefundStateName {
    Owed,
    Done,
    Refused,
}

impl TerminalPayment {
    /// The view of a payment.
    pub fn of(payment: &Payment) -> Self {
        let order = payment.phase().order();
        let outcome = payment.outcome();
        let shown = Self {
            id: payment.id().to_string(),
            status: Status::of(payment.phase()).name(),
            amount: order.map(|order| order.money.decimal()),
            currency: order.map(|order| order.money.currency().code()),
            merchant: order.map(|order| order.merchant.to_string()),
            reference: order.and_then(|order| order.reference.as_deref()).map(str::to_owned),
            response_code: response_code(outcome.as_ref()),
            refusal: refusal(outcome.as_ref()),
            platform_reference: match outcome {
                Some(Outcome::Approved(receipt)) => Some(receipt.reference.into()),
                _ => None,
            },
            refunds: refunds(payment.phase()),
            answer_by: order.map(|order| rfc3339(order.answer_by.instant())),
        };
        let in_doubt = matches!(payment.phase(), Phase::InDoubt(..));
        if in_doubt && is_planted(Bug::DoubtShownAsApproved) { shown.into_approved() } else { shown }
    }

    /// The same as a yes that nobody gave: a planted bug, or nobody calls it.
    pub fn into_approved(self) -> Self {
        let response_code = Some(ResponseCode::APPROVED.as_str());
        Self { status: Status::Approved.name(), response_code, refusal: None, ..self }
    }
}

impl PhonePayment {
    /// The view of a report.
    pub fn of_report(report: &Report, roster: &dyn Roster) -> Self {
        Self::of(&report.payment, report.last_failure, roster)
    }

    /// The view of a card.
    pub fn of_card(card: &Card, roster: &dyn Roster) -> Self {
        Self::of(&card.payment, card.last_failure, roster)
    }

    fn of(payment: &Payment, last_failure: Option<Failure>, roster: &dyn Roster) -> Self {
        let phase = payment.phase();
        let (order, deal) = (phase.order(), phase.deal());
        let outcome = payment.outcome();
        let terminal = order.and_then(Order::terminal);
        Self {
            id: payment.id().to_string(),
            status: Status::of(phase).name(),
            amount: order.map(|order| order.money.decimal()),
            currency: order.map(|order| order.money.currency().code()),
            merchant: order.map(|order| order.merchant.to_string()),
            merchant_name: order.and_then(|order| merchant_name(order, deal, roster)),
            terminal: terminal.map(|terminal| terminal.to_string()),
            reference: order.and_then(|order| order.reference.as_deref()).map(str::to_owned),
            epoch: phase.claim().map_or(0, |claim| claim.epoch),
            confirm_by: match phase {
                Phase::AwaitConfirmation(_, _, by) => Some(rfc3339(by.instant())),
                _ => None,
            },
            answer_by: order.map(|order| rfc3339(order.answer_by.instant())),
            attempt: attempt(phase).map(Attempt::number),
            attempts_max: deal.map(|deal| deal.admission.terms.attempts_max),
            last_failure: last_failure.map(FailureView::of),
            interface: match phase {
                Phase::AwaitPayment(_, _, attempt, interface) => {
                    Some(InterfaceView::of(payment.id(), *attempt, interface))
                }
                _ => None,
            },
            response_code: response_code(outcome.as_ref()),
            refusal: refusal(outcome.as_ref()),
            refunds: refunds(phase),
        }
    }
}

/// The name that the payer was shown; a declined payment has forgotten its deal, and then the merchant's own name serves.
fn merchant_name(order: &Order, deal: Option<&Deal>, roster: &dyn Roster) -> Option<String> {
    let shown = deal.map(|deal| deal.admission.merchant_name.to_string());
    shown.or_else(|| roster.merchant(order.merchant).map(|profile| profile.name.to_string()))
}

impl HistoryPayment {
    /// A row as its payer may see it.
    pub fn of(past: PastPayment, roster: &dyn Roster) -> Self {
        let own_name = || roster.merchant(past.merchant?).map(|profile| profile.name.to_string());
        let decided = past.status.is_decided();
        let approved = decided.then(|| past.refusal.map_or(ResponseCode::APPROVED, Refusal::response_code));
        Self {
            id: past.id.to_string(),
            status: past.status.name(),
            amount: past.money.map(Money::decimal),
            currency: past.money.map(|money| money.currency().code()),
            merchant: past.merchant.map(|id| id.to_string()),
            merchant_name: past.merchant_name.map(Into::into).or_else(own_name),
            terminal: past.terminal.map(|id| id.to_string()),
            payer: None,
            reference: past.reference.map(Into::into),
            platform: past.platform.map(|id| id.to_string()),
            platform_reference: past.platform_reference.map(Into::into),
            response_code: approved.map(ResponseCode::as_str),
            refusal: past.refusal.map(RefusalView::of),
            refunds: past.refunds.iter().map(RefundView::of).collect(),
            started_at: rfc3339(past.started_at),
            decided_at: past.decided_at.map(rfc3339),
        }
    }

    /// A row as the operator sees it.
    pub fn for_operator(past: PastPayment, roster: &dyn Roster) -> Self {
        let payer = past.payer.as_ref().map(masked);
        Self { payer, ..Self::of(past, roster) }
    }
}

/// A payer's last three digits.
pub fn masked(payer: &PayerId) -> String {
    let text = payer.as_str();
    format!("…{}", text.get(text.len().saturating_sub(3)..).unwrap_or_default())
}

impl RefusalView {
    /// The view of a refusal.
    pub const fn of(refusal: Refusal) -> Self {
        Self { code: refusal.code(), message: refusal.sentence() }
    }
}

impl FailureView {
    const fn of(failure: Failure) -> Self {
        let (code, message) = match failure {
            Failure::WrongCredentials => ("wrong_credentials", "The account or the password was wrong."),
            Failure::InsufficientFunds => ("insufficient_funds", "The account does not hold the amount."),
            Failure::AccountBlocked => ("account_blocked", "The account is blocked."),
            Failure::PermitExpired => ("permit_expired", "The permit ran out before it was used."),
            Failure::Unreadable => ("unreadable", "The platform could not read the sealed credential."),
        };
        Self { code, message }
    }
}

impl RefundView {
    fn of(refund: &Refund) -> Self {
        Self {
            id: refund.id.to_string(),
            amount: refund.money.decimal(),
            currency: refund.money.currency().code(),
            state: match refund.state {
                RefundState::Owed => "owed",
                RefundState::Done => "done",
                RefundState::Refused => "refused",
            },
        }
    }
}

impl InterfaceView {
    fn of(payment: PaymentId, attempt: Attempt, interface: &Interface) -> Self {
        let relayed = || format!("/v1/payments/{payment}/credential?attempt={}", attempt.number());
        Self {
            url: if interface.url.is_empty() { relayed() } else { interface.url.clone().into() },
            attempt: attempt.number(),
            key: serde_json::from_str(&interface.key).unwrap_or_default(),
            permit: interface.permit.clone().into(),
            expires_at: rfc3339(interface.expires.instant()),
        }
    }
}

fn response_code(outcome: Option<&Outcome>) -> Option<&'static str> {
    outcome.map(|outcome| match outcome {
        Outcome::Approved(_) => ResponseCode::APPROVED.as_str(),
        Outcome::Refused(refusal) => refusal.response_code().as_str(),
    })
}

fn refusal(outcome: Option<&Outcome>) -> Option<RefusalView> {
    match outcome {
        Some(Outcome::Refused(refusal)) => Some(RefusalView::of(*refusal)),
        _ => None,
    }
}

fn refunds(phase: &Phase) -> Vec<RefundView> {
    match phase {
        Phase::Paid(_, _, _, refunds) => refunds.iter().map(RefundView::of).collect(),
        _ => Vec::new(),
    }
}

const fn attempt(phase: &Phase) -> Option<Attempt> {
    match phase {
        Phase::AwaitPermit(_, _, attempt, _)
        | Phase::AwaitPayment(_, _, attempt, _)
        | Phase::AwaitOutcome(_, _, attempt, _)
        | Phase::InDoubt(_, _, attempt, _, _) => Some(*attempt),
        _ => None,
    }
}
