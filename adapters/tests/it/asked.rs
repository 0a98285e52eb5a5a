//! What messages mean: stories about traces, references and what a terminal asks, in the words of the flows.
use actors::domain::identity::{Keeper, PaymentId, TerminalId};
use actors::domain::response_code::ResponseCode;
use adapters::iso8583::asked::{KeyWish, Management, Original, Told, Wish};
use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use adapters::iso8583::trace::{Class, Day, Period, Trace, approval_code};
use adapters::iso8583::translate;
use bytes::BytesMut;
use proptest::prelude::*;

const SALE: [(u8, &str); 11] = [
    (3, "000000"),
    (4, "000000001250"),
    (7, "1122101530"),
    (11, "000123"),
    (12, "111530"),
    (13, "1122"),
    (25, "00"),
    (41, "T1      "),
    (42, "M1             "),
    (49, "978"),
    (52, "0000000000000000"),
];

fn ascii() -> &'static Dialect {
    Dialect::named("iso87-ascii").unwrap()
}

fn written(dialect: &Dialect, mti: &str, fields: &[(u8, &str)]) -> BytesMut {
    let mut builder = Builder::new(dialect, Mti::parse(mti.as_bytes()).unwrap());
    for (n, value) in fields {
        builder.set(*n, value).unwrap();
    }
    let mut out = BytesMut::new();
    builder.finish(&mut out).unwrap();
    out
}

