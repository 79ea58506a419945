//! Gateways of arcly-http: WebSockets behind the request pipeline.
//!
//! | file | what it is |
//! |---|---|
//! | [`boundary`] | where sockets are upgraded and pumped |
//! | [`protocol`] | RFC 6455 and RFC 7692, without I/O |
//! | `gateway` | the immutable table of what the sockets of a gateway may send |
//! | `client`, `line` | one socket: as handlers see it, and its way out |
//! | `registry` | all sockets: places, rooms, flushing, pings |
//! | `hub` | pushing to them from anywhere |
//! | `cluster` | one hub over many nodes |
//! | `sse` | the same for clients that only listen |
//!
//! The handshake of a gateway is a route of `arcly-http-web`, and its messages run through
//! the same stages (`arcly_http_web::pipeline::message`): so this crate, alone among the
//! features, stands on `web` as well as on `core`.

pub mod boundary;
mod client;
mod cluster;
mod gateway;
mod hub;
mod line;
mod message;
mod metrics;
pub mod protocol;
mod registry;
mod room;
mod sse;

pub use arcly_http_web::app::WsTuning;
pub use boundary::ws_route;
pub use client::{CREDENTIALS_EXPIRED, TOO_SLOW, WsClient};
#[cfg(feature = "nats")]
pub use cluster::NatsBus;
#[cfg(feature = "redis")]
pub use cluster::RedisBus;
pub use cluster::{Bus, BusConnection, BusError, BusFuture};
pub use gateway::{
    Codec, GATEWAY_NEEDS, Gateway, GatewayRuntime, GatewaySpec, OnDisconnect, SentBy, ServerEvent,
    describe_handshake, emitted, expect_distinct, gateway_endpoint,
};
pub use hub::{Hub, Tenanted, To};
pub use line::Cause;
pub use message::{WsMessage, WsText};
pub use protocol::CloseCode;
pub use registry::ConnectionRegistry;
pub use room::{AdmitsTo, Room};
pub use sse::{EventStream, LastEventId};

/// What `fuzz/` tries. Not part of the API.
#[doc(hidden)]
pub mod __fuzz {
    /// Event, data and id of an envelope, as they are written in it.
    #[must_use]
    pub fn envelope(text: &str, depth: usize) -> Option<(String, Option<String>, Option<String>)> {
        let read = crate::message::envelope(text, depth)?;
        let written = |part: &serde_json::value::RawValue| part.get().to_owned();
        Some((read.event.into_owned(), read.data.map(written), read.id.map(written)))
    }
}
