//! Conduit, operation by operation.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod conduit;
mod live;
