//! permessage-deflate (RFC 7692), without context takeover.
//!
//! A window kept from message to message would cost up to 300 KiB a socket. The
//! server therefore always answers that neither side keeps one, and each thread
//! has one inflater and one compressor a window size, reset for each message.

use std::cell::Cell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use http::HeaderValue;

use super::message::Message;
use super::{Violation, encode};

/// What client and server agreed on about compression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deflate {
    /// The base-2 logarithm of the window that the client can read.
    window_bits: u8,
}

/// Payloads below this many bytes are sent as they are: what compression saves
/// of them, it costs again.
const COMPRESSED_MIN: usize = 256;

/// The windows that can be had; the standard's 8 is none that zlib can write.
const WINDOW_BITS_MIN: u8 = 9;
const WINDOW_BITS_MAX: u8 = 15;

/// How much is inflated before the limits are looked at again.
const CHUNK: usize = 8 * 1024;

/// What each message lacks at its end, and then an empty last block, which shows
/// that the message ended where a block ended.
const TAIL: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// The end of a sync flush, which is not sent.
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

thread_local! {
    static INFLATER: Cell<Option<Box<Inflater>>> = const { Cell::new(None) };
    static COMPRESSORS: Cell<Compressors> = const { Cell::new([const { None }; 7]) };
}

type Compressors = [Option<Compress>; 7];

struct Inflater {
    stream: Decompress,
    chunk: [u8; CHUNK],
}

impl Deflate {
    /// Judges one offer of `permessage-deflate` by its parameters: `None` if one
    /// is unknown, comes twice, or has a value that cannot be served.
    pub(super) fn accept<'p>(
        parameters: impl Iterator<Item = (&'p str, Option<&'p str>)>,
    ) -> Option<Self> {
        let mut seen = [false; 4];
        let mut window_bits = WINDOW_BITS_MAX;
        for (name, value) in parameters {
            let place = match (name, value) {
                ("server_no_context_takeover", None) => 0,
                ("client_no_context_takeover", None) => 1,
                ("server_max_window_bits", Some(value)) => {
                    window_bits = bits(value).filter(|bits| *bits >= WINDOW_BITS_MIN)?;
                    2
                }
                // The client may be told to keep to a smaller window. The
                // inflater is the thread's, so that would save nothing.
                ("client_max_window_bits", None) => 3,
                ("client_max_window_bits", Some(value)) => {
                    bits(value)?;
                    3
                }
                _ => return None,
            };
            if std::mem::replace(&mut seen[place], true) {
                return None;
            }
        }
        Some(Self { window_bits })
    }

    /// The answer for `sec-websocket-extensions`.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        const PLAIN: &str =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        if self.window_bits == WINDOW_BITS_MAX {
            return HeaderValue::from_static(PLAIN);
        }
        let value = format!("{PLAIN}; server_max_window_bits={}", self.window_bits);
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(PLAIN))
    }

    /// The base-2 logarithm of the client's window, 9 to 15. A frame made for
    /// one window can be read with the same or a larger one, so it can be shared.
    #[must_use]
    pub const fn window_bits(self) -> u8 {
        self.window_bits
    }

    /// One text frame, compressed if that makes it shorter; under 256 bytes it
    /// is not tried.
    #[must_use]
    pub fn text(self, payload: &str) -> Bytes {
        self.compress(true, payload.as_bytes()).unwrap_or_else(|| encode::text(payload))
    }

    /// One binary frame, compressed if that makes it shorter; under 256 bytes it
    /// is not tried.
    #[must_use]
    pub fn binary(self, payload: &[u8]) -> Bytes {
        self.compress(false, payload).unwrap_or_else(|| encode::binary(payload))
    }

    fn compress(self, text: bool, payload: &[u8]) -> Option<Bytes> {
        if payload.len() < COMPRESSED_MIN {
            return None;
        }
        let mut pool = COMPRESSORS.take();
        let place = usize::from(self.window_bits - WINDOW_BITS_MIN);
        let mut stream = pool[place].take().unwrap_or_else(|| {
            Compress::new_with_window_bits(Compression::fast(), false, self.window_bits)
        });
        // Longer than the payload it is not wanted.
        let mut out = Vec::with_capacity(encode::HEADER_MAX + payload.len());
        out.resize(encode::HEADER_MAX, 0);
        let done = stream.compress_vec(payload, &mut out, FlushCompress::Sync);
        // Room left over shows that the flush is whole.
        let whole =
            done.is_ok() && stream.total_in() == payload.len() as u64 && out.len() < out.capacity();
        if whole {
            // One that holds bytes back is not pooled: zlib-rs 0.6.8 forgets on
            // reset how many, but not where they lay, and panics some time later.
            stream.reset();
            pool[place] = Some(stream);
        }
        COMPRESSORS.set(pool);
        if !whole {
            return None;
        }
        out.truncate(out.strip_suffix(&FLUSHED)?.len());
        // The frame may be shared and wait in queues, so it has no more memory
        // than it needs.
        out.shrink_to_fit();
        Some(encode::compressed(text, out))
    }
}

/// Inflates a whole message into `message`, which stays within `message_max`
/// bytes whatever it would become.
pub(super) fn inflate(
    deflated: &[u8],
    message_max: usize,
    message: &mut Message,
) -> Result<(), Violation> {
    let mut inflater = INFLATER.take().unwrap_or_else(|| {
        Box::new(Inflater { stream: Decompress::new(false), chunk: [0; CHUNK] })
    });
    let result = inflater.inflate(deflated, message_max, message);
    inflater.stream.reset(false);
    INFLATER.set(Some(inflater));
    result
}

impl Inflater {
    fn inflate(
        &mut self,
        deflated: &[u8],
        message_max: usize,
        message: &mut Message,
    ) -> Result<(), Violation> {
        if deflated.is_empty() {
            // Should be one zero byte; some leave that out.
            return Ok(());
        }
        let mut len = 0;
        if let Some(rest) = self.run(deflated, &mut len, message_max, message)? {
            // The last block came from the client. All that may follow is the
            // header of the empty block whose body was cut off (7.2.3.4).
            return if matches!(rest, [] | [0]) { Ok(()) } else { Err(Violation::NOT_DEFLATE) };
        }
        match self.run(&TAIL, &mut len, message_max, message)? {
            Some([]) => Ok(()),
            _ => Err(Violation::NOT_DEFLATE),
        }
    }

    /// Inflates all of `input`, or up to the last block and returns what follows.
    fn run<'i>(
        &mut self,
        mut input: &'i [u8],
        len: &mut usize,
        message_max: usize,
        message: &mut Message,
    ) -> Result<Option<&'i [u8]>, Violation> {
        loop {
            let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .decompress(input, &mut self.chunk, FlushDecompress::None)
                .map_err(|_| Violation::NOT_DEFLATE)?;
            let read = (self.stream.total_in() - before_in) as usize;
            let written = (self.stream.total_out() - before_out) as usize;
            input = &input[read..];
            *len += written;
            if *len > message_max {
                return Err(Violation::TOO_BIG);
            }
            message.push(&self.chunk[..written], message_max)?;
            if status == Status::StreamEnd {
                return Ok(Some(input));
            }
            // A full chunk may have left some behind.
            if written < CHUNK {
                return if input.is_empty() { Ok(None) } else { Err(Violation::NOT_DEFLATE) };
            }
        }
    }
}

/// A window's size as it is written: 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}
