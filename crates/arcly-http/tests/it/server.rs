//! The server on a real socket: slow, idle and stuck clients, protocols, draining.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arcly_http::di::{Module, Token};
use arcly_http::observe::Metrics;
use arcly_http::prelude::*;
use arcly_http::web::app::{LaunchConfig, Launched};
use arcly_http::web::serve::{self, Drained, Listener, Stopping};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Injectable)]
struct Gate {
    #[inject(default)]
    entered: tokio::sync::Notify,
}

#[derive(Injectable)]
struct Endpoints {
    gate: Inject<Gate>,
}

#[controller]
impl Endpoints {
    #[get("/hello")]
    #[public]
    fn hello(&self) -> &'static str {
        "hello"
    }

    /// Never answers.
    #[get("/stuck")]
    #[public]
    async fn stuck(&self) -> String {
        self.gate.entered.notify_one();
        std::future::pending().await
    }

    #[get("/later")]
    #[public]
    async fn later(&self) -> &'static str {
        tokio::time::sleep(Duration::from_millis(600)).await;
        "later"
    }

    /// More than all buffers between server and client hold.
    #[get("/large")]
    #[public]
    fn large(&self) -> Bytes {
        Bytes::from(vec![b'x'; 32 << 20])
    }

    #[post("/upload")]
    #[public]
    async fn upload(&self, body: Bytes) -> String {
        body.len().to_string()
    }
}

#[module(root, providers(Gate), controllers(Endpoints))]
struct ServerModule;

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    launched: Arc<Launched>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Drained>,
}

pub(crate) async fn start(configure: impl FnOnce(&mut LaunchConfig)) -> Server {
    start_app::<ServerModule>(configure).await
}

pub(crate) async fn start_app<M: Module>(configure: impl FnOnce(&mut LaunchConfig)) -> Server {
    // A machine that runs many tests is late by itself.
    let app = App::new::<M>().configure(|config| config.delay_max = None);
    let launched = Arc::new(app.configure(configure).launch().await.unwrap());
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.address().unwrap();
    let served = Arc::clone(&launched);
    let (stop, stopped) = oneshot::channel();
    #[expect(clippy::disallowed_methods, reason = "the test joins it by `stop`")]
    let running = tokio::spawn(async move {
        let stopping = Stopping::when(async {
            let _ = stopped.await;
        });
        serve::serve(&served, vec![listener], stopping).await
    });
    Server { addr, launched, stop, running }
}

impl Server {
    pub(crate) fn provider<T: Token + Send + Sync + 'static>(&self) -> Inject<T> {
        self.launched.container().get::<T>().unwrap()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        self.launched.metrics()
    }

    pub(crate) async fn stop(self) -> Drained {
        self.stop.send(()).unwrap();
        self.running.await.unwrap()
    }

    pub(crate) async fn send(&self, text: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.addr).await.unwrap();
        socket.write_all(text.as_bytes()).await.unwrap();
        socket
    }
}

/// Everything until the server closes; fails when it does not within 5 s.
pub(crate) async fn rest(mut socket: TcpStream) -> String {
    let mut bytes = vec![];
    let read = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut bytes));
    // A reset is a close, too.
    let _ = read.await.expect("the server closes the connection in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn brief(config: &mut LaunchConfig) {
    config.header_timeout = Duration::from_millis(200);
    config.body_timeout = Duration::from_millis(200);
    config.write_timeout = Duration::from_millis(200);
    config.keep_alive = Duration::from_millis(400);
}

