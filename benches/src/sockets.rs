//! Many WebSockets on one thread, from raw sockets: it reads frames no further than to
//! know where they end, so that the generator costs less than what it measures.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// How long may pass without a message before a run has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The key that all our frames are masked with.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Handshakes whose answers are awaited at the same time, below the backlog of listeners.
const HANDSHAKES: usize = 64;

/// Sends one message over a socket of its own, and fails unless just that comes back.
pub fn check(addr: SocketAddr, path: &str) -> io::Result<()> {
    let mut stream = std::net::TcpStream::connect(addr)?;
    stream.write_all(handshake(addr, path).as_bytes())?;
    accepted(&mut stream)?;
    stream.write_all(&frame(128))?;
    let mut expected = vec![0x81, 126, 0, 128];
    expected.extend(content(128));
    let mut came = vec![0; expected.len()];
    stream.read_exact(&mut came)?;
    if came == expected {
        Ok(())
    } else {
        Err(io::Error::other(format!("this came back: {}", came.escape_ascii())))
    }
}

/// How long a run goes on.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many messages that are sent.
    Sent(usize),
    Passed(Duration),
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Found {
    /// Messages that arrived.
    pub arrived: u64,
    /// From sending to arriving, in milliseconds; of several messages that are sent
    /// together, until a socket has all of them.
    pub latencies: Vec<f64>,
}

/// Open sockets.
pub struct Swarm {
    poll: Poll,
    events: Events,
    sockets: Vec<Socket>,
    buffer: Vec<u8>,
}

struct Socket {
    stream: TcpStream,
    /// Bytes of the frame's payload that have not come yet.
    rest: usize,
    /// What has come of the frame's header.
    header: [u8; 4],
    header_len: usize,
    is_data: bool,
    /// Messages that have come.
    arrived: usize,
    sent: Instant,
}

impl Swarm {
    /// Opens so many sockets.
    pub fn open(addr: SocketAddr, path: &str, count: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut sockets = Vec::with_capacity(count);
        while sockets.len() < count {
            let mut opening = vec![];
            for _ in 0..HANDSHAKES.min(count - sockets.len()) {
                let mut stream = std::net::TcpStream::connect(addr)?;
                stream.set_nodelay(true)?;
                stream.write_all(handshake(addr, path).as_bytes())?;
                opening.push(stream);
            }
            for mut stream in opening {
                accepted(&mut stream)?;
                stream.set_nonblocking(true)?;
                let mut stream = TcpStream::from_std(stream);
                poll.registry().register(&mut stream, Token(sockets.len()), Interest::READABLE)?;
                sockets.push(Socket {
                    stream,
                    rest: 0,
                    header: [0; 4],
                    header_len: 0,
                    is_data: false,
                    arrived: 0,
                    sent: Instant::now(),
                });
            }
        }
        Ok(Self { poll, events: Events::with_capacity(1024), sockets, buffer: vec![0; 256 << 10] })
    }

    /// The first socket sends `together` messages in one write, and again once all sockets
    /// have got all of them.
    pub fn broadcast(
        &mut self,
        payload: usize,
        together: usize,
        until: Until,
    ) -> io::Result<Found> {
        let bytes = frame(payload).repeat(together);
        let mut found = Found::default();
        let begun = Instant::now();
        let mut sent = 0;
        while until.goes_on(sent, begun) {
            self.sockets.iter_mut().for_each(|socket| socket.arrived = 0);
            let at = Instant::now();
            self.sockets[0].send(&bytes)?;
            sent += together;
            let mut left = self.sockets.len();
            while left > 0 {
                self.wait(payload, |socket| {
                    if socket.arrived == together {
                        left -= 1;
                        found.latencies.push(millis(at));
                    }
                    if socket.arrived > together {
                        return Err(io::Error::other("a message came twice"));
                    }
                    Ok(())
                })?;
            }
            found.arrived += (together * self.sockets.len()) as u64;
        }
        Ok(found)
    }

