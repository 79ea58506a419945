//! Not calling what is broken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::builder::Faults;
use super::watch::Watch;

/// Stops calling a dependency of which too many calls fail or are slow, and probes
/// it again after a while.
///
/// | state | calls | becomes |
/// |---|---|---|
/// | closed | pass | open, when enough calls of the window failed or were slow |
/// | open | are refused | half-open, at the first call after [`CircuitBreaker::open_for`] |
/// | half-open | [`CircuitBreaker::probes`] pass, others are refused | closed, when all probes are good; open, when one fails or is slow |
///
/// What fails is what [`super::PolicyBuilder::classify`] does not call an answer, and
/// an attempt that timed out. A call that began in an earlier state does not count.
/// A call that is dropped half way counts as [`Dropped`] says; its probe, if it was
/// one, is free again in any case.
///
/// Default: opens at 50 % failures among at least 20 calls of the last 30 s; slow
/// calls do not count; open for 10 s; 3 probes; dropped calls count as nothing.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing before they are given to a policy"]
pub struct CircuitBreaker {
    failure_percent: u8,
    slow_percent: u8,
    slow_after: Option<Duration>,
    window: Duration,
    calls_min: u32,
    open_for: Duration,
    probes: u32,
    dropped: Dropped,
}

/// What a call counts as that was dropped before it ended: its caller went away, the
/// deadline of the whole call was over, or a hedge was faster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// As nothing, unless it had already taken as long as a slow call: then as one.
    #[default]
    Neither,
    /// As a failure. For callers that have time limits of their own around the
    /// policy, which would hide from it a dependency that hangs.
    Failure,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self::new()
    }
}

impl CircuitBreaker {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            failure_percent: 50,
            slow_percent: 100,
            slow_after: None,
            window: Duration::from_secs(30),
            calls_min: 20,
            open_for: Duration::from_secs(10),
            probes: 3,
            dropped: Dropped::Neither,
        }
    }

    /// The share of failed calls that opens it: 1 to 100 %. Default 50.
    pub const fn failures(mut self, percent: u8) -> Self {
        self.failure_percent = percent;
        self
    }

    /// Counts calls of at least `after` (at most a day) as slow, and opens at so many
    /// percent of them, 1 to 100. A slow probe is a bad one.
    pub const fn slow_calls(mut self, after: Duration, percent: u8) -> Self {
        self.slow_after = Some(after);
        self.slow_percent = percent;
        self
    }

    /// The time that is looked back on, in ten steps (at most a day), and how many
    /// calls there have to be in it before it is judged (at least 1). Default 30 s
    /// and 20.
    pub const fn window(mut self, window: Duration, calls_min: u32) -> Self {
        self.window = window;
        self.calls_min = calls_min;
        self
    }

    /// How long it stays open before it probes; at most a day. Default 10 s.
    pub const fn open_for(mut self, time: Duration) -> Self {
        self.open_for = time;
        self
    }

    /// How many probes have to be good, 1 to 1,000. Default 3.
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// What a dropped call counts as. Default [`Dropped::Neither`].
    pub const fn dropped(mut self, counts_as: Dropped) -> Self {
        self.dropped = counts_as;
        self
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        let percent = 1..=100;
        faults.unless(
            percent.contains(&self.failure_percent),
            "breaker: failures must be 1 to 100 %",
        );
        faults
            .unless(percent.contains(&self.slow_percent), "breaker: slow calls must be 1 to 100 %");
        if let Some(after) = self.slow_after {
            faults.time(after, "breaker: slow calls must take 1 ns to a day");
        }
        faults.time(self.window, "breaker: the window must be 1 ns to a day");
        faults.unless(self.calls_min > 0, "breaker: the window must have at least 1 call");
        faults.time(self.open_for, "breaker: it must be open for 1 ns to a day");
        faults.unless((1..=1000).contains(&self.probes), "breaker: probes must be 1 to 1,000");
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused. It stays so beyond its time until somebody calls.
    Open,
    /// Some calls pass, to see whether the dependency is back.
    HalfOpen,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Good,
    Bad,
}

const BUCKETS: usize = 10;

/// The calls of a tenth of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Which tenth since the breaker was made.
    number: u128,
    calls: u64,
    failed: u64,
    slow: u64,
}

#[derive(Debug)]
enum Phase {
    Closed(Box<[Bucket; BUCKETS]>),
    Open { until: Instant },
    HalfOpen { running: u32, good: u32 },
}

