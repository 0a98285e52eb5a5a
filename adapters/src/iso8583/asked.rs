//! What a terminal asks over a line, and what it is told, without a field number: the words between `translate` and the flows.
//!
//! What a message is worth is decided elsewhere; here it is only said what was meant. A message that means nothing
//! this switch can do is an [`Unfit`], with the response code that says so.
use super::trace::Trace;
use actors::domain::identity::{MerchantId, PaymentKey, RefundId, TerminalId};
use actors::domain::money::{Currency, Money};
use actors::domain::response_code::ResponseCode;
use actors::domain::till::Totals;

/// A message that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub terminal: TerminalId,
    /// For whom, if it says so.
    pub merchant: Option<MerchantId>,
    /// What it asks for.
    pub wish: Wish,
}

/// What a terminal can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Money from the payer who stands there (OS-3).
    Pay(Sale),
    /// That a payment be undone, whole.
    TakeBack(Original),
    /// That of a payment no more than this be kept (DE 95).
    KeepOnly(Original, Money, RefundId),
    /// That this much of a payment be given back.
    GiveBack(Original, Money, RefundId),
    /// Nothing: it says that a sale was completed, for this much.
    Completed(Original, Money, RefundId),
    /// To be known as there, or as gone, or whether we are there.
    Manage(Management),
    /// New working keys, or to sign on and be given them if there are any.
    Keys(KeyWish),
    /// That its totals be compared with ours: under this key, in this currency.
    Settle(PaymentKey, Currency, Box<Totals>),
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Which message it is.
    pub trace: Trace,
    /// How much.
    pub money: Money,
    /// The terminal's own name for it, as the payer is shown it.
    pub reference: Box<str>,
}

/// How a message names the payment that it is about: the surest name first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Original([Option<Trace>; 3]);

/// How much a terminal depends on being given keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyWish {
    /// It asks for nothing else.
    Exchange,
    /// It signs on, as UnionPay's terminals do, and takes them along.
    WithSignOn,
}

/// Network management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Management {
    /// The terminal is there.
    SignOn,
    /// It leaves.
    SignOff,
    /// Is anybody there?
    Echo,
}

/// What a terminal is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// DE 39.
    pub code: ResponseCode,
    /// DE 37, where the answer is about a payment.
    pub reference: Option<[u8; 12]>,
    /// DE 38, where it is about one that was approved.
    pub approval: Option<[u8; 6]>,
    /// What we counted, where the terminal settles.
    pub counted: Option<Box<Totals>>,
    /// Working keys, encrypted, where the terminal asked for new ones.
    pub keys: Option<Vec<u8>>,
}

impl Told {
    /// Nothing but a code.
    pub const fn code(code: ResponseCode) -> Self {
        Self { code, reference: None, approval: None, counted: None, keys: None }
    }

    /// A code, about a payment.
    pub fn about(code: ResponseCode, reference: [u8; 12]) -> Self {
        Self { reference: Some(reference), ..Self::code(code) }
    }
}

/// Why a message is not served though it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {what}")]
pub struct Unfit {
    /// What the terminal is told.
    pub code: ResponseCode,
    /// The field that is missing or wrong.
    pub field: u8,
    /// What it should be.
    pub what: &'static str,
}

impl Original {
    /// These names, the surest first.
    pub const fn named(names: [Option<Trace>; 3]) -> Self {
        Self(names)
    }

    /// Its names, each once.
    pub fn traces(self) -> impl Iterator<Item = Trace> {
        let Self([first, second, third]) = self;
        let second = second.filter(|_| second != first);
        let third = third.filter(|_| third != first && third != second);
        [first, second, third].into_iter().flatten()
    }
}
