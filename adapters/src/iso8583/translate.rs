//! What fields mean: the only file of the switch that knows it (ISO 8583:1987, and UnionPay's POS profile).
//!
//! [`read`] turns a message into what a terminal asks, [`answer`] a request and what it is told into the answer's fields. Neither decides
//! anything: whether the terminal is known and what becomes of its wish is the flows' business.
use super::asked::{Asked, KeyWish, Management, Original, Sale, Told, Unfit, Wish};
use super::builder::{BuildFault, Builder};
use super::fields as field;
use super::message::Message;
use super::mti::{Class as Kind, Function, Mti};
use super::trace::{Class, Day, Period, Trace};
use actors::domain::identity::{MerchantId, PaymentKey, RefundId, TerminalId};
use actors::domain::money::{Amount, Currency, Money};
use actors::domain::response_code::ResponseCode;
use actors::domain::till::booking::name_of_part;
use actors::domain::till::{Count, Totals};

/// What an answer about money takes over from its request.
const ECHOED: [u8; 14] = [
    field::PROCESSING_CODE,
    field::AMOUNT,
    field::TRANSMISSION,
    field::STAN,
    field::LOCAL_TIME,
    field::LOCAL_DATE,
    field::CONDITION,
    field::ACQUIRER,
    field::FORWARDER,
    field::REFERENCE,
    field::TERMINAL,
    field::MERCHANT,
    field::CURRENCY,
    field::ORIGINAL,
];
/// What any other answer takes over.
const ECHOED_IN_MANAGEMENT: [u8; 11] = [
    field::TRANSMISSION,
    field::STAN,
    field::LOCAL_TIME,
    field::LOCAL_DATE,
    field::ACQUIRER,
    field::REFERENCE,
    field::TERMINAL,
    field::MERCHANT,
    field::SETTLEMENT_CURRENCY,
    field::PRIVATE_60,
    field::NETWORK_CODE,
];

/// What a message asks for.
pub fn read(message: &Message<'_>) -> Result<Asked, Unfit> {
    let terminal = terminal(message)?;
    let merchant = merchant(message)?;
    let wish = wish(message, terminal)?;
    Ok(Asked { terminal, merchant, wish })
}

/// Who sent it (DE 41).
pub fn terminal(message: &Message<'_>) -> Result<TerminalId, Unfit> {
    let text =
        message.text(field::TERMINAL).ok_or(wrong(field::TERMINAL, "a terminal has to say who it is"))?;
    TerminalId::new(text.trim_matches(' '))
        .map_err(|_| wrong(field::TERMINAL, "letters, digits and - _ . : + only, filled up with blanks"))
}

/// For which merchant (DE 42), if it says so.
fn merchant(message: &Message<'_>) -> Result<Option<MerchantId>, Unfit> {
    let Some(text) = message.text(field::MERCHANT) else { return Ok(None) };
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return Ok(None);
    }
    let id = MerchantId::new(text);
    id.map(Some)
        .map_err(|_| wrong(field::MERCHANT, "letters, digits and - _ . : + only, filled up with blanks"))
}

/// Whether an answer to it would find its way back: type, trace number and terminal are there.
pub fn can_be_answered(message: &Message<'_>) -> bool {
    message.mti().response().is_some() && message.has(field::STAN) && message.has(field::TERMINAL)
}

/// The answer to `request`, of type `mti`: what it takes over, and what the terminal is told.
pub fn answer<'d>(request: &Message<'d>, mti: Mti, told: &Told) -> Result<Builder<'d>, BuildFault> {
    let mut answer = Builder::new(request.dialect(), mti);
    let is_about_money = matches!(mti.class(), Kind::Authorization | Kind::Financial | Kind::Reversal);
    let echoed: &[u8] = if is_about_money { &ECHOED } else { &ECHOED_IN_MANAGEMENT };
    for n in echoed.iter().copied().filter(|n| request.has(*n)) {
        answer.echo(request, n)?;
    }
    if let Some(reference) = told.reference.filter(|_| !request.has(field::REFERENCE)) {
        answer.set_bytes(field::REFERENCE, &reference)?;
    }
    if let Some(approval) = told.approval {
        answer.set_bytes(field::APPROVAL, &approval)?;
    }
    if let Some(counted) = &told.counted {
        write_totals(&mut answer, counted, told.code)?;
    }
    if let Some(keys) = &told.keys {
        answer.set_bytes(keys_field(request), keys)?;
    }
    answer.set(field::RESPONSE_CODE, told.code.as_str())?;
    Ok(answer)
}

/// Where working keys travel: field 48, and UnionPay's field 62.
fn keys_field(request: &Message<'_>) -> u8 {
    if request.has(field::NETWORK_CODE) { field::ADDITIONAL } else { field::PRIVATE_62 }
}

