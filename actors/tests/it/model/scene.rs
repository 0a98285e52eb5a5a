//! The world with its terminal at the far end of a line that breaks, delays and doubles.
//!
//! `world` has the switch, its disk, the phone and the platform; here the terminal gets eyes of its own: what it
//! believes is what reached it. It waits, loses patience, takes back what it asked for, and asks again for as long as
//! nobody answers. A question that is lost is one that is asked later; an answer that is lost is a line that broke
//! before it came. So only what comes late is under way. The checker and its properties are in `model`.
use crate::explore::check;
use crate::life::receipt;
use crate::model::PaymentModel;
use crate::world::{Broken, Move, World};
use actors::domain::payment::invariants::{History, Invariant, Said, Spoken, Violation, audit_at_rest};
use actors::domain::payment::{Outcome, Payment};
use actors::domain::response_code::Refusal;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

/// How a terminal behaves; the last three are wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Takes back what it asked for once its time is up, or when it has missed the answer.
    Patient,
    /// Takes it back at any moment, like a cashier who cancels.
    Hasty,
    /// Hands the goods out when nobody answers.
    TakesSilenceForAYes,
    /// Says once that it takes it back, whether or not anybody heard.
    TakesBackOnlyOnce,
    /// Never asks for anything.
    Mute,
}

/// What the terminal knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Till {
    Idle,
    Waiting,
    TakingBack,
    Knows(Answer),
}

/// How it ended, as the terminal hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Approved,
    Refused,
}

/// What the terminal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    Order,
    Reversal,
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    /// The line breaks; it arrives at some later time, or too late to matter.
    IsLate,
    /// It arrives, and once more at some later time.
    Doubles,
}

/// One thing that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Orders(Fate),
    TakesBack(Fate),
    AsksAgain,
    /// Before the answer that is about to come.
    LineBreaks,
    ArrivesLate(Question),
    World(Move),
}

/// Everything there is, and what the promises say to it.
#[derive(Clone, Debug)]
pub struct Scene {
    pub world: World,
    pub till: Till,
    late: BTreeSet<Question>,
    /// The terminal's question is open at the switch.
    asked: bool,
    /// How often the terminal may still take back what was approved.
    second_thoughts: u8,
    has_news: bool,
    /// Stands for all of the above that makes a difference.
    mark: u64,
    verdict: OnceLock<Option<Violation>>,
}

impl Scene {
    pub fn new(world: World, second_thoughts: u8) -> Self {
        let (till, late, asked, has_news) = (Till::Idle, BTreeSet::new(), false, true);
        let verdict = OnceLock::new();
        Self { world, till, late, asked, second_thoughts, has_news, mark: 0, verdict }.marked()
    }

    /// The promise that is broken here, or that will be when nothing more goes wrong.
    pub fn verdict(&self, model: &PaymentModel) -> Option<Violation> {
        *self.verdict.get_or_init(|| {
            model.judges();
            check(&self.world, self.has_news).and_then(|()| self.ends_well(model)).err()
        })
    }

    /// Whether something is wrong here already, whatever comes.
    pub fn is_broken(&self) -> bool {
        check(&self.world, true).is_err()
    }

    pub fn acts(&self, terminal: Terminal, acts: &mut Vec<Act>) {
        if terminal == Terminal::Mute {
            return;
        }
        if self.world.takes_in() {
            self.questions(terminal, acts);
            acts.extend(self.late.iter().copied().map(Act::ArrivesLate));
        }
        if self.asked && self.world.left.losses > 0 && self.is_decided() {
            acts.push(Act::LineBreaks);
        }
        let by_the_terminal = |what: &Move| matches!(what, Move::Order | Move::Reversal);
        acts.extend(self.world.moves().into_iter().filter(|what| !by_the_terminal(what)).map(Act::World));
    }

    fn questions(&self, terminal: Terminal, acts: &mut Vec<Act>) {
        let fates = [
            Some(Fate::Arrives),
            (self.world.left.losses > 0).then_some(Fate::IsLate),
            (self.world.left.doubled > 0).then_some(Fate::Doubles),
        ];
        for fate in fates.into_iter().flatten() {
            match self.till {
                Till::Idle => acts.push(Act::Orders(fate)),
                Till::Waiting if self.patience_ends(terminal) => acts.push(Act::TakesBack(fate)),
                Till::Knows(Answer::Approved) if self.second_thoughts > 0 => acts.push(Act::TakesBack(fate)),
                _ => {}
            }
        }
        if self.asks_again(terminal) {
            acts.push(Act::AsksAgain);
        }
    }

    pub fn after(&self, terminal: Terminal, act: Act) -> Self {
        let mut next = Self { has_news: false, verdict: OnceLock::new(), ..self.clone() };
        match act {
            Act::Orders(fate) => {
                next.till = Till::Waiting;
                next.asks(Question::Order, fate);
            }
            Act::TakesBack(_) if terminal == Terminal::TakesSilenceForAYes => {
                next.asked = false;
                next.till = Till::Knows(Answer::Approved);
            }
            Act::TakesBack(fate) => {
                next.second_thoughts -= u8::from(self.till == Till::Knows(Answer::Approved));
                next.till = Till::TakingBack;
                next.asks(Question::Reversal, fate);
            }
            Act::AsksAgain => next.asks(self.question(), Fate::Arrives),
            Act::LineBreaks => {
                next.world.left.losses -= 1;
                next.asked = false;
            }
            Act::ArrivesLate(question) => {
                next.late.remove(&question);
                next.world.take_in(told(question));
            }
            Act::World(what) => {
                next.world.take_in(what);
                next.asked &= what != Move::Crash;
            }
        }
        next.answers();
        next.has_news = next.world.has_news_since(&self.world);
        next.marked()
    }

