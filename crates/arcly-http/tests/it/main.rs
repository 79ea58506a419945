//! The façade as users see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod framing;
mod configuration;
mod graph;
mod http_api;
mod problem_derive;
mod server;
mod testing_kit;
mod ui;
