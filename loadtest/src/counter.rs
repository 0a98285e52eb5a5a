//! One terminal of the load, over HTTP or over an ISO 8583 line: asks, repeats, takes back, and knows what it holds.
//!
//! Both kinds conform: an answer that does not come is asked for again under the same name, and taken back in the end
//! until that is acknowledged. The payment's id is derived from that name, as docs/lines.md and docs/http-api.md have it.
use crate::ledger::Held;
use crate::stage::Door;
use actors::domain::identity::{Keeper, MerchantId, PaymentId, TerminalId};
use actors::domain::money::Money;
use adapters::iso8583::trace::{Class, Day, Period, Trace};
use adapters::players::pos::{Pos, PosAnswer, PosOrder};
use adapters::players::seen::{SaleSeen, Status};
use adapters::players::till::{Order, Sale, Till};
use adapters::players::{PlayFault, Surroundings};
use anyhow::ensure;
use std::time::Duration;

/// The switch decides within what it was given; so much more is for its answer to arrive.
const SLACK: Duration = Duration::from_secs(2);
/// The longest wait that the switch grants (docs/http-api.md).
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Network management: the terminal is there.
const SIGN_ON: &str = "001";

/// A terminal.
pub struct Counter {
    pub id: TerminalId,
    pub merchant: Option<MerchantId>,
    surroundings: Surroundings,
    wire: Wire,
}

/// What it speaks.
pub enum Wire {
    Http(Box<Till>),
    Iso(Box<Pos>),
}

/// What it asks for.
pub struct Wanted {
    /// The payment that this becomes.
    pub id: PaymentId,
    named: Named,
}

enum Named {
    Http(Order),
    Iso(PosOrder),
}

/// An answer, and how it was come by.
pub struct Learned {
    pub held: Held,
    /// The switch said on the way that it was too busy.
    pub was_shed: bool,
}

impl Counter {
    pub const fn new(
        id: TerminalId,
        merchant: Option<MerchantId>,
        surroundings: Surroundings,
        wire: Wire,
    ) -> Self {
        Self { id, merchant, surroundings, wire }
    }

    pub const fn door(&self) -> Door {
        match self.wire {
            Wire::Http(_) => Door::Http,
            Wire::Iso(_) => Door::Iso,
        }
    }

    /// Opens for business: over a line a terminal connects and signs on, as it does in the morning; over HTTP there is nothing to do.
    pub async fn open(&mut self) -> anyhow::Result<()> {
        let Wire::Iso(pos) = &mut self.wire else { return Ok(()) };
        let answer = pos.manage(SIGN_ON).await?;
        ensure!(answer.code == "00", "the switch answered with {}", answer.code);
        Ok(())
    }

    /// Requests repeated so far.
    pub fn repeats(&self) -> u64 {
        match &self.wire {
            Wire::Http(till) => till.repeats(),
            Wire::Iso(pos) => pos.repeats(),
        }
    }

    /// A sale under a name of its own.
    pub fn wants(&mut self, money: Money, patience: Duration) -> Result<Wanted, PlayFault> {
        let (id, named) = match &mut self.wire {
            Wire::Http(_) => {
                let order = Order::new(&self.surroundings, money, patience)?;
                (PaymentId::derive(&Keeper::Terminal(self.id), &order.key), Named::Http(order))
            }
            Wire::Iso(pos) => {
                let order = pos.order(money, patience);
                let id = trace(&order).and_then(|trace| trace.payment(self.id));
                let id = id.ok_or_else(|| PlayFault::OffContract("a message without a day".into()))?;
                (id, Named::Iso(order))
            }
        };
        Ok(Wanted { id, named })
    }

