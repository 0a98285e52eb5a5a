//! A payment's standing in one word: what terminals, phones and people are told, and what they search by.
//!
//! The words are part of the published interfaces. They are coarser than the phases, and never change their meaning.
use super::phase::Phase;

/// A payment's standing in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The merchant has yet to say whether it may be paid.
    AwaitingMerchant,
    /// No phone stands at the terminal yet.
    AwaitingPhone,
    /// The payer has yet to say yes or no.
    AwaitingConfirmation,
    /// The platform has yet to give its permit.
    AwaitingPermit,
    /// The payer has yet to pay.
    AwaitingPayment,
    /// The platform has yet to answer.
    AwaitingOutcome,
    /// Nobody knows yet whether money moved.
    InDoubt,
    /// The money moved.
    Approved,
    /// Refused; nothing moved.
    Declined,
    /// Refused or taken back, and being undone.
    Reversing,
    /// Undone, or taken back before it was seen.
    Reversed,
}

impl Status {
    /// Every status, in the order of a payment's life.
    pub const ALL: [Self; 11] = [
        Self::AwaitingMerchant,
        Self::AwaitingPhone,
        Self::AwaitingConfirmation,
        Self::AwaitingPermit,
        Self::AwaitingPayment,
        Self::AwaitingOutcome,
        Self::InDoubt,
        Self::Approved,
        Self::Declined,
        Self::Reversing,
        Self::Reversed,
    ];

    /// The standing of a payment in `phase`.
    pub const fn of(phase: &Phase) -> Self {
        match phase {
            Phase::AwaitMerchant(_) => Self::AwaitingMerchant,
            Phase::AwaitPhone(_) => Self::AwaitingPhone,
            Phase::AwaitConfirmation(..) => Self::AwaitingConfirmation,
            Phase::AwaitPermit(..) => Self::AwaitingPermit,
            Phase::AwaitPayment(..) => Self::AwaitingPayment,
            Phase::AwaitOutcome(..) => Self::AwaitingOutcome,
            Phase::InDoubt(..) => Self::InDoubt,
            Phase::Paid(..) => Self::Approved,
            Phase::Declined(..) => Self::Declined,
            Phase::Reversing(..) => Self::Reversing,
            Phase::Reversed(..) | Phase::ReversedUnseen => Self::Reversed,
        }
    }

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwaitingMerchant => "awaiting_merchant",
            Self::AwaitingPhone => "awaiting_phone",
            Self::AwaitingConfirmation => "awaiting_confirmation",
            Self::AwaitingPermit => "awaiting_permit",
            Self::AwaitingPayment => "awaiting_payment",
            Self::AwaitingOutcome => "awaiting_outcome",
            Self::InDoubt => "in_doubt",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Reversing => "reversing",
            Self::Reversed => "reversed",
        }
    }

    /// The status of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the terminal's answer is decided.
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Approved | Self::Declined | Self::Reversing | Self::Reversed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_found_by_its_word() {
        for status in Status::ALL {
            assert_eq!(Status::named(status.name()), Some(status));
        }
        assert_eq!(Status::named("paid"), None);
    }
}
