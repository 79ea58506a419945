//! Bodies, in and out.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::{Instant, Sleep};

use crate::serve::{OpenRequest, RATE_MIN};

/// Any error that ends a body early.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or a response's body.
#[derive(Default)]
pub struct Body {
    inner: Inner,
    /// Held while the response that this is the body of is being sent.
    open: Option<OpenRequest>,
}

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Full(Option<Bytes>),
    Incoming(hyper::body::Incoming, Patience),
    /// With what is left of a piece that was too large.
    Boxed(UnsyncBoxBody<Bytes, BoxError>, Bytes),
}

impl Body {
    const fn of(inner: Inner) -> Self {
        Self { inner, open: None }
    }

    /// Keeps a request open until this body is sent or dropped.
    pub(crate) fn hold(&mut self, open: OpenRequest) {
        open.is_offered(0);
        self.open = Some(open);
    }

    /// The body of a request, which ends with [`TooSlow`] when the client keeps us
    /// waiting for `timeout`, in all; each KiB gives a second of it back.
    pub(crate) fn incoming(body: hyper::body::Incoming, timeout: Duration) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self::of(Inner::Incoming(
            body,
            Patience { timeout, left: timeout, received: 0, has_waited: false, wait: None },
        ))
    }

    /// Whether reading it took time, so far as is known.
    pub(crate) fn has_waited(&self) -> bool {
        match &self.inner {
            Inner::Empty | Inner::Full(_) => false,
            Inner::Incoming(_, patience) => patience.has_waited,
            Inner::Boxed(..) => true,
        }
    }

    /// The bytes, if all of them are there.
    pub(crate) fn take_full(&mut self) -> Option<Bytes> {
        match &mut self.inner {
            Inner::Full(bytes) => bytes.take(),
            Inner::Empty | Inner::Incoming(..) | Inner::Boxed(..) => None,
        }
    }

    /// The bytes, if all of them are there; they stay.
    pub(crate) fn as_full(&self) -> Option<Bytes> {
        match &self.inner {
            Inner::Empty => Some(Bytes::new()),
            Inner::Full(bytes) => bytes.clone(),
            Inner::Incoming(..) | Inner::Boxed(..) => None,
        }
    }

    /// No bytes at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self::of(Inner::Empty)
    }

    /// Wraps any other body.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        use http_body_util::BodyExt as _;
        Self::of(Inner::Boxed(body.map_err(Into::into).boxed_unsync(), Bytes::new()))
    }

    /// A body that is produced while it is sent.
    pub fn from_stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        use futures_util::TryStreamExt as _;
        Self::new(http_body_util::StreamBody::new(stream.map_ok(Frame::data)))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body(..)")
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self::of(Inner::Full(Some(bytes))) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// Most bytes that are given out at a time: HTTP/1 copies them next to its head.
const PIECE_MAX: usize = 64 << 10;
/// Most bytes of the last piece over HTTP/2. The protocol takes a piece whole when the
/// client has room for its first byte, and whoever waits for the rest of the last one is
/// no longer timed: so it is no more than one frame.
const LAST_MAX: usize = 16 << 10;

/// How much of so many bytes is given out next.
fn piece_len(len: usize, is_http2: bool) -> usize {
    match len {
        ..=LAST_MAX => len,
        ..=PIECE_MAX if is_http2 => len - LAST_MAX,
        _ => len.min(PIECE_MAX),
    }
}

/// How long a body may be waited for. Costs nothing while nobody waits.
struct Patience {
    timeout: Duration,
    /// What is left of it. Never more than the whole: what came quickly is no time to
    /// stand still in.
    left: Duration,
    /// Bytes for which no time was given back yet.
    received: u64,
    has_waited: bool,
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// The client did not send its body in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
pub(crate) struct TooSlow;

impl Patience {
    fn has_arrived(&mut self, frame: Option<&Frame<Bytes>>) {
        if let Some((since, _)) = self.wait.take() {
            let waited = since.elapsed();
            self.has_waited |= !waited.is_zero();
            self.left = self.left.saturating_sub(waited);
        }
        self.received += frame.and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let earned = Duration::from_secs(self.received / RATE_MIN);
        self.received %= RATE_MIN;
        self.left = self.left.saturating_add(earned).min(self.timeout);
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.left;
        let (_, timer) = self.wait.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(tokio::time::sleep_until(now + left)))
        });
        timer.as_mut().poll(cx)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let is_http2 = this.open.as_ref().is_some_and(|open| {
            open.is_asked();
            open.is_http2()
        });
        let polled = match &mut this.inner {
            Inner::Empty => Poll::Ready(None),
            Inner::Full(bytes) => {
                let piece = match bytes {
                    Some(rest) if rest.len() > piece_len(rest.len(), is_http2) => {
                        Some(rest.split_to(piece_len(rest.len(), is_http2)))
                    }
                    last => last.take(),
                };
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Inner::Incoming(body, patience) => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => {
                    patience.has_arrived(frame.as_ref().and_then(|frame| frame.as_ref().ok()));
                    Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
                }
                Poll::Pending => patience.poll_end(cx).map(|()| Some(Err(TooSlow.into()))),
            },
            Inner::Boxed(_, rest) if !rest.is_empty() => {
                let piece = rest.split_to(piece_len(rest.len(), is_http2));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Inner::Boxed(body, rest) => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(match frame.into_data() {
                    Ok(mut data) if data.len() > LAST_MAX => {
                        *rest = data.split_off(piece_len(data.len(), is_http2));
                        Frame::data(data)
                    }
                    Ok(data) => Frame::data(data),
                    Err(other) => other,
                }))),
                other => other,
            },
        };
        if let (Poll::Ready(Some(Ok(frame))), Some(open)) = (&polled, &this.open) {
            open.is_offered(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Empty => true,
            Inner::Full(bytes) => bytes.is_none(),
            Inner::Incoming(body, _) => body.is_end_stream(),
            Inner::Boxed(body, rest) => rest.is_empty() && body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Inner::Incoming(body, _) => body.size_hint(),
            Inner::Boxed(body, rest) => {
                let (hint, rest) = (body.size_hint(), rest.len() as u64);
                let mut whole = SizeHint::new();
                whole.set_lower(hint.lower().saturating_add(rest));
                if let Some(upper) = hint.upper() {
                    whole.set_upper(upper.saturating_add(rest));
                }
                whole
            }
        }
    }
}
