//! Why a payment was refused, and the ISO 8583 DE 39 code that says so at a terminal.
//!
//! `Refusal` is a business answer, final and journaled. The mapping to DE 39 (1987) lives here and
//! nowhere else; the published table in `docs/refusals.md` is printed from it.
use serde::{Deserialize, Serialize};

/// Why a payment ended without money moving, or with the money moved back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The merchant is closed.
    MerchantClosed,
    /// The amount is above what this merchant may ask at once.
    AboveLimit,
    /// The merchant does not take this currency, or no platform does.
    NoRoute,
    /// No phone came to the terminal in time.
    NoPhone,
    /// The payer did not answer in time.
    NotConfirmed,
    /// The payer said no.
    DeclinedByPayer,
    /// The platform gave no permit.
    NotPermitted,
    /// The platform could not be reached; nothing was asked of it.
    PlatformUnreachable,
    /// The platform was asked and did not answer in time.
    PlatformSilent,
    /// The payer did not pay in time.
    NotPaidInTime,
    /// Account or password were wrong, for as often as the payer could try.
    WrongCredentials,
    /// The account does not hold the amount.
    InsufficientFunds,
    /// The account is blocked.
    AccountBlocked,
    /// The terminal took the payment back.
    ReversedByTerminal,
    /// The payment's own records could not be worked with; it was undone.
    Fault,
}

impl Refusal {
    /// Every refusal, in the order of the published table.
    pub const ALL: [Self; 15] = [
        Self::MerchantClosed,
        Self::AboveLimit,
        Self::NoRoute,
        Self::NoPhone,
        Self::NotConfirmed,
        Self::DeclinedByPayer,
        Self::NotPermitted,
        Self::PlatformUnreachable,
        Self::PlatformSilent,
        Self::NotPaidInTime,
        Self::WrongCredentials,
        Self::InsufficientFunds,
        Self::AccountBlocked,
        Self::ReversedByTerminal,
        Self::Fault,
    ];

    /// The DE 39 code (ISO 8583:1987, clause on response codes).
    pub const fn response_code(self) -> ResponseCode {
        ResponseCode(match self {
            Self::MerchantClosed => "03",
            Self::AboveLimit => "61",
            Self::NoRoute => "92",
            Self::NoPhone | Self::NotConfirmed | Self::NotPaidInTime | Self::ReversedByTerminal => "68",
            Self::DeclinedByPayer | Self::NotPermitted => "05",
            Self::PlatformUnreachable | Self::PlatformSilent => "91",
            Self::WrongCredentials => "55",
            Self::InsufficientFunds => "51",
            Self::AccountBlocked => "62",
            Self::Fault => "96",
        })
    }

    /// The name in answers, metrics and the published table.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MerchantClosed => "merchant_closed",
            Self::AboveLimit => "above_limit",
            Self::NoRoute => "no_route",
            Self::NoPhone => "no_phone",
            Self::NotConfirmed => "not_confirmed",
            Self::DeclinedByPayer => "declined_by_payer",
            Self::NotPermitted => "not_permitted",
            Self::PlatformUnreachable => "platform_unreachable",
            Self::PlatformSilent => "platform_silent",
            Self::NotPaidInTime => "not_paid_in_time",
            Self::WrongCredentials => "wrong_credentials",
            Self::InsufficientFunds => "insufficient_funds",
            Self::AccountBlocked => "account_blocked",
            Self::ReversedByTerminal => "reversed_by_terminal",
            Self::Fault => "fault",
        }
    }

    /// One sentence for the person at the till or the phone.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::MerchantClosed => "The merchant is closed.",
            Self::AboveLimit => "The amount is above the merchant's limit.",
            Self::NoRoute => "The merchant cannot be paid in this currency.",
            Self::NoPhone => "No phone came to the terminal in time.",
            Self::NotConfirmed => "The payer did not answer in time.",
            Self::DeclinedByPayer => "The payer declined.",
            Self::NotPermitted => "The payment platform gave no permit.",
            Self::PlatformUnreachable => "The payment platform cannot be reached.",
            Self::PlatformSilent => "The payment platform did not answer in time.",
            Self::NotPaidInTime => "The payer did not pay in time.",
            Self::WrongCredentials => "The account or the password was wrong too often.",
            Self::InsufficientFunds => "The account does not hold the amount.",
            Self::AccountBlocked => "The account is blocked.",
            Self::ReversedByTerminal => "The terminal took the payment back.",
            Self::Fault => "The switch could not finish the payment; it was undone.",
        }
    }
}

/// A DE 39 response code: two characters from the closed set this switch uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResponseCode(&'static str);

impl ResponseCode {
    /// Approved.
    pub const APPROVED: Self = Self("00");
    /// The merchant is not the terminal's.
    pub const INVALID_MERCHANT: Self = Self("03");
    /// This kind of message is not for this kind of payment.
    pub const INVALID_TRANSACTION: Self = Self("12");
    /// The amount cannot be.
    pub const INVALID_AMOUNT: Self = Self("13");
    /// Nothing was done, for there was nothing that could be done.
    pub const NO_ACTION: Self = Self("21");
    /// The original was not found.
    pub const NOT_FOUND: Self = Self("25");
    /// A field is missing or wrong.
    pub const FORMAT_ERROR: Self = Self("30");
    /// The function is not offered.
    pub const NOT_SUPPORTED: Self = Self("40");
    /// The terminal is not known, or not permitted this.
    pub const NOT_PERMITTED_TO_TERMINAL: Self = Self("58");
    /// The message authentication code is missing or wrong.
    pub const SECURITY_VIOLATION: Self = Self("63");
    /// A key that is needed is not there or does not fit.
    pub const CRYPTOGRAPHIC_FAILURE: Self = Self("88");
    /// The switch cannot serve this now; nothing was done, or it was undone.
    pub const INOPERATIVE: Self = Self("91");
    /// The trace number was used for something else.
    pub const DUPLICATE: Self = Self("94");
    /// Totals differ.
    pub const OUT_OF_BALANCE: Self = Self("95");
    /// The switch broke off.
    pub const MALFUNCTION: Self = Self("96");
    /// The message authentication code is missing or wrong, as UnionPay says it.
    pub const MAC_ERROR: Self = Self("A0");

    /// The two characters.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}
