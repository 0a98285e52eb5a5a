//! Holds what clients were told against the platform's books and the switch's journal: the promises I1 to I4, I6, I7,
//! I12 and I15 of a quiet world.
//!
//! Pure. It believes the clients first, the platform second and the switch last, and it is not believed itself until it
//! was shown doctored accounts (`control`) and told every one. A rule that only time can break or heal (a reversal that
//! is still owed) is told apart, so that the caller can wait and ask again.
use crate::books::{Accounts, Before, Booked, Journaled};
use crate::ledger::{Held, Question, Told};
use actors::domain::identity::PaymentId;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Violations that are told in words; all are counted.
const WORDS_MAX: usize = 20;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The terminal was told yes, and there is no payment.
    Lost,
    /// A payment's money moved more than once.
    Twice,
    /// Amount, currency or merchant are not those that were asked for, everywhere.
    Changed,
    /// The terminal was told no, or nothing, and the payment stands.
    Stands,
    /// The terminal was told no, or nothing, and it is not undone yet: time may heal it.
    NotUndone,
    /// A payment stands that no terminal asked for.
    Orphan,
    /// A question was never answered.
    Unanswered,
    /// The same question got another answer.
    Contradicted,
    /// Money went back that nobody wanted back.
    GivenBack,
    /// The journal does not know what a client was told, or says something else.
    Unrecorded,
}

impl Rule {
    pub const ALL: [Self; 10] = [
        Self::Lost,
        Self::Twice,
        Self::Changed,
        Self::Stands,
        Self::NotUndone,
        Self::Orphan,
        Self::Unanswered,
        Self::Contradicted,
        Self::GivenBack,
        Self::Unrecorded,
    ];

    /// As thresholds name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Twice => "twice",
            Self::Changed => "changed",
            Self::Stands => "stands",
            Self::NotUndone => "not_undone",
            Self::Orphan => "orphan",
            Self::Unanswered => "unanswered",
            Self::Contradicted => "contradicted",
            Self::GivenBack => "given_back",
            Self::Unrecorded => "unrecorded",
        }
    }

    /// In words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Lost => "approved and not paid",
            Self::Twice => "paid more than once",
            Self::Changed => "amount, currency or merchant changed",
            Self::Stands => "not approved, and the payment stands",
            Self::NotUndone => "not approved, and not undone yet",
            Self::Orphan => "paid, and no terminal asked",
            Self::Unanswered => "asked and never answered",
            Self::Contradicted => "the same question, another answer",
            Self::GivenBack => "money went back that nobody wanted back",
            Self::Unrecorded => "the journal does not say what the client was told",
        }
    }

    /// Whether the switch may still be at work on it.
    pub const fn may_heal(self) -> bool {
        matches!(self, Self::NotUndone | Self::Stands | Self::Orphan)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub rule: Rule,
    pub payment: String,
    pub what: String,
}

/// What the judge found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// Payments that clients know of.
    pub judged: usize,
    pub approved: usize,
    pub refused: usize,
    pub taken_back: usize,
    /// How many payments of the run the platform's books hold; nothing if they were not read.
    pub booked: Option<usize>,
    /// The same of the switch's journal.
    pub journaled: Option<usize>,
    /// How many violations of each rule.
    pub counts: BTreeMap<Rule, u64>,
    /// Some of them, in words.
    pub violations: Vec<Violation>,
    /// What two accounts tell of one payment is one violation.
    #[serde(skip)]
    known: HashSet<(Rule, PaymentId)>,
}

impl Findings {
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts.get(&rule).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub fn may_heal(&self) -> bool {
        self.counts.keys().any(|rule| rule.may_heal())
    }

    fn found(&mut self, rule: Rule, payment: PaymentId, what: impl FnOnce() -> String) {
        if !self.known.insert((rule, payment)) {
            return;
        }
        let count = self.counts.entry(rule).or_default();
        *count = count.saturating_add(1);
        if self.violations.len() < WORDS_MAX {
            self.violations.push(Violation { rule, payment: payment.to_string(), what: what() });
        }
    }
}

/// An account by payment; what is there twice is kept twice.
struct ById<'a, T>(HashMap<PaymentId, Vec<&'a T>>);

impl<'a, T> ById<'a, T> {
    fn new(all: &'a [T], before: &Before, id: impl Fn(&T) -> PaymentId) -> Self {
        let mut by_id: HashMap<PaymentId, Vec<&T>> = HashMap::with_capacity(all.len());
        for entry in all.iter().filter(|entry| !before.holds(id(entry))) {
            by_id.entry(id(entry)).or_default().push(entry);
        }
        Self(by_id)
    }

