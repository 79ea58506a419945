//! The one ordered list of stages that a request runs through.
//!
//! | stage | where |
//! |---|---|
//! | 1 admission | connections: the server; requests in all: `Admission`; of one operation: `Route::run`, with a body when that is read |
//! | 2 request id, trace | `begin` |
//! | 3 match | `begin` |
//! | CORS: preflights | `cors`, before anything else is looked at |
//! | 4 cheap refusals: other sites, declared size, content type, accept | `Route::refuse_early` |
//! | 5 credentials | `identify::authenticate` |
//! | 6 access rule, then guards | `Access::decide`, `Route::run` |
//! | 7 rate limits: of addresses before 5, of callers after the access rule | `Rates` |
//! | 8 cache | `Cached`, around all that follows up to 12; the place of idempotency |
//! | tower layers, interceptors | `Route::run` |
//! | 9 body, parse, validate | the handler's arguments |
//! | 10 transaction | an argument, after all others are valid |
//! | 11 handler | the endpoint; all from 4 to 12 under the deadline of the route |
//! | 12 commit | with the transaction |
//! | 13 errors, headers, log; also after a panic | `Ending` |

mod compress;
mod cors;
mod cross_site;
mod identify;
mod layered;
pub mod message;
mod render;
pub mod security_headers;
mod traced;

use std::any::Any;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use arcly_http_core::access::{Access, Authenticator};
use arcly_http_core::di::RouteFact;
use arcly_http_core::observe::{Counter, Metrics, OperationMetrics, RequestMetrics};
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::RequestId;
use arcly_http_core::scope::current::{self, Identity};
use arcly_http_core::scope::spans::{OpenSpan, Tracing};
use arcly_http_core::time::{Budget, Clock, Sleep};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body::Body as _;

use crate::cache::{Cached, Shared};
use crate::context::{Params, Seen, too_large};
use crate::docs::Docs;
use crate::endpoint::{Called, Endpoint};
use crate::limit::{Admission, Gradient, Rates, overloaded};
use crate::route::{Found, Mounted, Table, accept_of, accepts, matches_type};
use crate::serve::{Network, client_address};
use crate::stage::{AnyFilter, AnyGuard, AnyInterceptor, LayerService, Next};
use crate::{Body, Context, Head, Response};

pub use compress::Compress;
pub(crate) use compress::Packed;
use compress::Tags;
pub use cors::Cors;
pub(crate) use cors::Rule;
pub(crate) use cross_site::changes_things;
pub(crate) use layered::apply_layers;
pub(crate) use render::problem as render_problem;
use security_headers::Headers;

/// Everything that a request needs, frozen at launch.
pub(crate) struct Runtime {
    pub(crate) table: Table,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    /// Filters for requests that no declared route answers.
    pub(crate) filters: Vec<Arc<dyn AnyFilter>>,
    pub(crate) docs: Option<Docs>,
    pub(crate) recorder: Option<crate::describe::Recorder>,
    pub(crate) metrics: Metrics,
    /// The requests that nothing declared answers.
    pub(crate) elsewhere: ByMethod,
    pub(crate) clock: Arc<dyn Clock>,
    /// Of what is mounted; a route has its own.
    pub(crate) deadline: Option<Duration>,
    pub(crate) deadlines_exceeded: Counter,
    pub(crate) admission: Admission,
    /// Of what no declared route answers.
    pub(crate) cors: Option<Arc<Rule>>,
    pub(crate) csrf: bool,
    /// Of what no declared route answers.
    pub(crate) compress: Compress,
    pub(crate) compress_min: u64,
    /// Headers that every response gets, unless it has its own.
    pub(crate) security_headers: Arc<Headers>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// Whether and where requests are recorded as spans.
    pub(crate) tracing: Option<Tracing>,
}

/// A route with everything bound.
pub(crate) struct Route {
    pub(crate) fact: &'static RouteFact,
    pub(crate) body_limit: u64,
    pub(crate) consumes: Vec<&'static str>,
    pub(crate) produces: Vec<&'static str>,
    /// `deprecation`, `sunset`.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) guards: Vec<Arc<dyn AnyGuard>>,
    pub(crate) layered: Option<LayerService>,
    pub(crate) core: Arc<Core>,
    /// Public, and nothing around the endpoint or in it ever waits.
    pub(crate) is_immediate: bool,
    pub(crate) metrics: Arc<OperationMetrics>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) in_flight: Option<Arc<Gradient>>,
    pub(crate) rates: Option<Rates>,
    pub(crate) cors: Option<Arc<Rule>>,
    pub(crate) refuses_cross_site: bool,
    pub(crate) compress: Compress,
    pub(crate) security_headers: Arc<Headers>,
    pub(crate) cache: Option<Cached>,
}

