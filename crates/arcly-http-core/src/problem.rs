//! Problem details (RFC 9457): what a client is told when a request fails.
//!
//! A [`ProblemKind`] is the static half: status, type, code, title. Kinds are
//! listed in the contract, so a client can program against them. A [`Problem`]
//! is one occurrence of a kind. It carries what the client may read (detail,
//! extension members, headers) and, apart from that, a cause that only the log
//! may read: no function of this module writes a cause into a body.
//!
//! Domain errors become problems through [`IntoProblem`], which
//! `#[derive(Problem)]` writes from attributes on the variants.

mod chain;
mod into;
mod kind;
pub mod kinds;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

pub use chain::error_chain;
pub use into::IntoProblem;
#[doc(hidden)]
pub use into::{kept, merge_kinds, told};
pub use kind::{MemberDoc, ProblemKind, RESERVED_MEMBERS};

/// Any error that can cross a thread boundary.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// One occurrence of a [`ProblemKind`].
///
/// ```
/// use arcly_http_core::problem::{Problem, kinds};
///
/// let problem = Problem::of(&kinds::CONFLICT).with_detail("title is taken");
/// assert_eq!(problem.status(), 409);
/// assert_eq!(
///     String::from_utf8(problem.to_json(None)).unwrap(),
///     r#"{"type":"urn:arcly:problem:conflict","title":"Conflict","status":409,"detail":"title is taken","code":"conflict"}"#,
/// );
/// ```
pub struct Problem {
    /// Boxed so that `Result<T, Problem>` grows by one pointer, not by a
    /// header map.
    inner: Box<Inner>,
}

struct Inner {
    kind: &'static ProblemKind,
    detail: Option<Cow<'static, str>>,
    members: Map<String, Value>,
    headers: HeaderMap,
    /// Invariant: read by [`Problem::cause`] and `Error::source` only, never
    /// by `to_json` or `Display`.
    cause: Option<BoxError>,
}

impl Problem {
    /// A problem of a kind, without detail.
    #[must_use]
    pub fn of(kind: &'static ProblemKind) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                detail: None,
                members: Map::new(),
                headers: HeaderMap::new(),
                cause: None,
            }),
        }
    }

    /// A fault of ours: answered 500 without a word about the cause, which is
    /// kept for the log.
    #[must_use]
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::of(&kinds::INTERNAL).caused_by(cause)
    }

    /// Say what went wrong this time, in words the client may read.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    /// Add an extension member to the body.
    ///
    /// A name in [`RESERVED_MEMBERS`] or a value that JSON cannot hold is left
    /// out and logged: a problem on its way out must not fail a second time.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Serialize) -> Self {
        if RESERVED_MEMBERS.contains(&name) {
            tracing::error!(
                member = name,
                code = self.inner.kind.code,
                "problem member left out: the name is reserved"
            );
            return self;
        }
        match serde_json::to_value(value) {
            Ok(value) => {
                self.inner.members.insert(name.to_owned(), value);
            }
            Err(error) => tracing::error!(
                member = name,
                code = self.inner.kind.code,
                error = %error_chain(&error),
                "problem member left out: it cannot be written as JSON"
            ),
        }
        self
    }

    /// Add a header to the answer, such as `Allow`, `Retry-After` or
    /// `WWW-Authenticate`. A second value under one name is added, not
    /// replaced.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.inner.headers.append(name, value);
        self
    }

    /// Keep a cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<BoxError>) -> Self {
        self.inner.cause = Some(cause.into());
        self
    }

    /// Take the detail from an error's `Display` and keep its sources for the
    /// log. This is what `#[derive(Problem)]` calls for a variant with a
    /// status.
    #[must_use]
    pub fn explained_by<E>(self, error: E) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        let problem = self.with_detail(error.to_string());
        if error.source().is_some() {
            problem.caused_by(chain::Behind::new(error))
        } else {
            problem
        }
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'static ProblemKind {
        self.inner.kind
    }

    /// The status to answer with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.inner.kind.status_code()
    }

    /// What went wrong this time.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.inner.detail.as_deref()
    }

    /// The extension members.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.inner.members
    }

    /// The headers to send along.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.inner.headers
    }

    /// The cause, for the log alone.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.inner.cause.as_deref()
    }

    /// The body, media type `application/problem+json`. `instance` names this
    /// occurrence, for example by its trace id.
    #[must_use]
    pub fn to_json(&self, instance: Option<&str>) -> Vec<u8> {
        encode(&Body { problem: self, instance })
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("code", &self.inner.kind.code)
            .field("status", &self.inner.kind.status)
            .field("detail", &self.inner.detail)
            .field("members", &self.inner.members)
            .field("headers", &self.inner.headers)
            .field("cause", &self.inner.cause)
            .finish()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.inner.kind;
        write!(f, "{} {}", kind.status, kind.code)?;
        match &self.inner.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// The body of a problem, in the order that people read.
struct Body<'a> {
    problem: &'a Problem,
    instance: Option<&'a str>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Inner { kind, detail, members, .. } = &*self.problem.inner;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", kind.type_uri)?;
        map.serialize_entry("title", kind.title)?;
        map.serialize_entry("status", &kind.status)?;
        if let Some(detail) = detail {
            map.serialize_entry("detail", detail)?;
        }
        if let Some(instance) = self.instance {
            map.serialize_entry("instance", instance)?;
        }
        map.serialize_entry("code", kind.code)?;
        for (name, value) in members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn encode(body: &Body<'_>) -> Vec<u8> {
    serde_json::to_vec(body).expect("a map of strings, one number and JSON values is always JSON")
}

#[cfg(test)]
mod tests;
