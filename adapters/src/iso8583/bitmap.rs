//! Which fields are there: bit 1 is the first on the wire, so field n is bit 128 - n of the number.
//!
//! Bit 1 itself says that a second map of 64 follows; it is no field and is never kept here.

/// A set of the fields 2 to 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bitmap(u128);

const EXTENDED: u128 = 1 << 127;
const SECOND_HALF: u128 = (1 << 64) - 1;

impl Bitmap {
    /// No field.
    pub const EMPTY: Self = Self(0);

    /// Of the two maps as they stand on the wire, the second zero where there is none.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits & !EXTENDED)
    }

    /// As they stand on the wire, bit 1 set if the second map is needed.
    pub const fn bits(self) -> u128 {
        if self.is_extended() { self.0 | EXTENDED } else { self.0 }
    }

    /// Whether there is a field above 64.
    pub const fn is_extended(self) -> bool {
        self.0 & SECOND_HALF != 0
    }

    /// Whether field `n` is there.
    pub const fn has(self, n: u8) -> bool {
        self.0 & Self::bit(n) != 0
    }

    /// With field `n`; anything outside 2 to 128 changes nothing.
    #[must_use]
    pub const fn with(self, n: u8) -> Self {
        Self(self.0 | Self::bit(n))
    }

    /// Without field `n`.
    #[must_use]
    pub const fn without(self, n: u8) -> Self {
        Self(self.0 & !Self::bit(n))
    }

    /// How many fields.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields' numbers, ascending.
    pub const fn iter(self) -> Numbers {
        Numbers(self)
    }

    /// The highest field.
    pub fn last(self) -> Option<u8> {
        128_u32.checked_sub(self.0.trailing_zeros()).and_then(|n| u8::try_from(n).ok()).filter(|n| *n > 0)
    }

    const fn bit(n: u8) -> u128 {
        if n >= 2 && n <= 128 { 1 << (128 - n) } else { 0 }
    }
}

/// The numbers of a bitmap's fields, ascending.
#[derive(Clone, Debug)]
pub struct Numbers(Bitmap);

impl Iterator for Numbers {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.0.is_empty() {
            return None;
        }
        let n = u8::try_from(self.0.0.leading_zeros()).unwrap_or(0) + 1;
        self.0 = self.0.without(n);
        Some(n)
    }
}

impl IntoIterator for Bitmap {
    type Item = u8;
    type IntoIter = Numbers;

    fn into_iter(self) -> Numbers {
        Numbers(self)
    }
}

impl FromIterator<u8> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u8>>(fields: I) -> Self {
        fields.into_iter().fold(Self::EMPTY, Self::with)
    }
}
