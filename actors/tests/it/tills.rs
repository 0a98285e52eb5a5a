//! Stories of terminals' books: what a session says of keys and settlements is on disk before it says it, and stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
use crate::house::{Estate, House, Plan, SECOND, key, pass, payer, settle, till};
use actors::answer::Fault;
use actors::domain::journal::Entry;
use actors::domain::money::Currency;
use actors::domain::payment::Payment;
use actors::domain::payment::command::Fact;
use actors::domain::till::booking::{Booking, BookingKind, name_of_part};
use actors::domain::till::keys::{KeyGeneration, KeyRequest, WorkingKeys};
use actors::domain::till::{Count, Counted, Period, Settled, Settlement, TillBook, Totals, Unsettled};
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::contract::samples;
use actors::ports::history::History;
use actors::ports::journal::Room;
use actors::ports::memory::MemoryHistory;
use actors::switchboard::NotSettled;
use std::time::Duration;

const fn generation(bits: u64) -> KeyGeneration {
    KeyGeneration::from_bits(bits)
}

/// Working keys `held` under which something was proven, and those that were offered since.
fn in_use(held: u64, offered: Option<u64>) -> WorkingKeys {
    WorkingKeys::InUse { held: generation(held), offered: offered.map(generation) }
}

fn offered(newest: u64, before: Option<u64>) -> WorkingKeys {
    WorkingKeys::Offered { newest: generation(newest), before: before.map(generation) }
}

/// Which keys are handed to whoever asks, and the book after that.
fn handed(book: &TillBook, request: KeyRequest, new: u64) -> (u64, TillBook) {
    let (handed, changed) = book.rekeyed(request, generation(new));
    (handed.bits(), changed.unwrap_or_else(|| book.clone()))
}

fn proven(book: &TillBook, held: u64) -> TillBook {
    book.keys_proven(generation(held)).unwrap_or_else(|| book.clone())
}

fn currency(code: &str) -> Currency {
    Currency::of_code(code).unwrap()
}

const fn count(number: u64, amount: u64) -> Count {
    Count { number, amount }
}

const fn sales(number: u64) -> Totals {
    Totals { debits: count(number, number * 1_250), ..Totals::ZERO }
}

/// Nothing of it was taken back in part.
const fn whole(totals: Totals) -> Counted {
    Counted { totals, parts: 0 }
}

