//! One payment, and what a platform is asked about it: the questions to which inputs are the answers.
use actors::domain::identity::{MerchantId, PayerId, PaymentId, RefundId, TerminalId};
use actors::domain::money::Money;
use actors::domain::payment::phase::Attempt;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::platform::{PermitAsk, PlatformAsk, Presentation, SealedCredential};

/// The payment that all is about.
pub const PAYMENT: PaymentId = PaymentId::from_bits(42);
/// When it all happens.
pub const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// What the platform's messages are signed with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BY: Deadline = Deadline::at(NOW);

/// The payment's amount.
pub fn money() -> Money {
    Money::parse("12.50", "EUR").expect("an amount")
}

/// Its refund.
pub fn refund() -> RefundId {
    RefundId::new("r1").expect("an id")
}

/// The question for a permit.
pub fn permit_ask() -> PermitAsk {
    PermitAsk {
        payment: PAYMENT,
        attempt: Attempt::FIRST,
        money: money(),
        merchant: MerchantId::new("corner-shop").expect("an id"),
        merchant_name: "Corner Shop".into(),
        terminal: TerminalId::new("T1").ok(),
        payer: PayerId::new("P1").expect("an id"),
        answer_by: BY,
    }
}

/// The credential, presented.
pub fn presentation() -> Presentation {
    Presentation {
        payment: PAYMENT,
        attempt: Attempt::FIRST,
        money: money(),
        permit: "permit-1".into(),
        credential: SealedCredential::new(b"e30..AA.AA.AA".to_vec()).expect("a credential"),
        answer_by: BY,
    }
}

/// The framings that a line may have, one for each way to be wrong.
pub const FRAMINGS: [&str; 8] =
    ["len2", "len2i", "ascii4", "bcd2", "len2+tpdu", "len2+tpdu+cup6", "bcd2+tpdu", "ascii4+fixed12"];

/// Every other question.
pub fn ask() -> PlatformAsk {
    PlatformAsk { payment: PAYMENT, money: money(), answer_by: BY }
}
