//! An application under test.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use arcly_http_core::config::{ConfigSources, Profile};
use arcly_http_core::di::{
    FrozenDiContainer, Inject, Instance, Module, Qualifier, Token, Unqualified, proof,
};
use arcly_http_core::time::{Clock, ManualClock};
use arcly_http_web::App;
use arcly_http_web::app::{AppError, Launched};
use http::Method;
use tracing::Level;
use tracing::instrument::WithSubscriber as _;

use crate::capture::Capture;
use crate::{Logs, Spans, TestRequest};

/// Puts an application together for a test.
#[must_use = "nothing is launched before `launch` is awaited"]
pub struct TestAppBuilder<M> {
    app: App,
    level: Level,
    module: PhantomData<fn() -> M>,
}

impl<M> std::fmt::Debug for TestAppBuilder<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.app.fmt(f)
    }
}

impl<M: Module> TestAppBuilder<M> {
    /// Uses `value` wherever `T` is injected. Does not compile when nothing in
    /// the graph provides `T`; as this is generic, the test has to be built for that
    /// (`cargo test`), `cargo check` does not see it.
    pub fn replace<T>(mut self, value: Arc<T>) -> Self
    where
        T: ?Sized + Token + Send + Sync + 'static,
    {
        const { proof::check_provided(M::META, <Unqualified as Qualifier<T>>::KEY) }
        self.app = self.app.replace_checked(T::KEY, Instance::new(value));
        self
    }

    /// Replaces the clock by one that only moves when told to, and with it whoever
    /// waits by `Clock::sleep` or a timeout of the clock; waits of tokio's own are
    /// not moved. Does not compile when the graph has no `dyn Clock`.
    pub fn manual_clock(self, clock: &Arc<ManualClock>) -> Self {
        self.replace::<dyn Clock>(Arc::clone(clock) as Arc<dyn Clock>)
    }

    /// Sets one key of the configuration. The environment of the process is
    /// never read; the profile is `test` unless it is set here.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.app = self.app.map_config_sources(|sources: ConfigSources| sources.set(key, value));
        self
    }

    /// The least important level that is captured. Default: debug.
    pub fn log_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Changes the application in any other way.
    pub fn map(mut self, change: impl FnOnce(App) -> App) -> Self {
        self.app = change(self.app);
        self
    }

    /// Builds the graph and runs the hooks.
    ///
    /// # Errors
    /// What keeps the application from running.
    pub async fn launch(self) -> Result<TestApp, AppError> {
        let capture = Capture::new(self.level);
        let launched = self.app.record().launch().with_subscriber(capture.dispatch()).await?;
        Ok(TestApp { launched, capture })
    }
}

/// A launched application, in memory.
///
/// Call [`TestApp::finish`] at the end: it stops the application and fails when
/// a response was not documented.
#[derive(Debug, Clone)]
pub struct TestApp {
    launched: Launched,
    capture: Capture,
}

impl TestApp {
    /// An application with `M` as its root module.
    pub fn builder<M: Module>() -> TestAppBuilder<M> {
        let app =
            App::new::<M>().map_config_sources(|sources| sources.default_profile(Profile::Test));
        TestAppBuilder { app, level: Level::DEBUG, module: PhantomData }
    }

    /// A provider, to look at its state.
    ///
    /// # Panics
    /// When it is not a singleton of the graph.
    #[must_use]
    pub fn provider<T: ?Sized + Token + Send + Sync + 'static>(&self) -> Inject<T> {
        self.launched.container().get().expect("the test asks for a singleton of the graph")
    }

    /// The built graph.
    #[must_use]
    pub fn container(&self) -> &FrozenDiContainer {
        self.launched.container()
    }

    /// The OpenAPI document.
    #[must_use]
    pub fn openapi(&self) -> &serde_json::Value {
        self.launched.openapi()
    }

    /// The application's metrics.
    #[must_use]
    pub fn metrics(&self) -> &arcly_http_core::observe::Metrics {
        self.launched.metrics()
    }

    /// A request of any method.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        TestRequest::new(self.launched.clone(), self.capture.clone(), method, path)
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> TestRequest {
        self.request(Method::POST, path)
    }

    /// A PUT request.
    pub fn put(&self, path: &str) -> TestRequest {
        self.request(Method::PUT, path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> TestRequest {
        self.request(Method::PATCH, path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> TestRequest {
        self.request(Method::DELETE, path)
    }

    /// What the application has written so far; the last 10,000 lines are kept.
    ///
    /// ```
    /// # use arcly_http_testing::{Level, TestApp};
    /// fn paid_once(app: &TestApp) {
    ///     app.logs().at_least(Level::WARN).expect_none();
    ///     let line = app.logs().containing("paid").with("route", "/orders/{id}").expect_one();
    ///     assert_eq!(line.field("principal"), Some("ann"));
    /// }
    /// ```
    #[must_use = "ask something of them: `.expect_one()`"]
    pub fn logs(&self) -> Logs {
        self.capture.logs()
    }

    /// The spans that the application has made so far; the last 10,000 are kept.
    #[must_use = "ask something of them: `.expect_one()`"]
    pub fn spans(&self) -> Spans {
        self.capture.spans()
    }

    /// Runs something of the test's own, so that what it writes is among the logs:
    /// `app.watch(app.provider::<Mailer>().send(..)).await`.
    pub async fn watch<F: Future>(&self, work: F) -> F::Output {
        work.with_subscriber(self.capture.dispatch()).await
    }

    /// What was answered outside the document so far, in words.
    #[must_use]
    pub fn undocumented(&self) -> Vec<String> {
        self.launched.undocumented()
    }

    /// Stops the application.
    ///
    /// # Panics
    /// When a response was outside the document, or a hook failed.
    pub async fn finish(self) {
        let undocumented = self.launched.undocumented();
        assert!(undocumented.is_empty(), "undocumented responses:\n{}", undocumented.join("\n"));
        let report = self.launched.shutdown().with_subscriber(self.capture.dispatch()).await;
        assert!(report.failures.is_empty(), "hooks failed: {:?}", report.failures);
    }
}
