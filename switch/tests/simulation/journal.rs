//! The switch's own word: the durable journal as it lies on the simulated disk at the end, held against the others'.
//!
//! What was not synced is gone here, whatever the process that wrote it believed.
use crate::auditor::{Violation, payment_id};
use crate::witness::{Event, What, Who};
use actors::domain::binding::BindingFact;
use actors::domain::identity::{PaymentId, RefundId};
use actors::domain::journal::{Entry, Recorded, Seq};
use actors::domain::money::Money;
use actors::domain::payment::command::Fact;
use actors::domain::payment::invariants::{Booking, History, Line, Said, Spoken, audit, audit_at_rest};
use actors::domain::payment::phase::{Attempt, Receipt};
use actors::domain::payment::{Outcome, Stamped};
use actors::domain::response_code::Refusal;
use adapters::clock::SteadyClock;
use adapters::disk::simulated::{SimulatedDisk, Survival};
use adapters::journal::{self, Options, TailFault};
use adapters::rfc3339;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use switch::sandbox::books::{BooksPage, DailyLine, PaymentPage};

/// The journal's records, and what is wrong with them as they lie there.
pub struct Ledger {
    records: Vec<Recorded>,
    /// Whether retention has dropped the beginning.
    is_whole: bool,
    faults: Vec<String>,
}

impl Ledger {
    /// Reads what is durable on `disk`; `is_kept` says that retention had nothing to copy or drop.
    pub fn read(disk: &SimulatedDisk, is_kept: bool) -> Self {
        let disk = Arc::new(disk.after_power_cut(Survival::Nothing));
        let mut ledger = Self { records: Vec::new(), is_whole: is_kept, faults: Vec::new() };
        let report = journal::verify(disk.clone());
        if !report.is_sound() {
            ledger.faults.push(report.to_string());
        }
        if let Err(fault) = ledger.read_records(disk) {
            ledger.faults.push(fault);
        }
        ledger
    }