    /// Asks until it knows.
    pub async fn sell(&mut self, wanted: &Wanted) -> Result<Learned, PlayFault> {
        match self.ask_once(wanted).await {
            Ok(held) => Ok(Learned { was_shed: is_too_busy(&held), held }),
            Err(fault) if fault.is_passing() => {
                let was_shed =
                    matches!(&fault, PlayFault::Refused(problem) if [429, 503].contains(&problem.status));
                let sale = match (&mut self.wire, &wanted.named) {
                    (Wire::Http(till), Named::Http(order)) => till.sell(order).await?,
                    (Wire::Iso(pos), Named::Iso(order)) => pos.sell(order).await?,
                    _ => return Err(another_door()),
                };
                Ok(Learned { held: held(sale, self.door()), was_shed })
            }
            Err(PlayFault::Refused(problem)) if problem.status < 500 => {
                Ok(Learned { held: Held::TurnedAway(problem.status.to_string()), was_shed: false })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Asks once, and waits for as long as it has patience.
    pub async fn ask_once(&mut self, wanted: &Wanted) -> Result<Held, PlayFault> {
        match (&mut self.wire, &wanted.named) {
            (Wire::Http(till), Named::Http(order)) => {
                let wait = order.answer_within.saturating_add(SLACK).min(WAIT_MAX);
                let seen = till.place(order, wait).await?;
                if seen.status.is_decided() { of_sale(seen) } else { Err(not_yet()) }
            }
            (Wire::Iso(pos), Named::Iso(order)) => {
                let answer = pos.place(order, false, order.patience.saturating_add(SLACK)).await?;
                of_answer(answer, self.id, wanted)
            }
            _ => Err(another_door()),
        }
    }

    /// Asks the same again after the answer.
    pub async fn ask_again(&mut self, wanted: &Wanted) -> Result<Held, PlayFault> {
        if let (Wire::Iso(pos), Named::Iso(order)) = (&mut self.wire, &wanted.named) {
            let answer = pos.place(order, true, order.patience).await?;
            return of_answer(answer, self.id, wanted);
        }
        self.ask_once(wanted).await
    }

    /// Takes it back until that is acknowledged.
    pub async fn take_back(&mut self, wanted: &Wanted) -> Result<Held, PlayFault> {
        let sale = match (&mut self.wire, &wanted.named) {
            (Wire::Http(till), Named::Http(order)) => till.take_back(&order.key).await?,
            (Wire::Iso(pos), Named::Iso(order)) => pos.take_back(order).await?,
            _ => return Err(another_door()),
        };
        Ok(held(sale, self.door()))
    }

    /// Loses its connection. A request that was given up has taken its own with it already.
    pub fn hang_up(&mut self) {
        if let Wire::Iso(pos) = &mut self.wire {
            pos.hang_up();
        }
    }
}

/// The switch could not serve it, and nothing of it stands.
pub fn is_too_busy(held: &Held) -> bool {
    matches!(held, Held::Declined(code) if code == "91")
}

fn trace(order: &PosOrder) -> Option<Trace> {
    let day = Day::of_mmdd(order.sent.get(..4)?.parse().ok()?)?;
    Trace::new(Class::Financial, order.stan, Period::Day(day))
}

fn not_yet() -> PlayFault {
    PlayFault::Unanswered(adapters::players::Silence::Late)
}

fn another_door() -> PlayFault {
    PlayFault::OffContract("a sale belongs to the terminal that named it".into())
}

fn held(sale: Sale, door: Door) -> Held {
    match (sale, door) {
        (Sale::Approved { reference, .. }, Door::Http) => Held::Approved(reference),
        // Field 38 is the switch's own code, and no name of the platform's.
        (Sale::Approved { .. }, Door::Iso) => Held::Approved(None),
        (Sale::Declined { code }, _) => Held::Declined(code),
        (Sale::Reversed, _) => Held::TakenBack,
    }
}

fn of_sale(seen: SaleSeen) -> Result<Held, PlayFault> {
    if seen.status == Status::Approved {
        return Ok(Held::Approved(seen.platform_reference));
    }
    // A no that the platform still has to hear of is a no.
    let code = seen.response_code;
    code.map(Held::Declined).ok_or_else(|| PlayFault::OffContract("a no without response_code".into()))
}

/// Reads an answer over a line; its field 37 has to lead to the payment that was asked for.
fn of_answer(answer: PosAnswer, terminal: TerminalId, wanted: &Wanted) -> Result<Held, PlayFault> {
    let meant = answer.reference.as_deref().and_then(|text| Trace::of_reference(text.as_bytes(), terminal));
    let meant = meant.and_then(|trace| trace.payment(terminal));
    if answer.code == "00" && meant != Some(wanted.id) {
        let reference = answer.reference.unwrap_or_default();
        return Err(PlayFault::OffContract(format!("field 37 ({reference}) names another payment")));
    }
    Ok(if answer.code == "00" { Held::Approved(None) } else { Held::Declined(answer.code) })
}