    fn marked(mut self) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.till, self.asked, self.second_thoughts, &self.late, &self.world).hash(&mut hasher);
        self.mark = hasher.finish();
        self
    }

    pub const fn mark(&self) -> u64 {
        self.mark
    }

    /// The next thing that happens when nobody does anything new; `None` when nothing is left.
    pub fn quiet_act(&self, terminal: Terminal) -> Option<Act> {
        if !self.world.is_written() {
            return Some(Act::World(Move::Disk));
        }
        if let Some(question) = self.late.first() {
            return Some(Act::ArrivesLate(*question));
        }
        if self.asks_again(terminal) {
            return Some(Act::AsksAgain);
        }
        self.world.quiet_move().map(Act::World)
    }

    /// Nothing more goes wrong from here: does everything come to rest, and rightly?
    fn ends_well(&self, model: &PaymentModel) -> Result<(), Violation> {
        let mut way = BTreeSet::new();
        let mut later: Option<Self> = None;
        loop {
            let here = later.as_ref().unwrap_or(self);
            if model.is_known_to_end(here.mark) {
                break;
            }
            if !way.insert(here.mark) {
                return Err(broken(Invariant::NothingHangs, "the end of the day goes round in circles"));
            }
            let Some(act) = here.quiet_act(model.terminal) else {
                here.rests_well()?;
                break;
            };
            later = Some(here.after(model.terminal, act));
        }
        model.these_end(way);
        Ok(())
    }

    fn rests_well(&self) -> Result<(), Violation> {
        check(&self.world, true)?;
        if !self.world.is_at_rest() || matches!(self.till, Till::Waiting | Till::TakingBack) {
            return Err(broken(Invariant::NothingHangs, "nothing is under way and somebody still waits"));
        }
        if self.world.left_a_permit_behind() {
            return Err(broken(Invariant::PermitOnce, "refused, and the platform still holds a permit"));
        }
        let spoken = self.believed();
        audit_at_rest(&History { spoken: &spoken, ..self.world.history() })
    }

    /// What was said, as the terminal would tell it: only what reached it.
    fn believed(&self) -> Vec<Spoken> {
        let outcome = match self.till {
            Till::Knows(Answer::Approved) => Outcome::Approved(receipt("12.50")),
            Till::Knows(Answer::Refused) => Outcome::Refused(Refusal::ReversedByTerminal),
            _ => return Vec::new(),
        };
        vec![Spoken { after: self.world.history().facts.len(), said: Said::TerminalTold(outcome) }]
    }
}

/// The terminal and its line.
impl Scene {
    fn asks(&mut self, question: Question, fate: Fate) {
        match fate {
            Fate::Arrives => {}
            Fate::IsLate => self.world.left.losses -= 1,
            Fate::Doubles => self.world.left.doubled -= 1,
        }
        if fate != Fate::Arrives {
            self.late.insert(question);
        }
        self.asked = fate != Fate::IsLate;
        if self.asked {
            self.world.take_in(told(question));
        }
    }

    fn patience_ends(&self, terminal: Terminal) -> bool {
        let missed_it = !self.asked && self.is_decided();
        terminal == Terminal::Hasty || missed_it || self.world.answer_is_due()
    }

    const fn question(&self) -> Question {
        if matches!(self.till, Till::TakingBack) { Question::Reversal } else { Question::Order }
    }

    /// The line is gone and no answer came: the terminal asks again, under the same key, until there is one to be had.
    fn asks_again(&self, terminal: Terminal) -> bool {
        let is_worth_it = match self.till {
            Till::Waiting => self.world.live().is_none() || (self.is_decided() && self.world.is_written()),
            Till::TakingBack => terminal != Terminal::TakesBackOnlyOnce,
            Till::Idle | Till::Knows(_) => false,
        };
        is_worth_it && !self.asked
    }

    fn is_decided(&self) -> bool {
        self.world.live().is_some_and(|payment| payment.outcome().is_some())
    }

    /// The switch answers who waits once it is decided and all of that is on disk.
    fn answers(&mut self) {
        let speaks = self.world.is_written() || self.world.plan.broken == Some(Broken::SpeaksBeforeTheDisk);
        let Some(outcome) = self.world.live().and_then(Payment::outcome) else { return };
        if !self.asked || !speaks {
            return;
        }
        self.asked = false;
        self.till = Till::Knows(match outcome {
            Outcome::Approved(_) => Answer::Approved,
            Outcome::Refused(_) => Answer::Refused,
        });
        if self.world.last_told() != Some(&outcome) {
            self.world.tell_terminal(Some(outcome));
        }
    }
}

const fn told(question: Question) -> Move {
    match question {
        Question::Order => Move::Order,
        Question::Reversal => Move::Reversal,
    }
}

fn broken(invariant: Invariant, what: &'static str) -> Violation {
    Violation { invariant, payment: World::id(), what }
}

impl PartialEq for Scene {
    fn eq(&self, other: &Self) -> bool {
        let seen = |scene: &Self| (scene.till, scene.asked, scene.second_thoughts);
        seen(self) == seen(other) && self.late == other.late && self.world == other.world
    }
}

impl Hash for Scene {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.mark);
    }
}
