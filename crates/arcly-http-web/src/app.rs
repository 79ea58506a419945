//! An application: a root module and what surrounds it, from launch to
//! shutdown.

mod config;
mod declared;
mod sockets;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arcly_http_core::access::{Access, Authenticator};
use arcly_http_core::cache::ResponseCache;
use arcly_http_core::config::{Config, ConfigErrors, ConfigSources, Loaded, SectionMeta};
use arcly_http_core::contract::{Contract, Info, SecurityScheme};
use arcly_http_core::di::{
    Builder, FrozenDiContainer, Host, Instance, LaunchError, Module, ModuleMeta, Qualifier,
    RouteFact, ShutdownReport, Token, Unqualified, proof,
};
use arcly_http_core::observe::{HealthCheck, Metrics, OperationMetrics};
use arcly_http_core::rate::{LocalRateLimits, RateLimitStore};
use arcly_http_core::time::{Clock, SystemClock};
use tower::{Service, ServiceExt as _};

pub use config::LaunchConfig;
use declared::{Common, Declared, DeclaredEvent, Fault};
pub use sockets::WsTuning;

use crate::argument::{BindError, Binder};
use crate::context::Seen;
use crate::describe::{Recorder, RouteLine};
use crate::docs::{Docs, Document};
use crate::limit::Admission;
use crate::pipeline::{ByMethod, Cors, Runtime, begin};
use crate::plugin::{self, PluginMeta};
use crate::route::{ControllerHttp, ModuleHttp, Mounted, Table};
use crate::stage::Stages;
use crate::{Body, Response};

/// Why an application does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// Faults of the configuration, all of them.
    #[error("the configuration is not valid:\n{0}")]
    Config(#[from] ConfigErrors),
    /// `--help` was asked for.
    #[error("{0}")]
    Help(String),
    /// A provider or a hook failed.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A route could not be mounted.
    #[error("route {route}: {source}")]
    Bind {
        /// Method and path.
        route: String,
        /// What is missing.
        source: BindError,
    },
    /// What is said of a route cannot be.
    #[error("route {route}: {fault}")]
    Settings {
        /// Method and path.
        route: String,
        /// What is wrong, and what to write instead.
        fault: String,
    },
    /// A route could not be put into the table.
    #[error("route {0}")]
    Table(String),
    /// A command is not known, or failed.
    #[error("{0}")]
    Command(String),
    /// A plugin cannot be called what it is called.
    #[error("{0}")]
    Plugin(String),
    /// TLS cannot be served.
    #[error("cannot serve TLS: {0}")]
    Tls(#[from] crate::serve::TlsError),
    /// What records the work cannot be set up.
    #[error("log or spans cannot be set up: {0}")]
    Telemetry(Box<dyn std::error::Error + Send + Sync>),
    /// The listener failed.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// An application before it is launched.
#[must_use = "an application does nothing before it is launched"]
pub struct App {
    root: &'static ModuleMeta,
    sources: ConfigSources,
    sections: Vec<&'static SectionMeta>,
    config: LaunchConfig,
    info: Info,
    security: (String, SecurityScheme),
    replaced: Vec<(arcly_http_core::di::Key, Instance)>,
    mounts: Vec<Mounted>,
    is_recorded: bool,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.root.key)
    }
}

impl App {
    /// An application with `M` as its root module. The graph below `M` is
    /// proved when this is compiled.
    pub fn new<M: Module>() -> Self {
        const { proof::check(M::META) }
        Self {
            root: M::META,
            sources: ConfigSources::new(),
            sections: vec![],
            config: LaunchConfig::default(),
            info: Info { title: "API".into(), version: "0.0.0".into(), ..Info::default() },
            security: (
                "bearer".to_owned(),
                SecurityScheme::HttpBearer {
                    format: "JWT",
                    description: "`Authorization: Bearer <token>`",
                },
            ),
            replaced: vec![],
            mounts: vec![],
            is_recorded: false,
        }
    }

