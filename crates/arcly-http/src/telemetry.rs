//! What the process tells of itself, beyond metrics.

#[cfg(not(feature = "otlp"))]
#[path = "telemetry/off.rs"]
pub(crate) mod boot;
#[cfg(feature = "otlp")]
#[path = "telemetry/on.rs"]
pub(crate) mod boot;
#[cfg(feature = "otlp")]
pub mod otlp;
mod spans;

pub use crate::logging::{
    LogFormat, LogLevelError, LogLevelModule, LogLevels, LogRule, log_layer, log_levels,
};
pub(crate) use spans::Running;
pub use spans::{SpanLayer, span_layer};
