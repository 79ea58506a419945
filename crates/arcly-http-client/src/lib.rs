//! Calling other services over HTTP.
//!
//! An [`HttpClient`] sends along what the work that calls it has: its place in the
//! trace (`traceparent`, `tracestate`, with a span of its own), its request id, and no
//! more time than it has left ([`arcly_http_core::time::remaining`]). No header for a
//! deadline is a standard, so none is sent.
//!
//! It connects to public addresses alone. What a URL's host is resolved to is checked
//! on the very address that is then connected to, for each connection and each
//! redirect, so that neither a name that resolves to `127.0.0.1`, nor one that changes
//! its answer, nor a redirect reaches what is inside ([`Destination`] allows more). It
//! uses no proxy, whatever the environment says.
//!
//! | bound | default |
//! |---|---|
//! | the whole call, redirects and the body included | 30 s, or what the caller has left |
//! | connecting: name, TCP, TLS | 5 s |
//! | the body of a response | 8 MiB |
//! | redirects of one call | 5 |
//! | calls to one host at a time, and with them its connections | 64 |
//!
//! # Redirects
//!
//! They are followed as browsers do: 303 becomes a GET, 301 and 302 turn a POST into one,
//! and **307 and 308 send method and body again, also to another origin**. What leads
//! from https to http is refused. To another origin (scheme, host or port) no secret
//! goes along: no header whose value is marked as sensitive, nor one that is named like
//! a secret (`authorization`, `cookie`, `x-api-key`, `x-auth-token` and whatever else has
//! a word that ends in `token`, `secret`, `session`, `signature` and the like). A body
//! that is for one service alone is sent by a client that follows none:
//! [`HttpClientBuilder::redirects_max`] of 0.
//!
//! # With a policy
//!
//! Retries, a breaker and the like go around a call, one policy for each host or
//! service: a breaker tells of one dependency. [`ClientError::verdict`] says what may
//! be tried again: what was never sent, and what may be done twice (GET, HEAD, OPTIONS,
//! TRACE, PUT, DELETE).
//!
//! ```
//! use arcly_http_client::{ClientError, HttpClient};
//! use arcly_http_core::resilience::{CircuitBreaker, InvalidPolicy, Policy, PolicyError, Retry};
//!
//! struct Rates {
//!     client: HttpClient,
//!     policy: Policy<ClientError>,
//! }
//!
//! impl Rates {
//!     fn new(client: HttpClient) -> Result<Self, InvalidPolicy> {
//!         let policy = Policy::builder()
//!             .name("rates")
//!             .classify(ClientError::verdict)
//!             .retry(Retry::new())
//!             .breaker(CircuitBreaker::new())
//!             .build()?;
//!         Ok(Self { client, policy })
//!     }
//!
//!     async fn of_today(&self) -> Result<serde_json::Value, PolicyError<ClientError>> {
//!         let ask = || async {
//!             let response = self.client.get("https://rates.example.org/today").send().await?;
//!             response.error_for_status()?.json().await
//!         };
//!         self.policy.call(ask).await
//!     }
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = HttpClient::fake(|_| Ok(http::Response::new(r#"{"eur": 1}"#.into())));
//! let rates = Rates::new(client).unwrap().of_today().await.unwrap();
//! assert_eq!(rates["eur"], 1);
//! # });
//! ```

#![forbid(unsafe_code)]

mod builder;
mod client;
mod connect;
mod error;
mod places;
mod reach;
mod request;
mod response;
mod secret;
mod watch;

pub use builder::{HttpClientBuilder, SetupError};
pub use client::HttpClient;
pub use connect::{Resolve, Resolving};
pub use error::{ClientError, ErrorKind};
pub use reach::Destination;
pub use request::ClientRequest;
pub use response::ClientResponse;
