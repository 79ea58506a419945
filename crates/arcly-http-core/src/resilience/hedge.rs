//! A second attempt beside one that is slow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::budget::{Budget, BudgetSettings};
use super::builder::Faults;

/// A second attempt beside one that has not answered after some time. The first
/// answer counts, the other attempt is dropped.
///
/// Only for calls that may be done twice. An attempt that fails before its time for
/// a hedge is not hedged: that is what [`super::Retry`] is for. The second attempt
/// takes a place and passes the breaker like any other but never queues; if it is
/// refused or fails, the first one decides.
///
/// Default: a budget of 10 hedges for each 100 calls, and of 10 for the start and
/// for bursts.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing before they are given to a policy"]
pub struct Hedge {
    delay: Duration,
    percentile: Option<u8>,
    budget: BudgetSettings,
}

/// How many attempts the percentile is taken of.
const SAMPLES: usize = 128;
/// How many there have to be before it is used.
const SAMPLES_MIN: usize = 32;

impl Hedge {
    /// The second attempt starts when the first has taken `delay`, at most a day.
    pub const fn after(delay: Duration) -> Self {
        let budget = BudgetSettings { percent: 10, burst: 10 };
        Self { delay, percentile: None, budget }
    }

    /// Starts the second attempt when the first has taken longer than so many percent
    /// (1 to 99) of the last 128 attempts, but not before the `delay` of
    /// [`Hedge::after`], which alone counts until 32 attempts have ended. An attempt
    /// that was dropped counts with the time that it had taken.
    pub const fn percentile(mut self, percent: u8) -> Self {
        self.percentile = Some(percent);
        self
    }

    /// Sets how many hedges all calls together may make: so many for each 100 calls
    /// (at most 1,000), and so many more at once (1 to 1,000,000). Default 10 and 10.
    pub const fn budget(mut self, percent: u32, burst: u32) -> Self {
        self.budget = BudgetSettings { percent, burst };
        self
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        faults.time(self.delay, "hedge: the delay must be 1 ns to a day");
        faults.unless(
            self.percentile.is_none_or(|percent| (1..=99).contains(&percent)),
            "hedge: the percentile must be 1 to 99",
        );
        faults.budget(
            self.budget,
            "hedge: the budget must be 0 to 1,000 %, its burst 1 to 1,000,000",
        );
    }
}

#[derive(Debug)]
pub(super) struct Hedging {
    settings: Hedge,
    pub(super) budget: Budget,
    latest: Mutex<Samples>,
}

#[derive(Debug, Default)]
struct Samples {
    /// At most [`SAMPLES`]; the oldest is at `at` once it is full.
    taken: Vec<Duration>,
    at: usize,
}

impl Hedging {
    pub(super) fn new(settings: Hedge) -> Self {
        let budget = Budget::new(settings.budget);
        Self { settings, budget, latest: Mutex::default() }
    }

    pub(super) fn record(&self, took: Duration) {
        if self.settings.percentile.is_none() {
            return;
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.taken.len() < SAMPLES {
            latest.taken.push(took);
        } else {
            let at = latest.at;
            latest.taken[at] = took;
            latest.at = (at + 1) % SAMPLES;
        }
    }

    pub(super) fn delay(&self) -> Duration {
        let Some(percent) = self.settings.percentile else { return self.settings.delay };
        let mut taken = {
            let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            latest.taken.clone()
        };
        if taken.len() < SAMPLES_MIN {
            return self.settings.delay;
        }
        let at = taken.len() * usize::from(percent) / 100;
        let (_, found, _) = taken.select_nth_unstable(at);
        (*found).max(self.settings.delay)
    }
}
