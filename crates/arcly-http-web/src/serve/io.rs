//! A socket that notes what passes through it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::listener::Transport;
use super::meter::Meter;

/// The bytes that every HTTP/2 client with prior knowledge sends first (RFC 9113,
/// section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A socket whose traffic is counted, and whose first bytes can be looked at.
pub(super) struct Metered {
    socket: Transport,
    meter: Arc<Meter>,
    /// Bytes that were read to tell the protocol, and are given out again.
    first: [u8; PREFACE.len()],
    first_len: u8,
    first_given: u8,
}

impl Metered {
    pub(super) fn new(socket: Transport, meter: Arc<Meter>) -> Self {
        Self { socket, meter, first: [0; PREFACE.len()], first_len: 0, first_given: 0 }
    }

    /// Another protocol takes the connection over, from where requests ended.
    pub(super) fn into_transport(mut self) -> Transport {
        // What is dropped closes its connection, so something has to stand there.
        let nothing = Transport::Memory(tokio::io::duplex(1).0);
        std::mem::replace(&mut self.socket, nothing)
    }

    /// Whether the client speaks HTTP/2 with prior knowledge. Reads no further than
    /// the first byte that tells.
    pub(super) async fn begins_http2(&mut self) -> io::Result<bool> {
        use tokio::io::AsyncReadExt as _;
        loop {
            let have = usize::from(self.first_len);
            if self.first[..have] != PREFACE[..have] {
                return Ok(false);
            }
            if have == PREFACE.len() {
                return Ok(true);
            }
            let read = self.socket.read(&mut self.first[have..]).await?;
            if read == 0 {
                return Ok(false);
            }
            self.meter.note_read(&self.first[have..have + read]);
            self.first_len += read as u8;
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.meter.is_given_up() {
            self.socket.give_up_unsent();
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first_given < self.first_len {
            let rest = &self.first[usize::from(self.first_given)..usize::from(self.first_len)];
            let given = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..given]);
            self.first_given += given as u8;
            return Poll::Ready(Ok(()));
        }
        self.answer();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if let Some(read) = buffer.filled().get(before..).filter(|read| !read.is_empty()) {
            self.meter.note_read(read);
        }
        polled
    }
}

impl Metered {
    fn answer(&self) {
        if self.meter.is_asked() {
            self.meter.tell_held(self.socket.held());
        }
    }

    fn note(&self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(Ok(written)) => self.meter.note_written(*written),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.meter.note_blocked(),
        }
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.note(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is read while a handler works and the next request is here already.
        self.answer();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
