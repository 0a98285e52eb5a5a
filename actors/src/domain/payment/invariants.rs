//! What must never be, as pure functions over one payment's history. The numbers are those of the promises.
//!
//! A history is told by three witnesses: the durable facts, what left the switch, and the platform's own books. The
//! explorer, the simulation and the auditor fill it in, each in its own way; nothing here knows how. `audit`
//! holds at every moment, `audit_at_rest` once nothing is under way; the first broken promise is the answer.
use super::command::Fact;
use super::phase::{Attempt, Deal, Interface, Undoing};
use super::{Outcome, Payment, Stamped};
use crate::domain::identity::{MerchantId, PayerId, PaymentId, RefundId};
use crate::domain::money::{Amount, Money};
use crate::domain::response_code::Refusal;
use crate::domain::time::Timestamp;

/// A promise about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1
    ApprovedIffPaid,
    /// I2
    NoOrphanMoney,
    /// I3
    AtMostOneDebit,
    /// I4
    Immutable,
    /// I5
    OneDecision,
    /// I6
    StableAnswer,
    /// I7
    WriteAhead,
    /// I8
    PermitOnce,
    /// I12
    RefundsConserved,
    /// I13
    EveryoneAnswered,
    /// I14
    NothingHangs,
}

impl Invariant {
    /// Every invariant of a single payment.
    pub const ALL: [Self; 11] = [
        Self::ApprovedIffPaid,
        Self::NoOrphanMoney,
        Self::AtMostOneDebit,
        Self::Immutable,
        Self::OneDecision,
        Self::StableAnswer,
        Self::WriteAhead,
        Self::PermitOnce,
        Self::RefundsConserved,
        Self::EveryoneAnswered,
        Self::NothingHangs,
    ];

    /// The number under which it was promised.
    pub const fn id(self) -> &'static str {
        match self {
            Self::ApprovedIffPaid => "I1",
            Self::NoOrphanMoney => "I2",
            Self::AtMostOneDebit => "I3",
            Self::Immutable => "I4",
            Self::OneDecision => "I5",
            Self::StableAnswer => "I6",
            Self::WriteAhead => "I7",
            Self::PermitOnce => "I8",
            Self::RefundsConserved => "I12",
            Self::EveryoneAnswered => "I13",
            Self::NothingHangs => "I14",
        }
    }
}

/// A promise that was broken, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("payment {payment} breaks {} ({invariant:?}): {what}", invariant.id())]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// Whose.
    pub payment: PaymentId,
    /// What was seen.
    pub what: &'static str,
}

/// One payment's history as its witnesses tell it.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// The payment.
    pub payment: PaymentId,
    /// Its durable facts, in order.
    pub facts: &'a [Stamped],
    /// What left the switch, in order.
    pub spoken: &'a [Spoken],
    /// What the platform's books hold, in order.
    pub books: &'a [Booking],
}

/// Something that left the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// How many of the payment's facts were durable by then.
    pub after: usize,
    /// What it was.
    pub said: Said,
}

/// What can leave the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The platform was asked for a permit.
    PermitAsked(Attempt),
    /// A sealed credential was relayed to the platform.
    CredentialRelayed(Attempt),
    /// The terminal was told how it ended.
    TerminalTold(Outcome),
}

/// A line in the platform's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// When the platform wrote it.
    pub at: Timestamp,
    /// How many of the payment's facts were durable in the switch by then.
    pub after: usize,
    /// What it says.
    pub line: Line,
}

/// What a platform can book under a payment's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Money was taken from a payer, for a merchant, under an attempt's permit.
    Debited(Attempt, PayerId, MerchantId, Money),
    /// The whole debit was undone by a reversal.
    Undone(Money),
    /// The whole debit was given back, past reversing.
    GivenBack(Money),
    /// Part of it was given back.
    Refunded(RefundId, Money),
}

