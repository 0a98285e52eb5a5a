//! What a terminal's message makes happen: one flow per kind of wish, each ending in an answer that is true.
//!
//! Everything that lasts is the terminal session's; a flow only asks the switchboard and puts the answer into a
//! response code. An answer that the terminal would not wait for any more is not given. Fields and bytes are `adapters::iso8583`'s.
use super::settlement::{Statement, Uncounted, settled};
use actors::answer::Fault;
use actors::domain::identity::{Keeper, MerchantId, PaymentId, PaymentKey, RefundId, TerminalId};
use actors::domain::money::Money;
use actors::domain::order::Order;
use actors::domain::payment::command::Misfit;
use actors::domain::payment::phase::Phase;
use actors::domain::payment::{Outcome, Payment};
use actors::domain::response_code::ResponseCode;
use actors::domain::till::Settled;
use actors::domain::till::booking::is_part;
use actors::domain::time::{Deadline, Timestamp};
use actors::planted::{Bug, is_planted};
use actors::ports::history::History;
use actors::report::{Report, Until};
use actors::switchboard::{Refused, Switchboard};
use adapters::iso8583::asked::{Asked, Original, Sale, Told, Wish};
use adapters::iso8583::trace::{Trace, approval_code};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer that needs no waiting may take inside.
const INSIDE_WITHIN: Duration = Duration::from_secs(5);
/// After a payment's deadline, so long for the decision to become durable.
const DECISION_WITHIN: Duration = Duration::from_secs(2);

/// How a line is served.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long the terminals of the line wait for an answer.
    pub patience: Duration,
    /// So much earlier the payment is decided, for the answer to arrive in time.
    pub margin: Duration,
    /// What a reversal is told whose original was never seen. It is remembered either way.
    pub unseen_reversal: ResponseCode,
}

/// The flows of one line.
#[derive(Clone)]
pub struct Flows {
    board: Switchboard,
    history: Arc<dyn History>,
    rules: Rules,
}

/// A terminal that the roster knows, and its merchant.
#[derive(Clone, Copy)]
pub(super) struct Known {
    terminal: TerminalId,
    merchant: MerchantId,
}

impl Flows {
    /// The flows of a line with these rules.
    pub const fn new(board: Switchboard, history: Arc<dyn History>, rules: Rules) -> Self {
        Self { board, history, rules }
    }

    /// Does what is asked. `None`: the terminal does not wait any more, or nothing true can be said; it will take
    /// back or ask again.
    pub async fn fulfil(&self, arrived: Timestamp, asked: Asked) -> Option<Told> {
        let known = match self.known(&asked) {
            Ok(known) => known,
            Err(code) => return Some(Told::code(code)),
        };
        match asked.wish {
            Wish::Pay(sale) => self.pay(arrived, known, sale).await,
            Wish::TakeBack(original) => Some(self.take_back(known, original).await),
            Wish::KeepOnly(original, money, name) => Some(self.keep_only(known, original, money, name).await),
            Wish::GiveBack(original, money, name) => Some(self.give_back(known, original, money, name).await),
            Wish::Completed(original, money, name) => {
                Some(self.completed(known, original, money, name).await)
            }
            Wish::Manage(_) => Some(Told::code(ResponseCode::APPROVED)),
            Wish::Settle(key, currency, totals) => {
                let by = Deadline::after(arrived, self.rules.patience.saturating_sub(self.rules.margin));
                let stated = Statement { terminal: known.terminal, key, currency, totals: *totals };
                Some(settlement_told(settled(&self.board, &*self.history, &stated, by).await))
            }
            // Whoever knows how messages are proven answers these.
            Wish::Keys(_) => Some(Told::code(ResponseCode::NOT_SUPPORTED)),
        }
    }

    /// Who asks, if the operator knows the terminal and the merchant is its own.
    pub(super) fn known(&self, asked: &Asked) -> Result<Known, ResponseCode> {
        let merchant = self.board.world().roster.merchant_of(asked.terminal);
        let merchant = merchant.ok_or(ResponseCode::NOT_PERMITTED_TO_TERMINAL)?;
        if asked.merchant.is_some_and(|named| named != merchant) {
            return Err(ResponseCode::INVALID_MERCHANT);
        }
        Ok(Known { terminal: asked.terminal, merchant })
    }
}