#[tokio::test]
async fn connections_that_outlive_the_deadline_are_cut() {
    let server = start(|config| config.drain = Duration::from_millis(50)).await;
    let socket = server.send("GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.provider::<Gate>().entered.notified().await;
    assert_eq!(server.stop().await.cut, 1);
    // The socket is gone by now, not at some later time.
    assert_eq!(rest(socket).await, "");
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut() {
    let server = start(brief).await;
    let silent = server.send("").await;
    let partial = server.send("GET /hello HTTP/1.1\r\nhost: x\r\n").await;
    assert_eq!(rest(silent).await, "");
    assert_eq!(rest(partial).await, "");
    // The same on a connection that has served a request before.
    let mut second = server.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 512];
    assert!(second.read(&mut answer).await.unwrap() > 0);
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(5) && second.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_with_408() {
    let server = start(brief).await;
    let head = "POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    let answer = rest(server.send(head).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(server.stop().await.cut, 0);
}

/// What came quickly at first is no time to stand still in.
#[tokio::test]
async fn a_body_that_stops_is_answered_with_408_however_much_has_come() {
    let server = start(brief).await;
    let mut socket =
        server.send("POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
    socket.write_all(&[b'x'; 500_000]).await.unwrap();
    let answer = rest(socket).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // One that comes at a KiB in a fifth of a second is waited for.
    let mut socket =
        server.send("POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10240\r\n\r\n").await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        socket.write_all(&[b'x'; 1024]).await.unwrap();
    }
    let answer = rest(socket).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("10240"), "{answer}");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let server = start(brief).await;
    let socket = server.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // Nothing is read until the server has given up, which stopping shows.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(server.stop().await.cut, 0);
    assert!(rest(socket).await.len() < 32 << 20);
}

/// Its responses fit into the buffers of the system, so for the server they are gone.
#[tokio::test]
async fn a_client_that_leaves_small_responses_in_the_system_is_cut() {
    let server = start(|config| {
        brief(config);
        config.keep_alive = Duration::from_secs(60);
    })
    .await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let mut socket = socket.connect(server.addr).await.unwrap();
    let requests = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    socket.write_all(requests.as_bytes()).await.unwrap();
    let cut = async {
        while socket.take_error().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), cut).await.expect("the client is cut");

    // One that takes what it is sent stays.
    let mut other = server.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    other.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(rest(other).await.matches("HTTP/1.1 200").count(), 2);
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn an_http2_client_that_takes_nothing_is_cut() {
    let server = start(brief).await;
    let mut socket = server.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    // SETTINGS with a window of 0, and HEADERS for `GET http://x/hello`.
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    let headers = b"\0\0\x0d\x01\x05\0\0\0\x01\x82\x86\x04\x06/hello\x41\x01x";
    socket.write_all(&settings).await.unwrap();
    socket.write_all(headers).await.unwrap();
    // The socket itself takes everything.
    let answer = rest(socket).await;
    assert!(!answer.contains("hello"), "{answer}");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let server = start(brief).await;
    let answer = rest(server.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.contains("connection: close"), "{answer}");
    let answer = rest(server.send("GET /later HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert!(answer.ends_with("later"), "{answer}");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn stopping_lets_running_requests_finish() {
    let server = start(|_| {}).await;
    let busy = server.send("GET /later HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let idle = server.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = std::time::Instant::now();
    assert_eq!(server.stop().await.cut, 0);
    assert!(begun.elapsed() < Duration::from_secs(3));
    let answer = rest(busy).await;
    assert!(answer.ends_with("later") && answer.contains("connection: close"), "{answer}");
    assert!(rest(idle).await.ends_with("hello"));
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let server = start(|_| {}).await;
    let socket = TcpStream::connect(server.addr).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let client = async move {
        for _ in 0..3 {
            let request = http::Request::get("http://x/hello").body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "hello");
        }
    };
    tokio::select! {
        () = client => {}
        result = connection => panic!("the connection ended first: {result:?}"),
    }
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = start(|config| config.connections_max = 1).await;
    let mut first = server.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(first.read(&mut [0; 512]).await.unwrap() > 0);
    let answer = rest(server.send("").await).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5"), "{answer}");
    drop(first);
    // The place comes back when the server has seen the close.
    let begun = std::time::Instant::now();
    loop {
        let mut socket = server.send("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 12];
        if socket.read_exact(&mut answer).await.is_ok() && answer.ends_with(b"200") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "no place came back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_are_counted_also_when_the_client_leaves() {
    use arcly_http_testing::TestApp;

    let app = TestApp::builder::<ServerModule>().launch().await.unwrap();
    app.get("/hello").send().await.expect(200);
    app.get("/nothing").send().await.expect(404);
    app.request(http::Method::PUT, "/hello").send().await.expect(405);
    // The client leaves while the handler works.
    let gate = app.provider::<Gate>();
    tokio::select! {
        _ = app.get("/stuck").send() => unreachable!("it never answers"),
        () = gate.entered.notified() => {}
    }
    let text = app.metrics().encode();
    let count = |method: &str, status: &str, route: &str| {
        let line = format!(
            "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",\
             http_response_status_code=\"{status}\",http_route=\"{route}\"}} 1\n"
        );
        assert!(text.contains(&line), "{line}{text}");
    };
    count("GET", "200", "/hello");
    count("GET", "404", "");
    count("PUT", "405", "");
    count("GET", "499", "/stuck");
    assert!(text.contains("http_server_active_requests 0\n"), "{text}");
    app.finish().await;
}

#[tokio::test]
async fn security_headers_are_there_unless_the_handler_sets_its_own() {
    use arcly_http_testing::TestApp;

    let app = TestApp::builder::<ServerModule>().launch().await.unwrap();
    let plain = app.get("/hello").send().await;
    assert_eq!(plain.headers["x-content-type-options"], "nosniff");
    assert_eq!(plain.headers["content-security-policy"], "frame-ancestors 'none'");
    let page = app.get("/docs").send().await;
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src"));
    app.finish().await;
}

#[tokio::test]
async fn a_request_that_was_on_its_way_is_answered_while_the_server_stops() {
    let server = start(|_| {}).await;
    // Connected, and accepted or not: nothing was sent yet.
    let mut late = server.send("").await;
    let addr = server.addr;
    let stopping = server.stop();
    let client = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        late.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        rest(late).await
    };
    let (drained, answer) = tokio::join!(stopping, client);
    assert_eq!(drained.cut, 0);
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(TcpStream::connect(addr).await.is_err());
}
