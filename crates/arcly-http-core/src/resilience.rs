//! Calling what may be slow, broken or gone, without becoming so oneself.
//!
//! A [`Policy`] goes around every call to one dependency. It is made once, shared by
//! all callers (a provider's field, or a provider), and remembers how the calls
//! before went. From the outside in:
//!
//! | stage | does | default |
//! |---|---|---|
//! | deadline | ends the whole call, retries and waits included | 30 s |
//! | [`Retry`] | tries again what may be tried again | off |
//! | [`Hedge`] | a second attempt beside a slow one | off |
//! | [`Bulkhead`] | so many attempts at a time, a bounded queue | off |
//! | [`CircuitBreaker`] | refuses while too many fail | off |
//! | timeout | ends one attempt | 10 s |
//!
//! The order is fixed, because others go wrong: a retry outside the bulkhead gives
//! its place back while it waits; a breaker inside the bulkhead and inside the retry
//! counts attempts that were made, not calls that were queued or refused, and no
//! probe of it waits in a queue. An open breaker refuses before the queue as well.
//!
//! Time is tokio's, so that tests pause it; chance can be seeded.
//!
//! **Cancel safety.** A call may be dropped at any `await`: the attempt is dropped
//! with it, its place and its probe are free again at once, and the breaker counts it
//! as [`Dropped`] says. What a dropped or timed out attempt asked for may have been
//! done nevertheless: that is for the dependency to say.
//!
//! ```
//! use std::time::Duration;
//! use arcly_http_core::resilience::{Bulkhead, CircuitBreaker, Policy, PolicyError, Retry, Verdict};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let policy = Policy::builder()
//!     .name("payments")
//!     .timeout(Duration::from_secs(2))
//!     .classify(|error: &std::io::Error| match error.kind() {
//!         std::io::ErrorKind::ConnectionRefused => Verdict::Retry, // nothing was sent
//!         std::io::ErrorKind::NotFound => Verdict::Answer, // it works, and says no
//!         _ => Verdict::Fail,
//!     })
//!     .retry(Retry::new().attempts(4))
//!     .bulkhead(Bulkhead::new(64))
//!     .breaker(CircuitBreaker::new())
//!     .build()?;
//!
//! let paid = policy.call(|| async { Ok("paid") }).await;
//! assert_eq!(paid.unwrap(), "paid");
//!
//! let missing = policy.call(|| async { Err::<(), _>(std::io::ErrorKind::NotFound.into()) }).await;
//! assert!(matches!(missing, Err(PolicyError::Failed { attempts: 1, .. })));
//! # Ok::<(), arcly_http_core::resilience::InvalidPolicy>(()) }).unwrap();
//! ```

mod breaker;
mod budget;
mod builder;
mod bulkhead;
mod error;
mod hedge;
mod retry;
mod watch;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::backoff::Dice;
use breaker::{Breaker, Ended};
use budget::Budget;
use bulkhead::Places;
use hedge::Hedging;
use watch::{Extra, Watch};

pub use breaker::{BreakerState, CircuitBreaker, Dropped};
pub use builder::{InvalidPolicy, PolicyBuilder};
pub use bulkhead::Bulkhead;
pub use error::PolicyError;
pub use hedge::Hedge;
pub use retry::Retry;
pub use watch::CallMetrics;

/// What an error says of the dependency that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It failed, and the same call may be made again: nothing was done, or doing it
    /// twice does no harm.
    Retry,
    /// The same, and it said how long to wait (`Retry-After`). The wait is not
    /// shorter than that; if the deadline does not allow it, the call ends.
    RetryAfter(Duration),
    /// It failed, and the call must not be made again.
    Fail,
    /// It works and gave an answer, though not a wanted one ("no such order"). The
    /// breaker counts it as good.
    Answer,
}

type Classify<E> = Arc<dyn Fn(&E) -> Verdict + Send + Sync>;

/// What goes around every call to one dependency whose errors are `E`.
///
/// Clones share everything: breaker, bulkhead, budgets.
pub struct Policy<E>(Arc<Inner<E>>);

struct Inner<E> {
    watch: Watch,
    deadline: Duration,
    timeout: Duration,
    retry: Option<(Retry, Budget)>,
    hedging: Option<Hedging>,
    places: Option<Places>,
    breaker: Option<Breaker>,
    classify: Option<Classify<E>>,
    dice: Dice,
}