fn wish(message: &Message<'_>, terminal: TerminalId) -> Result<Wish, Unfit> {
    let mti = message.mti();
    match (mti.class(), mti.function()) {
        (Kind::Authorization, Function::Request) => asked_for_money(message, terminal, Class::Authorization),
        (Kind::Financial, Function::Request) => asked_for_money(message, terminal, Class::Financial),
        (Kind::Authorization | Kind::Financial, Function::Advice) => advised(message, terminal),
        (Kind::Reversal, Function::Request | Function::Advice) => taken_back(message, terminal),
        (Kind::NetworkManagement, Function::Request | Function::Advice) => managed(message),
        (Kind::Reconciliation, Function::Request | Function::Advice) => settled(message),
        _ => Err(Unfit {
            code: ResponseCode::INVALID_TRANSACTION,
            field: 0,
            what: "this message type is not served",
        }),
    }
}

fn asked_for_money(message: &Message<'_>, terminal: TerminalId, class: Class) -> Result<Wish, Unfit> {
    let kind = kind(message)?;
    let is_completion = class == Class::Financial && message.is(field::CONDITION, "06");
    match kind {
        [b'0', b'0'] if is_completion => advised(message, terminal),
        [b'0', b'0'] => Ok(Wish::Pay(Sale {
            trace: own_trace(message, class)?,
            money: money(message)?,
            reference: reference(message),
        })),
        // UnionPay's void says "refund" and, in DE 60.1, that it is a void.
        [b'2', b'0'] if is_void(message) => Ok(Wish::TakeBack(original(message, terminal)?)),
        [b'0', b'2'] => Ok(Wish::TakeBack(original(message, terminal)?)),
        [b'2', b'0'] if class == Class::Financial => {
            Ok(Wish::GiveBack(original(message, terminal)?, money(message)?, refund_name(message)?))
        }
        _ => Err(unsupported()),
    }
}

fn advised(message: &Message<'_>, terminal: TerminalId) -> Result<Wish, Unfit> {
    let original = original(message, terminal)?;
    match kind(message)? {
        [b'0', b'0'] => Ok(Wish::Completed(original, money(message)?, part_name(message)?)),
        [b'2', b'0'] => Ok(Wish::GiveBack(original, money(message)?, refund_name(message)?)),
        _ => Err(unsupported()),
    }
}

fn taken_back(message: &Message<'_>, terminal: TerminalId) -> Result<Wish, Unfit> {
    if kind(message)? == [b'2', b'0'] {
        let what = "what was given back or voided stays so";
        return Err(Unfit { code: ResponseCode::NOT_SUPPORTED, field: field::PROCESSING_CODE, what });
    }
    let original = original(message, terminal)?;
    let Some(actual) = message.text(field::REPLACEMENT) else { return Ok(Wish::TakeBack(original)) };
    let kept =
        actual.get(..12).and_then(|digits| digits.parse().ok()).and_then(|minor| Amount::new(minor).ok());
    let kept =
        kept.ok_or(wrong(field::REPLACEMENT, "the actual amount stands in its first twelve digits"))?;
    Ok(Wish::KeepOnly(original, Money::new(kept, currency(message)?), part_name(message)?))
}

fn managed(message: &Message<'_>) -> Result<Wish, Unfit> {
    let code = match message.u64(field::NETWORK_CODE) {
        Some(code) => code,
        // UnionPay: DE 60.3, after type and batch.
        None => {
            private_digits(message, field::PRIVATE_60, 8..11).ok_or(wrong(field::NETWORK_CODE, "missing"))?
        }
    };
    // UnionPay's sign-on asks for keys as well.
    let is_union_pay = !message.has(field::NETWORK_CODE);
    match code {
        301 => Ok(Wish::Manage(Management::Echo)),
        2 => Ok(Wish::Manage(Management::SignOff)),
        1 if !is_union_pay => Ok(Wish::Manage(Management::SignOn)),
        1 | 3..=5 if is_union_pay => Ok(Wish::Keys(KeyWish::WithSignOn)),
        101 | 161 | 162 => Ok(Wish::Keys(KeyWish::Exchange)),
        _ => Err(Unfit {
            code: ResponseCode::NOT_SUPPORTED,
            field: field::NETWORK_CODE,
            what: "001, 002, 161 and 301 are served",
        }),
    }
}

/// The first two digits of DE 3.
fn kind(message: &Message<'_>) -> Result<[u8; 2], Unfit> {
    let code = message.text(field::PROCESSING_CODE);
    let code = code.ok_or(wrong(field::PROCESSING_CODE, "missing"))?;
    code.as_bytes().first_chunk().copied().ok_or(wrong(field::PROCESSING_CODE, "six digits"))
}

