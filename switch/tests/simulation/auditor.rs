//! Holds what terminals, phones and the platform saw against one another, and only then against the journal.
//!
//! It knows nothing of the switch but the published words: a promise that is broken is broken for whoever stands outside.
//! The promises that need the facts in between (I5, I7, I8) are the domain's own functions over the durable journal.
use crate::journal::{DAY, Ledger};
use crate::plan::{Fault, Kind, Plan};
use crate::scene::terminal;
use crate::weather::Ended;
use crate::witness::{Event, What, Who};
use actors::domain::identity::{Keeper, PaymentId, PaymentKey};
use actors::domain::money::Money;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use switch::sandbox::books::{BooksPage, PaymentPage};

/// A promise that was broken, by its number, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
}

/// What a checker can say of a simulation.
#[derive(Debug, Default)]
pub struct Verdict {
    pub violations: BTreeSet<Violation>,
    pub sales: usize,
    pub approved: usize,
    pub taken_back: usize,
    pub debits: usize,
}

/// A sale as its till knows it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what a till did are independent facts")]
struct Sale {
    till: usize,
    amount: String,
    asked: Vec<(Duration, Duration)>,
    /// Status, code, amount and platform's reference, in the order told.
    told: Vec<Told>,
    takes_back: Option<usize>,
    is_taken_back: bool,
    is_done: bool,
    /// Its till is gone for good: what it would have held nobody knows.
    is_gone: bool,
    refunds: BTreeMap<String, String>,
    asked_refunds: BTreeSet<String>,
    refused_refunds: BTreeSet<String>,
    told_of_another: Vec<Option<String>>,
    /// Each answer as it came, and whether the till had begun to take the sale back by then.
    worded: Vec<(String, bool)>,
    troubled: bool,
}

#[derive(Clone, Debug)]
struct Told {
    at: Duration,
    id: String,
    status: String,
    code: Option<String>,
    amount: Option<String>,
    before_taking_back: bool,
}

impl Told {
    fn is_decided(&self) -> bool {
        ["Approved", "Declined", "Reversing", "Reversed"].contains(&self.status.as_str())
    }
}

impl Sale {
    /// Whether the till holds an approval at the end.
    fn holds_approval(&self) -> bool {
        !self.is_taken_back
            && self.told.iter().rfind(|told| told.is_decided()).is_some_and(|told| told.status == "Approved")
    }
}

/// Judges a simulation that has ended.
pub fn judge(ended: &Ended) -> Verdict {
    let events = ended.scene.witness.events();
    let books = ended.desk.books();
    let sales = sales(&events);
    let mut court = Court {
        plan: &ended.scene.plan,
        events: &events,
        books: &books,
        sales: &sales,
        broken: BTreeSet::new(),
    };
    if let Some(unrest) = &ended.unrest {
        court.broke("I14", format!("a minute after the weather cleared it was not quiet: {unrest}"));
    }
    court.money();
    court.answers();
    court.displays();
    court.bindings();
    court.evictions();
    let ledger = Ledger::read(&ended.scene.disk(), ended.scene.plan.kind != Kind::Long);
    let mut violations = court.broken;
    let lines = ended.desk.daily(DAY).map(|page| page.lines).unwrap_or_default();
    violations.extend(ledger.audit(&events, &books, &lines, ended.unrest.is_none()));
    Verdict {
        violations,
        approved: sales.values().filter(|sale| sale.holds_approval()).count(),
        taken_back: sales.values().filter(|sale| sale.is_taken_back).count(),
        sales: sales.len(),
        debits: books.payments.iter().filter(|page| page.reference.is_some()).count(),
    }
}

struct Court<'a> {
    plan: &'a Plan,
    events: &'a [Event],
    books: &'a BooksPage,
    sales: &'a Sales,
    broken: BTreeSet<Violation>,
}