/// The published state graph: which phase can follow which, from the first durable fact on.
pub const GRAPH: [(&str, &str); 34] = [
    ("none", "await_phone"),
    ("none", "await_confirmation"),
    ("none", "declined"),
    ("none", "reversed_unseen"),
    ("await_phone", "await_confirmation"),
    ("await_phone", "declined"),
    ("await_confirmation", "await_confirmation"),
    ("await_confirmation", "await_phone"),
    ("await_confirmation", "await_permit"),
    ("await_confirmation", "declined"),
    ("await_permit", "await_payment"),
    ("await_permit", "paid"),
    ("await_permit", "reversing"),
    ("await_permit", "declined"),
    ("await_payment", "await_payment"),
    ("await_payment", "await_outcome"),
    ("await_payment", "in_doubt"),
    ("await_payment", "await_permit"),
    ("await_payment", "paid"),
    ("await_payment", "reversing"),
    ("await_outcome", "await_payment"),
    ("await_outcome", "in_doubt"),
    ("await_outcome", "await_permit"),
    ("await_outcome", "paid"),
    ("await_outcome", "reversing"),
    ("in_doubt", "in_doubt"),
    ("in_doubt", "await_payment"),
    ("in_doubt", "await_permit"),
    ("in_doubt", "paid"),
    ("in_doubt", "reversing"),
    ("paid", "paid"),
    ("paid", "reversing"),
    ("reversing", "reversing"),
    ("reversing", "reversed"),
];

type Kept = Result<(), &'static str>;

/// Everything that holds at every moment of a payment's life.
pub fn audit(history: &History<'_>) -> Result<(), Violation> {
    let found = |invariant| move |what| Violation { invariant, payment: history.payment, what };
    at_most_one_debit(history).map_err(found(Invariant::AtMostOneDebit))?;
    immutable(history).map_err(found(Invariant::Immutable))?;
    one_decision(history).map_err(found(Invariant::OneDecision))?;
    stable_answer(history).map_err(found(Invariant::StableAnswer))?;
    write_ahead(history).map_err(found(Invariant::WriteAhead))?;
    permit_once(history).map_err(found(Invariant::PermitOnce))?;
    refunds_conserved(history).map_err(found(Invariant::RefundsConserved))?;
    let Ok(Some(payment)) = Payment::folded(history.payment, history.facts) else { return Ok(()) };
    audit_state(&payment)
}

/// Everything that holds of a payment by itself, whatever its history: nobody waits for ever.
pub fn audit_state(payment: &Payment) -> Result<(), Violation> {
    let found = |invariant| move |what| Violation { invariant, payment: payment.id(), what };
    everyone_answered(payment).map_err(found(Invariant::EveryoneAnswered))?;
    nothing_hangs(payment).map_err(found(Invariant::NothingHangs))
}

/// Everything that holds once nothing is under way any more, what holds at every moment included.
pub fn audit_at_rest(history: &History<'_>) -> Result<(), Violation> {
    let found = |invariant| move |what| Violation { invariant, payment: history.payment, what };
    audit(history)?;
    approved_iff_paid(history).map_err(found(Invariant::ApprovedIffPaid))?;
    no_orphan_money(history).map_err(found(Invariant::NoOrphanMoney))
}

/// I1, at rest: the terminal holds an approval exactly if one debit stands in the platform's books. A terminal that was
/// told nothing has to be counted as refused; a debit that people are settling by hand is I2's.
pub fn approved_iff_paid(history: &History<'_>) -> Kept {
    match (history.holds_approval(), history.debits_standing()) {
        (true, 0) => Err("the terminal holds an approval that no debit stands behind"),
        (true, 1) | (false, 0) => Ok(()),
        (true, _) => Err("more than one debit stands behind the approval"),
        (false, _) if history.is_shown_as_exception() => Ok(()),
        (false, _) => Err("a debit stands that the terminal holds no approval of"),
    }
}

/// I2, at rest: money that moved without an approval has gone back, or is shown as something people have to settle.
pub fn no_orphan_money(history: &History<'_>) -> Kept {
    let orphaned = !history.holds_approval() && history.debits_standing() > 0;
    if orphaned && !history.is_shown_as_exception() {
        return Err("money moved, nobody was told yes, and nobody is asked to give it back");
    }
    Ok(())
}

/// I3: the platform debits a payment at most once.
pub fn at_most_one_debit(history: &History<'_>) -> Kept {
    if history.debits().count() > 1 { Err("more than one debit under one payment's id") } else { Ok(()) }
}

/// I4: amount, currency, merchant and payer are the same in the order, the debit, the receipt and the answer.
pub fn immutable(history: &History<'_>) -> Kept {
    let receipts = history.facts.iter().filter_map(|stamped| match &stamped.fact {
        Fact::Settled(receipt) => Some(receipt.money),
        _ => None,
    });
    let told = history.told().filter_map(|outcome| match outcome {
        Outcome::Approved(receipt) => Some(receipt.money),
        Outcome::Refused(_) => None,
    });
    let asked = history.deal().map(|deal| deal.order.money);
    if receipts.chain(told).any(|money| Some(money) != asked) {
        return Err("an amount was approved that was not asked for");
    }
    history.debits().try_for_each(|(_, debit)| same_terms(history, debit))
}

