//! Settings of a client.

use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::observe::Metrics;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Fake, HttpClient, Inner, Owned, Transport};
use crate::connect::{Connector, Resolve, SystemResolver};
use crate::places::Places;
use crate::reach::{Destination, Reach};
use crate::watch::CallMetrics;

/// A client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The certificates of authorities are not PEM.
    #[error("the certificates of authorities cannot be read")]
    Authorities(#[source] rustls::pki_types::pem::Error),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Settings of an [`HttpClient`].
#[derive(Debug)]
#[must_use = "a client is made by `build`"]
pub struct HttpClientBuilder {
    reach: Reach,
    resolver: Arc<dyn Resolve>,
    authorities: Vec<Vec<u8>>,
    connect_timeout: Duration,
    timeout: Duration,
    response_limit: u64,
    redirects_max: usize,
    host_calls_max: usize,
    metrics: Option<CallMetrics>,
}

impl Default for HttpClientBuilder {
    fn default() -> Self {
        Self {
            reach: Reach::default(),
            resolver: Arc::new(SystemResolver),
            authorities: vec![],
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            response_limit: 8 << 20,
            redirects_max: 5,
            host_calls_max: 64,
            metrics: None,
        }
    }
}

impl HttpClientBuilder {
    /// What may be reached although it is not public. Default: nothing.
    pub fn allow(mut self, destinations: impl IntoIterator<Item = Destination>) -> Self {
        self.reach.allowed.extend(destinations);
        self
    }

    /// Reaches every address. Only for URLs that nobody outside can choose.
    pub fn reach_everything(mut self) -> Self {
        self.reach.is_everything = true;
        self
    }

    /// Finds addresses in another way than the operating system's.
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Certificates, in PEM, of authorities that are trusted beside those of the
    /// operating system.
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// How long resolving, connecting and the TLS handshake may take together. Default
    /// 5 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a call may take, its redirects and the body of its response included.
    /// Default 30 s.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Most bytes of a response's body. Default 8 MiB.
    pub fn response_limit(mut self, bytes: u64) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Most redirects of one call; with 0, a redirect is the response. Default 5.
    pub fn redirects_max(mut self, max: usize) -> Self {
        self.redirects_max = max;
        self
    }

    /// Most calls to one host (with its port) at a time; more of them wait, for no
    /// longer than they may take in all. Default 64; 0 counts as 1.
    pub fn host_calls_max(mut self, max: usize) -> Self {
        self.host_calls_max = max.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Counts calls from now on: `http_client_requests_total` by method, host and
    /// outcome (at most 1,000 series), `http_client_request_duration_seconds`,
    /// `http_client_active_requests`.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(CallMetrics::new(metrics));
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// When certificates cannot be read or TLS cannot be set up.
    pub fn build(self) -> Result<HttpClient, SetupError> {
        let tls = Arc::new(self.tls()?);
        let owned = Owned { tasks: TaskTracker::new(), stop: CancellationToken::new() };
        let reach = Arc::new(self.reach.clone());
        let connector = Connector {
            reach: Arc::clone(&reach),
            resolver: Arc::clone(&self.resolver),
            tls,
            timeout: self.connect_timeout,
        };
        let client = Client::builder(owned.clone())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(self.host_calls_max.min(IDLE_PER_HOST_MAX))
            .http1_max_buf_size(HEAD_MAX)
            .http2_max_header_list_size(HEAD_MAX as u32)
            .build::<_, Full<Bytes>>(connector);
        Ok(self.with(Transport::Real(Box::new(client)), reach, owned))
    }

    pub(crate) fn fake(self, answer: Fake) -> HttpClient {
        let reach = Arc::new(self.reach.clone());
        let owned = Owned { tasks: TaskTracker::new(), stop: CancellationToken::new() };
        self.with(Transport::Fake(answer), reach, owned)
    }

    fn with(self, transport: Transport, reach: Arc<Reach>, owned: Owned) -> HttpClient {
        HttpClient(Arc::new(Inner {
            transport,
            reach,
            owned,
            places: Places::new(self.host_calls_max),
            metrics: self.metrics,
            timeout: self.timeout,
            response_limit: self.response_limit,
            redirects_max: self.redirects_max,
        }))
    }

    fn tls(&self) -> Result<rustls::ClientConfig, SetupError> {
        let mut roots = rustls::RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let (_, unusable) = roots.add_parsable_certificates(native.certs);
        if roots.is_empty() && self.authorities.is_empty() {
            tracing::warn!(unusable, "no authorities are known: calls to https will fail");
        }
        for pem in &self.authorities {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots
                    .add(certificate.map_err(SetupError::Authorities)?)
                    .map_err(SetupError::Tls)?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Most connections to one host that are kept so.
const IDLE_PER_HOST_MAX: usize = 16;
/// Most bytes of a response's head.
const HEAD_MAX: usize = 64 << 10;
