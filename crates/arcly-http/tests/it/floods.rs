//! Clients that make the server work by frames of HTTP/2 that cost them nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::{Server, brief, rest, start};

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET http://x/..`, with a path of at most 126 letters.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend(b"\x41\x01x");
    block
}

async fn begin(server: &Server) -> TcpStream {
    let mut socket = server.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    socket
}

/// Sends what it is given until the server closes, and reads nothing; fails when that
/// does not happen within 8 s. Gives back how much was sent.
async fn send_until_closed(mut socket: TcpStream, frames: &[u8]) -> usize {
    let mut sent = 0;
    let sending = async {
        while socket.write_all(frames).await.is_ok() {
            sent += frames.len();
        }
    };
    tokio::time::timeout(Duration::from_secs(8), sending).await.expect("the connection is closed");
    sent
}

async fn is_well(server: &Server) {
    let socket = server.send("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(rest(socket).await.ends_with("hello"));
}

#[tokio::test]
async fn questions_whose_answers_nobody_reads_end() {
    let server = start(brief).await;
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 1, 0])] {
        let socket = begin(&server).await;
        send_until_closed(socket, &flood.repeat(1000)).await;
        is_well(&server).await;
    }
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_kept() {
    let server = start(brief).await;
    let mut socket = begin(&server).await;
    socket.write_all(&frame(HEADERS, END_STREAM, 1, &get("/hello"))).await.unwrap();
    // A header of 1 KiB, which is not put into the table, again and again.
    let mut block = b"\0\x01a\x7f\x81\x07".to_vec();
    block.extend([b'x'; 1024]);
    let sent = send_until_closed(socket, &frame(CONTINUATION, 0, 1, &block)).await;
    // What the buffers of the system hold on the way is no part of the server.
    assert!(sent < 16 << 20, "{sent}");
    is_well(&server).await;
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn requests_that_are_taken_back_leave_nothing() {
    let server = start(brief).await;
    let mut socket = begin(&server).await;
    let mut is_closed = false;
    for number in 0..5000 {
        let stream = 2 * number + 1;
        let mut both = frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/stuck"));
        both.extend(frame(RESET, 0, stream, &[0, 0, 0, 8]));
        // The server may well refuse to go on.
        if socket.write_all(&both).await.is_err() {
            is_closed = true;
            break;
        }
    }
    let metrics = server.metrics();
    let quiet = async {
        while metrics.requests().active() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), quiet).await.expect("they are given up");
    is_well(&server).await;
    if !is_closed {
        // It is still a connection.
        assert!(socket.read(&mut [0; 9]).await.is_ok());
    }
    drop(socket);
    assert_eq!(server.stop().await.cut, 0);
}

/// What asks for a tunnel, or for nothing, gets neither.
#[tokio::test]
async fn odd_targets_are_answered_with_an_error() {
    let server = start(brief).await;
    for head in [
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n",
        "CONNECT a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "OPTIONS a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n",
        "OPTIONS /* HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let answer = rest(server.send(head).await).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{head}{answer}");
        is_well(&server).await;
    }
    // CONNECT over HTTP/2, with and without a protocol.
    for block in [
        b"\x02\x07CONNECT\x41\x01a".to_vec(),
        b"\x02\x07CONNECT\x41\x01a\x86\x84\x00\x09:protocol\x09websocket".to_vec(),
    ] {
        let mut socket = begin(&server).await;
        socket.write_all(&frame(HEADERS, END_HEADERS, 1, &block)).await.unwrap();
        let answer = rest(socket).await;
        assert!(!answer.is_empty(), "a frame says no");
        is_well(&server).await;
    }
    assert_eq!(server.stop().await.cut, 0);
}
