//! Handlers that keep their thread: what others notice, and what is left of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arcly_http::prelude::*;
use arcly_http::resilience::{BreakerState, Bulkhead, CircuitBreaker, Policy};
use arcly_http::web::app::{LaunchConfig, Launched};
use arcly_http::web::limit::AdaptiveLimit;
use arcly_http::web::serve::{self, Listener, Stopping};
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// What a handler calls, and how many are in the middle of that.
#[derive(Injectable)]
struct Downstream {
    #[inject(default = policy())]
    policy: Policy<std::io::Error>,
    #[inject(default)]
    inside: AtomicUsize,
}

fn policy() -> Policy<std::io::Error> {
    Policy::builder()
        .bulkhead(Bulkhead::new(1).queue(1, Duration::from_secs(5)))
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
    /// Keeps the thread, then waits a while as it should.
    async fn ask(&self, millis: u64) -> Result<(), Problem> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let _inside = Inside(self);
        let call = || async {
            keep_thread(millis);
            tokio::time::sleep(Duration::from_millis(30)).await;
            Ok(())
        };
        self.policy.call(call).await.map_err(Problem::internal)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what the tests are about")]
fn keep_thread(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

#[derive(Injectable)]
struct Endpoints {
    downstream: Inject<Downstream>,
    tasks: Inject<Tasks>,
}

#[controller]
impl Endpoints {
    #[get("/hello")]
    #[public]
    fn hello(&self) -> &'static str {
        "hello"
    }

    #[get("/block/{millis}")]
    #[public]
    async fn block(&self, millis: Path<u64>) -> &'static str {
        keep_thread(millis.0);
        "blocked"
    }

    #[get("/call")]
    #[public]
    async fn call(&self) -> Result<&'static str, Problem> {
        self.downstream.ask(200).await?;
        Ok("called")
    }

    /// Its time is over while it keeps the thread.
    #[get("/late", deadline = "50ms")]
    #[public]
    async fn late(&self) -> Result<&'static str, Problem> {
        self.downstream.ask(200).await?;
        Ok("called")
    }

    #[get("/kept", cache("1h"))]
    #[public]
    async fn kept(&self) -> Result<&'static str, Problem> {
        self.downstream.ask(200).await?;
        Ok("kept")
    }

    #[get("/task")]
    #[public]
    async fn task(&self) -> Result<&'static str, Problem> {
        let downstream = self.downstream.clone();
        let work = async move { downstream.ask(200).await };
        let task = self.tasks.spawn("calls", |_stop| work).map_err(Problem::internal)?;
        task.join().await;
        Ok("called")
    }
}

#[module(root, providers(Downstream), controllers(Endpoints))]
struct BlockingModule;

/// A runtime with as many threads as there are in small containers, and a server in it.
fn while_serving<T>(
    threads: usize,
    configure: impl FnOnce(&mut LaunchConfig),
    client: impl AsyncFnOnce(Arc<Launched>, std::net::SocketAddr) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap();
    // The clients have a thread of their own: what blocks is the server.
    let clients = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (stop, stopped) = oneshot::channel();
    let app = App::new::<BlockingModule>().configure(configure);
    let launched = Arc::new(runtime.block_on(app.launch()).unwrap());
    let listener = runtime.block_on(Listener::bind(&"127.0.0.1:0".parse().unwrap())).unwrap();
    let addr = listener.address().unwrap();
    let served = Arc::clone(&launched);
    let running = runtime.spawn(async move {
        let stopping = Stopping::when(async {
            let _ = stopped.await;
        });
        let drained = serve::serve(&served, vec![listener], stopping).await;
        (drained, served.shutdown().await)
    });
    let result = clients.block_on(client(Arc::clone(&launched), addr));
    stop.send(()).unwrap();
    let (drained, report) = clients.block_on(running).unwrap();
    assert_eq!(drained.cut, 0);
    assert!(report.failures.is_empty(), "{report:?}");
    result
}

type Sender = hyper::client::conn::http1::SendRequest<Empty<Bytes>>;

/// A connection that is driven beside the client.
async fn connect(addr: std::net::SocketAddr) -> Sender {
    let socket = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the connection")]
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender
}

async fn get(sender: &mut Sender, path: &str) -> u16 {
    let request = http::Request::get(path).header("host", "x").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
}