    fn read_records(&mut self, disk: Arc<SimulatedDisk>) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let options = Options { segment_bytes: 32 * 1024, ..Options::PRODUCTION };
        let clock = Arc::new(SteadyClock::starting_now());
        let opened = runtime.block_on(journal::open(disk, clock, options, Box::new(|_| ())));
        let opened = opened.map_err(|fault| fault.to_string())?;
        let mut tail = opened.journal.tail(Seq(1));
        loop {
            match tail.read(10_000) {
                Ok(records) if records.is_empty() => break,
                Ok(records) => self.records.extend(records),
                Err(TailFault::Dropped { oldest }) => {
                    self.is_whole = false;
                    tail = opened.journal.tail(oldest);
                }
                Err(fault) => return Err(fault.to_string()),
            }
        }
        // What retention copied forward keeps its place and is told once: only a whole log is read without gaps.
        let gap = self.records.windows(2).find(|pair| pair[1].seq.0 != pair[0].seq.0 + 1);
        match gap {
            Some(pair) if self.is_whole => {
                Err(format!("after record {} comes {}", pair[0].seq.0, pair[1].seq.0))
            }
            _ => Ok(()),
        }
    }

    /// What the journal says that the others do not, and the other way round.
    pub fn audit(
        &self,
        events: &[Event],
        books: &BooksPage,
        lines: &[DailyLine],
        is_quiet: bool,
    ) -> BTreeSet<Violation> {
        let mut broken: BTreeSet<Violation> = self
            .faults
            .iter()
            .map(|fault| Violation { invariant: "I15", what: format!("the journal: {fault}") })
            .collect();
        let histories = self.lives();
        broken.extend(self.forgotten(events, &histories));
        if !self.is_whole {
            return broken;
        }
        broken.extend(acknowledged_early(events, &histories));
        let pages: BTreeMap<&str, &PaymentPage> =
            books.payments.iter().map(|page| (page.payment.as_str(), page)).collect();
        for (id, life) in &histories {
            let text = id.to_string();
            let witnesses =
                Witnesses { id: &text, life, events, page: pages.get(text.as_str()).copied(), lines };
            let (facts, spoken, booked) = (life.facts(), witnesses.spoken(), witnesses.booked());
            let history = History { payment: *id, facts: &facts, spoken: &spoken, books: &booked };
            // What a till that is gone for good would have held, nobody knows.
            let is_gone = events.iter().any(|event| match (&event.what, event.who) {
                (What::Gone { key }, Who::Till(till)) => payment_id(till, key) == text,
                _ => false,
            });
            let found = if is_quiet && !is_gone { audit_at_rest(&history) } else { audit(&history) };
            if let Err(violation) = found {
                broken.insert(Violation {
                    invariant: violation.invariant.id(),
                    what: format!("{id}, by its journal: {}", violation.what),
                });
            }
        }
        for page in books.payments.iter().filter(|page| page.reference.is_some()) {
            if !histories.keys().any(|id| id.to_string() == page.payment) {
                broken.insert(Violation {
                    invariant: "I7",
                    what: format!("{} was debited, and the journal knows nothing of it", page.payment),
                });
            }
        }
        broken
    }

    fn lives(&self) -> BTreeMap<PaymentId, Life> {
        let mut lives: BTreeMap<PaymentId, Life> = BTreeMap::new();
        for record in &self.records {
            if let Entry::Payment(id, fact) = &record.entry {
                lives
                    .entry(*id)
                    .or_default()
                    .0
                    .push((record.seq, Stamped { at: record.at, fact: fact.clone() }));
            }
        }
        lives
    }

    /// I15: what somebody was told, and the journal does not hold.
    fn forgotten(&self, events: &[Event], lives: &BTreeMap<PaymentId, Life>) -> Vec<Violation> {
        if !self.is_whole {
            return Vec::new();
        }
        let known: BTreeSet<String> = lives.keys().map(ToString::to_string).collect();
        let bound: BTreeSet<(String, u64, String)> = self
            .records
            .iter()
            .filter_map(|record| match &record.entry {
                Entry::Binding(terminal, BindingFact::Bound { claim, .. }) => {
                    Some((terminal.to_string(), claim.epoch, claim.payer.to_string()))
                }
                _ => None,
            })
            .collect();
        let forgotten = events.iter().filter_map(|event| match (&event.what, event.who) {
            (What::Told { id, status, .. }, _) if !known.contains(id) => {
                Some(format!("a till was told that {id} is {status}, and the journal has nothing of it"))
            }
            (What::TakenBack { key }, Who::Till(till)) if !known.contains(&payment_id(till, key)) => {
                Some(format!("{key} was taken back, and the journal has nothing of it"))
            }
            (What::Bound { terminal, payer, epoch, .. }, _)
                if !bound.contains(&(terminal.clone(), *epoch, payer.clone())) =>
            {
                Some(format!(
                    "{payer} was granted {terminal} in round {epoch}, and the journal has nothing of it"
                ))
            }
            _ => None,
        });
        forgotten.map(|what| Violation { invariant: "I15", what }).collect()
    }
}

/// I7: a platform may forget what was acknowledged, so by then the journal has to know how the payment ended.
fn acknowledged_early(events: &[Event], lives: &BTreeMap<PaymentId, Life>) -> Vec<Violation> {
    let early = events.iter().filter_map(|event| {
        let What::CallbackAcknowledged { id, is_paid: true, amount } = &event.what else { return None };
        let life = PaymentId::parse(id).ok().and_then(|id| lives.get(&id))?;
        // A word that names another amount is no word: it is heard, and nothing comes of it.
        let is_true = life.0.iter().any(|(_, stamped)| match &stamped.fact {
            Fact::Opened(deal) => deal.order.money.decimal() == *amount,
            _ => false,
        });
        let knows = !is_true
            || life.0.iter().any(|(seq, stamped)| {
                let ends = matches!(
                    stamped.fact,
                    Fact::Settled(_) | Fact::ReversalOwed(_) | Fact::Declined(_) | Fact::AttemptFailed(..)
                );
                ends && *seq <= event.durable
            });
        (!knows).then(|| {
            format!("{id}: the platform was told that its word is kept, and the journal had nothing of it")
        })
    });
    early.map(|what| Violation { invariant: "I7", what }).collect()
}

/// A payment's facts with their places.
#[derive(Default)]
struct Life(Vec<(Seq, Stamped)>);

impl Life {
    fn facts(&self) -> Vec<Stamped> {
        self.0.iter().map(|(_, stamped)| stamped.clone()).collect()
    }

