//! Sends a fixed number of requests over keep-alive connections, one at a time
//! on each.
//!
//! The first response of a connection is parsed; all others must have its
//! status and length, so that the generator costs less than what it measures.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is sent, and what must come back.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where the server listens.
    pub addr: String,
    pub path: String,
    /// JSON to post; without it, the request is a GET.
    pub body: Option<String>,
    pub connections: usize,
    /// Requests in all.
    pub requests: usize,
    /// Status that every response must have.
    pub status: u16,
}

impl Load {
    /// Runs on a thread of its own until every response is there.
    pub fn send(&self) -> io::Result<usize> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(self))
    }
}

async fn run(args: &Load) -> io::Result<usize> {
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..args.connections {
        let share = args.requests / args.connections
            + usize::from(index < args.requests % args.connections);
        tasks.spawn(connection(args.clone(), share));
    }
    let mut sent = 0;
    while let Some(done) = tasks.join_next().await {
        sent += done.map_err(io::Error::other)??;
    }
    Ok(sent)
}

async fn connection(args: Load, requests: usize) -> io::Result<usize> {
    let mut socket = TcpStream::connect(&args.addr).await?;
    socket.set_nodelay(true)?;
    let request = request(&args);
    let start = format!("HTTP/1.1 {}", args.status);
    let mut length = 0;
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..requests {
        socket.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            let read = socket.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Err(io::Error::other("the server closed the connection"));
            }
            filled += read;
            if length == 0 {
                length = response_length(&buffer[..filled]).unwrap_or(0);
            }
            if length != 0 && filled >= length {
                break;
            }
        }
        if filled != length || !buffer.starts_with(start.as_bytes()) {
            let text = String::from_utf8_lossy(&buffer[..filled]);
            return Err(io::Error::other(format!("unexpected response: {text}")));
        }
    }
    Ok(requests)
}

fn request(args: &Load) -> String {
    let Load { path, addr, .. } = args;
    match &args.body {
        None => format!(
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\naccept: */*\r\nuser-agent: load\r\n\r\n"
        ),
        Some(body) => format!(
            "POST {path} HTTP/1.1\r\nhost: {addr}\r\naccept: */*\r\nuser-agent: load\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    }
}

fn response_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?.to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length: ")?;
    let (digits, _) = rest.split_once("\r\n")?;
    Some(end + digits.parse::<usize>().ok()?)
}
