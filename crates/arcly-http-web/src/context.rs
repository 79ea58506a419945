//! One request on its way through the pipeline.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::di::{Instance, Key, RouteFact, ScopedPlan};
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::{Claims, RequestId, Scope, TraceContext};
use arcly_http_core::time::Budget;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderValue,
    ORIGIN, TRANSFER_ENCODING,
};
use http::{Extensions, HeaderMap, HeaderName, Method, Uri, Version};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::Body;
use crate::body::TooSlow;
use crate::cache::Leading;
use crate::limit::{Gradient, Place};
use crate::serve::Upgrade;

/// Path parameters as positions in the path: no string is copied.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Params {
    pub(crate) spans: [(u16, u16); PARAMS_MAX],
    pub(crate) len: u8,
}

/// Most parameters that one path may have.
pub(crate) const PARAMS_MAX: usize = 8;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which of the headers that the stages ask for are there at all: one pass over
/// the few that came instead of a look-up for each that might have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen(u16);

impl Seen {
    pub(crate) const CONTENT_LENGTH: u16 = 1;
    pub(crate) const TRANSFER_ENCODING: u16 = 1 << 1;
    pub(crate) const ACCEPT: u16 = 1 << 2;
    pub(crate) const AUTHORIZATION: u16 = 1 << 3;
    pub(crate) const REQUEST_ID: u16 = 1 << 4;
    pub(crate) const TRACEPARENT: u16 = 1 << 5;
    pub(crate) const ORIGIN: u16 = 1 << 6;
    pub(crate) const FETCH_SITE: u16 = 1 << 7;
    pub(crate) const COOKIE: u16 = 1 << 8;
    pub(crate) const ACCEPT_ENCODING: u16 = 1 << 9;

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::with_hosts(headers).0
    }

    /// The same, and what names the host, in one pass.
    pub(crate) fn with_hosts(headers: &HeaderMap) -> (Self, Hosts<'_>) {
        let mut hosts = Hosts { first: None, has_more: false };
        let mut all = 0;
        for (name, value) in headers {
            if *name == HOST {
                hosts.has_more = hosts.first.is_some();
                hosts.first.get_or_insert(value);
            } else {
                all |= Self::bit(name, value);
            }
        }
        (Self(all), hosts)
    }

    fn bit(name: &HeaderName, value: &HeaderValue) -> u16 {
        if *name == ACCEPT {
            // Whoever takes anything need not be asked.
            if value == "*/*" { 0 } else { Self::ACCEPT }
        } else if *name == ACCEPT_ENCODING {
            Self::ACCEPT_ENCODING
        } else if *name == CONTENT_LENGTH {
            Self::CONTENT_LENGTH
        } else if *name == AUTHORIZATION {
            Self::AUTHORIZATION
        } else if *name == TRANSFER_ENCODING {
            Self::TRANSFER_ENCODING
        } else if *name == REQUEST_ID {
            Self::REQUEST_ID
        } else if *name == TRACEPARENT {
            Self::TRACEPARENT
        } else if *name == ORIGIN {
            Self::ORIGIN
        } else if *name == COOKIE {
            Self::COOKIE
        } else if *name == FETCH_SITE {
            Self::FETCH_SITE
        } else {
            0
        }
    }

    pub(crate) fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }
}

/// The `host` headers of a request.
#[derive(Clone, Copy)]
pub(crate) struct Hosts<'h> {
    pub(crate) first: Option<&'h HeaderValue>,
    pub(crate) has_more: bool,
}

/// Everything of a request but its body. Guards, interceptors and filters see
/// it; it does not change once the access rule has been decided.
#[derive(Debug)]
pub struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
    pub(crate) seen: Seen,
    pub(crate) params: Params,
    pub(crate) fact: Option<&'static RouteFact>,
    pub(crate) request_id: RequestId,
    pub(crate) trace: TraceContext,
    pub(crate) claims: Option<Arc<Claims>>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) budget: Option<Budget>,
}

impl Head {
    /// The method as the client sent it.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The target as the client sent it.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What tower layers and mounted services attach.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The declared route that answers; `None` for a mounted service.
    #[must_use]
    pub fn route(&self) -> Option<&'static RouteFact> {
        self.fact
    }

    /// The id of this request.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The trace of this request.
    #[must_use]
    pub fn trace(&self) -> &TraceContext {
        &self.trace
    }

    /// The caller's verified claims; `None` for an anonymous caller.
    #[must_use]
    pub fn claims(&self) -> Option<&Arc<Claims>> {
        self.claims.as_ref()
    }

    /// The address of the connection; not of the client behind a proxy.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The address of the client: that of the connection, or what a trusted proxy
    /// says ([`crate::app::LaunchConfig::trusted_proxies`]). `None` in tests and on
    /// Unix sockets.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// What is left of the time of this operation; `None` when nothing limits it.
    /// Code further down asks [`arcly_http_core::time::remaining`].
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.budget.as_ref().map(Budget::remaining)
    }

    /// A path parameter by name, percent-encoded as it came.
    #[must_use]
    pub fn raw_parameter(&self, name: &str) -> Option<&str> {
        let position = parameter_position(self.fact?.path, name)?;
        self.parameter_at(position)
    }

    pub(crate) fn parameter_at(&self, position: usize) -> Option<&str> {
        if position >= usize::from(self.params.len) {
            return None;
        }
        let (start, end) = *self.params.spans.get(position)?;
        self.uri.path().get(usize::from(start)..usize::from(end))
    }

    /// The host that the client asked for, without port, as it was written.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let authority = match self.uri.authority() {
            Some(authority) => authority.as_str(),
            None => self.headers.get(http::header::HOST)?.to_str().ok()?,
        };
        let end = match authority.strip_prefix('[') {
            Some(rest) => rest.find(']')? + 2,
            None => authority.rfind(':').unwrap_or(authority.len()),
        };
        authority.get(..end)
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.request_id, self.trace.clone(), self.claims.clone())
            .with_budget(self.budget.clone())
    }
}

