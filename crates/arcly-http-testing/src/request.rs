//! Requests of tests.

use std::fmt::Display;

use arcly_http_web::Body;
use arcly_http_web::app::Launched;
use arcly_http_web::describe::Documented;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::instrument::WithSubscriber as _;

use crate::capture::Capture;
use crate::{TestForm, TestResponse, TestSocket};

/// A request under construction; await [`TestRequest::send`].
#[must_use = "a request does nothing before it is sent"]
#[derive(Debug)]
pub struct TestRequest {
    launched: Launched,
    capture: Capture,
    method: Method,
    path: String,
    query: String,
    cookies: Vec<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl TestRequest {
    pub(crate) fn new(launched: Launched, capture: Capture, method: Method, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            launched,
            capture,
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            cookies: vec![],
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When name or value cannot be a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed: HeaderName = name.parse().expect("the test names a header");
        let value = HeaderValue::from_str(value).expect("the test's value fits into a header");
        self.headers.append(parsed, value);
        self
    }

    /// Sends `authorization: Bearer <token>`.
    #[track_caller]
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Adds a query parameter; name and value are escaped here. Say it again for
    /// several values.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.query = Serializer::new(self.query).append_pair(name, &value.to_string()).finish();
        self
    }

    /// Sends a cookie; its value is escaped here.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.push(format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        self
    }

    /// Sends JSON.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("test values can be written as JSON");
        self.body("application/json", body)
    }

    /// Sends a form (`application/x-www-form-urlencoded`).
    pub fn form<N: AsRef<str>, V: AsRef<str>>(
        self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends a form with files.
    pub fn multipart(self, form: TestForm) -> Self {
        let (media_type, body) = form.finish();
        self.body(&media_type, body)
    }

    /// Sends any bytes.
    #[track_caller]
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.remove(CONTENT_TYPE);
        self.header(CONTENT_TYPE.as_str(), media_type)
    }

    /// Runs the request through the pipeline and reads the whole response.
    ///
    /// # Panics
    /// When the path is malformed, or the body of the response breaks off.
    pub async fn send(self) -> TestResponse {
        let question = if self.query.is_empty() { "" } else { "?" };
        let mut builder = http::Request::builder()
            .method(self.method)
            .uri(format!("{}{question}{}", self.path, self.query));
        if let Some(headers) = builder.headers_mut() {
            *headers = self.headers;
            if !self.cookies.is_empty() {
                let cookies = HeaderValue::try_from(self.cookies.join("; "));
                headers.append(COOKIE, cookies.expect("the test names a cookie"));
            }
            if !self.body.is_empty() {
                headers.append(CONTENT_LENGTH, self.body.len().into());
            }
        }
        let request =
            builder.body(Body::from(self.body)).expect("the test's request is well formed");
        let launched = self.launched;
        let answer = async {
            let (parts, body) = launched.handle(request, None).await.into_parts();
            (parts, body.collect().await)
        };
        let (parts, body) = answer.with_subscriber(self.capture.dispatch()).await;
        let body = body.expect("the response body is complete").to_bytes();
        check_body(&launched, &parts, &body);
        TestResponse::new(parts.status, parts.headers, body, self.capture)
    }
}

impl TestRequest {
    /// Opens a socket at the path of a gateway: the request is its handshake, over a
    /// connection in memory.
    ///
    /// ```
    /// # use arcly_http_testing::TestApp;
    /// # use serde_json::json;
    /// async fn is_told(app: &TestApp) {
    ///     let mut socket = app.get("/live").bearer("token").open_socket().await.unwrap();
    ///     socket.ask("tag.watch", json!({ "tag": "rust" })).await.unwrap();
    ///     app.post("/articles").json(&json!({ "tag": "rust" })).send().await;
    ///     assert_eq!(socket.event("article.published").await["slug"], "one");
    /// }
    /// # let _ = is_told;
    /// ```
    ///
    /// # Errors
    /// The response of a handshake that is refused.
    ///
    /// # Panics
    /// When the path is malformed, or the connection breaks off.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub async fn open_socket(self) -> Result<TestSocket, Box<TestResponse>> {
        let question = if self.query.is_empty() { "" } else { "?" };
        let target = format!("ws://localhost{}{question}{}", self.path, self.query);
        let mut request = target.into_client_request().expect("the test's path is well formed");
        request.headers_mut().extend(self.headers);
        if !self.cookies.is_empty() {
            let cookies = HeaderValue::try_from(self.cookies.join("; "));
            request.headers_mut().append(COOKIE, cookies.expect("the test names a cookie"));
        }
        let (client, connection) = arcly_http_web::serve::connect_in_memory(&self.launched);
        let connection = connection.with_subscriber(self.capture.dispatch());
        let connection = AbortOnDropHandle::new(TaskTracker::new().spawn(connection));
        match tokio_tungstenite::client_async(request, client).await {
            Ok((stream, _)) => Ok(TestSocket::new(stream, connection)),
            Err(Error::Http(response)) => {
                let (parts, body) = response.into_parts();
                let body = body.unwrap_or_default().into();
                Err(Box::new(TestResponse::new(parts.status, parts.headers, body, self.capture)))
            }
            Err(error) => panic!("the handshake broke off: {error}"),
        }
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
