//! Which message a message is: the trace by which a repeat is a repeat and a reversal finds its original.
//!
//! ISO 8583:1987 names a terminal's message by its class, its trace number (DE 11) and its day (DE 7), UnionPay by its batch
//! (DE 60.2) instead of the day. The payment's key is made of these and of nothing else, so that a repeat, a reversal (DE 90, 61)
//! and our own retrieval reference (DE 37) all lead to the same payment without a look-up that could be lost:
//! docs/decisions/0006-iso8583-edge.md.
use actors::domain::identity::{Keeper, PaymentId, PaymentKey, TerminalId};
use sha2::{Digest, Sha256};

/// Crockford's alphabet in upper case, as a reference number is printed.
const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// A reference has so many bits: twelve digits of five.
const REFERENCE_BITS: u32 = 60;
/// Bits that name a message of a day, and one of a batch; the rest tell whether a reference is one of ours.
const NAME_BITS: (u32, u32) = (31, 42);
const STAN_MAX: u32 = 999_999;

/// Whether a message asks for an authorization or moves money (the MTI's second digit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 01xx
    Authorization,
    /// 02xx
    Financial,
}

/// A day of some year, as DE 7 and DE 13 write it: MMDD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    month: u8,
    day: u8,
}

/// Within what a terminal counts its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A day.
    Day(Day),
    /// A batch, until the terminal settles: six digits.
    Batch(u32),
}

/// Which message of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trace {
    class: Class,
    stan: u32,
    period: Period,
}

impl Class {
    /// The class that an MTI's second digit names; `None` for what is neither.
    pub const fn of_digit(digit: u8) -> Option<Self> {
        match digit {
            b'1' => Some(Self::Authorization),
            b'2' => Some(Self::Financial),
            _ => None,
        }
    }

    const fn digit(self) -> char {
        match self {
            Self::Authorization => '1',
            Self::Financial => '2',
        }
    }
}

impl Day {
    /// The day that `mmdd`, for example 1122, names; `None` for 0230 and the like.
    pub fn of_mmdd(mmdd: u32) -> Option<Self> {
        let (month, day) = (u8::try_from(mmdd / 100).ok()?, u8::try_from(mmdd % 100).ok()?);
        let longest = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=longest).contains(&day).then_some(Self { month, day })
    }

    /// As four digits.
    pub const fn mmdd(self) -> u16 {
        // Two small numbers: at most 1231.
        u16::from_be_bytes([0, self.month])
            .saturating_mul(100)
            .saturating_add(u16::from_be_bytes([0, self.day]))
    }

    /// A number below 2^9: twelve months of 32 days.
    fn bits(self) -> u64 {
        u64::from(self.month).saturating_sub(1).saturating_mul(32).saturating_add(u64::from(self.day))
    }

    fn of_bits(bits: u64) -> Option<Self> {
        let (month, day) = (u32::try_from(bits / 32).ok()?.checked_add(1)?, u32::try_from(bits % 32).ok()?);
        Self::of_mmdd(month.checked_mul(100)?.checked_add(day)?)
    }
}

impl Trace {
    /// The message of this class with this trace number in this period; `None` if a number has more than six digits.
    pub fn new(class: Class, stan: u32, period: Period) -> Option<Self> {
        let is_batch_short = !matches!(period, Period::Batch(number) if number > STAN_MAX);
        (stan <= STAN_MAX && is_batch_short).then_some(Self { class, stan, period })
    }

    /// Its class.
    pub const fn class(self) -> Class {
        self.class
    }

    /// Its trace number (DE 11), at most six digits.
    pub const fn stan(self) -> u32 {
        self.stan
    }

    /// Within what it was counted.
    pub const fn period(self) -> Period {
        self.period
    }

    /// The payment's key: the same for every repeat.
    pub fn key(self) -> Option<PaymentKey> {
        let (class, stan) = (self.class.digit(), self.stan);
        let text = match self.period {
            Period::Day(day) => format!("iso-{class}-{stan:06}-{:04}", day.mmdd()),
            Period::Batch(batch) => format!("iso-{class}-{stan:06}-b{batch:06}"),
        };
        PaymentKey::new(&text).ok()
    }

    /// The payment that `terminal` asks for with this message.
    pub fn payment(self, terminal: TerminalId) -> Option<PaymentId> {
        self.key().map(|key| PaymentId::derive(&Keeper::Terminal(terminal), &key))
    }

    /// Our retrieval reference (DE 37) for this message of `terminal`: twelve letters and digits that lead back to it.
    pub fn reference(self, terminal: TerminalId) -> [u8; 12] {
        let class = match self.class {
            Class::Authorization => 0,
            Class::Financial => 1,
        };
        let stan = u64::from(self.stan);
        let (name, bits) = match self.period {
            Period::Day(day) => ((class << 29) | (day.bits() << 20) | stan, NAME_BITS.0),
            Period::Batch(batch) => {
                ((1 << 41) | (class << 40) | (u64::from(batch) << 20) | stan, NAME_BITS.1)
            }
        };
        let seal_bits = REFERENCE_BITS.saturating_sub(bits);
        digits((u128::from(name) << seal_bits) | u128::from(seal(terminal, name, seal_bits)))
    }

    /// The message that one of our references names; `None` if it is not ours, or not for this terminal.
    pub fn of_reference(reference: &[u8], terminal: TerminalId) -> Option<Self> {
        if reference.len() != 12 {
            return None;
        }
        let bits = reference.iter().try_fold(0_u64, |bits, byte| {
            let value = BASE32.iter().position(|digit| digit == byte)?;
            Some((bits << 5) | u64::try_from(value).ok()?)
        })?;
        let is_batch = bits >> REFERENCE_BITS.saturating_sub(1) == 1;
        let name_bits = if is_batch { NAME_BITS.1 } else { NAME_BITS.0 };
        let seal_bits = REFERENCE_BITS.saturating_sub(name_bits);
        let name = bits >> seal_bits;
        if low(bits, seal_bits) != seal(terminal, name, seal_bits) {
            return None;
        }
        let stan = u32::try_from(low(name, 20)).ok()?;
        let (is_financial, period) = if is_batch {
            (low(name >> 40, 1) == 1, Period::Batch(u32::try_from(low(name >> 20, 20)).ok()?))
        } else {
            (low(name >> 29, 1) == 1, Period::Day(Day::of_bits(low(name >> 20, 9))?))
        };
        Self::new(if is_financial { Class::Financial } else { Class::Authorization }, stan, period)
    }
}

const fn low(bits: u64, count: u32) -> u64 {
    bits & ((1 << count) - 1)
}

/// Bits that only the terminal's own reference has.
fn seal(terminal: TerminalId, name: u64, bits: u32) -> u64 {
    let text = terminal.as_str();
    let digest =
        Sha256::new().chain_update(text).chain_update([0]).chain_update(name.to_be_bytes()).finalize();
    low(digest.iter().take(4).fold(0, |all, byte| (all << 8) | u64::from(*byte)), bits)
}

/// The approval code (DE 38) of a payment: six letters and digits, always the same.
pub fn approval_code(payment: PaymentId) -> [u8; 6] {
    digits(payment.bits())
}

fn digits<const N: usize>(bits: u128) -> [u8; N] {
    let mut digits = [b'0'; N];
    let mut rest = bits;
    for digit in digits.iter_mut().rev() {
        *digit = usize::try_from(rest & 31).ok().and_then(|at| BASE32.get(at)).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    digits
}
