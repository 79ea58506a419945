//! A declared route: described from its metadata, built from the graph.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::access::Access;
use arcly_http_core::cache::ResponseCache;
use arcly_http_core::contract::{Channel, Contract, Operation, OperationFacts};
use arcly_http_core::di::{ControllerMeta, FrozenDiContainer, Host, Key, Needer, RouteFact, Token};
use arcly_http_core::observe::{Counter, Metrics, OperationMetrics};
use arcly_http_core::problem::kinds;
use arcly_http_core::rate::RateLimitStore;
use arcly_http_core::scope::Scope;
use arcly_http_core::time::Clock;
use http::{HeaderName, HeaderValue, Method};

use super::LaunchConfig;
use crate::argument::{BindError, Binder};
use crate::cache::{Cache, Cached, Store, StoreLimits};
use crate::describe::RouteLine;
use crate::limit::{Gradient, Rated, Rates};
use crate::pipeline::message::{Event, Shared};
use crate::pipeline::security_headers::{self, Headers};
use crate::pipeline::{Core, Route, apply_layers, changes_things, is_protected};
use crate::route::{Emitted, HttpRoute, Versioning};
use crate::stage::Stages;

/// What all routes of an application are built with.
pub(super) struct Common<'a> {
    pub(super) config: &'a LaunchConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shed: Counter,
    pub(super) deadlines_exceeded: Counter,
    pub(super) rates: Arc<dyn RateLimitStore>,
    pub(super) rate_limited: Counter,
    pub(super) security_headers: Arc<Headers>,
    pub(super) metrics: &'a Metrics,
    pub(super) invalidated: ResponseCache,
    /// Made for the first route that has a cache.
    pub(super) store: OnceCell<Arc<Store>>,
}

impl Common<'_> {
    fn cached(
        &self,
        cache: &Cache,
        fact: &'static RouteFact,
        container: &FrozenDiContainer,
    ) -> Result<Cached, Fault> {
        if cache.mixes_callers()
            && let Some(argument) = asks_who_calls(fact, container)
        {
            return Err(Fault::Settings(format!(
                "cache: the argument `{argument}` is built from `Scope`, so the answer depends on who calls, and is given to others: leave `per = ..` out, or this argument"
            )));
        }
        let limits = StoreLimits {
            bytes: self.config.cache_bytes_max,
            entries: self.config.cache_entries_max,
            entry_bytes: self.config.cache_entry_max,
        };
        let store = || Arc::new(Store::new(limits, self.metrics, container.tasks()));
        let store = self.store.get_or_init(store);
        let (invalidated, clock) = (self.invalidated.clone(), Arc::clone(&self.clock));
        Cached::new(cache, fact, Arc::clone(store), invalidated, clock).map_err(Fault::Settings)
    }
}

/// The argument of a handler that knows the caller by way of a provider.
fn asks_who_calls(fact: &RouteFact, container: &FrozenDiContainer) -> Option<&'static str> {
    let asks = |key: &Key| {
        key.same(&Scope::KEY)
            || container.scoped_plan(key).is_some_and(|plan| plan.asks_for(&Scope::KEY))
    };
    fact.needs.iter().find_map(|needs| match needs.of {
        Needer::Handler { argument, .. } if needs.deps.iter().any(|dep| asks(&dep.spec.key)) => {
            Some(argument)
        }
        _ => None,
    })
}

/// Why a route cannot be built.
pub(super) enum Fault {
    Bind(BindError),
    Settings(String),
}

