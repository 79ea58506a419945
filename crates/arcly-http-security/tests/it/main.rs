//! Tokens, passwords and secrets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod jwt;
mod password;
mod secret;
