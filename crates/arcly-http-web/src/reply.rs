//! Replies: the type a handler returns says status, media type and headers, so
//! that document and behaviour cannot differ.

mod conditional;
mod range;
mod status;
mod stream;

use std::cell::Cell;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{IntoProblem, Problem};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use schemars::JsonSchema;
use serde::Serialize;

pub use conditional::Tagged;
#[cfg(feature = "compression")]
pub(crate) use conditional::coded_tag;
pub(crate) use conditional::{entity_tags, is_same, knows};
pub use range::Ranged;
pub use status::{Accepted, Created, NoContent, Redirect, SeeOther};
pub use stream::{Streamed, TextStream};

use crate::argument::Json;
use crate::{Body, Head};

/// A response on its way out.
pub type Response = http::Response<Body>;

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler cannot answer with `{Self}`",
    label = "not a reply",
    note = "a value of your own is sent by `Json<..>`; it derives `serde::Serialize` and `schemars::JsonSchema`",
    note = "built in: `Json`, `Created`, `Accepted`, `NoContent`, `String`, `Html`, `Bytes`, `Redirect`, `Tagged`, `Ranged`, `Streamed`, `Result<reply, error>` where the error derives `Problem`, and `Option<reply>` (404 when `None`)"
)]
pub trait Reply: Sized {
    /// Whether it may be a 200 whose body is there at once, which is what `cache(..)`
    /// keeps; where it is not, `cache(..)` does not compile.
    const CACHEABLE: bool = true;

    /// Says in the document what it answers with.
    fn describe(operation: &mut Operation);

    /// Turns it into a response.
    ///
    /// # Errors
    /// The problem that it stands for.
    fn reply(self, head: &Head) -> Result<Response, Problem>;
}

/// Writes JSON into a buffer that the thread keeps, and copies it out at its exact
/// size: one allocation, where a growing buffer takes several and wastes the rest.
fn json_bytes(value: &impl Serialize) -> serde_json::Result<Bytes> {
    const KEPT_MAX: usize = 64 << 10;
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken, not borrowed: serializing may call code that answers with JSON itself.
    let mut buffer = BUFFER.take();
    buffer.clear();
    serde_json::to_writer(&mut buffer, value)?;
    if buffer.len() > KEPT_MAX {
        return Ok(buffer.into());
    }
    let bytes = Bytes::copy_from_slice(&buffer);
    BUFFER.set(buffer);
    Ok(bytes)
}

/// A response with a body of one media type.
#[must_use]
pub fn with_type(body: impl Into<Body>, media_type: &'static str) -> Response {
    let mut response = http::Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

impl<T: Serialize + JsonSchema> Reply for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.reply::<T>(200, "application/json");
    }

    fn reply(self, _head: &Head) -> Result<Response, Problem> {
        Ok(with_type(json_bytes(&self.0).map_err(Problem::internal)?, "application/json"))
    }
}

impl<R: Reply, E: IntoProblem> Reply for Result<R, E> {
    const CACHEABLE: bool = R::CACHEABLE;

    fn describe(operation: &mut Operation) {
        R::describe(operation);
        operation.problems(E::kinds());
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        match self {
            Ok(reply) => reply.reply(head),
            Err(error) => Err(error.into_problem()),
        }
    }
}

impl<R: Reply> Reply for Option<R> {
    const CACHEABLE: bool = R::CACHEABLE;

    fn describe(operation: &mut Operation) {
        R::describe(operation);
        operation.problem(&arcly_http_core::problem::kinds::NOT_FOUND);
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        match self {
            Some(reply) => reply.reply(head),
            None => Err(Problem::of(&arcly_http_core::problem::kinds::NOT_FOUND)),
        }
    }
}

impl Reply for () {
    const CACHEABLE: bool = false;

    fn describe(operation: &mut Operation) {
        NoContent::describe(operation);
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        NoContent.reply(head)
    }
}

/// An HTML page.
#[derive(Debug, Clone)]
pub struct Html(pub String);

macro_rules! plain {
    ($($ty:ty, $media:literal, $into:expr;)*) => {$(
        impl Reply for $ty {
            fn describe(operation: &mut Operation) {
                operation.reply_raw(200, $media);
            }

            fn reply(self, _head: &Head) -> Result<Response, Problem> {
                let into: fn(Self) -> Body = $into;
                Ok(with_type(into(self), $media))
            }
        }
    )*};
}

plain! {
    String, "text/plain; charset=utf-8", Body::from;
    &'static str, "text/plain; charset=utf-8", Body::from;
    Html, "text/html; charset=utf-8", |html| Body::from(html.0);
    Bytes, "application/octet-stream", Body::from;
}

/// The escape hatch: any response, which the document calls "whatever".
impl Reply for Response {
    fn describe(operation: &mut Operation) {
        operation.reply_raw(200, "*/*");
    }

    fn reply(self, _head: &Head) -> Result<Response, Problem> {
        Ok(self)
    }
}
