//! The façade as users see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod graph;
mod http_api;
mod problem_derive;
mod recorder;
mod ui;
