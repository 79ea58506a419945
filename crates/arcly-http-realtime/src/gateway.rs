//! What a gateway is, once it is mounted.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::contract::Operation;
use arcly_http_core::di::{ControllerMeta, Dep, DepKind, DepSpec, Key, Token};
use arcly_http_web::app::WsTuning;
use arcly_http_web::argument::{BindError, Binder};
use arcly_http_web::pipeline::message::Event;
use arcly_http_web::{Controller, Emitted, Endpoint};
use schemars::JsonSchema;
use serde::Serialize;

use crate::boundary::ws_route;
use crate::client::WsClient;
use crate::metrics::GatewayMetrics;
use crate::registry::ConnectionRegistry;

/// A provider whose methods answer what sockets send. Written by `#[gateway]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gateway",
    label = "put `#[gateway(\"/path\")]` on its impl block"
)]
pub trait Gateway: Controller {
    /// How its messages look.
    const CODEC: Codec;
    /// Its metadata: a gateway is a controller of one route, its handshake.
    const GATEWAY: &'static ControllerMeta = Self::CONTROLLER;
}

/// How the messages of a gateway look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// Envelopes: text messages of JSON with `event`, `data` and `id`.
    Json,
    /// Text and binary messages as they are, for one handler.
    Raw,
}

/// Something that a server tells its clients. `#[derive(ServerEvent)]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to sockets",
    label = "add `#[derive(ServerEvent, Serialize, JsonSchema)]`",
    note = "its name is `#[server_event(\"article.published\")]`"
)]
pub trait ServerEvent: Serialize + JsonSchema {
    /// As clients know it.
    const NAME: &'static str;
}

/// An event that the gateway `G` says it sends: `#[gateway(.., emits(TheEvent))]`.
#[diagnostic::on_unimplemented(
    message = "the gateway `{G}` does not declare that it sends `{Self}`",
    label = "not among its events",
    note = "add `{Self}` to `emits(..)` of its `#[gateway(..)]`; it derives `ServerEvent`, `Serialize` and `JsonSchema`"
)]
pub trait SentBy<G: Gateway>: ServerEvent {}

/// What a gateway does when a socket is gone.
pub type OnDisconnect =
    Arc<dyn Fn(WsClient) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A gateway with everything bound: an immutable table of what its sockets may send.
pub struct GatewayRuntime {
    pub(crate) key: Key,
    /// Of its handshake, as declared.
    pub(crate) path: &'static str,
    pub(crate) codec: Codec,
    pub(crate) events: HashMap<&'static str, Arc<Event>>,
    /// The one event of a gateway without envelopes.
    pub(crate) raw: Option<Arc<Event>>,
    pub(crate) unordered: &'static [&'static str],
    pub(crate) emits: &'static [&'static str],
    pub(crate) on_connect: Box<dyn Endpoint>,
    pub(crate) on_disconnect: Option<OnDisconnect>,
    pub(crate) metrics: GatewayMetrics,
}

impl fmt::Debug for GatewayRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayRuntime({}, {} events)", self.path, self.events.len())
    }
}

/// What `#[gateway]` says of a gateway.
pub struct GatewaySpec {
    /// The provider.
    pub key: Key,
    /// How its messages look.
    pub codec: Codec,
    /// Events whose handlers may run beside each other.
    pub unordered: &'static [&'static str],
    /// Names of what it sends.
    pub emits: &'static [&'static str],
    /// What it changes of the application's limits.
    pub tuning: fn(WsTuning) -> WsTuning,
    /// Runs when a socket is gone.
    pub on_disconnect: Option<OnDisconnect>,
}

impl fmt::Debug for GatewaySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewaySpec({})", self.key)
    }
}

/// What every gateway needs of the graph.
pub const GATEWAY_NEEDS: &[Dep] = &[Dep {
    field: "registry",
    spec: DepSpec { key: ConnectionRegistry::KEY, kind: DepKind::Shared, many: false },
    line: 0,
}];