/// Paying.
impl Flows {
    async fn pay(&self, arrived: Timestamp, known: Known, sale: Sale) -> Option<Told> {
        let Some(key) = key(&sale.trace, arrived) else {
            return Some(Told::code(ResponseCode::FORMAT_ERROR));
        };
        let answer_by = Deadline::after(arrived, self.rules.patience.saturating_sub(self.rules.margin));
        let order = Order {
            keeper: Keeper::Terminal(known.terminal),
            key,
            merchant: known.merchant,
            money: sale.money,
            reference: Some(sale.reference),
            answer_by,
        };
        let reference = sale.trace.reference(known.terminal);
        let by = Deadline::after(answer_by.instant(), DECISION_WITHIN);
        let answered = match self.board.place(order.clone(), Until::Decided, by).await {
            Err(Refused::Fault(fault @ Fault::Overloaded { .. }))
                if self.board.send_away(order.payment()) =>
            {
                return Some(Told::about(code_of_fault(fault), reference));
            }
            Err(Refused::Fault(fault)) if !is_left_alone(fault) => self.given_up(order, fault).await,
            answered => answered,
        };
        match answered {
            Ok(report) if self.is_too_late(arrived, &report.payment) => {
                if is_planted(Bug::LateApprovalUndone) {
                    drop(self.board.reverse(known.terminal, report.payment.id(), self.soon()).await);
                }
                None
            }
            Ok(report) => Some(decided(&report.payment, reference, arrived)),
            Err(Refused::Fault(fault)) if is_left_alone(fault) => {
                Some(Told::about(code_of_fault(fault), reference))
            }
            // It may go on without anybody who waits; the terminal's own reversal will end it.
            Err(Refused::Fault(_)) => None,
            Err(refused) => Some(Told::about(code_of(refused), reference)),
        }
    }

    /// An approval that the terminal does not wait for any more. It is not told, so the terminal takes back what it did not
    /// learn; taken back from here it would be lost to a repeat that was told of it in the same moment.
    fn is_too_late(&self, arrived: Timestamp, payment: &Payment) -> bool {
        let is_approved = matches!(payment.outcome(), Some(Outcome::Approved(_)));
        is_approved && Deadline::after(arrived, self.rules.patience).is_over(self.board.now())
    }

    /// After a fault inside: what became of the sale, durably, now that nothing undecided of it stays. A repeat is told the same.
    async fn given_up(&self, order: Order, fault: Fault) -> Result<Report, Refused> {
        // Too many to be told one by one: `turnout_shed_total` counts them.
        if !matches!(fault, Fault::Overloaded { .. }) {
            tracing::info!(%fault, "a sale is given up");
        }
        let given_up = self.board.give_up(order, self.soon()).await;
        if let Err(refused) = &given_up {
            tracing::warn!(%refused, "an unanswered sale is left to the terminal's own reversal");
        }
        given_up
    }
}

/// Undoing.
impl Flows {
    async fn take_back(&self, known: Known, original: Original) -> Told {
        let found = match self.found(known, original).await {
            Ok(found) => found,
            Err(refused) => return Told::code(code_of(refused)),
        };
        let Some((trace, _)) = found else { return self.forbidden(known, original).await };
        let reference = trace.reference(known.terminal);
        let Some(payment) = trace.payment(known.terminal) else {
            return Told::about(ResponseCode::FORMAT_ERROR, reference);
        };
        if is_planted(Bug::ReversalAckedUnheard) {
            let (board, by) = (self.board.clone(), self.soon());
            actix_rt::spawn(async move { drop(board.reverse(known.terminal, payment, by).await) });
            return Told::about(ResponseCode::APPROVED, reference);
        }
        match self.board.reverse(known.terminal, payment, self.soon()).await {
            Ok(_) => Told::about(ResponseCode::APPROVED, reference),
            Err(refused) => Told::about(code_of(refused), reference),
        }
    }

    /// An original that was never seen will be refused when it comes, by whatever name.
    async fn forbidden(&self, known: Known, original: Original) -> Told {
        let mut reference = None;
        for trace in original.traces() {
            let Some(key) = trace.key() else { continue };
            reference = reference.or_else(|| Some(trace.reference(known.terminal)));
            if let Err(refused) = self.board.reverse_by_key(known.terminal, &key, self.soon()).await {
                return Told { reference, ..Told::code(code_of(refused)) };
            }
        }
        let code = if reference.is_some() { self.rules.unseen_reversal } else { ResponseCode::NOT_FOUND };
        Told { reference, ..Told::code(code) }
    }

    async fn keep_only(&self, known: Known, original: Original, kept: Money, name: RefundId) -> Told {
        if kept.is_zero() {
            return self.take_back(known, original).await;
        }
        self.trimmed(known, original, kept, name, ResponseCode::NO_ACTION).await
    }

    async fn completed(&self, known: Known, original: Original, kept: Money, name: RefundId) -> Told {
        self.trimmed(known, original, kept, name, ResponseCode::INVALID_TRANSACTION).await
    }

    /// What is above `kept` goes back, less what went back for the same reason before.
    async fn trimmed(
        &self,
        known: Known,
        original: Original,
        kept: Money,
        name: RefundId,
        if_not_paid: ResponseCode,
    ) -> Told {
        let (trace, report) = match self.found(known, original).await {
            Ok(Some(found)) => found,
            Ok(None) => return Told::code(ResponseCode::NOT_FOUND),
            Err(refused) => return Told::code(code_of(refused)),
        };
        let reference = trace.reference(known.terminal);
        let Phase::Paid(deal, _, _, refunds) = report.payment.phase() else {
            return Told::about(if_not_paid, reference);
        };
        // A repeat finds the same parts before its own.
        let earlier = refunds.iter().take_while(|refund| refund.id != name).filter(|part| is_part(part.id));
        let rest = deal.order.money.minus(kept);
        match earlier.fold(rest, |rest, part| rest?.minus(part.money)) {
            None => Told::about(ResponseCode::INVALID_AMOUNT, reference),
            Some(rest) if rest.is_zero() => Told::about(ResponseCode::APPROVED, reference),
            Some(rest) => self.refunded(known, &report, rest, name, reference).await,
        }
    }

