//! `Cookie<T>`: one cookie, by the argument's name.

use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::validate::expected;
use percent_encoding::percent_decode;

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

/// Reads a cookie; HTTP/2 may split the header into several. Of several cookies
/// of one name the first counts, which browsers send for the nearest path.
fn read<T: HeaderValueParse>(name: &str, head: &Head) -> Result<Option<T>, Problem> {
    let headers = head.headers.get_all(http::header::COOKIE).iter();
    let mut pairs = headers.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let found = pairs.find_map(|pair| {
        let (found, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        let is_it = found.trim_ascii() == name.as_bytes();
        is_it.then(|| value.trim_ascii().strip_prefix(b"=").unwrap_or_default().trim_ascii())
    });
    let Some(value) = found else { return Ok(None) };
    let Ok(text) = percent_decode(value).decode_utf8() else {
        return Err(malformed(name, "is not UTF-8; percent-encode the text's UTF-8 bytes"));
    };
    let value = T::parse_text(&text);
    value.map(Some).ok_or_else(|| malformed(name, &format!("must be {}", expected::<T>())))
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
        read(name, &context.head)?.map(Self).ok_or_else(|| malformed(name, "is missing; send it"))
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
