//! The clock of tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::{Clock, Sleep};

/// A clock that only moves when it is told to, and with it whoever waits on it.
///
/// ```
/// use arcly_http_core::time::{Clock, ManualClock};
/// let clock = ManualClock::default();
/// let before = clock.now();
/// clock.advance(std::time::Duration::from_secs(60));
/// assert_eq!((clock.now() - before).num_seconds(), 60);
/// ```
///
/// A test that advances before the other side waits has moved too early; wait for
/// it with [`ManualClock::wait_for_sleepers`].
#[derive(Debug)]
pub struct ManualClock {
    start: DateTime<Utc>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    timers: Mutex<Timers>,
    /// Says that `timers` changed; who is woken looks there.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Timers {
    elapsed: Duration,
    next_id: u64,
    /// Invariant: one entry for each future that is alive and was polled, so that
    /// the map is bounded by the futures themselves. By due time, then by age.
    waiting: BTreeMap<(Duration, u64), Waker>,
}

impl State {
    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Callers hold no lock.
    fn announce(&self) {
        self.changed.send_replace(());
    }
}

impl Default for ManualClock {
    /// Starts now.
    fn default() -> Self {
        Self::at(Utc::now())
    }
}

impl ManualClock {
    /// Starts at a moment.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        let state = State { timers: Mutex::default(), changed: watch::Sender::new(()) };
        Self { start: now, state: Arc::new(state) }
    }

    /// Moves it forward and wakes everybody whose time has come, in the order of
    /// their times. A loop that waits again is woken once for one call, however
    /// far the clock moved.
    pub fn advance(&self, by: Duration) {
        let mut timers = self.state.timers();
        timers.elapsed = timers.elapsed.saturating_add(by);
        // Ids count from one and never get that far.
        let now = (timers.elapsed, u64::MAX);
        let later = timers.waiting.split_off(&now);
        let due = std::mem::replace(&mut timers.waiting, later);
        drop(timers);
        for waker in due.into_values() {
            waker.wake();
        }
        self.state.announce();
    }

    /// Moves it to the moment when the next waiter is due, and says how far that
    /// was; `None` when nobody waits.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let timers = self.state.timers();
        let (at, _) = *timers.waiting.first_key_value()?.0;
        let by = at.saturating_sub(timers.elapsed);
        drop(timers);
        self.advance(by);
        Some(by)
    }

    /// How many wait on it now.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.state.timers().waiting.len()
    }

    /// Resolves as soon as at least `count` wait on it.
    ///
    /// # Cancel safety
    /// It may be dropped at any time.
    pub async fn wait_for_sleepers(&self, count: usize) {
        let mut changes = self.state.changed.subscribe();
        // The sender lives as long as this clock, so that no change is an error.
        while self.sleepers() < count && changes.changed().await.is_ok() {}
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.elapsed()).ok();
        passed
            .and_then(|passed| self.start.checked_add_signed(passed))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn elapsed(&self) -> Duration {
        self.state.timers().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let at = self.elapsed().saturating_add(duration);
        Sleep::new(ManualSleep { state: Arc::clone(&self.state), at, id: None })
    }
}

/// Waits for a moment of a manual clock.
struct ManualSleep {
    state: Arc<State>,
    at: Duration,
    id: Option<u64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = Arc::clone(&self.state);
        let mut timers = state.timers();
        if timers.elapsed >= self.at {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            timers.next_id += 1;
            timers.next_id
        });
        timers.waiting.insert((self.at, id), cx.waker().clone());
        drop(timers);
        state.announce();
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut timers = self.state.timers();
        let removed = timers.waiting.remove(&(self.at, id));
        drop(timers);
        if removed.is_some() {
            self.state.announce();
        }
    }
}
