//! Between the pipeline and the token service.

use std::sync::Arc;

use arcly_http_core::access::{AuthError, AuthFuture, Authenticator, Credentials};

use super::jwt::JwtService;

/// Accepts JWTs in the `authorization` header.
#[derive(Debug)]
pub struct JwtAuthenticator {
    service: Arc<JwtService>,
    schemes: &'static [&'static str],
}

impl JwtAuthenticator {
    /// Accepts `Bearer` tokens (RFC 6750).
    #[must_use]
    pub fn new(service: Arc<JwtService>) -> Self {
        Self { service, schemes: &["Bearer"] }
    }

    /// Accepts other schemes, the preferred one first.
    #[must_use]
    pub fn with_schemes(mut self, schemes: &'static [&'static str]) -> Self {
        self.schemes = schemes;
        self
    }
}

impl Authenticator for JwtAuthenticator {
    fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> AuthFuture<'a> {
        let verified = self.service.verify(credentials.token);
        Box::pin(async move {
            verified.map(Arc::new).map_err(|error| AuthError::Refused(error.to_string()))
        })
    }
}
