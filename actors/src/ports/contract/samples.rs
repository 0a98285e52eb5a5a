//! Entries that fold: lives of payments, bindings and books to fill a journal with, and one fact of every kind.
use crate::domain::binding::BindingFact;
use crate::domain::identity::{
    Keeper, MerchantId, PayerId, PaymentId, PaymentKey, PlatformId, RefundId, TerminalId,
};
use crate::domain::journal::Entry;
use crate::domain::money::Money;
use crate::domain::order::{Admission, Order, Terms};
use crate::domain::payment::command::Fact;
use crate::domain::payment::outcome::{Effect, Failure};
use crate::domain::payment::phase::{Attempt, Claim, Consent, Deal, Digest32, Interface, Receipt, Undoing};
use crate::domain::response_code::Refusal;
use crate::domain::till::booking::name_of_part;
use crate::domain::till::keys::{KeyGeneration, KeyRequest};
use crate::domain::till::{Count, Counted, Settlement, TillBook, Totals};
use crate::domain::time::{Deadline, Timestamp};
use std::time::Duration;

/// When the samples begin: 2026-01-01T00:00:00Z.
pub const BEGIN: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// The order that terminal `T<terminal>` makes under key `<number>`.
pub fn order(terminal: u32, number: u64) -> Order {
    Order {
        keeper: Keeper::Terminal(terminal_id(terminal)),
        key: PaymentKey::new(&format!("sale-{number}")).expect("a well formed key"),
        merchant: MerchantId::new("corner-shop").expect("a well formed id"),
        money: euros("12.50"),
        reference: Some(format!("till {terminal} receipt {number}").into()),
        answer_by: Deadline::after(BEGIN, Duration::from_secs(30)),
    }
}

/// The id of that order's payment.
pub fn payment(terminal: u32, number: u64) -> PaymentId {
    order(terminal, number).payment()
}

/// Terminal `T<number>`.
pub fn terminal_id(number: u32) -> TerminalId {
    TerminalId::new(&format!("T{number:06}")).expect("a well formed id")
}

/// Payer `P<number>`.
pub fn payer_id(number: u32) -> PayerId {
    PayerId::new(&format!("P{number:06}")).expect("a well formed id")
}

/// The life of a payment that ends paid: six facts.
pub fn paid_life(terminal: u32, number: u64) -> Vec<Entry> {
    let facts = [
        opened(terminal, number),
        Fact::PhoneCame(claim(terminal)),
        consented(terminal),
        permitted(),
        Fact::Presented(Attempt::FIRST, Digest32([7; 32])),
        settled(),
    ];
    facts.map(|fact| Entry::Payment(payment(terminal, number), fact)).into()
}

/// The same life as far as the payer's consent: open.
pub fn open_life(terminal: u32, number: u64) -> Vec<Entry> {
    paid_life(terminal, number).into_iter().take(3).collect()
}

/// Terminal `terminal` is claimed in round `epoch`.
pub fn bound(terminal: u32, epoch: u64) -> Entry {
    let claim = Claim { payer: payer_id(terminal), epoch };
    let until = Deadline::after(BEGIN, Duration::from_mins(2));
    Entry::Binding(terminal_id(terminal), BindingFact::Bound { claim, until })
}

/// That round ends.
pub fn released(terminal: u32, epoch: u64) -> Entry {
    Entry::Binding(terminal_id(terminal), BindingFact::Released { epoch })
}

/// A refund of a paid payment comes to be owed.
pub fn refund_owed(terminal: u32, number: u64) -> Entry {
    let refund = RefundId::new("r1").expect("a well formed id");
    Entry::Payment(payment(terminal, number), Fact::RefundOwed(refund, euros("2.50")))
}

/// What was given back of a paid payment is refused for good.
pub fn refund_refused(terminal: u32, number: u64) -> Entry {
    let refund = RefundId::new("r1").expect("a well formed id");
    Entry::Payment(payment(terminal, number), Fact::RefundRefused(refund))
}

/// Two and a half euros of a payment are taken back.
pub fn part_owed(terminal: u32, number: u64) -> Entry {
    let part = PaymentKey::new("k1").and_then(|key| name_of_part(&key)).expect("a well formed key");
    Entry::Payment(payment(terminal, number), Fact::RefundOwed(part, euros("2.50")))
}

/// A terminal takes a payment back.
pub fn taken_back(terminal: u32, number: u64) -> Entry {
    Entry::Payment(payment(terminal, number), Fact::ReversalOwed(Refusal::ReversedByTerminal))
}

/// Terminal `terminal` was given keys of generation `keys` and settled nothing yet.
pub fn rekeyed(terminal: u32, keys: u64) -> Entry {
    let (_, book) = TillBook::default().rekeyed(KeyRequest::Trusted, KeyGeneration::from_bits(keys));
    Entry::Till(terminal_id(terminal), book.expect("its first keys"))
}

