//! Putting a policy together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::breaker::Breaker;
use super::budget::{Budget, BudgetSettings};
use super::bulkhead::Places;
use super::hedge::Hedging;
use super::watch::Watch;
use super::{
    Bulkhead, CallMetrics, CircuitBreaker, Classify, Hedge, Inner, Policy, Retry, Verdict,
};
use crate::backoff::Dice;

const DAY: Duration = Duration::from_secs(60 * 60 * 24);
const DEADLINE: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Puts a [`Policy`] together. The order of the calls does not matter.
#[must_use = "a policy is made by `build`"]
pub struct PolicyBuilder<E> {
    name: String,
    deadline: Duration,
    timeout: Option<Duration>,
    retry: Option<Retry>,
    hedge: Option<Hedge>,
    bulkhead: Option<Bulkhead>,
    breaker: Option<CircuitBreaker>,
    classify: Option<Classify<E>>,
    seed: Option<u64>,
    metrics: Option<CallMetrics>,
}

impl<E> fmt::Debug for PolicyBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyBuilder({:?})", self.name)
    }
}

impl<E> PolicyBuilder<E> {
    pub(super) fn new() -> Self {
        Self {
            name: "unnamed".to_owned(),
            deadline: DEADLINE,
            timeout: None,
            retry: None,
            hedge: None,
            bulkhead: None,
            breaker: None,
            classify: None,
            seed: None,
            metrics: None,
        }
    }

    /// What the dependency is called in logs and metrics. Default `unnamed`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long a whole call may take, retries and waits included; at most a day.
    /// Default 30 s.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// How long one attempt may take, without its time in the queue; not longer than
    /// the deadline. Default 10 s, or the deadline if that is shorter.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Says what errors mean. Default: each is a [`Verdict::Fail`], and none is tried
    /// again.
    pub fn classify(mut self, ask: impl Fn(&E) -> Verdict + Send + Sync + 'static) -> Self {
        self.classify = Some(Arc::new(ask));
        self
    }

    /// Tries again. Default: not.
    pub fn retry(mut self, settings: Retry) -> Self {
        self.retry = Some(settings);
        self
    }

    /// Starts a second attempt beside a slow one. Default: not.
    pub fn hedge(mut self, settings: Hedge) -> Self {
        self.hedge = Some(settings);
        self
    }

    /// Limits how many attempts run at a time. Default: not.
    pub fn bulkhead(mut self, settings: Bulkhead) -> Self {
        self.bulkhead = Some(settings);
        self
    }

    /// Refuses calls while too many fail. Default: not.
    pub fn breaker(mut self, settings: CircuitBreaker) -> Self {
        self.breaker = Some(settings);
        self
    }

    /// Counts calls. Default: not.
    pub fn metrics(mut self, metrics: &CallMetrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Makes the waits of retries the same in every run, for tests. Default: by
    /// chance.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Makes the policy.
    ///
    /// # Errors
    /// [`InvalidPolicy`], which names every setting that is out of range or would
    /// have no effect.
    pub fn build(self) -> Result<Policy<E>, InvalidPolicy> {
        let mut faults = Faults::default();
        faults.time(self.deadline, "deadline: it must be 1 ns to a day");
        let timeout = self.timeout.unwrap_or(TIMEOUT.min(self.deadline));
        faults.unless(
            !timeout.is_zero() && timeout <= self.deadline,
            "timeout: it must be 1 ns to the deadline, which is 30 s unless you set it",
        );
        if let Some(retry) = &self.retry {
            retry.check(&mut faults);
            faults.unless(
                self.classify.is_some() || retry.after_timeout,
                "retry: nothing would be tried again; say by `classify` which errors may be",
            );
        }
        if let Some(hedge) = &self.hedge {
            hedge.check(&mut faults);
            faults.unless(
                hedge.delay() < timeout,
                "hedge: the delay must be shorter than the timeout of an attempt",
            );
        }
        if let Some(bulkhead) = &self.bulkhead {
            bulkhead.check(&mut faults);
        }
        if let Some(breaker) = &self.breaker {
            breaker.check(&mut faults);
        }
        if !faults.0.is_empty() {
            return Err(InvalidPolicy { name: self.name, faults: faults.0 });
        }
        let watch = Watch::new(&self.name, self.metrics.as_ref());
        Ok(Policy(Arc::new(Inner {
            deadline: self.deadline,
            timeout,
            retry: self.retry.map(|retry| {
                let budget = Budget::new(retry.budget);
                (retry, budget)
            }),
            hedging: self.hedge.map(Hedging::new),
            places: self.bulkhead.map(Places::new),
            breaker: self.breaker.map(|settings| Breaker::new(settings, watch.clone())),
            classify: self.classify,
            dice: self.seed.map_or_else(Dice::random, Dice::seeded),
            watch,
        })))
    }
}

/// Settings that a policy cannot have, all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy `{name}` is not valid: {}", faults.join("; "))]
pub struct InvalidPolicy {
    name: String,
    faults: Vec<&'static str>,
}

impl InvalidPolicy {
    /// What is wrong, a setting each.
    #[must_use]
    pub fn faults(&self) -> &[&'static str] {
        &self.faults
    }
}

#[derive(Default)]
pub(super) struct Faults(Vec<&'static str>);

impl Faults {
    pub(super) fn unless(&mut self, is_fine: bool, fault: &'static str) {
        if !is_fine {
            self.0.push(fault);
        }
    }

    /// Some time, but not so much that adding it to the present leaves the clock.
    pub(super) fn time(&mut self, time: Duration, fault: &'static str) {
        self.unless(!time.is_zero() && time <= DAY, fault);
    }

    pub(super) fn budget(&mut self, budget: BudgetSettings, fault: &'static str) {
        self.unless(budget.percent <= 1000 && (1..=1_000_000).contains(&budget.burst), fault);
    }
}