impl<E> Clone for Policy<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> fmt::Debug for Policy<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.status()).finish()
    }
}

/// Where a policy stands, as a console shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PolicyStatus {
    /// [`PolicyBuilder::name`].
    pub name: String,
    /// Where its breaker stands, if it has one.
    pub breaker: Option<BreakerState>,
    /// Probes of a half-open breaker that are under way.
    pub probing: u32,
    /// Attempts that have a place in the bulkhead, if there is one.
    pub running: Option<usize>,
    /// Attempts that wait for a place.
    pub waiting: usize,
    /// Retries that the budget allows now, if there are retries.
    pub retries_left: Option<u64>,
    /// Hedges that the budget allows now, if there are hedges.
    pub hedges_left: Option<u64>,
}

impl<E> Policy<E> {
    /// A policy with a deadline of 30 s, a timeout of 10 s an attempt, and nothing
    /// else yet.
    pub fn builder() -> PolicyBuilder<E> {
        PolicyBuilder::new()
    }

    /// Makes a call. `call` is asked for each attempt, and with a [`Hedge`] for a
    /// second one beside the first. The future can be sent to another thread when
    /// `call` can be shared between threads and what it gives can be sent.
    ///
    /// # Errors
    /// [`PolicyError`]: what the last attempt came to, or why there was none.
    ///
    /// # Cancel safety
    /// May be dropped at any point, see the [module](self).
    pub async fn call<T, F>(&self, call: impl Fn() -> F) -> Result<T, PolicyError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_within(self.0.deadline, call).await
    }

    /// The same, for a caller that has only so much time left
    /// ([`remaining`](trait.Clock.html#method.remaining) of its own deadline). The
    /// policy's deadline holds as well.
    ///
    /// # Errors
    /// [`PolicyError`]; when no time is left, without asking `call`.
    ///
    /// # Cancel safety
    /// May be dropped at any point, see the [module](self).
    pub async fn call_within<T, F>(
        &self,
        remaining: Duration,
        call: impl Fn() -> F,
    ) -> Result<T, PolicyError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let inner = &*self.0;
        let counted = inner.watch.call();
        let limit = remaining.min(inner.deadline);
        let mut attempts = 0;
        let mut result = None;
        if !limit.is_zero() {
            let deadline = Instant::now() + limit;
            result = timeout_at(deadline, inner.tries(deadline, &mut attempts, &call)).await.ok();
        }
        let result = result.unwrap_or(Err(PolicyError::DeadlineExceeded { limit, attempts }));
        counted.end(&result);
        result
    }

    /// Where it stands now.
    #[must_use]
    pub fn status(&self) -> PolicyStatus {
        let inner = &*self.0;
        PolicyStatus {
            name: inner.watch.name().to_owned(),
            breaker: inner.breaker.as_ref().map(Breaker::state),
            probing: inner.breaker.as_ref().map_or(0, Breaker::probing),
            running: inner.places.as_ref().map(Places::running),
            waiting: inner.places.as_ref().map_or(0, Places::waiting),
            retries_left: inner.retry.as_ref().map(|(_, budget)| budget.left()),
            hedges_left: inner.hedging.as_ref().map(|hedging| hedging.budget.left()),
        }
    }
}

/// An attempt that gave nothing.
struct Miss<E> {
    error: PolicyError<E>,
    verdict: Verdict,
}

impl<E> Miss<E> {
    /// Refused before anything was sent; not to be tried again.
    fn open(retry_after: Duration) -> Self {
        Self { error: PolicyError::Open { retry_after }, verdict: Verdict::Fail }
    }

    fn full(waited: Duration) -> Self {
        Self { error: PolicyError::Full { waited }, verdict: Verdict::Fail }
    }
}

/// Notes how long an attempt took, however it ends.
struct Timing<'a>(Option<&'a Hedging>, Instant);

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        if let Some(hedging) = self.0 {
            hedging.record(self.1.elapsed());
        }
    }
}

