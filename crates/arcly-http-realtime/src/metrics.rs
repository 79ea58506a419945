//! What is counted of sockets.

use arcly_http_core::observe::{Counter, Counters, Gauge, Histogram, Metrics};

use crate::line::Cause;

/// The counters of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct GatewayMetrics {
    pub(crate) refused: Counter,
    pub(crate) messages_in: Counter,
    pub(crate) handler_errors: Counter,
    pub(crate) malformed: Counter,
    pub(crate) unknown: Counter,
}

/// The metrics of all sockets of an application.
pub(crate) struct SocketMetrics {
    refused: Counters,
    messages_in: Counters,
    handler_errors: Counters,
    malformed: Counters,
    unknown: Counters,
    ended: Counters,
    pub(crate) connections: Gauge,
    pub(crate) messages_out: Counter,
    pub(crate) idle_reaped: Counter,
    pub(crate) queued: Gauge,
    pub(crate) publishes_dropped: Counter,
    pub(crate) bus_connected: Gauge,
    pub(crate) bus_lost: Counter,
    pub(crate) bus_malformed: Counter,
    pub(crate) bus_missed: Counter,
    pub(crate) broadcast: Histogram,
}

const BROADCAST_BOUNDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

impl SocketMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let by_gateway = |name, help| metrics.counters(name, help, &["gateway"]);
        Self {
            refused: by_gateway(
                "ws_upgrades_refused",
                "Handshakes that were refused because there was no place for a socket",
            ),
            messages_in: by_gateway("ws_messages_in", "Messages that clients sent"),
            handler_errors: by_gateway(
                "ws_handler_errors",
                "Messages that were answered with a problem",
            ),
            malformed: by_gateway("ws_malformed", "Messages that are no envelope of the gateway"),
            unknown: by_gateway("ws_unknown_events", "Messages of events that are not declared"),
            ended: metrics.counters("ws_closed", "Sockets that the server ended", &["cause"]),
            connections: metrics.gauge("ws_connections", "Sockets that are open"),
            messages_out: metrics.counter("ws_messages_out", "Messages on their way to sockets"),
            idle_reaped: metrics.counter(
                "ws_idle_reaped",
                "Sockets that were ended because nothing was heard of the client",
            ),
            queued: metrics.gauge("ws_queued_frames", "Frames that wait for slow clients"),
            publishes_dropped: metrics.counter(
                "ws_publishes_dropped",
                "Publishes that were lost because sockets were behind by too many",
            ),
            bus_connected: metrics
                .gauge("ws_bus_connected", "Whether the bus to other nodes is reached"),
            bus_lost: metrics.counter("ws_bus_lost", "Times that the bus was lost"),
            bus_malformed: metrics
                .counter("ws_bus_malformed", "Messages on the bus that no node of ours has said"),
            bus_missed: metrics
                .counter("ws_bus_missed", "Messages of other nodes that were lost on the way"),
            broadcast: metrics.histogram(
                "ws_broadcast_seconds",
                "From a publish to the last socket of its room",
                &BROADCAST_BOUNDS,
            ),
        }
    }

    pub(crate) fn gateway(&self, name: &str) -> GatewayMetrics {
        GatewayMetrics {
            refused: self.refused.with(&[name]),
            messages_in: self.messages_in.with(&[name]),
            handler_errors: self.handler_errors.with(&[name]),
            malformed: self.malformed.with(&[name]),
            unknown: self.unknown.with(&[name]),
        }
    }

    pub(crate) fn ended(&self, cause: Cause) {
        let cause = match cause {
            Cause::Closed => "application",
            Cause::Slow => "slow",
            Cause::Idle => "idle",
            Cause::Violation => "violation",
            Cause::Revoked => "revoked",
            Cause::GoingAway => "going_away",
            Cause::Cut => "cut",
        };
        self.ended.with(&[cause]).increment();
    }

    pub(crate) fn open(&self, by: i64) {
        self.connections.add(by);
    }

    pub(crate) fn delivered(&self, count: u64) {
        self.messages_out.add(count);
    }
}