/// Stops the compilation when two events of a gateway have one name.
///
/// # Panics
/// In constant evaluation, which makes it a compile error.
pub const fn expect_distinct(names: &[&str]) {
    let mut one = 0;
    while one < names.len() {
        let mut other = one + 1;
        while other < names.len() {
            assert!(
                !is_same(names[one].as_bytes(), names[other].as_bytes()),
                "two types in `emits(..)` have one name: change one `#[server_event(\"..\")]`, or send one type for both"
            );
            other += 1;
        }
        one += 1;
    }
}

const fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    while let ([a, rest @ ..], [b, more @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (rest, more);
    }
    true
}

/// An event that a gateway sends, as its document shows it.
#[must_use]
pub fn emitted<E: ServerEvent>() -> Emitted {
    Emitted { name: E::NAME, describe: |operation| operation.reply::<E>(200, "application/json") }
}

/// Says in the document what the handshake of a gateway answers with.
pub fn describe_handshake(operation: &mut Operation) {
    operation.reply_empty(101);
    for name in ["connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions"] {
        operation.reply_header::<String>(101, name, "Of the handshake (RFC 6455, section 4.2.2).");
    }
    crate::boundary::describe(operation);
    for name in ["upgrade", "sec-websocket-version"] {
        operation.reply_header::<String>(426, name, "What would do (RFC 6455, section 4.2.2).");
    }
}

/// The endpoint of a gateway's handshake: what `#[gateway]` mounts around `on_connect`.
///
/// # Errors
/// When the graph has no `RealtimeModule`, or the limits are none.
pub fn gateway_endpoint(
    binder: &Binder<'_>,
    spec: GatewaySpec,
    on_connect: Box<dyn Endpoint>,
) -> Result<Box<dyn Endpoint>, BindError> {
    let registry: Arc<ConnectionRegistry> = binder.provider(&ConnectionRegistry::KEY)?;
    let tuning = (spec.tuning)(binder.config().ws.clone());
    let refused = |reason: String| BindError::Name { name: "tuning", reason };
    if let Some(fault) = fault_of(&tuning) {
        return Err(refused(fault.to_owned()));
    }
    let path = binder.route().path;
    let runtime = Arc::new(GatewayRuntime {
        key: spec.key,
        path,
        codec: spec.codec,
        events: binder.events().iter().map(|event| (event.name(), Arc::clone(event))).collect(),
        raw: binder.events().iter().find(|event| event.name().is_empty()).cloned(),
        unordered: spec.unordered,
        emits: spec.emits,
        on_connect,
        on_disconnect: spec.on_disconnect,
        metrics: registry.metrics().gateway(path),
    });
    let begun = registry.begin(sweep_period(&tuning));
    begun.map_err(|error| refused(error.to_string()))?;
    Ok(ws_route(runtime, ConnectionRegistry::clone(&registry), binder.container(), tuning))
}

fn fault_of(tuning: &WsTuning) -> Option<&'static str> {
    if tuning.outbound_buffer == 0 || tuning.outbound_bytes == 0 {
        return Some("`outbound_buffer` and `outbound_bytes` must be 1 at least");
    }
    if tuning.inbound_buffer == 0 || tuning.concurrency == 0 {
        return Some("`inbound_buffer` and `concurrency` must be 1 at least");
    }
    if tuning.message_max == 0 || tuning.frame_max == 0 {
        return Some("`message_max` and `frame_max` must be 1 at least");
    }
    if tuning.write_timeout.is_zero() || tuning.close_timeout.is_zero() {
        return Some("`write_timeout` and `close_timeout` must be longer than nothing");
    }
    let answers = tuning.ping_interval;
    if !tuning.idle_timeout.is_zero() && !answers.is_zero() && answers >= tuning.idle_timeout {
        return Some(
            "`ping_interval` must be shorter than `idle_timeout`, or every quiet client is ended",
        );
    }
    None
}

impl GatewayRuntime {
    /// Its path, as declared.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.path
    }
}

/// How often sockets have to be looked at.
fn sweep_period(tuning: &WsTuning) -> Duration {
    let times = [tuning.ping_interval, tuning.idle_timeout / 4, tuning.write_timeout / 4];
    let shortest = times.into_iter().filter(|time| !time.is_zero()).min();
    shortest.unwrap_or_default().clamp(Duration::from_millis(10), Duration::from_secs(1))
}
