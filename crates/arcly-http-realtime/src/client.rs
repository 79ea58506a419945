//! One socket, as handlers see it.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arcly_http_core::contract::Operation;
use arcly_http_core::di::{Key, Provide as _};
use arcly_http_core::problem::Problem;
use arcly_http_core::scope::Claims;
use arcly_http_web::Context;
use arcly_http_web::argument::{Argument, BindError, Binder};
use bytes::Bytes;

use crate::boundary::Served;
use crate::gateway::{Codec, ServerEvent};
use crate::line::{Cause, Line, Verdict};
use crate::message::{self, WsMessage};
use crate::protocol::{CloseCode, Deflate};
use crate::registry::{Addressee, Publish, RoomKey, Seat, What, lock};
use crate::room::Room;

/// The close code of a socket whose credentials have expired: 4401.
pub const CREDENTIALS_EXPIRED: CloseCode = code(4401);
/// The close code of a client that does not take what it is sent: 4408.
pub const TOO_SLOW: CloseCode = code(4408);

const fn code(code: u16) -> CloseCode {
    match CloseCode::new(code) {
        Some(code) => code,
        None => CloseCode::POLICY_VIOLATION,
    }
}

/// How a client is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Frames, compressed as the handshake agreed.
    Socket(Option<Deflate>),
    /// Server-sent events.
    Events,
}

pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) shard: usize,
    /// Where it stands among the clients of its shard.
    pub(crate) place: AtomicU32,
    pub(crate) served: Arc<Served>,
    pub(crate) line: Line,
    claims: Mutex<Option<Arc<Claims>>>,
    tenant: Option<Arc<str>>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) way: Way,
    /// The sweep at which something was last heard of it.
    seen: AtomicU64,
    /// When its credentials run out, in seconds since 1970; 0: never.
    expiry: AtomicI64,
    seats: Mutex<Option<Vec<Seat>>>,
    /// The last publish to several rooms that met it.
    mark: AtomicU64,
}

impl Client {
    pub(crate) fn new(
        served: &Arc<Served>,
        claims: Option<Arc<Claims>>,
        address: Option<IpAddr>,
        way: Way,
    ) -> Arc<Self> {
        let (id, shard) = served.registry.next();
        let tenant = claims.as_ref().and_then(|claims| claims.tenant()).map(Arc::from);
        let expiry = claims.as_ref().map_or(0, |claims| claims.exp);
        Arc::new(Self {
            id,
            shard,
            place: AtomicU32::new(u32::MAX),
            line: Line::new(served.bounds(), way == Way::Events),
            served: Arc::clone(served),
            claims: Mutex::new(claims),
            tenant,
            address,
            way,
            seen: AtomicU64::new(served.registry.tick()),
            expiry: AtomicI64::new(expiry),
            seats: Mutex::new(Some(vec![])),
            mark: AtomicU64::new(0),
        })
    }

    /// Something was heard.
    pub(crate) fn note_seen(&self) {
        self.seen.store(self.served.registry.tick(), Ordering::Relaxed);
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    pub(crate) fn expiry(&self) -> Option<i64> {
        Some(self.expiry.load(Ordering::Relaxed)).filter(|expiry| *expiry > 0)
    }

    /// Whether a publish to several rooms meets it for the first time. Only the flusher of
    /// its shard asks, which gives each publish a number of its own.
    pub(crate) fn is_first(&self, mark: u64) -> bool {
        self.mark.swap(mark, Ordering::Relaxed) != mark
    }

    /// It does not take what it is sent.
    pub(crate) fn evict(&self) {
        let reason = "the client does not take what it is sent".into();
        self.line.end(Verdict { cause: Cause::Slow, code: TOO_SLOW, reason });
    }

    pub(crate) fn claims(&self) -> Option<Arc<Claims>> {
        lock(&self.claims).clone()
    }

    pub(crate) fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// The same caller has new credentials.
    pub(crate) fn renew(&self, claims: &Arc<Claims>) {
        *lock(&self.claims) = Some(Arc::clone(claims));
        self.expiry.store(claims.exp, Ordering::Relaxed);
    }

    /// Its seats in rooms; it can take no more.
    pub(crate) fn take_seats(&self) -> Vec<Seat> {
        lock(&self.seats).take().unwrap_or_default()
    }

    pub(crate) fn sit(self: &Arc<Self>, room: &RoomKey, max: usize) -> Result<bool, Problem> {
        let mut seats = lock(&self.seats);
        // It is gone already: nobody would take the seat away again.
        let Some(seats) = seats.as_mut() else { return Ok(false) };
        if seats.iter().any(|seat| seat.room == *room) {
            return Ok(false);
        }
        if seats.len() >= max {
            return Err(crate::room::too_many(max));
        }
        seats.push(self.served.registry.join(room, self));
        Ok(true)
    }

    fn rise(&self, room: &RoomKey) -> bool {
        let mut seats = lock(&self.seats);
        let Some(seats) = seats.as_mut() else { return false };
        let Some(at) = seats.iter().position(|seat| seat.room == *room) else { return false };
        let seat = seats.swap_remove(at);
        self.served.registry.leave(&seat, self);
        true
    }

    /// Does it behind what is on its way already.
    fn queue(self: &Arc<Self>, what: What) {
        let at = self.served.registry.clock().elapsed();
        let to = Addressee::One(Arc::clone(self));
        self.served.registry.publish(&Publish { to, what, except: None, at });
    }

    /// Sends frames behind what is on its way already.
    fn send(self: &Arc<Self>, frame: Bytes) {
        if self.served.registry.is_busy(self.shard) {
            self.queue(What::Frame(frame));
        } else {
            self.served.registry.deliver_own(self, frame);
            self.served.registry.metrics().delivered(1);
        }
    }
}

/// One socket: who it is, and a way to send to it, to put it into rooms and to end it.
///
/// An argument of every handler of a gateway: `client: &WsClient`. Clones are the same
/// socket; one that is kept longer than the socket lives sends to nobody.
#[derive(Clone)]
pub struct WsClient(pub(crate) Arc<Client>);

impl fmt::Debug for WsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WsClient({})", self.0.id)
    }
}

