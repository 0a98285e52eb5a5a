//! The books alone: stories without a clock or a socket.
use actors::domain::identity::{MerchantId, PayerId, PaymentId, RefundId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{Effect, Failure};
use actors::domain::payment::phase::Attempt;
use actors::domain::time::{Deadline, Timestamp};
use switch::sandbox::books::{
    Books, BooksRefusal, Grant, PaymentPage, PermitOrder, Policy, Presented, Terms,
};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
const LATER: Timestamp = Timestamp::from_micros(1_900_000_060_000_000);
const PAYMENT: PaymentId = PaymentId::from_bits(7);

fn eur(amount: &str) -> Money {
    Money::parse(amount, "EUR").unwrap()
}

fn books() -> Books {
    let mut books = Books::new(Policy { password_tries_max: 3, payments_max: 4 }, &[1; 32]);
    books.open_account("ada", "correct horse", &[eur("100.00")]).unwrap();
    books
}

fn order(payment: PaymentId, attempt: u8, amount: &str) -> PermitOrder {
    let terms = Terms {
        money: eur(amount),
        merchant: MerchantId::new("M1").unwrap(),
        merchant_name: "Corner shop".into(),
        terminal: None,
        payer: PayerId::new("ada").unwrap(),
    };
    PermitOrder { payment, attempt: Attempt::numbered(attempt).unwrap(), terms }
}

fn permit(books: &mut Books, attempt: u8) -> String {
    let name = format!("permit-{attempt}");
    books.permit(&order(PAYMENT, attempt, "12.50"), name, Deadline::at(LATER)).unwrap().name
}

fn presented(permit: &str, password: &str) -> Presented {
    Presented {
        payment: PAYMENT.to_string(),
        permit: permit.into(),
        amount: "12.50".into(),
        currency: "EUR".into(),
        merchant: "M1".into(),
        expires: Deadline::at(LATER),
        account: Zeroizing::new("ada".into()),
        password: Zeroizing::new(password.into()),
    }
}

fn pay(books: &mut Books, permit: &str, password: &str) -> Result<Result<(), Failure>, BooksRefusal> {
    books.pay(permit, Some(&presented(permit, password)), NOW).map(|paying| paying.result.map(|_| ()))
}

fn balance(books: &Books) -> String {
    books.page(NOW).accounts["ada"].balances["EUR"].clone()
}

fn page(books: &Books) -> PaymentPage {
    books.payment_page(PAYMENT, NOW).unwrap()
}

#[test]
fn a_payment_moves_exactly_its_amount_once() {
    let mut books = books();
    let name = permit(&mut books, 1);
    let first = books.pay(&name, Some(&presented(&name, "correct horse")), NOW).unwrap();
    let again = books.pay(&name, Some(&presented(&name, "correct horse")), LATER).unwrap();
    assert_eq!(first, again);
    assert_eq!(first.result.unwrap().money, eur("12.50"));
    assert_eq!(balance(&books), "87.50");
}

#[test]
fn asking_twice_for_a_permit_gives_the_same_permit() {
    let mut books = books();
    let first = books.permit(&order(PAYMENT, 1, "12.50"), "one".into(), Deadline::at(LATER)).unwrap();
    let again = books.permit(&order(PAYMENT, 1, "12.50"), "two".into(), Deadline::at(LATER)).unwrap();
    assert_eq!((first.grant, again.grant), (Grant::First, Grant::Repeat));
    assert_eq!(first.name, again.name);
}

#[test]
fn the_same_payment_for_another_amount_is_refused() {
    let mut books = books();
    permit(&mut books, 1);
    let other = books.permit(&order(PAYMENT, 2, "12.51"), "x".into(), Deadline::at(LATER));
    assert_eq!(other, Err(BooksRefusal::Differs));
}

#[test]
fn a_wrong_password_uses_the_permit_up_and_a_new_permit_can_succeed() {
    let mut books = books();
    let first = permit(&mut books, 1);
    assert_eq!(pay(&mut books, &first, "wrong"), Ok(Err(Failure::WrongCredentials)));
    assert_eq!(pay(&mut books, &first, "correct horse"), Ok(Err(Failure::WrongCredentials)));
    let second = permit(&mut books, 2);
    assert_eq!(pay(&mut books, &second, "correct horse"), Ok(Ok(())));
    assert_eq!(balance(&books), "87.50");
}

#[test]
fn wrong_passwords_block_the_account_for_the_right_one_too() {
    let mut books = books();
    for attempt in 1..=3 {
        let name = permit(&mut books, attempt);
        assert_eq!(pay(&mut books, &name, "wrong"), Ok(Err(Failure::WrongCredentials)));
    }
    let name = permit(&mut books, 4);
    assert_eq!(pay(&mut books, &name, "correct horse"), Ok(Err(Failure::AccountBlocked)));
    assert!(books.page(NOW).accounts["ada"].blocked);
}

#[test]
fn an_account_cannot_be_overdrawn_or_paid_from_in_a_currency_it_lacks() {
    let mut books = books();
    let rich = PaymentId::from_bits(8);
    for (payment, amount, currency) in [(PAYMENT, "100.01", "EUR"), (rich, "1.00", "USD")] {
        let mut order = order(payment, 1, "1.00");
        order.terms.money = Money::parse(amount, currency).unwrap();
        let name = books.permit(&order, payment.to_string(), Deadline::at(LATER)).unwrap().name;
        let mut sealed = presented(&name, "correct horse");
        (sealed.payment, sealed.amount, sealed.currency) =
            (payment.to_string(), amount.into(), currency.into());
        assert_eq!(books.pay(&name, Some(&sealed), NOW).unwrap().result, Err(Failure::InsufficientFunds));
    }
    assert_eq!(balance(&books), "100.00");
}

#[test]
fn a_newer_permit_ends_the_older_one() {
    let mut books = books();
    let (first, second) = (permit(&mut books, 1), permit(&mut books, 2));
    assert_eq!(pay(&mut books, &first, "correct horse"), Ok(Err(Failure::PermitExpired)));
    assert_eq!(pay(&mut books, &second, "correct horse"), Ok(Ok(())));
    assert_eq!(
        books.permit(&order(PAYMENT, 3, "12.50"), "x".into(), Deadline::at(LATER)),
        Err(BooksRefusal::AlreadyPaid)
    );
}

#[test]
fn an_expired_permit_fails_for_good() {
    let mut books = books();
    let name = permit(&mut books, 1);
    let paying = books.pay(&name, Some(&presented(&name, "correct horse")), LATER).unwrap();
    assert_eq!(paying.result, Err(Failure::PermitExpired));
    assert_eq!(page(&books).reason, Some(Failure::PermitExpired));
}

#[test]
fn a_credential_made_for_anything_else_is_unreadable() {
    type Change = fn(&mut Presented);
    let changes: [Change; 5] = [
        |p| p.payment = PaymentId::from_bits(8).to_string(),
        |p| p.permit = "another".into(),
        |p| p.amount = "12.49".into(),
        |p| p.currency = "USD".into(),
        |p| p.merchant = "M2".into(),
    ];
    for change in changes {
        let mut books = books();
        let name = permit(&mut books, 1);
        let mut sealed = presented(&name, "correct horse");
        change(&mut sealed);
        assert_eq!(books.pay(&name, Some(&sealed), NOW).unwrap().result, Err(Failure::Unreadable));
        assert_eq!(balance(&books), "100.00");
    }
}

#[test]
fn a_reversal_gives_the_money_back_once() {
    let mut books = books();
    let name = permit(&mut books, 1);
    pay(&mut books, &name, "correct horse").unwrap().unwrap();
    assert_eq!(books.reverse(PAYMENT, eur("12.50"), NOW), Ok(Effect::Undone));
    assert_eq!(books.reverse(PAYMENT, eur("12.50"), LATER), Ok(Effect::Undone));
    assert_eq!(balance(&books), "100.00");
    assert_eq!(pay(&mut books, &name, "correct horse"), Err(BooksRefusal::Reversed));
}

#[test]
fn a_reversal_of_something_unseen_leaves_a_tombstone_that_a_late_permit_runs_into() {
    let mut books = books();
    assert_eq!(books.reverse(PAYMENT, eur("12.50"), NOW), Ok(Effect::NothingToUndo));
    let late = books.permit(&order(PAYMENT, 1, "12.50"), "late".into(), Deadline::at(LATER));
    assert_eq!(late, Err(BooksRefusal::Reversed));
    assert_eq!((page(&books).status, page(&books).amount), ("reversed", None));
}

#[test]
fn a_reversal_before_the_payment_makes_the_late_payment_run_into_it() {
    let mut books = books();
    let name = permit(&mut books, 1);
    assert_eq!(books.reverse(PAYMENT, eur("12.50"), NOW), Ok(Effect::NothingToUndo));
    assert_eq!(pay(&mut books, &name, "correct horse"), Err(BooksRefusal::Reversed));
    assert_eq!(balance(&books), "100.00");
}

#[test]
fn refunds_never_exceed_the_payment_and_a_repeat_is_no_second_refund() {
    let mut books = books();
    let name = permit(&mut books, 1);
    pay(&mut books, &name, "correct horse").unwrap().unwrap();
    let mut refund = |id: &str, amount| books.refund(PAYMENT, RefundId::new(id).unwrap(), eur(amount), NOW);
    assert_eq!(refund("r1", "10.00"), Ok(Grant::First));
    assert_eq!(refund("r1", "10.00"), Ok(Grant::Repeat));
    assert_eq!(refund("r1", "9.00"), Err(BooksRefusal::Differs));
    assert_eq!(refund("r2", "2.51"), Err(BooksRefusal::ExceedsPayment));
    assert_eq!(refund("r2", "2.50"), Ok(Grant::First));
    assert_eq!(balance(&books), "100.00");
}

#[test]
fn the_sandbox_gives_back_in_a_hundred_parts_and_no_more() {
    let mut books = books();
    let name = permit(&mut books, 1);
    pay(&mut books, &name, "correct horse").unwrap().unwrap();
    let mut refund = |n| books.refund(PAYMENT, RefundId::new(&format!("r{n}")).unwrap(), eur("0.01"), NOW);
    assert!((0..100).all(|n| refund(n) == Ok(Grant::First)));
    assert_eq!(refund(100), Err(BooksRefusal::Full));
    assert_eq!(refund(99), Ok(Grant::Repeat));
}

#[test]
fn a_reversal_after_a_refund_gives_back_only_the_rest() {
    let mut books = books();
    let name = permit(&mut books, 1);
    pay(&mut books, &name, "correct horse").unwrap().unwrap();
    books.refund(PAYMENT, RefundId::new("r1").unwrap(), eur("10.00"), NOW).unwrap();
    books.reverse(PAYMENT, eur("12.50"), NOW).unwrap();
    assert_eq!(balance(&books), "100.00");
}

#[test]
fn a_reversal_after_everything_was_given_back_moves_nothing_and_is_not_listed() {
    let mut books = books();
    let name = permit(&mut books, 1);
    pay(&mut books, &name, "correct horse").unwrap().unwrap();
    books.refund(PAYMENT, RefundId::new("r1").unwrap(), eur("12.50"), NOW).unwrap();
    assert_eq!(books.reverse(PAYMENT, eur("12.50"), NOW), Ok(Effect::Undone));
    let sums: Vec<_> = books.daily("2030-03-17").sums.iter().map(|sum| (sum.kind, sum.count)).collect();
    assert_eq!((balance(&books).as_str(), sums), ("100.00", vec![("debit", 1), ("refund", 1)]));
}

#[test]
fn the_daily_list_sums_what_moved_that_day() {
    let mut books = books();
    let name = permit(&mut books, 1);
    pay(&mut books, &name, "correct horse").unwrap().unwrap();
    books.refund(PAYMENT, RefundId::new("r1").unwrap(), eur("2.50"), NOW).unwrap();
    let day = books.daily("2030-03-17");
    let sums: Vec<_> = day.sums.iter().map(|sum| (sum.kind, sum.count, sum.amount.as_str())).collect();
    assert_eq!(sums, [("debit", 1, "12.50"), ("refund", 1, "2.50")]);
    assert!(books.daily("2030-03-18").lines.is_empty());
}

#[test]
fn full_books_refuse_what_is_new_and_serve_what_is_known() {
    let mut books = books();
    permit(&mut books, 1);
    for bits in 100..103 {
        books.reverse(PaymentId::from_bits(bits), eur("1.00"), NOW).unwrap();
    }
    let new = books.reverse(PaymentId::from_bits(103), eur("1.00"), NOW);
    assert_eq!(new, Err(BooksRefusal::Full));
    assert_eq!(pay(&mut books, "permit-1", "correct horse"), Ok(Ok(())));
}

#[test]
fn a_held_payment_stays_pending_until_it_is_reversed() {
    let mut books = books();
    let name = permit(&mut books, 1);
    books.hold(&name).unwrap();
    assert_eq!(page(&books).status, "pending");
    assert_eq!(pay(&mut books, &name, "correct horse"), Err(BooksRefusal::StillPending));
    let next = books.permit(&order(PAYMENT, 2, "12.50"), "next".into(), Deadline::at(LATER));
    assert_eq!(next, Err(BooksRefusal::StillPending));
    assert_eq!(books.reverse(PAYMENT, eur("12.50"), NOW), Ok(Effect::NothingToUndo));
    assert_eq!(page(&books).status, "reversed");
}
