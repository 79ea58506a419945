//! Requests for which there is no place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arcly_http::App;
use arcly_http::prelude::*;
use arcly_http::time::{ManualClock, SystemClock};
use arcly_http::web::app::LaunchConfig;
use arcly_http::web::limit::AdaptiveLimit;
use arcly_http::web::{Body, Context, reply::Response};
use arcly_http_testing::TestApp;
use bytes::Bytes;
use tokio::sync::Notify;

/// Handlers wait here.
#[derive(Injectable)]
struct Gate {
    #[inject(default)]
    open: Notify,
    #[inject(default)]
    entered: AtomicUsize,
}

#[derive(Injectable)]
struct Work {
    gate: Inject<Gate>,
}

#[controller("/work", filters(Shape))]
impl Work {
    #[get("/")]
    #[public]
    async fn wait(&self) -> &'static str {
        self.gate.entered.fetch_add(1, Ordering::SeqCst);
        self.gate.open.notified().await;
        "done"
    }

    #[get("/layered", layers(same))]
    #[public]
    async fn layered(&self) -> &'static str {
        self.gate.open.notified().await;
        "done"
    }

    #[get("/other", guards(Slowly), interceptors(Slow))]
    #[public]
    async fn other(&self) -> &'static str {
        tokio::task::yield_now().await;
        "other"
    }

    #[post("/")]
    #[public]
    async fn upload(&self, body: Bytes) -> String {
        tokio::task::yield_now().await;
        body.len().to_string()
    }

    #[get("/at-once")]
    #[public]
    fn at_once(&self) -> &'static str {
        "at once"
    }
}

fn same() -> tower::layer::util::Identity {
    tower::layer::util::Identity::new()
}

#[provider]
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[derive(Injectable)]
struct Shape;

impl Filter for Shape {
    async fn catch(&self, problem: Problem, _head: &Head) -> Result<Response, Problem> {
        Err(problem.with_member("shaped", true))
    }
}

#[derive(Injectable)]
struct Slowly;

