//! Start-up with the feature `otlp`.

use arcly_http_core::config::{Config, ConfigSection as _};
use arcly_http_core::di::FrozenDiContainer;
use arcly_http_web::App;
use arcly_http_web::app::AppError;

use super::otlp::{Exporter, OtlpConfig};

pub(crate) fn declare(app: App) -> App {
    app.section(OtlpConfig::SECTION)
}

/// Whether spans are exported.
pub(crate) fn is_on(config: &Config) -> Result<bool, AppError> {
    Ok(config.read::<OtlpConfig>()?.is_on())
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
