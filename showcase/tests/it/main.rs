//! Conduit, operation by operation.

mod api;