/// What tower layers, if there are any, go around.
pub(crate) struct Core {
    pub(crate) interceptors: Vec<Arc<dyn AnyInterceptor>>,
    pub(crate) filters: Vec<Arc<dyn AnyFilter>>,
    pub(crate) endpoint: Box<dyn Endpoint>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The answer to one request: there already, or on its way.
#[expect(
    clippy::large_enum_variant,
    reason = "boxing the answer is what `Ready` is there to avoid"
)]
pub(crate) enum Answer {
    /// Nothing had to wait, so there was nothing to box.
    Ready(Option<Response>),
    Later(Pin<Box<dyn Future<Output = Response> + Send>>),
}

impl Future for Answer {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Response> {
        match &mut *self {
            Self::Ready(response) => {
                Poll::Ready(response.take().expect("a future is not polled after completion"))
            }
            Self::Later(work) => work.as_mut().poll(cx),
        }
    }
}

/// Runs one request through all stages. Never fails: whatever goes wrong is a
/// response. A request that nothing keeps waiting is answered on the spot.
pub(crate) fn begin(
    runtime: &Arc<Runtime>,
    parts: Parts,
    body: Body,
    seen: Seen,
    peer: Option<SocketAddr>,
) -> Answer {
    let begun = runtime.clock.elapsed();
    let client = peer.map(|peer| match runtime.trusted_proxies.as_slice() {
        [] => peer.ip(),
        trusted => client_address(peer.ip(), &parts.headers, trusted),
    });
    let (request_id, trace) = identify::trace(&parts.headers, seen, runtime.tracing.as_ref());
    let mut context = Context {
        head: Head {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            headers: parts.headers,
            extensions: parts.extensions,
            seen,
            params: Params::default(),
            fact: None,
            request_id,
            trace,
            claims: None,
            peer,
            client,
            budget: None,
        },
        body: Some(body),
        body_limit: 0,
        begun,
        is_admitted: true,
        limit: None,
        place: None,
        rates: String::new(),
        leading: None,
        scoped: vec![],
        socket: None,
        is_binary: false,
    };
    let preflight = if context.head.method == Method::OPTIONS {
        cors::preflight(runtime, &mut context.head)
    } else {
        None
    };
    let (route, params) = match runtime.table.find(&context.head) {
        Found::Route(route, params) => (Some(route), params),
        _ => (None, Params::default()),
    };
    if let Some(route) = route {
        context.head.params = params;
        context.head.fact = Some(route.fact);
        context.body_limit = route.body_limit;
    }
    let deadline = route.map_or(runtime.deadline, |route| route.deadline);
    context.head.budget =
        deadline.map(|limit| Budget::since(Arc::clone(&runtime.clock), begun, limit));
    let mut ending = Ending::new(Arc::clone(runtime), route.cloned(), &context.head, begun);
    context.is_admitted = ending.is_admitted;
    if let Some((response, told)) = preflight.filter(|_| ending.is_admitted) {
        ending.cors = told;
        let mut response = response;
        ending.end(&mut response, &context.head);
        return Answer::Ready(Some(response));
    }
    let rule = route.map_or(runtime.cors.as_ref(), |route| route.cors.as_ref());
    ending.cors = rule.map(|rule| cors::Told::new(rule, &context.head));
    match route {
        Some(route) if route.answers_at_once(runtime, &context.head) => {
            let budget = context.head.budget.clone();
            // Through a slot: a result would be moved out of each closure.
            let mut response = None;
            let work = || response = Some(route.answer_at_once(runtime, &mut context));
            let panic = ending.scene.caught(budget.as_ref(), work).err();
            let mut response = response.unwrap_or_else(|| ending.panicked(panic));
            ending.end(&mut response, &context.head);
            Answer::Ready(Some(response))
        }
        _ => {
            let leading = route.and_then(|route| route.cache.as_ref()).map(Cached::leading);
            let Some(leading) = leading else {
                return Answer::Later(Box::pin(later(Box::new(context), ending)));
            };
            context.leading = Some(Arc::clone(&leading));
            let work = later(Box::new(context), ending);
            Answer::Later(Box::pin(Shared::new(work, leading)))
        }
    }
}