impl From<BindError> for Fault {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

/// A route with everything around it.
pub(super) struct Declared {
    pub(super) controller: &'static ControllerMeta,
    pub(super) route: HttpRoute,
    pub(super) stages: Stages,
    pub(super) prefix: String,
    /// Whether it opens sockets.
    pub(super) is_gateway: bool,
    /// What those may send.
    pub(super) events: Vec<DeclaredEvent>,
    /// What those are sent.
    pub(super) emits: Vec<Emitted>,
}

/// An event of a gateway with everything around it.
pub(super) struct DeclaredEvent {
    pub(super) name: &'static str,
    pub(super) route: HttpRoute,
    pub(super) stages: Stages,
    /// The levels whose rate limits count messages: gateway and event. Those further out
    /// count requests.
    pub(super) rated: Vec<Rated>,
}

impl DeclaredEvent {
    fn build(
        &self,
        container: &FrozenDiContainer,
        shared: &Arc<Shared>,
        common: &Common<'_>,
    ) -> Result<Event, Fault> {
        let fact = self.route.fact;
        let binder =
            Binder { container, fact, config: common.config, events: &[], is_of_gateway: true };
        let settings = &self.stages.settings;
        let cost = settings.rate_cost.unwrap_or(1);
        let rates = Rates::new(self.rated.clone(), cost, &common.rates, &common.rate_limited);
        let core = bind_core(&self.stages, &self.route, &binder, common)?;
        Ok(Event {
            fact,
            name: self.name,
            guards: bind_all(&self.stages.guards, &binder)?,
            core,
            rates: rates.map_err(Fault::Settings)?,
            deadline: settings.deadline.unwrap_or(common.config.deadline),
            shared: Arc::clone(shared),
        })
    }
}

type Bound<T> = (fn(&Binder<'_>) -> Result<Arc<T>, BindError>, fn(&mut Operation));

fn bind_all<T: ?Sized>(stages: &[Bound<T>], binder: &Binder<'_>) -> Result<Vec<Arc<T>>, BindError> {
    stages.iter().map(|(bind, _)| bind(binder)).collect()
}

fn bind_core(
    stages: &Stages,
    route: &HttpRoute,
    binder: &Binder<'_>,
    common: &Common<'_>,
) -> Result<Arc<Core>, BindError> {
    Ok(Arc::new(Core {
        interceptors: bind_all(&stages.interceptors, binder)?,
        filters: bind_all(&stages.filters, binder)?,
        endpoint: (route.mount)(binder)?,
        clock: Arc::clone(&common.clock),
    }))
}

impl Declared {
    pub(super) fn path(&self, version: &str) -> String {
        let prefix = &self.prefix;
        match self.route.fact.path {
            "/" if !(prefix.is_empty() && version.is_empty()) => format!("{version}{prefix}"),
            path => format!("{version}{prefix}{path}"),
        }
    }

    pub(super) fn line(&self, versioning: &Versioning) -> RouteLine {
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

    /// The route, and the events of a gateway.
    pub(super) fn lines(&self, versioning: &Versioning) -> Vec<RouteLine> {
        let own = self.line(versioning);
        let events = self.events.iter().map(|event| {
            let fact = event.route.fact;
            RouteLine {
                method: fact.method.into(),
                path: format!("{}#{}", own.path, event.name),
                host: own.host.clone(),
                access: fact.access.describe(),
                handler: format!("{}::{}", self.controller.provider.key, fact.handler),
                place: format!("{}:{}", fact.place.file, fact.place.line),
            }
        });
        let events: Vec<_> = events.collect();
        std::iter::once(own).chain(events).collect()
    }

    pub(super) fn describe(
        &self,
        contract: &mut Contract,
        scheme: Option<&str>,
        config: &LaunchConfig,
        version: String,
    ) -> OperationFacts {
        let route = &self.route;
        let fact = route.fact;
        contract.add(fact.method, &self.path(&version), |operation: &mut Operation| {
            operation.name(fact.operation_id, route.summary, route.description);
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
            if config.in_flight_max.is_some() || config.adaptive.is_some() {
                operation.problem(&kinds::UNAVAILABLE);
            }
            if self.refuses_cross_site(config) {
                operation.problem(&kinds::FORBIDDEN);
            }
            if !self.stages.settings.rated.is_empty() {
                Rates::describe(operation);
            }
            if let Some(cache) = &self.stages.settings.cache {
                cache.describe(operation);
            }
            if let Some(limit) = self.deadline(config) {
                operation.problem(&kinds::TIMEOUT);
                let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                operation.extension("x-deadline-ms", millis.into());
            }
            self.stages.describe(operation);
        })
    }

    /// Describes a gateway for AsyncAPI: its handshake, what it takes, what it sends.
    pub(super) fn describe_channel(
        &self,
        contract: &mut Contract,
        scheme: Option<&str>,
        config: &LaunchConfig,
        version: String,
    ) -> Channel {
        let channel = Channel {
            path: self.path(&version),
            receives: self.events.iter().map(|event| event.name).collect(),
            sends: self.emits.iter().map(|event| event.name).collect(),
        };
        self.describe(contract, scheme, config, version);
        for event in &self.events {
            let (route, fact) = (&event.route, event.route.fact);
            contract.add("POST", &channel.receive_path(event.name), |operation: &mut Operation| {
                operation.name("", route.summary, route.description);
                operation.tags(route.tags);
                (route.describe)(operation);
                operation.problem(&kinds::INTERNAL);
                if let (Some(scheme), true) = (scheme, is_protected(&fact.access)) {
                    operation.security(scheme, &[]);
                    operation.problem(&kinds::UNAUTHENTICATED);
                }
                if let Access::Can(action) = fact.access {
                    operation.problem(&kinds::FORBIDDEN);
                    operation.extension("x-action", action.name.into());
                }
                operation.extension("x-access", fact.access.describe().into());
                if !event.rated.is_empty() {
                    Rates::describe(operation);
                }
                let deadline = event.stages.settings.deadline.unwrap_or(config.deadline);
                if let Some(limit) = deadline {
                    operation.problem(&kinds::TIMEOUT);
                    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                    operation.extension("x-deadline-ms", millis.into());
                }
                event.stages.describe(operation);
            });
        }
        for event in &self.emits {
            contract.add("GET", &channel.send_path(event.name), event.describe);
        }
        channel
    }

    fn refuses_cross_site(&self, config: &LaunchConfig) -> bool {
        let changes = Method::from_bytes(self.route.fact.method.as_bytes())
            .is_ok_and(|method| changes_things(&method));
        // A page opens sockets of other origins with the user's cookies, and reads them.
        (changes || self.is_gateway) && self.stages.settings.csrf.unwrap_or(config.csrf)
    }

    fn deadline(&self, config: &LaunchConfig) -> Option<Duration> {
        self.stages.settings.deadline.unwrap_or(config.deadline)
    }

    pub(super) fn build(
        &self,
        container: &FrozenDiContainer,
        facts: OperationFacts,
        metrics: Arc<OperationMetrics>,
        common: &Common<'_>,
    ) -> Result<Route, Fault> {
        let config = common.config;
        let fact = self.route.fact;
        let shared = OnceCell::new();
        let shared = || {
            shared.get_or_init(|| {
                Arc::new(Shared {
                    clock: Arc::clone(&common.clock),
                    tracing: config.tracing.clone(),
                    deadlines_exceeded: common.deadlines_exceeded.clone(),
                })
            })
        };
        let events = self
            .events
            .iter()
            .map(|event| event.build(container, shared(), common).map(Arc::new))
            .collect::<Result<Vec<_>, Fault>>()?;
        let binder =
            Binder { container, fact, config, events: &events, is_of_gateway: self.is_gateway };
        let core = bind_core(&self.stages, &self.route, &binder, common)?;
        let settings = &self.stages.settings;
        if settings.rate_cost.is_some() && settings.rated.is_empty() {
            let fault = "`rate_cost` has no effect: no `rate_limit(..)` counts this operation";
            return Err(Fault::Settings(fault.to_owned()));
        }
        let cost = settings.rate_cost.unwrap_or(1);
        let rates = Rates::new(settings.rated.clone(), cost, &common.rates, &common.rate_limited)
            .map_err(Fault::Settings)?;
        let is_immediate = matches!(fact.access, Access::Public)
            && core.endpoint.is_immediate()
            && core.interceptors.is_empty()
            && core.filters.is_empty()
            && self.stages.guards.is_empty()
            && self.stages.layers.is_empty()
            && rates.is_none()
            && settings.cache.is_none();
        Ok(Route {
            is_immediate,
            deadline: self.deadline(config),
            rates,
            cors: match settings.cors.as_ref().unwrap_or(&config.cors) {
                Some(cors) => Some(cors.compile().map_err(Fault::Settings)?),
                None => None,
            },
            refuses_cross_site: self.refuses_cross_site(config),
            compress: settings
                .compress
                .unwrap_or(config.compress)
                .with_certificates(config.client_certificates),
            cache: settings
                .cache
                .as_ref()
                .map(|cache| common.cached(cache, fact, container))
                .transpose()?,
            security_headers: match settings.security_headers.as_slice() {
                [] => Arc::clone(&common.security_headers),
                levels => {
                    let headers = security_headers::of_levels(&common.security_headers, levels);
                    Arc::new(headers.map_err(Fault::Settings)?)
                }
            },
            // What never waits is done before it could be too much.
            in_flight: config.adaptive.filter(|_| !is_immediate).map(|bounds| {
                let (clock, shed) = (Arc::clone(&common.clock), common.shed.clone());
                Arc::new(Gradient::new(bounds, clock, shed))
            }),
            metrics,
            fact,
            body_limit: self.route.body_limit.unwrap_or(config.body_limit),
            consumes: facts.consumes,
            produces: facts.produces,
            headers: retirement(&self.route),
            guards: bind_all(&self.stages.guards, &binder)?,
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
