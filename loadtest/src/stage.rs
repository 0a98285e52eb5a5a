//! The stages of a payment that are timed, the doors it comes through, and which of all that a figure is about.

use crate::mix::Story;
use serde::{Deserialize, Serialize};

/// From where to where is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// From when a payment was due until it was begun: the generator's own.
    Lag,
    /// The phone's binding to the terminal.
    Bind,
    /// From the terminal's question until the phone has it.
    Push,
    /// From the phone's yes until it has the platform's interface.
    Confirm,
    /// From the credential until the phone knows.
    Pay,
    /// From when the terminal's question was due until its answer.
    Answer,
    /// From a terminal's reversal until it is acknowledged.
    Reversal,
    /// From a repeated question until the same answer.
    Repeat,
    /// From when the payment was due until both sides knew.
    Whole,
}

/// What a terminal speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Http,
    Iso,
}

/// Whose payments: everybody's, or those of the merchant who runs away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Crowd {
    Everybody,
    Runaway,
}

/// What a time belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    pub stage: Stage,
    pub door: Door,
    pub story: Story,
    pub crowd: Crowd,
}

/// Which labels a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector {
    pub stage: Stage,
    pub door: Option<Door>,
    /// Without one: those in which everybody answers at once.
    pub story: Option<Story>,
    pub crowd: Crowd,
}

impl Stage {
    pub const ALL: [Self; 9] = [
        Self::Lag,
        Self::Bind,
        Self::Push,
        Self::Confirm,
        Self::Pay,
        Self::Answer,
        Self::Reversal,
        Self::Repeat,
        Self::Whole,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Bind => "bind",
            Self::Push => "push",
            Self::Confirm => "confirm",
            Self::Pay => "pay",
            Self::Answer => "answer",
            Self::Reversal => "reversal",
            Self::Repeat => "repeat",
            Self::Whole => "whole",
        }
    }

    /// For people.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Lag => "due -> begun (the generator's own)",
            Self::Bind => "phone binds to terminal",
            Self::Push => "question -> shown on the phone",
            Self::Confirm => "phone's yes -> interface to pay",
            Self::Pay => "credential -> phone knows",
            Self::Answer => "question due -> terminal's answer",
            Self::Reversal => "reversal -> acknowledged",
            Self::Repeat => "repeated question -> same answer",
            Self::Whole => "payment due -> both sides know",
        }
    }
}

impl Door {
    pub const ALL: [Self; 2] = [Self::Http, Self::Iso];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Iso => "iso",
        }
    }
}

impl Selector {
    /// Everybody's, through all doors, of the prompt stories.
    pub const fn of(stage: Stage) -> Self {
        Self { stage, door: None, story: None, crowd: Crowd::Everybody }
    }

    pub fn takes(self, label: Label) -> bool {
        self.stage == label.stage
            && self.crowd == label.crowd
            && self.door.is_none_or(|door| door == label.door)
            && self.story.map_or(label.story.is_prompt(), |story| story == label.story)
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.stage.name())?;
        let parts = [self.door.map(Door::name), self.story.map(Story::name)];
        parts.into_iter().flatten().try_for_each(|part| write!(f, ".{part}"))
    }
}
