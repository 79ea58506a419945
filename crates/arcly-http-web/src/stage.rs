//! The stages that users add: guards, interceptors, filters, tower layers.
//!
//! Each may stand at application (root module), module, controller and route
//! level. Outer levels run first; within a level, in the order written.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::contract::Operation;
use arcly_http_core::di::Token;
use arcly_http_core::problem::Problem;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service};

use crate::argument::{BindError, Binder};
use crate::cache::Cache;
use crate::endpoint::Endpoint;
use crate::limit::{RateLimit, Rated};
use crate::pipeline::security_headers::SecurityHeaders;
use crate::pipeline::{Compress, Cors};
use crate::{Body, Context, Head, Response};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Decides whether a request may go on, after the access rule and before the
/// body is read. A provider: derive `Injectable`, list it in a module, and name it in
/// `guards(..)`: one that nobody names does not compile.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a guard",
    label = "implement `Guard` for it",
    note = "`describe` says in the document how it refuses, `check` refuses"
)]
pub trait Guard: Send + Sync + 'static {
    /// Says in the document what it reads and how it refuses.
    fn describe(operation: &mut Operation);

    /// Lets the request pass, or refuses it.
    ///
    /// # Errors
    /// What the client is told.
    fn check(&self, head: &Head) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// Runs around the handler: before it, after it, or instead of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an interceptor",
    label = "implement `Interceptor` for it"
)]
pub trait Interceptor: Send + Sync + 'static {
    /// Says in the document what it adds; by default nothing.
    fn describe(operation: &mut Operation) {
        let _ = operation;
    }

    /// Calls `next.run(context)`, or answers by itself.
    ///
    /// # Errors
    /// What the client is told.
    fn around(
        &self,
        context: &mut Context,
        next: Next<'_>,
    ) -> impl Future<Output = Result<Response, Problem>> + Send;
}

/// Sees every problem on its way to the client: changes it, or answers in its
/// own form. It does not see internal causes as text; those are logged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a filter of problems",
    label = "implement `Filter` for it",
    note = "what decides whether a request may go on is a guard: `guards(..)`"
)]
pub trait Filter: Send + Sync + 'static {
    /// Says in the document how it changes problems; by default not at all.
    fn describe(operation: &mut Operation) {
        let _ = operation;
    }

    /// Gives the problem on (`Err`), or answers (`Ok`).
    ///
    /// # Errors
    /// The problem that the next filter sees.
    fn catch(
        &self,
        problem: Problem,
        head: &Head,
    ) -> impl Future<Output = Result<Response, Problem>> + Send;
}

pub(crate) trait AnyGuard: Send + Sync {
    fn check<'a>(&'a self, head: &'a Head) -> BoxFuture<'a, Result<(), Problem>>;
}

impl<G: Guard> AnyGuard for G {
    fn check<'a>(&'a self, head: &'a Head) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(Guard::check(self, head))
    }
}

pub(crate) trait AnyInterceptor: Send + Sync {
    fn around<'a>(
        &'a self,
        context: &'a mut Context,
        next: Next<'a>,
    ) -> BoxFuture<'a, Result<Response, Problem>>;
}

impl<I: Interceptor> AnyInterceptor for I {
    fn around<'a>(
        &'a self,
        context: &'a mut Context,
        next: Next<'a>,
    ) -> BoxFuture<'a, Result<Response, Problem>> {
        Box::pin(Interceptor::around(self, context, next))
    }
}

pub(crate) trait AnyFilter: Send + Sync {
    fn catch<'a>(
        &'a self,
        problem: Problem,
        head: &'a Head,
    ) -> BoxFuture<'a, Result<Response, Problem>>;
}

impl<F: Filter> AnyFilter for F {
    fn catch<'a>(
        &'a self,
        problem: Problem,
        head: &'a Head,
    ) -> BoxFuture<'a, Result<Response, Problem>> {
        Box::pin(Filter::catch(self, problem, head))
    }
}

/// The rest of the pipeline, as an interceptor sees it.
pub struct Next<'a> {
    pub(crate) rest: &'a [Arc<dyn AnyInterceptor>],
    pub(crate) endpoint: &'a dyn Endpoint,
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Next({} more)", self.rest.len())
    }
}

impl Next<'_> {
    /// Goes on.
    ///
    /// # Errors
    /// What the rest refused with.
    pub async fn run(self, context: &mut Context) -> Result<Response, Problem> {
        match self.rest.split_first() {
            Some((first, rest)) => {
                first.around(context, Next { rest, endpoint: self.endpoint }).await
            }
            None => self.endpoint.call(context).await,
        }
    }
}

/// A tower service behind a layer.
pub type LayerService = BoxCloneSyncService<http::Request<Body>, Response, Infallible>;

