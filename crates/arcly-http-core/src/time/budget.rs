//! The time that a unit of work has.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Clock, Deadline, Sleep};

thread_local! {
    static CURRENT: RefCell<Option<Budget>> = const { RefCell::new(None) };
}

/// A deadline and the clock that it is on. Code below a handler asks for the one
/// of its caller by [`Budget::current`] or [`remaining`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use arcly_http_core::time::{Budget, ManualClock, remaining};
///
/// let clock = Arc::new(ManualClock::default());
/// let budget = Budget::new(clock.clone(), Duration::from_secs(5));
/// clock.advance(Duration::from_secs(2));
/// // What a client of another service sends along, or a database stops after.
/// assert_eq!(budget.enter(remaining), Some(Duration::from_secs(3)));
/// assert_eq!(remaining(), None);
/// ```
#[derive(Clone)]
pub struct Budget {
    clock: Arc<dyn Clock>,
    deadline: Deadline,
}

impl Budget {
    /// `limit` from now.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limit: Duration) -> Self {
        let begun = clock.elapsed();
        Self::since(clock, begun, limit)
    }

    /// `limit` from a moment that [`Clock::elapsed`] told before.
    #[must_use]
    pub fn since(clock: Arc<dyn Clock>, begun: Duration, limit: Duration) -> Self {
        Self { clock, deadline: Deadline(begun.saturating_add(limit)) }
    }

    /// The budget of the work that calls this, if it has one: a handler, its
    /// arguments, guards and interceptors, and whatever they call or await. Other
    /// tasks and threads do not inherit it.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// The moment at which it is used up, on the clock that it was made with.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// What is left; zero when it is used up.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.clock.remaining(self.deadline)
    }

    /// Resolves when it is used up.
    ///
    /// # Cancel safety
    /// Dropping it forgets it; nothing is left behind.
    pub fn sleep(&self) -> Sleep {
        self.clock.sleep(self.remaining())
    }

    /// Runs something that sees this budget as the current one. Of a future, that
    /// is every single poll.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _outer = Outer(replace(Some(self.clone())));
        work()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({:?} left)", self.remaining())
    }
}

/// What is left of the time of the work that calls this; `None` when nothing limits
/// it. See [`Budget::current`].
#[must_use]
pub fn remaining() -> Option<Duration> {
    Budget::current().map(|budget| budget.remaining())
}

fn replace(budget: Option<Budget>) -> Option<Budget> {
    CURRENT.try_with(|current| current.replace(budget)).ok().flatten()
}

/// Becomes the current budget again when it is dropped, after a panic as well.
struct Outer(Option<Budget>);

impl Drop for Outer {
    fn drop(&mut self) {
        replace(self.0.take());
    }
}
