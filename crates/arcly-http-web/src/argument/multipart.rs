//! `Multipart`: forms with files, streamed part by part.

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;

use super::{Argument, BindError, Binder, RawBody};
use crate::Context;
use crate::body::TooSlow;
use crate::context::too_large;
use crate::context::too_slow;

/// Limits of a multipart body. The whole body is bounded by the route's
/// `body_limit` as well.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PartLimits {
    /// Most parts. Default 64.
    pub parts_max: usize,
    /// Most bytes that [`Part::bytes`] reads of one part. Default 1 MiB.
    pub part_bytes_max: usize,
}

impl Default for PartLimits {
    fn default() -> Self {
        Self { parts_max: 64, part_bytes_max: 1 << 20 }
    }
}

/// A `multipart/form-data` body (RFC 7578). Nothing is read before it is asked
/// for.
#[derive(Debug)]
pub struct Multipart {
    inner: multer::Multipart<'static>,
    limits: PartLimits,
    seen: usize,
}

impl Multipart {
    /// Changes the limits.
    #[must_use]
    pub fn limits(mut self, limits: impl FnOnce(&mut PartLimits)) -> Self {
        limits(&mut self.limits);
        self
    }

    /// The next part; the one before is skipped if it was not read.
    ///
    /// # Errors
    /// 400 for a malformed body, 413 beyond a limit.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the body.
    pub async fn next_part(&mut self) -> Result<Option<Part>, Problem> {
        let Some(field) = self.inner.next_field().await.map_err(malformed)? else {
            return Ok(None);
        };
        self.seen += 1;
        if self.seen > self.limits.parts_max {
            return Err(Problem::of(&kinds::CONTENT_TOO_LARGE)
                .with_detail(format!("at most {} parts are accepted", self.limits.parts_max)));
        }
        Ok(Some(Part { field, bytes_max: self.limits.part_bytes_max }))
    }
}

fn malformed(error: multer::Error) -> Problem {
    if let multer::Error::StreamReadFailed(cause) = &error {
        if cause.is::<http_body_util::LengthLimitError>() {
            return Problem::of(&kinds::CONTENT_TOO_LARGE);
        }
        if cause.is::<TooSlow>() {
            return too_slow();
        }
    }
    Problem::of(&kinds::BAD_REQUEST)
        .with_detail("the multipart body is malformed; send all parts and the closing boundary")
        .caused_by(error)
}

/// One part.
#[derive(Debug)]
pub struct Part {
    field: multer::Field<'static>,
    bytes_max: usize,
}

impl Part {
    /// Its field name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.field.name()
    }

    /// The file name that the client gave it. Never use it as a path.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.field.content_type().map(AsRef::as_ref)
    }

    /// The next piece of it, for parts that are too large to hold.
    ///
    /// # Errors
    /// 400 for a malformed body, 413 beyond the body's limit.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        self.field.chunk().await.map_err(malformed)
    }

    /// All of it.
    ///
    /// # Errors
    /// 413 beyond `part_bytes_max`, 400 for a malformed body.
    pub async fn bytes(mut self) -> Result<Bytes, Problem> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > self.bytes_max {
                return Err(too_large(self.bytes_max as u64));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// All of it, as UTF-8 text.
    ///
    /// # Errors
    /// As [`Part::bytes`], and 400 when it is not UTF-8.
    pub async fn text(self) -> Result<String, Problem> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|error| {
            Problem::of(&kinds::BAD_REQUEST)
                .with_detail("a text part is not UTF-8; send text in UTF-8")
                .caused_by(error)
        })
    }
}

impl Argument for Multipart {
    type Bound = ();

    fn describe(_name: &str, operation: &mut Operation) {
        operation.body_raw("multipart/form-data", true);
        operation.problems(&[
            &kinds::BAD_REQUEST,
            &kinds::REQUEST_TIMEOUT,
            &kinds::CONTENT_TOO_LARGE,
            &kinds::UNSUPPORTED_MEDIA_TYPE,
        ]);
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        let content_type = context.head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let boundary = content_type.and_then(|text| multer::parse_boundary(text).ok());
        let Some(boundary) = boundary else {
            return Err(Problem::of(&kinds::BAD_REQUEST).with_detail(
                "the content type names no boundary; send `multipart/form-data; boundary=..`",
            ));
        };
        let body = RawBody::extract(&(), context).await?;
        Ok(Self {
            inner: multer::Multipart::new(body.into_stream(), boundary),
            limits: PartLimits::default(),
            seen: 0,
        })
    }
}