const fn instant(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// What a terminal asks under `name`, with the same totals on both sides.
fn asked(name: &str, code: &str, after: u64, upto: u64) -> Settlement {
    let (claimed, counted) = (sales(1), whole(sales(1)));
    let (after, upto) = (instant(after), instant(upto));
    Settlement { key: key(name), currency: currency(code), after, upto, claimed, counted }
}

fn written(book: &TillBook, asked: Settlement) -> TillBook {
    book.settle(asked).unwrap().1.expect("a book that changed")
}

// The book.

#[test]
fn a_book_begins_empty_and_its_first_count_at_the_beginning_of_time() {
    let book = TillBook::default();
    assert_eq!((book.keys(), book.settled().len()), (WorkingKeys::None, 0));
    assert_eq!(book.settled_upto(currency("EUR")), instant(0));
}

#[test]
fn a_terminal_that_missed_the_answer_is_understood_and_given_the_same_keys_again() {
    let (first, book) = handed(&TillBook::default(), KeyRequest::Unproven, 1);
    assert_eq!((first, book.keys()), (1, offered(1, None)));
    let (second, book) = handed(&book, KeyRequest::Proven(generation(1)), 2);
    assert_eq!((second, book.keys()), (2, in_use(1, Some(2))), "what it proved stays");
    assert_eq!(
        handed(&book, KeyRequest::Proven(generation(1)), 3),
        (2, book.clone()),
        "it missed the answer"
    );
    let (third, book) = handed(&book, KeyRequest::Proven(generation(2)), 3);
    assert_eq!((third, book.keys()), (3, in_use(2, Some(3))), "it heard of them");
    assert_eq!(book.keys_proven(generation(2)), None, "nothing new");
    assert_eq!(proven(&book, 3).keys(), in_use(3, None), "and now of these");
    assert_eq!(proven(&book, 1).keys(), book.keys(), "nobody has these any more");
}

#[test]
fn a_stranger_who_asks_for_keys_a_hundred_times_changes_nothing_for_the_terminal() {
    let (_, fresh) = handed(&TillBook::default(), KeyRequest::Unproven, 1);
    let used = proven(&fresh, 1);
    let (_, renewed) = handed(&used, KeyRequest::Proven(generation(1)), 2);
    let cases = [(&fresh, vec![1]), (&used, vec![1]), (&renewed, vec![1, 2])];
    for (book, held) in cases {
        let mut asked = book.clone();
        for new in 100..200 {
            asked = handed(&asked, KeyRequest::Unproven, new).1;
        }
        for held in held {
            assert!(asked.keys().candidates().any(|keys| keys == generation(held)), "{:?}", book.keys());
        }
        let at_once = handed(book, KeyRequest::Unproven, 100).1;
        assert_eq!(asked, at_once, "the first request wrote a record, the others none");
    }
    let (again, _) = handed(&renewed, KeyRequest::Unproven, 100);
    assert_eq!(again, 2, "the terminal and the stranger are handed the same, of use only to the terminal");
}

#[test]
fn a_line_that_believes_whoever_asks_hands_over_others_each_time_and_never_takes_what_was_proven() {
    let (_, book) = handed(&TillBook::default(), KeyRequest::Trusted, 1);
    let (second, book) = handed(&book, KeyRequest::Trusted, 2);
    assert_eq!((second, book.keys()), (2, offered(2, Some(1))));
    let (third, book) = handed(&book, KeyRequest::Trusted, 3);
    assert_eq!((third, book.keys()), (3, offered(3, Some(2))));
    assert_eq!(proven(&book, 2).keys(), in_use(2, Some(3)), "it never heard of the last ones");
    let book = proven(&book, 3);
    let book = handed(&book, KeyRequest::Trusted, 4).1;
    let (fifth, book) = handed(&book, KeyRequest::Trusted, 5);
    assert_eq!((fifth, book.keys()), (5, in_use(3, Some(5))));
}

#[test]
fn totals_balance_by_what_is_left_of_them() {
    let taken_back = Totals { debit_reversals: count(1, 1_250), ..sales(2) };
    assert!(whole(taken_back).balances(&sales(1)) && whole(sales(1)).balances(&taken_back));
    assert!(!whole(taken_back).balances(&sales(2)));
    let other_amount = Totals { debits: count(1, 1_251), ..Totals::ZERO };
    let other_number = Totals { debits: count(2, 1_250), ..Totals::ZERO };
    assert!(!whole(sales(1)).balances(&other_amount) && !whole(sales(1)).balances(&other_number));
    let only_back = Totals { debit_reversals: count(1, 1_250), ..Totals::ZERO };
    assert!(
        whole(only_back).balances(&only_back) && !whole(only_back).balances(&Totals::ZERO),
        "less than nothing"
    );
    let refund = Totals { credits: count(1, 1_250), ..sales(2) };
    assert!(!whole(refund).balances(&sales(1)), "a refund is no sale taken back");
    let refused = Totals { credit_reversals: count(1, 1_250), ..refund };
    assert!(whole(refused).balances(&sales(2)));
    let most = Totals { debits: count(u64::MAX, u64::MAX), ..Totals::ZERO };
    assert!(whole(most).balances(&most) && !whole(most).balances(&Totals::ZERO));
}

#[test]
fn a_part_that_was_taken_back_may_be_a_reversal_or_a_smaller_sale_to_the_terminal() {
    let counted = Counted { totals: Totals { debit_reversals: count(2, 500), ..sales(3) }, parts: 2 };
    let reversals = counted.totals;
    let smaller = Totals { debits: count(3, 3_250), ..Totals::ZERO };
    let one_of_each = Totals { debits: count(3, 3_500), debit_reversals: count(1, 250), ..Totals::ZERO };
    for claimed in [reversals, smaller, one_of_each] {
        assert!(counted.balances(&claimed), "{claimed:?}");
    }
    let one_too_many = Totals { debits: count(4, 3_250), ..Totals::ZERO };
    let one_forgotten = Totals { debits: count(3, 3_500), ..Totals::ZERO };
    let of_both = Totals { debits: count(3, 3_250), debit_reversals: count(2, 500), ..Totals::ZERO };
    let as_refunds = Totals { credits: count(2, 500), ..sales(3) };
    for claimed in [one_too_many, one_forgotten, of_both, as_refunds, Totals::ZERO] {
        assert!(!counted.balances(&claimed), "{claimed:?}");
    }
    assert!(!whole(reversals).balances(&smaller), "whole sales that were taken back leave none");
}

#[test]
fn a_repeat_is_told_the_same_and_the_same_key_with_other_totals_nothing() {
    let first = Settlement { counted: whole(sales(2)), ..asked("a", "EUR", 0, 10) };
    let (settled, book) = TillBook::default().settle(first.clone()).unwrap();
    assert!(!settled.balanced);
    let book = written(&book.unwrap(), asked("b", "EUR", 10, 20));
    let (after, upto) = (instant(20), instant(30));
    let later = Settlement { after, upto, counted: whole(sales(9)), ..first.clone() };
    assert_eq!(book.settle(later), Ok((settled.clone(), None)), "what was counted then, not now");
    assert_eq!(book.answered(&first.key, first.currency, &first.claimed), Ok(Some(&settled)));
    let other = Settlement { claimed: sales(2), ..first.clone() };
    assert_eq!(book.settle(other), Err(Unsettled::SameKeyOtherData));
    let elsewhere = Settlement { currency: currency("USD"), ..first };
    assert_eq!(book.settle(elsewhere), Err(Unsettled::SameKeyOtherData));
}

#[test]
fn what_was_counted_from_before_the_newest_settlement_is_not_settled() {
    let book = written(&TillBook::default(), asked("a", "EUR", 0, 10));
    assert_eq!(book.settle(asked("b", "EUR", 0, 20)), Err(Unsettled::CountedFromElsewhere));
    assert!(book.settle(asked("b", "EUR", 10, 20)).is_ok());
}

#[test]
fn a_clock_that_was_set_back_has_nothing_counted_twice() {
    let book = written(&TillBook::default(), asked("a", "EUR", 0, 10));
    let book = written(&book, asked("b", "EUR", 10, 4));
    assert_eq!(book.settled_upto(currency("EUR")), instant(10));
}

#[test]
fn each_currency_is_settled_by_itself() {
    let book = written(&TillBook::default(), asked("a", "EUR", 0, 10));
    let book = written(&book, asked("b", "USD", 0, 20));
    assert_eq!(book.settled_upto(currency("EUR")), instant(10));
    assert_eq!(book.settled_upto(currency("USD")), instant(20));
}

#[test]
fn a_book_remembers_eight_settlements_and_of_every_currency_the_newest() {
    let book = written(&TillBook::default(), asked("dollars", "USD", 0, 5));
    let book = (0..100).fold(book, |book, n| {
        let (after, name) = (book.settled_upto(currency("EUR")).micros(), format!("euros-{n}"));
        written(&book, asked(&name, "EUR", after, n + 1))
    });
    assert_eq!(book.settled().len(), 8);
    assert_eq!(book.settled_upto(currency("USD")), instant(5));
    assert_eq!(book.settled_upto(currency("EUR")), instant(100));
    let remembers = |name: &str| book.settled().iter().any(|settled| settled.key == key(name));
    assert!(remembers("euros-93") && !remembers("euros-92"));
    let codes = ["GBP", "CHF", "SEK", "NOK", "DKK", "PLN"];
    let full = codes.iter().fold(book, |book, code| written(&book, asked(code, code, 0, 7)));
    assert_eq!(full.settle(asked("x", "CZK", 0, 7)), Err(Unsettled::TooManyCurrencies));
    assert!(full.settle(asked("y", "EUR", 100, 200)).is_ok(), "those it has go on");
}

// What payments book.

fn booked(entries: Vec<Entry>) -> Vec<(BookingKind, u64)> {
    let id = samples::payment(1, 1);
    let life: Vec<_> = entries
        .into_iter()
        .zip(1..)
        .filter_map(|(entry, second)| match entry {
            Entry::Payment(_, fact) => {
                let at = samples::BEGIN.plus(Duration::from_secs(second));
                Some(actors::domain::payment::Stamped { at, fact })
            }
            _ => None,
        })
        .collect();
    assert!(Payment::folded(id, &life).unwrap().is_some());
    let booked = Booking::all_of(id, &life).unwrap();
    booked.iter().map(|booking| (booking.kind, booking.at.since(samples::BEGIN).as_secs())).collect()
}

#[test]
fn a_life_books_its_sale_its_refunds_and_what_was_taken_back_of_either_when_it_happened() {
    let paid = samples::paid_life(1, 1);
    let with = |more: Vec<Entry>| booked(paid.iter().cloned().chain(more).collect());
    assert_eq!(booked(samples::open_life(1, 1)), []);
    assert_eq!(with(vec![]), [(BookingKind::Debit, 6)]);
    let refused = with(vec![samples::refund_owed(1, 1), samples::refund_refused(1, 1)]);
    let sale = (BookingKind::Debit, 6);
    assert_eq!(refused, [sale, (BookingKind::Credit, 7), (BookingKind::CreditReversal, 8)]);
    assert_eq!(with(vec![samples::taken_back(1, 1)]), [sale, (BookingKind::DebitReversal, 7)]);
    let part = (BookingKind::PartReversal, 7);
    assert_eq!(with(vec![samples::part_owed(1, 1)]), [sale, part]);
    let name = name_of_part(&key("k1")).unwrap();
    let refused = Entry::Payment(samples::payment(1, 1), Fact::RefundRefused(name));
    let restored = with(vec![samples::part_owed(1, 1), refused]);
    assert_eq!(restored, [sale, part, (BookingKind::Debit, 8)], "sold after all");
    let unapproved = paid.iter().take(5).cloned().chain([samples::taken_back(1, 1)]).collect();
    assert_eq!(booked(unapproved), [], "the terminal was told no before there was a yes");
}

#[test]
fn every_kind_of_booking_is_found_by_its_word() {
    for kind in BookingKind::ALL {
        assert_eq!(BookingKind::named(kind.name()), Some(kind));
    }
    assert_eq!(BookingKind::named("sale"), None);
}

// The session.

impl House {
    fn history(&self) -> MemoryHistory {
        MemoryHistory::new(self.journal.inner.clone())
    }

    async fn book(&self, number: u32) -> TillBook {
        self.board.till(till(number), self.by()).await.unwrap().book
    }

    /// Till 1 claims so much; what we have is counted as `switch` does it.
    async fn count(&self, name: &str, claimed: Totals) -> Settlement {
        let standing = self.board.till(till(1), self.by()).await.unwrap();
        let currency = currency("EUR");
        let (after, upto) = (standing.book.settled_upto(currency), standing.upto);
        self.history().caught_up(standing.end).await.unwrap();
        let period = Period { terminal: till(1), currency, after, upto };
        let counted = self.history().totals(period).await.unwrap();
        Settlement { key: key(name), currency, after, upto, claimed, counted }
    }

    async fn settle_till(&self, name: &str, claimed: Totals) -> Result<Settled, NotSettled> {
        let counted = self.count(name, claimed).await;
        self.board.settle(till(1), counted, self.by()).await
    }

    async fn rekey(&self, request: KeyRequest, new: u64) -> Result<u64, Fault> {
        let handed = self.board.rekey(till(1), request, generation(new), self.by()).await;
        handed.map(KeyGeneration::bits)
    }

    async fn keys_of(&self, number: u32) -> Result<WorkingKeys, Fault> {
        self.board.working_keys(till(number), self.by()).await
    }
}

#[test]
fn keys_and_settlements_outlive_the_process_the_session_and_its_sleep() {
    let mut estate = Estate::planned(Plan { live_max: 1, ..Estate::new().plan });
    let settled = estate.live(async |house| {
        assert_eq!(house.rekey(KeyRequest::Unproven, 1).await, Ok(1));
        let known = house.board.keys_proven(till(1), generation(1), house.by()).await;
        assert_eq!(known, Ok(in_use(1, None)));
        assert_eq!(house.rekey(KeyRequest::Unproven, 2).await, Ok(2));
        house.settle_till("day-1", Totals::ZERO).await.unwrap()
    });
    estate.live(async |house| {
        assert_eq!(house.keys_of(1).await, Ok(in_use(1, Some(2))));
        assert_eq!(house.rekey(KeyRequest::Unproven, 3).await, Ok(2), "the same keys as before the restart");
        house.kill(till(1)).await;
        assert_eq!(house.book(1).await.settled(), std::slice::from_ref(&settled));
        // One alone may be awake: the first one sleeps.
        pass(Duration::from_mins(10)).await;
        assert_eq!(house.keys_of(2).await, Ok(WorkingKeys::None));
        pass(Duration::from_mins(10)).await;
        let book = house.book(1).await;
        assert_eq!((book.keys(), book.settled()), (in_use(1, Some(2)), [settled].as_slice()));
    });
}

#[test]
fn nothing_is_said_of_a_book_before_it_is_on_disk() {
    let mut estate = Estate::new();
    estate.live(async |house| {
        house.book(1).await;
        house.journal.inner.hold();
        let (board, by) = (house.board.clone(), Deadline::after(house.now(), SECOND));
        let rekeyed = board.rekey(till(1), KeyRequest::Unproven, generation(1), by);
        assert_eq!(rekeyed.await, Err(Fault::Expired));
        let looked = board.working_keys(till(1), Deadline::after(house.now(), SECOND));
        assert_eq!(looked.await, Err(Fault::Expired), "not even to who only looks");
    });
    estate.live(async |house| {
        assert_eq!(house.book(1).await, TillBook::default(), "and what never was on disk never was");
    });
}

#[test]
fn a_repeat_is_answered_word_for_word_also_after_a_restart_and_a_sale() {
    let mut estate = Estate::new();
    let first = estate.live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        settle().await;
        house.settle_till("day-1", sales(1)).await.unwrap()
    });
    assert!(first.balanced);
    estate.live(async |house| {
        house.paid(till(1), payer(1), "sale-2").await;
        settle().await;
        let before = house.journal.inner.records().len();
        assert_eq!(house.settle_till("day-1", sales(1)).await, Ok(first.clone()));
        assert_eq!(house.journal.inner.records().len(), before, "nothing is written for a repeat");
        let other = house.settle_till("day-1", sales(2)).await;
        assert_eq!(other, Err(NotSettled::Unsettled(Unsettled::SameKeyOtherData)));
    });
}

