//! What payments are: stories with weights, drawn by chance.
//!
//! A [`Story`] says what the terminal and the phone do and how it may end. How it is played is `player`'s.
use crate::chance::Chance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What one payment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Story {
    /// The payer confirms and pays.
    Sale,
    /// The terminal asks before anybody stands there; the phone comes while it waits.
    TerminalFirst,
    /// The payer says no.
    Decline,
    /// The payer mistypes the password once.
    WrongPassword,
    /// The phone confirms and is never seen again.
    Vanished,
    /// The payer never reacts.
    Ignored,
    /// Nobody stands there: the terminal asks, and takes back at once.
    Abandoned,
    /// A sale that the terminal takes back afterwards.
    Reversal,
    /// The terminal takes back while the payer is paying.
    Impatient,
    /// A sale whose question comes again after its answer.
    Repeat,
    /// The terminal loses its connection while it waits, and asks again over a new one.
    Reconnect,
    /// The phone loses its stream of events, and comes back.
    PhoneReconnect,
    /// The platform gives no permit.
    PlatformRefuses,
    /// Its permits are over at once.
    PlatformExpires,
    /// The payment stays pending there.
    PlatformPending,
    /// Its word comes late.
    PlatformLate,
    /// Its word never comes.
    PlatformSilent,
}

/// Whose phone it takes: the platform's magic subscriber numbers bring trouble of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayerKind {
    Plain,
    Refused,
    Expired,
    Pending,
    Late,
    Silent,
}

/// How a payment ended, as its terminal sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Approved,
    Declined,
    TakenBack,
}

impl Story {
    pub const ALL: [Self; 17] = [
        Self::Sale,
        Self::TerminalFirst,
        Self::Decline,
        Self::WrongPassword,
        Self::Vanished,
        Self::Ignored,
        Self::Abandoned,
        Self::Reversal,
        Self::Impatient,
        Self::Repeat,
        Self::Reconnect,
        Self::PhoneReconnect,
        Self::PlatformRefuses,
        Self::PlatformExpires,
        Self::PlatformPending,
        Self::PlatformLate,
        Self::PlatformSilent,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::TerminalFirst => "terminal_first",
            Self::Decline => "decline",
            Self::WrongPassword => "wrong_password",
            Self::Vanished => "vanished",
            Self::Ignored => "ignored",
            Self::Abandoned => "abandoned",
            Self::Reversal => "reversal",
            Self::Impatient => "impatient",
            Self::Repeat => "repeat",
            Self::Reconnect => "reconnect",
            Self::PhoneReconnect => "phone_reconnect",
            Self::PlatformRefuses => "platform_refuses",
            Self::PlatformExpires => "platform_expires",
            Self::PlatformPending => "platform_pending",
            Self::PlatformLate => "platform_late",
            Self::PlatformSilent => "platform_silent",
        }
    }

    pub const fn payer(self) -> PayerKind {
        match self {
            Self::PlatformRefuses => PayerKind::Refused,
            Self::PlatformExpires => PayerKind::Expired,
            Self::PlatformPending => PayerKind::Pending,
            Self::PlatformLate => PayerKind::Late,
            Self::PlatformSilent => PayerKind::Silent,
            Self::Sale
            | Self::TerminalFirst
            | Self::Decline
            | Self::WrongPassword
            | Self::Vanished
            | Self::Ignored
            | Self::Abandoned
            | Self::Reversal
            | Self::Impatient
            | Self::Repeat
            | Self::Reconnect
            | Self::PhoneReconnect => PayerKind::Plain,
        }
    }

    /// Whether everybody in it answers at once, so that its times tell of the switch and not of people.
    pub const fn is_prompt(self) -> bool {
        matches!(
            self,
            Self::Sale
                | Self::Decline
                | Self::WrongPassword
                | Self::Reversal
                | Self::Repeat
                | Self::Reconnect
                | Self::PhoneReconnect
        )
    }

    /// Whether it may end like that on a day on which nothing is wrong.
    pub const fn may_end(self, ending: Ending) -> bool {
        match self {
            Self::Sale
            | Self::TerminalFirst
            | Self::WrongPassword
            | Self::Repeat
            | Self::Reconnect
            | Self::PhoneReconnect => {
                matches!(ending, Ending::Approved)
            }
            Self::Reversal => matches!(ending, Ending::TakenBack),
            Self::PlatformLate => true,
            Self::Decline
            | Self::Abandoned
            | Self::Impatient
            | Self::Vanished
            | Self::Ignored
            | Self::PlatformRefuses
            | Self::PlatformExpires
            | Self::PlatformPending
            | Self::PlatformSilent => matches!(ending, Ending::Declined | Ending::TakenBack),
        }
    }

    /// About how long it keeps its phone and terminal busy, where a terminal is patient and a customer looks for so long.
    pub const fn keeps_busy(self, patience: Duration, looks: Duration) -> Duration {
        match self {
            Self::Vanished
            | Self::Ignored
            | Self::PlatformPending
            | Self::PlatformLate
            | Self::PlatformSilent => patience,
            Self::Impatient | Self::Abandoned => Duration::from_millis(500),
            Self::TerminalFirst => Duration::from_millis(1_300).saturating_add(looks),
            _ => Duration::from_millis(300).saturating_add(looks),
        }
    }
}

