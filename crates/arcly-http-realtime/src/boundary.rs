//! The one place where sockets are upgraded and pumped.
//!
//! ```text
//! handshake ── admit ── on_connect ── 101 ─┬─ pump: read ▸ handlers ▸ write ─┬─ goodbye ── on_disconnect ── unregister ── permit
//!    │           │           │             │                                 │
//!    400, 426    503, 429    its refusal   the upgrade fails                  client, verdict, violation, loss, panic
//! ```
//!
//! A socket has one task. It owns the reader, the handlers' futures and what could not be
//! written at once, so that whatever ends it ends all of them. Others write to the socket
//! directly (`line`), and end it by a verdict, which the task looks at first.
//!
//! **Before the upgrade** the handshake has run through the pipeline of its route, so
//! provenance is what it is for a request; here it takes a permit, which cannot be had twice
//! and is given back when it is dropped. `on_connect` runs before the 101 is sent, so that
//! it may refuse by a status, and before anything is read.
//!
//! **While it is open** nothing of one client can hold up another: reading stops while its
//! handlers are behind, writing to it is cut off when it takes nothing, handlers have a
//! deadline, and a handler that waits does not keep pings from being answered.
//!
//! **At its end**, whatever that is, `on_disconnect` runs once if `on_connect` let the socket
//! in; then its row, its seats in rooms and its permit are gone.

mod session;

use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::access::Authenticator;
use arcly_http_core::contract::Operation;
use arcly_http_core::di::FrozenDiContainer;
use arcly_http_core::problem::{Problem, ProblemKind, kinds};
use arcly_http_core::scope::Claims;
use arcly_http_web::app::WsTuning;
use arcly_http_web::pipeline::message::Channel;
use arcly_http_web::serve::Upgrade;
use arcly_http_web::{Body, Called, Context, Endpoint, Response};
use futures_util::FutureExt as _;
use http::HeaderValue;
use http::header::RETRY_AFTER;
use tracing::instrument::WithSubscriber as _;

use crate::client::{Client, Way, WsClient};
use crate::gateway::GatewayRuntime;
use crate::hub::{EVERYBODY, PRINCIPAL};
use crate::line::Bounds;
use crate::protocol::handshake::{self, HandshakeFault};
use crate::protocol::{Decoder, Limits};
use crate::registry::{ConnectionRegistry, Full, Permit, RoomKey, Whose};
use session::Session;

/// A handshake over HTTP that is none: 426, with what would do in `upgrade`.
pub static UPGRADE_REQUIRED: ProblemKind = ProblemKind {
    status: 426,
    type_uri: "urn:arcly:problem:upgrade-required",
    code: "upgrade_required",
    title: "Upgrade required",
    members: &[],
};

/// How long `on_disconnect` may take.
const GOODBYE_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to receive the answer to its handshake.
const UPGRADE_MAX: Duration = Duration::from_secs(10);

/// The upgrade route of one gateway: what is mounted for its handshake.
///
/// Admission is decided before the upgrade: with `tuning.max_connections` sockets open the
/// answer is 503 with `retry-after: 5`, and nothing of the socket exists.
#[must_use]
pub fn ws_route(
    runtime: Arc<GatewayRuntime>,
    registry: ConnectionRegistry,
    container: &FrozenDiContainer,
    tuning: WsTuning,
) -> Box<dyn Endpoint> {
    let authenticator = container.get::<dyn Authenticator>().map(|found| found.into_arc());
    let served = Arc::new(Served { runtime, registry, authenticator, tuning });
    served.registry.mount(&served);
    Box::new(Route(served))
}

/// A gateway as it is served.
pub(crate) struct Served {
    pub(crate) runtime: Arc<GatewayRuntime>,
    pub(crate) registry: ConnectionRegistry,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) tuning: WsTuning,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runtime.fmt(f)
    }
}

impl Served {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { frames: self.tuning.outbound_buffer, bytes: self.tuning.outbound_bytes }
    }
}

struct Route(Arc<Served>);

impl Endpoint for Route {
    fn call<'a>(&'a self, context: &'a mut Context) -> Called<'a> {
        Called::later(open(&self.0, context))
    }
}

/// What the document says of refused handshakes.
pub(crate) fn describe(operation: &mut Operation) {
    operation.problems(&[
        &kinds::BAD_REQUEST,
        &kinds::TOO_MANY_REQUESTS,
        &kinds::UNAVAILABLE,
        &UPGRADE_REQUIRED,
    ]);
}

/// Answers a handshake.
async fn open(served: &Arc<Served>, context: &mut Context) -> Result<Response, Problem> {
    let head = &context.head;
    let handshake = handshake::check(head.method(), head.version(), head.headers());
    let handshake = handshake.map_err(malformed)?;
    let deflate = handshake.deflate().filter(|_| served.tuning.deflate);
    let accepted = handshake.response(None, deflate);
    let claims = head.claims().cloned();
    let permit = admit(served, head.client(), claims.as_deref())
        .inspect_err(|_| served.runtime.metrics.refused.increment())?;
    let upgrade = context.take_upgrade().ok_or_else(|| {
        Problem::internal("the connection of a handshake cannot be taken over: a layer kept it")
    })?;

    let head = &context.head;
    let client = Client::new(served, claims, head.client(), Way::Socket(deflate));
    let row = Row::register(Arc::clone(&client));
    context.set_socket(Arc::clone(&client) as _);
    let answer = served.runtime.on_connect.call(context).await?;
    if !answer.status().is_success() {
        return Ok(answer);
    }
    take_seats(&client)?;
    let channel = Channel::of(context);
    let life = live(row, permit, upgrade, channel).with_current_subscriber();
    served.registry.sockets().spawn(life);
    Ok(accepted.map(|()| Body::empty()))
}