    /// Sets where configuration comes from. Default: nowhere but defaults;
    /// `#[arcly_http::main]` sets file, environment and arguments.
    pub fn config_sources(mut self, sources: ConfigSources) -> Self {
        self.sources = sources;
        self
    }

    /// Changes where configuration comes from.
    pub fn map_config_sources(
        mut self,
        change: impl FnOnce(ConfigSources) -> ConfigSources,
    ) -> Self {
        self.sources = change(self.sources);
        self
    }

    /// Declares a section that no provider reads, so that its keys are known.
    pub fn section(mut self, section: &'static SectionMeta) -> Self {
        self.sections.push(section);
        self
    }

    /// Changes the launch settings.
    pub fn configure(mut self, change: impl FnOnce(&mut LaunchConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Names the API in its document.
    pub fn info(mut self, title: &str, version: &str, description: &str) -> Self {
        self.info.title = title.into();
        self.info.version = version.into();
        self.info.description = description.into();
        self
    }

    /// Changes what the document says of the API: licence, contact, servers,
    /// what the tags mean.
    pub fn document(mut self, change: impl FnOnce(&mut Info)) -> Self {
        change(&mut self.info);
        self
    }

    /// Names the API after the package, unless [`App::info`] named it.
    pub fn default_info(mut self, title: &str, version: &str) -> Self {
        if self.info.version == "0.0.0" {
            self.info.title = title.into();
            self.info.version = version.into();
        }
        self
    }

    /// Says in the document how callers authenticate. Default: `bearer`.
    pub fn security_scheme(mut self, name: &str, scheme: SecurityScheme) -> Self {
        self.security = (name.to_owned(), scheme);
        self
    }

    /// Uses `value` wherever `T` is injected, as tests do. Does not compile when
    /// nothing in the graph of `M` provides `T`; as this is generic, `cargo build` says so,
    /// and `cargo check` does not.
    pub fn replace<M: Module, T>(self, value: Arc<T>) -> Self
    where
        T: ?Sized + Token + Send + Sync + 'static,
    {
        const { proof::check_provided(M::META, <Unqualified as Qualifier<T>>::KEY) }
        self.replace_checked(T::KEY, Instance::new(value))
    }

    /// [`App::replace`] for a caller that has asked the proof itself, so that the
    /// message points at its own caller.
    #[doc(hidden)]
    pub fn replace_checked(mut self, key: arcly_http_core::di::Key, instance: Instance) -> Self {
        self.replaced.push((key, instance));
        self
    }

    /// Mounts an axum router, or any tower service, below a prefix, under a
    /// stated access rule. Declared routes go first. The prefix is cut off the
    /// path; the caller's `Scope` is in the request's extensions.
    pub fn mount<S, B>(mut self, prefix: &str, access: Access, service: S) -> Self
    where
        S: Service<
                http::Request<axum::body::Body>,
                Response = http::Response<B>,
                Error = std::convert::Infallible,
            > + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<crate::body::BoxError>,
    {
        let service = service
            .map_request(|request: http::Request<Body>| request.map(axum::body::Body::new))
            .map_response(|response: http::Response<B>| response.map(Body::new));
        self.mounts.push(Mounted {
            prefix: prefix.trim_end_matches('/').to_owned(),
            access,
            service: tower::util::BoxCloneSyncService::new(service),
        });
        self
    }

    /// Holds every response against the document; for tests.
    pub fn record(mut self) -> Self {
        self.is_recorded = true;
        self
    }

    /// The root module.
    #[must_use]
    pub fn root(&self) -> &'static ModuleMeta {
        self.root
    }

    /// The plugins of all modules. One that several modules take is one.
    ///
    /// # Errors
    /// A name that is none, or that two plugins have.
    pub fn plugins(&self) -> Result<Vec<PluginMeta>, AppError> {
        let mut taken: Vec<(arcly_http_core::di::Key, PluginMeta)> = vec![];
        for module in self.root.in_order() {
            for (key, plugin) in ModuleHttp::of(module.transport).plugins {
                if !taken.iter().any(|(known, _)| *known == key) {
                    taken.push((key, plugin));
                }
            }
        }
        let plugins: Vec<_> = taken.into_iter().map(|(_, plugin)| plugin).collect();
        plugin::fault(&plugins).map_or(Ok(plugins), |fault| Err(AppError::Plugin(fault)))
    }

    /// Loads the configuration alone.
    ///
    /// # Errors
    /// Every fault of the configuration, or the text of `--help`.
    pub fn load_config(&self) -> Result<Config, AppError> {
        let mut sections = self.sections.clone();
        for module in self.root.in_order() {
            sections.extend(module.providers.iter().filter_map(|entry| entry.meta.config));
        }
        match self.sources.load(&sections)? {
            Loaded::Config(config) => Ok(config),
            Loaded::Help(text) => Err(AppError::Help(text)),
        }
    }

    /// Writes the document without building any provider.
    #[must_use]
    pub fn openapi(&self) -> serde_json::Value {
        let mut contract = self.contract();
        for declared in self.declared() {
            declared.describe(
                &mut contract,
                self.scheme(),
                &self.config,
                self.config.versioning.prefix(declared.route.fact.version),
            );
        }
        contract.to_openapi()
    }

    /// Writes the AsyncAPI document of the gateways, without building any provider; `None`
    /// where there are none.
    #[must_use]
    pub fn asyncapi(&self) -> Option<serde_json::Value> {
        let declared = self.declared();
        let gateways: Vec<_> = declared.into_iter().filter(|found| found.is_gateway).collect();
        (!gateways.is_empty())
            .then(|| asyncapi(self.contract(), &gateways, self.scheme(), &self.config))
    }

    /// The route table, without building any provider.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteLine> {
        let versioning = &self.config.versioning;
        let mut lines: Vec<RouteLine> =
            self.declared().iter().flat_map(|declared| declared.lines(versioning)).collect();
        lines.extend(self.mounts.iter().map(|mounted| RouteLine {
            method: "*".into(),
            path: format!("{}/*", mounted.prefix),
            host: None,
            access: mounted.access.describe(),
            handler: "mounted service".into(),
            place: String::new(),
        }));
        lines.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
        lines
    }

