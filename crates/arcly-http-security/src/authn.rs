//! Who somebody is.

pub mod authenticator;
mod json;
pub mod jwt;
pub mod key;
pub mod password;
mod pem;
pub mod secret;
