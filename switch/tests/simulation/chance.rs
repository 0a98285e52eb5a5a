//! Chance that repeats itself: everything random in a simulation is thrown here, from the seed.
use actors::ports::clock::Dice;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A stream of chance (splitmix64). Independent streams are forked by name, so that one more throw in one place does
/// not change what happens in another.
pub struct Chance(Mutex<u64>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(mixed(seed ^ 0x7475_726e_6f75_7421)))
    }

    /// Another stream, the same for the same seed and name.
    pub fn fork(&self, name: &str) -> Self {
        let state = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self::new(name.bytes().fold(state, |hash, byte| mixed(hash ^ u64::from(byte))))
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(*state)
    }

    /// A number of `range`.
    pub fn of(&self, range: Range<u64>) -> u64 {
        range.start + self.next() % range.end.saturating_sub(range.start).max(1)
    }

    /// True so often in a thousand.
    pub fn in_a_thousand(&self, times: u64) -> bool {
        self.of(0..1_000) < times
    }

    pub fn coin(&self) -> bool {
        self.next() & 1 == 1
    }

    pub fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.of(range))
    }

    /// One of these.
    pub fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[usize::try_from(self.of(0..from.len() as u64)).unwrap_or(0)]
    }
}

impl Dice for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let thrown = self.next().to_le_bytes();
            chunk.copy_from_slice(&thrown[..chunk.len()]);
        }
    }
}

fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
