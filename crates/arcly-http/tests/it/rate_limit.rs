//! Clients that ask too often.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arcly_http::App;
use arcly_http::access::Authenticator;
use arcly_http::prelude::*;
use arcly_http::rate::{Quota, RateLimitError, RateLimitFuture, RateLimitStore};
use arcly_http::time::{ManualClock, SystemClock};
use arcly_http::web::Body;
use arcly_http::web::limit::{Per, RateLimit};
use arcly_http_testing::TestApp;

use crate::http_api::Tokens;

#[derive(Injectable)]
struct Limited;

#[controller("/limited", rate_limit("4/min", per = address))]
impl Limited {
    #[get("/")]
    #[public]
    fn plain(&self) -> &'static str {
        "plain"
    }

    #[get("/dear", rate_cost = 3)]
    #[public]
    fn dear(&self) -> &'static str {
        "dear"
    }

    #[get("/own", rate_limit("2/h", per = principal))]
    #[authenticated]
    async fn own(&self) -> &'static str {
        tokio::task::yield_now().await;
        "own"
    }
}

#[derive(Injectable)]
struct Free;

#[controller("/free")]
impl Free {
    #[get("/")]
    #[public]
    fn free(&self) -> &'static str {
        "free"
    }
}

#[provider]
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[module(root, providers(clock, Tokens as dyn Authenticator), controllers(Limited, Free))]
struct LimitedModule;

async fn launch() -> (TestApp, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let app = TestApp::builder::<LimitedModule>().manual_clock(&clock).launch().await.unwrap();
    (app, clock)
}

#[tokio::test]
async fn a_limit_is_shared_by_what_is_below_it_and_comes_back() {
    let (app, clock) = launch().await;
    let answer = app.get("/limited").send().await.expect(200);
    assert_eq!(answer.header("ratelimit-policy"), "\"controller-address\";q=4;w=60");
    assert_eq!(answer.header("ratelimit"), "\"controller-address\";r=3;t=15");
    let answer = app.get("/limited/dear").send().await.expect(200);
    assert_eq!(answer.header("ratelimit"), "\"controller-address\";r=0;t=60");
    let refused = app.get("/limited").send().await.expect_problem("too_many_requests");
    assert_eq!(refused.header("retry-after"), "15");
    assert_eq!(refused.header("ratelimit"), "\"controller-address\";r=0;t=60");
    assert_eq!(app.get("/limited/dear").send().await.expect(429).header("retry-after"), "45");
    app.get("/free").send().await.expect(200);
    clock.advance(Duration::from_secs(15));
    app.get("/limited").send().await.expect(200);
    let metrics = app.metrics().encode();
    assert!(metrics.contains("http_server_requests_rate_limited_total 2"), "{metrics}");
    let responses = &app.openapi()["paths"]["/limited"]["get"]["responses"];
    assert!(responses["429"].is_object());
    assert!(responses["200"]["headers"]["ratelimit"].is_object(), "{responses}");
    assert!(app.openapi()["paths"]["/free"]["get"]["responses"]["429"].is_null());
    app.finish().await;
}

#[tokio::test]
async fn callers_are_told_apart_after_the_access_rule() {
    let (app, clock) = launch().await;
    let ask = |token: &'static str| app.get("/limited/own").bearer(token).send();
    ask("user").await.expect(200);
    let answer = ask("user").await.expect(200);
    assert_eq!(
        answer.header("ratelimit"),
        "\"controller-address\";r=2;t=30, \"operation-principal\";r=0;t=3600"
    );
    ask("user").await.expect_problem("too_many_requests");
    ask("editor").await.expect(200);
    // Wrong credentials are counted for the address, before they are looked at.
    clock.advance(Duration::from_secs(60));
    for _ in 0..4 {
        ask("wrong").await.expect(401);
    }
    ask("wrong").await.expect(429);
    app.finish().await;
}

#[tokio::test]
async fn addresses_are_told_apart() {
    let app = App::new::<LimitedModule>().launch().await.unwrap();
    let ask = |peer: &str| {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = http::Request::get("/limited/dear").body(Body::empty()).unwrap();
        let app = app.clone();
        async move { app.handle(request, Some(peer)).await.status().as_u16() }
    };
    assert_eq!(ask("10.0.0.1:1").await, 200);
    assert_eq!(ask("10.0.0.1:2").await, 429);
    assert_eq!(ask("10.0.0.2:1").await, 200);
    assert_eq!(ask("[2001:db8::1]:1").await, 200);
    assert_eq!(ask("[2001:db8::2]:1").await, 429);
    app.shutdown().await;
}

/// A store that cannot be asked.
#[derive(Injectable)]
struct Broken;

impl RateLimitStore for Broken {
    fn take<'a>(
        &'a self,
        _policy: &'a str,
        _key: &'a str,
        _quota: Quota,
        _cost: u32,
    ) -> RateLimitFuture<'a> {
        Box::pin(async { Err(RateLimitError("gone".into())) })
    }
}

#[module(root, providers(Broken as dyn RateLimitStore), controllers(Free))]
struct BrokenModule;

#[tokio::test]
async fn a_store_that_cannot_be_asked_lets_nobody_in() {
    let one = RateLimit::new(1, Duration::from_secs(1), Per::Address);
    let app = TestApp::builder::<BrokenModule>()
        .map(|app| app.configure(|config| config.rate_limits.push(one)))
        .launch()
        .await
        .unwrap();
    app.get("/free").send().await.expect_problem("unavailable");
    app.finish().await;
}

#[derive(Injectable)]
struct Impossible;

#[controller("/impossible", rate_limit("2/min", per = tenant))]
impl Impossible {
    #[get("/", rate_cost = 3)]
    #[public]
    fn never(&self) -> &'static str {
        "never"
    }
}

#[module(root, controllers(Impossible))]
struct ImpossibleModule;

#[tokio::test]
async fn a_request_that_would_always_be_refused_does_not_launch() {
    let error = App::new::<ImpossibleModule>().launch().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "route GET /impossible: `rate_cost = 3` is more than the limit `controller-tenant` ever has, 2"
    );
}

#[derive(Injectable)]
struct Costly;

#[controller("/costly")]
impl Costly {
    #[get("/", rate_cost = 3)]
    #[public]
    fn costly(&self) {}
}

#[module(root, controllers(Costly))]
struct CostlyModule;

#[tokio::test]
async fn a_cost_without_a_limit_does_not_launch() {
    let error = App::new::<CostlyModule>().launch().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "route GET /costly: `rate_cost` has no effect: no `rate_limit(..)` counts this operation"
    );
}