    fn of(&self, id: PaymentId) -> &[&'a T] {
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// Judges a run.
pub fn judged(told: &[Told], accounts: &Accounts, before: &Before) -> Findings {
    let mut findings = Findings { judged: told.len(), ..Findings::default() };
    let books = accounts.books.as_deref().map(|books| ById::new(books, before, |booked| booked.payment));
    let journal = accounts.journal.as_deref().map(|lines| ById::new(lines, before, |line| line.payment));
    findings.booked = books.as_ref().map(|books| books.0.len());
    findings.journaled = journal.as_ref().map(|journal| journal.0.len());
    let mut known: HashMap<PaymentId, u32> = HashMap::with_capacity(told.len());
    for one in told {
        let times = known.entry(one.question.id).or_default();
        *times = times.saturating_add(1);
        count(&mut findings, one);
        by_clients(&mut findings, one);
        if let Some(books) = &books {
            by_books(&mut findings, one, books.of(one.question.id));
        }
        if let Some(journal) = &journal {
            by_journal(&mut findings, one, journal.of(one.question.id));
        }
    }
    let strangers = books.iter().flat_map(|books| &books.0).filter(|(id, _)| !known.contains_key(id));
    for (id, entries) in strangers {
        if entries.iter().any(|entry| entry.status == "paid") {
            findings.found(Rule::Orphan, *id, || format!("in the books: {entries:?}"));
        }
    }
    let strangers = journal.iter().flat_map(|journal| &journal.0).filter(|(id, _)| !known.contains_key(id));
    for (id, lines) in strangers {
        if lines.iter().any(|line| line.status == "paid") {
            findings.found(Rule::Orphan, *id, || format!("in the journal: {lines:?}"));
        }
    }
    findings
}

fn count(findings: &mut Findings, told: &Told) {
    let counter = match told.held {
        Some(Held::Approved(_)) => &mut findings.approved,
        Some(Held::Declined(_) | Held::TurnedAway(_)) => &mut findings.refused,
        Some(Held::TakenBack) => &mut findings.taken_back,
        None => return,
    };
    *counter = counter.saturating_add(1);
}

/// What clients saw is wrong by itself.
fn by_clients(findings: &mut Findings, told: &Told) {
    let Question { id, money, merchant, .. } = &told.question;
    if told.held.is_none() {
        findings.found(Rule::Unanswered, *id, || format!("{told:?}"));
    }
    if told.another.is_some() {
        findings.found(Rule::Contradicted, *id, || format!("{told:?}"));
    }
    let Some(shown) = &told.shown else { return };
    let is_merchant = merchant.is_none_or(|merchant| merchant.as_str() == shown.merchant);
    if shown.amount != money.decimal() || shown.currency != money.currency().code() || !is_merchant {
        findings.found(Rule::Changed, *id, || format!("the phone was shown something else: {told:?}"));
    }
}

/// Whether these are what was asked for; what is not said is not wrong.
fn is_asked(
    question: &Question,
    amount: Option<&String>,
    currency: Option<&String>,
    merchant: Option<&String>,
) -> bool {
    let money = question.money;
    amount.is_none_or(|amount| *amount == money.decimal())
        && currency.is_none_or(|currency| currency == money.currency().code())
        && merchant.zip(question.merchant).is_none_or(|(is, asked)| is == asked.as_str())
}

fn by_books(findings: &mut Findings, told: &Told, entries: &[&Booked]) {
    let id = told.question.id;
    let paid = entries.iter().filter(|entry| entry.status == "paid").count();
    let both = || format!("{told:?}, in the books {entries:?}");
    if paid > 1 {
        findings.found(Rule::Twice, id, both);
    }
    for entry in entries {
        let (amount, currency) = (entry.amount.as_ref(), entry.currency.as_ref());
        if !is_asked(&told.question, amount, currency, entry.merchant.as_ref()) {
            findings.found(Rule::Changed, id, both);
        }
        if !entry.refunds.is_empty() {
            findings.found(Rule::GivenBack, id, both);
        }
    }
    let is_clear = entries.iter().all(|entry| entry.status == "reversed");
    match &told.held {
        Some(Held::Approved(_)) if paid == 0 => findings.found(Rule::Lost, id, both),
        Some(Held::Approved(Some(name))) if entries.iter().all(|e| e.reference.as_ref() != Some(name)) => {
            findings.found(Rule::Twice, id, || format!("the terminal was told of another debit: {}", both()));
        }
        Some(Held::Approved(_)) => {}
        _ if paid > 0 => findings.found(Rule::Stands, id, both),
        _ if !is_clear => findings.found(Rule::NotUndone, id, both),
        _ => {}
    }
}

fn by_journal(findings: &mut Findings, told: &Told, lines: &[&Journaled]) {
    let id = told.question.id;
    let both = || format!("{told:?}, in the journal {lines:?}");
    let [line] = lines else {
        // What was turned away left no trace, and need not have.
        let is_due = matches!(told.held, Some(Held::Approved(_) | Held::TakenBack));
        if lines.len() > 1 {
            findings.found(Rule::Twice, id, both);
        } else if is_due {
            findings.found(Rule::Unrecorded, id, both);
        }
        return;
    };
    if line.settled > 1 {
        findings.found(Rule::Twice, id, both);
    }
    let (amount, currency, merchant) = (line.amount.as_ref(), line.currency.as_ref(), line.merchant.as_ref());
    let is_settled_as_asked = is_asked(&told.question, line.settled_amount.as_ref(), None, None);
    if !is_asked(&told.question, amount, currency, merchant) || !is_settled_as_asked {
        findings.found(Rule::Changed, id, both);
    }
    if line.refunds > 0 {
        findings.found(Rule::GivenBack, id, both);
    }
    let is_paid = line.status == "paid";
    match &told.held {
        Some(Held::Approved(_)) if !is_paid => findings.found(Rule::Unrecorded, id, both),
        Some(Held::Approved(Some(name))) if line.reference.as_ref() != Some(name) => {
            findings.found(Rule::Twice, id, || format!("the terminal was told of another debit: {}", both()));
        }
        Some(Held::Approved(_)) => {}
        _ if is_paid => findings.found(Rule::Stands, id, both),
        _ if ["open", "reversing"].contains(&line.status.as_str()) => {
            findings.found(Rule::NotUndone, id, both);
        }
        _ => {}
    }
}