    fn contract(&self) -> Contract {
        let mut contract = Contract::new(self.info.clone());
        if self.scheme().is_some() {
            contract.security_scheme(&self.security.0, &self.security.1);
        }
        contract.header_everywhere(
            "x-request-id",
            "Identifies the request, in the log too; the client's own id if it sent a sane one.",
        );
        contract
    }

    /// The scheme that operations name; none when nothing in the graph checks
    /// credentials, so that none are read.
    fn scheme(&self) -> Option<&str> {
        let key = <dyn Authenticator as Token>::KEY;
        let is_checked = self.root.in_order().iter().any(|module| {
            module.providers.iter().any(|entry| {
                entry.meta.key == key || entry.bindings.iter().any(|binding| binding.key == key)
            })
        });
        is_checked.then_some(self.security.0.as_str())
    }

    /// Every declared route with the stages of all its levels.
    fn declared(&self) -> Vec<Declared> {
        let all = self.config.rate_limits.iter().copied().fold(Stages::new(), Stages::rate_limit);
        let root = ModuleHttp::of(self.root.transport).stages;
        let root = all.named("all", "").around(&root.named("app", &self.root.key.to_string()));
        let mut declared = vec![];
        for module in self.root.in_order() {
            let is_root = module.key == self.root.key;
            let own = ModuleHttp::of(module.transport).stages;
            let own = own.named("module", &module.key.to_string());
            let of_module = if is_root { root.clone() } else { root.around(&own) };
            for &controller in module.controllers {
                let Some(http) = ControllerHttp::of(controller) else { continue };
                let name = controller.provider.key.to_string();
                let own = http.stages.named("controller", &name);
                let of_controller = of_module.around(&own);
                let mut events: Vec<_> = http
                    .events
                    .into_iter()
                    .map(|mut event| {
                        let stages = std::mem::take(&mut event.route.stages);
                        let place = format!("{name}::{}", event.route.fact.handler);
                        let inner = stages.named("operation", &place);
                        DeclaredEvent {
                            name: event.name,
                            rated: own.around(&inner).settings.rated,
                            stages: of_controller.around(&inner),
                            route: event.route,
                        }
                    })
                    .collect();
                for mut route in http.routes {
                    let own = std::mem::take(&mut route.stages);
                    let place = format!("{name}::{}", route.fact.handler);
                    let stages = of_controller.around(&own.named("operation", &place));
                    let prefix = if is_root {
                        self.root.prefix.to_owned()
                    } else {
                        format!("{}{}", self.root.prefix, module.prefix)
                    };
                    let events = std::mem::take(&mut events);
                    let emits = http.emits.clone();
                    let is_gateway = http.is_gateway;
                    declared.push(Declared {
                        controller,
                        route,
                        stages,
                        prefix,
                        is_gateway,
                        events,
                        emits,
                    });
                }
            }
        }
        declared
    }