impl Court<'_> {
    fn broke(&mut self, invariant: &'static str, what: String) {
        self.broken.insert(Violation { invariant, what });
    }

    /// I1, I2, I3, I4, I12: the platform's books against what the tills hold.
    fn money(&mut self) {
        let mut pages: BTreeMap<&str, &PaymentPage> =
            self.books.payments.iter().map(|page| (page.payment.as_str(), page)).collect();
        if pages.len() != self.books.payments.len() {
            self.broke("I3", "the books have two entries of one id".into());
        }
        for ((_, key), sale) in self.sales {
            let id = payment_id(sale.till, key);
            let page = pages.remove(id.as_str());
            self.one_sale(&id, sale, page);
        }
        for (id, page) in pages {
            if page.reference.is_some() {
                self.broke("I3", format!("{id} was debited, and no till ever asked for it"));
            }
        }
        self.conservation();
    }

    fn one_sale(&mut self, id: &str, sale: &Sale, page: Option<&PaymentPage>) {
        let is_given_back =
            |page: &PaymentPage| page.refunds.iter().any(|refund| refund.refund == "giving-back");
        let is_paid = page.is_some_and(|page| page.status == "paid" && !is_given_back(page));
        match (sale.holds_approval(), page) {
            (true, None) => {
                self.broke("I1", format!("{id} is approved, and the platform has never heard of it"));
            }
            (true, Some(page)) if !is_paid => {
                self.broke("I1", format!("{id} is approved, and the platform says {}", page.status));
            }
            (false, Some(_)) if is_paid && (sale.is_gone || self.is_forgotten(sale, id)) => {}
            (false, Some(page)) if is_paid && sale.is_done => {
                self.broke("I2", format!("{id} is not approved, and the platform keeps {:?}", page.amount));
                self.broke("I1", format!("{id} is paid, and its till holds no approval"));
            }
            _ => {}
        }
        let Some(page) = page else { return };
        if page.amount.as_ref().is_some_and(|amount| *amount != sale.amount) {
            self.broke(
                "I4",
                format!("{id}: the till asked for {}, the platform has {:?}", sale.amount, page.amount),
            );
        }
        let at = terminal(sale.till).to_string();
        if page.terminal.as_ref().is_some_and(|terminal| *terminal != at)
            || page.merchant.as_ref().is_some_and(|merchant| merchant != "corner")
        {
            self.broke(
                "I4",
                format!("{id}: the platform has it at {:?} of {:?}", page.terminal, page.merchant),
            );
        }
        if page.reference.is_some() {
            self.consented(id, sale, page);
        }
        self.refunds(id, sale, page);
    }

    /// I8: whoever was debited has said yes to this amount, and gave a password for it.
    fn consented(&mut self, id: &str, sale: &Sale, page: &PaymentPage) {
        let paid_by = page.payer.clone().unwrap_or_default();
        let consent = self.events.iter().any(|event| {
            matches!(&event.what, What::Confirms { id: to, payer, amount, .. } if to == id && *payer == paid_by && *amount == sale.amount)
        });
        if !consent {
            self.broke("I8", format!("{id}: {paid_by} was debited, and never said yes to {}", sale.amount));
        }
        if self.events.iter().any(|event| matches!(&event.what, What::Declined { id: to } if to == id)) {
            self.broke("I5", format!("{id}: the payer's no was acknowledged, and then it was debited"));
        }
        if !self.events.iter().any(|event| matches!(&event.what, What::Presents { id: to, .. } if to == id)) {
            self.broke("I8", format!("{id} was debited, and no phone gave its password"));
        }
    }

    /// I12: nothing goes back twice, and not more than there was.
    fn refunds(&mut self, id: &str, sale: &Sale, page: &PaymentPage) {
        let given: Vec<&str> = page.refunds.iter().map(|refund| refund.amount.as_str()).collect();
        let sum = cents(&given);
        if sum > cents(&[&sale.amount]) {
            self.broke("I12", format!("{id}: {} of {} were given back", sum, sale.amount));
        }
        for refund in &page.refunds {
            match sale.refunds.get(&refund.refund) {
                Some(amount) if *amount == refund.amount => {}
                // An answer may have been lost; a refusal is an answer.
                None if sale.asked_refunds.contains(&refund.refund)
                    && !sale.refused_refunds.contains(&refund.refund) => {}
                None if refund.refund == "giving-back" => {}
                asked => {
                    self.broke("I12", format!("{id}: {refund:?} was given, and the till was told {asked:?}"));
                }
            }
        }
        if sale.holds_approval()
            && cents(&sale.refunds.values().map(String::as_str).collect::<Vec<_>>()) > cents(&[&sale.amount])
        {
            self.broke("I12", format!("{id}: the till was promised {:?} of {}", sale.refunds, sale.amount));
        }
    }

    /// I12: the account has what was not taken.
    fn conservation(&mut self) {
        let taken: i64 = self
            .books
            .payments
            .iter()
            .map(|page| match page.status {
                "paid" => {
                    let back: Vec<&str> = page.refunds.iter().map(|refund| refund.amount.as_str()).collect();
                    cents(&[page.amount.as_deref().unwrap_or("0")]) - cents(&back)
                }
                _ => 0,
            })
            .sum();
        let Some(account) = self.books.accounts.values().next() else { return };
        let left = cents(&[account.balances.get("EUR").map_or("0", String::as_str)]);
        if left + taken != 10_000_000 {
            self.broke("I12", format!("the account holds {left}, and {taken} were taken of 10000000"));
        }
    }

    /// I4, I5, I6, I13: what each till was told.
    fn answers(&mut self) {
        for ((_, key), sale) in self.sales {
            let id = payment_id(sale.till, key);
            for told in &sale.told {
                if told.id != id {
                    self.broke("I3", format!("{key} is {id}, and the till was told of {}", told.id));
                }
                if told.amount.as_ref().is_some_and(|amount| *amount != sale.amount) {
                    self.broke("I4", format!("{id}: asked for {}, told of {:?}", sale.amount, told.amount));
                }
            }
            if sale.told_of_another.iter().any(Option::is_some) {
                self.broke(
                    "I4",
                    format!("{id}: the same key with another amount was told of {:?}", sale.told_of_another),
                );
            }
            self.stable(&id, sale);
            self.word_for_word(&id, sale);
            self.punctual(&id, sale);
        }
    }

    fn stable(&mut self, id: &str, sale: &Sale) {
        let decided: Vec<&Told> = sale.told.iter().filter(|told| told.is_decided()).collect();
        for pair in decided.windows(2) {
            let ([was, is], own) = (
                [&pair[0].status, &pair[1].status].map(|status| settled(status)),
                sale.takes_back.is_some() && !pair[1].before_taking_back,
            );
            if was != is && !own {
                self.broke("I6", format!("{id}: told {was}, then {is}"));
                self.broke("I5", format!("{id}: decided {was}, then {is}"));
            }
            if was == is && pair[0].code != pair[1].code && !own {
                self.broke("I6", format!("{id}: told {:?}, then {:?}", pair[0].code, pair[1].code));
            }
        }
        let after = decided
            .iter()
            .find(|told| sale.is_taken_back && !told.before_taking_back && told.status == "Approved");
        if let Some(told) = after.filter(|told| self.taken_back_at(sale, id).is_some_and(|at| at < told.at)) {
            self.broke("I5", format!("{id}: taken back, and told {} afterwards", told.status));
        }
    }

    /// I6: the same question is answered in the same words, but for one change when its till takes it back.
    fn word_for_word(&mut self, id: &str, sale: &Sale) {
        let mut changes = sale.worded.windows(2).filter(|pair| pair[0].0 != pair[1].0);
        let (first, second) = (changes.next(), changes.next());
        if let Some([(was, _), (is, _)]) = first.filter(|pair| !pair[1].1) {
            self.broke("I6", format!("{id}: told {was}, then {is}"));
        }
        if let Some([(was, _), (is, _)]) = second {
            self.broke("I6", format!("{id}: taken back, and still told {was}, then {is}"));
        }
    }

    /// Taken back when the journal need not know it any more: a terminal has as long for that as finished payments are
    /// kept. It was not finished before its last permit was asked for.
    fn is_forgotten(&self, sale: &Sale, id: &str) -> bool {
        let mut permits = self
            .events
            .iter()
            .filter(|event| matches!(&event.what, What::AskedForPermit { id: of, .. } if of == id));
        let kept_until = permits.next_back().map(|event| event.at + self.plan.keep);
        self.taken_back_at(sale, id).zip(kept_until).is_some_and(|(at, kept_until)| at > kept_until)
    }

    fn taken_back_at(&self, _: &Sale, id: &str) -> Option<Duration> {
        self.events.iter().find_map(|event| match (&event.what, event.who) {
            (What::TakenBack { key }, Who::Till(till)) if payment_id(till, key) == id => Some(event.at),
            _ => None,
        })
    }

    /// I13: without a fault on the way, whoever asks is answered in time; and every sale ends.
    fn punctual(&mut self, id: &str, sale: &Sale) {
        if !sale.is_done {
            self.broke("I13", format!("{id}: the till still waits"));
        }
        let Some((first, patience)) = sale.asked.first().copied() else { return };
        let due = first + patience + Duration::from_secs(1);
        let is_answered = sale.told.iter().any(|told| told.is_decided() && told.at <= due);
        let gave_up = sale.is_gone
            || sale.takes_back.is_some_and(|_| self.takes_back_at(id).is_some_and(|at| at <= due));
        if self.plan.answers_are_punctual() && !is_answered && !gave_up && !sale.troubled {
            self.broke(
                "I13",
                format!("{id}: nothing was in the way, and no answer came within {patience:?}"),
            );
        }
    }

    fn takes_back_at(&self, id: &str) -> Option<Duration> {
        self.events.iter().find_map(|event| match (&event.what, event.who) {
            (What::TakesBack { key }, Who::Till(till)) if payment_id(till, key) == id => Some(event.at),
            _ => None,
        })
    }

    /// I4, I9: what phones were shown.
    fn displays(&mut self) {
        for event in self.events {
            match &event.what {
                What::Shown { id, amount, terminal: at, .. } => {
                    let asked = self.sales.iter().find(|((_, key), sale)| payment_id(sale.till, key) == *id);
                    match asked {
                        Some((_, sale)) if sale.amount == *amount && terminal(sale.till).as_str() == at => {}
                        Some((_, sale)) => self
                            .broke("I4", format!("{id}: asked for {}, shown {amount} at {at}", sale.amount)),
                        None => self.broke("I4", format!("{id}: shown to a phone, and no till asked")),
                    }
                }
                What::Lied { id, how, believed: true } => {
                    let broken = match *how {
                        how if how.contains("round") => "I9",
                        how if how.contains("callback") => "I1",
                        how if how.contains("not its own") => "I6",
                        _ => "I8",
                    };
                    self.broke(broken, format!("{id}: a phone {how}, and is believed"));
                    if how.contains("amount") {
                        self.broke("I4", format!("{id}: a phone {how}, and is believed"));
                    }
                }
                _ => {}
            }
        }
    }

    /// I9: one phone per terminal and round, and rounds are counted up.
    fn bindings(&mut self) {
        let mut holders: BTreeMap<(String, u64), String> = BTreeMap::new();
        let mut newest: BTreeMap<String, Vec<(Duration, u64, String)>> = BTreeMap::new();
        for event in self.events {
            let What::Bound { terminal, payer, epoch, asked } = &event.what else { continue };
            let holder = holders.entry((terminal.clone(), *epoch)).or_insert_with(|| payer.clone());
            if holder != payer {
                let what = format!("{terminal}, round {epoch}: granted to {holder} and to {payer}");
                self.broke("I9", what);
            }
            let granted = newest.entry(terminal.clone()).or_default();
            // Granted before this one was asked for: so its round cannot be later.
            let later = granted.iter().find(|(at, before, who)| {
                at < asked && (before > epoch || (before == epoch && who != payer))
            });
            if let Some((_, before, _)) = later {
                self.broke("I9", format!("{terminal}: round {before} was granted before round {epoch}"));
            }
            granted.push((event.at, *epoch, payer.clone()));
        }
    }
}

