//! `Query<T>`: the query string as a struct.

use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::validate::{Shape, decode_urlencoded};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Argument, BindError, Binder};
use crate::Context;

/// The query string, read into a struct. Unknown parameters are refused.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T> Deref for Query<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Argument for Query<T> {
    type Bound = Option<Shape>;
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, operation: &mut Operation) {
        operation.query::<T>();
        operation.problem(&kinds::BAD_REQUEST);
        operation.problem(&kinds::INVALID_INPUT);
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<Option<Shape>, BindError> {
        Ok(Shape::of::<T>())
    }

    async fn extract(shape: &Option<Shape>, context: &mut Context) -> Result<Self, Problem> {
        let query = context.head.uri.query().unwrap_or_default();
        decode_urlencoded(query.as_bytes(), "query", shape.as_ref()).map(Self)
    }
}
