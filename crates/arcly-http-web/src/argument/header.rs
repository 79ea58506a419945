//! `Header<T>` and preconditions.

use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::validate::expected;
use http::HeaderName;
use schemars::JsonSchema;

use super::{Argument, BindError, Binder, FromRequest};
use crate::reply::{entity_tags, is_same};
use crate::{Context, Head};

/// The header that has the argument's name, `_` written as `-`; or what
/// `#[name("x-header")]` says. `Option<Header<T>>` may be missing.
#[derive(Debug, Clone, Copy)]
pub struct Header<T>(pub T);

impl<T> Deref for Header<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that can be read from a header's or a cookie's text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a header or cookie",
    label = "implement `std::str::FromStr` and `schemars::JsonSchema` for it"
)]
pub trait HeaderValueParse: Sized + Send + JsonSchema + 'static {
    /// Parses the text; `None` when it does not fit.
    fn parse_text(text: &str) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: std::str::FromStr + JsonSchema + Send + 'static> HeaderValueParse for T {
    fn parse_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

fn header_name(name: &'static str) -> Result<HeaderName, BindError> {
    let text = name.replace('_', "-").to_lowercase();
    HeaderName::try_from(text).map_err(|error| BindError::Name { name, reason: error.to_string() })
}

fn read<T: HeaderValueParse>(name: &HeaderName, head: &Head) -> Result<Option<T>, Problem> {
    let mut values = head.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed(name, "is sent more than once; send it once"));
    }
    // A value of bytes beyond ASCII is no text that a type could parse.
    let value = value.to_str().ok().and_then(T::parse_text);
    value.map(Some).ok_or_else(|| malformed(name, &format!("must be {}", expected::<T>())))
}

fn malformed(name: &HeaderName, what: &str) -> Problem {
    Problem::of(&kinds::BAD_REQUEST).with_detail(format!("header `{name}` {what}"))
}

impl<T: HeaderValueParse> Argument for Header<T> {
    type Bound = HeaderName;
    const IMMEDIATE: bool = true;

    fn describe(name: &str, operation: &mut Operation) {
        operation.header::<T>(&name.replace('_', "-").to_lowercase(), true);
        operation.problem(&kinds::BAD_REQUEST);
    }

    fn bind(name: &'static str, _binder: &Binder<'_>) -> Result<HeaderName, BindError> {
        header_name(name)
    }

    async fn extract(name: &HeaderName, context: &mut Context) -> Result<Self, Problem> {
        read(name, &context.head)?.map(Self).ok_or_else(|| malformed(name, "is missing; send it"))
    }
}

impl<T: HeaderValueParse> Argument for Option<Header<T>> {
    type Bound = HeaderName;
    const IMMEDIATE: bool = true;

    fn describe(name: &str, operation: &mut Operation) {
        operation.header::<T>(&name.replace('_', "-").to_lowercase(), false);
        operation.problem(&kinds::BAD_REQUEST);
    }

    fn bind(name: &'static str, _binder: &Binder<'_>) -> Result<HeaderName, BindError> {
        header_name(name)
    }

    async fn extract(name: &HeaderName, context: &mut Context) -> Result<Self, Problem> {
        Ok(read(name, &context.head)?.map(Header))
    }
}

/// The `If-Match` precondition (RFC 9110, section 13.1.1) of a change.
///
/// As an argument it is required: a request without it answers 428, so that no
/// change overwrites another by accident. Take `Option<Header<String>>` where
/// it may be missing.
#[derive(Debug, Clone)]
pub struct IfMatch(Vec<String>);

impl IfMatch {
    /// Goes on only if the resource still has this entity tag, quotes included.
    ///
    /// # Errors
    /// 412 when it has changed meanwhile.
    pub fn require(&self, current: &str) -> Result<(), Problem> {
        let matches = self
            .0
            .iter()
            .any(|line| line.trim() == "*" || entity_tags(line).any(|tag| is_same(tag, current)));
        if matches {
            return Ok(());
        }
        Err(Problem::of(&kinds::PRECONDITION_FAILED)
            .with_detail("the resource has changed since it was read; read it again"))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;

    fn describe(operation: &mut Operation) {
        operation.header::<String>("if-match", true);
        operation.problems(&[&kinds::PRECONDITION_REQUIRED, &kinds::PRECONDITION_FAILED]);
    }

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        let lines = head.headers.get_all(http::header::IF_MATCH).iter();
        let lines: Vec<String> =
            lines.filter_map(|line| String::from_utf8(line.as_bytes().to_vec()).ok()).collect();
        if lines.is_empty() {
            return Err(Problem::of(&kinds::PRECONDITION_REQUIRED)
                .with_detail("send `if-match` with the entity tag that you have read"));
        }
        Ok(Self(lines))
    }
}