fn same_terms(history: &History<'_>, debit: Debit) -> Kept {
    let Some(deal) = history.deal() else { return Err("a debit without an order") };
    if debit.money != deal.order.money || debit.merchant != deal.order.merchant {
        return Err("the debit is not what the terminal asked for");
    }
    match history.payer() {
        Some(payer) if payer == debit.payer => Ok(()),
        _ => Err("the debit is not the confirming payer's"),
    }
}

/// I5: the facts are a path of the published state graph, and the first durable decision stands: after a no, no yes.
pub fn one_decision(history: &History<'_>) -> Kept {
    let mut phase = "none";
    let mut life: Option<Payment> = None;
    for stamped in history.facts {
        let next = match life.take() {
            None => Payment::folded(history.payment, std::slice::from_ref(stamped)).ok().flatten(),
            Some(payment) => payment.after(stamped.at, &stamped.fact).ok(),
        };
        let Some(next) = next else { return Err("a fact that cannot follow the facts before it") };
        let edge = (phase, next.phase().name());
        if !GRAPH.contains(&edge) {
            return Err("a step that the published graph does not have");
        }
        phase = edge.1;
        life = Some(next);
    }
    Ok(())
}

/// I6: the terminal hears one answer for ever; only its own reversal turns a yes into a no.
pub fn stable_answer(history: &History<'_>) -> Kept {
    let answers: Vec<&Outcome> = history.told().collect();
    let changes = answers.windows(2).filter_map(|pair| match pair {
        [before, after] if before != after => Some((*before, *after)),
        _ => None,
    });
    let own = |(before, after): (&Outcome, &Outcome)| {
        matches!(before, Outcome::Approved(_)) && *after == Outcome::Refused(Refusal::ReversedByTerminal)
    };
    if changes.into_iter().all(own) { Ok(()) } else { Err("the terminal was told two different things") }
}

/// I7: a permit is asked for only after the payer's yes is durable, a debit follows it, and an approval is told only after
/// the settlement is durable.
pub fn write_ahead(history: &History<'_>) -> Kept {
    for spoken in history.spoken {
        let told_by_then =
            |wanted: fn(&Fact) -> bool| history.facts.iter().take(spoken.after).any(|s| wanted(&s.fact));
        match &spoken.said {
            Said::PermitAsked(_) if !told_by_then(|fact| matches!(fact, Fact::Consented(_))) => {
                return Err("a permit was asked for before the payer's yes was durable");
            }
            Said::CredentialRelayed(_) if !told_by_then(|fact| matches!(fact, Fact::Presented(..))) => {
                return Err("a credential was relayed before its presentation was durable");
            }
            Said::TerminalTold(Outcome::Approved(_))
                if !told_by_then(|fact| matches!(fact, Fact::Settled(_))) =>
            {
                return Err("an approval was told before the settlement was durable");
            }
            Said::TerminalTold(Outcome::Refused(_)) if spoken.after == 0 => {
                return Err("a refusal was told before it was durable");
            }
            _ => {}
        }
    }
    let unannounced = |(booking, _): (&Booking, Debit)| {
        !history.facts.iter().take(booking.after).any(|s| matches!(s.fact, Fact::Consented(_)))
    };
    if history.debits().any(unannounced) { Err("a debit came before any durable intent") } else { Ok(()) }
}

/// I8: a permit is used at most once per time it stood, for the payer who confirmed and before it ran out.
pub fn permit_once(history: &History<'_>) -> Kept {
    let mut held: Option<(Attempt, &Interface)> = None;
    for stamped in history.facts {
        match &stamped.fact {
            Fact::Permitted(attempt, interface) => held = Some((*attempt, interface)),
            Fact::Presented(attempt, _) => match held {
                Some((permitted, interface)) if permitted == *attempt => {
                    if interface.expires.is_over(stamped.at) {
                        return Err("a permit was used after it had run out");
                    }
                }
                _ => return Err("a credential was taken for a permit that was not held"),
            },
            _ => {}
        }
    }
    let relays_exceed_uses = history.spoken.iter().any(|spoken| match spoken.said {
        Said::CredentialRelayed(attempt) => history.relayed(attempt) > history.presented(attempt),
        _ => false,
    });
    if relays_exceed_uses {
        return Err("a permit was used more often than the payer used it");
    }
    history.debits().try_for_each(|(booking, debit)| within_its_permit(history, booking, debit))
}

