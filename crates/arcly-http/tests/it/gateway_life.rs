//! How sockets end: slow, silent, expired, hostile and vanished clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arcly_http::access::{AuthFuture, Authenticator, Credentials};
use arcly_http::prelude::*;
use arcly_http::realtime::{ConnectionRegistry, RealtimeModule, WsTuning};
use arcly_http::time::SystemClock;
use arcly_http::web::serve::{self, Listener, Stopping};
use arcly_http_testing::{ManualClock, TestApp};
use futures_util::{SinkExt as _, StreamExt as _};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

#[derive(Injectable)]
struct Gone {
    #[inject(default)]
    count: AtomicUsize,
    #[inject(default)]
    entered: tokio::sync::Notify,
}

#[derive(Debug, Serialize, JsonSchema, ServerEvent)]
#[server_event("news")]
struct News {
    text: String,
}

#[derive(Injectable)]
struct Feed {
    gone: Inject<Gone>,
}

#[gateway("/feed", emits(News), tuning = brief)]
impl Feed {
    #[on_connect]
    #[public]
    async fn connect(&self) {}

    #[on_disconnect]
    async fn bye(&self) {
        self.gone.count.fetch_add(1, Ordering::SeqCst);
    }

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

fn brief(mut tuning: WsTuning) -> WsTuning {
    tuning.ping_interval = Duration::ZERO;
    tuning.write_timeout = Duration::from_millis(400);
    tuning.close_timeout = Duration::from_millis(300);
    tuning.outbound_buffer = 1_024;
    tuning.outbound_bytes = 64 << 20;
    tuning.message_max = 64 << 10;
    tuning.frame_max = 64 << 10;
    tuning
}

#[derive(Injectable)]
struct Pinged;

#[gateway("/pinged", tuning = often)]
impl Pinged {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

fn often(mut tuning: WsTuning) -> WsTuning {
    tuning.ping_interval = Duration::from_millis(20);
    tuning.idle_timeout = Duration::from_millis(200);
    tuning
}

#[derive(Injectable)]
struct Slow {
    gone: Inject<Gone>,
}

#[gateway("/slow")]
impl Slow {
    /// Never lets anybody in.
    #[on_connect]
    #[public]
    async fn connect(&self) {
        self.gone.entered.notify_one();
        std::future::pending::<()>().await;
    }

    #[on_disconnect]
    async fn bye(&self) {
        self.gone.count.fetch_add(1, Ordering::SeqCst);
    }

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

struct Tokens;

impl Authenticator for Tokens {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> AuthFuture<'a> {
        let mut claims = Claims::about("ann");
        claims.exp = credentials.token.parse().unwrap_or_default();
        Box::pin(async move { Ok(Arc::new(claims)) })
    }
}

#[provider]
fn tokens() -> Arc<dyn Authenticator> {
    Arc::new(Tokens)
}

#[module(
    root,
    global,
    imports(RealtimeModule),
    providers(Gone, tokens, SystemClock as dyn Clock),
    exports(dyn Clock),
    gateways(Feed, Slow, Pinged)
)]
struct FeedModule;

struct Server {
    addr: SocketAddr,
    hub: Inject<Hub>,
    registry: Inject<ConnectionRegistry>,
    gone: Inject<Gone>,
    stop: oneshot::Sender<()>,
    running: tokio::task::JoinHandle<()>,
}

async fn start() -> Server {
    let app = App::new::<FeedModule>().configure(|config| config.delay_max = None);
    let launched = app.launch().await.unwrap();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.address().unwrap();
    let container = launched.container();
    let (hub, registry) = (container.get().unwrap(), container.get().unwrap());
    let gone = container.get().unwrap();
    let (stop, stopped) = oneshot::channel();
    #[expect(clippy::disallowed_methods, reason = "the test joins it by `stop`")]
    let running = tokio::spawn(async move {
        let stopping = Stopping::when(async {
            let _ = stopped.await;
        });
        serve::serve(&launched, vec![listener], stopping).await;
        assert!(launched.shutdown().await.failures.is_empty());
    });
    Server { addr, hub, registry, gone, stop, running }
}

impl Server {
    async fn open(&self, path: &str) -> WebSocketStream<TcpStream> {
        let socket = TcpStream::connect(self.addr).await.unwrap();
        let target = format!("ws://{}{path}", self.addr);
        tokio_tungstenite::client_async(target, socket).await.unwrap().0
    }

    /// A handshake by hand, and nothing after it.
    async fn raw(&self, path: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.addr).await.unwrap();
        let ask = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.addr
        );
        socket.write_all(ask.as_bytes()).await.unwrap();
        socket
    }

    /// Waits until so many sockets are left, and nothing of the others.
    async fn expect_left(&self, count: usize) {
        for _ in 0..1_000 {
            if self.registry.len() == count && self.registry.permits() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}, {} permits, instead of {count}", self.registry, self.registry.permits());
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
    }
}

