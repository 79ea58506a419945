//! `Json<T>`, `Form<T>`, `RawBody`: the body.

use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::validate::{Shape, decode_json, decode_urlencoded};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Argument, BindError, Binder};
use crate::{Body, Context};

/// A JSON body. As an argument it is read strictly: unknown fields are refused,
/// every fault names its field. As a reply it is written with status 200.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

/// A URL-encoded form, read as strictly as [`Json`].
#[derive(Debug, Clone, Copy)]
pub struct Form<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Form<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

const BODY_KINDS: [&arcly_http_core::problem::ProblemKind; 5] = [
    &kinds::BAD_REQUEST,
    &kinds::REQUEST_TIMEOUT,
    &kinds::CONTENT_TOO_LARGE,
    &kinds::UNSUPPORTED_MEDIA_TYPE,
    &kinds::INVALID_INPUT,
];

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Argument for Json<T> {
    type Bound = Shape;

    fn describe(_name: &str, operation: &mut Operation) {
        operation.body::<T>("application/json", true);
        operation.problems(&BODY_KINDS);
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<Shape, BindError> {
        Ok(Shape::whole::<T>())
    }

    async fn extract(shape: &Shape, context: &mut Context) -> Result<Self, Problem> {
        let bytes = context.read_body().await?;
        decode_json(&bytes, Some(shape)).map(Self)
    }
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Argument for Form<T> {
    type Bound = Option<Shape>;

    fn describe(_name: &str, operation: &mut Operation) {
        operation.body::<T>("application/x-www-form-urlencoded", true);
        operation.problems(&BODY_KINDS);
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<Option<Shape>, BindError> {
        Ok(Shape::of::<T>())
    }

    async fn extract(shape: &Option<Shape>, context: &mut Context) -> Result<Self, Problem> {
        let bytes = context.read_body().await?;
        decode_urlencoded(&bytes, "form", shape.as_ref()).map(Self)
    }
}

/// The body as it arrives, of any media type, within the route's limit.
#[derive(Debug)]
pub struct RawBody {
    body: Body,
    limit: u64,
}

impl RawBody {
    /// The bytes while they arrive. The stream ends with an error when the body
    /// is larger than the limit or the client stops in the middle.
    pub fn into_stream(
        self,
    ) -> impl futures_util::Stream<Item = Result<Bytes, crate::body::BoxError>> + Send + 'static
    {
        use futures_util::StreamExt as _;
        use http_body_util::BodyExt as _;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let limited = http_body_util::Limited::new(self.body, limit);
        limited.into_data_stream().boxed()
    }
}

impl Argument for RawBody {
    type Bound = ();
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, operation: &mut Operation) {
        operation.body_raw("*/*", false);
        operation.problem(&kinds::CONTENT_TOO_LARGE);
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        Ok(Self { limit: context.body_limit(), body: context.take_body() })
    }
}

impl Argument for Bytes {
    type Bound = ();

    fn describe(_name: &str, operation: &mut Operation) {
        operation.body_raw("*/*", false);
        operation.problems(&[
            &kinds::BAD_REQUEST,
            &kinds::REQUEST_TIMEOUT,
            &kinds::CONTENT_TOO_LARGE,
        ]);
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        context.read_body().await
    }
}
