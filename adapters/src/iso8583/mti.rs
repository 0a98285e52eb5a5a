//! The message type indicator: four digits of which each has a meaning, and none else is one.
//!
//! Version, class, function, origin (ISO 8583:1987, 4.1.1). Which of the possible ones a link may send is the link's
//! affair; `9999` is nobody's.
use std::fmt;
use std::str::FromStr;

/// Four digits, each within its range: version 0 or 1, class 1 to 8, function 0 to 4, origin 0 to 5.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mti([u8; 4]);

/// What was read is not a message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message type: four digits, version 0 or 1, class 1 to 8, function 0 to 4, origin 0 to 5")]
pub struct NotAnMti;

/// The second digit: what the message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 1: may this be paid?
    Authorization,
    /// 2: pay this.
    Financial,
    /// 3: files.
    FileAction,
    /// 4: undo that.
    Reversal,
    /// 5: totals.
    Reconciliation,
    /// 6: administrative.
    Administrative,
    /// 7: fees.
    FeeCollection,
    /// 8: sign-on, echo, keys.
    NetworkManagement,
}

/// The third digit: who waits for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// 0: asked.
    Request,
    /// 1: its answer.
    Response,
    /// 2: told; it happened already.
    Advice,
    /// 3: heard.
    AdviceResponse,
    /// 4: told, and nothing is waited for.
    Notification,
}

/// The fourth digit without its repeat bit: who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// 0 and 1.
    Acquirer,
    /// 2 and 3.
    Issuer,
    /// 4 and 5.
    Other,
}

impl Mti {
    /// Of four ASCII digits.
    pub fn parse(digits: &[u8]) -> Result<Self, NotAnMti> {
        match digits {
            &[v @ b'0'..=b'1', c @ b'1'..=b'8', f @ b'0'..=b'4', o @ b'0'..=b'5'] => Ok(Self([v, c, f, o])),
            _ => Err(NotAnMti),
        }
    }

    /// The four digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The four digits, in ASCII.
    pub const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// The version's digit: `0` is 1987, `1` is 1993.
    pub const fn version(self) -> u8 {
        let [version, ..] = self.0;
        version - b'0'
    }

    /// What it is about.
    pub const fn class(self) -> Class {
        let [_, class, ..] = self.0;
        match class {
            b'1' => Class::Authorization,
            b'2' => Class::Financial,
            b'3' => Class::FileAction,
            b'4' => Class::Reversal,
            b'5' => Class::Reconciliation,
            b'6' => Class::Administrative,
            b'7' => Class::FeeCollection,
            _ => Class::NetworkManagement,
        }
    }

    /// Who waits for whom.
    pub const fn function(self) -> Function {
        let [_, _, function, _] = self.0;
        match function {
            b'0' => Function::Request,
            b'1' => Function::Response,
            b'2' => Function::Advice,
            b'3' => Function::AdviceResponse,
            _ => Function::Notification,
        }
    }

    /// Who began.
    pub const fn origin(self) -> Origin {
        let [.., origin] = self.0;
        match origin {
            b'0' | b'1' => Origin::Acquirer,
            b'2' | b'3' => Origin::Issuer,
            _ => Origin::Other,
        }
    }

    /// Whether an answer is waited for: requests and advices.
    pub const fn is_request(self) -> bool {
        matches!(self.function(), Function::Request | Function::Advice)
    }

    /// Whether it was sent before.
    pub const fn is_repeat(self) -> bool {
        let [.., origin] = self.0;
        origin % 2 == 1
    }

    /// What answers it: the next function, and no repeat (jPOS' `setResponseMTI`). Only requests and advices have one.
    pub const fn response(self) -> Option<Self> {
        if !self.is_request() {
            return None;
        }
        let Self([version, class, function, origin]) = self.without_repeat();
        Some(Self([version, class, function + 1, origin]))
    }

    /// As it was sent the first time.
    #[must_use]
    pub const fn without_repeat(self) -> Self {
        let [version, class, function, origin] = self.0;
        Self([version, class, function, origin - origin % 2])
    }

    /// As it is sent again.
    #[must_use]
    pub const fn as_repeat(self) -> Self {
        let Self([version, class, function, origin]) = self.without_repeat();
        Self([version, class, function, origin + 1])
    }
}

impl FromStr for Mti {
    type Err = NotAnMti;

    fn from_str(text: &str) -> Result<Self, NotAnMti> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
