//! Exact money: a number of minor units together with the currency it counts.
//!
//! Amounts are decimal strings outside and integers inside; no float ever sits between. The upper
//! bound is that of ISO 8583 DE 4 (n12), so every amount that exists here can be sent to a terminal
//! or an issuer. Rates, tariffs and tax know more than this file wants to.
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest amount in minor units: twelve decimal digits, as ISO 8583 DE 4 carries.
pub const MINOR_UNITS_MAX: u64 = 999_999_999_999;

/// A non-negative number of minor units (cents, fils), at most [`MINOR_UNITS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Amount(u64);

impl Amount {
    /// Nothing at all: where sums start.
    pub const ZERO: Self = Self(0);

    /// An amount of `minor_units`, if it fits twelve digits.
    pub const fn new(minor_units: u64) -> Result<Self, MoneyError> {
        if minor_units > MINOR_UNITS_MAX {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self(minor_units))
    }

    /// The number of minor units.
    pub const fn minor_units(self) -> u64 {
        self.0
    }

    /// The sum, or `None` past twelve digits.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }

    /// The difference, or `None` below zero.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl TryFrom<u64> for Amount {
    type Error = MoneyError;
    fn try_from(minor_units: u64) -> Result<Self, MoneyError> {
        Self::new(minor_units)
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

/// An ISO 4217 currency that this switch deals in, with its number of decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "&'static str")]
pub struct Currency(&'static CurrencyRow);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct CurrencyRow {
    alphabetic: &'static str,
    numeric: u16,
    decimals: u8,
}

macro_rules! currencies {
    ($($alphabetic:literal $numeric:literal $decimals:literal),+ $(,)?) => {
        &[$(CurrencyRow { alphabetic: $alphabetic, numeric: $numeric, decimals: $decimals }),+]
    };
}

/// ISO 4217: alphabetic code, numeric code, exponent. Funds codes and metals are left out: nobody pays in them.
static CURRENCIES: &[CurrencyRow] = currencies![
    "AED" 784 2, "AFN" 971 2, "ALL" 8 2, "AMD" 51 2, "AOA" 973 2, "ARS" 32 2, "AUD" 36 2, "AZN" 944 2,
    "BAM" 977 2, "BDT" 50 2, "BGN" 975 2, "BHD" 48 3, "BIF" 108 0, "BND" 96 2, "BOB" 68 2, "BRL" 986 2,
    "BWP" 72 2, "CAD" 124 2, "CDF" 976 2, "CHF" 756 2, "CLP" 152 0, "CNY" 156 2, "COP" 170 2, "CRC" 188 2,
    "CZK" 203 2, "DJF" 262 0, "DKK" 208 2, "DOP" 214 2, "DZD" 12 2, "EGP" 818 2, "ETB" 230 2, "EUR" 978 2,
    "GBP" 826 2, "GEL" 981 2, "GHS" 936 2, "GMD" 270 2, "GNF" 324 0, "HKD" 344 2, "HUF" 348 2, "IDR" 360 2,
    "ILS" 376 2, "INR" 356 2, "IQD" 368 3, "ISK" 352 0, "JOD" 400 3, "JPY" 392 0, "KES" 404 2, "KGS" 417 2,
    "KHR" 116 2, "KRW" 410 0, "KWD" 414 3, "KZT" 398 2, "LAK" 418 2, "LBP" 422 2, "LKR" 144 2, "LSL" 426 2,
    "LYD" 434 3, "MAD" 504 2, "MDL" 498 2, "MGA" 969 2, "MKD" 807 2, "MMK" 104 2, "MNT" 496 2, "MOP" 446 2,
    "MUR" 480 2, "MVR" 462 2, "MWK" 454 2, "MXN" 484 2, "MYR" 458 2, "MZN" 943 2, "NAD" 516 2, "NGN" 566 2,
    "NOK" 578 2, "NPR" 524 2, "NZD" 554 2, "OMR" 512 3, "PEN" 604 2, "PGK" 598 2, "PHP" 608 2, "PKR" 586 2,
    "PLN" 985 2, "PYG" 600 0, "QAR" 634 2, "RON" 946 2, "RSD" 941 2, "RWF" 646 0, "SAR" 682 2, "SCR" 690 2,
    "SEK" 752 2, "SGD" 702 2, "SLE" 925 2, "SOS" 706 2, "SZL" 748 2, "THB" 764 2, "TJS" 972 2, "TND" 788 3,
    "TRY" 949 2, "TWD" 901 2, "TZS" 834 2, "UAH" 980 2, "UGX" 800 0, "USD" 840 2, "UYU" 858 2, "UZS" 860 2,
    "VND" 704 0, "VUV" 548 0, "XAF" 950 0, "XCD" 951 2, "XOF" 952 0, "XPF" 953 0, "YER" 886 2, "ZAR" 710 2,
    "ZMW" 967 2,
];

impl Currency {
    /// The currency of an upper-case ISO 4217 alphabetic code.
    pub fn of_code(code: &str) -> Result<Self, MoneyError> {
        let row = CURRENCIES.binary_search_by(|row| row.alphabetic.cmp(code));
        row.ok().and_then(|at| CURRENCIES.get(at)).map(Self).ok_or(MoneyError::UnknownCurrency)
    }

    /// The currency of an ISO 4217 numeric code, as ISO 8583 DE 49 carries it.
    pub fn of_number(number: u16) -> Result<Self, MoneyError> {
        CURRENCIES.iter().find(|row| row.numeric == number).map(Self).ok_or(MoneyError::UnknownCurrency)
    }

    /// The alphabetic code, `EUR`.
    pub const fn code(self) -> &'static str {
        self.0.alphabetic
    }

    /// The numeric code, 978.
    pub const fn number(self) -> u16 {
        self.0.numeric
    }

    /// How many digits stand behind the decimal point.
    pub const fn decimals(self) -> u8 {
        self.0.decimals
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for Currency {
    type Error = MoneyError;
    fn try_from(code: std::borrow::Cow<'_, str>) -> Result<Self, MoneyError> {
        Self::of_code(&code)
    }
}

impl From<Currency> for &'static str {
    fn from(currency: Currency) -> Self {
        currency.code()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in a currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    amount: Amount,
    currency: Currency,
}

impl Money {
    /// `amount` in `currency`.
    pub const fn new(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Reads a decimal string as `INTERFACES` has it: digits, and at most as many decimals as the currency has.
    ///
    /// `"12.50"`, `"12.5"` and `"12"` are euros; `"12.505"`, `"+12"`, `" 12"`, `"1e3"`, `".5"` and `"-1"` are errors.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        let currency = Currency::of_code(currency)?;
        Ok(Self { amount: parse_decimal(amount, currency.decimals())?, currency })
    }

    /// The same, refusing zero: an amount somebody can be asked to pay.
    pub fn parse_payable(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        let money = Self::parse(amount, currency)?;
        if money.amount == Amount::ZERO { Err(MoneyError::Zero) } else { Ok(money) }
    }

    /// The number of minor units.
    pub const fn amount(self) -> Amount {
        self.amount
    }

    /// The currency they are counted in.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum; `None` if the currencies differ or it does not fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.same_currency(other)?;
        Some(Self { amount: self.amount.plus(other.amount)?, ..self })
    }

    /// The difference; `None` if the currencies differ or it would be negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.same_currency(other)?;
        Some(Self { amount: self.amount.minus(other.amount)?, ..self })
    }

    /// Whether this is zero.
    pub fn is_zero(self) -> bool {
        self.amount == Amount::ZERO
    }

    /// The decimal string without the currency: `12.50`.
    pub fn decimal(self) -> String {
        let digits = usize::from(self.currency.decimals());
        let padded = format!("{:0>width$}", self.amount.0, width = digits.saturating_add(1));
        let (whole, part) = padded.split_at(padded.len().saturating_sub(digits));
        if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
    }

    fn same_currency(self, other: Self) -> Option<()> {
        (self.currency == other.currency).then_some(())
    }
}

fn parse_decimal(text: &str, decimals: u8) -> Result<Amount, MoneyError> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return Err(MoneyError::NotDecimal),
        Some(split) => split,
        None => (text, ""),
    };
    let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) {
        return Err(MoneyError::NotDecimal);
    }
    if part.len() > usize::from(decimals) {
        return Err(MoneyError::TooManyDecimals);
    }
    let padding = usize::from(decimals).saturating_sub(part.len());
    let mut digits = whole.bytes().chain(part.bytes()).chain(std::iter::repeat_n(b'0', padding));
    let minor_units = digits
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))));
    Amount::new(minor_units.ok_or(MoneyError::TooLarge)?)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency.code())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text or a number is no amount. Each says what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Something else than digits with an optional decimal part.
    #[error(
        "an amount is a decimal string such as \"12.50\": digits, a point, digits; no sign, space or exponent"
    )]
    NotDecimal,
    /// More decimals than the currency has.
    #[error("more decimals than the currency has")]
    TooManyDecimals,
    /// Past twelve digits of minor units.
    #[error("an amount has at most twelve digits, decimals included")]
    TooLarge,
    /// Zero where something has to be paid.
    #[error("the amount must be more than zero")]
    Zero,
    /// Not an ISO 4217 code that this switch knows.
    #[error("the currency must be an ISO 4217 code in capitals, such as \"EUR\"")]
    UnknownCurrency,
}
