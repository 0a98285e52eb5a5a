//! What a payment's facts mean for its terminal's totals: a line per sale, refund, and taking back of either.
//!
//! A line is dated by the fact that makes it, so what is taken back after a settlement counts in the next one. A sale is
//! booked when it is approved, whether or not the terminal heard of it; what is taken back before that books nothing.
//! A refund counts from when it is promised; one that the platform refuses for good is taken off again, and since the
//! terminal does not know of that its totals will not balance: somebody is to look.
//!
//! What goes back because a sale was reversed in part, or completed for less, is a refund to the platform and a reversal to
//! whoever counts: it takes from a sale. Its name says so, see [`name_of_part`].
use crate::domain::identity::{IdError, PaymentId, PaymentKey, RefundId};
use crate::domain::money::Money;
use crate::domain::payment::command::Fact;
use crate::domain::payment::phase::Phase;
use crate::domain::payment::{OutOfPlace, Payment, Stamped};
use crate::domain::time::Timestamp;

/// How the name begins of what goes back because a part of a sale was taken back.
const PART: &str = "part.";

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// What was booked.
    pub kind: BookingKind,
    /// Which of the payment's refunds, where it is about one.
    pub refund: Option<RefundId>,
    /// How much.
    pub money: Money,
    /// When it became true.
    pub at: Timestamp,
}

/// What is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookingKind {
    /// A sale.
    Debit,
    /// A sale was taken back.
    DebitReversal,
    /// A part of a sale was taken back.
    PartReversal,
    /// A refund.
    Credit,
    /// A refund came to nothing.
    CreditReversal,
}

/// The name of what goes back because the message of this key took back a part of a sale.
pub fn name_of_part(key: &PaymentKey) -> Result<RefundId, IdError> {
    RefundId::new(&format!("{PART}{}", key.as_str()))
}

/// Whether it is called so.
pub fn is_part(refund: RefundId) -> bool {
    refund.as_str().starts_with(PART)
}

impl BookingKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Debit, Self::DebitReversal, Self::PartReversal, Self::Credit, Self::CreditReversal];

    /// The kind in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::DebitReversal => "debit_reversal",
            Self::PartReversal => "part_reversal",
            Self::Credit => "credit",
            Self::CreditReversal => "credit_reversal",
        }
    }

    /// The kind of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Booking {
    /// What `fact` books, given the payment as it stood before.
    pub fn of(before: &Payment, at: Timestamp, fact: &Fact) -> Option<Self> {
        let (kind, refund, money) = match (fact, before.phase()) {
            (Fact::Settled(receipt), _) => (BookingKind::Debit, None, receipt.money),
            (Fact::ReversalOwed(_), Phase::Paid(_, _, receipt, _)) => {
                (BookingKind::DebitReversal, None, receipt.money)
            }
            (Fact::RefundOwed(id, money), _) => {
                let kind = if is_part(*id) { BookingKind::PartReversal } else { BookingKind::Credit };
                (kind, Some(*id), *money)
            }
            (Fact::RefundRefused(id), Phase::Paid(_, _, _, refunds)) => {
                let refund = refunds.iter().find(|refund| refund.id == *id)?;
                // A part that could not be taken back was sold after all.
                let kind = if is_part(*id) { BookingKind::Debit } else { BookingKind::CreditReversal };
                (kind, Some(*id), refund.money)
            }
            _ => return None,
        };
        Some(Self { kind, refund, money, at })
    }

    /// Everything that a life books.
    pub fn all_of(id: PaymentId, life: &[Stamped]) -> Result<Vec<Self>, OutOfPlace> {
        let Some((first, rest)) = life.split_first() else { return Ok(Vec::new()) };
        let Some(mut payment) = Payment::folded(id, std::slice::from_ref(first))? else {
            return Ok(Vec::new());
        };
        let mut booked = Vec::new();
        for stamped in rest {
            booked.extend(Self::of(&payment, stamped.at, &stamped.fact));
            payment = payment.after(stamped.at, &stamped.fact)?;
        }
        Ok(booked)
    }
}