/// Terminal `terminal` was given keys twice and settled once, a sale short of what we counted.
pub fn settled_book(terminal: u32) -> Entry {
    let keys = [7, 0x0123_4567_89AB_CDEF].map(KeyGeneration::from_bits);
    let book = keys.into_iter().fold(TillBook::default(), |book, new| {
        book.rekeyed(KeyRequest::Trusted, new).1.expect("other keys than before")
    });
    let claimed = Totals { debits: Count { number: 1, amount: 1_250 }, ..Totals::ZERO };
    let asked = Settlement {
        key: PaymentKey::new("settle-1").expect("a well formed key"),
        currency: euros("1").currency(),
        after: Timestamp::from_micros(0),
        upto: BEGIN,
        claimed,
        counted: Counted {
            totals: Totals { debits: Count { number: 2, amount: 2_500 }, ..claimed },
            parts: 0,
        },
    };
    let (_, book) = book.settle(asked).expect("the first settlement");
    Entry::Till(terminal_id(terminal), book.expect("a book that changed"))
}

/// Terminal `terminal` proved a message under its keys and was offered others since.
pub fn keys_in_use(terminal: u32) -> Entry {
    let [held, offered] = [7, 0x0123_4567_89AB_CDEF].map(KeyGeneration::from_bits);
    let (_, book) = TillBook::default().rekeyed(KeyRequest::Unproven, held);
    let book = book.and_then(|book| book.keys_proven(held));
    let book = book.and_then(|book| book.rekeyed(KeyRequest::Unproven, offered).1);
    Entry::Till(terminal_id(terminal), book.expect("other keys than before"))
}

/// One entry of every kind, with its name. They belong to one payment but do not fold.
pub fn every_kind() -> Vec<(&'static str, Entry)> {
    let refund = RefundId::new("r1").expect("a well formed id");
    let second = Attempt::FIRST.next(3).expect("a second attempt");
    let facts = [
        opened(1, 1),
        Fact::TurnedAway(Box::new(order(1, 1)), Refusal::AboveLimit),
        Fact::PhoneCame(claim(1)),
        Fact::PhoneLeft,
        consented(1),
        permitted(),
        Fact::Presented(Attempt::FIRST, Digest32([7; 32])),
        Fact::AttemptFailed(Attempt::FIRST, Failure::WrongCredentials, second),
        Fact::Doubted(second),
        Fact::Inquired(second),
        Fact::StillPermitted(second),
        settled(),
        Fact::Declined(Refusal::DeclinedByPayer),
        Fact::ReversalOwed(Refusal::PlatformSilent),
        Fact::UndoingBy(Undoing::GivingBack),
        Fact::Reversed(Effect::NothingToUndo),
        Fact::ReversedUnseen(Keeper::Payer(payer_id(9))),
        Fact::RefundOwed(refund, euros("2.50")),
        Fact::RefundDone(refund),
        Fact::RefundRefused(refund),
    ];
    let payments = facts.map(|fact| (fact.name(), Entry::Payment(payment(1, 1), fact)));
    let tills = [
        ("till_rekeyed", rekeyed(1, 7)),
        ("till_settled", settled_book(1)),
        ("till_keys_in_use", keys_in_use(1)),
    ];
    let bindings = [("bound", bound(1, 4)), ("released", released(1, 4))];
    payments.into_iter().chain(bindings).chain(tills).collect()
}

fn opened(terminal: u32, number: u64) -> Fact {
    let terms = Terms {
        confirm_within: Duration::from_secs(20),
        platform_within: Duration::from_secs(5),
        attempts_max: 3,
        inquire_every: Duration::from_mins(1),
        inquiries_max: 3,
    };
    let admission = Admission {
        merchant_name: "Corner Shop".into(),
        platform: PlatformId::new("sandbox").expect("a well formed id"),
        terms,
    };
    Fact::Opened(Box::new(Deal { order: order(terminal, number), admission }))
}

fn claim(terminal: u32) -> Claim {
    Claim { payer: payer_id(terminal), epoch: 4 }
}

fn consented(terminal: u32) -> Fact {
    Fact::Consented(Consent { claim: claim(terminal), signed: Digest32([5; 32]) })
}

fn permitted() -> Fact {
    let interface = Interface {
        url: "https://platform.example/pay".into(),
        key: r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.into(),
        permit: "permit-1".into(),
        expires: Deadline::after(BEGIN, Duration::from_mins(1)),
    };
    Fact::Permitted(Attempt::FIRST, interface)
}

fn settled() -> Fact {
    Fact::Settled(Receipt { reference: "debit-1".into(), money: euros("12.50") })
}

fn euros(amount: &str) -> Money {
    Money::parse(amount, "EUR").expect("a well formed amount")
}
