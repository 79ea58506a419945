//! Settings of sockets.

use std::time::Duration;

/// Limits of WebSockets. [`super::LaunchConfig::ws`] holds for all gateways of an
/// application; one that needs others says so by `#[gateway("/live", tuning = function)]`,
/// where the function is given these and gives its own.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WsTuning {
    /// Most frames that wait for a client which does not take them, at least 1; one more,
    /// and the client is evicted. This and `outbound_bytes` are what a slow client may cost
    /// in memory. Default 256.
    pub outbound_buffer: usize,
    /// Most bytes of those. A single larger frame may wait by itself. Default 1 MiB.
    pub outbound_bytes: usize,
    /// Most messages of one client that wait for its handlers; while there are as many,
    /// nothing more is read from it. Default 16.
    pub inbound_buffer: usize,
    /// Most handlers of one client that run at a time, for events that are marked
    /// `unordered`; others run one after the other. Default 8.
    pub concurrency: usize,
    /// Most sockets at a time, over all gateways; one more is answered 503 with
    /// `retry-after: 5`. 0: no limit. Default 10,000.
    pub max_connections: usize,
    /// Most sockets of one principal; one more is answered 429. 0: no limit. Default 64.
    pub principal_connections: usize,
    /// Most sockets of one client address. Behind a proxy all come from its address. 0: no
    /// limit. Default 1,024.
    pub address_connections: usize,
    /// Most sockets of one tenant. 0: no limit. Default 0.
    pub tenant_connections: usize,
    /// How often a client is pinged; missed pings are left out. Zero: never. Default 20 s.
    pub ping_interval: Duration,
    /// How long nothing may be heard of a client, pongs included, before it counts as dead.
    /// Zero: for ever. Default 60 s.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what waits for it before it is evicted. Default
    /// 10 s.
    pub write_timeout: Duration,
    /// How long a close waits for the client's answer. Default 1 s.
    pub close_timeout: Duration,
    /// Most bytes of a frame. Default 256 KiB.
    pub frame_max: usize,
    /// Most bytes of a message, of all its frames together and inflated. Default 256 KiB.
    pub message_max: usize,
    /// How many messages a client may send a second on average; one that sends more is read
    /// more slowly. 0: no limit. Default 100.
    pub messages_per_second: u32,
    /// How many it may send at once after a quiet time. Default 200.
    pub messages_burst: u32,
    /// How deep JSON may be nested. Default 32.
    pub json_depth: usize,
    /// Whether messages are compressed (RFC 7692) for clients that offer it. No client costs
    /// memory for it, as each message is compressed by itself. A page of an attacker that
    /// has its own text sent beside a secret could guess the secret by lengths: do not mix
    /// them. Default: no.
    pub deflate: bool,
}

impl Default for WsTuning {
    fn default() -> Self {
        Self {
            outbound_buffer: 256,
            outbound_bytes: 1 << 20,
            inbound_buffer: 16,
            concurrency: 8,
            max_connections: 10_000,
            principal_connections: 64,
            address_connections: 1_024,
            tenant_connections: 0,
            ping_interval: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(1),
            frame_max: 256 << 10,
            message_max: 256 << 10,
            messages_per_second: 100,
            messages_burst: 200,
            json_depth: 32,
            deflate: false,
        }
    }
}