/// How long a claim lasts if nothing comes of it: as `house` rules.
const BINDING_LASTS: Duration = Duration::from_secs(20);

impl Court<'_> {
    /// I9: while a phone stands at a terminal where nothing is sold, no other is granted it.
    ///
    /// An odd phone may have gone to another terminal without having heard that it did: nobody outside knows who stands.
    fn evictions(&mut self) {
        if self.plan.has(Fault::ClockJumps) || self.plan.has(Fault::OddPhones) {
            return;
        }
        let mut stands: BTreeMap<&str, (Duration, Duration, &str)> = BTreeMap::new();
        let mut evicted = Vec::new();
        for event in self.events {
            let What::Bound { terminal, payer, asked, .. } = &event.what else { continue };
            if let Some((since, granted, holder)) = stands.get(terminal.as_str())
                && *holder != payer
                && granted < asked
                && event.at < *since + BINDING_LASTS
                && !self.is_selling(terminal, *since, event.at)
            {
                evicted.push(format!(
                    "{terminal}: {holder} stood there, nothing was sold, and {payer} was granted it"
                ));
            }
            stands.insert(terminal, (*asked, event.at, payer));
        }
        for what in evicted {
            self.broke("I9", what);
        }
    }

    /// Whether anything of this terminal may have been decided between these instants.
    fn is_selling(&self, terminal: &str, from: Duration, to: Duration) -> bool {
        let (_, longest) = self.plan.answer_within;
        let longest = Duration::from_secs(longest) + BINDING_LASTS;
        self.sales.values().any(|sale| {
            let Some((first, _)) = sale.asked.first() else { return true };
            crate::scene::terminal(sale.till).as_str() == terminal && *first <= to && from <= *first + longest
        })
    }
}

