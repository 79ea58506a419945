//! Who somebody is.

pub mod authenticator;
pub mod jwt;
pub mod password;
pub mod secret;
