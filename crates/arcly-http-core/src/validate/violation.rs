//! One broken rule.

use schemars::JsonSchema;
use serde::Serialize;

/// One rule that the input breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the value, for example `/user/tags/0`.
    pub pointer: String,
    /// The same place as people write it, for example `user.tags[0]`.
    pub field: String,
    /// What is wrong, in words for the person who typed it.
    pub message: String,
    /// A short name for the kind of violation, to program against.
    pub code: &'static str,
}
