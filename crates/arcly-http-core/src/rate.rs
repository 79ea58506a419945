//! How often something may be done: quotas, and the port of the stores that count.
//!
//! All stores count by one rule, GCRA (the generic cell rate algorithm): what is
//! used up comes back evenly, and as much as the whole quota may be used at once
//! after a pause. There are no windows at whose borders twice as much gets through.
//! [`Quota::take`] is that rule; a store only keeps one moment a key.

mod local;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use local::LocalRateLimits;

use crate::di::{Key, Token};

/// So much in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    count: u32,
    period: Duration,
}

/// What a quota says of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may go on.
    pub is_admitted: bool,
    /// What is left for now.
    pub remaining: u32,
    /// When the whole quota is there again, if nothing more is used.
    pub reset: Duration,
    /// When the attempt would be admitted; zero if it was.
    pub retry_after: Duration,
}

impl Quota {
    /// `count` in `period`. At least one in a microsecond each; less is taken for
    /// that.
    #[must_use]
    pub const fn new(count: u32, period: Duration) -> Self {
        let count = if count == 0 { 1 } else { count };
        let shortest = Duration::from_micros(count as u64);
        let period = if period.as_nanos() < shortest.as_nanos() { shortest } else { period };
        Self { count, period }
    }

    /// How much.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// In how long.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Uses `cost` of the quota at the moment `now`. `full_at` is when the quota
    /// will have come back whole, as the last attempt left it; what is returned
    /// beside the verdict is to be stored instead. Moments are times since any
    /// fixed point.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcly_http_core::rate::Quota;
    ///
    /// let quota = Quota::new(2, Duration::from_secs(60));
    /// let now = Duration::from_secs(1000);
    /// let (verdict, full_at) = quota.take(Duration::ZERO, now, 2);
    /// assert!(verdict.is_admitted && verdict.remaining == 0);
    /// let (verdict, full_at) = quota.take(full_at, now, 1);
    /// assert_eq!((verdict.is_admitted, verdict.retry_after.as_secs()), (false, 30));
    /// let (verdict, _) = quota.take(full_at, now + Duration::from_secs(30), 1);
    /// assert!(verdict.is_admitted);
    /// ```
    #[must_use]
    pub fn take(&self, full_at: Duration, now: Duration, cost: u32) -> (Verdict, Duration) {
        let each = self.period / self.count;
        let used_before = full_at.saturating_sub(now);
        let used = used_before.saturating_add(each.saturating_mul(cost));
        let is_admitted = used <= self.period;
        let used_now = if is_admitted { used } else { used_before };
        let left = self.period.saturating_sub(used_now);
        // Nanoseconds are rounded down, which may come to a little more than there is.
        let remaining = u32::try_from(left.as_nanos() / each.as_nanos()).unwrap_or(u32::MAX);
        let verdict = Verdict {
            is_admitted,
            remaining: remaining.min(self.count),
            reset: used_now,
            retry_after: used.saturating_sub(self.period),
        };
        (verdict, now.saturating_add(used_now))
    }
}

/// A store could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the store of rate limits cannot be asked")]
pub struct RateLimitError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What asking a store yields.
pub type RateLimitFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Verdict, RateLimitError>> + Send + 'a>>;

/// Counts what is used of quotas: in this process, or for several of them.
///
/// Bind one as `dyn RateLimitStore` in a global module; without one, a
/// [`LocalRateLimits`] counts. When it cannot be asked, requests are refused.
pub trait RateLimitStore: Send + Sync + 'static {
    /// Uses `cost` of the quota of `key`, by the rule of [`Quota::take`], in one
    /// step that no other can come between. `policy` names the limit; keys of
    /// several policies are not the same.
    fn take<'a>(
        &'a self,
        policy: &'a str,
        key: &'a str,
        quota: Quota,
        cost: u32,
    ) -> RateLimitFuture<'a>;
}

pub(crate) const RATE_LIMIT_STORE_KEY: Key = Key::of("dyn arcly_http::RateLimitStore", 0, 0);

impl Token for dyn RateLimitStore {
    const KEY: Key = RATE_LIMIT_STORE_KEY;
}
