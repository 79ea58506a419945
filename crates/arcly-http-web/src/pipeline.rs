//! The one ordered list of stages that a request runs through.
//!
//! | stage | where |
//! |---|---|
//! | 1 admission | the server (limits of connections come with the edge) |
//! | 2 request id, trace | `handle` |
//! | 3 match | `answer` |
//! | 4 cheap refusals: declared size, content type, accept | `Route::refuse_early` |
//! | 5 credentials | `identify::authenticate` |
//! | 6 access rule, then guards | `identify::decide`, `Route::run` |
//! | 7 rate limits, 8 idempotency and cache | their place is between 6 and 9 |
//! | tower layers, interceptors | `Route::run` |
//! | 9 body, parse, validate | the handler's arguments |
//! | 10 transaction | an argument, after all others are valid |
//! | 11 handler | the endpoint |
//! | 12 commit | with the transaction |
//! | 13 errors, headers, log; also after a panic | `handle` |

mod identify;
mod layered;
mod render;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arcly_http_core::access::{Access, Authenticator};
use arcly_http_core::di::RouteFact;
use arcly_http_core::problem::{Problem, kinds};
use futures_util::FutureExt as _;
use http::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use tracing::Instrument as _;

use crate::context::{Params, too_large};
use crate::docs::Docs;
use crate::endpoint::Endpoint;
use crate::route::{Found, Mounted, Table, accepts, matches_type};
use crate::stage::{AnyFilter, AnyGuard, AnyInterceptor, LayerService, Next};
use crate::{Body, Context, Head, Response};

pub(crate) use layered::apply_layers;

/// Everything that a request needs, frozen at launch.
pub(crate) struct Runtime {
    pub(crate) table: Table,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    /// Filters for requests that no declared route answers.
    pub(crate) filters: Vec<Arc<dyn AnyFilter>>,
    pub(crate) docs: Option<Docs>,
    pub(crate) recorder: Option<crate::describe::Recorder>,
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
}