    /// Builds the graph, mounts the routes and runs the hooks up to `on_start`.
    ///
    /// # Errors
    /// Whatever keeps the application from running; what was built is torn down.
    pub async fn launch(self) -> Result<Launched, AppError> {
        let plugins = self.plugins()?;
        let config = self.load_config()?;
        let mut builder = Builder::new(self.root, config).limits(self.config.limits);
        for (key, instance) in &self.replaced {
            builder = builder.replace(*key, instance.clone());
        }
        let container = builder.build().await?;
        match self.mount_all(&container, plugins) {
            Ok(launched) => match container.start().await {
                Ok(()) => Ok(launched),
                Err(error) => {
                    launched.shutdown().await;
                    Err(error.into())
                }
            },
            Err(error) => {
                container.shutdown().await;
                Err(error)
            }
        }
    }

    /// Binds every route to the graph and writes the document.
    fn mount_all(
        self,
        container: &FrozenDiContainer,
        plugins: Vec<PluginMeta>,
    ) -> Result<Launched, AppError> {
        let mut contract = self.contract();
        let mut table = Table::new(self.config.versioning.clone());
        let metrics = container.metrics().clone();
        let admission = Admission::new(self.config.in_flight_max, self.config.delay_max, &metrics);
        let clock: Arc<dyn Clock> = container
            .get::<dyn Clock>()
            .map_or_else(|| Arc::new(SystemClock) as _, |found| found.into_arc());
        let cors_of_all = self.config.cors.as_ref().map(Cors::compile).transpose();
        let cors_of_all = cors_of_all
            .map_err(|fault| AppError::Settings { route: "of the application".into(), fault })?;
        let security_headers = Arc::new(self.config.security_headers.clone());
        let common = Common {
            security_headers: Arc::clone(&security_headers),
            metrics: &metrics,
            invalidated: container
                .get::<ResponseCache>()
                .map_or_else(ResponseCache::new, |cache| ResponseCache::clone(&cache)),
            store: OnceCell::new(),
            config: &self.config,
            shed: admission.of_operation.clone(),
            deadlines_exceeded: metrics.counter(
                "http_server_deadlines_exceeded",
                "Requests whose operation was given up because its time was over",
            ),
            rate_limited: metrics.counter(
                "http_server_requests_rate_limited",
                "Requests refused because a rate limit was used up",
            ),
            rates: container.get::<dyn RateLimitStore>().map_or_else(
                || Arc::new(LocalRateLimits::new(Arc::clone(&clock))) as _,
                |found| found.into_arc(),
            ),
            clock: Arc::clone(&clock),
        };
        let mut facts = HashMap::new();
        let mut operations = vec![];
        let mut ids: HashMap<&str, String> = HashMap::new();
        let mut gateways = vec![];
        for declared in self.declared() {
            let version = table.versioning().prefix(declared.route.fact.version);
            let of_operation =
                declared.describe(&mut contract, self.scheme(), &self.config, version.clone());
            facts.insert(Recorder::key(declared.route.fact), of_operation.clone());
            let path = declared.path(&version);
            if !of_operation.faults.is_empty() {
                return Err(AppError::Settings {
                    route: format!("{} {path}", declared.route.fact.method),
                    fault: of_operation.faults.join("; "),
                });
            }
            let of_route = metrics.requests().operation(declared.route.fact.method, &path);
            operations.push((declared.line(table.versioning()), Arc::clone(&of_route)));
            let built = declared.build(container, of_operation, of_route, &common);
            let route = format!("{} {path}", declared.route.fact.method);
            let id = declared.route.fact.operation_id;
            if let Some(other) = ids.insert(id, route.clone()) {
                let fault = format!(
                    "its operation id `{id}` is that of {other} as well; write `operation_id = \"..\"` on one of them"
                );
                return Err(AppError::Settings { route, fault });
            }
            let built = built.map_err(|fault| match fault {
                Fault::Bind(source) => AppError::Bind { route, source },
                Fault::Settings(fault) => AppError::Settings { route, fault },
            })?;
            table.add(&path, &declared.route, Arc::new(built)).map_err(AppError::Table)?;
            if declared.is_gateway {
                gateways.push(declared);
            }
        }
        let sockets: Option<Arc<Document>> = (!gateways.is_empty()).then(|| {
            let (empty, config) = (self.contract(), self.config.clone());
            let scheme = self.scheme().map(str::to_owned);
            let write = move || asyncapi(empty, &gateways, scheme.as_deref(), &config);
            Arc::new(Document::new(Box::new(write)))
        });
        for mounted in self.mounts {
            table.mount(mounted);
        }
        let filters = {
            let binder = Binder {
                container,
                fact: &NOWHERE,
                config: &self.config,
                events: &[],
                is_of_gateway: false,
            };
            let stages = ModuleHttp::of(self.root.transport).stages;
            let bound =
                stages.filters.iter().map(|(bind, _)| bind(&binder)).collect::<Result<_, _>>();
            bound.map_err(|source| AppError::Bind { route: "of the root module".into(), source })?
        };
        let openapi: Arc<Document> =
            Arc::new(Document::new(Box::new(move || contract.to_openapi())));
        if let Some(tracing) = &self.config.tracing {
            container.tasks().trace(tracing);
        }
        let recorder = self.is_recorded.then(|| Recorder::new(facts));
        let runtime = Arc::new(Runtime {
            table,
            authenticator: container.get::<dyn Authenticator>().map(|found| found.into_arc()),
            filters,
            docs: self.config.docs.then(|| Docs::new(&openapi, sockets.as_ref())),
            recorder: recorder.clone(),
            clock,
            deadline: self.config.deadline,
            cors: cors_of_all,
            csrf: self.config.csrf,
            compress: self.config.compress.with_certificates(self.config.client_certificates),
            compress_min: self.config.compress_min,
            deadlines_exceeded: common.deadlines_exceeded,
            admission,
            elsewhere: ByMethod::new(metrics.requests()),
            metrics,
            security_headers,
            trusted_proxies: self.config.trusted_proxies.clone(),
            tracing: self.config.tracing.clone(),
        });
        Ok(Launched {
            runtime,
            container: container.clone(),
            openapi,
            recorder,
            root: self.root,
            operations: operations.into(),
            health_checks: container.get_all::<dyn HealthCheck>().into(),
            plugins: plugins.into(),
            since: Instant::now(),
            draining: Arc::default(),
            config: self.config,
        })
    }
}

