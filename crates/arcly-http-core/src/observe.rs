//! What can be watched of an application: metrics and health.

mod health;
mod metrics;
mod requests;

pub(crate) use health::HEALTH_CHECK_KEY;
pub use health::{HealthCheck, HealthFuture, HealthReport, check_all};
pub(crate) use metrics::METRICS_KEY;
pub use metrics::{Counter, Counters, Gauge, Histogram, Metrics};
pub use requests::{OperationMetrics, RequestMetrics};