/// What tower layers, if there are any, go around.
pub(crate) struct Core {
    pub(crate) interceptors: Vec<Arc<dyn AnyInterceptor>>,
    pub(crate) filters: Vec<Arc<dyn AnyFilter>>,
    pub(crate) endpoint: Box<dyn Endpoint>,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs one request through all stages. Never fails: whatever goes wrong is a
/// response.
pub(crate) async fn handle(
    runtime: Arc<Runtime>,
    request: http::Request<Body>,
    peer: Option<SocketAddr>,
) -> Response {
    let (parts, body) = request.into_parts();
    let (request_id, trace) = identify::trace(&parts.headers);
    let head = Head {
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        extensions: parts.extensions,
        params: Params::default(),
        fact: None,
        request_id,
        trace,
        claims: None,
        peer,
    };
    let is_head = head.method == Method::HEAD;
    let span = tracing::info_span!(
        "request",
        method = %head.method,
        path = head.uri.path(),
        request_id = head.request_id.as_str(),
        trace_id = tracing::field::Empty,
        status = tracing::field::Empty,
        route = tracing::field::Empty,
        principal = tracing::field::Empty,
    );
    let work = AssertUnwindSafe(answer(&runtime, head, body)).catch_unwind();
    let outcome = if span.is_disabled() { work.await } else { work.instrument(span.clone()).await };
    let mut response = outcome.unwrap_or_else(|panic| {
        let message = render::panic_message(&*panic);
        span.in_scope(|| tracing::error!(panic = message, "a handler panicked"));
        render::problem(&Problem::of(&kinds::INTERNAL), &request_id)
    });
    if !span.is_disabled() {
        span.record("status", response.status().as_u16());
        span.in_scope(|| tracing::info!(status = response.status().as_u16(), "answered"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if is_head { render::without_body(response) } else { response }
}

async fn answer(runtime: &Runtime, mut head: Head, body: Body) -> Response {
    match runtime.table.find(&head) {
        Found::Route(route, params) => {
            head.params = params;
            head.fact = Some(route.fact);
            let span = tracing::Span::current();
            if !span.is_disabled() {
                span.record("route", route.fact.path);
                span.record("trace_id", head.trace.trace_id());
            }
            let mut context =
                Context { head, body: Some(body), body_limit: route.body_limit, scoped: vec![] };
            let mut response = match route.run(runtime, &mut context).await {
                Ok(response) => response,
                Err(problem) => render::filtered(problem, &context.head, &route.core.filters).await,
            };
            for (name, value) in &route.headers {
                response.headers_mut().insert(name, value.clone());
            }
            if let Some(recorder) = &runtime.recorder {
                recorder.check(route.fact, &mut response);
            }
            response
        }
        Found::Mounted(mounted) => {
            let remains = render::shallow(&head);
            match serve_mounted(runtime, mounted, head, body).await {
                Ok(response) => response,
                Err(problem) => render::filtered(problem, &remains, &runtime.filters).await,
            }
        }
        Found::OtherMethods(allow) => {
            let allow = HeaderValue::try_from(allow).unwrap_or(HeaderValue::from_static("OPTIONS"));
            if head.method == Method::OPTIONS {
                let mut response = http::Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().insert(ALLOW, allow);
                return response;
            }
            let problem = Problem::of(&kinds::METHOD_NOT_ALLOWED).with_header(ALLOW, allow);
            render::filtered(problem, &head, &runtime.filters).await
        }
        Found::Nothing => {
            if let Some(page) = runtime.docs.as_ref().and_then(|docs| docs.find(&head)) {
                return page;
            }
            let problem = Problem::of(&kinds::ROUTE_NOT_FOUND);
            render::filtered(problem, &head, &runtime.filters).await
        }
    }
}

impl Route {
    async fn run(&self, runtime: &Runtime, context: &mut Context) -> Result<Response, Problem> {
        self.refuse_early(context)?;
        identify::authenticate(runtime, &mut context.head, &self.fact.access).await?;
        identify::decide(&self.fact.access, &context.head)?;
        for guard in &self.guards {
            guard.check(&context.head).await?;
        }
        match &self.layered {
            Some(service) => layered::call(service.clone(), context).await,
            None => self.core.run(context).await,
        }
    }

    /// Stage 4: what the head alone shows to be useless.
    fn refuse_early(&self, context: &Context) -> Result<(), Problem> {
        let headers = &context.head.headers;
        if let Some(length) = headers.get(CONTENT_LENGTH)
            && let Some(length) = length.to_str().ok().and_then(|text| text.parse::<u64>().ok())
            && length > self.body_limit
        {
            return Err(too_large(self.body_limit));
        }
        let has_body = headers.contains_key(TRANSFER_ENCODING)
            || context.body.as_ref().is_some_and(|body| !body.is_end_stream());
        if has_body && !self.consumes.is_empty() {
            let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            if !matches_type(sent.unwrap_or_default(), &self.consumes) {
                return Err(Problem::of(&kinds::UNSUPPORTED_MEDIA_TYPE)
                    .with_detail(format!("send one of: {}", self.consumes.join(", "))));
            }
        }
        if let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok())
            && accept != "*/*"
            && !accepts(accept, &self.produces)
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
        Next { rest: &self.interceptors, endpoint: &*self.endpoint }.run(context).await
    }
}

async fn serve_mounted(
    runtime: &Runtime,
    mounted: &Mounted,
    mut head: Head,
    body: Body,
) -> Result<Response, Problem> {
    use tower::ServiceExt as _;
    identify::authenticate(runtime, &mut head, &mounted.access).await?;
    identify::decide(&mounted.access, &head)?;
    let mut request = http::Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.version_mut() = head.version;
    *request.uri_mut() = render::without_prefix(&head.uri, &mounted.prefix);
    head.extensions.insert(head.scope());
    if let Some(claims) = &head.claims {
        head.extensions.insert(Arc::clone(claims));
    }
    *request.headers_mut() = std::mem::take(&mut head.headers);
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
