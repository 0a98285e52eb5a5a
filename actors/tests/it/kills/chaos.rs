//! Everything at once, from a seed: phones, tills, a moody platform, a slow disk, panics, kills and crashes. When it is
//! calm again, terminal and platform agree about every payment, and no terminal was ever told two things.
use crate::house::bank::{Act, Bank, RIGHT};
use crate::house::ports::Trap;
use crate::house::{Estate, House, SECOND, euro, id_of, pass, payer, till};
use actors::domain::identity::{MerchantId, RefundId, TerminalId};
use actors::domain::payment::Outcome;
use actors::domain::payment::outcome::{InquiryOutcome, PaymentOutcome, PermitOutcome, ReversalOutcome};
use actors::domain::payment::phase::Phase;
use actors::domain::response_code::Refusal;
use actors::report::Until;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

const TILLS: u64 = 3;
const SALES: u64 = 6;
const LIVES: u64 = 4;
const STEPS: u64 = 60;

/// What terminals were told, by what they asked for.
type Told = Rc<RefCell<BTreeMap<(TerminalId, String), Vec<&'static str>>>>;

struct Dice(u64);

impl Dice {
    fn of(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn till(&mut self) -> TerminalId {
        till(u32::try_from(self.of(TILLS)).unwrap())
    }

    fn sale(&mut self) -> String {
        format!("sale-{}", self.of(SALES))
    }
}

const APPROVED: &str = "approved";

fn outcome(report: &actors::report::Report) -> Option<&'static str> {
    report.payment.outcome().map(|outcome| match outcome {
        Outcome::Approved(_) => APPROVED,
        Outcome::Refused(refusal) => refusal.code(),
    })
}

fn sell(house: &House, dice: &mut Dice, told: &Told) {
    let (terminal, name, told) = (dice.till(), dice.sale(), Rc::clone(told));
    let waiting = house.wait(terminal, &name, "12.50");
    actix_rt::spawn(async move {
        if let Ok(Ok(report)) = waiting.await
            && let Some(outcome) = outcome(&report)
        {
            told.borrow_mut().entry((terminal, name)).or_default().push(outcome);
        }
    });
}

fn take_back(house: &House, dice: &mut Dice) {
    let (board, terminal, name, by) = (house.board.clone(), dice.till(), dice.sale(), house.by());
    let key = crate::house::key(&name);
    actix_rt::spawn(async move { drop(board.reverse_by_key(terminal, &key, by).await) });
}

fn refund(house: &House, dice: &mut Dice) {
    let (board, terminal, name, by) = (house.board.clone(), dice.till(), dice.sale(), house.by());
    let refund = RefundId::new(&format!("r{}", dice.of(3))).unwrap();
    let id = id_of(terminal, &name);
    actix_rt::spawn(async move { drop(board.refund(terminal, id, refund, euro("2.00"), by).await) });
}

fn stand(house: &House, dice: &mut Dice) {
    let (board, payer, terminal, by) = (house.board.clone(), payer(someone(dice)), dice.till(), house.by());
    actix_rt::spawn(async move { board.bind(payer, terminal, by).await.is_ok() });
}

fn someone(dice: &mut Dice) -> u32 {
    u32::try_from(dice.of(TILLS)).unwrap()
}

/// A phone does the next thing to each payment it sees, without waiting for the answer.
fn use_phone(house: &House, dice: &mut Dice) {
    let (payer, board, by) = (payer(someone(dice)), house.board.clone(), house.by());
    let (password, declines) = (if dice.of(4) == 0 { b"wrong" } else { RIGHT }, dice.of(8) == 0);
    actix_rt::spawn(async move {
        for card in board.cards(payer, by).await.unwrap_or_default() {
            let (id, Some(claim)) = (card.payment.id(), card.payment.phase().claim()) else { continue };
            let signed = actors::domain::payment::phase::Digest32([1; 32]);
            match card.payment.phase() {
                Phase::AwaitConfirmation(deal, ..) if !declines => {
                    let consent = actors::domain::payment::phase::Consent { claim, signed };
                    drop(board.confirm(id, consent, deal.order.money, Until::Recorded, by).await);
                }
                Phase::AwaitConfirmation(..) => drop(board.decline(id, claim, by).await),
                Phase::AwaitPayment(_, _, attempt, _) => {
                    let sealed = actors::ports::platform::SealedCredential::new(password.to_vec()).unwrap();
                    drop(board.present(payer, id, *attempt, signed, sealed, by).await);
                }
                _ => {}
            }
        }
    });
}

