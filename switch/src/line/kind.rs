//! How messages are counted: by message type, class and response code, in closed sets, so that nobody's input becomes a label.

/// What a message was, and how it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageKind {
    /// Its message type.
    pub mti: MtiLabel,
    /// What it was about.
    pub class: MessageClass,
    /// DE 39 of the answer.
    pub code: CodeLabel,
}

impl MessageKind {
    /// Nobody could read it, so nobody answered it.
    pub const UNREADABLE: Self =
        Self { mti: MtiLabel::NONE, class: MessageClass::Unreadable, code: CodeLabel::NONE };

    /// A message of this type, in four digits as `0200`, and what it was answered.
    pub fn of(mti: &str, code: CodeLabel) -> Self {
        Self { mti: MtiLabel::of(mti), class: MessageClass::of_mti(mti), code }
    }
}

/// The message types that are counted by themselves: requests, advices, repeats, and answers that nobody waits for.
const MTIS: [&str; 39] = [
    "0100", "0101", "0110", "0120", "0121", "0130", "0200", "0201", "0202", "0210", "0220", "0221", "0230",
    "0300", "0320", "0400", "0401", "0410", "0420", "0421", "0430", "0500", "0501", "0510", "0520", "0521",
    "0530", "0600", "0620", "0800", "0801", "0810", "0820", "1100", "1200", "1220", "1420", "1520", "1804",
];

/// A message type as a label: one of a closed set, `other`, or `none` where it could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MtiLabel(&'static str);

impl MtiLabel {
    /// There was none to be read.
    pub const NONE: Self = Self("none");

    /// The label of a type.
    pub fn of(mti: &str) -> Self {
        Self(MTIS.iter().find(|known| **known == mti).map_or("other", |known| known))
    }

    /// The label.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// What a message is about: the second digit of its MTI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// x1xx.
    Authorization,
    /// x2xx.
    Financial,
    /// x3xx.
    File,
    /// x4xx.
    Reversal,
    /// x5xx.
    Reconciliation,
    /// x6xx.
    Administrative,
    /// x7xx.
    Fee,
    /// x8xx.
    Network,
    /// Nobody could read it.
    Unreadable,
}

impl MessageClass {
    /// The class of an MTI in four digits, as `0200`.
    pub const fn of_mti(mti: &str) -> Self {
        match mti.as_bytes() {
            [_, class, _, _] => match class {
                b'1' => Self::Authorization,
                b'2' => Self::Financial,
                b'3' => Self::File,
                b'4' => Self::Reversal,
                b'5' => Self::Reconciliation,
                b'6' => Self::Administrative,
                b'7' => Self::Fee,
                b'8' => Self::Network,
                _ => Self::Unreadable,
            },
            _ => Self::Unreadable,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Financial => "financial",
            Self::File => "file",
            Self::Reversal => "reversal",
            Self::Reconciliation => "reconciliation",
            Self::Administrative => "administrative",
            Self::Fee => "fee",
            Self::Network => "network",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The DE 39 codes that are counted by themselves.
const CODES: [&str; 41] = [
    "00", "01", "02", "03", "04", "05", "10", "12", "13", "14", "15", "17", "21", "25", "30", "40", "41",
    "43", "51", "54", "55", "57", "58", "61", "62", "63", "65", "68", "75", "76", "77", "88", "91", "92",
    "94", "95", "96", "97", "98", "99", "A0",
];

/// A response code as a label: one of a closed set, `other`, or `none` where nothing was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeLabel(&'static str);

impl CodeLabel {
    /// 91: too much is under way, or not now.
    pub const INOPERATIVE: Self = Self("91");

    /// There was no answer, or none with a code.
    pub const NONE: Self = Self("none");

    /// The label of a code.
    pub fn of(code: &str) -> Self {
        Self(CODES.iter().find(|known| **known == code).map_or("other", |known| known))
    }

    /// The label.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Why a message belongs to nothing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// No terminal has this DE 41.
    Terminal,
    /// The peer's certificate is not one that this terminal's messages come under.
    Peer,
    /// A reversal, advice or completion of something that was never begun.
    Original,
    /// An answer that nobody waits for.
    Answer,
}

impl Unmatched {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Terminal => "unknown_terminal",
            Self::Peer => "foreign_terminal",
            Self::Original => "unknown_original",
            Self::Answer => "unexpected_answer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mti_is_counted_by_its_class_and_nothing_else_becomes_a_label() {
        for (mti, class) in [
            ("0200", "financial"),
            ("0421", "reversal"),
            ("1804", "network"),
            ("0900", "unreadable"),
            ("02000", "unreadable"),
            ("", "unreadable"),
        ] {
            assert_eq!(MessageClass::of_mti(mti).name(), class, "{mti}");
        }
    }

    #[test]
    fn a_message_type_that_nobody_listed_is_counted_as_other() {
        for (mti, label) in [("0200", "0200"), ("0421", "0421"), ("0299", "other"), ("", "other")] {
            assert_eq!(MtiLabel::of(mti).as_str(), label);
        }
        assert_eq!(MessageKind::UNREADABLE.mti.as_str(), "none");
    }

    #[test]
    fn a_code_that_nobody_listed_is_counted_as_other() {
        assert_eq!(CodeLabel::of("00").as_str(), "00");
        assert_eq!(CodeLabel::of("ZZ").as_str(), "other");
        assert_eq!(CodeLabel::of("").as_str(), "other");
    }
}
