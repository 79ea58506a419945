//! When a call is tried again.

use std::time::Duration;

use super::budget::BudgetSettings;
use super::builder::Faults;
use crate::backoff::Backoff;

/// When a call that failed is tried again.
///
/// Only an error that [`super::PolicyBuilder::classify`] calls
/// [`super::Verdict::Retry`] or `RetryAfter` is tried again; a refusal by breaker or
/// bulkhead never is, nor is a wait begun that would end after the deadline.
///
/// Default: 3 attempts in all; waits by chance between nothing and 100 ms, then
/// twice as much each time, up to 5 s ("full jitter"); a budget of 20 retries for
/// each 100 calls, and of 10 for the start and for bursts.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing before they are given to a policy"]
pub struct Retry {
    pub(super) attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) budget: BudgetSettings,
    pub(super) after_timeout: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl Retry {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) },
            budget: BudgetSettings { percent: 20, burst: 10 },
            after_timeout: false,
        }
    }

    /// Most attempts of one call, the first included: 1 to 100. Default 3.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the longest first wait and the longest of all, at most a day. Default
    /// 100 ms and 5 s.
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff { first, max: longest };
        self
    }

    /// Sets how many retries all calls together may make: so many for each 100 calls
    /// (at most 1,000), and so many more at once (1 to 1,000,000). Default 20 and 10.
    pub const fn budget(mut self, percent: u32, burst: u32) -> Self {
        self.budget = BudgetSettings { percent, burst };
        self
    }

    /// Tries again after an attempt that timed out as well. Only for calls that may
    /// be done twice: the attempt may have done its work.
    pub const fn after_timeout(mut self) -> Self {
        self.after_timeout = true;
        self
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        faults.unless((1..=100).contains(&self.attempts), "retry: attempts must be 1 to 100");
        faults.time(self.backoff.max, "retry: the longest wait must be 1 ns to a day");
        faults.unless(
            self.backoff.first <= self.backoff.max,
            "retry: the first wait must not be longer than the longest",
        );
        faults.budget(
            self.budget,
            "retry: the budget must be 0 to 1,000 %, its burst 1 to 1,000,000",
        );
    }
}
