//! Responses, and what tests expect of them.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Logs;
use crate::capture::Capture;

/// A response, whole.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    capture: Capture,
}

/// A cookie that a response sets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestCookie {
    /// Its value, without escapes.
    pub value: String,
    /// Everything behind it, as sent: `HttpOnly; SameSite=Lax; Path=/`.
    pub attributes: String,
}

impl TestCookie {
    /// Whether it has an attribute, as in `has("HttpOnly")` or `has("Max-Age=0")`.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.split(';').any(|found| found.trim().eq_ignore_ascii_case(attribute))
    }
}

/// Bytes of a body that a failure shows.
const SHOWN_MAX: usize = 4096;

impl TestResponse {
    pub(crate) fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        capture: Capture,
    ) -> Self {
        Self { status, headers, body, capture }
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn value(&self) -> Value {
        self.json_as()
    }

    /// The body as a type.
    ///
    /// # Panics
    /// When it is not JSON of that type.
    #[must_use]
    #[track_caller]
    pub fn json_as<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => {
                let wanted = std::any::type_name::<T>();
                unexpected(&format!("the body is not `{wanted}`: {error}{self}"))
            }
        }
    }

    /// A header as text; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A cookie that the response sets.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<TestCookie> {
        let sent = self.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let found = sent.filter_map(|text| text.split_once('=')).find(|(found, _)| *found == name);
        let (value, attributes) =
            found.map(|(_, rest)| rest.split_once(';').unwrap_or((rest, "")))?;
        Some(TestCookie {
            value: percent_decode_str(value).decode_utf8_lossy().into_owned(),
            attributes: attributes.trim().to_owned(),
        })
    }

    /// What the application wrote while it answered this request.
    #[must_use = "ask something of them: `.expect_one()`"]
    pub fn logs(&self) -> Logs {
        self.capture.logs().with("request_id", self.header("x-request-id"))
    }

    /// Goes on only with this status.
    ///
    /// # Panics
    /// With another one; the message shows the body and the log of the request.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let found = self.status.as_u16();
        assert!(found == status, "expected status {status}, found {found}{self}");
        self
    }

    /// Goes on only with a problem (RFC 9457) of this code, whose status is the
    /// response's.
    ///
    /// # Panics
    /// With anything else; the message shows the body and the log of the request.
    #[track_caller]
    pub fn expect_problem(self, code: &str) -> Self {
        let media_type = self.header(CONTENT_TYPE.as_str());
        assert!(
            media_type == "application/problem+json",
            "expected problem `{code}`, found `{media_type}`{self}"
        );
        let problem = self.value();
        assert!(problem["code"] == code, "expected problem `{code}`{self}");
        assert!(problem["status"] == self.status.as_u16(), "the problem's status differs{self}");
        self
    }
}

/// Body and log, for failures.
impl fmt::Display for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let shown: String = text.chars().take(SHOWN_MAX).collect();
        let rest = if shown.len() < text.len() { ".." } else { "" };
        write!(f, "\nstatus: {}\nbody:   {shown}{rest}", self.status)?;
        for line in self.logs().lines() {
            write!(f, "\nlog:    {line}")?;
        }
        Ok(())
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn unexpected(message: &str) -> ! {
    panic!("{message}")
}
