//! Operations whose time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arcly_http::prelude::*;
use arcly_http::time::{Budget, ManualClock, SystemClock, remaining};
use arcly_http::web::Context;
use arcly_http::web::reply::{Response, Streamed};
use arcly_http_testing::TestApp;
use bytes::Bytes;

/// Counts what is given up.
#[derive(Injectable)]
struct Dropped {
    #[inject(default)]
    count: AtomicUsize,
}

struct Held<'a>(&'a Dropped);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Injectable)]
struct Slow {
    dropped: Inject<Dropped>,
}

#[controller("/slow", deadline = "10s")]
impl Slow {
    /// Never answers.
    #[get("/stuck", deadline = "2s")]
    #[public]
    async fn stuck(&self) -> String {
        let _held = Held(&self.dropped);
        std::future::pending().await
    }

    /// Says what is left, before and after it waited.
    #[get("/left")]
    #[public]
    async fn left(&self, scope: Scope) -> Json<Vec<Option<Duration>>> {
        let before = remaining();
        tokio::task::yield_now().await;
        Json(vec![before, remaining(), scope.remaining()])
    }

    #[get("/at-once")]
    #[public]
    fn at_once(&self) -> Json<Option<Duration>> {
        Json(remaining())
    }

    #[get("/unlimited", deadline = None)]
    #[public]
    async fn unlimited(&self) -> Json<bool> {
        tokio::task::yield_now().await;
        Json(Budget::current().is_none())
    }

    /// The head comes in time; what follows may take longer.
    #[get("/stream", deadline = "1s")]
    #[public]
    async fn stream(&self, clock: Inject<dyn Clock>) -> Streamed {
        Streamed::new(futures_util::stream::once(async move {
            clock.sleep(Duration::from_secs(60)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"late"))
        }))
    }

    /// Its problems are shaped by a filter.
    #[get("/shaped", deadline = "1s", filters(Shape), interceptors(Pass))]
    #[public]
    async fn shaped(&self) -> String {
        std::future::pending().await
    }

    /// Its filter does not answer either.
    #[get("/deaf", deadline = "1s", filters(Deaf))]
    #[public]
    async fn deaf(&self) -> String {
        std::future::pending().await
    }
}

#[derive(Injectable)]
struct Pass;

impl Interceptor for Pass {
    async fn around(&self, context: &mut Context, next: Next<'_>) -> Result<Response, Problem> {
        next.run(context).await
    }
}

#[derive(Injectable)]
struct Shape;

impl Filter for Shape {
    async fn catch(&self, problem: Problem, _head: &Head) -> Result<Response, Problem> {
        tokio::task::yield_now().await;
        Err(problem.with_member("shaped", true))
    }
}

#[derive(Injectable)]
struct Deaf;

impl Filter for Deaf {
    async fn catch(&self, _problem: Problem, _head: &Head) -> Result<Response, Problem> {
        std::future::pending().await
    }
}

#[provider]
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[module(root, providers(clock, Dropped, Pass, Shape, Deaf), controllers(Slow))]
struct SlowModule;

async fn launch() -> (TestApp, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let app = TestApp::builder::<SlowModule>().manual_clock(&clock).launch().await.unwrap();
    (app, clock)
}

/// Sends a request and moves the clock, so often as it is waited for.
async fn answer_after(
    app: &TestApp,
    clock: &ManualClock,
    path: &str,
    steps: &[u64],
) -> arcly_http_testing::TestResponse {
    let moving = async {
        for seconds in steps {
            clock.wait_for_sleepers(1).await;
            clock.advance(Duration::from_secs(*seconds));
        }
    };
    tokio::join!(app.get(path).send(), moving).0
}

#[tokio::test]
async fn an_operation_whose_time_is_over_is_dropped() {
    let (app, clock) = launch().await;
    let answer = answer_after(&app, &clock, "/slow/stuck", &[2]).await;
    answer.expect_problem("timeout");
    assert_eq!(app.provider::<Dropped>().count.load(Ordering::SeqCst), 1);
    assert_eq!(clock.sleepers(), 0);
    let metrics = app.metrics().encode();
    assert!(metrics.contains("http_server_deadlines_exceeded_total 1"), "{metrics}");
    assert!(metrics.contains("http_server_active_requests 0"), "{metrics}");
    app.logs().containing("given up").with("route", "/slow/stuck").expect_one();
    app.finish().await;
}

#[tokio::test]
async fn what_is_left_can_be_asked_for_anywhere_below_a_handler() {
    let (app, _clock) = launch().await;
    let left = Some(Duration::from_secs(10));
    let answer = app.get("/slow/left").send().await.expect(200);
    assert_eq!(answer.json_as::<Vec<Option<Duration>>>(), vec![left; 3]);
    let answer = app.get("/slow/at-once").send().await.expect(200);
    assert_eq!(answer.json_as::<Option<Duration>>(), left);
    assert_eq!(app.get("/slow/unlimited").send().await.expect(200).text(), "true");
    assert_eq!(remaining(), None);
    app.finish().await;
}

#[tokio::test]
async fn the_body_of_a_response_may_take_longer() {
    let (app, clock) = launch().await;
    let answer = answer_after(&app, &clock, "/slow/stream", &[60]).await;
    assert_eq!(answer.expect(200).text(), "late");
    app.finish().await;
}

#[tokio::test]
async fn filters_shape_the_answer_but_do_not_hold_it_up() {
    let (app, clock) = launch().await;
    let answer = answer_after(&app, &clock, "/slow/shaped", &[1]).await;
    assert_eq!(answer.expect_problem("timeout").value()["shaped"], true);
    let answer = answer_after(&app, &clock, "/slow/deaf", &[1, 1]).await;
    answer.expect_problem("timeout");
    app.finish().await;
}

#[tokio::test]
async fn deadlines_are_documented() {
    let (app, _clock) = launch().await;
    let paths = &app.openapi()["paths"];
    let of = |path: &str| &paths[path]["get"];
    assert_eq!(of("/slow/stuck")["x-deadline-ms"], 2000);
    assert_eq!(of("/slow/left")["x-deadline-ms"], 10_000);
    assert!(of("/slow/left")["responses"]["504"].is_object());
    assert!(of("/slow/unlimited")["responses"]["504"].is_null());
    app.finish().await;
}

/// A client that leaves is no timeout, and leaves nothing behind.
#[tokio::test]
async fn a_request_can_be_dropped_while_its_deadline_runs() {
    let (app, clock) = launch().await;
    {
        let mut request = std::pin::pin!(app.get("/slow/stuck").send());
        assert!(futures_util::poll!(request.as_mut()).is_pending());
        assert_eq!(clock.sleepers(), 1);
    }
    assert_eq!(clock.sleepers(), 0);
    assert_eq!(app.provider::<Dropped>().count.load(Ordering::SeqCst), 1);
    let metrics = app.metrics().encode();
    assert!(metrics.contains("http_server_deadlines_exceeded_total 0"), "{metrics}");
    app.finish().await;
}
