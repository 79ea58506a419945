//! A limit of concurrent work that follows its latency: Netflix's Gradient2.
//!
//! Once in a while the mean latency of the last second is held against that of the
//! last minutes. As long as it is no more than half as much again, the limit grows
//! while it is being used; when it is more, work waits somewhere, and the limit
//! shrinks in proportion. Nothing has to be known of what the work waits for.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use arcly_http_core::observe::Counter;
use arcly_http_core::problem::Problem;
use arcly_http_core::time::Clock;

use super::{AdaptiveLimit, overloaded};

/// Latency may be so many times the usual one before the limit shrinks.
const TOLERANCE: f64 = 1.5;
/// How much of a new limit counts beside the old one.
const SMOOTHING: f64 = 0.2;
/// By how much the limit grows, before smoothing: work that may queue.
const QUEUE: f64 = 4.0;
/// Samples that the usual latency is averaged over.
const USUAL_SAMPLES: f64 = 600.0;
/// Samples until the average leans on the past.
const WARM_UP: u32 = 10;
/// The shortest time that is looked at, in microseconds, and the fewest requests.
const WINDOW: u64 = 1_000_000;
const WINDOW_REQUESTS: u32 = 10;

/// The limit of one operation. Entering and leaving are a few atomic additions.
pub(crate) struct Gradient {
    clock: Arc<dyn Clock>,
    refused: Counter,
    in_flight: AtomicU32,
    limit: AtomicU32,
    window: Window,
    bounds: AdaptiveLimit,
    estimate: Mutex<Estimate>,
}

/// What happened since the limit was last thought over.
#[derive(Debug, Default)]
struct Window {
    ends: AtomicU64,
    requests: AtomicU32,
    micros: AtomicU64,
    /// Most in flight at a time.
    peak: AtomicU32,
}

#[derive(Debug)]
struct Estimate {
    limit: f64,
    /// The usual latency in microseconds.
    usual: f64,
    samples: u32,
}

impl Gradient {
    pub(crate) fn new(bounds: AdaptiveLimit, clock: Arc<dyn Clock>, refused: Counter) -> Self {
        let min = bounds.min.max(1);
        let bounds = AdaptiveLimit { min, max: bounds.max.max(min), ..bounds };
        let initial = bounds.initial.clamp(bounds.min, bounds.max);
        Self {
            clock,
            refused,
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(initial),
            window: Window::default(),
            bounds,
            estimate: Mutex::new(Estimate { limit: initial.into(), usual: 0.0, samples: 0 }),
        }
    }

    fn enter(&self) -> bool {
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        if now > self.limit.load(Relaxed) {
            self.in_flight.fetch_sub(1, Relaxed);
            self.refused.increment();
            return false;
        }
        if now > self.window.peak.load(Relaxed) {
            self.window.peak.fetch_max(now, Relaxed);
        }
        true
    }

    /// Notes how long work took that ends now.
    fn note(&self, now: Duration, took: Duration) {
        self.window.micros.fetch_add(micros(took), Relaxed);
        let requests = self.window.requests.fetch_add(1, Relaxed) + 1;
        if requests >= WINDOW_REQUESTS && micros(now) >= self.window.ends.load(Relaxed) {
            self.think(micros(now));
        }
    }

    #[cold]
    fn think(&self, now: u64) {
        let mut estimate = match self.estimate.try_lock() {
            Ok(estimate) => estimate,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        self.window.ends.store(now.saturating_add(WINDOW), Relaxed);
        let requests = self.window.requests.swap(0, Relaxed);
        let micros = self.window.micros.swap(0, Relaxed);
        let peak = self.window.peak.swap(self.in_flight.load(Relaxed), Relaxed);
        if requests == 0 {
            return;
        }
        let latency = (micros as f64 / f64::from(requests)).max(1.0);
        let limit = estimate.update(latency, peak.into(), self.bounds);
        self.limit.store(limit, Relaxed);
    }
}

/// A place among the work of an operation, free again when it is dropped.
pub(crate) struct Place {
    gradient: Arc<Gradient>,
    entered: Duration,
}

impl Place {
    /// Takes a place for work that begins now, if it has not `begun` just before.
    ///
    /// # Errors
    /// 503 when there is none.
    pub(crate) fn take(gradient: Arc<Gradient>, begun: Option<Duration>) -> Result<Self, Problem> {
        if !gradient.enter() {
            return Err(overloaded());
        }
        let entered = begun.unwrap_or_else(|| gradient.clock.elapsed());
        Ok(Self { gradient, entered })
    }

