//! Rate, errors and duration of requests (RED), under the names of OpenTelemetry's
//! semantic conventions as Prometheus writes them.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Upper bounds in microseconds: those that OpenTelemetry recommends for requests.
const BOUNDS: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// Statuses with a series of their own, the frequent ones first. Others share one,
/// so that a handler cannot make labels without bound.
const STATUSES: [u16; 32] = [
    200, 201, 204, 404, 401, 403, 400, 422, 500, 304, 202, 206, 301, 302, 303, 307, 308, 405, 406,
    408, 409, 410, 412, 413, 415, 416, 429, 499, 501, 502, 503, 504,
];

/// How long answers of one status took.
#[derive(Debug, Default)]
struct Series {
    /// One for each bound, and one for what is beyond.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// The requests of one operation. Recording is a few atomic additions.
#[derive(Debug)]
pub struct OperationMetrics {
    method: &'static str,
    route: String,
    by_status: [OnceLock<Box<Series>>; STATUSES.len() + 1],
}

impl OperationMetrics {
    /// The route as the metrics name it: its whole path as it was declared.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Counts one answer.
    pub fn record(&self, status: u16, took: Duration) {
        let slot = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len());
        let series = self.by_status[slot].get_or_init(Box::default);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        series.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many answers there were, and how long they took in all.
    #[must_use]
    pub fn totals(&self) -> (u64, Duration) {
        let (mut count, mut micros) = (0, 0);
        for series in self.by_status.iter().filter_map(OnceLock::get) {
            count += series.buckets.iter().map(|b| b.load(Ordering::Relaxed)).sum::<u64>();
            micros += series.micros.load(Ordering::Relaxed);
        }
        (count, Duration::from_micros(micros))
    }

    /// How many answers had a status of 500 or more.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let failed = self
            .by_status
            .iter()
            .enumerate()
            .filter(|(slot, _)| STATUSES.get(*slot).is_some_and(|status| *status >= 500));
        let series = failed.filter_map(|(_, series)| series.get());
        series.flat_map(|series| &series.buckets).map(|b| b.load(Ordering::Relaxed)).sum()
    }
}

/// The requests of all operations of an application.
#[derive(Default)]
pub struct RequestMetrics {
    operations: Mutex<Vec<Arc<OperationMetrics>>>,
    /// Requests that are being answered.
    active: AtomicI64,
}

impl fmt::Debug for RequestMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestMetrics(..)")
    }
}

impl RequestMetrics {
    /// The metrics of one operation, to be kept by what answers it. `method` is
    /// `_OTHER` where clients choose it.
    #[must_use]
    pub fn operation(&self, method: &'static str, route: &str) -> Arc<OperationMetrics> {
        let operation = Arc::new(OperationMetrics {
            method,
            route: route.to_owned(),
            by_status: std::array::from_fn(|_| OnceLock::new()),
        });
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.push(Arc::clone(&operation));
        operation
    }

    /// A request begins; the one that calls this says when it ends. Returns how many
    /// are being answered with it.
    pub fn begin(&self) -> i64 {
        self.active.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A request has ended, in whatever way.
    pub fn end(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests that are being answered.
    #[must_use]
    pub fn active(&self) -> i64 {
        self.active.load(Ordering::Relaxed)
    }
}

impl Collector for RequestMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let active = ConstGauge::new(self.active());
        active.encode(encoder.encode_descriptor(
            "http_server_active_requests",
            "Requests that are being answered",
            None,
            MetricType::Gauge,
        )?)?;
        let mut durations = encoder.encode_descriptor(
            "http_server_request_duration_seconds",
            "How long requests took to answer",
            None,
            MetricType::Histogram,
        )?;
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for operation in operations {
            for (slot, series) in operation.by_status.iter().enumerate() {
                let Some(series) = series.get() else { continue };
                let status =
                    STATUSES.get(slot).map_or_else(|| "other".to_owned(), ToString::to_string);
                let labels = [
                    ("http_request_method", operation.method),
                    ("http_response_status_code", status.as_str()),
                    ("http_route", operation.route.as_str()),
                ];
                let load = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
                let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6);
                let buckets: Vec<(f64, u64)> = bounds
                    .chain(std::iter::once(f64::INFINITY))
                    .zip(series.buckets.iter().map(load))
                    .collect();
                let count = buckets.iter().map(|(_, count)| count).sum();
                let seconds = load(&series.micros) as f64 / 1e6;
                durations
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn answers_are_counted_by_operation_and_status() {
        let metrics = Metrics::new();
        let read = metrics.requests().operation("GET", "/articles/{slug}");
        read.record(200, Duration::from_millis(7));
        read.record(200, Duration::from_millis(700));
        read.record(503, Duration::from_secs(20));
        read.record(299, Duration::from_millis(1));
        metrics.requests().begin();
        let text = metrics.encode();
        for line in [
            "http_server_active_requests 1",
            r#"http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/articles/{slug}"} 2"#,
            r#"_bucket{le="0.01",http_request_method="GET",http_response_status_code="200",http_route="/articles/{slug}"} 1"#,
            r#"_bucket{le="0.75",http_request_method="GET",http_response_status_code="200",http_route="/articles/{slug}"} 2"#,
            r#"_bucket{le="10.0",http_request_method="GET",http_response_status_code="503",http_route="/articles/{slug}"} 0"#,
            r#"_bucket{le="+Inf",http_request_method="GET",http_response_status_code="503",http_route="/articles/{slug}"} 1"#,
            r#"http_response_status_code="other""#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert_eq!(read.totals().0, 4);
        assert_eq!(read.failures(), 1);
        // An operation that was never asked has no series.
        let _silent = metrics.requests().operation("GET", "/silent");
        assert!(!metrics.encode().contains("silent"));
    }
}
