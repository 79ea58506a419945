//! When a task is started again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::{Backoff, Dice};

/// When a task that ended is started again, how soon, and how often.
///
/// Default: after 100 ms, then twice as long each time, up to 30 s; some of it by
/// chance, so that many tasks do not come back in step. More than 5 restarts within
/// a minute end the task for good, which is logged as an error. The wait begins anew
/// when the restarts are further back than that minute.
#[derive(Debug, Clone)]
#[must_use = "a policy does nothing before it is given to `Tasks::supervise`"]
pub struct Restart {
    when: When,
    backoff: Backoff,
    max: usize,
    within: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Never,
    OnFailure,
    Always,
}

/// Most restarts that are remembered.
const RESTARTS_MAX: usize = 1000;

impl Restart {
    const fn when(when: When) -> Self {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(30) };
        Self { when, backoff, max: 5, within: Duration::from_secs(60) }
    }

    /// The task runs once.
    pub const fn never() -> Self {
        Self::when(When::Never)
    }

    /// It is started again when it gave an error or panicked.
    pub const fn on_failure() -> Self {
        Self::when(When::OnFailure)
    }

    /// It is started again however it ended, unless it was asked to stop.
    pub const fn always() -> Self {
        Self::when(When::Always)
    }

    /// Sets the first wait and the longest. The actual one lies between half of it
    /// and the whole.
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff { first, max: longest };
        self
    }

    /// Sets how many restarts there may be within some time; at most 1,000.
    pub const fn max(mut self, restarts: usize, within: Duration) -> Self {
        self.max = if restarts < RESTARTS_MAX { restarts } else { RESTARTS_MAX };
        self.within = within;
        self
    }

    /// Whether a task that ended in this way should be started again at all.
    pub(super) fn wants(&self, is_fault: bool) -> bool {
        match self.when {
            When::Never => false,
            When::OnFailure => is_fault,
            When::Always => true,
        }
    }

    /// The wait before the next restart, or `None` when there were too many.
    /// `earlier` are the restarts so far.
    pub(super) fn next(&self, earlier: &mut VecDeque<Instant>, dice: &Dice) -> Option<Duration> {
        let now = Instant::now();
        while earlier.front().is_some_and(|first| now.duration_since(*first) > self.within) {
            earlier.pop_front();
        }
        if earlier.len() >= self.max {
            return None;
        }
        let ceiling = self.backoff.ceiling(u32::try_from(earlier.len()).unwrap_or(u32::MAX));
        earlier.push_back(now);
        Some(ceiling / 2 + dice.up_to(ceiling / 2))
    }
}
