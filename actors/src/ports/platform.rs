//! A third-party payment platform, whatever its protocol: permit, pay, inquire, reverse, refund, callback.
//!
//! What the switch relies on is written down as C1 to C6 in [`Promises`]; a platform that lacks one is
//! handled by its adapter or by another way of undoing, never by hope.
use super::Answer;
use crate::domain::identity::{MerchantId, PayerId, PaymentId, PlatformId, RefundId, TerminalId};
use crate::domain::money::Money;
use crate::domain::payment::outcome::{
    Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use crate::domain::payment::phase::{Attempt, Receipt};
use crate::domain::time::{Deadline, Timestamp};

/// One platform. Every call is idempotent by its payment id (and attempt, or refund id): C1.
pub trait Platform: Send + Sync {
    /// Its name in the configuration.
    fn id(&self) -> PlatformId;
    /// What it promises.
    fn promises(&self) -> Promises;
    /// Asks for leave to pay (OS-5).
    fn permit(&self, ask: PermitAsk) -> Answer<PermitOutcome>;
    /// Relays the payer's sealed credential (OS-7). The credential is forgotten when the call returns.
    fn pay(&self, presentation: Presentation) -> Answer<PaymentOutcome>;
    /// Asks where a payment stands.
    fn inquire(&self, ask: PlatformAsk) -> Answer<InquiryOutcome>;
    /// Undoes a payment, and forbids what of it has not arrived yet (C2).
    fn reverse(&self, ask: PlatformAsk) -> Answer<ReversalOutcome>;
    /// Gives `money` back; `refund` names it among the payment's refunds.
    fn refund(&self, ask: PlatformAsk, refund: RefundId, money: Money) -> Answer<RefundOutcome>;
    /// Verifies a callback over its raw bytes and reads it: authentic, recent, ours, well formed.
    fn read_callback(&self, now: Timestamp, message: &CallbackMessage<'_>) -> Result<Claimed, CallbackFault>;
}

/// What a platform can be relied on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// C2: a reversal of an id it has not seen leaves a tombstone that a late debit runs into.
    pub keeps_tombstones: bool,
    /// C3: an inquiry sees every payment that was answered before it.
    pub inquiry_reads_its_own_writes: bool,
}

/// What the platform is told when it is asked for its permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitAsk {
    /// The payment, end to end.
    pub payment: PaymentId,
    /// Which permit of it.
    pub attempt: Attempt,
    /// How much.
    pub money: Money,
    /// For whom.
    pub merchant: MerchantId,
    /// The name the payer was shown.
    pub merchant_name: Box<str>,
    /// Where, if at a terminal.
    pub terminal: Option<TerminalId>,
    /// Who pays.
    pub payer: PayerId,
    /// By when an answer is of use.
    pub answer_by: Deadline,
}

/// A sealed credential on its way to the platform.
pub struct Presentation {
    /// The payment.
    pub payment: PaymentId,
    /// The permit's attempt.
    pub attempt: Attempt,
    /// How much is being paid.
    pub money: Money,
    /// The platform's name for the permit.
    pub permit: Box<str>,
    /// What the phone sealed for the platform.
    pub credential: SealedCredential,
    /// By when an answer is of use.
    pub answer_by: Deadline,
}

/// Account and password, sealed by the phone for the platform: bytes that the switch cannot read, does not
/// print, does not journal, and wipes when it lets go of them.
pub struct SealedCredential(Vec<u8>);

impl SealedCredential {
    /// The largest that is relayed, in bytes.
    pub const BYTES_MAX: usize = 8 * 1024;

    /// Takes over the bytes, if they are not too many.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty() && bytes.len() <= Self::BYTES_MAX).then_some(Self(bytes))
    }

    /// The bytes, for the wire only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for SealedCredential {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl std::fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedCredential({} bytes)", self.0.len())
    }
}

/// Which payment a platform is asked about, and by when an answer is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformAsk {
    /// The payment.
    pub payment: PaymentId,
    /// Its whole amount.
    pub money: Money,
    /// By when an answer is of use.
    pub answer_by: Deadline,
}

/// A callback as it came in.
#[derive(Clone, Copy, Debug)]
pub struct CallbackMessage<'a> {
    /// The header's value by lower-case name.
    pub headers: &'a dyn HeaderLookup,
    /// The body, untouched.
    pub body: &'a [u8],
}

/// Looks a header up by its lower-case name.
pub trait HeaderLookup: std::fmt::Debug {
    /// Its value, if it was sent once and is ASCII.
    fn header(&self, name: &str) -> Option<&str>;
}

/// What an authentic callback claims. The machine still compares amount and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The payment it is about.
    pub payment: PaymentId,
    /// The attempt it is about.
    pub attempt: Attempt,
    /// What it says.
    pub result: Result<Receipt, Failure>,
}

/// Why a callback was not believed. The platform is told no more than the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// No signature, or a wrong one.
    #[error("the signature is missing or wrong")]
    Forged,
    /// Signed too long ago, or ahead of our clock.
    #[error("the timestamp is more than 300 seconds away")]
    Stale,
    /// Authentic, but not in the agreed form.
    #[error("the body is not in the agreed form: {0}")]
    Malformed(&'static str),
}
