//! The static half of a problem.

use http::StatusCode;
use schemars::{Schema, SchemaGenerator};

/// Member names that RFC 9457 and this framework give a meaning; an extension
/// member cannot have one of them.
pub const RESERVED_MEMBERS: &[&str] = &["type", "title", "status", "detail", "instance", "code"];

/// Static description of one problem type. Two kinds are the same when their
/// codes are.
#[derive(Debug)]
pub struct ProblemKind {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// The `type` member: a URI that never changes once published.
    pub type_uri: &'static str,
    /// The `code` member: a short name to program against.
    pub code: &'static str,
    /// The `title` member: the same words at each occurrence.
    pub title: &'static str,
    /// Extension members that an occurrence can carry.
    pub members: &'static [MemberDoc],
}

impl ProblemKind {
    /// The status as a type. A number outside the range of HTTP counts as a
    /// fault of ours.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Description of one extension member.
#[derive(Debug)]
pub struct MemberDoc {
    /// Name in the body.
    pub name: &'static str,
    /// Schema of the value.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}
