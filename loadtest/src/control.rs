//! Known-bad cases for the judge: a run's own accounts, each doctored in one place.
//!
//! A judge that lets one of these pass is not to be believed, whatever it says of the run; so every run shows it all
//! that its own accounts can be doctored into, and `--control NAME` makes a run be judged by doctored accounts, to see
//! it fail.
use crate::books::{Accounts, Before};
use crate::judge::{Rule, judged};
use crate::ledger::{Held, Told};
use actors::domain::identity::PaymentId;
use clap::ValueEnum;
use serde::Serialize;
use std::collections::HashSet;

/// How many payments of a run a sample has: enough to hold one of each ending.
const SAMPLE: usize = 300;

/// One way to doctor the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// An approved payment is gone from the platform's books.
    LostAtThePlatform,
    /// An approved payment is gone from the journal.
    LostInTheJournal,
    /// A payment is booked twice.
    BookedTwice,
    /// A payment settled twice in the journal.
    SettledTwice,
    /// The platform booked another amount.
    AmountBooked,
    /// The phone was shown another amount.
    AmountShown,
    /// A terminal was told yes to what was refused.
    ApprovedWithoutPayment,
    /// A terminal never got its answer, and the payment stands.
    UnansweredAndStanding,
    /// A terminal was told no, and the payment stands.
    RefusedAndStanding,
    /// Nobody remembers having asked for a payment that stands.
    Forgotten,
    /// The same question was answered differently.
    Contradicted,
}

/// What the judge said of the controls.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shown {
    /// It saw these.
    pub told: Vec<Control>,
    /// It let these pass: it is not to be believed.
    pub missed: Vec<Control>,
    /// The run has nothing that these could be made of.
    pub not_possible: Vec<Control>,
}

impl Control {
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The rule that has to be told.
    pub const fn breaks(self) -> Rule {
        match self {
            Self::LostAtThePlatform | Self::ApprovedWithoutPayment => Rule::Lost,
            Self::LostInTheJournal => Rule::Unrecorded,
            Self::BookedTwice | Self::SettledTwice => Rule::Twice,
            Self::AmountBooked | Self::AmountShown => Rule::Changed,
            Self::UnansweredAndStanding | Self::RefusedAndStanding => Rule::Stands,
            Self::Forgotten => Rule::Orphan,
            Self::Contradicted => Rule::Contradicted,
        }
    }

    /// Doctors one payment; `None` if there is none to doctor.
    pub fn doctor(self, told: &mut Vec<Told>, accounts: &mut Accounts) -> Option<()> {
        let is_approved = |told: &Told| matches!(told.held, Some(Held::Approved(_)));
        let at = match self {
            // A refusal that the books know: where they were never asked, a yes without a payment is lost as well.
            Self::ApprovedWithoutPayment => {
                told.iter().position(|told| matches!(told.held, Some(Held::Declined(_) | Held::TakenBack)))
            }
            Self::AmountShown => told.iter().position(|told| told.shown.is_some()),
            _ => told.iter().position(is_approved),
        }?;
        let id = told.get(at)?.question.id;
        match self {
            Self::LostAtThePlatform => accounts.books.as_mut()?.retain(|booked| booked.payment != id),
            Self::LostInTheJournal => accounts.journal.as_mut()?.retain(|line| line.payment != id),
            Self::BookedTwice => {
                let again = accounts.books.as_ref()?.iter().find(|booked| booked.payment == id)?.clone();
                accounts.books.as_mut()?.push(again);
            }
            Self::SettledTwice => {
                accounts.journal.as_mut()?.iter_mut().find(|line| line.payment == id)?.settled = 2;
            }
            Self::AmountBooked => {
                let booked = accounts.books.as_mut()?.iter_mut().find(|booked| booked.payment == id)?;
                booked.amount = booked.amount.as_ref().map(|amount| format!("9{amount}"));
            }
            Self::AmountShown => {
                let shown = told.get_mut(at)?.shown.as_mut()?;
                shown.amount = format!("9{}", shown.amount);
            }
            Self::ApprovedWithoutPayment => {
                accounts.books.as_ref()?;
                told.get_mut(at)?.held = Some(Held::Approved(None));
            }
            Self::UnansweredAndStanding => told.get_mut(at)?.held = None,
            Self::RefusedAndStanding => told.get_mut(at)?.held = Some(Held::Declined("05".into())),
            Self::Forgotten => drop(told.swap_remove(at)),
            Self::Contradicted => told.get_mut(at)?.another = Some(Held::Declined("05".into())),
        }
        let needs_account =
            matches!(self, Self::UnansweredAndStanding | Self::RefusedAndStanding | Self::Forgotten);
        (!needs_account || accounts.books.is_some() || accounts.journal.is_some()).then_some(())
    }
}

