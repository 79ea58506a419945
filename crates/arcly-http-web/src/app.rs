//! An application: a root module and what surrounds it, from launch to
//! shutdown.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arcly_http_core::access::{Access, Authenticator};
use arcly_http_core::config::{Config, ConfigErrors, ConfigSources, Loaded, SectionMeta};
use arcly_http_core::contract::{Contract, Info, Operation, OperationFacts, SecurityScheme};
use arcly_http_core::di::{
    Builder, ControllerMeta, FrozenDiContainer, Host, Instance, LaunchError, LaunchLimits, Module,
    ModuleMeta, Qualifier, RouteFact, ShutdownReport, Token, Unqualified, proof,
};
use arcly_http_core::observe::{HealthCheck, Metrics, OperationMetrics};
use arcly_http_core::problem::kinds;
use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};
use tower::{Service, ServiceExt as _};

use crate::argument::{BindError, Binder};
use crate::context::Seen;
use crate::describe::{Recorder, RouteLine};
use crate::docs::Docs;
use crate::pipeline::{ByMethod, Core, Route, Runtime, apply_layers, begin, is_protected};
use crate::route::{ControllerHttp, HttpRoute, ModuleHttp, Mounted, Table, Versioning};
use crate::serve::Network;
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
    /// A route could not be put into the table.
    #[error("route {0}")]
    Table(String),
    /// TLS cannot be served.
    #[error("cannot serve TLS: {0}")]
    Tls(#[from] crate::serve::TlsError),
    /// The listener failed.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Settings of an application that are not providers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaunchConfig {
    /// Most bytes of a request body, unless the route says otherwise. Default
    /// 2 MiB.
    pub body_limit: u64,
    /// How clients name versions. Default: in the URL.
    pub versioning: Versioning,
    /// Whether `/openapi.json` and `/docs` are served. Default: yes.
    pub docs: bool,
    /// Time limits of launch and shutdown.
    pub limits: LaunchLimits,
    /// How long requests may still run when the application stops. Default
    /// 10 s.
    pub drain: Duration,
    /// How long a client may take to send the head of a request. Default 10 s.
    pub header_timeout: Duration,
    /// How long the body of a request may be waited for, in all; each KiB that
    /// arrives earns another second. Default 10 s.
    pub body_timeout: Duration,
    /// How long a client may take less than 1 KiB a second of its response.
    /// Default 10 s.
    pub write_timeout: Duration,
    /// Most connections at a time; one more is answered 503 and closed. Default
    /// 16,384.
    pub connections_max: usize,
    /// Most connections at a time from one address (of IPv6: one /64). Behind a
    /// proxy all come from its address. Default 16,384.
    pub address_connections_max: usize,
    /// Proxies whose `Forwarded` and `X-Forwarded-For` are believed. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// Headers of every response that does not set its own. Default:
    /// `x-content-type-options: nosniff` and `content-security-policy:
    /// frame-ancestors 'none'`.
    pub security_headers: Vec<(HeaderName, HeaderValue)>,
    /// How long a connection may be idle between requests. Default 60 s.
    pub keep_alive: Duration,
}

impl Default for LaunchConfig {
    fn default() -> Self {
        Self {
            body_limit: 2 << 20,
            versioning: Versioning::default(),
            docs: true,
            limits: LaunchLimits::default(),
            drain: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            connections_max: 16_384,
            address_connections_max: 16_384,
            trusted_proxies: vec![],
            security_headers: vec![
                (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                (CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
            ],
            keep_alive: Duration::from_secs(60),
        }
    }
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
    /// nothing in the graph of `M` provides `T`.
    pub fn replace<M: Module, T>(mut self, value: Arc<T>) -> Self
    where
        T: ?Sized + Token + Send + Sync + 'static,
    {
        const { proof::check_provided(M::META, <Unqualified as Qualifier<T>>::KEY) }
        self.replaced.push((T::KEY, Instance::new(value)));
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
                self.config.versioning.prefix(declared.route.fact.version),
            );
        }
        contract.to_openapi()
    }