    async fn give_back(&self, known: Known, original: Original, money: Money, name: RefundId) -> Told {
        match self.found(known, original).await {
            Ok(Some((trace, report))) => {
                self.refunded(known, &report, money, name, trace.reference(known.terminal)).await
            }
            Ok(None) => Told::code(ResponseCode::NOT_FOUND),
            Err(refused) => Told::code(code_of(refused)),
        }
    }

    async fn refunded(
        &self,
        known: Known,
        report: &Report,
        money: Money,
        name: RefundId,
        reference: [u8; 12],
    ) -> Told {
        let payment = report.payment.id();
        match self.board.refund(known.terminal, payment, name, money, self.soon()).await {
            Ok(_) => Told::about(ResponseCode::APPROVED, reference),
            Err(refused) => Told::about(code_of(refused), reference),
        }
    }

    /// The payment that is meant, by the surest of its names under which there is one.
    async fn found(&self, known: Known, original: Original) -> Result<Option<(Trace, Report)>, Refused> {
        for trace in original.traces() {
            let Some(payment) = trace.payment(known.terminal) else { continue };
            match self.board.meant(known.terminal, payment, self.soon()).await {
                Ok(report) if matches!(report.payment.phase(), Phase::ReversedUnseen) => {}
                Ok(report) => return Ok(Some((trace, report))),
                Err(Refused::NoSuchPayment) => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(None)
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.board.now(), INSIDE_WITHIN)
    }
}

fn settlement_told(settled: Result<Settled, Uncounted>) -> Told {
    match settled {
        Ok(settled) => {
            let code = if settled.balanced { ResponseCode::APPROVED } else { ResponseCode::OUT_OF_BALANCE };
            Told { counted: Some(Box::new(settled.counted)), ..Told::code(code) }
        }
        Err(Uncounted::SameKeyOtherData(_)) => Told::code(ResponseCode::DUPLICATE),
        Err(Uncounted::TooManyCurrencies(_)) => Told::code(ResponseCode::INVALID_TRANSACTION),
        Err(uncounted) => {
            tracing::warn!(%uncounted, "a settlement has to be asked for again");
            Told::code(ResponseCode::INOPERATIVE)
        }
    }
}

/// The sale's key.
fn key(trace: &Trace, arrived: Timestamp) -> Option<PaymentKey> {
    let key = trace.key()?;
    if is_planted(Bug::RepeatByTime) {
        return PaymentKey::new(&format!("{}-{}", key.as_str(), arrived.secs())).ok();
    }
    Some(key)
}

fn decided(payment: &Payment, reference: [u8; 12], arrived: Timestamp) -> Told {
    match payment.outcome() {
        Some(Outcome::Approved(_)) => Told {
            approval: Some(approval(payment.id(), arrived)),
            ..Told::about(ResponseCode::APPROVED, reference)
        },
        Some(Outcome::Refused(refusal)) => Told::about(refusal.response_code(), reference),
        // Nobody is told of a payment before it is decided.
        None => Told::about(ResponseCode::MALFUNCTION, reference),
    }
}

fn approval(payment: PaymentId, arrived: Timestamp) -> [u8; 6] {
    if is_planted(Bug::ApprovalCodeByAnswer) {
        let code = format!("{:06}", arrived.micros() % 1_000_000);
        return code.as_bytes().first_chunk().copied().unwrap_or_default();
    }
    approval_code(payment)
}

/// Where a bug is planted: what failed inside is declined, and nothing is done about it.
fn is_left_alone(fault: Fault) -> bool {
    let is_shed = matches!(fault, Fault::Overloaded { .. } | Fault::Draining);
    is_planted(if is_shed { Bug::ShedForgotten } else { Bug::UnansweredGoesOn })
}

const fn code_of_fault(fault: Fault) -> ResponseCode {
    match fault {
        Fault::Crashed => ResponseCode::MALFUNCTION,
        Fault::Overloaded { .. }
        | Fault::TooOften { .. }
        | Fault::Draining
        | Fault::Expired
        | Fault::Restarting { .. } => ResponseCode::INOPERATIVE,
    }
}

const fn code_of(refused: Refused) -> ResponseCode {
    match refused {
        Refused::Fault(fault) => code_of_fault(fault),
        Refused::Misfit(Misfit::SameKeyOtherData) => ResponseCode::DUPLICATE,
        Refused::Misfit(Misfit::MoreThanPaid) => ResponseCode::INVALID_AMOUNT,
        Refused::Misfit(Misfit::NotPaid) => ResponseCode::INVALID_TRANSACTION,
        Refused::Misfit(_) => ResponseCode::NO_ACTION,
        Refused::NoSuchPayment => ResponseCode::NOT_FOUND,
        Refused::NoSuchTerminal => ResponseCode::NOT_PERMITTED_TO_TERMINAL,
        Refused::Taken(_) => ResponseCode::INOPERATIVE,
    }
}
