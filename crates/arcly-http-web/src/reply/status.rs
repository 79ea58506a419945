//! Replies whose type is their status.

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::Problem;
use http::header::{HeaderValue, LOCATION};
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Reply, Response};
use crate::argument::Json;
use crate::{Body, Head};

/// 201 with what was created, and optionally where it is.
#[derive(Debug, Clone)]
pub struct Created<T> {
    value: T,
    location: Option<String>,
}

/// Wraps what was created; `Created(Json(..))` reads like a status.
#[expect(non_snake_case, reason = "reads like the tuple structs beside it")]
#[must_use]
pub fn Created<T>(value: T) -> Created<T> {
    Created { value, location: None }
}

impl<T> Created<T> {
    /// Says where the new resource is (RFC 9110, section 10.2.2). Build the URL
    /// with the route's own `.._url(..)` function.
    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }
}

/// 202: accepted, not yet done.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<T>(pub T);

impl<T: Serialize + JsonSchema> Reply for Created<Json<T>> {
    const CACHEABLE: bool = false;

    fn describe(operation: &mut Operation) {
        operation.reply::<T>(201, "application/json");
        operation.reply_header::<String>(
            201,
            "location",
            "Where the new resource is, if it has a place of its own.",
        );
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        let mut response = self.value.reply(head)?;
        *response.status_mut() = StatusCode::CREATED;
        if let Some(location) = self.location {
            response.headers_mut().insert(LOCATION, location_value(&location)?);
        }
        Ok(response)
    }
}

impl<T: Serialize + JsonSchema> Reply for Accepted<Json<T>> {
    const CACHEABLE: bool = false;

    fn describe(operation: &mut Operation) {
        operation.reply::<T>(202, "application/json");
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        let mut response = self.0.reply(head)?;
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }
}

/// 204: done, nothing to say.
#[derive(Debug, Clone, Copy)]
pub struct NoContent;

impl Reply for NoContent {
    const CACHEABLE: bool = false;

    fn describe(operation: &mut Operation) {
        operation.reply_empty(204);
    }

    fn reply(self, _head: &Head) -> Result<Response, Problem> {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}

fn location_value(location: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(location).map_err(Problem::internal)
}

macro_rules! redirects {
    ($($(#[$doc:meta])* $name:ident $status:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub String);

        impl Reply for $name {
            const CACHEABLE: bool = false;

            fn describe(operation: &mut Operation) {
                operation.reply_empty($status);
                operation.reply_header::<String>($status, "location", "Where to go.");
            }

            fn reply(self, _head: &Head) -> Result<Response, Problem> {
                let mut response = http::Response::new(Body::empty());
                *response.status_mut() = StatusCode::from_u16($status).map_err(Problem::internal)?;
                response.headers_mut().insert(header::LOCATION, location_value(&self.0)?);
                Ok(response)
            }
        }
    )*};
}

redirects! {
    /// 307: ask again there, with the same method and body.
    Redirect 307;
    /// 303: the answer is there; get it.
    SeeOther 303;
}
