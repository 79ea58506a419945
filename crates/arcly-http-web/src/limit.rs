//! How much is taken on at a time, and how often.

mod delay;
mod gradient;
mod rate;
#[cfg(feature = "redis")]
mod redis;

use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::observe::{Counter, Metrics};
use arcly_http_core::problem::{Problem, kinds};
use http::HeaderValue;
use http::header::RETRY_AFTER;

#[cfg(feature = "redis")]
pub use self::redis::{RedisRateLimitError, RedisRateLimits};
use delay::Delay;
pub(crate) use gradient::{Gradient, Place};
pub use rate::{Per, RateLimit};
pub(crate) use rate::{Rated, Rates};

/// Bounds of the limit of each operation that follows its latency: see
/// [`crate::app::LaunchConfig::adaptive`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AdaptiveLimit {
    /// The limit never falls below this. Default 64.
    pub min: u32,
    /// The limit at first. Default 256.
    pub initial: u32,
    /// The limit never grows beyond this. Default 4,096.
    pub max: u32,
}

impl Default for AdaptiveLimit {
    fn default() -> Self {
        Self { min: 64, initial: 256, max: 4096 }
    }
}

/// Requests in flight in all, and what was refused.
pub(crate) struct Admission {
    max: i64,
    /// Refused because there were too many requests in all.
    in_all: Counter,
    pub(crate) delay: Arc<Delay>,
    /// Refused because work waits too long for a thread.
    delayed: Counter,
    /// Refused because there were too many of one operation.
    pub(crate) of_operation: Counter,
}

impl Admission {
    pub(crate) fn new(max: Option<usize>, delay_max: Option<Duration>, metrics: &Metrics) -> Self {
        let shed = metrics.counters(
            "http_server_requests_shed",
            "Requests refused because too many were being answered",
            &["limit"],
        );
        Self {
            max: max.and_then(|max| i64::try_from(max).ok()).unwrap_or(i64::MAX),
            in_all: shed.with(&["in_flight"]),
            delay: Arc::new(Delay::new(
                delay_max,
                metrics.gauge(
                    "http_server_scheduling_delay_milliseconds",
                    "How long work that is ready waits for a thread",
                ),
            )),
            delayed: shed.with(&["delay"]),
            of_operation: shed.with(&["operation"]),
        }
    }

    /// Whether one more may run, if `active` with it do.
    pub(crate) fn admits(&self, active: i64) -> bool {
        if active > self.max {
            self.in_all.increment();
            return false;
        }
        if self.delay.refuses() {
            self.delayed.increment();
            return false;
        }
        true
    }
}

/// 503: another second, another attempt.
pub(crate) fn overloaded() -> Problem {
    Problem::of(&kinds::UNAVAILABLE)
        .with_detail("too many requests are being answered; try again soon")
        .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
}