type ApplyLayer = Arc<dyn Fn(LayerService) -> LayerService + Send + Sync>;
type Bind<T> = fn(&Binder<'_>) -> Result<Arc<T>, BindError>;
/// How a stage is taken out of the graph, and how it describes itself.
type Stage<T> = (Bind<T>, fn(&mut Operation));

/// What a level says of requests; what it leaves open is said further out.
#[derive(Debug, Default, Clone)]
pub(crate) struct Settings {
    /// `Some(None)`: no deadline at all.
    pub(crate) deadline: Option<Option<Duration>>,
    /// As written; each level names its own before levels are joined.
    rate_limits: Vec<RateLimit>,
    pub(crate) rated: Vec<Rated>,
    pub(crate) rate_cost: Option<u32>,
    /// `Some(None)`: none at all.
    pub(crate) cors: Option<Option<Cors>>,
    pub(crate) csrf: Option<bool>,
    pub(crate) compress: Option<Compress>,
    /// From the outermost level to the innermost; `None`: none at all.
    pub(crate) security_headers: Vec<Option<SecurityHeaders>>,
    /// Of an operation only.
    pub(crate) cache: Option<Cache>,
}

impl Settings {
    fn around(&self, inner: &Self) -> Self {
        Self {
            deadline: inner.deadline.or(self.deadline),
            rate_limits: vec![],
            rated: join(&self.rated, &inner.rated),
            rate_cost: inner.rate_cost.or(self.rate_cost),
            cors: inner.cors.as_ref().or(self.cors.as_ref()).cloned(),
            csrf: inner.csrf.or(self.csrf),
            compress: inner.compress.or(self.compress),
            security_headers: join(&self.security_headers, &inner.security_headers),
            cache: inner.cache.clone(),
        }
    }
}

fn join<T: Clone>(outer: &[T], inner: &[T]) -> Vec<T> {
    outer.iter().chain(inner).cloned().collect()
}

/// The guards, interceptors, filters, layers and settings of one level.
#[derive(Default, Clone)]
pub struct Stages {
    pub(crate) guards: Vec<Stage<dyn AnyGuard>>,
    pub(crate) interceptors: Vec<Stage<dyn AnyInterceptor>>,
    pub(crate) filters: Vec<Stage<dyn AnyFilter>>,
    pub(crate) layers: Vec<ApplyLayer>,
    pub(crate) settings: Settings,
}

impl std::fmt::Debug for Stages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Stages(guards: {}, interceptors: {}, filters: {}, layers: {}, {:?})",
            self.guards.len(),
            self.interceptors.len(),
            self.filters.len(),
            self.layers.len(),
            self.settings
        )
    }
}

impl Stages {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a guard.
    #[must_use]
    pub fn guard<G: Guard + Token>(mut self) -> Self {
        self.guards.push((|binder| Ok(binder.provider::<G>(&G::KEY)?), G::describe));
        self
    }

    /// Adds an interceptor.
    #[must_use]
    pub fn interceptor<I: Interceptor + Token>(mut self) -> Self {
        self.interceptors.push((|binder| Ok(binder.provider::<I>(&I::KEY)?), I::describe));
        self
    }

    /// Adds a filter.
    #[must_use]
    pub fn filter<F: Filter + Token>(mut self) -> Self {
        self.filters.push((|binder| Ok(binder.provider::<F>(&F::KEY)?), F::describe));
        self
    }

    /// Adds a tower layer. It runs after the access rule and the guards.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<LayerService> + Send + Sync + 'static,
        L::Service: Service<http::Request<Body>, Response = Response, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<http::Request<Body>>>::Future: Send + 'static,
    {
        self.layers.push(Arc::new(move |inner| BoxCloneSyncService::new(layer.layer(inner))));
        self
    }

    /// Limits the time of the operations; `None`: for ever.
    #[must_use]
    pub fn deadline(mut self, limit: Option<Duration>) -> Self {
        self.settings.deadline = Some(limit);
        self
    }

    /// Adds a rate limit, which all operations below this level share.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.settings.rate_limits.push(limit);
        self
    }

    /// How much of its limits a request uses. Default 1.
    #[must_use]
    pub fn rate_cost(mut self, cost: u32) -> Self {
        self.settings.rate_cost = Some(cost);
        self
    }

    /// Lets pages of other origins call the operations; `None`: no page.
    #[must_use]
    pub fn cors(mut self, cors: Option<Cors>) -> Self {
        self.settings.cors = Some(cors);
        self
    }

    /// Whether requests that pages of other origins cause are refused.
    #[must_use]
    pub fn csrf(mut self, is_refused: bool) -> Self {
        self.settings.csrf = Some(is_refused);
        self
    }

    /// Which responses are compressed.
    #[must_use]
    pub fn compress(mut self, rule: Compress) -> Self {
        self.settings.compress = Some(rule);
        self
    }

    /// Changes the security headers of responses; `None`: takes all away.
    #[must_use]
    pub fn security_headers(mut self, headers: Option<SecurityHeaders>) -> Self {
        self.settings.security_headers.push(headers);
        self
    }

    /// Keeps the answers of an operation. On other levels it has no effect: each
    /// operation says for itself what its answers depend on.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.settings.cache = Some(cache);
        self
    }

    /// Names what is counted under this level, `place` for us, `level` for clients.
    pub(crate) fn named(mut self, level: &str, place: &str) -> Self {
        self.settings.rated = Rated::all(&self.settings.rate_limits, level, place);
        self
    }

    /// This level around another one.
    #[must_use]
    pub(crate) fn around(&self, inner: &Self) -> Self {
        Self {
            guards: join(&self.guards, &inner.guards),
            interceptors: join(&self.interceptors, &inner.interceptors),
            filters: join(&self.filters, &inner.filters),
            layers: join(&self.layers, &inner.layers),
            settings: self.settings.around(&inner.settings),
        }
    }

    pub(crate) fn describe(&self, operation: &mut Operation) {
        let guards = self.guards.iter().map(|(_, describe)| describe);
        let interceptors = self.interceptors.iter().map(|(_, describe)| describe);
        let filters = self.filters.iter().map(|(_, describe)| describe);
        for describe in guards.chain(interceptors).chain(filters) {
            describe(operation);
        }
    }
}