impl Guard for Slowly {
    fn describe(_operation: &mut arcly_http::contract::Operation) {}

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[derive(Injectable)]
struct Slow;

impl Interceptor for Slow {
    async fn around(&self, context: &mut Context, next: Next<'_>) -> Result<Response, Problem> {
        tokio::task::yield_now().await;
        let response = next.run(context).await;
        tokio::task::yield_now().await;
        response
    }
}

#[module(root, providers(Gate, Shape, Slowly, Slow, clock), controllers(Work))]
struct WorkModule;

fn one_of_each(config: &mut LaunchConfig) {
    let mut one = AdaptiveLimit::default();
    (one.min, one.initial, one.max) = (1, 1, 1);
    config.adaptive = Some(one);
}

async fn launch(configure: fn(&mut LaunchConfig)) -> TestApp {
    TestApp::builder::<WorkModule>().map(|app| app.configure(configure)).launch().await.unwrap()
}

#[tokio::test]
async fn one_request_too_many_is_refused() {
    let app = launch(|config| config.in_flight_max = Some(1)).await;
    let mut first = std::pin::pin!(app.get("/work").send());
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    let refused = app.get("/work/other").send().await.expect_problem("unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.value()["shaped"], true);
    app.get("/work/at-once").send().await.expect_problem("unavailable");
    // What no route answers is refused as well.
    app.get("/nowhere").send().await.expect_problem("unavailable");
    let metrics = app.metrics().encode();
    assert!(
        metrics.contains("http_server_requests_shed_total{limit=\"in_flight\"} 3"),
        "{metrics}"
    );
    app.provider::<Gate>().open.notify_one();
    assert_eq!(first.await.expect(200).text(), "done");
    app.get("/work/other").send().await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn one_operation_does_not_take_the_places_of_another() {
    let app = launch(one_of_each).await;
    let mut first = std::pin::pin!(app.get("/work").send());
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    let refused = app.get("/work").send().await.expect_problem("unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    app.get("/work/other").send().await.expect(200);
    app.get("/work/at-once").send().await.expect(200);
    let metrics = app.metrics().encode();
    assert!(
        metrics.contains("http_server_requests_shed_total{limit=\"operation\"} 1"),
        "{metrics}"
    );
    assert_eq!(app.provider::<Gate>().entered.load(Ordering::SeqCst), 1);
    assert!(app.openapi()["paths"]["/work"]["get"]["responses"]["503"].is_object());
    app.provider::<Gate>().open.notify_one();
    first.await.expect(200);
    app.finish().await;
}

/// A request may be dropped wherever it waits; its places come back.
#[tokio::test]
async fn places_come_back_when_a_request_is_dropped() {
    let app = launch(|config| {
        one_of_each(config);
        config.in_flight_max = Some(1);
    })
    .await;
    for polls in 1..=4 {
        let mut request = std::pin::pin!(app.get("/work/other").send());
        for poll in 0..polls {
            assert!(futures_util::poll!(request.as_mut()).is_pending(), "{poll} of {polls}");
        }
    }
    let mut request = std::pin::pin!(app.get("/work").send());
    assert!(futures_util::poll!(request.as_mut()).is_pending());
    request.set(app.get("/work/other").send());
    request.await.expect(200);
    assert!(app.metrics().encode().contains("http_server_active_requests 0"));
    app.finish().await;
}

/// Slow clients use up connections, not the places of an operation.
#[tokio::test]
async fn a_body_that_is_on_its_way_takes_no_place() {
    let app = App::new::<WorkModule>().configure(one_of_each).launch().await.unwrap();
    let post = |body: Body| {
        let request =
            http::Request::post("/work").header("content-type", "application/octet-stream");
        let app = app.clone();
        async move { app.handle(request.body(body).unwrap(), None).await.status() }
    };
    let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let mut slow = std::pin::pin!(post(Body::from_stream(never)));
    assert!(futures_util::poll!(slow.as_mut()).is_pending());
    let mut first = std::pin::pin!(post(Body::from("one")));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert_eq!(post(Body::from("two")).await, 503);
    assert_eq!(first.await, 200);
    assert_eq!(post(Body::from("three")).await, 200);
    app.shutdown().await;
}

#[tokio::test]
async fn limits_can_be_taken_away() {
    let app = launch(|config| {
        config.in_flight_max = None;
        config.adaptive = None;
        config.deadline = None;
    })
    .await;
    let responses = &app.openapi()["paths"]["/work"]["get"]["responses"];
    assert!(responses["503"].is_null() && responses["504"].is_null(), "{responses}");
    let app = Arc::new(app);
    app.get("/work/other").send().await.expect(200);
}

/// Asks twenty times at once; says how many found a place.
async fn load(app: &TestApp, clock: &ManualClock, path: &str, took: Duration) -> usize {
    let mut running = vec![];
    for _ in 0..20 {
        let mut request = Box::pin(app.get(path).send());
        if futures_util::poll!(request.as_mut()).is_pending() {
            running.push(request);
        }
    }
    let count = running.len();
    clock.advance(took);
    if took < Duration::from_secs(1) {
        app.provider::<Gate>().open.notify_waiters();
    }
    for request in running {
        request.await;
    }
    count
}

/// Work that is given up for taking too long says how long work takes.
#[tokio::test]
async fn an_operation_whose_time_is_over_gets_fewer_places() {
    for path in ["/work", "/work/layered"] {
        let clock = Arc::new(ManualClock::default());
        let configure = |config: &mut LaunchConfig| {
            let mut limit = AdaptiveLimit::default();
            (limit.min, limit.initial, limit.max) = (1, 20, 20);
            config.adaptive = Some(limit);
        };
        let builder = TestApp::builder::<WorkModule>().manual_clock(&clock);
        let app = builder.map(|app| app.configure(configure)).launch().await.unwrap();
        for _ in 0..100 {
            assert_eq!(load(&app, &clock, path, Duration::from_millis(50)).await, 20, "{path}");
        }
        for _ in 0..5 {
            load(&app, &clock, path, Duration::from_secs(31)).await;
        }
        let places = load(&app, &clock, path, Duration::from_millis(50)).await;
        assert!(places < 20, "{path}");
        app.finish().await;
    }
}
