//! What players read in answers: typed, and deaf to fields they do not know, so that an older phone survives a newer switch.
//!
//! Amounts stay the texts that were shown: what is signed and sealed must be exactly that. Nothing is checked here.
use crate::seal::PublicJwk;
use serde::Deserialize;

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "docs/http-api.md lists them; they mean the phases of that name")]
pub enum Status {
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
    /// A status that this player does not know: not decided, as far as it can tell.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Whether the terminal's question is answered.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Approved | Self::Declined | Self::Reversing | Self::Reversed)
    }
}

/// Why something was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reason {
    /// For machines.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// A refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefundSeen {
    /// The terminal's name for it.
    pub id: String,
    /// How much.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// `owed`, `done` or `refused`.
    pub state: String,
}

/// A payment as its terminal sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SaleSeen {
    /// `pay_…`.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// How much; nothing if the switch never saw the sale that it took back.
    #[serde(default)]
    pub amount: Option<String>,
    /// ISO 4217.
    #[serde(default)]
    pub currency: Option<String>,
    /// The terminal's own reference.
    #[serde(default)]
    pub reference: Option<String>,
    /// ISO 8583 DE 39, once decided.
    #[serde(default)]
    pub response_code: Option<String>,
    /// Why not.
    #[serde(default)]
    pub refusal: Option<Reason>,
    /// The platform's name for the debit.
    #[serde(default)]
    pub platform_reference: Option<String>,
    /// What went back.
    #[serde(default)]
    pub refunds: Vec<RefundSeen>,
    /// The switch answers by then (RFC 3339).
    #[serde(default)]
    pub answer_by: Option<String>,
}

/// A payment as its phone sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentSeen {
    /// `pay_…`.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// How much, with all decimals.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// The merchant's id.
    pub merchant: String,
    /// The merchant's name, for the payer.
    #[serde(default)]
    pub merchant_name: String,
    /// Where the payer stands, if anywhere.
    #[serde(default)]
    pub terminal: Option<String>,
    /// The terminal's own reference.
    #[serde(default)]
    pub reference: Option<String>,
    /// Of the binding.
    pub epoch: u64,
    /// The payer decides by then (RFC 3339).
    #[serde(default)]
    pub confirm_by: Option<String>,
    /// The terminal is answered by then (RFC 3339).
    #[serde(default)]
    pub answer_by: Option<String>,
    /// Which permit this is, from 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// How many there are at most.
    #[serde(default)]
    pub attempts_max: Option<u32>,
    /// Why the attempt before failed.
    #[serde(default)]
    pub last_failure: Option<Reason>,
    /// Where and how to pay, while that is awaited.
    #[serde(default)]
    pub interface: Option<Interface>,
    /// ISO 8583 DE 39, once decided.
    #[serde(default)]
    pub response_code: Option<String>,
    /// Why not.
    #[serde(default)]
    pub refusal: Option<Reason>,
    /// What went back.
    #[serde(default)]
    pub refunds: Vec<RefundSeen>,
}

/// The platform's communication interface for one attempt (OS-6).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Interface {
    /// Where the sealed credential goes: a path at the switch, or the platform's own address.
    pub url: String,
    /// The attempt.
    pub attempt: u32,
    /// The platform's key.
    pub key: PublicJwk,
    /// The platform's name for the permit.
    pub permit: String,
    /// The permit ends then (RFC 3339).
    pub expires_at: String,
}

/// What awaits a payer, and what was decided lately.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentsSeen {
    /// In the switch's order.
    pub payments: Vec<PaymentSeen>,
}

/// A payment as the history keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PastSeen {
    /// `pay_…`.
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// How much.
    #[serde(default)]
    pub amount: Option<String>,
    /// ISO 4217.
    #[serde(default)]
    pub currency: Option<String>,
    /// The merchant's name, for the payer.
    #[serde(default)]
    pub merchant_name: Option<String>,
    /// Where it was.
    #[serde(default)]
    pub terminal: Option<String>,
    /// ISO 8583 DE 39, once decided.
    #[serde(default)]
    pub response_code: Option<String>,
    /// Why not.
    #[serde(default)]
    pub refusal: Option<Reason>,
    /// When it was asked for (RFC 3339).
    #[serde(default)]
    pub started_at: Option<String>,
}

/// A list of past payments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HistorySeen {
    /// In the switch's order.
    pub payments: Vec<PastSeen>,
}

/// A one-time code is under way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CodeSent {
    /// Seconds that it lasts.
    pub expires_in: u64,
    /// The code itself, where the switch shows it (a demonstration).
    #[serde(default)]
    pub code: Option<String>,
}

/// What a log-in gives.
#[derive(Clone, Deserialize)]
pub struct LoggedIn {
    /// The bearer token.
    pub access_token: String,
    /// Seconds that it lasts.
    pub expires_in: u64,
    /// Whose it is.
    pub payer: String,
}

/// Where a phone stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BindingSeen {
    /// The terminal.
    pub terminal: String,
    /// Whose it is, for the payer.
    #[serde(default)]
    pub merchant_name: String,
    /// Of the binding.
    pub epoch: u64,
    /// It ends then (RFC 3339).
    #[serde(default)]
    pub until: Option<String>,
}

/// A terminal about itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TerminalSeen {
    /// Its id.
    pub terminal: String,
    /// The merchant's id.
    pub merchant: String,
    /// The merchant's name.
    #[serde(default)]
    pub merchant_name: String,
    /// The only currency it may ask for, if there is one.
    #[serde(default)]
    pub currency: Option<String>,
    /// Whether a phone stands there.
    pub binding: TerminalBinding,
}

/// Whether a phone stands at a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TerminalBinding {
    /// One does.
    pub bound: bool,
    /// Of the last binding.
    #[serde(default)]
    pub epoch: u64,
    /// It ends then (RFC 3339).
    #[serde(default)]
    pub until: Option<String>,
}
