//! Vocabulary of arcly-http: dependency graph and its proof, scope, access,
//! contract, problems, rates, caches, configuration, time.
//!
//! No protocol, no storage, no run time beyond tokio's primitives: this crate
//! names no axum, sqlx, broker or TLS crate.

pub mod access;
mod backoff;
pub mod cache;
pub mod config;
pub mod contract;
pub mod di;
pub mod observe;
pub mod problem;
pub mod rate;
pub mod resilience;
pub mod scope;
pub mod task;
pub mod time;
pub mod validate;
