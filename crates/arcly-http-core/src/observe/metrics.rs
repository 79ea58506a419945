//! Metrics of one application, in the text that Prometheus reads.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::{counter, family, gauge, histogram};
use prometheus_client::registry::Registry;

use super::requests::RequestMetrics;
use crate::di::{Key, Token};

/// The metrics of one application, which every provider injects without listing it:
/// `metrics: Inject<Metrics>`. There is no registry of the process, so that
/// several applications, in tests for instance, do not count for each other.
///
/// Names follow Prometheus: a unit at the end (`_seconds`, `_bytes`); `_total` is
/// added to counters.
///
/// ```
/// use arcly_http_core::observe::Metrics;
///
/// let metrics = Metrics::new();
/// let orders = metrics.counters("orders", "Orders taken.", &["kind"]);
/// orders.with(&["express"]).add(2);
/// assert!(metrics.encode().contains("orders_total{kind=\"express\"} 2"));
/// ```
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Arc<RequestMetrics>,
}

impl Token for Metrics {
    const KEY: Key = METRICS_KEY;
}

pub(crate) const METRICS_KEY: Key = Key::of("arcly_http::observe::Metrics", 0, 0);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the metrics of requests, and nothing else yet.
    #[must_use]
    pub fn new() -> Self {
        let requests = Arc::new(RequestMetrics::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&requests)));
        Self { registry: Arc::new(Mutex::new(registry)), requests }
    }

    /// Rate, errors and duration of requests.
    #[must_use]
    pub fn requests(&self) -> &Arc<RequestMetrics> {
        &self.requests
    }

    fn with<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        change(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that only grows.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        let own = counter::Counter::default();
        self.with(|registry| registry.register(name, help, own.clone()));
        Counter(own)
    }

    /// Counters told apart by labels.
    #[must_use]
    pub fn counters(&self, name: &str, help: &str, labels: &'static [&'static str]) -> Counters {
        let own = family::Family::<Labels, counter::Counter>::default();
        self.with(|registry| registry.register(name, help, own.clone()));
        Counters { labels, family: own, known: Arc::default() }
    }

    /// A number that goes up and down.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        let own = gauge::Gauge::default();
        self.with(|registry| registry.register(name, help, own.clone()));
        Gauge(own)
    }

    /// How values are spread over buckets, whose upper bounds are given in rising
    /// order.
    #[must_use]
    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        let own = histogram::Histogram::new(bounds.iter().copied());
        self.with(|registry| registry.register(name, help, own.clone()));
        Histogram(own)
    }

    /// All of it, as `application/openmetrics-text; version=1.0.0`.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) =
            self.with(|registry| prometheus_client::encoding::text::encode(&mut text, registry))
        {
            tracing::error!(%error, "the metrics cannot be written");
        }
        text
    }
}

type Labels = Vec<(&'static str, String)>;

/// A number that only grows.
#[derive(Debug, Clone)]
pub struct Counter(counter::Counter);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.0.inc();
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.inc_by(count);
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Counters told apart by labels; at most 1,000 of them, so that a value that a
/// client chooses cannot fill the memory. Beyond that, the values read `other`.
#[derive(Debug, Clone)]
pub struct Counters {
    labels: &'static [&'static str],
    family: family::Family<Labels, counter::Counter>,
    known: Arc<Mutex<HashSet<Labels>>>,
}

/// Most series of one name.
const SERIES_MAX: usize = 1000;

impl Counters {
    /// The counter of these values, one for each label. Look it up once, where the
    /// values are known beforehand.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> Counter {
        let label = |value: &str| {
            self.labels
                .iter()
                .zip(std::iter::repeat(value))
                .map(|(k, v)| (*k, v.to_owned()))
                .collect()
        };
        let mut wanted: Labels = self
            .labels
            .iter()
            .zip(values)
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&wanted) {
            if known.len() >= SERIES_MAX {
                wanted = label("other");
            } else {
                known.insert(wanted.clone());
            }
        }
        Counter(self.family.get_or_create_owned(&wanted))
    }
}

/// A number that goes up and down.
#[derive(Debug, Clone)]
pub struct Gauge(gauge::Gauge);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// Changes it.
    pub fn add(&self, by: i64) {
        self.0.inc_by(by);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.get()
    }
}

/// How values are spread.
#[derive(Debug, Clone)]
pub struct Histogram(histogram::Histogram);

impl Histogram {
    /// One more value.
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::new();
        let counters = metrics.counters("hits", "Hits.", &["who"]);
        for index in 0..SERIES_MAX + 5 {
            counters.with(&[&index.to_string()]).increment();
        }
        counters.with(&["0"]).increment();
        let text = metrics.encode();
        assert!(text.contains("hits_total{who=\"other\"} 5"), "{text}");
        assert!(text.contains("hits_total{who=\"0\"} 2"));
        assert!(text.ends_with("# EOF\n"));
    }
}