/// Answers a request that is not to be looked at any further.
pub(crate) fn refuse(runtime: &Runtime, parts: &Parts, seen: Seen, problem: &Problem) -> Answer {
    let (request_id, _) = identify::trace(&parts.headers, seen, None);
    let mut response = render::problem(problem, &request_id);
    render::sign(&mut response, &request_id, &runtime.security_headers);
    let metrics = runtime.elsewhere.of(&parts.method);
    metrics.record(response.status().as_u16(), Duration::ZERO);
    let is_head = parts.method == Method::HEAD;
    if is_head {
        render::take_body(&mut response);
    }
    Answer::Ready(Some(response))
}

/// Where the work of one request happens, as its log and its spans see it.
struct Scene {
    /// Made for those who collect spans; lines of the log ask for the identity.
    span: tracing::Span,
    identity: Option<Identity>,
}

impl Scene {
    /// Runs a part of the work: what it logs belongs to this request.
    fn enter<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let _entered = current::enter(&mut self.identity);
        self.span.in_scope(work)
    }

    /// The same under the request's deadline, and no panic gets out.
    fn caught<T>(
        &mut self,
        budget: Option<&Budget>,
        work: impl FnOnce() -> T,
    ) -> std::thread::Result<T> {
        let work = || std::panic::catch_unwind(AssertUnwindSafe(work));
        self.enter(|| match budget {
            Some(budget) => budget.enter(work),
            None => work(),
        })
    }
}

/// Moving a future copies all of it, so the context is on the heap by itself, rare
/// branches are boxed, and the work is polled where it stands instead of being
/// wrapped.
#[expect(clippy::manual_async_fn, reason = "that would have room for its arguments twice")]
fn later(context: Box<Context>, ending: Ending) -> impl Future<Output = Response> + Send {
    async move {
        let (mut context, mut ending) = (context, ending);
        finish(&mut context, &mut ending).await
    }
}

async fn finish(context: &mut Context, ending: &mut Ending) -> Response {
    let budget = context.head.budget.clone();
    let outcome = {
        let (runtime, route) = (&ending.runtime, &ending.route);
        let work = pin!(async {
            match route {
                Some(route) => route.answer(runtime, context).await,
                None => Box::pin(answer_elsewhere(runtime, context)).await,
            }
        });
        in_time(&mut ending.scene, budget.as_ref(), work).await
    };
    let now = ending.runtime.clock.elapsed();
    context.finish(now);
    ending.ended = Some(now);
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => Box::pin(give_up(ending, &context.head)).await,
    };
    let mut response = outcome.unwrap_or_else(|panic| ending.panicked(Some(panic)));
    ending.end(&mut response, &context.head);
    response
}

/// Polls work until it is done, or its time is over (`None`). Work that is done at
/// its first poll needs no timer.
async fn in_time(
    scene: &mut Scene,
    budget: Option<&Budget>,
    mut work: Pin<&mut impl Future<Output = Response>>,
) -> Option<std::thread::Result<Response>> {
    let mut timer: Option<Sleep> = None;
    poll_fn(|cx| {
        match scene.caught(budget, || work.as_mut().poll(cx)) {
            Ok(Poll::Ready(response)) => return Poll::Ready(Some(Ok(response))),
            Err(panic) => return Poll::Ready(Some(Err(panic))),
            Ok(Poll::Pending) => {}
        }
        let Some(budget) = budget else { return Poll::Pending };
        let timer = timer.get_or_insert_with(|| budget.sleep());
        Pin::new(timer).poll(cx).map(|()| None)
    })
    .await
}

/// How long filters may take to shape the answer of an operation whose own time is
/// over.
const FILTER_TIME_MAX: Duration = Duration::from_secs(1);

/// 504, when the work has been dropped.
async fn give_up(ending: &mut Ending, head: &Head) -> std::thread::Result<Response> {
    let runtime = &ending.runtime;
    runtime.deadlines_exceeded.increment();
    ending.scene.enter(|| tracing::warn!("the operation was given up: its time was over"));
    let problem = || {
        Problem::of(&kinds::TIMEOUT)
            .with_detail("the operation took too long and was given up; it may be partly done")
    };
    let route = ending.route.as_deref();
    let filters = route.map_or(&runtime.filters, |route| &route.core.filters);
    let budget = Budget::new(Arc::clone(&runtime.clock), FILTER_TIME_MAX);
    let shaping = pin!(render::filtered(problem(), head, filters));
    let outcome = in_time(&mut ending.scene, Some(&budget), shaping).await;
    let outcome = outcome.unwrap_or_else(|| Ok(render::unfiltered(&problem(), head)));
    outcome.map(|mut response| {
        if let Some(route) = route {
            route.sign(runtime, &mut response);
        }
        response
    })
}

