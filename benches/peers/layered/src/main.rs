//! axum with layers that do what the pipeline of arcly-http does by default.
//!
//! | ours | here |
//! |---|---|
//! | request id, the client's own or a fresh one, in the answer too | `SetRequestIdLayer`, `PropagateRequestIdLayer` |
//! | span of the request | `TraceLayer` (nobody listens, as with ours) |
//! | counted by operation, status and latency; number in flight | `count`, on prometheus-client as ours |
//! | most requests at a time | `LoadShedLayer` over `GlobalConcurrencyLimitLayer` |
//! | deadline | `TimeoutLayer` |
//! | panic becomes a 500 | `CatchPanicLayer` |
//! | limit of the body | `RequestBodyLimitLayer` in place of axum's own |
//! | security headers | two `SetResponseHeaderLayer` |
//!
//! Left out, though ours does it: the check for cross-site requests, the limit that
//! follows latency, and the timeouts of a connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::error_handling::HandleErrorLayer;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{BoxError, Json, Router};
use garde::Validate as _;
use peers_common::{Account, HELLO, Message, PROBLEM, PROBLEM_TYPE, User, address, runtime, stop};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    method: String,
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    method: String,
    route: String,
    status: u16,
}

struct Metrics {
    requests: Family<Outcome, Counter>,
    in_flight: Gauge,
    seconds: Family<Operation, Histogram, fn() -> Histogram>,
}

impl Metrics {
    fn new() -> Arc<Self> {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 12));
        let metrics = Self {
            requests: Family::default(),
            in_flight: Gauge::default(),
            seconds: Family::new_with_constructor(histogram),
        };
        let mut registry = Registry::default();
        registry.register("requests", "Requests", metrics.requests.clone());
        registry.register("in_flight", "Requests in flight", metrics.in_flight.clone());
        registry.register("seconds", "Latency", metrics.seconds.clone());
        Arc::new(metrics)
    }
}

async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().as_str().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    metrics.in_flight.inc();
    let response = next.run(request).await;
    metrics.in_flight.dec();
    let operation = Operation { method: method.clone(), route: route.clone() };
    metrics.seconds.get_or_create(&operation).observe(begun.elapsed().as_secs_f64());
    let status = response.status().as_u16();
    metrics.requests.get_or_create(&Outcome { method, route, status }).inc();
    response
}

fn problem() -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, [(CONTENT_TYPE, PROBLEM_TYPE)], PROBLEM).into_response()
}

async fn echo(account: Result<Json<Account>, JsonRejection>) -> Result<Json<Account>, Response> {
    let Json(account) = account.map_err(|_| problem())?;
    account.validate().map_err(|_| problem())?;
    Ok(Json(account))
}

fn main() {
    runtime().block_on(async {
        let routes = Router::new()
            .route("/plaintext", get(|| async { HELLO }))
            .route("/json", get(|| async { Json(Message { message: HELLO }) }))
            .route(
                "/users/{id}",
                get(|Path(id): Path<u64>| async move { Json(User { id, name: "Ann" }) }),
            )
            .route("/echo", post(echo));
        let layers = ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(TraceLayer::new_for_http())
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(SetResponseHeaderLayer::if_not_present(
                X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ))
            .layer(SetResponseHeaderLayer::if_not_present(
                CONTENT_SECURITY_POLICY,
                HeaderValue::from_static("frame-ancestors 'none'"),
            ))
            .layer(from_fn_with_state(Metrics::new(), count))
            .layer(HandleErrorLayer::new(|_: BoxError| async { StatusCode::SERVICE_UNAVAILABLE }))
            .layer(LoadShedLayer::new())
            .layer(GlobalConcurrencyLimitLayer::new(16_384))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::GATEWAY_TIMEOUT,
                Duration::from_secs(30),
            ))
            .layer(CatchPanicLayer::new())
            .layer(DefaultBodyLimit::disable())
            .layer(RequestBodyLimitLayer::new(2 << 20));
        let listener = tokio::net::TcpListener::bind(address()).await.expect("the address is free");
        let app = routes.layer(layers);
        tokio::select! {
            result = async { axum::serve(listener, app).await } => result.expect("axum serves"),
            () = stop() => {}
        }
    });
}
