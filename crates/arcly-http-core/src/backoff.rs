//! Waits that grow, and the dice that spread them.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Random numbers for spreading waits; not for secrets. SplitMix64, because its
/// state is one word that threads can share without a lock.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    /// The same seed gives the same numbers.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Seeded by what the standard library keys its hash maps with.
    pub(crate) fn random() -> Self {
        Self::seeded(RandomState::new().hash_one(STEP))
    }

    fn next(&self) -> u64 {
        let mut word = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Some time between nothing and `max`, both included.
    pub(crate) fn up_to(&self, max: Duration) -> Duration {
        let nanos = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(self.next()) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
    }
}

/// A wait that doubles up to a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The longest wait before retry number `retry`, counted from 0.
    pub(crate) fn ceiling(&self, retry: u32) -> Duration {
        let factor = 1_u32.checked_shl(retry).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) };
        let waits: Vec<_> = (0..6).map(|retry| backoff.ceiling(retry).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.ceiling(u32::MAX), backoff.max);
    }

    #[test]
    fn dice_stay_within_bounds_and_reach_both_halves() {
        let dice = Dice::seeded(7);
        let max = Duration::from_millis(10);
        let rolls: Vec<_> = (0..200).map(|_| dice.up_to(max)).collect();
        assert!(rolls.iter().all(|roll| *roll <= max));
        assert!(rolls.iter().filter(|roll| **roll < max / 2).count() > 50);
        assert!(rolls.iter().filter(|roll| **roll > max / 2).count() > 50);
        assert_eq!(Dice::seeded(7).up_to(max), rolls[0]);
        assert_eq!(dice.up_to(Duration::ZERO), Duration::ZERO);
        assert!(dice.up_to(Duration::MAX) > Duration::ZERO);
    }
}
