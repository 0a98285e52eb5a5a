//! A journal as a list of payments, for machines: what each was for, how far it is, how often its money moved.
//!
//! Told from the facts alone and not from the heart's phases, so that somebody who doubts the heart can count for
//! himself: `loadtest` holds it against what terminals were told. The list is made in one walk, beside a running switch
//! or after it. The facts one by one are in `show`.
use super::reader::Files;
use super::record::{Location, Record, Telling};
use super::walk;
use actors::domain::identity::PaymentId;
use actors::domain::journal::Entry;
use actors::domain::order::Order;
use actors::domain::payment::command::Fact;
use actors::domain::response_code::Refusal;
use actors::ports::disk::Disk;
use actors::ports::journal::JournalFault;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far a payment is, by its facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing is decided.
    #[default]
    Open,
    /// The money moved and stays.
    Paid,
    /// Refused, with nothing to undo.
    Declined,
    /// Refused or taken back; the platform has yet to say that nothing is left.
    Reversing,
    /// Nothing is left of it.
    Reversed,
}

/// One payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its id.
    pub payment: String,
    /// How far it is.
    pub status: Standing,
    /// The terminal that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// Who is to be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// How much was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How often its money moved: more than once is wrong.
    pub settled: u32,
    /// How much moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_amount: Option<String>,
    /// The platform's name for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// DE 39 of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<String>,
    /// Refunds that were promised.
    pub refunds: u32,
}

impl Line {
    fn of(payment: PaymentId) -> Self {
        Self { payment: payment.to_string(), ..Self::default() }
    }

    fn heard(&mut self, fact: &Fact) {
        match fact {
            Fact::Opened(deal) => self.asked(&deal.order),
            Fact::TurnedAway(order, refusal) => {
                self.asked(order);
                self.refused(Standing::Declined, *refusal);
            }
            Fact::Settled(receipt) => {
                self.status = Standing::Paid;
                self.settled = self.settled.saturating_add(1);
                self.settled_amount = Some(receipt.money.decimal());
                self.reference = Some(receipt.reference.to_string());
            }
            Fact::Declined(refusal) => self.refused(Standing::Declined, *refusal),
            Fact::ReversalOwed(refusal) => self.refused(Standing::Reversing, *refusal),
            Fact::Reversed(_) | Fact::ReversedUnseen(_) => self.status = Standing::Reversed,
            Fact::RefundOwed(..) => self.refunds = self.refunds.saturating_add(1),
            Fact::PhoneCame(_)
            | Fact::PhoneLeft
            | Fact::Consented(_)
            | Fact::Permitted(..)
            | Fact::Presented(..)
            | Fact::AttemptFailed(..)
            | Fact::Doubted(_)
            | Fact::Inquired(_)
            | Fact::StillPermitted(_)
            | Fact::UndoingBy(_)
            | Fact::RefundDone(_)
            | Fact::RefundRefused(_) => {}
        }
    }

    fn asked(&mut self, order: &Order) {
        self.terminal = order.terminal().map(|terminal| terminal.to_string());
        self.merchant = Some(order.merchant.to_string());
        self.amount = Some(order.money.decimal());
        self.currency = Some(order.money.currency().code().to_owned());
    }

    fn refused(&mut self, status: Standing, refusal: Refusal) {
        self.status = status;
        self.response_code = Some(refusal.response_code().as_str().to_owned());
    }
}

/// Every payment on `disk`, by its id, up to the first damage.
pub fn payments(disk: Arc<dyn Disk>) -> Result<Vec<Line>, JournalFault> {
    let files = Files::new(disk.clone());
    let (headers, _) = walk::headers(&*disk, &files)?;
    let Some((_, oldest)) = headers.first_key_value() else { return Ok(Vec::new()) };
    let mut lines: BTreeMap<PaymentId, Line> = BTreeMap::new();
    let mut take = |_: Location, record: Record| {
        let (Entry::Payment(id, fact), Some(telling)) = (&record.entry, record.tells()) else {
            return Ok(());
        };
        if telling == Telling::Anew {
            lines.remove(id);
        }
        lines.entry(*id).or_insert_with(|| Line::of(*id)).heard(fact);
        Ok(())
    };
    walk::walk(&files, &headers, walk::beginning(oldest), &mut take)?;
    Ok(lines.into_values().collect())
}