fn malformed(fault: HandshakeFault) -> Problem {
    let kind = if fault.status().as_u16() == 426 { &UPGRADE_REQUIRED } else { &kinds::BAD_REQUEST };
    let problem = Problem::of(kind).with_detail(format!("this opens a WebSocket: {fault}"));
    let headers = fault.headers().iter();
    headers.fold(problem, |problem, (name, value)| problem.with_header(name.clone(), value.clone()))
}

/// Takes a place for the socket: in all, then for its address, principal and tenant.
pub(crate) fn admit(
    served: &Served,
    address: Option<IpAddr>,
    claims: Option<&Claims>,
) -> Result<Permit, Problem> {
    let (tuning, registry) = (&served.tuning, &served.registry);
    let take = || {
        let mut permit = registry.admit(tuning.max_connections)?;
        if let Some(address) = address {
            permit.also(Whose::Address(address), tuning.address_connections)?;
        }
        if let Some(claims) = claims {
            let tenant = claims.tenant().unwrap_or_default();
            let principal = format!("{tenant}\0{}", claims.subject());
            permit.also(Whose::Principal(principal.into()), tuning.principal_connections)?;
            if let Some(tenant) = claims.tenant() {
                permit.also(Whose::Tenant(tenant.into()), tuning.tenant_connections)?;
            }
        }
        Ok(permit)
    };
    let again = |problem: Problem| problem.with_header(RETRY_AFTER, HeaderValue::from_static("5"));
    take().map_err(|full| match full {
        Full::All => again(
            Problem::of(&kinds::UNAVAILABLE).with_detail("there are too many sockets; come again"),
        ),
        Full::Own(whose) => again(
            Problem::of(&kinds::TOO_MANY_REQUESTS)
                .with_detail(format!("this {whose} has too many sockets open")),
        ),
    })
}

/// The rooms that the hub keeps: everybody of the gateway, and the principal's own.
pub(crate) fn take_seats(client: &Arc<Client>) -> Result<(), Problem> {
    let (gateway, tenant) = (client.served.runtime.key, client.tenant());
    client.sit(&RoomKey::new(gateway, tenant.cloned(), EVERYBODY, ""), usize::MAX)?;
    if let Some(claims) = client.claims() {
        let room = RoomKey::new(gateway, tenant.cloned(), PRINCIPAL, claims.subject());
        client.sit(&room, usize::MAX)?;
    }
    Ok(())
}

/// The row of a socket in the registry, which is gone when this is dropped: after a refusal,
/// when the handshake is given up, when the task ends in whatever way.
pub(crate) struct Row(Arc<Client>);

impl Row {
    pub(crate) fn register(client: Arc<Client>) -> Self {
        client.served.registry.register(&client);
        Self(client)
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.0.served.registry.unregister(&self.0);
    }
}

/// The life of a socket that `on_connect` let in.
async fn live(row: Row, permit: Permit, upgrade: Upgrade, channel: Channel) {
    let client = Arc::clone(&row.0);
    let pumped = AssertUnwindSafe(pump(&client, upgrade, channel)).catch_unwind().await;
    if pumped.is_err() {
        tracing::error!(socket = client.id, "a socket's task panicked");
    }
    // Nobody may send to it any more, nor may it sit down anywhere.
    client.line.shut();
    Box::pin(leave(&client)).await;
    drop(row);
    drop(permit);
}

/// Runs `on_disconnect`, which can neither take the task down nor hold it up.
async fn leave(client: &Arc<Client>) {
    let Some(hook) = &client.served.runtime.on_disconnect else { return };
    let work = AssertUnwindSafe(async { hook(WsClient(Arc::clone(client))).await }).catch_unwind();
    match client.served.registry.clock().timeout(GOODBYE_MAX, work).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => tracing::error!(socket = client.id, "`on_disconnect` panicked"),
        Err(_) => tracing::error!(socket = client.id, "`on_disconnect` took too long"),
    }
}

/// Waits for the connection, then reads, handles and writes until the socket is over, and
/// says goodbye.
async fn pump(client: &Arc<Client>, upgrade: Upgrade, channel: Channel) {
    let clock = client.served.registry.clock();
    // What runs at the beginning and at the end alone is boxed, so that no socket has room
    // for it in between.
    let upgraded = Box::pin(clock.timeout(UPGRADE_MAX, upgrade.connection()));
    let (socket, early) = match upgraded.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::debug!(socket = client.id, %error, "the upgrade failed");
            return;
        }
        Err(_) => {
            tracing::debug!(socket = client.id, "the client did not take the upgrade in time");
            return;
        }
    };
    client.line.open(socket);
    client.note_seen();
    let tuning = &client.served.tuning;
    let limits = Limits { frame_max: tuning.frame_max, message_max: tuning.message_max };
    let Way::Socket(deflate) = client.way else { return };
    let decoder = Decoder::new(limits, deflate);
    let mut session = Session::new(Arc::clone(client), channel, decoder, early);
    let ended = std::future::poll_fn(|cx| session.poll(cx)).await;
    tracing::debug!(socket = client.id, %ended, "a socket ended");
    Box::pin(session.goodbye(ended)).await;
}