async fn handshake(socket: &mut TcpStream) {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_is_evicted_and_costs_the_others_nothing() {
    let server = start().await;
    let mut healthy = vec![];
    let mut stalled = vec![];
    for _ in 0..20 {
        healthy.push(server.open("/feed").await);
        let mut socket = server.raw("/feed").await;
        handshake(&mut socket).await;
        stalled.push(socket);
    }
    server.expect_left(40).await;
    let text = "x".repeat(60_000);
    for round in 0..200_u32 {
        let news = News { text: format!("{round} {text}") };
        server.hub.all::<Feed>().emit(&news).unwrap();
        for socket in &mut healthy {
            let waiting = tokio::time::timeout(Duration::from_secs(5), socket.next());
            let message = waiting.await.unwrap().unwrap().unwrap().into_text().unwrap();
            let begin = format!("{{\"event\":\"news\",\"data\":{{\"text\":\"{round} x");
            assert!(message.starts_with(&begin), "{}", &message[..60]);
        }
    }
    server.expect_left(20).await;
    assert_eq!(server.gone.count.load(Ordering::SeqCst), 20);
    drop(stalled);
    for socket in &mut healthy {
        socket.send(Message::text(r#"{"event":"here","id":1}"#)).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert_eq!(answer, Message::text(r#"{"id":1,"data":null}"#));
    }
    server.stop().await;
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_which_rule() {
    let server = start().await;
    // Not masked; not UTF-8; too long, told before a byte of it is there.
    let cases: [(&[u8], u16); 3] = [
        (&[0x81, 0x02, b'h', b'i'], 1002),
        (&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007),
        (&[0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0], 1009),
    ];
    for (bytes, code) in cases {
        let mut socket = server.raw("/feed").await;
        handshake(&mut socket).await;
        socket.write_all(bytes).await.unwrap();
        let mut answer = vec![];
        let reading = socket.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap().unwrap();
        assert_eq!(answer[0], 0x88, "{answer:?}");
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code);
    }
    server.expect_left(0).await;
    server.stop().await;
}

#[tokio::test]
async fn who_vanishes_leaves_nothing_behind() {
    let server = start().await;
    // In the middle of `on_connect`, which has let nobody in.
    let socket = server.raw("/slow").await;
    server.gone.entered.notified().await;
    assert_eq!(server.registry.permits(), 1);
    drop(socket);
    server.expect_left(0).await;
    assert_eq!(server.gone.count.load(Ordering::SeqCst), 0);
    // Without a word, in the middle of a frame, and right after the request.
    for cut in [0, 3] {
        let mut socket = server.raw("/feed").await;
        handshake(&mut socket).await;
        socket.write_all(&[0x81, 0x85, 1, 2, 3, 4][..cut]).await.unwrap();
        drop(socket);
    }
    drop(server.raw("/feed").await);
    server.expect_left(0).await;
    assert!(server.gone.count.load(Ordering::SeqCst) >= 2);
    assert_eq!(server.registry.rooms(), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_server_does_not_wait_for_who_does_not_answer_its_close() {
    let server = start().await;
    let mut silent = server.raw("/feed").await;
    handshake(&mut silent).await;
    server.expect_left(1).await;
    let begun = std::time::Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let mut answer = vec![];
    silent.read_to_end(&mut answer).await.unwrap();
    assert_eq!(&answer[..4], [0x88, 24 + 2, 0x03, 0xe9], "{answer:?}");
}

#[tokio::test]
async fn a_moved_clock_finds_the_silent_and_the_expired() {
    let clock = Arc::new(ManualClock::default());
    let app = TestApp::builder::<FeedModule>().manual_clock(&clock).launch().await.unwrap();
    let mut silent = app.get("/feed").open_socket().await.unwrap();
    let expiry = clock.now().timestamp() + 30;
    let mut brief = app.get("/feed").bearer(&expiry.to_string()).open_socket().await.unwrap();
    brief.ask("here", json!(null)).await.unwrap();
    let step = async |seconds: u64| {
        for _ in 0..seconds * 10 {
            clock.wait_for_sleepers(1).await;
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
    };
    step(31).await;
    assert_eq!(brief.closed().await.0, 4401);
    step(40).await;
    assert_eq!(silent.closed().await.0, 1001);
    let metrics = app.metrics().encode();
    assert!(metrics.contains("ws_idle_reaped_total 1"), "{metrics}");
    assert!(metrics.contains("ws_closed_total{cause=\"revoked\"} 1"), "{metrics}");
    app.finish().await;
}

#[tokio::test]
async fn who_answers_pings_lives_and_who_does_not_dies() {
    let server = start().await;
    let mut silent = server.raw("/pinged").await;
    let mut alive = server.open("/pinged").await;
    handshake(&mut silent).await;
    let living = async {
        // The client answers pings while it reads.
        let reading = async { while alive.next().await.unwrap().is_ok() {} };
        assert!(tokio::time::timeout(Duration::from_millis(800), reading).await.is_err());
    };
    let dying = async move {
        let mut answer = vec![];
        silent.read_to_end(&mut answer).await.unwrap();
        assert_eq!(&answer[..4], [0x89, 0, 0x89, 0], "{answer:?}");
        assert!(answer.windows(4).any(|bytes| bytes == [0x88, 30 + 2, 0x03, 0xe9]), "{answer:?}");
    };
    tokio::join!(living, dying);
    server.expect_left(1).await;
    alive.send(Message::text(r#"{"event":"here","id":1}"#)).await.unwrap();
    while !alive.next().await.unwrap().unwrap().is_text() {}
    server.stop().await;
}
