//! Time as a dependency, so that tests can move it.
//!
//! Whoever waits asks the [`Clock`] as well: [`Clock::sleep`],
//! [`timeout`](trait.Clock.html#method.timeout) and deadlines follow the clock that
//! is injected, so that a test moves an hour in no time.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use arcly_http_core::time::{Clock, ManualClock};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let manual = Arc::new(ManualClock::default());
//! let clock: Arc<dyn Clock> = manual.clone();
//! let work = clock.timeout(Duration::from_secs(3600), std::future::pending::<()>());
//! let hour = async {
//!     manual.wait_for_sleepers(1).await;
//!     manual.advance(Duration::from_secs(3600));
//! };
//! let (result, ()) = tokio::join!(work, hour);
//! assert!(result.is_err());
//! # });
//! ```

mod budget;
mod manual;

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::di::{Instance, Key, Place, Provide, ProviderMeta, ProviderScope, Token};

pub use budget::{Budget, remaining};
pub use manual::ManualClock;

/// Tells the time and waits. Inject it as `Inject<dyn Clock>`.
///
/// The graph has one when a module lists it, so that a test can replace it:
/// `#[module(global, providers(SystemClock as dyn Clock), exports(dyn Clock))]`.
pub trait Clock: Send + Sync + 'static {
    /// Now, for people and for what is stored.
    fn now(&self) -> DateTime<Utc>;

    /// Time since a moment that stays the same while the process runs. Unlike
    /// [`Clock::now`] it never goes back when somebody sets the clock.
    fn elapsed(&self) -> Duration;

    /// Resolves when `duration` has passed on this clock.
    ///
    /// # Cancel safety
    /// Dropping it forgets it; nothing is left behind.
    fn sleep(&self, duration: Duration) -> Sleep;
}

impl Token for dyn Clock {
    const KEY: Key = CLOCK_KEY;
}

/// The key of `dyn Clock`; the proof says where a clock comes from.
pub(crate) const CLOCK_KEY: Key = Key::of("dyn arcly_http::Clock", 0, 0);

impl dyn Clock {
    /// Runs `work` for at most `limit`. Work that is done at its first poll needs
    /// no timer.
    ///
    /// # Errors
    /// [`TimedOut`] when the time is over first; the work is dropped then.
    ///
    /// # Cancel safety
    /// Dropping it drops the work.
    pub async fn timeout<F: Future>(
        &self,
        limit: Duration,
        work: F,
    ) -> Result<F::Output, TimedOut> {
        let mut work = pin!(work);
        if let Poll::Ready(output) =
            std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await
        {
            return Ok(output);
        }
        let mut timer = self.sleep(limit);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut timer).poll(cx).map(|()| Err(TimedOut))
        })
        .await
    }

    /// A deadline `limit` from now.
    #[must_use]
    pub fn deadline(&self, limit: Duration) -> Deadline {
        Deadline(self.elapsed().saturating_add(limit))
    }

    /// What is left until a deadline; zero when it has passed.
    #[must_use]
    pub fn remaining(&self, deadline: Deadline) -> Duration {
        deadline.0.saturating_sub(self.elapsed())
    }

    /// Runs `work` until a deadline, as [`timeout`](#method.timeout) does.
    ///
    /// # Errors
    /// [`TimedOut`] when the deadline passes first.
    ///
    /// # Cancel safety
    /// Dropping it drops the work.
    pub async fn timeout_at<F: Future>(
        &self,
        deadline: Deadline,
        work: F,
    ) -> Result<F::Output, TimedOut> {
        self.timeout(self.remaining(deadline), work).await
    }
}

/// A moment by which something has to be done, on the clock that made it.
/// Setting the system's clock does not move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Duration);

/// The time was over before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not done in time")]
pub struct TimedOut;

/// Resolves when its time has come.
#[must_use = "nothing waits before it is awaited"]
pub struct Sleep(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Sleep {
    /// For clocks of your own: `timer` resolves when the time has come, and
    /// leaves nothing behind when it is dropped.
    pub fn new(timer: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(timer))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleep(..)")
    }
}

/// The system's clock. It waits by tokio's timers, in steps of a millisecond;
/// awaiting a wait outside a tokio runtime panics.
///
/// A provider: list it as `SystemClock as dyn Clock`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Token for SystemClock {
    const KEY: Key = Key::of("arcly_http::time::SystemClock", 0, 0);
}

impl Provide for SystemClock {
    type Output = Self;
    const PROVIDER: &'static ProviderMeta = &ProviderMeta {
        key: <Self as Token>::KEY,
        scope: ProviderScope::Singleton,
        place: Place { file: file!(), line: line!() },
        deps: &[],
        build: |_| Box::pin(async { Ok(Instance::new(Arc::new(Self))) }),
        hooks: || None,
        config: None,
    };
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn elapsed(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        // Inside, so that the timer is made where it is awaited.
        Sleep::new(async move { tokio::time::sleep(duration).await })
    }
}

#[cfg(test)]
mod tests;