/// The sale with these fields instead, and without those that are empty.
fn sale_but(changes: &[(u8, &'static str)]) -> Vec<(u8, &'static str)> {
    let mut fields: Vec<(u8, &str)> = SALE.to_vec();
    for (n, value) in changes {
        fields.retain(|(field, _)| field != n);
        if !value.is_empty() {
            fields.push((*n, value));
        }
    }
    fields
}

fn wish(mti: &str, fields: &[(u8, &str)]) -> Result<Wish, (ResponseCode, u8)> {
    let frame = written(ascii(), mti, fields);
    let message = Message::parse(ascii(), &frame).unwrap();
    translate::read(&message).map(|asked| asked.wish).map_err(|unfit| (unfit.code, unfit.field))
}

fn trace(class: Class, stan: u32, mmdd: u32) -> Trace {
    Trace::new(class, stan, Period::Day(Day::of_mmdd(mmdd).unwrap())).unwrap()
}

fn terminal() -> TerminalId {
    TerminalId::new("T1").unwrap()
}

fn names(original: Original) -> Vec<Trace> {
    original.traces().collect()
}

#[test]
fn a_sale_says_how_much_for_whom_and_which_message_it_is() {
    let frame = written(ascii(), "0200", &SALE);
    let message = Message::parse(ascii(), &frame).unwrap();
    let asked = translate::read(&message).unwrap();
    assert_eq!((asked.terminal.as_str(), asked.merchant.unwrap().as_str()), ("T1", "M1"));
    let Wish::Pay(sale) = asked.wish else { panic!("{asked:?}") };
    assert_eq!((sale.money.to_string().as_str(), &*sale.reference), ("12.50 EUR", "000123 11:15:30"));
    assert_eq!(sale.trace, trace(Class::Financial, 123, 1122));
}

#[test]
fn a_repeat_is_the_same_message_however_late_that_day() {
    let [first, again] = [("0200", "1122101530"), ("0201", "1122235959")].map(|(mti, sent)| {
        match wish(mti, &sale_but(&[(7, sent)])) {
            Ok(Wish::Pay(sale)) => sale.trace,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(first.payment(terminal()), again.payment(terminal()));
}

#[test]
fn a_reversal_finds_its_original_by_its_data() {
    let data = "020000012311221015300000000000000000000000";
    let Ok(Wish::TakeBack(original)) = wish("0400", &sale_but(&[(11, "000124"), (90, data)])) else {
        panic!()
    };
    assert_eq!(names(original), [trace(Class::Financial, 123, 1122)]);
}

#[test]
fn a_reversal_finds_its_original_by_our_reference_first() {
    let ours = trace(Class::Authorization, 77, 1121).reference(terminal());
    let ours: &'static str = String::from_utf8(ours.to_vec()).unwrap().leak();
    let data = "020000012311221015300000000000000000000000";
    let Ok(Wish::TakeBack(original)) = wish("0420", &sale_but(&[(37, ours), (90, data)])) else { panic!() };
    assert_eq!(names(original), [trace(Class::Authorization, 77, 1121), trace(Class::Financial, 123, 1122)]);
}

#[test]
fn a_reversal_without_original_data_takes_back_what_bears_its_own_numbers_of_either_class() {
    let Ok(Wish::TakeBack(original)) = wish("0400", &sale_but(&[])) else { panic!() };
    let expected = [Class::Financial, Class::Authorization].map(|class| trace(class, 123, 1122));
    assert_eq!(names(original), expected);
}

#[test]
fn a_partial_reversal_says_how_much_is_kept() {
    let data = "020000012311221015300000000000000000000000";
    let kept = "000000001000000000000000000000000000000000";
    let Ok(Wish::KeepOnly(_, money, _)) = wish("0400", &sale_but(&[(90, data), (95, kept)])) else {
        panic!()
    };
    assert_eq!(money.to_string(), "10.00 EUR");
}

#[test]
fn a_refund_names_what_it_gives_back_of() {
    let data = "020000012311221015300000000000000000000000";
    let refund = sale_but(&[(3, "200000"), (4, "000000000250"), (11, "000125"), (90, data)]);
    let Ok(Wish::GiveBack(original, money, name)) = wish("0200", &refund) else { panic!() };
    assert_eq!(names(original), [trace(Class::Financial, 123, 1122)]);
    assert_eq!((money.to_string().as_str(), name.as_str()), ("2.50 EUR", "iso-2-000125-1122"));
    assert_eq!(wish("0200", &sale_but(&[(3, "200000")])), Err((ResponseCode::FORMAT_ERROR, 90)));
}

#[test]
fn network_management_is_told_from_its_code() {
    let managed = |code| wish("0800", &[(7, "1122101530"), (11, "000001"), (41, "T1      "), (70, code)]);
    assert_eq!(managed("001"), Ok(Wish::Manage(Management::SignOn)));
    assert_eq!(managed("002"), Ok(Wish::Manage(Management::SignOff)));
    assert_eq!(managed("301"), Ok(Wish::Manage(Management::Echo)));
    assert_eq!(managed("161"), Ok(Wish::Keys(KeyWish::Exchange)));
    assert_eq!(managed("999"), Err((ResponseCode::NOT_SUPPORTED, 70)));
}

#[test]
fn what_is_missing_or_wrong_is_told_with_its_field() {
    let refused = |changes: &[(u8, &'static str)]| wish("0200", &sale_but(changes)).unwrap_err();
    assert_eq!(refused(&[(41, "")]), (ResponseCode::FORMAT_ERROR, 41));
    assert_eq!(refused(&[(41, "T/1     ")]), (ResponseCode::FORMAT_ERROR, 41));
    assert_eq!(refused(&[(11, "")]), (ResponseCode::FORMAT_ERROR, 11));
    assert_eq!(refused(&[(3, "")]), (ResponseCode::FORMAT_ERROR, 3));
    assert_eq!(refused(&[(4, "")]), (ResponseCode::FORMAT_ERROR, 4));
    assert_eq!(refused(&[(4, "000000000000")]), (ResponseCode::INVALID_AMOUNT, 4));
    assert_eq!(refused(&[(49, "000")]), (ResponseCode::FORMAT_ERROR, 49));
    assert_eq!(refused(&[(7, "0230101530")]), (ResponseCode::FORMAT_ERROR, 7));
    assert_eq!(refused(&[(7, ""), (13, "")]), (ResponseCode::FORMAT_ERROR, 7));
    assert_eq!(refused(&[(3, "310000")]), (ResponseCode::NOT_SUPPORTED, 3));
    assert_eq!(wish("0600", &SALE), Err((ResponseCode::INVALID_TRANSACTION, 0)));
}

#[test]
fn an_answer_takes_over_what_clients_match_by_and_nothing_of_a_card() {
    let fields = sale_but(&[(2, "4761739001010119"), (35, "4761739001010119=27122010000000000000")]);
    let frame = written(ascii(), "0200", &fields);
    let request = Message::parse(ascii(), &frame).unwrap();
    let reference = trace(Class::Financial, 123, 1122).reference(terminal());
    let told = Told { approval: Some(*b"A1B2C3"), ..Told::about(ResponseCode::APPROVED, reference) };
    let mut out = BytesMut::new();
    translate::answer(&request, request.mti().response().unwrap(), &told).unwrap().finish(&mut out).unwrap();
    let answer = Message::parse(ascii(), &out).unwrap();
    assert_eq!(answer.mti().as_str(), "0210");
    let present: Vec<u8> = answer.fields().into_iter().collect();
    assert_eq!(present, [3, 4, 7, 11, 12, 13, 25, 37, 38, 39, 41, 42, 49]);
    for n in [3, 4, 7, 11, 12, 13, 25, 41, 42, 49] {
        assert_eq!(answer.raw(n), request.raw(n), "{n}");
    }
    assert!(answer.is(39, "00") && answer.is(38, "A1B2C3"));
}

#[test]
fn a_terminals_own_reference_comes_back_as_it_was() {
    let frame = written(ascii(), "0200", &sale_but(&[(37, "632610000123")]));
    let request = Message::parse(ascii(), &frame).unwrap();
    let told = Told::about(ResponseCode::APPROVED, [b'X'; 12]);
    let answer = translate::answer(&request, request.mti().response().unwrap(), &told).unwrap();
    let mut out = BytesMut::new();
    answer.finish(&mut out).unwrap();
    assert!(Message::parse(ascii(), &out).unwrap().is(37, "632610000123"));
}

#[test]
fn a_union_pay_sale_is_told_by_its_batch() {
    let dialect = Dialect::named("cup-pos").unwrap();
    let fields = [
        (3, "000000"),
        (4, "000000001250"),
        (11, "000123"),
        (25, "00"),
        (41, "T1      "),
        (42, "M1             "),
        (49, "156"),
        (60, "22000007000"),
    ];
    let frame = written(dialect, "0200", &fields);
    let message = Message::parse(dialect, &frame).unwrap();
    let Wish::Pay(sale) = translate::read(&message).unwrap().wish else { panic!() };
    assert_eq!(sale.trace, Trace::new(Class::Financial, 123, Period::Batch(7)).unwrap());
    let void = [&fields[..7], &[(60, "23000007000"), (61, "000007000123")][..]].concat();
    let void: Vec<(u8, &str)> =
        void.into_iter().map(|(n, value)| if n == 3 { (3, "200000") } else { (n, value) }).collect();
    let frame = written(dialect, "0200", &void);
    let message = Message::parse(dialect, &frame).unwrap();
    let Wish::TakeBack(original) = translate::read(&message).unwrap().wish else { panic!() };
    assert_eq!(names(original), [sale.trace]);
}

#[test]
fn an_approval_code_is_always_the_same_six_characters() {
    let key = trace(Class::Financial, 123, 1122).key().unwrap();
    let payment = PaymentId::derive(&Keeper::Terminal(terminal()), &key);
    assert_eq!(approval_code(payment), approval_code(payment));
    assert!(approval_code(payment).iter().all(u8::is_ascii_alphanumeric));
}

fn periods() -> impl Strategy<Value = Period> {
    let days = (1_u32..=12, 1_u32..=28).prop_map(|(m, d)| Period::Day(Day::of_mmdd(m * 100 + d).unwrap()));
    prop_oneof![days, (0_u32..1_000_000).prop_map(Period::Batch)]
}

proptest! {
    #[test]
    fn our_reference_leads_back_to_the_message_and_for_no_other_terminal(
        is_financial: bool, stan in 0_u32..1_000_000, period in periods(), name in "[A-Z0-9]{1,8}",
    ) {
        let class = if is_financial { Class::Financial } else { Class::Authorization };
        let trace = Trace::new(class, stan, period).unwrap();
        let terminal = TerminalId::new(&name).unwrap();
        let reference = trace.reference(terminal);
        prop_assert!(reference.iter().all(u8::is_ascii_alphanumeric));
        prop_assert_eq!(Trace::of_reference(&reference, terminal), Some(trace));
        let other = TerminalId::new(&format!("{name}+")).unwrap();
        // One in 262,144 may be taken for another terminal's own; its payment is then not found.
        let taken = Trace::of_reference(&reference, other);
        prop_assert!(taken.is_none() || taken == Some(trace));
    }

    #[test]
    fn what_is_not_ours_is_never_taken_for_ours_but_by_chance(text in "[0-9]{12}") {
        let taken = Trace::of_reference(text.as_bytes(), terminal());
        prop_assert!(taken.is_none_or(|trace| trace.reference(terminal())[..] == *text.as_bytes()));
    }
}
