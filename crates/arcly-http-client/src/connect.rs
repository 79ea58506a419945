//! From a host to a connection. Here, and nowhere else, addresses are connected to.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::error::ErrorKind;
use crate::reach::Reach;

/// The addresses of a host, on their way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a host. Default: as the operating system does.
///
/// What it gives is checked before it is connected to.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host, which is not an address itself.
    fn resolve(&self, host: &str) -> Resolving;
}

#[derive(Debug)]
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Most addresses of a host that are tried.
const ADDRESSES_MAX: usize = 8;

#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) reach: Arc<Reach>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) timeout: Duration,
}

/// Why there is no connection; found again among the sources of hyper's error.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub(crate) struct ConnectError {
    pub(crate) kind: ErrorKind,
    #[source]
    source: Option<io::Error>,
}

impl ConnectError {
    fn of(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }

    fn caused(kind: ErrorKind, source: io::Error) -> Self {
        Self { kind, source: Some(source) }
    }
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<Link, ConnectError> {
        let deadline = Instant::now() + self.timeout;
        let connected = timeout_at(deadline, self.connect_by(&uri, deadline)).await;
        connected.unwrap_or_else(|_| {
            let slow = io::Error::new(io::ErrorKind::TimedOut, "not connected in time");
            Err(ConnectError::caused(ErrorKind::Connect, slow))
        })
    }

    async fn connect_by(&self, uri: &Uri, deadline: Instant) -> Result<Link, ConnectError> {
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = self.resolver.resolve(host).await;
                found.map_err(|error| ConnectError::caused(ErrorKind::Resolve, error))?
            }
        };
        let Some(first) = found.first().copied() else {
            return Err(ConnectError::of(ErrorKind::Resolve));
        };
        // Invariant: what is connected to below was permitted here; a name is resolved
        // once for a connection, so that it cannot change its answer in between.
        let permitted = found.into_iter().filter(|ip| self.reach.permits(host, port, *ip));
        let permitted: Vec<IpAddr> = permitted.take(ADDRESSES_MAX).collect();
        if permitted.is_empty() {
            tracing::warn!(host, address = %first, "a call was refused: the address is not public");
            return Err(ConnectError::of(ErrorKind::Refused(first)));
        }
        let socket = connect_to_any(&permitted, port, deadline).await;
        let socket = socket.map_err(|error| ConnectError::caused(ErrorKind::Connect, error))?;
        // Small writes are not held back; a socket that cannot do that works as well.
        let _ = socket.set_nodelay(true);
        if !is_tls {
            return Ok(Link { io: TokioIo::new(Box::new(socket)), is_h2: false });
        }
        let bad_name = |_| ConnectError::of(ErrorKind::Invalid("TLS knows no such host"));
        let name = ServerName::try_from(host.to_owned()).map_err(bad_name)?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, socket).await;
        let stream = stream.map_err(|error| ConnectError::caused(ErrorKind::Connect, error))?;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Link { io: TokioIo::new(Box::new(stream)), is_h2 })
    }
}

/// Tries one address after the other; each may use its share of the time that is left.
async fn connect_to_any(ips: &[IpAddr], port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    for (at, ip) in ips.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(ips.len() - at).unwrap_or(1);
        let connecting = TcpStream::connect(SocketAddr::new(*ip, port));
        match timeout_at(Instant::now() + share, connecting).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "not connected in time"),
        }
    }
    Err(last)
}

impl tower::Service<Uri> for Connector {
    type Response = Link;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, with TLS or without.
pub(crate) struct Link {
    io: TokioIo<Box<dyn Io>>,
    is_h2: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.is_h2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
