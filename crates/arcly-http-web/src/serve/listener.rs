//! Where connections come from: TCP, Unix sockets, sockets that somebody else opened.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;

use arcly_http_core::config::ConfigValue;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::tls::{Tls, TlsStream};
use crate::app::AppError;

/// Where to listen, as configuration has it: `127.0.0.1:3000`, `[::]:80`,
/// `unix:/run/shop.sock`, or `inherited` for the first socket that a supervisor such
/// as systemd has opened (`LISTEN_FDS`; `inherited:1` for the second).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket. A stale one is replaced, a live one is not.
    Unix(PathBuf),
    /// A socket that is open already, by its number from 0.
    Inherited(usize),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(index) => write!(f, "inherited:{index}"),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "an address with port, such as `127.0.0.1:3000`, or `unix:` with a path, or `inherited`"
                .to_owned()
        };
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(expected()) } else { Ok(Self::Unix(path.into())) };
        }
        if text == "inherited" {
            return Ok(Self::Inherited(0));
        }
        if let Some(index) = text.strip_prefix("inherited:") {
            return index.parse().map(Self::Inherited).map_err(|_| expected());
        }
        text.parse().map(Self::Tcp).map_err(|_| expected())
    }
}

impl ConfigValue for Address {
    fn kind() -> String {
        "address:port|unix:path|inherited".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

/// An open listener.
#[derive(Debug)]
pub struct Listener {
    inner: Inner,
    pub(super) tls: Option<Tls>,
    pub(super) reads_proxy_header: bool,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    Unix(UnixListener, Option<PathBuf>),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::of(Inner::Tcp(listener))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Whoever comes next finds no file of a socket that nobody listens on.
        if let Inner::Unix(_, Some(path)) = &self.inner {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Listener {
    fn of(inner: Inner) -> Self {
        Self { inner, tls: None, reads_proxy_header: false }
    }

    /// Opens a listener.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: &Address) -> Result<Self, AppError> {
        let opened = match address {
            Address::Tcp(addr) => TcpListener::bind(addr).await.map(Inner::Tcp),
            Address::Unix(path) => bind_unix(path).await,
            Address::Inherited(index) => inherited(*index),
        };
        let inner =
            opened.map_err(|source| AppError::Listen { address: address.to_string(), source })?;
        Ok(Self::of(inner))
    }

    /// Serves TLS; see [`Tls`].
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Expects every connection to begin with a PROXY protocol header of version 2,
    /// as load balancers send it, and takes the client's address from it. A
    /// connection without one is closed, so that nobody can leave it out.
    #[must_use]
    pub fn with_proxy_header(mut self) -> Self {
        self.reads_proxy_header = true;
        self
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.inner {
            Inner::Tcp(listener) => listener.local_addr().ok(),
            Inner::Unix(..) => None,
        }
    }

    /// # Cancel safety
    /// A connection is accepted or not; none is lost.
    pub(super) async fn accept(&self) -> io::Result<(Transport, Option<SocketAddr>)> {
        match &self.inner {
            Inner::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                let _ = socket.set_nodelay(true);
                Ok((Transport::Tcp(socket, 0), Some(peer)))
            }
            Inner::Unix(listener, _) => {
                let (socket, _) = listener.accept().await?;
                Ok((Transport::Unix(socket), None))
            }
        }
    }
}

async fn bind_unix(path: &std::path::Path) -> io::Result<Inner> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).await.is_ok() {
                return Err(error);
            }
            // Nobody listens: the file was left by a process that was killed.
            std::fs::remove_file(path)?;
            let listener = UnixListener::bind(path)?;
            Ok(Inner::Unix(listener, Some(path.to_owned())))
        }
        other => Ok(Inner::Unix(other?, Some(path.to_owned()))),
    }
}

fn inherited(index: usize) -> io::Result<Inner> {
    let mut sockets = listenfd::ListenFd::from_env();
    if index >= sockets.len() {
        return Err(io::Error::other(format!(
            "{} sockets were handed over (LISTEN_FDS, LISTEN_PID); this would be number {index}",
            sockets.len()
        )));
    }
    if let Ok(Some(listener)) = sockets.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        return Ok(Inner::Tcp(TcpListener::from_std(listener)?));
    }
    match sockets.take_unix_listener(index)? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            // Its file belongs to whoever opened it.
            Ok(Inner::Unix(UnixListener::from_std(listener)?, None))
        }
        None => Err(io::Error::other("the socket that was handed over is gone")),
    }
}