impl PartialEq for WsClient {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for WsClient {}

/// Most rooms of one socket.
const ROOMS_MAX: usize = 256;

impl WsClient {
    /// An id that no other socket of this process has had.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The verified claims of who opened it; `None` for an anonymous one.
    #[must_use]
    pub fn claims(&self) -> Option<Arc<Claims>> {
        self.0.claims()
    }

    /// The tenant that it belongs to, and will for as long as it lives.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// The client's address, as of requests.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// Sends an event to this socket alone. What a client does not take waits within the
    /// bounds of the gateway; beyond them the socket is ended, with code 4408.
    ///
    /// # Errors
    /// An internal problem: the event cannot be written as JSON, or the gateway does not
    /// declare it by `emits(..)`.
    pub fn emit<E: ServerEvent>(&self, event: &E) -> Result<(), Problem> {
        if !self.0.served.runtime.emits.contains(&E::NAME) {
            let name = E::NAME;
            return Err(Problem::internal(format!(
                "the gateway does not declare `{name}`: add its type to `emits(..)`"
            )));
        }
        self.0.send(message::event(E::NAME, event).map_err(Problem::internal)?);
        Ok(())
    }

    fn expect_gateway(&self, other: &Key) -> Result<(), Problem> {
        if self.0.served.runtime.key == *other {
            Ok(())
        } else {
            Err(Problem::internal("the socket belongs to another gateway"))
        }
    }

    /// Sends a message as it is; for raw gateways.
    ///
    /// # Errors
    /// An internal problem at a gateway with envelopes, whose clients expect those.
    pub fn send(&self, message: &WsMessage) -> Result<(), Problem> {
        if self.0.served.runtime.codec != Codec::Raw {
            return Err(Problem::internal("the gateway has envelopes; `emit` sends one"));
        }
        self.0.send(message.frame());
        Ok(())
    }

    /// Puts the socket into a room of its gateway and tenant, once the room's rule lets its
    /// caller in. Gives whether it was not in there before.
    ///
    /// # Errors
    /// 401 or 403, when the rule says no; 422, when it is in 256 rooms already.
    pub fn join<R: Room>(&self, room: &R) -> Result<bool, Problem> {
        self.expect_gateway(&R::Gateway::PROVIDER.key)?;
        R::ACCESS.decide(self.claims().as_deref())?;
        room.admits(self)?;
        self.0.sit(&self.key_of(room), ROOMS_MAX)
    }

    /// Takes it out of a room. Gives whether it was in there.
    pub fn leave<R: Room>(&self, room: &R) -> bool {
        self.0.rise(&self.key_of(room))
    }

    fn key_of<R: Room>(&self, room: &R) -> RoomKey {
        RoomKey::new(self.0.served.runtime.key, self.0.tenant.clone(), R::NAME, &room.key())
    }

    /// Ends the socket: what waits is sent, then a close frame with this code and reason (at
    /// most 123 bytes), whether the client answers or not.
    pub fn close(&self, code: CloseCode, reason: &str) {
        let verdict = Verdict { cause: Cause::Closed, code, reason: reason.into() };
        if self.0.served.registry.is_busy(self.0.shard) {
            self.0.queue(What::End(Arc::new(verdict)));
        } else {
            self.0.line.end(verdict);
        }
    }
}

impl Argument for WsClient {
    type Bound = ();
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, _operation: &mut Operation) {}

    fn bind(name: &'static str, binder: &Binder<'_>) -> Result<(), BindError> {
        if binder.is_of_gateway() {
            return Ok(());
        }
        let reason = "a request has no socket; `WsClient` is for handlers of gateways".to_owned();
        Err(BindError::Name { name, reason })
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        let client = context.socket::<Client>();
        client.map(Self).ok_or_else(|| Problem::internal("this work belongs to no socket"))
    }
}
