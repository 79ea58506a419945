//! Start-up without the feature `otlp`: nothing.

use arcly_http_core::config::Config;
use arcly_http_core::di::FrozenDiContainer;
use arcly_http_web::App;
use arcly_http_web::app::AppError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, registry};

pub(crate) fn declare(app: App) -> App {
    app
}

/// Makes it the subscriber of the process; gives whether it is.
pub(crate) fn subscribe(log: impl Layer<Registry> + Send + Sync) -> bool {
    registry().with(log).try_init().is_ok()
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
