//! `/openapi.json`, `/asyncapi.json` and `/docs`: offline, under a strict content security policy.

use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
};
use http::{HeaderName, Method, StatusCode};
use serde_json::Value;

use crate::{Body, Head, Response};

/// Scripts and data come from this server alone. Swagger UI sets style
/// attributes while it draws, which needs `unsafe-inline` for styles only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document, written when somebody asks for it first: most starts of a server serve
/// nobody who does.
pub(crate) type Document = LazyLock<Value, Box<dyn FnOnce() -> Value + Send>>;

/// The documents as text, and the pages that show them.
pub(crate) struct Docs {
    openapi: Written,
    /// Of an application that has gateways.
    asyncapi: Option<Written>,
}

struct Written {
    document: Arc<Document>,
    text: OnceLock<Bytes>,
}

impl Written {
    fn new(document: &Arc<Document>) -> Self {
        Self { document: Arc::clone(document), text: OnceLock::new() }
    }

    fn text(&self) -> Bytes {
        self.text.get_or_init(|| (**self.document).to_string().into()).clone()
    }
}

impl Docs {
    pub(crate) fn new(openapi: &Arc<Document>, asyncapi: Option<&Arc<Document>>) -> Self {
        Self { openapi: Written::new(openapi), asyncapi: asyncapi.map(Written::new) }
    }

    /// Answers, if the path is one of the documentation.
    pub(crate) fn find(&self, head: &Head) -> Option<Response> {
        let (body, media_type, is_packed): (Bytes, &'static str, bool) = match head.uri().path() {
            "/openapi.json" => (self.openapi.text(), "application/json", false),
            "/asyncapi.json" => (self.asyncapi.as_ref()?.text(), "application/json", false),
            "/docs/sockets" => (
                Bytes::from_static(include_bytes!("../assets/sockets.html")),
                "text/html; charset=utf-8",
                false,
            ),
            "/docs/sockets.js" => (
                Bytes::from_static(include_bytes!("../assets/sockets.js")),
                "text/javascript; charset=utf-8",
                false,
            ),
            "/docs/sockets.css" => (
                Bytes::from_static(include_bytes!("../assets/sockets.css")),
                "text/css; charset=utf-8",
                false,
            ),
            "/docs" | "/docs/" => (
                Bytes::from_static(include_bytes!("../assets/docs.html")),
                "text/html; charset=utf-8",
                false,
            ),
            "/docs/docs.js" => (
                Bytes::from_static(include_bytes!("../assets/docs.js")),
                "text/javascript; charset=utf-8",
                false,
            ),
            "/docs/swagger-ui-bundle.js" => (
                Bytes::from_static(include_bytes!("../assets/swagger-ui-bundle.js.gz")),
                "text/javascript; charset=utf-8",
                true,
            ),
            "/docs/swagger-ui.css" => (
                Bytes::from_static(include_bytes!("../assets/swagger-ui.css.gz")),
                "text/css; charset=utf-8",
                true,
            ),
            _ => return None,
        };
        if !matches!(*head.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let mut response = http::Response::new(Body::from(body));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(
            HeaderName::from_static("referrer-policy"),
            HeaderValue::from_static("no-referrer"),
        );
        if is_packed {
            // Every browser of this century takes gzip.
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        }
        Some(response)
    }
}
