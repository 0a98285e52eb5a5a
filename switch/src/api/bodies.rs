//! Every JSON body that phones and terminals send, as a list, and how far one can be understood without asking anybody.
//!
//! A door reads its body with the same functions; what it then does about it is the door's. This list is for those
//! who try bodies by the million: see switch/fuzz.
use super::extract::json;
use super::phones::binding::Stand;
use super::phones::login::{LogIn, Subscriber};
use super::phones::pay::{Confirmation, Decline};
use super::problem::Problem;
use super::terminals::payments::{NewPayment, NewRefund, ReversalByKey};

/// A JSON body, by what is said in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Who wants to log in.
    Subscriber,
    /// The code, and the phone's key.
    LogIn,
    /// Where a phone stands.
    Stand,
    /// A payer's yes.
    Confirmation,
    /// A payer's no.
    Decline,
    /// What a terminal asks for.
    NewPayment,
    /// The key of a payment that is to be taken back.
    ReversalByKey,
    /// What goes back.
    NewRefund,
}

impl Body {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Subscriber,
        Self::LogIn,
        Self::Stand,
        Self::Confirmation,
        Self::Decline,
        Self::NewPayment,
        Self::ReversalByKey,
        Self::NewRefund,
    ];

    /// Reads `bytes` into the domain's types as the body's door does; what the client is told if that is impossible.
    pub fn read(self, bytes: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Subscriber => json::<Subscriber>(bytes)?.payer().map(|_| ()),
            Self::LogIn => json::<LogIn>(bytes)?.payer_and_device().map(|_| ()),
            Self::Stand => json::<Stand>(bytes)?.terminal().map(|_| ()),
            Self::Confirmation => json::<Confirmation>(bytes)?.money_and_device().map(|_| ()),
            Self::Decline => json::<Decline>(bytes).map(|_| ()),
            Self::NewPayment => json::<NewPayment>(bytes)?.sale().map(|_| ()),
            Self::ReversalByKey => json::<ReversalByKey>(bytes)?.key().map(|_| ()),
            Self::NewRefund => json::<NewRefund>(bytes)?.money().map(|_| ()),
        }
    }
}
