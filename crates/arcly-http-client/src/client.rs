//! One call, from the URL to the head of the response.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::di::{HookError, Key, Lifecycle, Token};
use arcly_http_core::scope::current::{self, Identity};
use arcly_http_core::scope::spans::{OpenSpan, SpanKind};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::{Host, Url};

use crate::builder::HttpClientBuilder;
use crate::connect::{ConnectError, Connector};
use crate::error::{BoxError, ClientError, ErrorKind};
use crate::places::Places;
use crate::reach::Reach;
use crate::request::{ClientRequest, Outgoing};
use crate::response::{ClientResponse, Source};
use crate::secret;
use crate::watch::{CallMetrics, Counted};

/// Calls other services; see the [crate].
///
/// Clones share connections, places and metrics. An application injects it:
/// `client: Inject<HttpClient>`; connections end with the application.
#[derive(Clone)]
pub struct HttpClient(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    pub(crate) reach: Arc<Reach>,
    pub(crate) owned: Owned,
    pub(crate) places: Places,
    pub(crate) metrics: Option<CallMetrics>,
    pub(crate) timeout: Duration,
    pub(crate) response_limit: u64,
    pub(crate) redirects_max: usize,
}

pub(crate) type Fake =
    Arc<dyn Fn(http::Request<Bytes>) -> Result<http::Response<Bytes>, ErrorKind> + Send + Sync>;

pub(crate) enum Transport {
    Real(Box<Client<Connector, Full<Bytes>>>),
    Fake(Fake),
}

/// Owns the tasks that connections are.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Owned {
    fn execute(&self, work: F) {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(work));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.owned.stop.cancel();
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient(..)")
    }
}

impl Token for HttpClient {
    const KEY: Key = Key::of("arcly_http::client::HttpClient", 0, 0);
}

impl Lifecycle for HttpClient {
    async fn on_shutdown(&self) -> Result<(), HookError> {
        let owned = &self.0.owned;
        owned.stop.cancel();
        owned.tasks.close();
        owned.tasks.wait().await;
        Ok(())
    }
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl HttpClient {
    /// Settings for a client.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder::default()
    }

    /// A client for tests, which connects to nothing: `answer` is asked instead, for
    /// each redirect as well. Everything else is as always: headers, checks of the
    /// URL, limits. A test gives it to the application:
    /// `.replace::<HttpClient>(Arc::new(HttpClient::fake(..)))`.
    ///
    /// ```
    /// # use arcly_http_client::{ErrorKind, HttpClient};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let client = HttpClient::fake(|request| match request.uri().path() {
    ///     "/rates" => Ok(http::Response::new("{}".into())),
    ///     _ => Err(ErrorKind::Connect),
    /// });
    /// assert_eq!(client.get("https://bank.example/rates").send().await.unwrap().status(), 200);
    /// let down = client.get("https://bank.example/other").send().await.unwrap_err();
    /// assert_eq!(*down.kind(), ErrorKind::Connect);
    /// # });
    /// ```
    pub fn fake(
        answer: impl Fn(http::Request<Bytes>) -> Result<http::Response<Bytes>, ErrorKind>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::builder().fake(Arc::new(answer))
    }

    /// A request of any method.
    pub fn request(&self, method: Method, url: &str) -> ClientRequest {
        ClientRequest::new(self.clone(), method, url)
    }

    /// A GET request.
    pub fn get(&self, url: &str) -> ClientRequest {
        self.request(Method::GET, url)
    }

