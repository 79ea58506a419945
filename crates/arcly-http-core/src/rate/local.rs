//! Rate limits of one process.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Quota, RateLimitFuture, RateLimitStore, Verdict};
use crate::time::Clock;

/// So that requests seldom wait for each other.
const SHARDS: usize = 16;

/// Counts in this process, for a bounded number of keys. When there are more, the
/// ones that come last share one quota a policy until others have recovered, so
/// that a client with many addresses neither fills the memory nor gets past.
pub struct LocalRateLimits {
    clock: Arc<dyn Clock>,
    /// Its seed is random, so that nobody can choose keys that collide.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    shard_max: usize,
}

#[derive(Default)]
struct Shard {
    /// When the quota of a key is whole again.
    full_at: HashMap<u64, Duration>,
    /// Before this moment another look for what has recovered is in vain.
    swept: Duration,
}

/// How often a full shard is swept.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl fmt::Debug for LocalRateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalRateLimits(at most {} keys)", self.shard_max * SHARDS)
    }
}

impl LocalRateLimits {
    /// Counts for 65,536 keys, which take about 2 MiB.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_keys_max(clock, 65_536)
    }

    /// Counts for about `keys_max` keys.
    #[must_use]
    pub fn with_keys_max(clock: Arc<dyn Clock>, keys_max: usize) -> Self {
        Self {
            clock,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            shard_max: keys_max.div_ceil(SHARDS).max(1),
        }
    }

    fn decide(&self, policy: &str, key: &str, quota: Quota, cost: u32) -> Verdict {
        let now = self.clock.elapsed();
        let own = self.hasher.hash_one((policy, key));
        // The low bits choose the bucket of the map.
        let shard = &self.shards[(own >> 32) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = if shard.has_room(own, now, self.shard_max) {
            own
        } else {
            self.hasher.hash_one((policy, "", "more"))
        };
        let entry = shard.full_at.entry(slot).or_default();
        let (verdict, full_at) = quota.take(*entry, now, cost);
        *entry = full_at;
        verdict
    }
}

impl Shard {
    fn has_room(&mut self, key: u64, now: Duration, max: usize) -> bool {
        if self.full_at.len() < max || self.full_at.contains_key(&key) {
            return true;
        }
        if now >= self.swept {
            self.swept = now + SWEEP_EVERY;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        self.full_at.len() < max
    }
}

impl RateLimitStore for LocalRateLimits {
    fn take<'a>(
        &'a self,
        policy: &'a str,
        key: &'a str,
        quota: Quota,
        cost: u32,
    ) -> RateLimitFuture<'a> {
        let verdict = self.decide(policy, key, quota, cost);
        Box::pin(std::future::ready(Ok(verdict)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    const QUOTA: Quota = Quota::new(3, Duration::from_secs(60));

    #[test]
    fn what_is_used_comes_back_evenly() {
        let clock = Arc::new(ManualClock::default());
        let limits = LocalRateLimits::new(clock.clone());
        let take = |key| limits.decide("p", key, QUOTA, 1);
        assert_eq!([take("a").remaining, take("a").remaining, take("a").remaining], [2, 1, 0]);
        let refused = take("a");
        assert!(!refused.is_admitted);
        assert_eq!((refused.retry_after.as_secs(), refused.reset.as_secs()), (20, 60));
        assert!(take("b").is_admitted && limits.decide("q", "a", QUOTA, 3).is_admitted);
        clock.advance(Duration::from_secs(20));
        assert!(take("a").is_admitted);
        assert!(!take("a").is_admitted);
    }

    #[test]
    fn a_refused_attempt_uses_nothing() {
        let clock = Arc::new(ManualClock::default());
        let limits = LocalRateLimits::new(clock);
        assert!(!limits.decide("p", "a", QUOTA, 4).is_admitted);
        assert_eq!(limits.decide("p", "a", QUOTA, 3).remaining, 0);
    }

    #[test]
    fn keys_are_bounded_and_more_of_them_share_a_quota() {
        let clock = Arc::new(ManualClock::default());
        let limits = LocalRateLimits::with_keys_max(clock.clone(), SHARDS);
        let take = |number: u32| limits.decide("p", &number.to_string(), QUOTA, 3).is_admitted;
        let admitted = (0..10_000).filter(|number| take(*number)).count();
        // One key and one shared quota a shard.
        assert_eq!(admitted, 2 * SHARDS);
        let kept: usize =
            limits.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum();
        assert_eq!(kept, 2 * SHARDS);
        clock.advance(Duration::from_secs(60));
        assert!(take(20_000));
    }
}
