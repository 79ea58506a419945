//! Settings of an application that are not providers.

use std::time::Duration;

use arcly_http_core::di::LaunchLimits;
use arcly_http_core::scope::spans::Tracing;
use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};

use super::WsTuning;
use crate::limit::{AdaptiveLimit, RateLimit};
use crate::pipeline::{Compress, Cors};
use crate::route::Versioning;
use crate::serve::Network;

/// Settings of an application that are not providers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaunchConfig {
    /// Most bytes of a request body, unless the route says otherwise. Default
    /// 2 MiB.
    pub body_limit: u64,
    /// How clients name versions. Default: in the URL.
    pub versioning: Versioning,
    /// Whether `/openapi.json` and `/docs` are served. Default: yes.
    pub docs: bool,
    /// Time limits of launch and shutdown.
    pub limits: LaunchLimits,
    /// How long requests may still run when the application stops. Default
    /// 10 s.
    pub drain: Duration,
    /// How long a client may take to send the head of a request. Default 10 s.
    pub header_timeout: Duration,
    /// How long the body of a request may be waited for, in all; each KiB that
    /// arrives gives a second of it back, and never more than was used. Default 10 s.
    pub body_timeout: Duration,
    /// How long a client may take less than 1 KiB a second of its responses, from when
    /// its system has no room for more; whatever else it sends changes nothing. Then the
    /// connection is closed. Over HTTP/2 each response is timed by itself as well, piece
    /// by piece (64 KiB at most, each KiB of which has a second more), and is reset alone.
    /// Default 10 s.
    pub write_timeout: Duration,
    /// Most connections at a time; one more is answered 503 and closed. Never more than
    /// seven eighths of the files that the process may have open. Default 16,384.
    pub connections_max: usize,
    /// Most connections at a time from one address (of IPv6: one /64). Behind a
    /// proxy all come from its address. Default 16,384.
    pub address_connections_max: usize,
    /// Proxies whose `Forwarded` or `X-Forwarded-For` is believed; neither is where both
    /// are there and name different clients. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// Headers of every response that does not set its own; a module, a controller or
    /// a route may change them ([`crate::security_headers::SecurityHeaders`]). Default:
    /// `x-content-type-options: nosniff` and `content-security-policy:
    /// frame-ancestors 'none'`.
    pub security_headers: Vec<(HeaderName, HeaderValue)>,
    /// How long a connection may be idle between requests. A proxy that keeps its
    /// connections for longer meets closed ones: set it above the proxy's own limit.
    /// Default 10 s.
    pub keep_alive: Duration,
    /// How long an operation may take from the head of the request to the head of
    /// the response, unless it says otherwise (`deadline = "5s"` on a route, a
    /// controller or a module); reading the body is a part of it. Then its handler
    /// is dropped where it waits, and the answer is 504. `None`: for ever. Default
    /// 30 s.
    pub deadline: Option<Duration>,
    /// Most requests that are being answered at a time; one more is refused with 503
    /// and `retry-after`. `None`: as many as come. Default 16,384.
    pub in_flight_max: Option<usize>,
    /// For each operation a limit of its own that follows its latency: when it takes
    /// longer than usual, work waits somewhere, and fewer requests are let in; the
    /// others are refused with 503 and `retry-after`. Operations that never wait
    /// have none. `None`: no such limits. Default: between 64 and 4,096.
    pub adaptive: Option<AdaptiveLimit>,
    /// How long work that is ready may wait for a thread before a share of the requests
    /// is refused with 503 and `retry-after`, as many as it takes to get back to that.
    /// `None`: none is refused for it. Default 100 ms.
    pub delay_max: Option<Duration>,
    /// Rate limits of all declared operations together, beside those that modules,
    /// controllers and routes have. Default: none.
    pub rate_limits: Vec<RateLimit>,
    /// Pages of which other origins may call operations and read the answers, unless
    /// a module, a controller or a route says otherwise. Default: none.
    pub cors: Option<Cors>,
    /// Whether requests that change things (all but GET, HEAD, OPTIONS and TRACE) and
    /// that a page of another origin caused are refused with 403, unless CORS allows
    /// that origin; `csrf = false` lets them through to a route. Programs that are
    /// not browsers never notice. Default: yes.
    pub csrf: bool,
    /// Which requests are recorded as spans, and where those go. Default: none.
    pub tracing: Option<Tracing>,
    /// Which responses are compressed, unless a module, a controller or a route says
    /// otherwise. Default: [`Compress::Safe`], all but those to requests with
    /// credentials that browsers add by themselves.
    pub compress: Compress,
    /// Whether clients are known by their TLS certificates, which a browser shows
    /// whichever page caused the request; then [`Compress::Safe`] compresses nothing.
    /// `#[arcly_http::main]` sets it with `tls_client_authorities`. Default: no.
    pub client_certificates: bool,
    /// Responses with fewer bytes are not compressed: they fit into one packet
    /// anyhow. Default 1 KiB.
    pub compress_min: u64,
    /// Most bytes that kept responses (`cache(..)`) take together, headers included, and
    /// each body twice, as it is kept compressed, too; then those that were not asked
    /// for lately go. Default 32 MiB.
    pub cache_bytes_max: u64,
    /// Most responses that are kept. Default 16,384.
    pub cache_entries_max: usize,
    /// A response whose body has more bytes is not kept. Default 1 MiB.
    pub cache_entry_max: u64,
    /// Limits of WebSockets.
    pub ws: WsTuning,
}

impl Default for LaunchConfig {
    fn default() -> Self {
        Self {
            body_limit: 2 << 20,
            versioning: Versioning::default(),
            docs: true,
            limits: LaunchLimits::default(),
            drain: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            connections_max: 16_384,
            address_connections_max: 16_384,
            trusted_proxies: vec![],
            security_headers: vec![
                (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                (CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
            ],
            keep_alive: Duration::from_secs(10),
            deadline: Some(Duration::from_secs(30)),
            in_flight_max: Some(16_384),
            adaptive: Some(AdaptiveLimit::default()),
            delay_max: Some(Duration::from_millis(100)),
            rate_limits: vec![],
            cors: None,
            csrf: true,
            tracing: None,
            compress: Compress::Safe,
            client_certificates: false,
            compress_min: 1 << 10,
            cache_bytes_max: 32 << 20,
            cache_entries_max: 16_384,
            cache_entry_max: 1 << 20,
            ws: WsTuning::default(),
        }
    }
}