    /// How many of them were durable when the journal was so far.
    fn durable_by(&self, seq: Seq) -> usize {
        self.0.iter().filter(|(at, _)| *at <= seq).count()
    }

    fn permits(&self) -> impl Iterator<Item = (Attempt, &str)> {
        self.0.iter().filter_map(|(_, stamped)| match &stamped.fact {
            Fact::Permitted(attempt, interface) => Some((*attempt, &*interface.permit)),
            _ => None,
        })
    }
}

/// What the others say of one payment, in the domain's words.
struct Witnesses<'a> {
    id: &'a str,
    life: &'a Life,
    events: &'a [Event],
    page: Option<&'a PaymentPage>,
    lines: &'a [DailyLine],
}

impl Witnesses<'_> {
    fn spoken(&self) -> Vec<Spoken> {
        let told = self.events.iter().filter_map(|event| match (&event.what, event.who) {
            (What::Told { id, status, amount: Some(amount), reference: Some(reference), .. }, _)
                if id == self.id && status == "Approved" =>
            {
                let money = Money::parse(amount, "EUR").ok()?;
                let said = Said::TerminalTold(Outcome::Approved(Receipt {
                    reference: reference.as_str().into(),
                    money,
                }));
                Some(Spoken { after: self.life.durable_by(event.durable), said })
            }
            (What::TakenBack { key }, Who::Till(till)) if payment_id(till, key) == self.id => {
                let said = Said::TerminalTold(Outcome::Refused(Refusal::ReversedByTerminal));
                Some(Spoken { after: self.life.durable_by(event.durable), said })
            }
            (What::AskedForPermit { id, attempt }, _) if id == self.id => {
                let said = Said::PermitAsked(Attempt::numbered(*attempt)?);
                Some(Spoken { after: self.life.durable_by(event.durable), said })
            }
            _ => None,
        });
        told.collect()
    }

    fn booked(&self) -> Vec<Booking> {
        let Some(page) = self.page else { return Vec::new() };
        let mut whole_back = page.refunds.iter().filter(|refund| refund.refund == "giving-back");
        let lines = self.lines.iter().filter(|line| line.payment == self.id);
        let bookings = lines.filter_map(|line| {
            let at = rfc3339::parse(&line.at)?;
            let money = Money::parse(&line.amount, "EUR").ok()?;
            let attempt = Self::paid_attempt(page);
            let line = match line.kind {
                "debit" => {
                    let payer = page.payer.as_ref()?;
                    Line::Debited(attempt, payer.parse().ok()?, line.merchant.parse().ok()?, money)
                }
                "reversal" => Line::Undone(money),
                _ if Some(money)
                    == whole_back
                        .clone()
                        .next()
                        .and_then(|refund| Money::parse(&refund.amount, "EUR").ok()) =>
                {
                    whole_back.next();
                    Line::GivenBack(money)
                }
                _ => Line::Refunded(Self::refund_of(page, &line.amount)?, money),
            };
            Some(Booking { at, after: self.asked_after(attempt), line })
        });
        bookings.collect()
    }

    fn paid_attempt(page: &PaymentPage) -> Attempt {
        let paid = page.permits.iter().find(|permit| permit.status == "paid").or_else(|| page.permits.last());
        paid.and_then(|permit| Attempt::numbered(permit.attempt)).unwrap_or(Attempt::FIRST)
    }

    fn refund_of(page: &PaymentPage, amount: &str) -> Option<RefundId> {
        page.refunds
            .iter()
            .find(|refund| refund.amount == amount)
            .and_then(|refund| RefundId::new(&refund.refund).ok())
    }

    /// How many facts were durable when the platform was last asked to use this permit.
    fn asked_after(&self, attempt: Attempt) -> usize {
        let names: Vec<&str> =
            self.life.permits().filter(|(of, _)| *of == attempt).map(|(_, name)| name).collect();
        let asked = self.events.iter().filter(|event| match &event.what {
            What::AskedToPay { permit } => names.contains(&permit.as_str()),
            _ => false,
        });
        asked.map(|event| self.life.durable_by(event.durable)).max().unwrap_or(0)
    }
}

/// The day of every simulation.
pub const DAY: &str = "2030-03-17";
