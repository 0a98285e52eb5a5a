//! The auditor: holds what tills were told and what phones were shown against the platform's own books.
//!
//! It reads nothing of the switch's: a switch that forgot a payment cannot hide it. What it checks are the promises I1
//! to I4, I6 and I12 of a quiet world; whether a world is quiet is for the caller to wait for. Pure, so that its own
//! story can show it doctored books.
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a till holds at the end of a sale, and what it was told on the way.
#[derive(Clone, Debug)]
pub struct Sold {
    /// The payment that its key names.
    pub id: String,
    /// What it asked for.
    pub amount: String,
    /// How the sale ended for it.
    pub held: Held,
    /// What it was told when it looked again, after everything.
    pub told_again: Option<Held>,
    /// Refunds that it was told are done.
    pub refunds: Vec<Refund>,
    /// Whether the switch died while it was under way.
    pub across: bool,
}

/// An ending, as a till knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The goods are handed over; the platform's name for the debit, if it was told.
    Approved(Option<String>),
    /// No money.
    Declined,
    /// No money any more.
    TakenBack,
}

/// What a phone was shown of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The payment.
    pub id: String,
    /// How much the payer said yes to.
    pub amount: String,
}

/// The platform's books, as it publishes them.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Books {
    /// The payments and tombstones.
    pub payments: Vec<Booked>,
}

/// One payment in the books.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Booked {
    pub payment: String,
    pub status: String,
    pub amount: Option<String>,
    pub reference: Option<String>,
    pub refunds: Vec<Refund>,
}

/// Money that went back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Refund {
    #[serde(rename = "refund")]
    pub id: String,
    pub amount: String,
}

/// What the auditor found.
#[derive(Debug, Default)]
pub struct Audit {
    pub sales: usize,
    pub approved: usize,
    pub across_a_kill: usize,
    pub violations: Vec<String>,
}

impl Books {
    /// Anything that serialises as the sandbox's books do.
    pub fn of(page: &impl serde::Serialize) -> Self {
        serde_json::from_value(serde_json::to_value(page).unwrap()).unwrap()
    }
}

/// Reads only what the tills were told, what the phones were shown, and what the platform booked.
pub fn audited(sold: &[Sold], shown: &[Shown], books: &Books) -> Audit {
    let mut audit = Audit { sales: sold.len(), ..Audit::default() };
    let held: BTreeMap<&str, &Sold> = sold.iter().map(|sale| (sale.id.as_str(), sale)).collect();
    let booked: BTreeMap<&str, &Booked> = books.payments.iter().map(|b| (b.payment.as_str(), b)).collect();
    for sale in sold {
        audit.across_a_kill += usize::from(sale.across);
        audit.approved += usize::from(matches!(sale.held, Held::Approved(_)));
        let entry = booked.get(sale.id.as_str()).copied();
        audit.violations.extend(disagreement(sale, entry).map(|what| format!("{what}: {sale:?}, {entry:?}")));
    }
    for entry in &books.payments {
        if entry.status == "paid" && !held.contains_key(entry.payment.as_str()) {
            audit.violations.push(format!("I2 was paid, and no till knows of it: {entry:?}"));
        }
    }
    for seen in shown {
        let asked = held.get(seen.id.as_str());
        if asked.is_none_or(|sale| sale.amount != seen.amount) {
            audit.violations.push(format!("I4 a payer saw {seen:?}, the till asked for {asked:?}"));
        }
    }
    audit
}

/// What a till's word and the books differ in, if they do.
fn disagreement(sale: &Sold, entry: Option<&Booked>) -> Option<&'static str> {
    let is_paid = entry.is_some_and(|entry| entry.status == "paid");
    let is_clear = entry.is_none_or(|entry| entry.status == "reversed");
    match &sale.held {
        Held::Approved(_) if !is_paid => return Some("I1 approved and not paid"),
        Held::Declined | Held::TakenBack if !is_clear => return Some("I1 not approved and not undone"),
        _ => {}
    }
    if sale.told_again.as_ref().is_some_and(|again| *again != sale.held) {
        return Some("I6 another answer to the same question");
    }
    let Some(entry) = entry else { return (!sale.refunds.is_empty()).then_some("I12 refund of nothing") };
    if is_paid && entry.amount.as_ref() != Some(&sale.amount) {
        return Some("I4 another amount was booked");
    }
    if matches!(&sale.held, Held::Approved(Some(_))) && sale.held != Held::Approved(entry.reference.clone()) {
        return Some("I3 the till was told of another debit");
    }
    (entry.refunds != sale.refunds).then_some("I12 the refunds differ")
}

#[test]
fn the_auditor_sees_every_way_in_which_a_till_and_the_books_can_differ() {
    let sale = |id: &str, held| {
        let (id, amount) = (id.to_owned(), "1.00".to_owned());
        Sold { id, amount, held, told_again: None, refunds: Vec::new(), across: false }
    };
    let approved = || Held::Approved(Some("d".to_owned()));
    let entry = |status: &str| {
        let (payment, amount) = ("a".to_owned(), Some("1.00".to_owned()));
        Booked {
            payment,
            status: status.to_owned(),
            amount,
            reference: Some("d".to_owned()),
            refunds: vec![],
        }
    };
    let back = |id: &str| Refund { id: id.to_owned(), amount: "0.40".to_owned() };
    let first_words = |sold: &[Sold], shown: &[Shown], entries: Vec<Booked>| -> Vec<String> {
        let found = audited(sold, shown, &Books { payments: entries }).violations;
        found.into_iter().map(|violation| violation.split(' ').next().unwrap().to_owned()).collect()
    };
    let paid = || vec![entry("paid")];
    assert_eq!(first_words(&[sale("a", approved())], &[], paid()), Vec::<String>::new());
    assert_eq!(
        first_words(&[sale("a", Held::TakenBack)], &[], vec![entry("reversed")]),
        Vec::<String>::new()
    );
    assert_eq!(first_words(&[], &[], paid()), ["I2"]);
    assert_eq!(first_words(&[sale("a", approved())], &[], vec![]), ["I1"]);
    assert_eq!(first_words(&[sale("a", Held::Declined)], &[], paid()), ["I1"]);
    assert_eq!(first_words(&[sale("a", Held::Declined)], &[], vec![entry("permitted")]), ["I1"]);
    let other = Booked { amount: Some("2.00".to_owned()), ..entry("paid") };
    assert_eq!(first_words(&[sale("a", approved())], &[], vec![other]), ["I4"]);
    let other = Booked { reference: Some("e".to_owned()), ..entry("paid") };
    assert_eq!(first_words(&[sale("a", approved())], &[], vec![other]), ["I3"]);
    let fickle = Sold { told_again: Some(Held::Declined), ..sale("a", approved()) };
    assert_eq!(first_words(&[fickle], &[], paid()), ["I6"]);
    let misled = Shown { id: "a".to_owned(), amount: "0.10".to_owned() };
    assert_eq!(first_words(&[sale("a", approved())], &[misled], paid()), ["I4"]);
    let twice = Booked { refunds: vec![back("r"), back("r")], ..entry("paid") };
    let refunded = Sold { refunds: vec![back("r")], ..sale("a", approved()) };
    assert_eq!(first_words(&[refunded], &[], vec![twice]), ["I12"]);
}
