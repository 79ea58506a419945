//! Rate limits that several processes share, counted by a real server.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arcly_http::observe::HealthCheck as _;
use arcly_http::prelude::*;
use arcly_http::rate::{Quota, RateLimitStore};
use arcly_http::web::limit::{RedisRateLimitError, RedisRateLimits};
use arcly_http_testing::TestApp;
use futures_util::future::join_all;

/// A server of this test's own, without a file.
struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(port).await
    }

    async fn start_at(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir", folder.path().to_str().unwrap()])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed; scripts/test does that");
        let server = Self { process, port, _folder: folder };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "redis-server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    async fn limits(&self) -> RedisRateLimits {
        RedisRateLimits::connect(&self.url(), "test").await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn processes_share_a_quota() {
    let server = Server::start().await;
    let stores = [server.limits().await, server.limits().await, server.limits().await];
    let quota = Quota::new(10, Duration::from_secs(60));
    let asked = (0..90).map(|number: usize| stores[number % 3].take("p", "a", quota, 1));
    let verdicts: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_admitted).count(), 10);
    let refused = verdicts.iter().rfind(|verdict| !verdict.is_admitted).unwrap();
    assert_eq!(refused.remaining, 0);
    // One of ten a minute comes back every six seconds.
    let wait = refused.retry_after;
    assert!(wait > Duration::from_secs(4) && wait <= Duration::from_secs(6), "{wait:?}");
    // Others have their own.
    for (policy, key) in [("p", "b"), ("q", "a")] {
        let verdict = stores[0].take(policy, key, quota, 10).await.unwrap();
        assert_eq!((verdict.is_admitted, verdict.remaining), (true, 0));
    }
    let too_dear = stores[0].take("r", "a", quota, 11).await.unwrap();
    assert!(!too_dear.is_admitted);
    let after = stores[0].take("r", "a", quota, 3).await.unwrap();
    assert_eq!((after.is_admitted, after.remaining), (true, 7), "a refusal uses nothing");
}

#[tokio::test]
async fn what_is_used_comes_back_and_is_forgotten() {
    let server = Server::start().await;
    let limits = server.limits().await;
    let quota = Quota::new(7, Duration::from_millis(700));
    for left in (0..7).rev() {
        let verdict = limits.take("p", "a", quota, 1).await.unwrap();
        assert!(verdict.is_admitted && verdict.remaining >= left, "{left}: {verdict:?}");
    }
    let begun = Instant::now();
    let refused = limits.take("p", "a", quota, 7).await.unwrap();
    assert!(!refused.is_admitted);
    tokio::time::sleep(refused.retry_after + Duration::from_millis(5)).await;
    assert!(limits.take("p", "a", quota, 7).await.unwrap().is_admitted, "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(900)).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert!(keys.is_empty(), "{keys:?}");
}

#[derive(Token)]
struct Port(u16);

#[provider]
fn port() -> Port {
    Port(0)
}

#[provider]
async fn limits(port: Inject<Port>) -> Result<RedisRateLimits, RedisRateLimitError> {
    RedisRateLimits::connect(&format!("redis://127.0.0.1:{}", port.0), "test").await
}

#[derive(Injectable)]
struct Limited;

#[controller("/limited", rate_limit("3/min", per = address))]
impl Limited {
    #[get("/")]
    #[public]
    fn plain(&self) -> &'static str {
        "plain"
    }
}

#[module(root, providers(port, limits as dyn RateLimitStore as dyn HealthCheck), controllers(Limited))]
struct LimitedModule;

#[tokio::test]
async fn a_server_that_is_gone_lets_nobody_in_until_it_is_back() {
    let server = Server::start().await;
    let builder = TestApp::builder::<LimitedModule>().replace::<Port>(Arc::new(Port(server.port)));
    let app = builder.launch().await.unwrap();
    for _ in 0..3 {
        app.get("/limited").send().await.expect(200);
    }
    app.get("/limited").send().await.expect_problem("too_many_requests");
    let limits = app.provider::<RedisRateLimits>();
    limits.check().await.unwrap();

    let port = server.port;
    drop(server);
    app.get("/limited").send().await.expect_problem("unavailable");
    limits.check().await.unwrap_err();

    let _server = Server::start_at(port).await;
    let begun = Instant::now();
    while app.get("/limited").send().await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_without_a_word_of_the_password() {
    let connect = |url: &'static str, prefix: &'static str| async move {
        let error = RedisRateLimits::connect(url, prefix).await.unwrap_err();
        let text = arcly_http::problem::error_chain(&error).to_string();
        assert!(!text.contains("hunter2"), "{text}");
        error
    };
    let error = connect("http://:hunter2@127.0.0.1:1", "test").await;
    assert!(matches!(error, RedisRateLimitError::Address(_)), "{error}");
    let error = connect("redis://:hunter2@127.0.0.1:1/0", "test").await;
    assert!(matches!(error, RedisRateLimitError::Connect(_)), "{error}");
    for prefix in ["", "a b", "a:b"] {
        let error = connect("redis://127.0.0.1:1/0", prefix).await;
        assert!(matches!(error, RedisRateLimitError::Prefix), "{error}");
    }
}
