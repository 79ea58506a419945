//! The façade as users see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod admission;
mod bad_input;
mod blocking;
mod chain;
#[cfg(feature = "compression")]
mod compression;
mod conditional;
mod configuration;
mod cross_origin;
mod deadline;
mod described_wrongly;
mod dropped;
mod floods;
mod framing;
#[cfg(feature = "realtime")]
mod gateway;
#[cfg(feature = "nats")]
mod gateway_cluster;
#[cfg(feature = "realtime")]
mod gateway_life;
#[cfg(feature = "realtime")]
mod gateway_raw;
mod generated;
mod graph;
mod guards;
mod http_api;
mod http_client;
mod listeners;
mod log_level;
mod methods;
mod operation_ids;
mod other_crates;
mod otlp;
mod problem_derive;
mod rate_limit;
mod recorder;
mod redis;
mod response_cache;
mod security_headers;
mod server;
mod tasks;
mod testing_kit;
mod ui;
mod untaken;
