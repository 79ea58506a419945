//! Rate, errors and duration of calls.

use std::time::Instant;

use arcly_http_core::observe::{Counters, Gauge, Histogram, Metrics};
use http::Method;

/// Upper bounds in seconds: those that OpenTelemetry recommends.
const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Debug)]
pub(crate) struct CallMetrics {
    calls: Counters,
    active: Gauge,
    duration: Histogram,
}

impl CallMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.counters(
                "http_client_requests",
                "Calls to other services, by what they came to: a status, or what went wrong",
                &["http_request_method", "server_address", "outcome"],
            ),
            active: metrics.gauge("http_client_active_requests", "Calls that are being made"),
            duration: metrics.histogram(
                "http_client_request_duration_seconds",
                "How long calls to other services took until the head of the response",
                &BOUNDS,
            ),
        }
    }
}

/// One call; counted however it ends.
pub(crate) struct Counted<'m> {
    metrics: Option<&'m CallMetrics>,
    method: Method,
    host: String,
    begun: Instant,
    outcome: Option<String>,
}

impl<'m> Counted<'m> {
    pub(crate) fn begin(metrics: Option<&'m CallMetrics>, method: &Method, host: &str) -> Self {
        if let Some(metrics) = metrics {
            metrics.active.add(1);
        }
        Self {
            metrics,
            method: method.clone(),
            host: host.to_owned(),
            begun: Instant::now(),
            outcome: None,
        }
    }

    pub(crate) fn end(mut self, outcome: String) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let Some(metrics) = self.metrics else { return };
        metrics.active.add(-1);
        metrics.duration.observe(self.begun.elapsed().as_secs_f64());
        // A method that was made up has no series of its own.
        let method = match self.method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "_OTHER",
        };
        let outcome = self.outcome.as_deref().unwrap_or("dropped");
        metrics.calls.with(&[method, &self.host, outcome]).increment();
    }
}
