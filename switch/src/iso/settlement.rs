//! A terminal's settlement (0500, 0520 and their repeats): its totals beside ours, counted up to now.
//!
//! The terminal's book says from where and keeps what was answered; the read model counts, once it has caught up with
//! the journal. Nothing is held meanwhile: if the book changed, it is counted again, and a crash leaves nothing behind. What
//! a sale or a refund is, is `domain::till::booking`'s to say; fields and codes are the flows'.
use actors::answer::Fault;
use actors::domain::identity::{PaymentKey, TerminalId};
use actors::domain::money::Currency;
use actors::domain::till::{Period, Settled, Settlement, Totals, Unsettled};
use actors::domain::time::Deadline;
use actors::ports::history::{History, HistoryFault};
use actors::switchboard::{NotSettled, Switchboard};
use actors::terminal_session::TillStanding;
use tokio::time::timeout;

/// How often is counted again because another settlement of the same terminal came between.
const COUNTS_MAX: usize = 3;

/// A terminal's own totals, to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who.
    pub terminal: TerminalId,
    /// Which message: a repeat has the same.
    pub key: PaymentKey,
    /// In which currency (DE 50).
    pub currency: Currency,
    /// What it counted.
    pub totals: Totals,
}

/// Why nothing was settled. Whatever can be repeated is to be repeated under the same key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// The key was used for something else (94).
    #[error(transparent)]
    SameKeyOtherData(Unsettled),
    /// In one currency too many (57).
    #[error(transparent)]
    TooManyCurrencies(Unsettled),
    /// Settled by somebody else at the same time, each time that it was counted: repeat (91).
    #[error("settled from elsewhere at the same time: repeat with the same key")]
    Crowded,
    /// The actors could not do it now: repeat (91).
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The read model did not catch up in time: repeat (91).
    #[error(
        "the read model is behind the journal: see turnout_read_model_behind_records; repeat with the same key"
    )]
    Behind,
    /// The read model did not answer: repeat (91).
    #[error(transparent)]
    History(#[from] HistoryFault),
}

/// Settles, or says again what was settled under the same key; durable when it is answered. It waits at most until `by`.
pub async fn settled(
    board: &Switchboard,
    history: &dyn History,
    stated: &Statement,
    by: Deadline,
) -> Result<Settled, Uncounted> {
    for _ in 0..COUNTS_MAX {
        let till = board.till(stated.terminal, by).await?;
        let known = till.book.answered(&stated.key, stated.currency, &stated.totals).map_err(unfit)?;
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let counted = counted(board, history, stated, &till, by).await?;
        match board.settle(stated.terminal, counted, by).await {
            Err(NotSettled::Unsettled(Unsettled::CountedFromElsewhere)) => {}
            Err(NotSettled::Unsettled(unsettled)) => return Err(unfit(unsettled)),
            Err(NotSettled::Fault(fault)) => return Err(fault.into()),
            Ok(settled) => return Ok(settled),
        }
    }
    Err(Uncounted::Crowded)
}

async fn counted(
    board: &Switchboard,
    history: &dyn History,
    stated: &Statement,
    till: &TillStanding,
    by: Deadline,
) -> Result<Settlement, Uncounted> {
    let (after, upto) = (till.book.settled_upto(stated.currency), till.upto);
    let period = Period { terminal: stated.terminal, currency: stated.currency, after, upto };
    let counting = async {
        history.caught_up(till.end).await?;
        history.totals(period).await
    };
    let counted = timeout(by.left(board.now()), counting).await.map_err(|_| Uncounted::Behind)??;
    let (key, currency, claimed) = (stated.key.clone(), stated.currency, stated.totals);
    Ok(Settlement { key, currency, after, upto, claimed, counted })
}

const fn unfit(unsettled: Unsettled) -> Uncounted {
    match unsettled {
        Unsettled::SameKeyOtherData => Uncounted::SameKeyOtherData(unsettled),
        Unsettled::TooManyCurrencies => Uncounted::TooManyCurrencies(unsettled),
        Unsettled::CountedFromElsewhere => Uncounted::Crowded,
    }
}