/// What the last stage needs to know of a request, whatever becomes of it. A
/// request whose client leaves is dropped half way: that counts as 499.
struct Ending {
    runtime: Arc<Runtime>,
    route: Option<Arc<Route>>,
    method: Method,
    /// On the application's clock.
    begun: Duration,
    /// If it is known already, so that the clock is not asked twice.
    ended: Option<Duration>,
    scene: Scene,
    /// Ends with the request, if that is recorded.
    traced: Option<Box<OpenSpan>>,
    /// What the access log shows, if anybody reads it.
    uri: Option<Uri>,
    request_id: RequestId,
    is_admitted: bool,
    cors: Option<cors::Told>,
    has_ended: bool,
}

/// nginx's number for a client that closed the connection before the answer.
const CLIENT_GONE: u16 = 499;

impl Ending {
    fn new(runtime: Arc<Runtime>, route: Option<Arc<Route>>, head: &Head, begun: Duration) -> Self {
        let span = tracing::debug_span!(
            "request",
            method = %head.method,
            path = head.uri.path(),
            request_id = head.request_id.as_str(),
            trace_id = tracing::field::Empty,
            status = tracing::field::Empty,
            route = tracing::field::Empty,
            principal = tracing::field::Empty,
        );
        if !span.is_disabled() {
            span.record("trace_id", head.trace.trace_id());
            if let Some(fact) = head.fact {
                span.record("route", fact.path);
            }
        }
        let active = runtime.metrics.requests().begin();
        let recorder = runtime.tracing.as_ref().and_then(|tracing| tracing.recorder(&head.trace));
        let traced = recorder.as_ref().map(|to| traced::begin(to, head, route.as_deref()));
        let identity = Identity {
            request_id: head.request_id,
            trace: head.trace.clone(),
            route: head.fact.map_or("", |fact| fact.path),
            principal: None,
            recorder,
        };
        let is_shown = tracing::enabled!(target: "arcly_http::access", tracing::Level::DEBUG);
        Self {
            is_admitted: runtime.admission.admits(active),
            runtime,
            route,
            method: head.method.clone(),
            begun,
            ended: None,
            scene: Scene { span, identity: Some(identity) },
            traced,
            uri: is_shown.then(|| head.uri.clone()),
            request_id: head.request_id,
            cors: None,
            has_ended: false,
        }
    }

    /// Stage 13, also after a panic.
    fn end(&mut self, response: &mut Response, head: &Head) {
        let status = response.status().as_u16();
        self.count(status);
        if status == 401 {
            identify::challenge(response, self.runtime.authenticator.as_deref());
        }
        let security_headers = match &self.route {
            Some(route) => &route.security_headers,
            None => &self.runtime.security_headers,
        };
        render::sign(response, &self.request_id, security_headers);
        if let Some(told) = &self.cors {
            told.sign(response.headers_mut());
        }
        let (rule, tags) = match &self.route {
            Some(route) => (route.compress, Tags::Named),
            None => (self.runtime.compress, Tags::Weak),
        };
        compress::apply(response, head, rule, self.runtime.compress_min, tags);
        if self.method == Method::HEAD {
            render::take_body(response);
        }
    }

    fn panicked(&mut self, panic: Option<Box<dyn Any + Send>>) -> Response {
        let message = panic.as_deref().map_or("not a text", render::panic_message);
        self.scene.enter(|| tracing::error!(panic = message, "a handler panicked"));
        render::problem(&Problem::of(&kinds::INTERNAL), &self.request_id)
    }

    fn count(&mut self, status: u16) {
        self.has_ended = true;
        let ended = self.ended.unwrap_or_else(|| self.runtime.clock.elapsed());
        let took = ended.saturating_sub(self.begun);
        if !self.scene.span.is_disabled() {
            self.scene.span.record("status", status);
        }
        if let Some(uri) = self.uri.take() {
            let (method, path) = (self.method.clone(), uri.path());
            let took_ms = took.as_secs_f64() * 1e3;
            self.scene.enter(|| {
                tracing::debug!(target: "arcly_http::access", %method, path, status, took_ms, "answered");
            });
        }
        if let Some(span) = self.traced.take() {
            let identity = self.scene.identity.as_ref();
            traced::end(*span, status, identity.and_then(|known| known.principal.as_deref()));
        }
        self.runtime.metrics.requests().end();
        let metrics = match &self.route {
            Some(route) => &route.metrics,
            None => self.runtime.elsewhere.of(&self.method),
        };
        metrics.record(status, took);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.has_ended {
            self.count(CLIENT_GONE);
        }
    }
}

