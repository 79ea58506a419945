//! Requests and responses of tests.

use arcly_http_web::Body;
use arcly_http_web::app::Launched;
use arcly_http_web::describe::Documented;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A request under construction; await [`TestRequest::send`].
#[must_use = "a request does nothing before it is sent"]
#[derive(Debug)]
pub struct TestRequest {
    launched: Launched,
    builder: http::request::Builder,
    body: Bytes,
}

impl TestRequest {
    pub(crate) fn new(launched: Launched, method: Method, path: &str) -> Self {
        let builder = http::Request::builder().method(method).uri(path);
        Self { launched, builder, body: Bytes::new() }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Sends `authorization: Bearer <token>`.
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sends JSON.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(value).expect("test values can be written as JSON").into();
        self.header(CONTENT_TYPE.as_str(), "application/json")
    }

    /// Sends any bytes.
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE.as_str(), media_type)
    }

    /// Runs the request through the pipeline and reads the whole response.
    ///
    /// # Panics
    /// When method, path or a header is malformed, or the body breaks off.
    pub async fn send(self) -> TestResponse {
        let mut builder = self.builder;
        if !self.body.is_empty() {
            builder = builder.header(CONTENT_LENGTH, self.body.len());
        }
        let request =
            builder.body(Body::from(self.body)).expect("the test's request is well formed");
        let response = self.launched.handle(request, None).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the response body is complete").to_bytes();
        check_body(&self.launched, &parts, &body);
        TestResponse { status: parts.status, headers: parts.headers, body }
    }
}

/// Notes what is not as documented about the body; `TestApp::finish` tells.
fn check_body(launched: &Launched, parts: &http::response::Parts, body: &[u8]) {
    let (Some(recorder), Some(documented)) =
        (launched.recorder(), parts.extensions.get::<Documented>())
    else {
        return;
    };
    // What a layer has compressed is not JSON.
    if parts.headers.contains_key(http::header::CONTENT_ENCODING) {
        return;
    }
    // An answer to HEAD, and 304, have none.
    let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(media_type) = media_type.filter(|_| !body.is_empty()) else { return };
    let status = parts.status.as_u16();
    let essence = media_type.split(';').next().unwrap_or(media_type).trim();
    let document = launched.openapi();
    let faults = crate::conform::faults(document, &documented.operation, status, essence, body);
    for fault in faults {
        recorder.note(&documented.name, &format!("answered {status}: {fault}"));
    }
}

/// A response, whole.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl TestResponse {
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
        self.json()
    }

    /// The body as a type.
    ///
    /// # Panics
    /// When it is not JSON of that type.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => unexpected(&format!("{error} in {}", self.text())),
        }
    }

    /// A header as text; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Goes on only with this status.
    ///
    /// # Panics
    /// With another one; the message shows the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// Goes on only with a problem of this code.
    ///
    /// # Panics
    /// With anything else.
    #[track_caller]
    pub fn expect_problem(self, code: &str) -> Self {
        assert_eq!(self.value()["code"], code, "{}", self.text());
        self
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn unexpected(message: &str) -> ! {
    panic!("{message}")
}
