//! `Cookie<T>`: one cookie, by the argument's name.

use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};

use super::header::HeaderValueParse;
use super::{Argument, BindError, Binder};
use crate::{Context, Head};

/// The cookie that has the argument's name, or what `#[name("..")]` says.
/// `Option<Cookie<T>>` may be missing. The value is percent-decoded; it is what
/// the client says, and proves nothing.
#[derive(Debug, Clone, Copy)]
pub struct Cookie<T>(pub T);

impl<T> Deref for Cookie<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Reads a cookie; HTTP/2 may split the header into several.
fn read<T: HeaderValueParse>(name: &str, head: &Head) -> Result<Option<T>, Problem> {
    let headers = head.headers.get_all(http::header::COOKIE).iter();
    for text in headers.filter_map(|value| value.to_str().ok()) {
        for cookie in cookie::Cookie::split_parse_encoded(text).flatten() {
            if cookie.name() == name {
                return match T::parse_text(cookie.value()) {
                    Some(value) => Ok(Some(value)),
                    None => Err(malformed(name, "does not have the expected form")),
                };
            }
        }
    }
    Ok(None)
}

fn malformed(name: &str, what: &str) -> Problem {
    Problem::of(&kinds::BAD_REQUEST).with_detail(format!("cookie `{name}` {what}"))
}

impl<T: HeaderValueParse> Argument for Cookie<T> {
    type Bound = &'static str;
    const IMMEDIATE: bool = true;

    fn describe(name: &str, operation: &mut Operation) {
        operation.cookie::<T>(name, true);
        operation.problem(&kinds::BAD_REQUEST);
    }

    fn bind(name: &'static str, _binder: &Binder<'_>) -> Result<&'static str, BindError> {
        Ok(name)
    }

    async fn extract(name: &&'static str, context: &mut Context) -> Result<Self, Problem> {
        read(name, &context.head)?.map(Self).ok_or_else(|| malformed(name, "is missing"))
    }
}

impl<T: HeaderValueParse> Argument for Option<Cookie<T>> {
    type Bound = &'static str;
    const IMMEDIATE: bool = true;

    fn describe(name: &str, operation: &mut Operation) {
        operation.cookie::<T>(name, false);
        operation.problem(&kinds::BAD_REQUEST);
    }

    fn bind(name: &'static str, _binder: &Binder<'_>) -> Result<&'static str, BindError> {
        Ok(name)
    }

    async fn extract(name: &&'static str, context: &mut Context) -> Result<Self, Problem> {
        Ok(read(name, &context.head)?.map(Cookie))
    }
}