fn asyncapi(
    mut contract: Contract,
    gateways: &[Declared],
    scheme: Option<&str>,
    config: &LaunchConfig,
) -> serde_json::Value {
    let channels: Vec<_> = gateways
        .iter()
        .map(|gateway| {
            let version = config.versioning.prefix(gateway.route.fact.version);
            gateway.describe_channel(&mut contract, scheme, config, version)
        })
        .collect();
    contract.to_asyncapi(&channels)
}

/// Stands in for a route where filters of the root module are bound.
static NOWHERE: RouteFact = RouteFact {
    method: "*",
    path: "",
    host: Host::Any,
    version: "",
    operation_id: "",
    handler: "",
    place: arcly_http_core::di::Place { file: "", line: 0 },
    access: Access::Public,
    path_args: &[],
    needs: &[],
};

/// A launched application: it answers requests, with or without a port.
#[derive(Clone)]
pub struct Launched {
    pub(crate) runtime: Arc<Runtime>,
    container: FrozenDiContainer,
    openapi: Arc<Document>,
    recorder: Option<Recorder>,
    root: &'static ModuleMeta,
    operations: Arc<[(RouteLine, Arc<OperationMetrics>)]>,
    health_checks: Arc<[Arc<dyn HealthCheck>]>,
    plugins: Arc<[PluginMeta]>,
    since: Instant,
    draining: Arc<Draining>,
    pub(crate) config: LaunchConfig,
}