fn is_void(message: &Message<'_>) -> bool {
    private_digits(message, field::PRIVATE_60, 0..2) == Some(23)
}

fn money(message: &Message<'_>) -> Result<Money, Unfit> {
    let minor = message.u64(field::AMOUNT).ok_or(wrong(field::AMOUNT, "missing"))?;
    let amount = Amount::new(minor).ok().filter(|amount| *amount != Amount::ZERO);
    let amount = amount.ok_or(Unfit {
        code: ResponseCode::INVALID_AMOUNT,
        field: field::AMOUNT,
        what: "more than zero",
    })?;
    Ok(Money::new(amount, currency(message)?))
}

/// DE 49: a number, or three letters.
fn currency(message: &Message<'_>) -> Result<Currency, Unfit> {
    let text = message.text(field::CURRENCY).ok_or(wrong(field::CURRENCY, "missing"))?;
    currency_of(field::CURRENCY, &text)
}

fn currency_of(n: u8, text: &str) -> Result<Currency, Unfit> {
    let currency = match text.parse() {
        Ok(number) => Currency::of_number(number),
        Err(_) => Currency::of_code(text),
    };
    currency.map_err(|_| wrong(n, "a currency of ISO 4217"))
}

/// The terminal's own name for the sale, for the payer: its trace number and its own time.
fn reference(message: &Message<'_>) -> Box<str> {
    let stan = message.u64(field::STAN).unwrap_or_default();
    let time = message.text(field::LOCAL_TIME);
    let part = |place| time.as_deref().and_then(|time| time.get(place));
    match (part(0..2), part(2..4), part(4..6)) {
        (Some(hours), Some(minutes), Some(seconds)) => {
            format!("{stan:06} {hours}:{minutes}:{seconds}").into()
        }
        _ => format!("{stan:06}").into(),
    }
}

/// The refund that a message asks for is named after the message: a repeat is the same refund.
fn refund_name(message: &Message<'_>) -> Result<RefundId, Unfit> {
    RefundId::new(own_key(message)?.as_str()).map_err(|_| wrong(field::STAN, "six digits"))
}

/// And so is what goes back because it takes back a part, which is a reversal to whoever counts.
fn part_name(message: &Message<'_>) -> Result<RefundId, Unfit> {
    name_of_part(&own_key(message)?).map_err(|_| wrong(field::STAN, "six digits"))
}

fn own_key(message: &Message<'_>) -> Result<PaymentKey, Unfit> {
    own_trace(message, Class::Financial)?.key().ok_or(wrong(field::STAN, "six digits"))
}

/// Which message this one is.
fn own_trace(message: &Message<'_>, class: Class) -> Result<Trace, Unfit> {
    let stan = message.u64(field::STAN).and_then(|stan| u32::try_from(stan).ok());
    let stan = stan.ok_or(wrong(field::STAN, "missing"))?;
    Trace::new(class, stan, period(message)?).ok_or(wrong(field::STAN, "six digits"))
}

/// The day it was sent (DE 7, else DE 13), or its batch.
fn period(message: &Message<'_>) -> Result<Period, Unfit> {
    let day = |n, digits: u64| {
        message
            .u64(n)
            .and_then(|value| u32::try_from(value / digits).ok())
            .map(|mmdd| Day::of_mmdd(mmdd).map(Period::Day).ok_or(wrong(n, "a day that there is, as MMDD")))
    };
    let sent =
        day(field::TRANSMISSION, 1_000_000).or_else(|| batch(message)).or_else(|| day(field::LOCAL_DATE, 1));
    sent.unwrap_or(Err(wrong(field::TRANSMISSION, "missing")))
}

fn batch(message: &Message<'_>) -> Option<Result<Period, Unfit>> {
    let number = private_digits(message, field::PRIVATE_60, 2..8)?;
    Some(
        u32::try_from(number)
            .map(Period::Batch)
            .map_err(|_| wrong(field::PRIVATE_60, "a batch of six digits")),
    )
}

/// Digits inside one of UnionPay's private fields, which are numbers there and free text elsewhere.
fn private_digits(message: &Message<'_>, n: u8, place: std::ops::Range<usize>) -> Option<u64> {
    message.digits(n)?.get(place)?.parse().ok()
}

/// Which payment is meant: by our own reference, by the original's data, or by the message's own numbers.
fn original(message: &Message<'_>, terminal: TerminalId) -> Result<Original, Unfit> {
    let by_reference =
        message.text(field::REFERENCE).and_then(|text| Trace::of_reference(text.as_bytes(), terminal));
    if let Some(by_data) = original_data(message)? {
        return Ok(Original::named([by_reference, Some(by_data), None]));
    }
    if message.mti().class() == Kind::Reversal && by_reference.is_none() {
        // A terminal's repeat of its own numbers: it does not say of which class the original was.
        let [financial, authorization] =
            [Class::Financial, Class::Authorization].map(|class| own_trace(message, class));
        return Ok(Original::named([Some(financial?), Some(authorization?), None]));
    }
    if by_reference.is_none() {
        return Err(wrong(field::ORIGINAL, "the original's data, or our reference in field 37"));
    }
    Ok(Original::named([by_reference, None, None]))
}

