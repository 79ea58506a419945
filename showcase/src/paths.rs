//! What stands in paths, with its description in the document.

use std::borrow::Cow;
use std::ops::Deref;

use arcly_http::web::PathValue;
use schemars::JsonSchema;

/// Slug of the article.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct Slug(String);

/// Name of the user.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct Username(String);

/// Number of the comment.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct CommentId(i64);

macro_rules! in_paths {
    ($($name:ident($inner:ty) as $target:ty;)*) => {$(
        impl Deref for $name {
            type Target = $target;
            fn deref(&self) -> &$target {
                &self.0
            }
        }

        impl PathValue for $name {
            fn from_segment(text: Cow<'_, str>) -> Option<Self> {
                <$inner>::from_segment(text).map(Self)
            }
            fn to_segment(&self) -> String {
                self.0.to_segment()
            }
        }
    )*};
}

in_paths! {
    Slug(String) as str;
    Username(String) as str;
    CommentId(i64) as i64;
}
