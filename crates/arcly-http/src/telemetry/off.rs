//! Start-up without the feature `otlp`: nothing.

use arcly_http_core::config::Config;
use arcly_http_core::di::FrozenDiContainer;
use arcly_http_web::App;
use arcly_http_web::app::AppError;

pub(crate) fn declare(app: App) -> App {
    app
}

pub(crate) fn is_on(_: &Config) -> Result<bool, AppError> {
    Ok(false)
}

pub(crate) struct Telemetry;

impl Telemetry {
    pub(crate) fn read(_: &Config, _: &str, _: &str) -> Result<Self, AppError> {
        Ok(Self)
    }

    pub(crate) fn attach(&self, app: App) -> App {
        app
    }

    pub(crate) fn start(&self, _: &FrozenDiContainer) -> Result<(), AppError> {
        Ok(())
    }
}
