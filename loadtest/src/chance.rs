//! Chance from a seed: the same seed plays the same stories at the same moments for the same amounts.
//!
//! SplitMix64: small, fast, and good enough to draw from a mix. Keys that must be new in every run do not come from here.

/// A stream of chance.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub const fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own, the same for the same name.
    pub fn fork(&self, name: &str) -> Self {
        // FNV-1a, so that one letter makes another stream.
        let named = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(self.0 ^ named)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from just above 0 to 1.
    pub fn unit(&mut self) -> f64 {
        let high = u32::try_from(self.bits() >> 32).unwrap_or(u32::MAX);
        (f64::from(high) + 1.0) / 4_294_967_296.0
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        let span = most.saturating_sub(least).saturating_add(1);
        least.saturating_add(self.bits().checked_rem(span).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_whole_story_and_another_name_another_one() {
        let draw = |mut chance: Chance| (0..8).map(|_| chance.bits()).collect::<Vec<_>>();
        let seed = Chance::of_seed(7);
        assert_eq!(draw(seed.fork("mix")), draw(seed.fork("mix")));
        assert_ne!(draw(seed.fork("mix")), draw(seed.fork("arrivals")));
        let mut chance = seed;
        assert!((0..1_000).all(|_| (3..=9).contains(&chance.between(3, 9))));
        assert!((0..1_000).all(|_| chance.unit() > 0.0 && chance.unit() <= 1.0));
    }
}
