//! The HTTP client as a provider; what it does is told at [`HttpClient`].
//!
//! ```
//! use arcly_http::client::{HttpClient, HttpClientModule};
//! use arcly_http::prelude::*;
//!
//! #[derive(Injectable)]
//! struct Rates {
//!     client: Inject<HttpClient>,
//! }
//!
//! #[module(root, imports(HttpClientModule), providers(Rates))]
//! struct AppModule;
//! ```

use std::time::Duration;

use arcly_http_core::config::ByteSize;
use arcly_http_core::di::Inject;
use arcly_http_core::observe::Metrics;
use arcly_http_macros::{Config, module, provider};

pub use arcly_http_client::{
    ClientError, ClientRequest, ClientResponse, Destination, ErrorKind, HttpClient,
    HttpClientBuilder, Resolve, Resolving, SetupError,
};

/// Limits of the [`HttpClient`] of [`struct@HttpClientModule`].
#[derive(Debug, Clone, Config)]
#[config(section = "http_client")]
pub struct HttpClientConfig {
    /// Networks and hosts that may be called although their addresses are not public,
    /// separated by commas: `10.1.0.0/16`, `billing.internal:8080`, `*.internal`.
    #[config(default = "")]
    pub allow: Vec<Destination>,
    /// How long resolving a name, connecting and the TLS handshake may take together.
    #[config(default = "5s")]
    pub connect_timeout: Duration,
    /// How long a call may take in all; less, if its caller has less time left.
    #[config(default = "30s")]
    pub timeout: Duration,
    /// Most bytes of a response's body.
    #[config(default = "8MiB")]
    pub response_limit: ByteSize,
    /// Most redirects of one call.
    #[config(default = "5")]
    pub redirects_max: usize,
    /// Most calls to one host at a time; others wait.
    #[config(default = "64")]
    pub host_calls_max: usize,
}

/// Makes the client of [`struct@HttpClientModule`].
///
/// # Errors
/// When TLS cannot be set up.
#[provider]
pub fn http_client(
    config: Inject<HttpClientConfig>,
    metrics: Inject<Metrics>,
) -> Result<HttpClient, SetupError> {
    HttpClient::builder()
        .allow(config.allow.iter().cloned())
        .connect_timeout(config.connect_timeout)
        .timeout(config.timeout)
        .response_limit(config.response_limit.0)
        .redirects_max(config.redirects_max)
        .host_calls_max(config.host_calls_max)
        .metrics(&metrics)
        .build()
}

/// Provides an [`HttpClient`] to the modules that import it, by [`HttpClientConfig`].
#[module(providers(HttpClientConfig, http_client), exports(http_client))]
pub struct HttpClientModule;
