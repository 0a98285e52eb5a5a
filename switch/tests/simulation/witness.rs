//! What terminals, phones and the platform saw, in the order in which they saw it; and the weather, for the reader.
//!
//! The auditor reads this and nothing else before it opens the journal. Printed as a timeline in lanes; hashed to tell
//! whether two runs of a seed were the same run. Nothing random but what comes from the seed is written down.
use actors::domain::journal::Seq;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Everybody's notebook. Clones write into the same one.
#[derive(Clone, Default)]
pub struct Witness(Arc<Mutex<Vec<Event>>>);

/// Something that somebody saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Since the simulation began.
    pub at: Duration,
    /// The journal's last durable record at that moment, as far as the switch was up.
    pub durable: Seq,
    pub who: Who,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    Weather,
    Switch,
    Platform,
    Till(usize),
    Phone(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A till asks for money, first or again.
    Asked { key: String, amount: String, patience: Duration },
    /// A till was told how its payment stands.
    Told {
        key: String,
        id: String,
        status: String,
        code: Option<String>,
        amount: Option<String>,
        reference: Option<String>,
    },
    /// How a till was told, byte for byte, where that must not change.
    Worded { key: String, words: String },
    /// A till asked with its own key for another amount, and this is what it was told (`None`: refused).
    ToldOfAnother { key: String, amount: Option<String> },
    /// A till was refused with a problem, by its status.
    Refused { key: String, status: u16 },
    /// A till heard nothing.
    Unanswered { key: String },
    /// A till takes back.
    TakesBack { key: String },
    /// A till's taking back was acknowledged: nobody pays.
    TakenBack { key: String },
    /// A till asks for a refund.
    RefundAsked { key: String, refund: String },
    /// A till is gone for good in the middle of a sale.
    Gone { key: String },
    /// A till's refund was taken on; how much.
    RefundTaken { key: String, refund: String, amount: String },
    /// A till's refund was refused.
    RefundRefused { key: String, refund: String },
    /// A till has done with a sale.
    Done { key: String },
    /// A phone was granted a terminal; when it had asked.
    Bound { terminal: String, payer: String, epoch: u64, asked: Duration },
    /// A phone was shown a payment that awaits its yes.
    Shown { id: String, amount: String, terminal: String, epoch: u64 },
    /// A phone signs its honest yes to what it was shown.
    Confirms { id: String, payer: String, amount: String, epoch: u64 },
    /// A phone says no.
    Declines { id: String },
    /// The no was acknowledged.
    Declined { id: String },
    /// A phone sends account and password.
    Presents { id: String, attempt: u32 },
    /// A phone lies, and whether it was believed.
    Lied { id: String, how: &'static str, believed: bool },
    /// The platform was asked to use a permit.
    AskedToPay { permit: String },
    /// The platform was asked for a permit.
    AskedForPermit { id: String, attempt: u8 },
    /// The platform's callback was acknowledged, and what it had said.
    CallbackAcknowledged { id: String, is_paid: bool, amount: String },
    /// The platform was asked for something else.
    AskedOf { path: String },
    /// Anything that explains the rest.
    Note(String),
}

impl Witness {
    pub fn saw(&self, at: Duration, durable: Seq, who: Who, what: What) {
        self.log().push(Event { at, durable, who, what });
    }

    pub fn len(&self) -> usize {
        self.log().len()
    }

    pub fn events(&self) -> Vec<Event> {
        self.log().clone()
    }

    /// The same for two runs that were the same.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.log().hash(&mut hasher);
        hasher.finish()
    }

    /// One line an event, one lane a witness.
    pub fn timeline(&self) -> String {
        let log = self.log();
        let mut lanes: Vec<Who> = log.iter().map(|event| event.who).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let mut text =
            lanes.iter().fold(format!("{:>9} ", "s"), |line, who| line + &format!("| {:<11}", name(*who)));
        text.push('\n');
        for event in log.iter() {
            let lane = lanes.iter().position(|who| *who == event.who).unwrap_or(0);
            let margin = "|            ".repeat(lane);
            // Writing to a String cannot fail.
            writeln!(text, "{:>9.3} {margin}| {}", event.at.as_secs_f64(), told(&event.what))
                .unwrap_or_default();
        }
        text
    }

    fn log(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(who: Who) -> String {
    match who {
        Who::Till(number) => format!("till {number}"),
        Who::Phone(number) => format!("phone {number}"),
        who => format!("{who:?}").to_lowercase(),
    }
}

fn told(what: &What) -> String {
    match what {
        What::Note(text) => text.clone(),
        what => format!("{what:?}"),
    }
}
