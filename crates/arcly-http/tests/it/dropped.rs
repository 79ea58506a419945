//! A client may leave at any time: its request is dropped wherever it waits, in any
//! stage. Nothing stays taken, and everything is counted.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arcly_http::App;
use arcly_http::access::{AuthError, AuthFuture, Authenticator, Credentials};
use arcly_http::prelude::*;
use arcly_http::problem::kinds;
use arcly_http::rate::{LocalRateLimits, Quota, RateLimitFuture, RateLimitStore};
use arcly_http::resilience::{Bulkhead, CircuitBreaker, Policy};
use arcly_http::time::SystemClock;
use arcly_http::web::app::Launched;
use arcly_http::web::limit::AdaptiveLimit;
use arcly_http::web::reply::{Response, Streamed};
use arcly_http::web::{Body, Context};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use tokio::task::yield_now;

/// Waits a few times, as everything here does.
async fn waits() {
    yield_now().await;
    yield_now().await;
}

#[derive(Injectable)]
struct SlowTokens;

impl Authenticator for SlowTokens {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> AuthFuture<'a> {
        let known = credentials.token == "user";
        Box::pin(async move {
            waits().await;
            let refused = || AuthError::Refused("no such token".into());
            known.then(|| Arc::new(Claims::about("u1"))).ok_or_else(refused)
        })
    }
}

#[derive(Injectable)]
struct SlowStore {
    #[inject(default = LocalRateLimits::new(Arc::new(SystemClock)))]
    inner: LocalRateLimits,
}

impl RateLimitStore for SlowStore {
    fn take<'a>(
        &'a self,
        policy: &'a str,
        key: &'a str,
        quota: Quota,
        cost: u32,
    ) -> RateLimitFuture<'a> {
        Box::pin(async move {
            waits().await;
            let verdict = self.inner.take(policy, key, quota, cost).await;
            waits().await;
            verdict
        })
    }
}

#[derive(Injectable)]
struct Around;

impl Guard for Around {
    fn describe(_operation: &mut arcly_http::contract::Operation) {}

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        waits().await;
        Ok(())
    }
}

impl Interceptor for Around {
    async fn around(&self, context: &mut Context, next: Next<'_>) -> Result<Response, Problem> {
        waits().await;
        let response = next.run(context).await;
        waits().await;
        response
    }
}

impl Filter for Around {
    async fn catch(&self, problem: Problem, _head: &Head) -> Result<Response, Problem> {
        waits().await;
        Err(problem)
    }
}

/// A layer whose service waits before and after the inner one.
#[derive(Clone)]
struct SlowLayer;

#[derive(Clone)]
struct SlowService<S>(S);

impl<S> tower::Layer<S> for SlowLayer {
    type Service = SlowService<S>;
    fn layer(&self, inner: S) -> SlowService<S> {
        SlowService(inner)
    }
}

impl<S, R> tower::Service<R> for SlowService<S>
where
    S: tower::Service<R, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = futures_util::future::BoxFuture<'static, Result<S::Response, Infallible>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let mut inner = self.0.clone();
        async move {
            waits().await;
            let response = inner.call(request).await;
            waits().await;
            response
        }
        .boxed()
    }
}

fn slow_layer() -> SlowLayer {
    SlowLayer
}

/// What handlers call, and how many of them are inside.
#[derive(Injectable)]
struct Downstream {
    #[inject(default = policy())]
    policy: Policy<std::io::Error>,
    #[inject(default)]
    inside: AtomicUsize,
}

fn policy() -> Policy<std::io::Error> {
    Policy::builder()
        .bulkhead(Bulkhead::new(1).queue(1, Duration::from_secs(1)))
        .breaker(CircuitBreaker::new())
        .build()
        .unwrap()
}

struct Inside<'d>(&'d Downstream);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Downstream {
    async fn ask(&self) -> Result<(), Problem> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let _inside = Inside(self);
        let call = || async {
            waits().await;
            Ok(())
        };
        self.policy.call(call).await.map_err(Problem::internal)
    }
}

#[derive(Injectable)]
struct Work {
    downstream: Inject<Downstream>,
    tasks: Inject<Tasks>,
}

#[controller(
    "/work",
    guards(Around),
    interceptors(Around),
    filters(Around),
    rate_limit("1000000/s", per = address),
    rate_limit("1000000/s", per = principal)
)]
impl Work {
    #[post("/plain")]
    #[authenticated]
    async fn plain(&self, body: Bytes) -> Result<String, Problem> {
        self.downstream.ask().await?;
        Ok(body.len().to_string())
    }

    #[post("/layered", layers(slow_layer))]
    #[authenticated]
    async fn layered(&self, body: Bytes) -> Result<String, Problem> {
        self.downstream.ask().await?;
        Ok(body.len().to_string())
    }

    /// Waits for a task of its own.
    #[post("/task")]
    #[authenticated]
    async fn task(&self, body: Bytes) -> Result<String, Problem> {
        let downstream = self.downstream.clone();
        let work = async move {
            waits().await;
            downstream.ask().await
        };
        let task = self.tasks.spawn("asks", |_stop| work).map_err(Problem::internal)?;
        task.join().await;
        Ok(body.len().to_string())
    }