/// Where `{name}` stands among the parameters of a path.
pub(crate) fn parameter_position(path: &str, name: &str) -> Option<usize> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .position(|inner| inner.strip_prefix('*').unwrap_or(inner) == name)
}

/// A request with its body: what arguments are read from.
pub struct Context {
    /// Everything but the body.
    pub head: Head,
    pub(crate) body: Option<Body>,
    pub(crate) body_limit: u64,
    /// On the application's clock.
    pub(crate) begun: Duration,
    /// Whether there are not too many requests in all.
    pub(crate) is_admitted: bool,
    /// Where a place is to be taken once the body is there. Slow clients are to use
    /// up their connections, not the places of an operation.
    pub(crate) limit: Option<Arc<Gradient>>,
    pub(crate) place: Option<Place>,
    /// What the client is told of its rate limits.
    pub(crate) rates: String,
    /// Of an operation whose answers are kept.
    pub(crate) leading: Option<Arc<Leading>>,
    pub(crate) scoped: Vec<(Key, Instance)>,
    /// The socket that the work belongs to.
    pub(crate) socket: Option<Arc<dyn Any + Send + Sync>>,
    /// Whether the body is a binary message of it.
    pub(crate) is_binary: bool,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Context {
    /// Takes the body. The second to ask gets an empty one.
    pub fn take_body(&mut self) -> Body {
        self.body.take().unwrap_or_default()
    }

    /// Takes what a message of a socket carries; nothing, where this is no message.
    pub fn take_message(&mut self) -> Bytes {
        self.take_body().take_full().unwrap_or_default()
    }

    /// The socket that this work belongs to, if it does: what a gateway put there while
    /// it opened.
    #[must_use]
    pub fn socket<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.socket.as_ref().and_then(|socket| Arc::clone(socket).downcast().ok())
    }

    /// Says which socket the work belongs to.
    pub fn set_socket(&mut self, socket: Arc<dyn Any + Send + Sync>) {
        self.socket = Some(socket);
    }

    /// Whether this is a message of a socket that came as binary.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        self.is_binary
    }

    /// The connection itself, for a protocol that takes it over once this request is
    /// answered with 101. `None` where the connection cannot be had, and for the second
    /// to ask.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.head.extensions.remove().map(Upgrade::new)
    }

    /// The most bytes that the body may have.
    #[must_use]
    pub fn body_limit(&self) -> u64 {
        self.body_limit
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// 413 beyond the limit; 400 when the client stops in the middle; 503 when too
    /// many requests of this operation are being answered.
    ///
    /// # Cancel safety
    /// Dropping the future loses what was read.
    pub async fn read_body(&mut self) -> Result<Bytes, Problem> {
        let limit = usize::try_from(self.body_limit).unwrap_or(usize::MAX);
        let mut body = self.take_body();
        if let Some(bytes) = body.take_full() {
            // A message of a socket, mostly.
            if bytes.len() > limit {
                return Err(too_large(self.body_limit));
            }
            self.take_place(false)?;
            return Ok(bytes);
        }
        match Limited::new(&mut body, limit).collect().await {
            Ok(collected) => {
                self.take_place(body.has_waited())?;
                Ok(collected.to_bytes())
            }
            Err(error) if error.is::<LengthLimitError>() => Err(too_large(self.body_limit)),
            Err(error) if error.is::<TooSlow>() => Err(too_slow()),
            Err(error) => Err(Problem::of(&kinds::BAD_REQUEST)
                .with_detail("the body ended before it was complete")
                .caused_by(error)),
        }
    }

    /// Takes a place among the work of the operation, if that is limited. Work that
    /// had to wait for its body begins now.
    pub(crate) fn take_place(&mut self, has_waited: bool) -> Result<(), Problem> {
        if let Some(limit) = self.limit.take() {
            let begun = (!has_waited).then_some(self.begun);
            self.place = Some(Place::take(limit, begun)?);
        }
        Ok(())
    }

    /// The work has been done, or took too long.
    pub(crate) fn finish(&mut self, now: Duration) {
        if let Some(place) = self.place.take() {
            place.finish(now);
        }
    }

    pub(crate) async fn build_scoped(&mut self, plan: &ScopedPlan) -> Result<Instance, Problem> {
        if self.scoped.is_empty() {
            let scope = Instance::new(Arc::new(self.head.scope()));
            self.scoped.push((<Scope as arcly_http_core::di::Token>::KEY, scope));
        }
        plan.build(&mut self.scoped).await.map_err(Problem::internal)
    }
}

/// The rest of the body is not waited for, so the connection is of no more use.
pub(crate) fn too_slow() -> Problem {
    Problem::of(&kinds::REQUEST_TIMEOUT)
        .with_detail("the body did not arrive in time; send it at 1 KiB a second at least")
        .with_header(CONNECTION, HeaderValue::from_static("close"))
}

pub(crate) fn too_large(limit: u64) -> Problem {
    Problem::of(&kinds::CONTENT_TOO_LARGE)
        .with_detail(format!("the body may have at most {limit} bytes"))
}
