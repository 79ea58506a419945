//! A response: its head is there, its body is read by whoever wants it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::client::{HttpClient, Place};
use crate::error::{BoxError, ClientError, ErrorKind};

/// The response to a call. Its body has to be read in the time that the call has.
#[must_use = "read the body, or look at the status"]
pub struct ClientResponse {
    pub(crate) parts: http::response::Parts,
    pub(crate) source: Source,
    pub(crate) limit: u64,
    pub(crate) read: u64,
    pub(crate) deadline: Instant,
    pub(crate) method: Method,
    pub(crate) host: String,
    /// Held until the body has been read or is not wanted.
    #[expect(dead_code, reason = "what it does is to be dropped")]
    pub(crate) place: Place,
    /// Keeps the connection alive.
    #[expect(dead_code, reason = "what it does is to be dropped")]
    pub(crate) client: HttpClient,
}

pub(crate) enum Source {
    Incoming(hyper::body::Incoming),
    /// Of a fake.
    Full(Option<Bytes>),
}

impl std::fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientResponse({})", self.parts.status.as_u16())
    }
}

/// Most bytes that are reserved because a header says that they come.
const RESERVED_MAX: u64 = 64 << 10;

impl ClientResponse {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts.status
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    fn error(&self, kind: ErrorKind, source: Option<BoxError>) -> ClientError {
        ClientError { kind, method: self.method.clone(), host: self.host.clone(), source }
    }

    /// Makes a status of 400 or more an error, for those who have no other use for it.
    ///
    /// # Errors
    /// [`ErrorKind::Status`].
    pub fn error_for_status(self) -> Result<Self, ClientError> {
        let status = self.status();
        if status.as_u16() < 400 {
            return Ok(self);
        }
        let seconds = self.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = seconds.and_then(|text| text.trim().parse().ok());
        let retry_after = retry_after.map(|seconds: u32| Duration::from_secs(seconds.into()));
        Err(self.error(ErrorKind::Status { status, retry_after }, None))
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// When the time is over, the limit is passed or the connection breaks.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = match &mut self.source {
                Source::Full(body) => body.take().map(|bytes| Ok(http_body::Frame::data(bytes))),
                Source::Incoming(body) => match timeout_at(self.deadline, body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => return Err(self.error(ErrorKind::TimedOut, None)),
                },
            };
            let data = match frame {
                None => return Ok(None),
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => return Err(self.error(ErrorKind::Broken, Some(error.into()))),
            };
            // Trailers are left out.
            let Ok(data) = data else { continue };
            self.read = self.read.saturating_add(data.len() as u64);
            if self.read > self.limit {
                return Err(self.error(ErrorKind::TooLarge(self.limit), None));
            }
            return Ok(Some(data));
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// When the time is over, the limit is passed or the connection breaks.
    ///
    /// # Cancel safety
    /// Dropping the future loses the body.
    pub async fn bytes(mut self) -> Result<Bytes, ClientError> {
        let announced = match &self.source {
            Source::Incoming(body) => body.size_hint().lower(),
            Source::Full(body) => body.as_ref().map_or(0, |body| body.len() as u64),
        };
        if announced > self.limit {
            return Err(self.error(ErrorKind::TooLarge(self.limit), None));
        }
        let reserved = usize::try_from(announced.min(RESERVED_MAX)).unwrap_or_default();
        let mut all = BytesMut::with_capacity(reserved);
        while let Some(bytes) = self.chunk().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    /// The whole body as text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`ClientResponse::bytes`].
    pub async fn text(self) -> Result<String, ClientError> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }

    /// The whole body, read as JSON, whatever its content type says.
    ///
    /// # Errors
    /// As [`ClientResponse::bytes`], and when it is not the JSON that was expected.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let (method, host) = (self.method.clone(), self.host.clone());
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let source = Some(error.into());
            ClientError { kind: ErrorKind::NotJson, method, host, source }
        })
    }
}
