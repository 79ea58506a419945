//! Clients that ask and do not take the answers, whatever else they do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arcly_http::prelude::*;
use arcly_http::web::app::LaunchConfig;
use arcly_http::web::reply::Streamed;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;

use super::server::{brief, start_app};

#[derive(Injectable)]
struct Ends {
    #[inject(default)]
    ended: Arc<Notify>,
}

/// Tells when the response that it is a part of is let go.
struct Tells(Arc<Notify>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[derive(Injectable)]
struct Answers {
    ends: Inject<Ends>,
}

#[controller]
impl Answers {
    #[get("/hello")]
    #[public]
    fn hello(&self) -> &'static str {
        "hello"
    }

    #[get("/stuck")]
    #[public]
    async fn stuck(&self) -> String {
        std::future::pending().await
    }

    /// Many small pieces.
    #[get("/endless")]
    #[public]
    fn endless(&self) -> Streamed {
        let tells = Tells(Arc::clone(&self.ends.ended));
        let pieces = futures_util::stream::repeat_with(move || {
            let _held = &tells;
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 2048]))
        });
        Streamed::new(pieces)
    }
}

#[module(root, providers(Ends), controllers(Answers))]
struct UntakenModule;

fn patient(config: &mut LaunchConfig) {
    brief(config);
    config.keep_alive = Duration::from_secs(60);
}

const HELLO: &[u8] = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

/// A client whose system takes next to nothing for it.
async fn narrow(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(addr).await.unwrap()
}

/// Until the server resets the connection; fails when it does not within 8 s.
async fn until_cut(mut socket: TcpStream, every: Duration) {
    let cut = async {
        while socket.take_error().unwrap().is_none() && socket.write_all(HELLO).await.is_ok() {
            tokio::time::sleep(every).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), cut).await.expect("the client is cut");
}

#[tokio::test]
async fn whoever_reads_nothing_is_cut_however_often_it_asks() {
    let server = start_app::<UntakenModule>(patient).await;
    let (mut quick, mut slow) = (narrow(server.addr).await, narrow(server.addr).await);
    quick.write_all(&HELLO.repeat(100)).await.unwrap();
    slow.write_all(&HELLO.repeat(100)).await.unwrap();
    tokio::join!(
        until_cut(quick, Duration::from_millis(10)),
        until_cut(slow, Duration::from_millis(300)),
    );
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn whoever_reads_nothing_is_cut_also_while_a_request_is_worked_on() {
    let server = start_app::<UntakenModule>(patient).await;
    let mut socket = narrow(server.addr).await;
    socket.write_all(&HELLO.repeat(100)).await.unwrap();
    socket.write_all(b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let cut = async {
        while socket.take_error().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), cut).await.expect("the client is cut");
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn whoever_reads_slowly_is_not() {
    let server = start_app::<UntakenModule>(patient).await;
    let mut socket = narrow(server.addr).await;
    let mut requests = HELLO.repeat(300);
    requests.extend_from_slice(b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(&requests).await.unwrap();
    let (mut answers, mut buffer) = (vec![], [0; 2048]);
    let reading = async {
        loop {
            match socket.read(&mut buffer).await.unwrap() {
                0 => break,
                read => answers.extend_from_slice(&buffer[..read]),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reading).await.unwrap();
    assert_eq!(String::from_utf8(answers).unwrap().matches("HTTP/1.1 200 OK").count(), 301);
    assert_eq!(server.stop().await.cut, 0);
}

/// What one response does is not seen in all of them together.
#[tokio::test]
async fn one_http2_stream_that_is_not_taken_is_let_go_while_others_are() {
    let server = start_app::<UntakenModule>(patient).await;
    let ends = server.provider::<Ends>();
    let socket = TcpStream::connect(server.addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1024)
        .initial_connection_window_size(1 << 20)
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    let mut get = move |path: &str| {
        let uri = format!("http://x{path}");
        sender.send_request(http::Request::get(uri).body(Empty::<Bytes>::new()).unwrap())
    };
    let client = async {
        let held = get("/endless").await.unwrap();
        let others = async {
            loop {
                let body = get("/hello").await.unwrap().into_body().collect().await.unwrap();
                assert_eq!(body.to_bytes(), "hello");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(8), ends.ended.notified());
        tokio::select! {
            ended = ended => ended.expect("the response is let go"),
            () = others => unreachable!("it goes on"),
        }
        // The client is told, and all others are answered as before.
        assert!(held.into_body().collect().await.is_err());
        assert_eq!(get("/hello").await.unwrap().status(), 200);
    };
    tokio::select! {
        () = client => {}
        result = connection => panic!("the connection ended first: {result:?}"),
    }
    assert_eq!(server.stop().await.cut, 0);
}
