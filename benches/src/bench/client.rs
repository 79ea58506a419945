//! A client that speaks just enough HTTP/1.1: one request at a time on a connection
//! that is kept.

use std::io;
use std::net::SocketAddr;

use arcly_benches::measure::Asked;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    pub socket: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or("")
    }
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: vec![0; 4096] })
    }

    /// Sends `request` and reads one whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.socket.write_all(request).await?;
        let mut filled = 0;
        loop {
            if let Some((head, length)) = head_of(&self.buffer[..filled]) {
                let end = head.len() + length;
                if filled >= end {
                    let body = self.buffer[head.len()..end].to_vec();
                    let status = head.get(9..12).and_then(|text| text.parse().ok()).unwrap_or(0);
                    return Ok(Answer { status, head, body });
                }
            }
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            filled += self.read(filled).await?;
        }
    }

    /// Sends `request` and reads an answer that has to be as long as `length` says,
    /// and to begin as it says: the quick way, for answers that are known.
    pub async fn ask_known(&mut self, request: &[u8], known: Known) -> io::Result<()> {
        self.socket.write_all(request).await?;
        let mut filled = 0;
        while filled < known.length {
            filled += self.read(filled).await?;
        }
        if filled == known.length && &self.buffer[9..12] == known.status.as_bytes() {
            Ok(())
        } else {
            let text = String::from_utf8_lossy(&self.buffer[..filled]);
            Err(io::Error::other(format!("unexpected answer: {text}")))
        }
    }

    async fn read(&mut self, filled: usize) -> io::Result<usize> {
        match self.socket.read(&mut self.buffer[filled..]).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed")),
            read => Ok(read),
        }
    }
}

/// What is known of an answer before it comes.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub status: &'static str,
    pub length: usize,
}

fn head_of(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse();
    Some((head, length.ok()?))
}

/// The bytes of a request.
pub fn request(addr: SocketAddr, asked: Asked) -> Vec<u8> {
    let Asked { path, body } = asked;
    match body {
        None => format!(
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\naccept: */*\r\nuser-agent: bench\r\n\r\n"
        ),
        Some(body) => format!(
            "POST {path} HTTP/1.1\r\nhost: {addr}\r\naccept: */*\r\nuser-agent: bench\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    }
    .into_bytes()
}

/// Runs on the thread that calls it.
pub fn block_on<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