    /// Every socket sends a message, and the next one when it has come back.
    pub fn echo(&mut self, payload: usize, until: Until) -> io::Result<Found> {
        let bytes = frame(payload);
        let mut found = Found::default();
        let begun = Instant::now();
        for socket in &mut self.sockets {
            socket.arrived = 0;
            socket.sent = Instant::now();
            socket.send(&bytes)?;
        }
        let (mut sent, mut left) = (self.sockets.len(), self.sockets.len());
        while left > 0 {
            self.wait(payload, |socket| {
                found.arrived += socket.arrived as u64;
                found.latencies.push(millis(socket.sent));
                if until.goes_on(sent, begun) {
                    socket.arrived = 0;
                    socket.sent = Instant::now();
                    sent += 1;
                    socket.send(&bytes)?;
                } else {
                    left -= 1;
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Has every socket's first message sent back, so that all are open for certain.
    pub fn echo_once(&mut self) -> io::Result<()> {
        self.echo(128, Until::Sent(0)).map(|_| ())
    }

    /// Reads from whatever is ready, and says which sockets got messages.
    fn wait(
        &mut self,
        payload: usize,
        mut on_message: impl FnMut(&mut Socket) -> io::Result<()>,
    ) -> io::Result<()> {
        self.poll.poll(&mut self.events, Some(SILENCE_MAX))?;
        if self.events.is_empty() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no message came"));
        }
        for event in &self.events {
            let socket = &mut self.sockets[event.token().0];
            loop {
                match socket.stream.read(&mut self.buffer) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(count) => {
                        let before = socket.arrived;
                        socket.take(&self.buffer[..count], payload)?;
                        // It may have been a ping, or a part.
                        if socket.arrived > before {
                            on_message(socket)?;
                        }
                        // Less than there was room for: that was all.
                        if count < self.buffer.len() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

impl Until {
    fn goes_on(self, sent: usize, begun: Instant) -> bool {
        match self {
            Self::Sent(count) => sent < count,
            Self::Passed(time) => begun.elapsed() < time,
        }
    }
}

impl Socket {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Counts the messages that end in `bytes`; each has to be as long as `payload` says.
    fn take(&mut self, mut bytes: &[u8], payload: usize) -> io::Result<()> {
        loop {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = &bytes[skipped..];
            if self.rest > 0 {
                return Ok(());
            }
            self.arrived += usize::from(std::mem::take(&mut self.is_data));
            let Some((&byte, more)) = bytes.split_first() else { return Ok(()) };
            bytes = more;
            self.header[self.header_len] = byte;
            self.header_len += 1;
            let length = match (self.header_len, self.header[1]) {
                (2, length) if length < 126 => usize::from(length),
                (4, _) => usize::from(u16::from_be_bytes([self.header[2], self.header[3]])),
                _ => continue,
            };
            self.header_len = 0;
            match self.header[0] {
                // A whole text message.
                0x81 if length == payload => self.is_data = true,
                // A ping without content.
                0x89 if length == 0 => self.send(&[0x8a, 0x80, 0, 0, 0, 0])?,
                first => {
                    let text = format!("a frame {first:#x} of {length} bytes came");
                    return Err(io::Error::other(text));
                }
            }
            self.rest = length;
        }
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A text message as clients send it.
fn frame(payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u8::try_from(payload) {
        Ok(length @ ..126) => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload).expect("a short message").to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(content(payload).zip(MASK.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn content(payload: usize) -> impl Iterator<Item = u8> {
    b"abcdefgh".iter().copied().cycle().take(payload)
}

fn handshake(addr: SocketAddr, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Reads no byte beyond the answer's head: what comes after it is a frame.
fn accepted(stream: &mut std::net::TcpStream) -> io::Result<()> {
    let mut head = vec![];
    let mut byte = [0];
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
    }
}