/// By till and key: two terminals may count their messages alike.
type Sales = BTreeMap<(usize, String), Sale>;

fn sales(events: &[Event]) -> Sales {
    let mut sales = Sales::new();
    for event in events {
        let Who::Till(till) = event.who else { continue };
        if let Some(key) = key_of(&event.what) {
            let sale = sales.entry((till, key.to_owned())).or_default();
            sale.till = till;
            sale.take_in(event);
        }
    }
    // Taken back before it was asked, and never asked.
    sales.retain(|_, sale| !sale.amount.is_empty());
    sales
}

fn key_of(what: &What) -> Option<&str> {
    match what {
        What::Asked { key, .. }
        | What::Told { key, .. }
        | What::ToldOfAnother { key, .. }
        | What::Refused { key, .. }
        | What::Worded { key, .. }
        | What::Unanswered { key }
        | What::TakesBack { key }
        | What::TakenBack { key }
        | What::Gone { key }
        | What::RefundAsked { key, .. }
        | What::RefundTaken { key, .. }
        | What::RefundRefused { key, .. }
        | What::Done { key } => Some(key),
        _ => None,
    }
}

impl Sale {
    fn take_in(&mut self, event: &Event) {
        match &event.what {
            What::Asked { amount, patience, .. } => {
                self.amount.clone_from(amount);
                self.asked.push((event.at, *patience));
            }
            What::Told { id, status, code, amount, .. } => self.told.push(Told {
                at: event.at,
                id: id.clone(),
                status: status.clone(),
                code: code.clone(),
                amount: amount.clone(),
                before_taking_back: self.takes_back.is_none(),
            }),
            What::Gone { .. } => self.is_gone = true,
            What::RefundAsked { refund, .. } => drop(self.asked_refunds.insert(refund.clone())),
            What::TakesBack { .. } => self.takes_back = Some(self.told.len()),
            What::TakenBack { .. } => self.is_taken_back = true,
            What::Worded { words, .. } => self.worded.push((words.clone(), self.takes_back.is_some())),
            What::ToldOfAnother { amount, .. } => self.told_of_another.push(amount.clone()),
            What::RefundTaken { refund, amount, .. } => {
                drop(self.refunds.insert(refund.clone(), amount.clone()));
            }
            What::RefundRefused { refund, .. } => drop(self.refused_refunds.insert(refund.clone())),
            What::Refused { .. } | What::Unanswered { .. } => self.troubled = true,
            What::Done { .. } => self.is_done = true,
            _ => {}
        }
    }
}

/// A reversal under way and a reversal done are one answer.
fn settled(status: &str) -> &str {
    if status == "Reversing" { "Reversed" } else { status }
}

pub fn payment_id(till: usize, key: &str) -> String {
    PaymentId::derive(&Keeper::Terminal(terminal(till)), &PaymentKey::new(key).unwrap()).to_string()
}

fn cents(amounts: &[&str]) -> i64 {
    let parsed = amounts.iter().filter_map(|amount| Money::parse(amount, "EUR").ok());
    parsed.map(|money| money.decimal().replace('.', "").parse::<i64>().unwrap()).sum()
}
