//! The platform of the model: idempotent by attempt and refund, with a tombstone, and an inquiry that sees its own writes.
use super::{Ask, Broken, Choice, Platform, Word, World};
use crate::life::{anna, boris, euros, interface, merchant};
use actors::domain::identity::RefundId;
use actors::domain::outbox::DebtKind;
use actors::domain::payment::Payment;
use actors::domain::payment::invariants::{Booking, Line};
use actors::domain::payment::phase::Attempt;

/// The platform.
impl World {
    pub(super) fn reach(&mut self, at: usize, choice: Choice) {
        match choice {
            Choice::No | Choice::TooLate => self.left.noes -= 1,
            Choice::Lie => self.left.lies -= 1,
            Choice::Yes => {}
        }
        let ask = self.calls[at].ask;
        let word = self.platform_hears(ask, choice);
        self.calls[at].heard = Some(word);
    }

    pub(super) fn platform_hears(&mut self, ask: Ask, choice: Choice) -> Word {
        match ask {
            Ask::Permit(attempt) => self.platform_permits(attempt, choice),
            Ask::Pay(attempt) => self.platform_debits(attempt, choice),
            Ask::Inquire(attempt) => self.platform.stands_at(attempt),
            Ask::Owed(kind) => self.platform_settles(kind, choice),
        }
    }

    pub(super) fn platform_permits(&mut self, attempt: Attempt, choice: Choice) -> Word {
        if self.platform.permits.iter().any(|(held, _)| *held == attempt) {
            return Word::Yes;
        }
        if self.platform.tombstone || choice == Choice::No {
            return Word::No;
        }
        self.platform.permits.push((attempt, self.now));
        Word::Yes
    }

    pub(super) fn platform_debits(&mut self, attempt: Attempt, choice: Choice) -> Word {
        // One debit per attempt, no more is promised: that no second attempt is paid is the switch's to see to.
        let debited = self.platform.debited.contains(&attempt);
        if debited && self.plan.broken != Some(Broken::DebitsEveryTime) {
            return Word::Yes;
        }
        let good = self
            .platform
            .permits
            .iter()
            .any(|(held, at)| *held == attempt && !interface(*at, attempt).expires.is_over(self.now));
        if self.platform.tombstone || !good || self.platform.failed.contains(&attempt) {
            return Word::No;
        }
        if choice == Choice::No {
            self.platform.failed.push(attempt);
            self.calls_back(attempt, Word::No);
            return Word::No;
        }
        self.platform.debited.push(attempt);
        let payer = match self.plan.broken {
            Some(Broken::OtherPayerDebited) => boris(),
            _ => self.live().and_then(Payment::payer).unwrap_or_else(anna),
        };
        self.book(Line::Debited(attempt, payer, merchant(), euros("12.50")));
        let word = if choice == Choice::Lie { Word::Lie } else { Word::Yes };
        self.calls_back(attempt, word);
        word
    }

    fn calls_back(&mut self, attempt: Attempt, word: Word) {
        if self.left.callbacks > 0 {
            self.left.callbacks -= 1;
            self.platform.callbacks.push((attempt, word));
        }
    }

    pub(super) fn platform_settles(&mut self, kind: DebtKind, choice: Choice) -> Word {
        match (kind, choice) {
            (DebtKind::Refund(id), _) => self.platform_refunds(id, choice),
            (_, Choice::No) => Word::No,
            (_, Choice::TooLate) => Word::TooLate,
            (DebtKind::Reversal, _) => self.platform_undoes(Line::Undone(euros("12.50"))),
            (DebtKind::GivingBack | DebtKind::ByHand, _) => {
                self.platform_undoes(Line::GivenBack(euros("12.50")))
            }
        }
    }

    pub(super) fn platform_refunds(&mut self, id: RefundId, choice: Choice) -> Word {
        let name = id.as_str().parse().unwrap();
        if self.platform.refunded.contains(&name) {
            return Word::Yes;
        }
        if self.platform.unrefunded.contains(&name) || choice != Choice::Yes {
            self.platform.unrefunded.push(name);
            return Word::No;
        }
        self.platform.refunded.push(name);
        self.book(Line::Refunded(id, euros("8.00")));
        Word::Yes
    }

    pub(super) fn platform_undoes(&mut self, line: Line) -> Word {
        self.platform.tombstone = self.plan.broken != Some(Broken::NoTombstone);
        if self.platform.debited.is_empty() {
            return Word::Gone;
        }
        if !self.platform.undone {
            self.platform.undone = true;
            self.book(line);
        }
        Word::Yes
    }

    pub(super) fn book(&mut self, line: Line) {
        self.books.push(Booking { at: self.now, after: self.durable.len(), line });
    }
}

impl Platform {
    /// Whether money of this payment is still there to be fought over.
    pub(super) fn stands(&self) -> bool {
        !self.debited.is_empty() && !self.undone
    }

    pub(super) fn stands_at(&self, attempt: Attempt) -> Word {
        if self.undone || self.tombstone {
            Word::Gone
        } else if !self.debited.is_empty() {
            Word::Yes
        } else if self.failed.contains(&attempt) {
            Word::No
        } else if self.permits.iter().any(|(held, _)| *held == attempt) {
            Word::Pending
        } else {
            Word::NeverSeen
        }
    }
}
