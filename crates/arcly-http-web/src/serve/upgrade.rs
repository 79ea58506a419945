//! Connections that another protocol takes over.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::io::Metered;
use super::listener::Transport;

/// A connection that will be there once its request is answered with 101.
pub struct Upgrade(hyper::upgrade::OnUpgrade);

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade(..)")
    }
}

impl Upgrade {
    pub(crate) fn new(upgrade: hyper::upgrade::OnUpgrade) -> Self {
        Self(upgrade)
    }

    /// Waits for the response to be sent. Gives the connection, and what the client has
    /// sent already beyond its request.
    ///
    /// # Errors
    /// When the connection ended first, or the answer was not 101.
    ///
    /// # Cancel safety
    /// Dropping it closes the connection.
    pub async fn connection(self) -> io::Result<(Socket, Bytes)> {
        let upgraded = self.0.await.map_err(io::Error::other)?;
        Ok(match upgraded.downcast::<TokioIo<Metered>>() {
            Ok(parts) => (Socket::of(parts.io.into_inner().into_transport()), parts.read_buf),
            Err(other) => (Socket::boxed(TokioIo::new(other)), Bytes::new()),
        })
    }
}

/// The bytes of a connection, read and written by reference: whoever holds it may write
/// while one task waits for what comes in.
pub struct Socket(Kind);

enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// TLS, and memory in tests: written by the task that reads, and by no other.
    Boxed(Mutex<Pin<Box<dyn Stream>>>),
}

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket(..)")
    }
}

/// `recv` that tells tokio when it has emptied the socket, so that the next read waits for
/// the system instead of asking it in vain.
macro_rules! read {
    ($stream:expr, $cx:expr, $buffer:expr) => {{
        loop {
            ready!($stream.poll_read_ready($cx))?;
            let read = Cell::new(None);
            let asked = $buffer.len();
            let tried = $stream.try_io(Interest::READABLE, || {
                let (count, _) = rustix::net::recv($stream, &mut *$buffer, RecvFlags::empty())?;
                read.set(Some(count));
                if count > 0 && count < asked {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(())
            });
            match (read.get(), tried) {
                (Some(count), _) => break Poll::Ready(Ok(count)),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                (None, Err(error)) => break Poll::Ready(Err(error)),
                (None, Ok(())) => {}
            }
        }
    }};
}

/// `send` without the C library around it, which makes each call a point at which threads
/// can be cancelled: half the instructions of a write.
#[cfg(target_os = "linux")]
fn send(stream: impl std::os::fd::AsFd, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::SendFlags;
    Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
}

#[cfg(not(target_os = "linux"))]
fn send(stream: impl std::os::fd::AsFd, bytes: &[u8]) -> io::Result<usize> {
    socket2::SockRef::from(&stream).send(bytes)
}

impl Socket {
    fn of(transport: Transport) -> Self {
        match transport {
            Transport::Tcp(stream, _) => Self(Kind::Tcp(stream)),
            Transport::Unix(stream) => Self(Kind::Unix(stream)),
            tls @ Transport::Tls(_) => Self::boxed(tls),
            memory @ Transport::Memory(_) => Self::boxed(memory),
        }
    }

    fn boxed(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self(Kind::Boxed(Mutex::new(Box::pin(stream))))
    }

    /// Reads what has arrived. Zero bytes: the peer sends no more.
    ///
    /// # Errors
    /// Those of the system.
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Tcp(stream) => read!(stream, cx, buffer),
            Kind::Unix(stream) => read!(stream, cx, buffer),
            Kind::Boxed(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                ready!(lock(stream).as_mut().poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }

    /// Writes without waiting, from any task.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room, and always over TLS, where only
    /// [`Socket::poll_write`] writes.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Tcp(stream) => stream.try_io(Interest::WRITABLE, || send(stream, bytes)),
            Kind::Unix(stream) => stream.try_io(Interest::WRITABLE, || send(stream, bytes)),
            Kind::Boxed(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes, or has the task woken when there is room. To be called by one task.
    ///
    /// # Errors
    /// Those of the system.
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        macro_rules! write {
            ($stream:expr) => {
                loop {
                    ready!($stream.poll_write_ready(cx))?;
                    match $stream.try_write_vectored(slices) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        done => break Poll::Ready(done),
                    }
                }
            };
        }
        match &self.0 {
            Kind::Tcp(stream) => write!(stream),
            Kind::Unix(stream) => write!(stream),
            Kind::Boxed(stream) => {
                let mut stream = lock(stream);
                let first = slices.iter().find(|slice| !slice.is_empty());
                let first = first.map_or(&[][..], |slice| slice);
                stream.as_mut().poll_write(cx, first)
            }
        }
    }

    /// Sends what is buffered above the system: TLS records.
    ///
    /// # Errors
    /// Those of the system.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::Tcp(_) | Kind::Unix(_) => Poll::Ready(Ok(())),
            Kind::Boxed(stream) => lock(stream).as_mut().poll_flush(cx),
        }
    }

    /// Tells the peer that nothing more comes.
    ///
    /// # Errors
    /// Those of the system.
    pub fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        use rustix::net::{Shutdown, shutdown};
        match &self.0 {
            Kind::Tcp(stream) => Poll::Ready(Ok(shutdown(stream, Shutdown::Write)?)),
            Kind::Unix(stream) => Poll::Ready(Ok(shutdown(stream, Shutdown::Write)?)),
            Kind::Boxed(stream) => lock(stream).as_mut().poll_shutdown(cx),
        }
    }

    /// Has the system drop what the peer has not taken once this is dropped, instead of
    /// keeping it for minutes.
    pub fn give_up_unsent(&self) {
        if let Kind::Tcp(stream) = &self.0 {
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

fn lock<T: ?Sized>(stream: &Mutex<T>) -> MutexGuard<'_, T> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}
