//! From messages to frames.
//!
//! A server's frame has no mask, so one frame serves all sockets: it is encoded
//! once and its [`Bytes`] are shared.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};

use super::CloseCode;
use super::header::{CONTROL_MAX, FIN, Opcode, RSV1};

/// The longest header of a server's frame.
pub(super) const HEADER_MAX: usize = 10;

/// One text frame.
#[must_use]
pub fn text(payload: &str) -> Bytes {
    frame(Opcode::Text, payload.as_bytes())
}

/// One text frame of bytes that were found to be UTF-8 before.
pub(crate) fn text_of(payload: &[u8]) -> Bytes {
    frame(Opcode::Text, payload)
}

/// One binary frame.
#[must_use]
pub fn binary(payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, payload)
}

/// A ping of at most 125 bytes; what is longer is cut off.
#[must_use]
pub fn ping(payload: &[u8]) -> Bytes {
    frame(Opcode::Ping, control(payload))
}

/// A pong of at most 125 bytes; what is longer is cut off.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(Opcode::Pong, control(payload))
}

/// A close frame, after which nothing may be sent. Of `reason` at most 123 bytes
/// are sent, cut between two characters. Without a code it says nothing, which
/// answers a client's close frame that said nothing.
#[must_use]
pub fn close(code: Option<CloseCode>, reason: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + CONTROL_MAX);
    put_close(&mut out, code, reason);
    out.freeze()
}

/// Appends a text frame.
pub fn put_text(out: &mut impl BufMut, payload: &str) {
    put(out, Opcode::Text, payload.as_bytes());
}

/// Appends a binary frame.
pub fn put_binary(out: &mut impl BufMut, payload: &[u8]) {
    put(out, Opcode::Binary, payload);
}

/// Appends a [`ping`].
pub fn put_ping(out: &mut impl BufMut, payload: &[u8]) {
    put(out, Opcode::Ping, control(payload));
}

/// Appends a [`pong`].
pub fn put_pong(out: &mut impl BufMut, payload: &[u8]) {
    put(out, Opcode::Pong, control(payload));
}

/// Appends a frame as [`close`] makes it.
pub fn put_close(out: &mut impl BufMut, code: Option<CloseCode>, reason: &str) {
    let Some(code) = code else { return put(out, Opcode::Close, &[]) };
    let reason = &reason[..reason.floor_char_boundary(CONTROL_MAX - 2)];
    out.put_u8(FIN | Opcode::Close as u8);
    // At most 125.
    out.put_u8(2 + reason.len() as u8);
    out.put_u16(code.get());
    out.put_slice(reason.as_bytes());
}

/// Writes one frame's payload straight behind what `out` already holds.
///
/// For what is serialised, so that it need not be written elsewhere first and
/// copied: `serde_json::to_writer(&mut writer, &value)`, then
/// [`finish`](FrameWriter::finish). Dropped before that, as when serialising
/// fails, it leaves `out` as it was.
///
/// The header's length depends on the payload's. Room is kept for the header of
/// 126 to 65,535 bytes; a shorter or longer payload is moved by a few bytes.
#[derive(Debug)]
#[must_use = "without `finish` nothing is appended"]
pub struct FrameWriter<'a> {
    out: &'a mut BytesMut,
    start: usize,
    opcode: Opcode,
}

/// The header that [`FrameWriter`] keeps room for.
const HEADER_KEPT: usize = 4;

impl<'a> FrameWriter<'a> {
    /// Begins a text frame. What is written must be UTF-8 as a whole.
    pub fn text(out: &'a mut BytesMut) -> Self {
        Self::begin(out, Opcode::Text)
    }

    /// Begins a binary frame.
    pub fn binary(out: &'a mut BytesMut) -> Self {
        Self::begin(out, Opcode::Binary)
    }

    fn begin(out: &'a mut BytesMut, opcode: Opcode) -> Self {
        let start = out.len();
        out.put_slice(&[0; HEADER_KEPT]);
        Self { out, start, opcode }
    }

    /// What was written so far.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.out[self.start + HEADER_KEPT..]
    }

    /// Appends to the payload.
    pub fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Ends the frame, which is then all that was added to the buffer.
    pub fn finish(mut self) {
        let begin = self.start + HEADER_KEPT;
        let len = self.out.len() - begin;
        let (header, size) = header(FIN | self.opcode as u8, len);
        let end = self.start + size + len;
        if size > HEADER_KEPT {
            self.out.put_slice(&[0; HEADER_MAX - HEADER_KEPT]);
        }
        if size != HEADER_KEPT {
            self.out.copy_within(begin..begin + len, self.start + size);
        }
        self.out[self.start..self.start + size].copy_from_slice(&header[..size]);
        self.out.truncate(end);
        // What drop cuts off begins here.
        self.start = end;
    }
}

impl Drop for FrameWriter<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.start);
    }
}

impl io::Write for FrameWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A header whose first byte is `first`, and how many bytes it has.
#[inline]
pub(super) fn header(first: u8, len: usize) -> ([u8; HEADER_MAX], usize) {
    let mut header = [0; HEADER_MAX];
    header[0] = first;
    let size = if len < 126 {
        header[1] = len as u8;
        2
    } else if let Ok(len) = u16::try_from(len) {
        header[1] = 126;
        header[2..4].copy_from_slice(&len.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(len as u64).to_be_bytes());
        10
    };
    (header, size)
}

/// Makes `out` one compressed frame: it has room for the longest header before
/// its payload.
pub(super) fn compressed(text: bool, mut out: Vec<u8>) -> Bytes {
    let opcode = if text { Opcode::Text } else { Opcode::Binary };
    let (header, size) = header(FIN | RSV1 | opcode as u8, out.len() - HEADER_MAX);
    let start = HEADER_MAX - size;
    out[start..HEADER_MAX].copy_from_slice(&header[..size]);
    Bytes::from(out).slice(start..)
}

fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let (header, size) = header(FIN | opcode as u8, payload.len());
    let mut out = Vec::with_capacity(size + payload.len());
    out.extend_from_slice(&header[..size]);
    out.extend_from_slice(payload);
    out.into()
}

fn put(out: &mut impl BufMut, opcode: Opcode, payload: &[u8]) {
    let (header, size) = header(FIN | opcode as u8, payload.len());
    out.put_slice(&header[..size]);
    out.put_slice(payload);
}

fn control(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_MAX)]
}
