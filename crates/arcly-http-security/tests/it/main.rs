//! Tokens, passwords and secrets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod jwt;
mod password;
mod secret;