/// Metrics of what has no route of its own, by method; a method that a client made
/// up is `_OTHER`.
pub(crate) struct ByMethod([Arc<OperationMetrics>; METHODS.len()]);

const METHODS: [(Method, &str); 8] = [
    (Method::GET, "GET"),
    (Method::HEAD, "HEAD"),
    (Method::POST, "POST"),
    (Method::PUT, "PUT"),
    (Method::PATCH, "PATCH"),
    (Method::DELETE, "DELETE"),
    (Method::OPTIONS, "OPTIONS"),
    (Method::TRACE, "_OTHER"),
];

impl ByMethod {
    pub(crate) fn new(metrics: &RequestMetrics) -> Self {
        Self(METHODS.map(|(_, name)| metrics.operation(name, "")))
    }

    fn of(&self, method: &Method) -> &OperationMetrics {
        let known = METHODS.iter().position(|(known, _)| known == method);
        &self.0[known.unwrap_or(METHODS.len() - 1)]
    }
}

/// What no declared route answers.
async fn answer_elsewhere(runtime: &Runtime, context: &mut Context) -> Response {
    if !context.is_admitted {
        return render::filtered(overloaded(), &context.head, &runtime.filters).await;
    }
    if context.head.method == Method::OPTIONS && context.head.uri.path() == "*" {
        // About the server in general (RFC 9110, section 9.3.7), so there is no `allow`.
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let problem = match runtime.table.find(&context.head) {
        Found::Mounted(mounted) => match serve_mounted(runtime, mounted, context).await {
            Ok(response) => return response,
            Err(problem) => problem,
        },
        Found::OtherMethods(allow) => {
            let allow = HeaderValue::try_from(allow).unwrap_or(HeaderValue::from_static("OPTIONS"));
            if context.head.method == Method::OPTIONS {
                let mut response = http::Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(ALLOW, allow);
                return response;
            }
            Problem::of(&kinds::METHOD_NOT_ALLOWED).with_header(ALLOW, allow)
        }
        Found::Route(..) | Found::Nothing => {
            if let Some(page) = runtime.docs.as_ref().and_then(|docs| docs.find(&context.head)) {
                return page;
            }
            Problem::of(&kinds::ROUTE_NOT_FOUND)
        }
    };
    render::filtered(problem, &context.head, &runtime.filters).await
}

impl Route {
    /// Whether no stage of this request can wait.
    fn answers_at_once(&self, runtime: &Runtime, head: &Head) -> bool {
        self.is_immediate
            && (runtime.authenticator.is_none() || !head.seen.has(Seen::AUTHORIZATION))
    }

    fn answer_at_once(&self, runtime: &Runtime, context: &mut Context) -> Response {
        let result =
            self.refuse_early(context).and_then(|()| match self.core.endpoint.call(context) {
                Called::Ready(Some(result)) => result,
                _ => Err(Problem::internal("an endpoint that is declared immediate waits")),
            });
        let mut response = match result {
            Ok(response) => response,
            Err(problem) => render::unfiltered(&problem, &context.head),
        };
        self.sign(runtime, &mut response);
        response
    }

    async fn answer(&self, runtime: &Runtime, context: &mut Context) -> Response {
        let mut response = match self.run(runtime, context).await {
            Ok(response) => response,
            Err(problem) if self.core.filters.is_empty() => {
                render::unfiltered(&problem, &context.head)
            }
            Err(problem) => {
                Box::pin(render::filtered(problem, &context.head, &self.core.filters)).await
            }
        };
        if let Some(rates) = &self.rates {
            rates.sign(&context.rates, response.headers_mut());
        }
        self.sign(runtime, &mut response);
        response
    }

    /// Adds the headers of the route, and holds the response against the document.
    fn sign(&self, runtime: &Runtime, response: &mut Response) {
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        if let Some(recorder) = &runtime.recorder {
            recorder.check(self.fact, response);
        }
    }

    async fn run(&self, runtime: &Runtime, context: &mut Context) -> Result<Response, Problem> {
        self.refuse_early(context)?;
        if let Some(limit) = &self.in_flight {
            context.limit = Some(Arc::clone(limit));
            if context.body.as_ref().is_none_or(|body| body.is_end_stream()) {
                context.take_place(false)?;
            }
        }
        if let Some(rates) = &self.rates {
            Box::pin(rates.take(&context.head, false, &mut context.rates)).await?;
        }
        let head = &mut context.head;
        if head.seen.has(Seen::AUTHORIZATION) || is_protected(&self.fact.access) {
            Box::pin(identify::authenticate(runtime, head, &self.fact.access)).await?;
            self.fact.access.decide(head.claims.as_deref())?;
        }
        if let Some(rates) = &self.rates {
            Box::pin(rates.take(&context.head, true, &mut context.rates)).await?;
        }
        for guard in &self.guards {
            guard.check(&context.head).await?;
        }
        match &self.cache {
            Some(cache) => Box::pin(cache.answer(self, context)).await,
            None => self.handle(context).await,
        }
    }

    /// What is left when nothing refuses any more.
    pub(crate) async fn handle(&self, context: &mut Context) -> Result<Response, Problem> {
        match &self.layered {
            Some(service) => Box::pin(layered::call(service.clone(), context)).await,
            None => self.core.run(context).await,
        }
    }

    /// Stages 1 and 4: no place, or what the head alone shows to be useless.
    fn refuse_early(&self, context: &Context) -> Result<(), Problem> {
        if !context.is_admitted {
            return Err(overloaded());
        }
        if self.refuses_cross_site {
            cross_site::refuse(&context.head, self.cors.as_deref())?;
        }
        let Head { headers, seen, .. } = &context.head;
        if seen.has(Seen::CONTENT_LENGTH)
            && let Some(length) = headers.get(CONTENT_LENGTH)
            && let Some(length) = length.to_str().ok().and_then(|text| text.parse::<u64>().ok())
            && length > self.body_limit
        {
            return Err(too_large(self.body_limit));
        }
        let has_body = seen.has(Seen::TRANSFER_ENCODING)
            || context.body.as_ref().is_some_and(|body| !body.is_end_stream());
        if has_body && !self.consumes.is_empty() {
            let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            if !matches_type(sent.unwrap_or_default(), &self.consumes) {
                return Err(Problem::of(&kinds::UNSUPPORTED_MEDIA_TYPE)
                    .with_detail(format!("send one of: {}", self.consumes.join(", "))));
            }
        }
        if seen.has(Seen::ACCEPT)
            && let Some(accept) = accept_of(headers)
            && accept != "*/*"
            && !accepts(&accept, &self.produces)
        {
            return Err(Problem::of(&kinds::NOT_ACCEPTABLE).with_detail(format!(
                "this operation answers with: {}",
                self.produces.join(", ")
            )));
        }
        Ok(())
    }
}

impl Core {
    pub(crate) async fn run(&self, context: &mut Context) -> Result<Response, Problem> {
        if self.interceptors.is_empty() {
            return self.endpoint.call(context).await;
        }
        Box::pin(Next { rest: &self.interceptors, endpoint: &*self.endpoint }.run(context)).await
    }
}

async fn serve_mounted(
    runtime: &Runtime,
    mounted: &Mounted,
    context: &mut Context,
) -> Result<Response, Problem> {
    use tower::ServiceExt as _;
    if runtime.csrf && changes_things(&context.head.method) {
        cross_site::refuse(&context.head, runtime.cors.as_deref())?;
    }
    identify::authenticate(runtime, &mut context.head, &mounted.access).await?;
    mounted.access.decide(context.head.claims.as_deref())?;
    let mut request = http::Request::new(context.take_body());
    let head = &mut context.head;
    *request.method_mut() = head.method.clone();
    *request.version_mut() = head.version;
    *request.uri_mut() = render::without_prefix(&head.uri, &mounted.prefix);
    head.extensions.insert(head.scope());
    if let Some(claims) = &head.claims {
        head.extensions.insert(Arc::clone(claims));
    }
    let kept = compress::kept(head);
    *request.headers_mut() = std::mem::replace(&mut head.headers, kept);
    *request.extensions_mut() = std::mem::take(&mut head.extensions);
    match mounted.service.clone().oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Whether an access rule asks for credentials.
pub(crate) fn is_protected(access: &Access) -> bool {
    !matches!(access, Access::Public)
}