/// The `on_drain` hooks, which run once.
#[derive(Default)]
struct Draining {
    has_begun: AtomicBool,
    report: Mutex<ShutdownReport>,
}

impl std::fmt::Debug for Launched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Launched(..)")
    }
}

impl Launched {
    /// Answers one request.
    pub async fn handle(&self, request: http::Request<Body>, peer: Option<SocketAddr>) -> Response {
        let (parts, body) = request.into_parts();
        let seen = Seen::of(&parts.headers);
        begin(&self.runtime, parts, body, seen, peer).await
    }

    /// The built graph.
    #[must_use]
    pub fn container(&self) -> &FrozenDiContainer {
        &self.container
    }

    /// The OpenAPI document.
    #[must_use]
    pub fn openapi(&self) -> &serde_json::Value {
        &self.openapi
    }

    /// The root module.
    pub(crate) fn root(&self) -> &'static ModuleMeta {
        self.root
    }

    /// Every declared route, with what was counted of it.
    pub(crate) fn operations(&self) -> &[(RouteLine, Arc<OperationMetrics>)] {
        &self.operations
    }

    /// All providers that are bound to `dyn HealthCheck`.
    pub(crate) fn health_checks(&self) -> &[Arc<dyn HealthCheck>] {
        &self.health_checks
    }

    /// The plugins of all modules.
    pub(crate) fn plugins(&self) -> &[PluginMeta] {
        &self.plugins
    }

    /// How long ago the application was launched.
    pub(crate) fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    /// The application's metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.runtime.metrics
    }

    /// What was answered outside the document, if [`App::record`] was asked.
    #[must_use]
    pub fn undocumented(&self) -> Vec<String> {
        self.recorder.as_ref().map(Recorder::faults).unwrap_or_default()
    }

    /// Holds responses against the document, if [`App::record`] was asked.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// Runs `on_drain`, unless that has begun already: the server does it when it is told
    /// to stop, while requests are still answered.
    pub async fn drain(&self) {
        if !self.draining.has_begun.swap(true, Ordering::SeqCst) {
            let report = self.container.drain().await;
            *self.draining.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
        }
    }

    /// Runs `on_drain`, stops the background tasks, and runs `on_shutdown`.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.drain().await;
        let mut report = std::mem::take(
            &mut *self.draining.report.lock().unwrap_or_else(PoisonError::into_inner),
        );
        let last = self.container.shutdown().await;
        report.failures.extend(last.failures);
        report.tasks = last.tasks;
        report.elapsed += last.elapsed;
        report
    }
}