/// One thread of several that does not come back is no overload: the others answer.
#[test]
fn a_thread_that_is_kept_has_nobody_refused() {
    let (refused, answered) = while_serving(
        4,
        |_| {},
        async |_launched, addr| {
            let is_over = AtomicBool::new(false);
            let (refused, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let blocking = async {
                let mut sender = connect(addr).await;
                let end = Instant::now() + Duration::from_secs(6);
                while Instant::now() < end {
                    let status = get(&mut sender, "/block/300").await;
                    let counter = if status == 503 { &refused } else { &answered };
                    counter.fetch_add(1, Ordering::SeqCst);
                }
                is_over.store(true, Ordering::SeqCst);
            };
            let asking = async {
                let mut sender = connect(addr).await;
                while !is_over.load(Ordering::SeqCst) {
                    let status = get(&mut sender, "/hello").await;
                    let counter = if status == 503 { &refused } else { &answered };
                    counter.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::join!(blocking, asking);
            (refused.into_inner(), answered.into_inner())
        },
    );
    // Sockets are looked at meanwhile: it takes nothing like the 300 ms.
    assert!(answered > 200, "{answered}");
    assert_eq!(refused, 0, "of {answered}");
}

/// When handlers keep all threads, whoever comes waits for one: so some are refused.
#[test]
fn threads_that_are_all_kept_are_an_overload() {
    let refused = while_serving(
        2,
        |_| {},
        async |launched, addr| {
            let refused = AtomicUsize::new(0);
            let end = Instant::now() + Duration::from_secs(20);
            let client = async || {
                let mut sender = connect(addr).await;
                // A few are enough to see it.
                while refused.load(Ordering::SeqCst) < 20 && Instant::now() < end {
                    if get(&mut sender, "/block/10").await == 503 {
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                }
            };
            join_all((0..64).map(|_| client())).await;
            // It is over when it is over.
            let mut sender = connect(addr).await;
            let mut in_a_row = 0;
            while in_a_row < 50 {
                assert!(Instant::now() < end + Duration::from_secs(20), "it is not forgotten");
                in_a_row = if get(&mut sender, "/hello").await == 200 { in_a_row + 1 } else { 0 };
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(launched.metrics().requests().active(), 0);
            refused.into_inner()
        },
    );
    assert!(refused >= 20, "{refused}");
}

fn counted(launched: &Launched, path: &str, status: &str) -> u64 {
    let text = launched.metrics().encode();
    let (path, status) = (format!("http_route=\"{path}\""), format!("status_code=\"{status}\""));
    let lines = text.lines().filter(|line| {
        line.contains("_duration_seconds_count{") && line.contains(&path) && line.contains(&status)
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Until nothing is being answered.
async fn until_quiet(launched: &Launched) {
    let begun = Instant::now();
    while launched.metrics().requests().active() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "a request is never over");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// There is one place of each kind: whatever kept it would refuse the next request.
#[test]
fn a_handler_that_blocks_leaves_nothing_behind() {
    let one_of_each = |config: &mut LaunchConfig| {
        let mut one = AdaptiveLimit::default();
        (one.min, one.initial, one.max) = (1, 1, 1);
        config.adaptive = Some(one);
    };
    while_serving(4, one_of_each, async |launched, addr| {
        let downstream = launched.container().get::<Downstream>().unwrap();
        let is_over = AtomicBool::new(false);
        let checking = async {
            for (path, status) in [("/call", 200), ("/late", 504), ("/kept", 200), ("/task", 200)] {
                // The client leaves while the thread is kept.
                let mut socket = TcpStream::connect(addr).await.unwrap();
                let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
                socket.write_all(ask.as_bytes()).await.unwrap();
                let begun = Instant::now();
                while downstream.inside.load(Ordering::SeqCst) == 0 {
                    assert!(begun.elapsed() < Duration::from_secs(10), "{path} never begins");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                drop(socket);
                until_quiet(&launched).await;
                // A task belongs to the application, and ends by itself.
                while downstream.inside.load(Ordering::SeqCst) > 0 {
                    assert!(begun.elapsed() < Duration::from_secs(10), "{path} never ends");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let calls = downstream.policy.status();
                assert_eq!(
                    (calls.running, calls.waiting, calls.probing),
                    (Some(0), 0, 0),
                    "{path}"
                );
                assert_eq!(calls.breaker, Some(BreakerState::Closed), "{path}");
                let running = launched.container().tasks().list();
                let running = running.iter().filter(|task| !task.state.is_over()).count();
                assert_eq!(running, 0, "{path}");
                let gone = counted(&launched, path, "499") + counted(&launched, path, "200");
                assert_eq!(gone + counted(&launched, path, "504"), 1, "{path}");
                // The place of the operation is free, and that of the call.
                let mut sender = connect(addr).await;
                assert_eq!(get(&mut sender, path).await, status, "{path}");
                until_quiet(&launched).await;
                let all = ["200", "499", "504"].map(|status| counted(&launched, path, status));
                assert_eq!(all.iter().sum::<u64>(), 2, "{path}: {all:?}");
            }
            is_over.store(true, Ordering::SeqCst);
        };
        let others = async {
            let (mut sender, mut slow, mut asked) = (connect(addr).await, 0, 0);
            while !is_over.load(Ordering::SeqCst) {
                let begun = Instant::now();
                assert_eq!(get(&mut sender, "/hello").await, 200);
                slow += u64::from(begun.elapsed() > Duration::from_millis(150));
                asked += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            (asked, slow)
        };
        let ((), (asked, slow)) = tokio::join!(checking, others);
        // A busy machine may be late by itself, now and then.
        assert!(asked > 50 && slow * 20 < asked, "{slow} of {asked} had to wait");
        assert_eq!(counted(&launched, "/hello", "200"), asked);
    });
}
