//! Tokens, passwords and secrets.

mod jwt;
mod password;
mod secret;