/// DE 90: type, trace number and time of the original; UnionPay's DE 61: batch and trace number.
fn original_data(message: &Message<'_>) -> Result<Option<Trace>, Unfit> {
    if let Some(data) = message.text(field::ORIGINAL) {
        let part =
            |place: std::ops::Range<usize>| data.get(place).and_then(|digits| digits.parse::<u32>().ok());
        let class = data.as_bytes().get(1).and_then(|digit| Class::of_digit(*digit));
        let (Some(class), Some(stan), Some(mmdd)) = (class, part(4..10), part(10..14)) else {
            return Ok(None);
        };
        let day = Day::of_mmdd(mmdd)
            .ok_or(wrong(field::ORIGINAL, "type, trace number, and the time as MMDDhhmmss"))?;
        return Ok(Trace::new(class, stan, Period::Day(day)));
    }
    let part = |place| {
        private_digits(message, field::PRIVATE_61, place).and_then(|digits| u32::try_from(digits).ok())
    };
    let (Some(batch), Some(stan)) = (part(0..6), part(6..12)) else { return Ok(None) };
    Ok(Trace::new(Class::Financial, stan, Period::Batch(batch)))
}

/// Totals of 0500 and 0520, in the currency of field 50, else of 49.
fn settled(message: &Message<'_>) -> Result<Wish, Unfit> {
    let n =
        if message.has(field::SETTLEMENT_CURRENCY) { field::SETTLEMENT_CURRENCY } else { field::CURRENCY };
    let text = message.text(n).ok_or(wrong(field::SETTLEMENT_CURRENCY, "missing"))?;
    let name = own_trace(message, Class::Financial)?.key().ok_or(wrong(field::STAN, "six digits"))?;
    let key = PaymentKey::new(&format!("settle-{}", name.as_str()))
        .map_err(|_| wrong(field::STAN, "six digits"))?;
    let count = |number, amount| Count {
        number: message.u64(number).unwrap_or_default(),
        amount: message.u64(amount).unwrap_or_default(),
    };
    let totals = Totals {
        debits: count(field::DEBITS, field::DEBITS_AMOUNT),
        debit_reversals: count(field::DEBIT_REVERSALS, field::DEBIT_REVERSALS_AMOUNT),
        credits: count(field::CREDITS, field::CREDITS_AMOUNT),
        credit_reversals: count(field::CREDIT_REVERSALS, field::CREDIT_REVERSALS_AMOUNT),
    };
    Ok(Wish::Settle(key, currency_of(n, &text)?, Box::new(totals)))
}

fn write_totals(answer: &mut Builder<'_>, counted: &Totals, code: ResponseCode) -> Result<(), BuildFault> {
    let is_balanced = code == ResponseCode::APPROVED;
    answer.set(field::SETTLEMENT_CODE, if is_balanced { "1" } else { "2" })?;
    let counts = [
        (field::DEBITS, field::DEBITS_AMOUNT, counted.debits),
        (field::DEBIT_REVERSALS, field::DEBIT_REVERSALS_AMOUNT, counted.debit_reversals),
        (field::CREDITS, field::CREDITS_AMOUNT, counted.credits),
        (field::CREDIT_REVERSALS, field::CREDIT_REVERSALS_AMOUNT, counted.credit_reversals),
    ];
    for (number, amount, count) in counts {
        answer.set(number, &format!("{:010}", count.number))?;
        answer.set(amount, &format!("{:016}", count.amount))?;
    }
    let taken = i128::from(counted.debits.amount) - i128::from(counted.debit_reversals.amount);
    let given = i128::from(counted.credits.amount) - i128::from(counted.credit_reversals.amount);
    let net = taken - given;
    // Towards the merchant: a credit when more was taken from payers than given back.
    let sign = if net < 0 { 'D' } else { 'C' };
    answer.set(field::NET_SETTLEMENT, &format!("{sign}{:016}", net.unsigned_abs()))?;
    Ok(())
}

const fn wrong(field: u8, what: &'static str) -> Unfit {
    Unfit { code: ResponseCode::FORMAT_ERROR, field, what }
}

const fn unsupported() -> Unfit {
    Unfit {
        code: ResponseCode::NOT_SUPPORTED,
        field: field::PROCESSING_CODE,
        what: "purchase (00), void (02) and refund (20) are served",
    }
}
