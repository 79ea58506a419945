//! `Path<T>`: a parameter of the path, by the argument's name.

use std::borrow::Cow;
use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::validate::expected;
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;

use super::{Argument, BindError, Binder};
use crate::Context;
use crate::context::parameter_position;

/// The path parameter that has the argument's name.
///
/// A parameter that does not parse answers 404: no such resource exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T> Deref for Path<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that can stand in a path.
///
/// Implemented for strings, integers, `bool`, `char` and `uuid`-like types by
/// hand through `FromStr` and `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a path",
    label = "implement `arcly_http::web::PathValue` for it",
    note = "`from_segment` parses, `to_segment` writes; it is a `schemars::JsonSchema` as well"
)]
pub trait PathValue: Sized + Send + JsonSchema + 'static {
    /// Parses one decoded segment; `None` when it cannot be one.
    fn from_segment(text: Cow<'_, str>) -> Option<Self>;
    /// Writes it, not yet percent-encoded.
    fn to_segment(&self) -> String;
}

impl PathValue for String {
    fn from_segment(text: Cow<'_, str>) -> Option<Self> {
        Some(text.into_owned())
    }
    fn to_segment(&self) -> String {
        self.clone()
    }
}

macro_rules! parsed {
    ($($ty:ty)*) => {$(
        impl PathValue for $ty {
            fn from_segment(text: Cow<'_, str>) -> Option<Self> {
                // Rust reads `+1`, JSON does not: one number, one spelling.
                let has_sign = text.len() > 1 && text.starts_with('+');
                text.parse().ok().filter(|_| !has_sign)
            }
            fn to_segment(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

parsed!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize bool char);

/// The value type of a path argument, for URL builders.
pub trait PathArgument {
    /// `T` of `Path<T>`.
    type Value: PathValue;
}

impl<T: PathValue> PathArgument for Path<T> {
    type Value = T;
}

impl<T: PathValue> Argument for Path<T> {
    type Bound = (usize, &'static str);
    const IMMEDIATE: bool = true;

    fn describe(name: &str, operation: &mut Operation) {
        operation.path::<T>(name);
        operation.problem(&kinds::NOT_FOUND);
    }

    fn bind(name: &'static str, binder: &Binder<'_>) -> Result<Self::Bound, BindError> {
        parameter_position(binder.route().path, name)
            .map(|position| (position, name))
            .ok_or(BindError::Name { name, reason: "the path has no such parameter".to_owned() })
    }

    async fn extract(
        (position, name): &Self::Bound,
        context: &mut Context,
    ) -> Result<Self, Problem> {
        let raw = context.head.parameter_at(*position).unwrap_or_default();
        // The document says so too: `minLength: 1`.
        let text = percent_decode_str(raw).decode_utf8().ok().filter(|text| !text.is_empty());
        text.and_then(T::from_segment).map(Self).ok_or_else(|| {
            Problem::of(&kinds::NOT_FOUND).with_detail(format!(
                "there is no such resource: path parameter `{name}` must be {}",
                expected::<T>()
            ))
        })
    }
}