impl<E> Inner<E> {
    async fn tries<T, F>(
        &self,
        deadline: Instant,
        attempts: &mut u32,
        call: &impl Fn() -> F,
    ) -> Result<T, PolicyError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        if let Some((_, budget)) = &self.retry {
            budget.deposit();
        }
        if let Some(hedging) = &self.hedging {
            hedging.budget.deposit();
        }
        loop {
            *attempts += 1;
            let result = match &self.hedging {
                // On the heap, so that calls without a hedge are not as large as two.
                Some(hedging) => Box::pin(self.hedged(hedging, call)).await,
                None => self.attempt(true, call).await,
            };
            let miss = match result {
                Ok(value) => return Ok(value),
                Err(miss) => miss,
            };
            let Some(wait) = self.wait_after(&miss, *attempts, deadline) else {
                return Err(miss.error.at(*attempts));
            };
            sleep(wait).await;
            self.watch.extra(Extra::Retry);
        }
    }

    /// How long to wait before another attempt, if there is to be one.
    fn wait_after(&self, miss: &Miss<E>, attempts: u32, deadline: Instant) -> Option<Duration> {
        let (retry, budget) = self.retry.as_ref()?;
        let asked = match miss.verdict {
            Verdict::Retry => Duration::ZERO,
            Verdict::RetryAfter(wait) => wait,
            Verdict::Fail | Verdict::Answer => return None,
        };
        if attempts >= retry.attempts {
            return None;
        }
        let wait = self.dice.up_to(retry.backoff.ceiling(attempts - 1)).max(asked);
        let is_in_time = Instant::now().checked_add(wait).is_some_and(|then| then < deadline);
        // A token that is taken for a call that is dropped meanwhile is lost; the
        // calls to come put in others.
        (is_in_time && budget.take()).then_some(wait)
    }

    async fn hedged<T, F>(&self, hedging: &Hedging, call: &impl Fn() -> F) -> Result<T, Miss<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut first = pin!(self.attempt(true, call));
        tokio::select! {
            biased;
            result = &mut first => return result,
            () = sleep(hedging.delay()) => {}
        }
        if !hedging.budget.take() {
            return first.await;
        }
        self.watch.extra(Extra::Hedge);
        let mut second = pin!(self.attempt(false, call));
        let is_answer = |miss: &Miss<E>| miss.verdict == Verdict::Answer;
        // Invariant: at most one of the two is over; the loop ends with the other.
        let mut first_miss = None;
        let mut is_second_over = false;
        loop {
            tokio::select! {
                biased;
                result = &mut first, if first_miss.is_none() => match result {
                    Err(miss) if !is_second_over && !is_answer(&miss) => first_miss = Some(miss),
                    result => return result,
                },
                result = &mut second, if !is_second_over => match (result, first_miss.take()) {
                    (Ok(value), _) => return Ok(value),
                    (Err(miss), _) if is_answer(&miss) => return Err(miss),
                    (Err(_), Some(miss)) => return Err(miss),
                    (Err(_), None) => is_second_over = true,
                },
            }
        }
    }

    async fn attempt<T, F>(&self, may_wait: bool, call: &impl Fn() -> F) -> Result<T, Miss<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        if let Some(left) = self.breaker.as_ref().and_then(Breaker::refuses) {
            return Err(Miss::open(left));
        }
        let _place = match &self.places {
            Some(places) => Some(places.enter(may_wait).await.map_err(Miss::full)?),
            None => None,
        };
        let pass = match &self.breaker {
            Some(breaker) => Some(breaker.enter().map_err(Miss::open)?),
            None => None,
        };
        let _timing = Timing(self.hedging.as_ref(), Instant::now());
        let (ended, result) = match timeout(self.timeout, call()).await {
            Ok(Ok(value)) => (Ended::Good, Ok(value)),
            Ok(Err(error)) => {
                let verdict = self.classify.as_ref().map_or(Verdict::Fail, |ask| ask(&error));
                let ended = if verdict == Verdict::Answer { Ended::Good } else { Ended::Bad };
                (ended, Err(Miss { error: PolicyError::Failed { error, attempts: 1 }, verdict }))
            }
            Err(_) => {
                let may_retry = self.retry.as_ref().is_some_and(|(retry, _)| retry.after_timeout);
                let verdict = if may_retry { Verdict::Retry } else { Verdict::Fail };
                let error = PolicyError::TimedOut { limit: self.timeout, attempts: 1 };
                (Ended::Bad, Err(Miss { error, verdict }))
            }
        };
        if let Some(pass) = pass {
            pass.settle(ended);
        }
        result
    }
}

#[cfg(test)]
mod tests;
