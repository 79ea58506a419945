//! How many calls run at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::builder::Faults;

/// How many attempts run at a time, and how many wait for a place, first come first
/// served. One more is refused ([`super::PolicyError::Full`]).
///
/// Default: as many wait as may run, for at most a second.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing before they are given to a policy"]
pub struct Bulkhead {
    running_max: usize,
    waiting_max: usize,
    wait_max: Duration,
}

impl Bulkhead {
    /// At most `running` attempts at a time, 1 to 1,000,000.
    pub const fn new(running: usize) -> Self {
        Self { running_max: running, waiting_max: running, wait_max: Duration::from_secs(1) }
    }

    /// Sets how many wait for a place (0 to 1,000,000) and how long (at most a day).
    pub const fn queue(mut self, waiting: usize, wait_max: Duration) -> Self {
        self.waiting_max = waiting;
        self.wait_max = wait_max;
        self
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        let range = 1..=1_000_000;
        faults.unless(range.contains(&self.running_max), "bulkhead: 1 to 1,000,000 may run");
        faults.unless(self.waiting_max <= 1_000_000, "bulkhead: at most 1,000,000 may wait");
        faults.time(self.wait_max, "bulkhead: the longest wait must be 1 ns to a day");
    }
}

#[derive(Debug)]
pub(super) struct Places {
    settings: Bulkhead,
    free: Semaphore,
    waiting: AtomicUsize,
}

/// One of those that wait, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Places {
    pub(super) fn new(settings: Bulkhead) -> Self {
        let free = Semaphore::new(settings.running_max);
        Self { settings, free, waiting: AtomicUsize::new(0) }
    }

    /// A place, until it is dropped; or how long it was waited for in vain.
    pub(super) async fn enter(&self, may_wait: bool) -> Result<SemaphorePermit<'_>, Duration> {
        if let Ok(place) = self.free.try_acquire() {
            return Ok(place);
        }
        let one_more = |now: usize| (now < self.settings.waiting_max).then_some(now + 1);
        if !may_wait
            || self.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_err()
        {
            return Err(Duration::ZERO);
        }
        let _waiting = Waiting(&self.waiting);
        match timeout(self.settings.wait_max, self.free.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(self.settings.wait_max),
        }
    }

    pub(super) fn running(&self) -> usize {
        self.settings.running_max - self.free.available_permits()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}