impl PayerKind {
    /// The last digits of the subscriber number: docs/http-api.md's magic numbers end in 451 to 455.
    pub const fn digits(self) -> &'static str {
        match self {
            Self::Plain => "000",
            Self::Refused => "451",
            Self::Expired => "452",
            Self::Pending => "453",
            Self::Late => "454",
            Self::Silent => "455",
        }
    }
}

impl std::fmt::Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Story {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|story| story.name() == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("there is no story {name:?}: there are {}", known.join(", "))
        })
    }
}

/// Stories with weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Each with the sum of the weights up to it.
    steps: Vec<(f64, Story)>,
    sum: f64,
}

impl Mix {
    /// `None` if nothing has a weight.
    pub fn new(weights: &BTreeMap<Story, f64>) -> Option<Self> {
        let (mut sum, mut steps) = (0.0, Vec::new());
        for (story, weight) in weights.iter().filter(|(_, weight)| **weight > 0.0) {
            sum += weight;
            steps.push((sum, *story));
        }
        (!steps.is_empty()).then_some(Self { steps, sum })
    }

    pub fn draw(&self, chance: &mut Chance) -> Story {
        let at = chance.unit() * self.sum;
        self.steps.iter().find(|(upto, _)| at <= *upto).map_or(Story::Sale, |(_, story)| *story)
    }

    /// The stories with their shares of all payments.
    pub fn shares(&self) -> impl Iterator<Item = (Story, f64)> + '_ {
        let before = std::iter::once(0.0).chain(self.steps.iter().map(|(upto, _)| *upto));
        self.steps.iter().zip(before).map(|((upto, story), before)| (*story, (upto - before) / self.sum))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stories_come_as_often_as_their_weights_say() {
        let weights = BTreeMap::from([(Story::Sale, 90.0), (Story::Decline, 10.0), (Story::Vanished, 0.0)]);
        let (mix, mut chance) = (Mix::new(&weights).unwrap(), Chance::of_seed(5));
        let drawn: Vec<Story> = (0..10_000).map(|_| mix.draw(&mut chance)).collect();
        let declined = drawn.iter().filter(|story| **story == Story::Decline).count();
        // 1,000 of 10,000: 150 off is five standard deviations.
        assert!(declined.abs_diff(1_000) < 150);
        assert!(!drawn.contains(&Story::Vanished));
        let shares: Vec<_> = mix.shares().collect();
        assert!(shares.iter().any(|(story, share)| *story == Story::Sale && (share - 0.9).abs() < 1e-9));
    }

    #[test]
    fn every_story_is_known_by_its_name() {
        for story in Story::ALL {
            assert_eq!(story.name().parse(), Ok(story));
            assert_eq!(serde_json::to_value(story).unwrap(), story.name());
        }
    }
}
