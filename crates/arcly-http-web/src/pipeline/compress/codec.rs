//! The codings, and a body that is compressed while it is sent.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http_body::{Body as _, Frame};

use super::encode::Packed;
use crate::Body;
use crate::body::BoxError;

/// A content coding that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

// What is compressed once for each request has to be fast. 32 KiB of JSON take 20, 125
// and 85 µs on one core; the next level of each would take 1.3 to 5 times as long, and
// save a tenth at most.
const ZSTD_LEVEL: i32 = 3;
const BROTLI_LEVEL: i32 = 4;
const GZIP_LEVEL: u32 = 5;

/// How far back a stream may refer, as a power of two: 128 KiB. Each stream that is
/// being sent holds about that much, and a client may ask for many.
const WINDOW: u32 = 17;

impl Coding {
    /// In the order of our own liking.
    pub(super) const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    pub(super) fn is_called(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name())
            || (self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip"))
    }

    /// Compresses all of it at once.
    pub(super) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        if self == Self::Zstd {
            return zstd_at_once(bytes);
        }
        let mut encoder = Encoder::new(self, bytes.len())?;
        encoder.write(bytes)?;
        encoder.finish()
    }
}

/// Making its tables takes longer than compressing a small body, so that a thread
/// keeps them.
fn zstd_at_once(bytes: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        static KEPT: Cell<Option<zstd::bulk::Compressor<'static>>> = const { Cell::new(None) };
    }
    let mut compressor = match KEPT.take() {
        Some(compressor) => compressor,
        None => zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
    };
    let compressed = compressor.compress(bytes)?;
    KEPT.set(Some(compressor));
    Ok(compressed)
}

/// What has been compressed is in its `Vec`.
enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Encoder {
    /// `size`: how much is to come, 0 if that is not known.
    fn new(coding: Coding, size: usize) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(vec![], ZSTD_LEVEL)?;
                encoder.window_log(WINDOW)?;
                Self::Zstd(encoder)
            }
            Coding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: BROTLI_LEVEL,
                    lgwin: WINDOW as i32,
                    size_hint: size,
                    ..BrotliEncoderParams::default()
                };
                let inner = brotli::CompressorWriter::with_params(vec![], 4096, &params);
                Self::Brotli(Box::new(inner))
            }
            Coding::Gzip => {
                Self::Gzip(GzEncoder::new(vec![], flate2::Compression::new(GZIP_LEVEL)))
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    /// Whatever was written can be read by the client once it has what is there now.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            // A `Vec` takes everything.
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

/// Most bytes that are compressed in one go, a fraction of a millisecond's work: then
/// others get their turn.
pub(super) const TURN_MAX: usize = 32 << 10;

/// How much is collected before it is sent, while there is more to come.
const SENT_MIN: usize = 8 << 10;

/// What is being sent, for those who ask for the same later.
pub(super) struct Copied {
    packed: Packed,
    bytes: Vec<u8>,
    len_max: usize,
}

impl Copied {
    pub(super) fn new(packed: Packed, len_max: usize) -> Self {
        Self { packed, bytes: vec![], len_max }
    }
}

/// A body that is compressed as it is sent.
pub(super) struct Compressed {
    inner: Body,
    coding: Coding,
    /// Made when the body is asked for, which the one of a HEAD request never is.
    /// `None` after the end.
    encoder: Option<Option<Encoder>>,
    /// Of the inner body, waiting for its turn.
    rest: Bytes,
    trailers: Option<Frame<Bytes>>,
    /// Something is in the encoder that the client has not.
    is_behind: bool,
    /// How much of its turn has been used, in bytes.
    worked: usize,
    copy: Option<Copied>,
}

impl Compressed {
    pub(super) fn new(inner: Body, coding: Coding, copy: Option<Copied>) -> Self {
        Self {
            inner,
            coding,
            encoder: Some(None),
            rest: Bytes::new(),
            trailers: None,
            is_behind: false,
            worked: 0,
            copy,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(self.trailers.take().map(Ok));
            };
            if self.rest.is_empty() {
                match Pin::new(&mut self.inner).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => self.rest = data,
                        Err(trailers) => {
                            self.trailers = Some(trailers);
                            return Poll::Ready(self.end().transpose());
                        }
                    },
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(None) => match self.end()? {
                        Some(last) => return Poll::Ready(Some(Ok(last))),
                        None => continue,
                    },
                    // Nothing is held back while nothing more comes.
                    Poll::Pending => match encoder {
                        Some(encoder) if self.is_behind => {
                            encoder.flush()?;
                            self.is_behind = false;
                            let sent = std::mem::take(encoder.output());
                            return Poll::Ready(Some(Ok(self.sent(sent))));
                        }
                        _ => return Poll::Pending,
                    },
                }
                continue;
            }
            if self.worked >= TURN_MAX {
                self.worked = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let encoder = match encoder {
                Some(encoder) => encoder,
                None => encoder.insert(Encoder::new(self.coding, 0)?),
            };
            let turn = self.rest.split_to(self.rest.len().min(TURN_MAX));
            encoder.write(&turn)?;
            self.is_behind = true;
            self.worked += turn.len();
            if encoder.output().len() >= SENT_MIN {
                let sent = std::mem::take(encoder.output());
                return Poll::Ready(Some(Ok(self.sent(sent))));
            }
        }
    }

    /// What is left when the inner body has ended. A coding has something to say of
    /// an empty body as well.
    fn end(&mut self) -> Result<Option<Frame<Bytes>>, BoxError> {
        let encoder = match self.encoder.take().flatten() {
            Some(encoder) => encoder,
            None => Encoder::new(self.coding, 0)?,
        };
        let last = encoder.finish()?;
        let last = (!last.is_empty()).then(|| self.sent(last));
        if let Some(Copied { packed, bytes, .. }) = self.copy.take() {
            packed.set(self.coding.name(), bytes.into());
        }
        Ok(last)
    }

    fn sent(&mut self, bytes: Vec<u8>) -> Frame<Bytes> {
        if let Some(copy) = &mut self.copy {
            copy.bytes.extend_from_slice(&bytes);
            if copy.bytes.len() > copy.len_max {
                self.copy = None;
            }
        }
        Frame::data(bytes.into())
    }
}

impl http_body::Body for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.poll_next(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests;
