//! Authentication for arcly-http: strict JWT, password hashing on a bounded
//! pool, keys.

pub mod authn;

pub use authn::authenticator::JwtAuthenticator;
pub use authn::jwt::{JwtConfig, JwtConfigError, JwtService, TokenError};
pub use authn::key::{Algorithm, KeyError, SigningKey, VerifyingKey};
pub use authn::password::{PasswordConfig, PasswordError, PasswordHasher, Verified};
pub use authn::secret::{SecretError, SigningSecret};