    #[post("/refused")]
    #[authenticated]
    async fn refused(&self, body: Bytes) -> Result<String, Problem> {
        let _ = body;
        self.downstream.ask().await?;
        Err(Problem::of(&kinds::CONFLICT))
    }

    #[post("/stream")]
    #[authenticated]
    async fn stream(&self, body: Bytes) -> Streamed {
        let pieces = futures_util::stream::iter([body.clone(), body]).then(|piece| async move {
            waits().await;
            Ok::<_, Infallible>(piece)
        });
        Streamed::new(pieces)
    }
}

#[module(
    root,
    providers(Around, Downstream, SlowTokens as dyn Authenticator, SlowStore as dyn RateLimitStore),
    controllers(Work)
)]
struct WorkModule;

async fn launch() -> Launched {
    let mut one = AdaptiveLimit::default();
    (one.min, one.initial, one.max) = (1, 1, 1);
    let app = App::new::<WorkModule>().configure(|config| {
        config.in_flight_max = Some(1);
        config.adaptive = Some(one);
        config.deadline = Some(Duration::from_secs(60));
    });
    app.launch().await.unwrap()
}

/// A request whose body comes in pieces, read to the end of its response.
fn ask(app: &Launched, path: &str) -> impl Future<Output = (u16, usize)> + use<> {
    let pieces = futures_util::stream::iter(["one", "two"]).then(|piece| async move {
        waits().await;
        Ok::<_, Infallible>(Bytes::from(piece))
    });
    let request = http::Request::post(path)
        .header("authorization", "Bearer user")
        .header("content-type", "application/octet-stream")
        .body(Body::from_stream(pieces))
        .unwrap();
    let app = app.clone();
    let peer = "192.0.2.1:5000".parse().unwrap();
    async move {
        let response = app.handle(request, Some(peer)).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, body.len())
    }
}

fn counted(app: &Launched, path: &str, status: u16) -> u64 {
    let text = app.metrics().encode();
    let (path, status) = (format!("http_route=\"{path}\""), format!("status_code=\"{status}\""));
    let lines = text.lines().filter(|line| {
        line.contains("_duration_seconds_count{") && line.contains(&path) && line.contains(&status)
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Drops a request after each number of polls that it can live through. There is one
/// place of each kind, so that whatever kept it would refuse the next request.
async fn drop_everywhere(path: &str, status: u16, length: impl Fn(usize) -> bool) {
    let app = launch().await;
    let downstream = app.container().get::<Downstream>().unwrap();
    let mut dropped = 0;
    for polls in 1.. {
        let mut request = Box::pin(ask(&app, path));
        let mut ended = None;
        for _ in 0..polls {
            if let std::task::Poll::Ready(end) = futures_util::poll!(request.as_mut()) {
                ended = Some(end);
                break;
            }
            yield_now().await;
        }
        drop(request);
        if let Some((got, len)) = ended {
            assert_eq!(got, status);
            assert!(length(len), "{len} bytes");
            break;
        }
        dropped += 1;
        // Tasks belong to the application, and end by themselves.
        while downstream.inside.load(Ordering::SeqCst) > 0 && path == "/work/task" {
            yield_now().await;
        }
        let calls = downstream.policy.status();
        let taken = (calls.running, calls.waiting, calls.probing);
        assert_eq!(taken, (Some(0), 0, 0), "after {polls} polls");
        assert_eq!(downstream.inside.load(Ordering::SeqCst), 0, "after {polls} polls");
        assert_eq!(app.metrics().requests().active(), 0, "after {polls} polls");
        let (next, _) = ask(&app, path).await;
        assert_eq!(next, status, "after {polls} polls");
    }
    assert!(dropped > 15, "{dropped} places to wait at");
    // A response that has begun was answered, whatever became of its body.
    let (gone, answered) = (counted(&app, path, 499), counted(&app, path, status));
    assert_eq!(gone + answered, 2 * dropped + 1, "{gone} gone, {answered} answered");
    assert!(gone > 15, "{gone} gone");
    app.shutdown().await;
}

#[tokio::test]
async fn a_request_may_be_dropped_in_every_stage() {
    drop_everywhere("/work/plain", 200, |length| length == 1).await;
}

#[tokio::test]
async fn a_request_may_be_dropped_within_tower_layers() {
    drop_everywhere("/work/layered", 200, |length| length == 1).await;
}

#[tokio::test]
async fn a_request_may_be_dropped_while_a_task_works_for_it() {
    drop_everywhere("/work/task", 200, |length| length == 1).await;
}

#[tokio::test]
async fn a_request_may_be_dropped_while_its_problem_is_shaped() {
    drop_everywhere("/work/refused", 409, |length| length > 20).await;
}

#[tokio::test]
async fn a_response_may_be_dropped_on_its_way() {
    drop_everywhere("/work/stream", 200, |length| length == 12).await;
}
