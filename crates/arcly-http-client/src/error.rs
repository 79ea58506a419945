//! What a call can come to.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use arcly_http_core::resilience::Verdict;
use http::{Method, StatusCode};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call gave nothing.
///
/// It names method and host, never the whole URL, which may hold a secret.
#[derive(Debug, thiserror::Error)]
#[error("{method} to `{host}` failed: {kind}")]
pub struct ClientError {
    pub(crate) kind: ErrorKind,
    pub(crate) method: Method,
    /// With its port, if it is not the usual one; empty when the URL has none.
    pub(crate) host: String,
    #[source]
    pub(crate) source: Option<BoxError>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL, a header or the body cannot be sent.
    Invalid(&'static str),
    /// The host is, or is resolved to, an address that is not public and not allowed.
    /// Nothing was sent.
    Refused(IpAddr),
    /// The name of the host cannot be resolved. Nothing was sent.
    Resolve,
    /// No connection, or no TLS on it. Nothing was sent.
    Connect,
    /// It took longer than allowed, or than the caller has left. What was asked for may
    /// have been done.
    TimedOut,
    /// More redirects than allowed.
    TooManyRedirects(usize),
    /// A redirect that is not followed.
    Redirect(&'static str),
    /// The connection broke. What was asked for may have been done.
    Broken,
    /// The body of the response is longer than so many bytes.
    TooLarge(u64),
    /// The body of the response is not the JSON that was expected.
    NotJson,
    /// [`crate::ClientResponse::error_for_status`]: the answer says that it failed.
    Status {
        /// 400 or more.
        status: StatusCode,
        /// When to ask again, if the answer says so.
        retry_after: Option<Duration>,
    },
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => f.write_str(why),
            Self::Refused(address) => write!(f, "`{address}` is not a public address"),
            Self::Resolve => f.write_str("the host cannot be resolved"),
            Self::Connect => f.write_str("no connection"),
            Self::TimedOut => f.write_str("not done in time"),
            Self::TooManyRedirects(max) => write!(f, "more than {max} redirects"),
            Self::Redirect(why) => write!(f, "a redirect was not followed: {why}"),
            Self::Broken => f.write_str("the connection broke"),
            Self::TooLarge(max) => write!(f, "the response has more than {max} bytes"),
            Self::NotJson => f.write_str("the response is not the expected JSON"),
            Self::Status { status, .. } => write!(f, "the answer was {}", status.as_u16()),
        }
    }
}

impl ErrorKind {
    /// A word for metrics and spans.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Refused(_) => "refused",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::TimedOut => "timeout",
            Self::TooManyRedirects(_) | Self::Redirect(_) => "redirect",
            Self::Broken => "broken",
            Self::TooLarge(_) => "too_large",
            Self::NotJson => "json",
            Self::Status { .. } => "status",
        }
    }
}

impl ClientError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The host that was called, with its port if it is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// What a [`Policy`](arcly_http_core::resilience::Policy) makes of it: the
    /// `classify` of its builder. What was never sent may be sent again; what may have
    /// been done is asked for again only when doing it twice does no harm.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let again = match self.kind {
            ErrorKind::Resolve | ErrorKind::Connect => return Verdict::Retry,
            ErrorKind::Invalid(_) | ErrorKind::Refused(_) => return Verdict::Answer,
            ErrorKind::TimedOut | ErrorKind::Broken => Verdict::Retry,
            ErrorKind::Status { status, retry_after } => match (status.as_u16(), retry_after) {
                // These say that nothing was done.
                (429 | 503, Some(wait)) => return Verdict::RetryAfter(wait),
                (429, None) => return Verdict::Retry,
                (500..=599, _) => Verdict::Retry,
                _ => return Verdict::Answer,
            },
            ErrorKind::TooManyRedirects(_)
            | ErrorKind::Redirect(_)
            | ErrorKind::TooLarge(_)
            | ErrorKind::NotJson => return Verdict::Fail,
        };
        if self.method.is_idempotent() { again } else { Verdict::Fail }
    }
}
