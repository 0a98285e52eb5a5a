//! One terminal of the load: a conforming till that sells the same thing again and again.
use crate::drive::plan::Plan;
use crate::roster::KnownTerminal;
use actors::domain::identity::TerminalId;
use actors::domain::money::Money;
use actors::domain::time::Timestamp;
use adapters::players::till::{Order, Sale, Till};
use adapters::players::{PlayFault, Surroundings};
use std::time::Duration;

/// A terminal.
pub struct Terminal {
    pub id: TerminalId,
    till: Till,
    surroundings: Surroundings,
    money: Money,
    answer_within: Duration,
}

/// What became of a sale.
pub struct Sold {
    pub sale: Result<Sale, PlayFault>,
    pub asked: Timestamp,
    pub answered: Timestamp,
}

impl Terminal {
    pub fn new(plan: &Plan, known: &KnownTerminal, surroundings: Surroundings) -> anyhow::Result<Self> {
        let till = Till::new(surroundings.clone(), plan.terminals.clone(), known.id, &known.key)?;
        let (money, answer_within) = (plan.money, plan.answer_within);
        Ok(Self { id: known.id, till, surroundings, money, answer_within })
    }

    /// Sells once.
    pub async fn sell(&mut self) -> Sold {
        let asked = self.surroundings.clock.now();
        let sale = match Order::new(&self.surroundings, self.money, self.answer_within) {
            Ok(order) => self.till.sell(&order).await,
            Err(fault) => Err(fault),
        };
        Sold { sale, asked, answered: self.surroundings.clock.now() }
    }

    /// Requests repeated so far.
    pub fn repeats(&self) -> u64 {
        self.till.repeats()
    }
}