    /// The route table, without building any provider.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteLine> {
        let versioning = &self.config.versioning;
        let mut lines: Vec<RouteLine> =
            self.declared().iter().map(|declared| declared.line(versioning)).collect();
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
        let root = ModuleHttp::of(self.root.transport).stages;
        let mut declared = vec![];
        for module in self.root.in_order() {
            let is_root = module.key == self.root.key;
            let own = ModuleHttp::of(module.transport).stages;
            let of_module = if is_root { root.clone() } else { root.around(&own) };
            for &controller in module.controllers {
                let Some(http) = ControllerHttp::of(controller) else { continue };
                let of_controller = of_module.around(&http.stages);
                for route in http.routes {
                    let stages = of_controller.around(&route.stages);
                    let prefix = if is_root {
                        self.root.prefix.to_owned()
                    } else {
                        format!("{}{}", self.root.prefix, module.prefix)
                    };
                    declared.push(Declared { controller, route, stages, prefix });
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
        let config = self.load_config()?;
        let mut builder = Builder::new(self.root, config).limits(self.config.limits);
        for (key, instance) in &self.replaced {
            builder = builder.replace(*key, instance.clone());
        }
        let container = builder.build().await?;
        match self.mount_all(&container) {
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
    fn mount_all(self, container: &FrozenDiContainer) -> Result<Launched, AppError> {
        let mut contract = self.contract();
        let mut table = Table::new(self.config.versioning.clone());
        let metrics = container.metrics().clone();
        let mut facts = HashMap::new();
        let mut operations = vec![];
        for declared in self.declared() {
            let version = table.versioning().prefix(declared.route.fact.version);
            let of_operation = declared.describe(&mut contract, self.scheme(), version.clone());
            facts.insert(Recorder::key(declared.route.fact), of_operation.clone());
            let path = declared.path(&version);
            let of_route = metrics.requests().operation(declared.route.fact.method, &path);
            operations.push((declared.line(table.versioning()), Arc::clone(&of_route)));
            let body_limit = self.config.body_limit;
            let built = declared.build(container, of_operation, body_limit, of_route);
            let route = built.map_err(|source| AppError::Bind {
                route: format!("{} {path}", declared.route.fact.method),
                source,
            })?;
            table.add(&path, &declared.route, Arc::new(route)).map_err(AppError::Table)?;
        }
        for mounted in self.mounts {
            table.mount(mounted);
        }
        let filters = {
            let binder = Binder { container, fact: &NOWHERE };
            let stages = ModuleHttp::of(self.root.transport).stages;
            let bound =
                stages.filters.iter().map(|(bind, _)| bind(&binder)).collect::<Result<_, _>>();
            bound.map_err(|source| AppError::Bind { route: "of the root module".into(), source })?
        };
        let openapi = contract.to_openapi();
        let recorder = self.is_recorded.then(|| Recorder::new(facts));
        let runtime = Arc::new(Runtime {
            table,
            authenticator: container.get::<dyn Authenticator>().map(|found| found.into_arc()),
            filters,
            docs: self.config.docs.then(|| Docs::new(&openapi)),
            recorder: recorder.clone(),
            elsewhere: ByMethod::new(metrics.requests()),
            metrics,
            security_headers: self.config.security_headers.clone(),
            trusted_proxies: self.config.trusted_proxies.clone(),
        });
        Ok(Launched {
            runtime,
            container: container.clone(),
            openapi: Arc::new(openapi),
            recorder,
            root: self.root,
            operations: operations.into(),
            health_checks: container.get_all::<dyn HealthCheck>().into(),
            since: Instant::now(),
            config: self.config,
        })
    }
}

/// Stands in for a route where filters of the root module are bound.
static NOWHERE: RouteFact = RouteFact {
    method: "*",
    path: "",
    host: Host::Any,
    version: "",
    handler: "",
    place: arcly_http_core::di::Place { file: "", line: 0 },
    access: Access::Public,
    path_args: &[],
    deps: &[],
};

/// A route with everything around it.
struct Declared {
    controller: &'static ControllerMeta,
    route: HttpRoute,
    stages: Stages,
    prefix: String,
}

impl Declared {
    fn path(&self, version: &str) -> String {
        let prefix = &self.prefix;
        match self.route.fact.path {
            "/" if !(prefix.is_empty() && version.is_empty()) => format!("{version}{prefix}"),
            path => format!("{version}{prefix}{path}"),
        }
    }

    fn line(&self, versioning: &Versioning) -> RouteLine {
        let fact = self.route.fact;
        RouteLine {
            method: fact.method.into(),
            path: self.path(&versioning.prefix(fact.version)),
            host: match fact.host {
                Host::Any => None,
                Host::Name(name) => Some(name.into()),
            },
            access: fact.access.describe(),
            handler: format!("{}::{}", self.controller.provider.key, fact.handler),
            place: format!("{}:{}", fact.place.file, fact.place.line),
        }
    }

    fn describe(
        &self,
        contract: &mut Contract,
        scheme: Option<&str>,
        version: String,
    ) -> OperationFacts {
        let route = &self.route;
        let fact = route.fact;
        contract.add(fact.method, &self.path(&version), |operation: &mut Operation| {
            let own = route.operation_id.to_owned();
            let operation_id = if own.is_empty() { self.operation_id() } else { own };
            operation.name(&operation_id, route.summary, route.description);
            operation.tags(route.tags);
            if !route.deprecated.is_empty() {
                operation.deprecated();
                operation.header_everywhere::<String>(
                    "deprecation",
                    "Since when the operation is deprecated (RFC 9745).",
                );
            }
            if !route.sunset.is_empty() {
                operation.header_everywhere::<String>(
                    "sunset",
                    "When the operation will be gone (RFC 8594).",
                );
            }
            (route.describe)(operation);
            // What the pipeline itself may answer, whatever the handler takes.
            operation.problems(&[
                &kinds::NOT_ACCEPTABLE,
                &kinds::CONTENT_TOO_LARGE,
                &kinds::INTERNAL,
            ]);
            if let Some(scheme) = scheme {
                match fact.access {
                    Access::Public => operation.optional_security(scheme),
                    Access::Authenticated | Access::Can(_) => operation.security(scheme, &[]),
                }
                operation.problems(&[&kinds::UNAUTHENTICATED, &kinds::UNAVAILABLE]);
            }
            if let Access::Can(action) = fact.access {
                operation.problem(&kinds::FORBIDDEN);
                operation.extension("x-action", action.name.into());
            }
            if is_protected(&fact.access) {
                operation.extension("x-access", fact.access.describe().into());
            }
            self.stages.describe(operation);
        })
    }

    /// `ArticleController::create` becomes `articleCreate`.
    fn operation_id(&self) -> String {
        let name = self.controller.provider.key.name.rsplit("::").next().unwrap_or_default();
        let name = name.strip_suffix("Controller").unwrap_or(name);
        let mut letters = name.chars();
        let head = letters.next().map_or_else(String::new, |first| first.to_lowercase().collect());
        let handler: String = self
            .route
            .fact
            .handler
            .split('_')
            .map(|word| {
                let mut letters = word.chars();
                letters
                    .next()
                    .map_or_else(String::new, |f| f.to_uppercase().chain(letters).collect())
            })
            .collect();
        let version = self.route.fact.version.replace('.', "_");
        let version = if version.is_empty() { version } else { format!("V{version}") };
        format!("{head}{}{handler}{version}", letters.as_str())
    }

    fn build(
        &self,
        container: &FrozenDiContainer,
        facts: OperationFacts,
        body_limit: u64,
        metrics: Arc<OperationMetrics>,
    ) -> Result<Route, BindError> {
        let fact = self.route.fact;
        let binder = Binder { container, fact };
        let core = Arc::new(Core {
            interceptors: self
                .stages
                .interceptors
                .iter()
                .map(|(b, _)| b(&binder))
                .collect::<Result<_, _>>()?,
            filters: self
                .stages
                .filters
                .iter()
                .map(|(b, _)| b(&binder))
                .collect::<Result<_, _>>()?,
            endpoint: (self.route.mount)(&binder)?,
        });
        let is_immediate = matches!(fact.access, Access::Public)
            && core.endpoint.is_immediate()
            && core.interceptors.is_empty()
            && core.filters.is_empty()
            && self.stages.guards.is_empty()
            && self.stages.layers.is_empty();
        Ok(Route {
            is_immediate,
            metrics,
            fact,
            body_limit: self.route.body_limit.unwrap_or(body_limit),
            consumes: facts.consumes,
            produces: facts.produces,
            headers: retirement(&self.route),
            guards: self.stages.guards.iter().map(|(b, _)| b(&binder)).collect::<Result<_, _>>()?,
            layered: apply_layers(&core, &self.stages.layers),
            core,
        })
    }
}

/// `Deprecation` (RFC 9745: a structured date) and `Sunset` (RFC 8594: an HTTP
/// date). The macro has checked the form.
fn retirement(route: &HttpRoute) -> Vec<(HeaderName, HeaderValue)> {
    let moment = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    let mut headers = vec![];
    if let Some(since) = moment(route.deprecated)
        && let Ok(value) = HeaderValue::try_from(format!("@{}", since.timestamp()))
    {
        headers.push((HeaderName::from_static("deprecation"), value));
    }
    if let Some(end) = moment(route.sunset)
        && let Ok(value) = HeaderValue::try_from(httpdate::fmt_http_date(end.into()))
    {
        headers.push((HeaderName::from_static("sunset"), value));
    }
    headers
}

/// A launched application: it answers requests, with or without a port.
#[derive(Clone)]
pub struct Launched {
    pub(crate) runtime: Arc<Runtime>,
    container: FrozenDiContainer,
    openapi: Arc<serde_json::Value>,
    recorder: Option<Recorder>,
    root: &'static ModuleMeta,
    operations: Arc<[(RouteLine, Arc<OperationMetrics>)]>,
    health_checks: Arc<[Arc<dyn HealthCheck>]>,
    since: Instant,
    pub(crate) config: LaunchConfig,
}

impl std::fmt::Debug for Launched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Launched(..)")
    }
}

impl Launched {
    /// Answers one request.
    pub async fn handle(&self, request: http::Request<Body>, peer: Option<SocketAddr>) -> Response {
        let seen = Seen::of(request.headers());
        begin(&self.runtime, request, seen, peer).await
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

    /// Runs `on_drain`, stops the background tasks, and runs `on_shutdown`.
    pub async fn shutdown(&self) -> ShutdownReport {
        let mut report = self.container.drain().await;
        let last = self.container.shutdown().await;
        report.failures.extend(last.failures);
        report.tasks = last.tasks;
        report.elapsed += last.elapsed;
        report
    }
}
