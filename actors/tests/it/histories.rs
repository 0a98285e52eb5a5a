//! Histories that must never be, told by hand: each check is seen to notice before it is believed.
use crate::life::{BEGIN, Life, anna, attempt, boris, euros, merchant, receipt, refund};
use actors::domain::payment::command::Fact;
use actors::domain::payment::invariants::{
    Booking, History, Invariant, Line, Said, Spoken, audit, audit_at_rest,
};
use actors::domain::payment::outcome::{Failure, ReversalOutcome};
use actors::domain::payment::{Outcome, Stamped};
use actors::domain::response_code::Refusal;
use std::collections::BTreeSet;

struct Told {
    life: Life,
    spoken: Vec<Spoken>,
    books: Vec<Booking>,
}

impl Told {
    fn of(life: Life) -> Self {
        Self { life, spoken: Vec::new(), books: Vec::new() }
    }

    fn says(mut self, said: Said) -> Self {
        self.spoken.push(Spoken { after: self.life.facts.len(), said });
        self
    }

    fn approves(self) -> Self {
        self.says(Said::TerminalTold(Outcome::Approved(receipt("12.50"))))
    }

    fn refuses(self, refusal: Refusal) -> Self {
        self.says(Said::TerminalTold(Outcome::Refused(refusal)))
    }

    fn books(mut self, line: Line) -> Self {
        self.books.push(Booking { at: self.life.now, after: self.life.facts.len(), line });
        self
    }

    fn debited(self) -> Self {
        self.books(Line::Debited(attempt(1), anna(), merchant(), euros("12.50")))
    }

    fn history(&self) -> History<'_> {
        let Self { life, spoken, books } = self;
        History { payment: life.payment.id(), facts: &life.facts, spoken, books }
    }

    #[track_caller]
    fn breaks(self, invariant: Invariant) -> Invariant {
        let violation = audit_at_rest(&self.history()).unwrap_err();
        assert_eq!(violation.invariant, invariant, "{violation}");
        invariant
    }
}

#[test]
fn a_payment_as_it_should_be_breaks_nothing() {
    let paid = Told::of(Life::paid()).debited().approves();
    audit_at_rest(&paid.history()).unwrap();
    let undone = Told::of(Life::reversed())
        .debited()
        .books(Line::Undone(euros("12.50")))
        .refuses(Refusal::ReversedByTerminal);
    audit_at_rest(&undone.history()).unwrap();
    let by_hand = Life::in_doubt().terminal_reverses().reversal_says(ReversalOutcome::Refused);
    let shown = Told::of(by_hand).debited().refuses(Refusal::ReversedByTerminal);
    audit_at_rest(&shown.history()).unwrap();
}

#[test]
fn every_check_on_a_history_notices_what_it_is_for() {
    use Invariant::{
        ApprovedIffPaid, AtMostOneDebit, Immutable, OneDecision, PermitOnce, RefundsConserved, StableAnswer,
        WriteAhead,
    };
    let paid = || Told::of(Life::paid());
    let late = || Told::of(Life::paid().after(crate::life::PERMIT_GOOD_FOR));
    let twice = Life::awaits_outcome().fails(Failure::WrongCredentials).permitted().pays().approved();
    let mut impossible = Life::reversed();
    impossible.facts.push(Stamped { at: BEGIN, fact: Fact::Settled(receipt("12.50")) });
    let mut unheld = Life::paid();
    unheld.facts.retain(|stamped| !matches!(stamped.fact, Fact::Presented(..)));
    let broken = [
        paid().approves().breaks(ApprovedIffPaid),
        Told::of(Life::reversed()).debited().refuses(Refusal::PlatformSilent).breaks(ApprovedIffPaid),
        paid().debited().approves().books(Line::Undone(euros("12.50"))).breaks(ApprovedIffPaid),
        paid().debited().debited().breaks(AtMostOneDebit),
        paid().books(Line::Debited(attempt(1), boris(), merchant(), euros("12.50"))).breaks(Immutable),
        paid().books(Line::Debited(attempt(1), anna(), merchant(), euros("12.51"))).breaks(Immutable),
        paid().says(Said::TerminalTold(Outcome::Approved(receipt("1.00")))).breaks(Immutable),
        Told::of(impossible).breaks(OneDecision),
        paid().approves().refuses(Refusal::PlatformSilent).breaks(StableAnswer),
        paid().refuses(Refusal::PlatformSilent).approves().breaks(StableAnswer),
        Told::of(Life::awaits_outcome()).approves().breaks(WriteAhead),
        Told::of(Life::awaits_phone()).says(Said::PermitAsked(attempt(1))).breaks(WriteAhead),
        Told::of(unheld).says(Said::CredentialRelayed(attempt(1))).breaks(WriteAhead),
        paid()
            .says(Said::CredentialRelayed(attempt(1)))
            .says(Said::CredentialRelayed(attempt(1)))
            .breaks(PermitOnce),
        late().debited().breaks(PermitOnce),
        Told::of(twice)
            .books(Line::Debited(attempt(3), anna(), merchant(), euros("12.50")))
            .breaks(PermitOnce),
        paid().debited().books(Line::Refunded(refund("r1"), euros("12.51"))).breaks(RefundsConserved),
        paid().books(Line::Refunded(refund("r1"), euros("0.01"))).breaks(RefundsConserved),
        paid()
            .debited()
            .books(Line::Undone(euros("1.00")))
            .books(Line::GivenBack(euros("1.00")))
            .breaks(RefundsConserved),
    ];
    let noticed: BTreeSet<Invariant> = broken.into_iter().collect();
    // Orphaned money (I2) also breaks I1, which is asked first; I13 and I14 are about states no history can make.
    let elsewhere = [Invariant::NoOrphanMoney, Invariant::EveryoneAnswered, Invariant::NothingHangs];
    let missing: Vec<_> =
        Invariant::ALL.into_iter().filter(|i| !noticed.contains(i) && !elsewhere.contains(i)).collect();
    assert_eq!(missing, []);
}

#[test]
fn money_without_an_approval_is_an_orphan_unless_it_is_shown() {
    use actors::domain::payment::invariants::no_orphan_money;
    let orphan = Told::of(Life::reversed()).debited().refuses(Refusal::PlatformSilent);
    assert!(no_orphan_money(&orphan.history()).is_err());
    let untold = Told::of(Life::awaits_outcome()).debited();
    assert!(no_orphan_money(&untold.history()).is_err());
    assert!(audit(&untold.history()).is_ok(), "under way it is no orphan yet");
}
