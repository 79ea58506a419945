//! Replies that are produced while they are sent.

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::Problem;
use bytes::Bytes;
use futures_util::Stream;

use super::{Reply, Response, with_type};
use crate::body::BoxError;
use crate::{Body, Head};

macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident $media:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// An error in the stream cuts the connection, so that the client does
        /// not take a part for the whole.
        #[derive(Debug)]
        pub struct $name(Body);

        impl $name {
            /// Sends what `stream` yields, as fast as the client reads.
            pub fn new<S, E>(stream: S) -> Self
            where
                S: Stream<Item = Result<Bytes, E>> + Send + 'static,
                E: Into<BoxError> + 'static,
            {
                Self(Body::from_stream(stream))
            }
        }

        impl Reply for $name {
            const CACHEABLE: bool = false;

            fn describe(operation: &mut Operation) {
                operation.reply_raw(200, $media);
            }

            fn reply(self, _head: &Head) -> Result<Response, Problem> {
                Ok(with_type(self.0, $media))
            }
        }
    )*};
}

streams! {
    /// A stream of bytes.
    Streamed "application/octet-stream";
    /// A stream of text.
    TextStream "text/plain; charset=utf-8";
}
