//! Start-up with the feature `otlp`.

use arcly_http_core::config::{Config, ConfigSection as _};
use arcly_http_core::di::FrozenDiContainer;
use arcly_http_web::App;
use arcly_http_web::app::AppError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, registry};

use super::otlp::{Exporter, OtlpConfig};
use super::span_layer;

pub(crate) fn declare(app: App) -> App {
    app.section(OtlpConfig::SECTION)
}

/// Makes it the subscriber of the process; gives whether it is.
pub(crate) fn subscribe(log: impl Layer<Registry> + Send + Sync) -> bool {
    registry().with(log).with(span_layer()).try_init().is_ok()
}

pub(crate) struct Telemetry(Option<Exporter>);

impl Telemetry {
    pub(crate) fn read(config: &Config, name: &str, version: &str) -> Result<Self, AppError> {
        let own = config.read::<OtlpConfig>()?;
        let exporter = Exporter::new(&own, config.profile(), name, version);
        exporter.map(Self).map_err(|error| AppError::Telemetry(error.into()))
    }

    pub(crate) fn attach(&self, app: App) -> App {
        match &self.0 {
            Some(exporter) => exporter.attach(app),
            None => app,
        }
    }

    pub(crate) fn start(&self, container: &FrozenDiContainer) -> Result<(), AppError> {
        let Some(exporter) = &self.0 else { return Ok(()) };
        exporter.start(container).map_err(|error| AppError::Telemetry(error.into()))
    }
}