/// Shows the judge a sample of the run, doctored in every way.
pub fn shown_to_the_judge(told: &[Told], accounts: &Accounts) -> Shown {
    let mut shown = Shown::default();
    let sample = sample(told);
    let ids: HashSet<PaymentId> = sample.iter().map(|told| told.question.id).collect();
    let of_sample = |id: PaymentId| ids.contains(&id);
    let books = accounts.books.as_ref();
    let books = books.map(|all| all.iter().filter(|booked| of_sample(booked.payment)).cloned().collect());
    let journal = accounts.journal.as_ref();
    let journal = journal.map(|all| all.iter().filter(|line| of_sample(line.payment)).cloned().collect());
    let accounts = Accounts { books, journal };
    let sound = judged(&sample, &accounts, &Before::default());
    for control in Control::all() {
        let (mut told, mut accounts) = (sample.clone(), accounts.clone());
        if control.doctor(&mut told, &mut accounts).is_none() {
            shown.not_possible.push(*control);
            continue;
        }
        let found = judged(&told, &accounts, &Before::default());
        let is_seen = found.count(control.breaks()) > sound.count(control.breaks());
        if is_seen { shown.told.push(*control) } else { shown.missed.push(*control) }
    }
    shown
}

/// Some of the run, with whatever endings it has.
fn sample(told: &[Told]) -> Vec<Told> {
    let is_approved = |told: &&Told| matches!(told.held, Some(Held::Approved(_)));
    let others = told.iter().filter(|told| !is_approved(told)).take(SAMPLE / 2);
    told.iter().filter(is_approved).take(SAMPLE / 2).chain(others).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::books::{Booked, Journaled};
    use crate::judge::Findings;
    use crate::ledger::{Question, Shown as OnThePhone};
    use actors::domain::identity::{MerchantId, TerminalId};
    use actors::domain::money::Money;

    fn told(bits: u128, held: Option<Held>) -> Told {
        let money = Money::parse("12.50", "EUR").unwrap();
        let merchant = MerchantId::new("M1").ok();
        let question = Question {
            id: PaymentId::from_bits(bits),
            terminal: TerminalId::new("T1").unwrap(),
            merchant,
            money,
        };
        let (amount, currency, merchant) = ("12.50".into(), "EUR".into(), "M1".into());
        Told { question, held, shown: Some(OnThePhone { amount, currency, merchant }), another: None }
    }

    fn booked(bits: u128, status: &str) -> Booked {
        Booked {
            payment: PaymentId::from_bits(bits),
            status: status.into(),
            amount: Some("12.50".into()),
            currency: Some("EUR".into()),
            merchant: Some("M1".into()),
            reference: Some("D1".into()),
            refunds: Vec::new(),
        }
    }

    fn journaled(bits: u128, status: &str) -> Journaled {
        let is_paid = status == "paid";
        Journaled {
            payment: PaymentId::from_bits(bits),
            status: status.into(),
            merchant: Some("M1".into()),
            amount: Some("12.50".into()),
            currency: Some("EUR".into()),
            settled: u32::from(is_paid),
            settled_amount: is_paid.then(|| "12.50".into()),
            reference: is_paid.then(|| "D1".into()),
            refunds: 0,
        }
    }

    /// One approved, one declined and undone, one refused at the door.
    fn sound() -> (Vec<Told>, Accounts) {
        let told = vec![
            told(1, Some(Held::Approved(Some("D1".into())))),
            told(2, Some(Held::Declined("68".into()))),
            told(3, Some(Held::TurnedAway("503".into()))),
        ];
        let books = Some(vec![booked(1, "paid"), booked(2, "reversed")]);
        let journal = Some(vec![journaled(1, "paid"), journaled(2, "reversed")]);
        (told, Accounts { books, journal })
    }

    #[test]
    fn what_both_accounts_tell_of_one_payment_is_one_violation() {
        let (told, _) = sound();
        let books = Some(vec![booked(1, "paid"), booked(2, "paid")]);
        let journal = Some(vec![journaled(1, "paid"), journaled(2, "paid")]);
        let findings = judged(&told, &Accounts { books, journal }, &Before::default());
        assert_eq!((findings.count(Rule::Stands), findings.total()), (1, 1));
    }

    fn rules(told: &[Told], accounts: &Accounts) -> Vec<Rule> {
        let Findings { counts, .. } = judged(told, accounts, &Before::default());
        counts.into_keys().collect()
    }

    #[test]
    fn a_sound_run_is_not_blamed() {
        let (told, accounts) = sound();
        assert_eq!(rules(&told, &accounts), []);
    }

    #[test]
    fn the_judge_tells_every_doctored_account() {
        let (told, accounts) = sound();
        let shown = shown_to_the_judge(&told, &accounts);
        assert_eq!(shown.told, Control::all());
    }

    #[test]
    fn a_judge_with_one_account_only_is_shown_what_that_one_can_tell() {
        let (told, accounts) = sound();
        for half in [
            Accounts { books: None, ..accounts.clone() },
            Accounts { journal: None, ..accounts },
            Accounts::default(),
        ] {
            let shown = shown_to_the_judge(&told, &half);
            assert_eq!(shown.missed, [], "{half:?}");
        }
    }

    #[test]
    fn an_approved_answer_has_one_payment_and_a_refused_one_none() {
        let (told_all, accounts) = sound();
        let without = |status: &str| {
            let books = Some(vec![booked(1, status), booked(2, "reversed")]);
            rules(&told_all, &Accounts { books, journal: None })
        };
        assert_eq!(without("reversed"), [Rule::Lost]);
        let standing = Some(vec![booked(1, "paid"), booked(2, "paid")]);
        assert_eq!(rules(&told_all, &Accounts { books: standing, journal: None }), [Rule::Stands]);
        let permitted = Some(vec![booked(1, "paid"), booked(2, "permitted")]);
        assert_eq!(rules(&told_all, &Accounts { books: permitted, journal: None }), [Rule::NotUndone]);
        let owing = Some(vec![journaled(1, "paid"), journaled(2, "reversing")]);
        assert_eq!(rules(&told_all, &Accounts { books: None, journal: owing }), [Rule::NotUndone]);
        let forgotten = Some(vec![journaled(2, "reversed")]);
        let books = accounts.books;
        assert_eq!(rules(&told_all, &Accounts { books, journal: forgotten }), [Rule::Unrecorded]);
    }

    #[test]
    fn a_question_without_an_answer_is_told_even_if_it_was_undone() {
        let unanswered = [told(2, None)];
        let books = Some(vec![booked(2, "reversed")]);
        assert_eq!(rules(&unanswered, &Accounts { books, journal: None }), [Rule::Unanswered]);
        let books = Some(vec![booked(2, "paid")]);
        assert_eq!(rules(&unanswered, &Accounts { books, journal: None }), [Rule::Stands, Rule::Unanswered]);
    }

    #[test]
    fn another_debit_than_the_terminal_was_told_of_is_a_second_one() {
        let (told_all, _) = sound();
        let other = Booked { reference: Some("D2".into()), ..booked(1, "paid") };
        let books = Some(vec![other, booked(2, "reversed")]);
        assert_eq!(rules(&told_all, &Accounts { books, journal: None }), [Rule::Twice]);
    }
}
