//! WebSockets: gateways, rooms, and a hub that everybody can push through.
//!
//! A gateway is declared by [`macro@crate::gateway`], which shows one whole. The module that
//! gives it the graph's part is [`struct@RealtimeModule`]:
//!
//! ```
//! # use arcly_http::prelude::*;
//! use arcly_http::realtime::RealtimeModule;
//!
//! #[module(root, imports(RealtimeModule))]
//! struct AppModule;
//! ```
//!
//! | limit | default | beyond it |
//! |---|---|---|
//! | sockets in all | 10,000 | 503, `retry-after: 5` |
//! | of a principal, of an address | 64, 1,024 | 429 |
//! | frames, bytes that wait for a client | 256, 1 MiB | closed with 4408 |
//! | a client that takes nothing | 10 s | closed with 4408 |
//! | nothing heard of a client | 60 s, pinged every 20 s | closed with 1001 |
//! | frame, message | 256 KiB each | closed with 1009 |
//! | messages | 100 a second, 200 at once | read more slowly |
//! | messages that wait for handlers | 16 | not read until there is room |
//! | nesting of JSON | 32 | counted as malformed |
//! | rooms of a socket | 256 | 422 |
//! | a handler | the deadline of requests, 30 s | dropped; 504 as problem |
//! | credentials | until they expire | closed with 4401; `session.renew` with a new token of the same caller keeps it open |
//!
//! Several nodes are one hub when the graph has a [`Bus`] (features `nats`, `redis`):
//!
//! ```
//! # #[cfg(feature = "nats")] mod clustered {
//! # use std::sync::Arc;
//! # use arcly_http::prelude::*;
//! use arcly_http::realtime::{Bus, NatsBus};
//!
//! #[provider]
//! fn bus() -> Arc<dyn Bus> {
//!     Arc::new(NatsBus::new("nats://127.0.0.1:4222", "my-shop"))
//! }
//!
//! #[module(global, providers(bus), exports(dyn Bus))]
//! struct BusModule;
//! # #[module(root, imports(BusModule))] struct AppModule;
//! # }
//! ```
//!
//! What is published reaches the sockets of all nodes, once. While the bus is away, those of
//! the own node go on; up to 4,096 publishes wait for it. What a node missed all the same it
//! tells its sockets by the event `session.gap`, whose data is `{"missed": 3}`.
//!
//! [`WsTuning`] changes them: for all gateways by `app.configure(|launch| launch.ws = ..)`,
//! for one by `#[gateway(.., tuning = function)]`.

use std::sync::Arc;

use arcly_http_core::di::Inject;
use arcly_http_core::observe::Metrics;
use arcly_http_core::task::Tasks;
use arcly_http_core::time::Clock;
use arcly_http_macros::{module, provider};
pub use arcly_http_realtime::*;

#[provider]
fn connections(
    tasks: Inject<Tasks>,
    metrics: Inject<Metrics>,
    clock: Option<Inject<dyn Clock>>,
    bus: Option<Inject<dyn Bus>>,
) -> ConnectionRegistry {
    let clock: Option<Arc<dyn Clock>> = clock.map(Inject::into_arc);
    ConnectionRegistry::new(&tasks, &metrics, clock, bus.map(Inject::into_arc))
}

#[provider]
fn hub(registry: Inject<ConnectionRegistry>) -> Hub {
    Hub::new(&registry)
}

/// The sockets of an application, and the [`Hub`] that pushes to them. Import it once, in the
/// root module; every module then injects `Inject<Hub>`.
#[module(global, providers(connections, hub), exports(connections, hub))]
pub struct RealtimeModule;
