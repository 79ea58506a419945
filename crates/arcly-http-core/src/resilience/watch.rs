//! What is counted and logged of a policy.

use std::sync::Arc;

use super::{BreakerState, PolicyError};
use crate::observe::{Counter, Counters, Metrics};

/// The metrics of outgoing calls: `outgoing_calls_total` by policy and outcome (`ok`,
/// `failed`, `timed_out`, `deadline`, `open`, `full`, `dropped`),
/// `outgoing_extra_attempts_total` by policy and kind (`retry`, `hedge`), and
/// `outgoing_breaker_changes_total` by policy and state.
///
/// Make one for each application and give it to each policy: a second one would
/// write the same names twice.
#[derive(Debug, Clone)]
pub struct CallMetrics {
    calls: Counters,
    extra: Counters,
    breaker: Counters,
}

impl CallMetrics {
    /// Declares the metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.counters("outgoing_calls", "Outgoing calls", &["policy", "outcome"]),
            extra: metrics.counters(
                "outgoing_extra_attempts",
                "Attempts beyond the first of an outgoing call",
                &["policy", "kind"],
            ),
            breaker: metrics.counters(
                "outgoing_breaker_changes",
                "Changes of circuit breakers, by what they became",
                &["policy", "state"],
            ),
        }
    }
}

/// Name and counters of one policy, looked up beforehand.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    name: Arc<str>,
    counters: Option<Arc<Known>>,
}

#[derive(Debug)]
struct Known {
    outcomes: [Counter; OUTCOMES.len()],
    extra: [Counter; 2],
    breaker: [Counter; 3],
}

const OUTCOMES: [&str; 7] = ["ok", "failed", "timed_out", "deadline", "open", "full", "dropped"];
const DROPPED: usize = 6;

#[derive(Debug, Clone, Copy)]
pub(super) enum Extra {
    Retry,
    Hedge,
}

impl Watch {
    pub(super) fn new(name: &str, metrics: Option<&CallMetrics>) -> Self {
        let known = |metrics: &CallMetrics| Known {
            outcomes: OUTCOMES.map(|outcome| metrics.calls.with(&[name, outcome])),
            extra: ["retry", "hedge"].map(|kind| metrics.extra.with(&[name, kind])),
            breaker: ["closed", "open", "half_open"]
                .map(|state| metrics.breaker.with(&[name, state])),
        };
        Self { name: name.into(), counters: metrics.map(|metrics| Arc::new(known(metrics))) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn extra(&self, kind: Extra) {
        if let Some(known) = &self.counters {
            known.extra[kind as usize].increment();
        }
    }

    pub(super) fn breaker(&self, state: BreakerState) {
        let policy = &*self.name;
        match state {
            BreakerState::Closed => tracing::info!(policy, "the circuit is closed again"),
            BreakerState::Open => tracing::warn!(policy, "the circuit is open: calls are refused"),
            BreakerState::HalfOpen => tracing::info!(policy, "the circuit is probed"),
        }
        if let Some(known) = &self.counters {
            known.breaker[state as usize].increment();
        }
    }

    /// A call that is counted when it ends, in whatever way.
    pub(super) fn call(&self) -> Call<'_> {
        Call { watch: self, outcome: DROPPED }
    }
}

pub(super) struct Call<'a> {
    watch: &'a Watch,
    /// Index into [`OUTCOMES`].
    outcome: usize,
}

impl Call<'_> {
    pub(super) fn end<T, E>(mut self, result: &Result<T, PolicyError<E>>) {
        self.outcome = match result {
            Ok(_) => 0,
            Err(PolicyError::Failed { .. }) => 1,
            Err(PolicyError::TimedOut { .. }) => 2,
            Err(PolicyError::DeadlineExceeded { .. }) => 3,
            Err(PolicyError::Open { .. }) => 4,
            Err(PolicyError::Full { .. }) => 5,
        };
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(known) = &self.watch.counters {
            known.outcomes[self.outcome].increment();
        }
    }
}