    /// The work has been done, or was given up for taking too long: it says how long
    /// work takes at present. A place that is only dropped says nothing.
    pub(crate) fn finish(self, now: Duration) {
        self.gradient.note(now, now.saturating_sub(self.entered));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gradient.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Estimate {
    fn update(&mut self, latency: f64, peak: f64, bounds: AdaptiveLimit) -> u32 {
        self.samples = self.samples.saturating_add(1);
        let weight = if self.samples <= WARM_UP {
            1.0 / f64::from(self.samples)
        } else {
            2.0 / (USUAL_SAMPLES + 1.0)
        };
        self.usual += (latency - self.usual) * weight;
        // After a long overload the usual latency is too high; it comes down faster
        // than it went up.
        if self.usual > latency * 2.0 {
            self.usual *= 0.95;
        }
        // A limit that is not reached says nothing.
        if peak >= self.limit / 2.0 {
            let gradient = (TOLERANCE * self.usual / latency).clamp(0.5, 1.0);
            let wanted = self.limit * gradient + QUEUE;
            let next = self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING;
            self.limit = next.clamp(bounds.min.into(), bounds.max.into());
        }
        // Within the bounds, which are u32.
        self.limit as u32
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use arcly_http_core::observe::Metrics;
    use arcly_http_core::time::ManualClock;

    use super::*;

    const BOUNDS: AdaptiveLimit = AdaptiveLimit { min: 4, initial: 20, max: 100 };

    fn gradient(bounds: AdaptiveLimit) -> (Arc<Gradient>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let refused = Metrics::new().counter("refused", "Refused.");
        (Arc::new(Gradient::new(bounds, clock.clone(), refused)), clock)
    }

    /// Takes all places there are, for `took`, and so for some `seconds`.
    fn load(gradient: &Arc<Gradient>, clock: &ManualClock, seconds: u64, took: Duration) -> u32 {
        let end = clock.elapsed() + Duration::from_secs(seconds);
        while clock.elapsed() < end {
            let places: Vec<Place> =
                std::iter::from_fn(|| Place::take(Arc::clone(gradient), None).ok()).collect();
            clock.advance(took);
            places.into_iter().for_each(|place| place.finish(clock.elapsed()));
        }
        gradient.limit.load(Relaxed)
    }

    #[test]
    fn the_limit_grows_while_latency_is_as_usual_and_shrinks_when_it_is_not() {
        let (gradient, clock) = gradient(BOUNDS);
        assert_eq!(load(&gradient, &clock, 200, Duration::from_millis(10)), 100);
        let busy = load(&gradient, &clock, 60, Duration::from_millis(200));
        assert!(busy < 12, "{busy}");
        // The usual latency returns, and with it the places.
        assert_eq!(load(&gradient, &clock, 200, Duration::from_millis(10)), 100);
    }

    #[test]
    fn a_limit_that_is_not_reached_stays() {
        let (gradient, clock) = gradient(BOUNDS);
        for millis in 1..2000 {
            let place = Place::take(Arc::clone(&gradient), None).unwrap();
            clock.advance(Duration::from_millis(millis));
            place.finish(clock.elapsed());
        }
        assert_eq!(gradient.limit.load(Relaxed), 20);
    }

    #[test]
    fn places_come_back_whatever_becomes_of_the_work() {
        let (gradient, _clock) = gradient(AdaptiveLimit { min: 1, initial: 1, max: 1 });
        let place = Place::take(Arc::clone(&gradient), None).unwrap();
        assert!(Place::take(Arc::clone(&gradient), None).is_err());
        assert_eq!(gradient.refused.get(), 1);
        drop(place);
        assert!(Place::take(Arc::clone(&gradient), None).is_ok());
        assert_eq!(gradient.window.requests.load(Relaxed), 0);
    }
}
