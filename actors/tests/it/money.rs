//! Money is exact, bounded and never panics; ids say what they are and read back as they were written.
use actors::domain::identity::{Keeper, PayerId, PaymentId, PaymentKey, TerminalId};
use actors::domain::money::{Amount, Currency, MINOR_UNITS_MAX, Money, MoneyError};
use proptest::prelude::*;

/// A currency without, with two, and with three decimals.
const CURRENCIES: [(&str, u8); 3] = [("JPY", 0), ("EUR", 2), ("KWD", 3)];

fn money() -> impl Strategy<Value = Money> {
    (0..=MINOR_UNITS_MAX, 0usize..3).prop_map(|(units, which)| {
        Money::new(Amount::new(units).unwrap(), Currency::of_code(CURRENCIES[which].0).unwrap())
    })
}

#[test]
fn a_currency_brings_its_own_decimals() {
    for (code, decimals) in CURRENCIES {
        assert_eq!(Currency::of_code(code).unwrap().decimals(), decimals);
    }
    assert_eq!(Money::parse("12", "JPY").unwrap().decimal(), "12");
    assert_eq!(Money::parse("12.0", "JPY"), Err(MoneyError::TooManyDecimals));
    assert_eq!(Money::parse("0.05", "EUR").unwrap().amount().minor_units(), 5);
    assert_eq!(Money::parse("1.005", "KWD").unwrap().to_string(), "1.005 KWD");
    assert_eq!(Money::parse("1.0005", "KWD"), Err(MoneyError::TooManyDecimals));
}

#[test]
fn every_currency_is_found_by_both_its_names() {
    let known: Vec<Currency> = (0..1000).filter_map(|number| Currency::of_number(number).ok()).collect();
    assert!(known.len() > 90, "{} currencies", known.len());
    for currency in known {
        assert_eq!(Currency::of_code(currency.code()), Ok(currency));
    }
}

#[test]
fn thirteen_digits_are_too_many() {
    assert_eq!(Money::parse("9999999999.99", "EUR").unwrap().amount().minor_units(), MINOR_UNITS_MAX);
    assert_eq!(Money::parse("10000000000.00", "EUR"), Err(MoneyError::TooLarge));
    assert_eq!(Money::parse("1000000000000", "JPY"), Err(MoneyError::TooLarge));
    assert_eq!(Money::parse(&"9".repeat(400), "JPY"), Err(MoneyError::TooLarge));
    assert!(serde_json::from_str::<Amount>("1000000000000").is_err(), "nor through the back door");
}

#[test]
fn what_is_no_amount_is_told_why() {
    for text in ["", " 12", "+12", "-1", "1e3", ".5", "12.", "1.2.3", "1,5", "0x1", "NaN", "inf", "١٢", "12 "]
    {
        assert_eq!(Money::parse(text, "EUR"), Err(MoneyError::NotDecimal), "{text:?}");
    }
    assert_eq!(Money::parse("1", "eur"), Err(MoneyError::UnknownCurrency));
    assert_eq!(Money::parse_payable("0.00", "EUR"), Err(MoneyError::Zero));
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(money in money()) {
        prop_assert_eq!(Money::parse(&money.decimal(), money.currency().code()), Ok(money));
        let json = serde_json::to_string(&money).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
    }

    #[test]
    fn no_text_makes_it_panic(amount in "\\PC*", currency in "\\PC{0,4}") {
        prop_assert!(Money::parse(&amount, &currency).is_err() || Currency::of_code(&currency).is_ok());
        prop_assert!(Money::parse(&amount, "KWD").is_ok_and(|m| m.amount().minor_units() <= MINOR_UNITS_MAX)
            || Money::parse(&amount, "KWD").is_err());
    }

    #[test]
    fn digits_and_points_parse_or_say_why(amount in "[0-9]{0,14}(\\.[0-9]{0,5})?", which in 0usize..3) {
        let (code, decimals) = CURRENCIES[which];
        if let Ok(money) = Money::parse(&amount, code) {
            prop_assert_eq!(Money::parse(&money.decimal(), code), Ok(money));
            let part = amount.split_once('.').map_or(0, |(_, part)| part.len());
            prop_assert!(part <= usize::from(decimals));
        }
    }

    #[test]
    fn sums_conserve(one in money(), other in money()) {
        match one.plus(other) {
            Some(sum) => {
                prop_assert_eq!(sum.minus(other), Some(one));
                prop_assert_eq!(other.plus(one), Some(sum));
            }
            None => prop_assert!(one.currency() != other.currency()
                || one.amount().minor_units() + other.amount().minor_units() > MINOR_UNITS_MAX),
        }
    }

    #[test]
    fn a_payments_id_reads_back(bits: u128) {
        let id = PaymentId::from_bits(bits);
        prop_assert_eq!(PaymentId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn no_text_makes_an_id_panic(text in "\\PC{0,40}") {
        let id = PaymentId::parse(&text);
        prop_assert!(id.is_err() || id.unwrap().to_string() == text);
        if let Ok(terminal) = TerminalId::new(&text) {
            prop_assert_eq!(terminal.as_str(), text.as_str());
        }
        if let Ok(key) = PaymentKey::new(&text) {
            prop_assert_eq!(key.as_str(), text.as_str());
        }
    }

    #[test]
    fn a_payments_id_follows_from_who_asked_and_with_which_key(
        names in prop::array::uniform2("[A-Za-z0-9]{1,8}"),
        keys in prop::array::uniform2("[!-~]{1,8}"),
    ) {
        let terminal = |name: &String| Keeper::Terminal(TerminalId::new(name).unwrap());
        let key = |key: &String| PaymentKey::new(key).unwrap();
        let id = PaymentId::derive(&terminal(&names[0]), &key(&keys[0]));
        prop_assert_eq!(id, PaymentId::derive(&terminal(&names[0]), &key(&keys[0])));
        let same = names[0] == names[1] && keys[0] == keys[1];
        prop_assert_eq!(id == PaymentId::derive(&terminal(&names[1]), &key(&keys[1])), same);
        let payer = Keeper::Payer(PayerId::new(&names[0]).unwrap());
        prop_assert_ne!(id, PaymentId::derive(&payer, &key(&keys[0])));
    }
}