fn upset(bank: &Bank, dice: &mut Dice) {
    let wait = Duration::from_millis(dice.of(15_000));
    match dice.of(10) {
        0 => bank.on_permit(Act::Silent),
        1 => bank.on_permit(Act::Lost(PermitOutcome::Unknown)),
        2 => bank.on_permit(Act::Panics),
        3 => bank.on_pay(Act::Lost(PaymentOutcome::Unknown)),
        4 => bank.on_pay(Act::Say(PaymentOutcome::NotSent)),
        5 => bank.on_pay(Act::Late(wait)),
        6 => bank.on_inquire(Act::Say(InquiryOutcome::Unknown)),
        7 => bank.on_inquire(Act::Late(wait)),
        8 => bank.on_reverse(Act::Lost(ReversalOutcome::Unknown)),
        _ => bank.on_reverse(Act::Late(wait)),
    }
}

fn harm(house: &House, dice: &mut Dice) {
    let facts = ["opened", "phone_came", "consented", "permitted", "presented", "settled", "reversal_owed"];
    let fact = facts[usize::try_from(dice.of(7)).unwrap()];
    match dice.of(7) {
        0 => house.rooms().sessions.kill(dice.till()),
        1 => house.rooms().payers.kill(payer(someone(dice))),
        2 => house.rooms().merchants.kill(MerchantId::new("shop").unwrap()),
        3 => house.rooms().outboxes.kill(Bank::name()),
        4 => house.journal.set(Trap::Before, None, fact, 1),
        5 => house.journal.set(Trap::After, None, fact, 1),
        _ => house.journal.inner.hold(),
    }
}

async fn live(house: &House, dice: &mut Dice, told: &Told) {
    // Every other life ends with a disk that takes nothing any more, which costs the most.
    let jams_at = if dice.of(2) == 0 { STEPS - 10 } else { STEPS };
    for step in 0..STEPS {
        match dice.of(12) {
            0 | 1 => sell(house, dice, told),
            2 => stand(house, dice),
            3..=6 => use_phone(house, dice),
            7 if dice.of(3) == 0 => take_back(house, dice),
            8 if dice.of(3) == 0 => refund(house, dice),
            9 => upset(&house.bank, dice),
            10 if dice.of(2) == 0 => harm(house, dice),
            _ if step < jams_at => house.journal.inner.release(),
            _ => {}
        }
        if step == jams_at {
            house.journal.inner.hold();
        }
        pass(Duration::from_millis(dice.of(2_000))).await;
    }
}

async fn judge(house: &House, told: &Told, seed: u64) {
    house.bank.calms_down();
    house.journal.clear();
    pass(SECOND * 600).await;
    for n in 0..TILLS {
        for sale in 0..SALES {
            let (terminal, name) = (till(u32::try_from(n).unwrap()), format!("sale-{sale}"));
            let id = id_of(terminal, &name);
            let what = format!("seed {seed}, {terminal} {name}: {:?}", house.facts(id));
            let Ok(report) = house.look(terminal, id).await else {
                assert!(told.borrow().get(&(terminal, name)).is_none(), "{what}: forgotten");
                continue;
            };
            assert!(report.payment.is_closed(), "{what}: not closed");
            let last = outcome(&report).unwrap();
            assert_eq!(house.bank.holds(id).is_some(), last == APPROVED, "{what}: {last}");
            for earlier in told.borrow().get(&(terminal, name)).into_iter().flatten() {
                let undone = *earlier == APPROVED && last == Refusal::ReversedByTerminal.code();
                assert!(*earlier == last || undone, "{what}: {earlier}, then {last}");
            }
        }
    }
}

#[test]
fn whatever_happens_both_sides_agree_when_it_is_over() {
    let seeds = std::env::var("TURNOUT_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20);
    let (mut paid, mut refused) = (0, 0);
    for seed in 0..seeds {
        let (mut estate, told, mut dice) = (Estate::new(), Told::default(), Dice(seed));
        for _ in 1..LIVES {
            estate.live(async |house| live(house, &mut dice, &told).await);
        }
        // No restart may be needed to put things right.
        estate.live(async |house| {
            live(house, &mut dice, &told).await;
            house.journal.inner.release();
            judge(house, &told, seed).await;
        });
        for outcome in told.borrow().values().flatten() {
            *if *outcome == APPROVED { &mut paid } else { &mut refused } += 1;
        }
    }
    assert!(paid > seeds && refused > seeds, "{paid} paid and {refused} refused in {seeds} seeds");
}
