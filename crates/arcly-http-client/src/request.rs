//! A request that is being put together.

use std::time::Duration;

use arcly_http_core::config::Secret;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use url::Url;

use crate::client::HttpClient;
use crate::error::{ClientError, ErrorKind};
use crate::response::ClientResponse;

/// A request that is being put together; [`ClientRequest::send`] makes the call. A
/// fault in between is what that gives.
#[derive(Debug)]
#[must_use = "nothing is sent before `send` is awaited"]
pub struct ClientRequest {
    client: HttpClient,
    method: Method,
    state: Result<Outgoing, ErrorKind>,
}

pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Option<Duration>,
    pub(crate) response_limit: Option<u64>,
}

/// Neither URL nor headers, which may hold secrets.
impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.method, self.url.host_str().unwrap_or_default())
    }
}

impl ClientRequest {
    pub(crate) fn new(client: HttpClient, method: Method, url: &str) -> Self {
        let state = match url.parse() {
            Ok(url) => Ok(Outgoing {
                method: method.clone(),
                url,
                headers: HeaderMap::new(),
                body: Bytes::new(),
                timeout: None,
                response_limit: None,
            }),
            Err(_) => Err(ErrorKind::Invalid("the URL is not a URL with a scheme and a host")),
        };
        Self { client, method, state }
    }

    fn with(mut self, change: impl FnOnce(&mut Outgoing) -> Result<(), &'static str>) -> Self {
        if let Ok(outgoing) = &mut self.state
            && let Err(fault) = change(outgoing)
        {
            self.state = Err(ErrorKind::Invalid(fault));
        }
        self
    }

    /// Sets a header. Those that frame the message or name the host cannot be set. One
    /// whose value is marked as sensitive ([`HeaderValue::set_sensitive`]), or whose name
    /// says that it is a secret, is not sent on to another origin; see
    /// [redirects](crate#redirects).
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        self.with(|outgoing| {
            let name = name.try_into().map_err(|_| "a header has a name that cannot be sent")?;
            let value = value.try_into().map_err(|_| "a header has a value that cannot be sent")?;
            if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE].contains(&name) {
                return Err("the client sets host and framing headers itself");
            }
            outgoing.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sends a bearer token. Like all credentials, it is not sent on to another origin
    /// by a redirect.
    pub fn bearer(self, token: &Secret) -> Self {
        self.with(|outgoing| {
            let value = format!("Bearer {}", token.expose());
            let mut value = HeaderValue::try_from(value).map_err(|_| "the token cannot be sent")?;
            value.set_sensitive(true);
            outgoing.headers.insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Adds a parameter to the URL's query, encoded.
    pub fn query(self, name: &str, value: &str) -> Self {
        self.with(|outgoing| {
            outgoing.url.query_pairs_mut().append_pair(name, value);
            Ok(())
        })
    }

    /// Sets the body, as bytes; the content type is the caller's to set.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.with(|outgoing| {
            outgoing.body = body.into();
            Ok(())
        })
    }

    /// Sets the body, as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|outgoing| {
            let body = serde_json::to_vec(value).map_err(|_| "the body is not JSON")?;
            outgoing.body = body.into();
            outgoing.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(())
        })
    }

    /// How long this call may take; the client's own limit and what the caller has
    /// left hold as well.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|outgoing| {
            outgoing.timeout = Some(limit);
            Ok(())
        })
    }

    /// Most bytes of this response's body, instead of the client's limit.
    pub fn response_limit(self, bytes: u64) -> Self {
        self.with(|outgoing| {
            outgoing.response_limit = Some(bytes);
            Ok(())
        })
    }

    /// Makes the call, and gives the head of the response: of whatever status.
    ///
    /// # Errors
    /// [`ClientError`], when there is no response.
    ///
    /// # Cancel safety
    /// Dropping the future ends the call; what was asked for may have been done.
    pub async fn send(self) -> Result<ClientResponse, ClientError> {
        match self.state {
            Ok(outgoing) => self.client.call(outgoing).await,
            Err(kind) => {
                let host = String::new();
                Err(ClientError { kind, method: self.method, host, source: None })
            }
        }
    }
}