impl Phase {
    fn state(&self) -> BreakerState {
        match self {
            Self::Closed(_) => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

#[derive(Debug)]
struct Now {
    phase: Phase,
    /// Counts the changes, so that a call can tell that it began before one.
    change: u64,
}

impl Now {
    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.change += 1;
    }
}

#[derive(Debug)]
pub(super) struct Breaker {
    settings: CircuitBreaker,
    made: Instant,
    now: Mutex<Now>,
    watch: Watch,
}

impl Breaker {
    pub(super) fn new(settings: CircuitBreaker, watch: Watch) -> Self {
        let phase = Phase::Closed(Default::default());
        Self { settings, made: Instant::now(), now: Mutex::new(Now { phase, change: 0 }), watch }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> BreakerState {
        self.now().phase.state()
    }

    /// Probes that are under way.
    pub(super) fn probing(&self) -> u32 {
        match self.now().phase {
            Phase::HalfOpen { running, .. } => running,
            Phase::Closed(_) | Phase::Open { .. } => 0,
        }
    }

    /// Whether a call would be refused now, and for how long.
    pub(super) fn refuses(&self) -> Option<Duration> {
        match self.now().phase {
            Phase::Closed(_) => None,
            Phase::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                (!left.is_zero()).then_some(left)
            }
            Phase::HalfOpen { running, good } => {
                (running + good >= self.settings.probes).then_some(Duration::ZERO)
            }
        }
    }

    /// Lets a call pass, or says when to ask again.
    pub(super) fn enter(&self) -> Result<Pass<'_>, Duration> {
        let mut now = self.now();
        let mut is_changed = false;
        if let Phase::Open { until } = now.phase {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(left);
            }
            now.turn(Phase::HalfOpen { running: 0, good: 0 });
            is_changed = true;
        }
        if let Phase::HalfOpen { running, good } = &mut now.phase {
            if *running + *good >= self.settings.probes {
                return Err(Duration::ZERO);
            }
            *running += 1;
        }
        let pass = Pass { breaker: self, change: now.change, begun: Instant::now(), ended: None };
        drop(now);
        if is_changed {
            self.watch.breaker(BreakerState::HalfOpen);
        }
        Ok(pass)
    }

    /// `None`: the call was dropped.
    fn settle(&self, change: u64, ended: Option<Ended>, took: Duration) {
        let is_slow = self.settings.slow_after.is_some_and(|after| took >= after);
        let is_failed = match ended {
            Some(ended) => ended == Ended::Bad,
            None => self.settings.dropped == Dropped::Failure,
        };
        let counts = ended.is_some() || is_failed || is_slow;
        let mut now = self.now();
        if now.change != change {
            return;
        }
        let next = match &mut now.phase {
            Phase::Closed(buckets) => {
                let is_broken = counts && self.count(buckets, is_failed, is_slow);
                is_broken.then(|| self.open())
            }
            // No call passes while it is open.
            Phase::Open { .. } => None,
            Phase::HalfOpen { running, good } => {
                *running -= 1;
                if is_failed || is_slow {
                    Some(self.open())
                } else {
                    *good += u32::from(counts);
                    (*good >= self.settings.probes).then(|| Phase::Closed(Default::default()))
                }
            }
        };
        let Some(next) = next else { return };
        let state = next.state();
        now.turn(next);
        drop(now);
        self.watch.breaker(state);
    }

    fn open(&self) -> Phase {
        Phase::Open { until: Instant::now() + self.settings.open_for }
    }

    /// Counts one call, and says whether there are now too many bad ones.
    fn count(&self, buckets: &mut [Bucket; BUCKETS], is_failed: bool, is_slow: bool) -> bool {
        let step = (self.settings.window.as_nanos() / BUCKETS as u128).max(1);
        let number = self.made.elapsed().as_nanos() / step;
        let bucket = &mut buckets[(number % BUCKETS as u128) as usize];
        if bucket.number != number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        bucket.calls += 1;
        bucket.failed += u64::from(is_failed);
        bucket.slow += u64::from(is_slow);
        let recent = buckets.iter().filter(|bucket| number - bucket.number < BUCKETS as u128);
        let (calls, failed, slow) = recent.fold((0, 0, 0), |(calls, failed, slow), bucket| {
            (calls + bucket.calls, failed + bucket.failed, slow + bucket.slow)
        });
        calls >= u64::from(self.settings.calls_min)
            && (failed * 100 >= calls * u64::from(self.settings.failure_percent)
                || slow * 100 >= calls * u64::from(self.settings.slow_percent))
    }
}

/// A call that was let pass. It settles when it is dropped; as one that was dropped
/// half way, unless it was said before how it ended.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    change: u64,
    begun: Instant,
    ended: Option<Ended>,
}

impl Pass<'_> {
    pub(super) fn settle(mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.breaker.settle(self.change, self.ended, self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests;