#[test]
fn two_settlements_in_a_row_count_every_sale_once() {
    Estate::new().live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        house.paid(till(1), payer(1), "sale-2").await;
        settle().await;
        let first = house.settle_till("day-1", sales(2)).await.unwrap();
        house.paid(till(1), payer(1), "sale-3").await;
        settle().await;
        let second = house.settle_till("day-2", sales(1)).await.unwrap();
        let third = house.settle_till("day-3", Totals::ZERO).await.unwrap();
        assert!(first.balanced && second.balanced && third.balanced);
        assert_eq!((second.after, third.after), (first.upto, second.upto));
    });
}

#[test]
fn what_is_paid_in_the_very_instant_of_a_settlement_counts_in_one_and_not_in_two() {
    Estate::new().live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        let first = house.settle_till("day-1", Totals::ZERO).await.unwrap();
        pass(SECOND).await;
        let second = house.settle_till("day-2", Totals::ZERO).await.unwrap();
        assert_eq!(first.counted.debits.number + second.counted.debits.number, 1);
    });
}

#[test]
fn a_payment_that_is_taken_back_after_the_settlement_counts_in_the_next() {
    Estate::new().live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        settle().await;
        assert!(house.settle_till("day-1", sales(1)).await.unwrap().balanced);
        house.take_back(till(1), "sale-1").await.unwrap();
        settle().await;
        let next = house.settle_till("day-2", Totals::ZERO).await.unwrap();
        assert_eq!(next.counted, Totals { debit_reversals: count(1, 1_250), ..Totals::ZERO });
        assert!(!next.balanced, "the terminal has to say so too");
    });
}