fn within_its_permit(history: &History<'_>, booking: &Booking, debit: Debit) -> Kept {
    let permit = history.facts.iter().take(booking.after).find_map(|stamped| match &stamped.fact {
        Fact::Permitted(attempt, interface) if *attempt == debit.attempt => Some(interface),
        _ => None,
    });
    match permit {
        None => Err("a debit under a permit that the switch never held"),
        Some(interface) if interface.expires.is_over(booking.at) => {
            Err("a debit after its permit had run out")
        }
        Some(_) => Ok(()),
    }
}

/// I12: what went back is never more than what was taken, and the whole goes back at most once.
pub fn refunds_conserved(history: &History<'_>) -> Kept {
    let wholes = history.books.iter().filter(|b| matches!(b.line, Line::Undone(_) | Line::GivenBack(_)));
    if wholes.count() > 1 {
        return Err("the whole went back twice");
    }
    let taken = sum(history.debits().map(|(_, debit)| debit.money));
    let back = sum(history.books.iter().filter_map(|booking| match booking.line {
        Line::Undone(money) | Line::GivenBack(money) | Line::Refunded(_, money) => Some(money),
        Line::Debited(..) => None,
    }));
    match (taken, back) {
        (Some(taken), Some(back)) if back <= taken => Ok(()),
        _ => Err("more money went back than was taken"),
    }
}

fn sum(parts: impl Iterator<Item = Money>) -> Option<Amount> {
    parts.map(Money::amount).try_fold(Amount::ZERO, Amount::plus)
}

/// I13: a payment that is not decided wakes no later than its terminal stops waiting.
pub fn everyone_answered(payment: &Payment) -> Kept {
    let (None, Some(order)) = (payment.outcome(), payment.phase().order()) else { return Ok(()) };
    match payment.wakes_at() {
        Some(wakes_at) if wakes_at <= order.answer_by => Ok(()),
        Some(_) => Err("an undecided payment sleeps past its terminal's deadline"),
        None => Err("an undecided payment never wakes"),
    }
}

/// I14: a payment that is not closed has an instant at which it wakes, or a debt that the outbox keeps trying to pay.
pub fn nothing_hangs(payment: &Payment) -> Kept {
    if payment.is_closed() || payment.wakes_at().is_some() || !payment.debts().is_empty() {
        return Ok(());
    }
    Err("neither closed, nor with a time to wake, nor with a debt")
}

#[derive(Clone, Copy)]
struct Debit {
    attempt: Attempt,
    payer: PayerId,
    merchant: MerchantId,
    money: Money,
}

impl History<'_> {
    fn deal(&self) -> Option<&Deal> {
        self.facts.iter().find_map(|stamped| match &stamped.fact {
            Fact::Opened(deal) => Some(&**deal),
            _ => None,
        })
    }

    fn payer(&self) -> Option<PayerId> {
        self.facts.iter().find_map(|stamped| match &stamped.fact {
            Fact::Consented(consent) => Some(consent.claim.payer),
            _ => None,
        })
    }

    fn told(&self) -> impl Iterator<Item = &Outcome> {
        self.spoken.iter().filter_map(|spoken| match &spoken.said {
            Said::TerminalTold(outcome) => Some(outcome),
            _ => None,
        })
    }

    fn holds_approval(&self) -> bool {
        matches!(self.told().last(), Some(Outcome::Approved(_)))
    }

    fn debits(&self) -> impl Iterator<Item = (&Booking, Debit)> {
        self.books.iter().filter_map(|booking| match booking.line {
            Line::Debited(attempt, payer, merchant, money) => {
                Some((booking, Debit { attempt, payer, merchant, money }))
            }
            _ => None,
        })
    }

    fn debits_standing(&self) -> usize {
        let undone = self.books.iter().filter(|b| matches!(b.line, Line::Undone(_) | Line::GivenBack(_)));
        self.debits().count().saturating_sub(undone.count())
    }

    fn relayed(&self, attempt: Attempt) -> usize {
        self.spoken.iter().filter(|spoken| spoken.said == Said::CredentialRelayed(attempt)).count()
    }

    fn presented(&self, attempt: Attempt) -> usize {
        let uses = |s: &&Stamped| matches!(s.fact, Fact::Presented(used, _) if used == attempt);
        self.facts.iter().filter(uses).count()
    }

    fn is_shown_as_exception(&self) -> bool {
        self.facts.iter().any(|stamped| stamped.fact == Fact::UndoingBy(Undoing::ByHand))
    }
}