/// What the system holds of all that was written, because the client has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    /// Some of it, to 512 bytes or so; so much has been taken of what was ever written.
    Some {
        taken: u64,
    },
    /// More than can be told: the system takes no more itself, or hardly.
    Full,
}

/// A connection's bytes.
pub(super) enum Transport {
    /// With how many bytes the system has taken.
    Tcp(TcpStream, u64),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
    /// A client in the same process, in tests.
    Memory(DuplexStream),
}

impl Transport {
    /// Has the system forget a connection whose peer has vanished: nothing of what was
    /// sent is acknowledged. It does so without a word to the peer, so the watchdog has
    /// to see first what it can see.
    pub(super) fn set_write_timeout(&self, timeout: Duration) {
        let timeout = timeout.saturating_mul(3);
        #[cfg(target_os = "linux")]
        if let Self::Tcp(socket, _) = self
            && let Err(error) = socket2::SockRef::from(socket).set_tcp_user_timeout(Some(timeout))
        {
            tracing::debug!(%error, "the system does not time writes out");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = timeout;
    }

    /// What the client has not made room for.
    #[cfg(target_os = "linux")]
    pub(super) fn held(&self) -> Held {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some((socket, written)) = self.tcp() else { return Held::Nothing };
        let options = socket2::SockRef::from(socket);
        // The system does not tell the number to safe code; it tells whether it is below
        // a mark (`TCP_NOTSENT_LOWAT`), which is moved until it is found.
        let is_below = |mark: u32| {
            let mut asked = [PollFd::new(socket, PollFlags::OUT)];
            options.set_tcp_notsent_lowat(mark).is_err()
                || poll(&mut asked, Some(&Timespec::default())).is_err()
                || !asked[0].revents().is_empty()
        };
        let held = if is_below(1) {
            Held::Nothing
        } else {
            match (1..=30).map(|power| 1 << power).find(|mark| is_below(*mark)) {
                // Where there is no room for more, it is below no mark.
                None => Held::Full,
                Some(above) => {
                    let (mut low, mut high) = (above / 2, above);
                    while high - low > 512 {
                        let middle = low + (high - low) / 2;
                        if is_below(middle) { high = middle } else { low = middle }
                    }
                    Held::Some { taken: written.saturating_sub(low.into()) }
                }
            }
        };
        // Zero: the system's own mark.
        let _ = options.set_tcp_notsent_lowat(0);
        held
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn held(&self) -> Held {
        Held::Nothing
    }

    /// Has the close of this connection not wait for the client to take what is unsent.
    pub(super) fn give_up_unsent(&self) {
        if let Some((socket, _)) = self.tcp() {
            let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// The socket, and how many bytes the system took for it.
    fn tcp(&self) -> Option<(&TcpStream, u64)> {
        match self {
            Self::Tcp(socket, written) => Some((socket, *written)),
            Self::Unix(_) | Self::Memory(_) => None,
            Self::Tls(stream) => stream.get_ref().0.tcp(),
        }
    }

    fn count(&mut self, polled: &Poll<io::Result<usize>>) {
        if let (Self::Tcp(_, written), Poll::Ready(Ok(more))) = (self, polled) {
            *written += *more as u64;
        }
    }

    /// Writes what fits into the buffer of a fresh socket.
    pub(super) fn write_at_once(&self, bytes: &[u8]) {
        let _ = match self {
            Self::Tcp(socket, _) => socket.try_write(bytes),
            Self::Unix(socket) => socket.try_write(bytes),
            // Before the handshake there is nothing to be said.
            Self::Tls(_) | Self::Memory(_) => Ok(0),
        };
    }
}

macro_rules! each {
    ($self:ident, $socket:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp($socket, _) => $call,
            Self::Unix($socket) => $call,
            Self::Tls($socket) => $call,
            Self::Memory($socket) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, socket => Pin::new(socket).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match this {
            Self::Tcp(socket, _) => Pin::new(socket).poll_write(cx, bytes),
            Self::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Memory(socket) => Pin::new(socket).poll_write(cx, bytes),
        };
        this.count(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match this {
            Self::Tcp(socket, _) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Memory(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
        };
        this.count(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(socket, _) => socket.is_write_vectored(),
            Self::Unix(socket) => socket.is_write_vectored(),
            Self::Tls(socket) => socket.is_write_vectored(),
            Self::Memory(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, socket => Pin::new(socket).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["127.0.0.1:3000", "[::]:80", "unix:/run/a.sock", "inherited:1"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "3000", "localhost:3000", "unix:", "inherited:x", "127.0.0.1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