#[test]
fn a_sale_whose_yes_never_arrived_counts_on_neither_side_once_it_is_taken_back() {
    Estate::new().live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        house.take_back(till(1), "sale-1").await.unwrap();
        settle().await;
        assert!(house.settle_till("day-1", Totals::ZERO).await.unwrap().balanced);
    });
}

#[test]
fn a_crash_between_the_count_and_the_record_settles_nothing_and_loses_nothing() {
    let mut estate = Estate::new();
    let counted = estate.live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        settle().await;
        house.count("day-1", sales(1)).await
    });
    let settled = estate.live(async |house| {
        assert_eq!(house.book(1).await, TillBook::default());
        house.paid(till(1), payer(1), "sale-2").await;
        settle().await;
        let again = house.settle_till("day-1", sales(1)).await.unwrap();
        assert_eq!(again.counted, sales(2), "counted anew, up to now");
        again
    });
    estate.live(async |house| {
        let late = house.board.settle(till(1), counted, house.by()).await;
        assert_eq!(late, Ok(settled), "what was counted before the crash comes too late to matter");
    });
}

#[test]
fn of_two_that_counted_the_same_time_one_settles_and_the_other_counts_again() {
    Estate::new().live(async |house| {
        house.paid(till(1), payer(1), "sale-1").await;
        settle().await;
        let (one, other) = (house.count("a", sales(1)).await, house.count("b", sales(1)).await);
        assert!(house.board.settle(till(1), one, house.by()).await.unwrap().balanced);
        let refused = house.board.settle(till(1), other, house.by()).await;
        assert_eq!(refused, Err(NotSettled::Unsettled(Unsettled::CountedFromElsewhere)));
    });
}

#[test]
fn a_disk_down_to_its_reserve_writes_no_book_and_still_answers_from_it() {
    Estate::new().live(async |house| {
        let settled = house.settle_till("day-1", Totals::ZERO).await.unwrap();
        house.rekey(KeyRequest::Trusted, 1).await.unwrap();
        house.journal.inner.set_room(Room::ReserveOnly);
        assert!(matches!(house.rekey(KeyRequest::Trusted, 2).await, Err(Fault::Overloaded { .. })));
        let new = house.settle_till("day-2", Totals::ZERO).await;
        assert!(matches!(new, Err(NotSettled::Fault(Fault::Overloaded { .. }))));
        assert_eq!(house.settle_till("day-1", Totals::ZERO).await, Ok(settled));
        house.journal.inner.set_room(Room::Plenty);
        assert_eq!(house.book(1).await.keys(), offered(1, None));
    });
}