    /// A POST request.
    pub fn post(&self, url: &str) -> ClientRequest {
        self.request(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(&self, url: &str) -> ClientRequest {
        self.request(Method::PUT, url)
    }

    /// A PATCH request.
    pub fn patch(&self, url: &str) -> ClientRequest {
        self.request(Method::PATCH, url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: &str) -> ClientRequest {
        self.request(Method::DELETE, url)
    }

    pub(crate) async fn call(&self, mut request: Outgoing) -> Result<ClientResponse, ClientError> {
        let inner = &*self.0;
        let mut limit = inner.timeout.min(request.timeout.unwrap_or(Duration::MAX));
        limit = limit.min(arcly_http_core::time::remaining().unwrap_or(Duration::MAX));
        let method = request.method.clone();
        let host = host_of(&request.url);
        let mut span = sign(&mut request);
        let counted = Counted::begin(inner.metrics.as_ref(), &method, &host);
        let deadline = Instant::now() + limit;
        let hops = self.hops(request, deadline);
        let answered = match limit.is_zero() {
            true => None,
            false => timeout_at(deadline, hops).await.ok(),
        };
        let failed = |(kind, source)| ClientError { kind, method, host, source };
        let result = answered.unwrap_or(Err((ErrorKind::TimedOut, None))).map_err(failed);
        let outcome = match &result {
            Ok(response) => response.status().as_u16().to_string(),
            Err(error) => error.kind.word().to_owned(),
        };
        if let Some(span) = &mut span {
            match &result {
                Ok(response) => {
                    span.note("http.response.status_code", response.status().as_u16());
                    if response.status().as_u16() >= 400 {
                        span.note("error.type", outcome.clone());
                        span.fail("");
                    }
                }
                Err(error) => {
                    span.note("error.type", outcome.clone());
                    span.fail(error.kind.to_string());
                }
            }
        }
        counted.end(outcome);
        result
    }

    /// Follows redirects to the response.
    async fn hops(
        &self,
        request: Outgoing,
        deadline: Instant,
    ) -> Result<ClientResponse, (ErrorKind, Option<BoxError>)> {
        let inner = &*self.0;
        let Outgoing { mut method, mut url, mut headers, mut body, response_limit, .. } = request;
        let mut followed = 0;
        loop {
            let uri = self.checked(&url).map_err(|kind| (kind, None))?;
            let host = host_of(&url);
            let place = inner.places.take(&host).await;
            let hop = outgoing(method.clone(), uri, headers.clone(), body.clone());
            let (parts, source) = self.exchange(hop).await?.into_parts();
            let target = redirected(&parts).filter(|_| inner.redirects_max > 0);
            let Some(location) = target else {
                let limit = response_limit.unwrap_or(inner.response_limit);
                let client = self.clone();
                let response = ClientResponse {
                    parts,
                    source,
                    limit,
                    read: 0,
                    deadline,
                    method,
                    host,
                    place,
                    client,
                };
                return Ok(response);
            };
            if followed == inner.redirects_max {
                return Err((ErrorKind::TooManyRedirects(inner.redirects_max), None));
            }
            followed += 1;
            let refused = |why| (ErrorKind::Redirect(why), None);
            let next = location.to_str().ok().and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| refused("its location is not a URL"))?;
            if url.scheme() == "https" && next.scheme() != "https" {
                return Err(refused("it leads out of TLS"));
            }
            if url.origin() != next.origin() {
                secret::forget(&mut headers);
            }
            let becomes_get = match parts.status {
                StatusCode::SEE_OTHER => method != Method::HEAD,
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
                _ => false,
            };
            if becomes_get {
                method = Method::GET;
                body = Bytes::new();
                for of_body in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
                    headers.remove(of_body);
                }
            }
            url = next;
        }
    }

    /// What the URL alone shows to be refused. Names are looked at where they are
    /// resolved.
    fn checked(&self, url: &Url) -> Result<Uri, ErrorKind> {
        let port = match url.scheme() {
            "http" | "https" => url.port_or_known_default().unwrap_or_default(),
            _ => return Err(ErrorKind::Invalid("only http and https can be called")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ErrorKind::Invalid("credentials belong in a header, not in the URL"));
        }
        let address = match url.host() {
            None => return Err(ErrorKind::Invalid("the URL has no host")),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        };
        if let Some(address) = address
            && !self.0.reach.permits(&address.to_string(), port, address)
        {
            tracing::warn!(%address, "a call was refused: the address is not public");
            return Err(ErrorKind::Refused(address));
        }
        let without_fragment = match url.fragment() {
            Some(_) => {
                let mut url = url.clone();
                url.set_fragment(None);
                url.as_str().parse()
            }
            None => url.as_str().parse(),
        };
        without_fragment.map_err(|_| ErrorKind::Invalid("the URL cannot be sent"))
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Source>, (ErrorKind, Option<BoxError>)> {
        match &self.0.transport {
            Transport::Real(client) => match client.request(request.map(Full::new)).await {
                Ok(response) => Ok(response.map(Source::Incoming)),
                Err(error) => Err((kind_of(&error), Some(error.into()))),
            },
            Transport::Fake(answer) => match answer(request) {
                Ok(response) => Ok(response.map(|body| Source::Full(Some(body)))),
                Err(kind) => Err((kind, None)),
            },
        }
    }
}

/// Adds what the work that calls has, and begins a span if that is recorded.
fn sign(request: &mut Outgoing) -> Option<OpenSpan> {
    let headers = &mut request.headers;
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("arcly-http"));
    let identity = current::with(|identity| {
        let Identity { request_id, recorder, .. } = identity?;
        Some((identity?.position().child(), *request_id, recorder.clone()))
    });
    let (trace, request_id, recorder) = identity?;
    if let Ok(id) = HeaderValue::from_bytes(request_id.as_bytes()) {
        headers.entry(REQUEST_ID).or_insert(id);
    }
    if let Ok(parent) = HeaderValue::try_from(trace.traceparent()) {
        headers.insert(TRACEPARENT, parent);
        headers.remove(TRACESTATE);
    }
    if let Some(Ok(state)) = trace.tracestate().map(HeaderValue::from_str) {
        headers.insert(TRACESTATE, state);
    }
    let mut span = recorder?.begin(&trace, SpanKind::Client)?;
    let method = match request.method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "HTTP",
    };
    span.name(method);
    span.note("http.request.method", if method == "HTTP" { "_OTHER" } else { method });
    // Path and query may hold secrets, so there is no `url.full`.
    span.note("server.address", request.url.host_str().unwrap_or_default().to_owned());
    if let Some(port) = request.url.port_or_known_default() {
        span.note("server.port", port);
    }
    Some(span)
}

/// Host and, if it is not the usual one, port.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn outgoing(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> http::Request<Bytes> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

fn redirected(parts: &http::response::Parts) -> Option<HeaderValue> {
    match parts.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => parts.headers.get(LOCATION).cloned(),
        _ => None,
    }
}

/// What hyper's error comes from.
fn kind_of(error: &hyper_util::client::legacy::Error) -> ErrorKind {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(own) = cause.downcast_ref::<ConnectError>() {
            return own.kind.clone();
        }
        source = cause.source();
    }
    if error.is_connect() { ErrorKind::Connect } else { ErrorKind::Broken }
}

/// Held while a call takes a place.
pub(crate) type Place = OwnedSemaphorePermit;
