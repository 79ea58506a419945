//! Pushing to sockets, from anywhere in the application.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arcly_http_core::di::{Key, Token};
use arcly_http_core::problem::Problem;
use arcly_http_core::scope::current;

use crate::client::WsClient;
use crate::gateway::{Codec, Gateway, SentBy};
use crate::line::{Cause, Verdict};
use crate::message::{self, WsMessage};
use crate::protocol::CloseCode;
use crate::registry::{Addressee, ConnectionRegistry, Publish, RoomKey, What};
use crate::room::Room;

/// The kinds of rooms that the hub keeps itself; no room of an application has such a name.
pub(crate) const EVERYBODY: &str = "";
pub(crate) const PRINCIPAL: &str = "\0principal";

/// Sends events to sockets, wherever they are.
///
/// A provider of `RealtimeModule`: `hub: Inject<Hub>` in a controller, a job, another
/// gateway. What it sends reaches the sockets of one gateway and of one tenant: that of the
/// work that runs ([`Hub::in_tenant`] for work without a caller).
///
/// An event is encoded once, however many sockets it goes to. Sending never waits: a client
/// that does not keep up is ended, not waited for.
#[derive(Clone)]
pub struct Hub {
    registry: ConnectionRegistry,
}

impl Token for Hub {
    const KEY: Key = Key::of("arcly_http::realtime::Hub", 0, 0);
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub(..)")
    }
}

impl Hub {
    /// A hub over the sockets of a registry.
    #[must_use]
    pub fn new(registry: &ConnectionRegistry) -> Self {
        Self { registry: registry.clone() }
    }

    pub(crate) fn registry(&self) -> &ConnectionRegistry {
        &self.registry
    }

    /// The sockets of the tenant of the work that runs; those of nobody's tenant, where it
    /// has none.
    fn own(&self) -> Tenanted<'_> {
        let tenant = current::with(|work| {
            work.and_then(|work| work.principal.as_ref()?.tenant().map(Arc::from))
        });
        Tenanted { hub: self, tenant }
    }

    /// The sockets of a tenant, for work that belongs to none or to another.
    #[must_use]
    pub fn in_tenant(&self, tenant: &str) -> Tenanted<'_> {
        Tenanted { hub: self, tenant: Some(tenant.into()) }
    }

    /// Those who are in a room.
    pub fn to<R: Room>(&self, room: &R) -> To<'_, R::Gateway> {
        self.own().to(room)
    }

    /// Every socket of a gateway.
    pub fn all<G: Gateway>(&self) -> To<'_, G> {
        self.own().all()
    }

    /// The sockets that a principal has at a gateway.
    pub fn principal<G: Gateway>(&self, subject: &str) -> To<'_, G> {
        self.own().principal(subject)
    }
}

/// A hub for the sockets of one tenant; see [`Hub::in_tenant`].
#[derive(Debug)]
pub struct Tenanted<'h> {
    hub: &'h Hub,
    tenant: Option<Arc<str>>,
}

impl<'h> Tenanted<'h> {
    /// Those who are in a room.
    pub fn to<R: Room>(self, room: &R) -> To<'h, R::Gateway> {
        self.room(R::NAME, &room.key())
    }

    /// Every socket of a gateway.
    pub fn all<G: Gateway>(self) -> To<'h, G> {
        self.room(EVERYBODY, "")
    }

    /// The sockets that a principal has at a gateway.
    pub fn principal<G: Gateway>(self, subject: &str) -> To<'h, G> {
        self.room(PRINCIPAL, subject)
    }

    fn room<G: Gateway>(self, kind: &'static str, name: &str) -> To<'h, G> {
        let room = RoomKey::new(G::PROVIDER.key, self.tenant, kind, name);
        To { hub: self.hub, room, others: vec![], except: vec![], gateway: PhantomData }
    }
}

/// Who gets an event.
#[must_use = "nothing is sent before `emit`"]
pub struct To<'h, G> {
    hub: &'h Hub,
    room: RoomKey,
    others: Vec<RoomKey>,
    except: Vec<u64>,
    gateway: PhantomData<fn() -> G>,
}

impl<G> fmt::Debug for To<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "To({:?} and {} more)", self.room, self.others.len())
    }
}

impl<G: Gateway> To<'_, G> {
    /// And those who are in another room of the gateway. Who is in several of the rooms
    /// gets the event once.
    pub fn or<R: Room<Gateway = G>>(mut self, room: &R) -> Self {
        let other = self.room.beside(R::NAME, &room.key());
        // A room that is named twice is walked once.
        if other != self.room && !self.others.contains(&other) {
            self.others.push(other);
        }
        self
    }

    /// Leaves one socket out: mostly the one that caused it.
    pub fn except(mut self, client: &WsClient) -> Self {
        self.except.push(client.id());
        self
    }

    /// How many sockets there are on this node.
    #[must_use = "it only counts"]
    pub fn count(&self) -> usize {
        if self.others.is_empty() {
            return self.hub.registry.members(std::slice::from_ref(&self.room));
        }
        self.hub.registry.members(&self.rooms())
    }

    fn rooms(&self) -> Arc<[RoomKey]> {
        std::iter::once(&self.room).chain(&self.others).cloned().collect()
    }

    /// Ends the sockets: a caller's credentials were revoked, a tenant was suspended. Each is
    /// sent what was sent to it before, then a close frame with this code and reason.
    ///
    /// # Errors
    /// An internal problem, when sockets are behind by 65,536 publishes.
    pub fn close(self, code: CloseCode, reason: &str) -> Result<(), Problem> {
        let verdict = Verdict { cause: Cause::Revoked, code, reason: reason.into() };
        self.publish(What::End(Arc::new(verdict)))
    }

    /// Sends an event. What one publisher sends arrives at a socket in the order in which it
    /// was sent, whichever rooms it went to.
    ///
    /// # Errors
    /// An internal problem, when the event cannot be written as JSON, or when sockets are
    /// behind by 65,536 publishes.
    pub fn emit<E: SentBy<G>>(self, event: &E) -> Result<(), Problem> {
        let frame = message::event(E::NAME, event).map_err(Problem::internal)?;
        self.publish(What::Frame(frame))
    }

    /// Sends a message as it is: for raw gateways, whose messages are no events.
    ///
    /// # Errors
    /// An internal problem, when the gateway is not `codec = raw`, whose clients could make
    /// nothing of it, or when sockets are behind by 65,536 publishes.
    pub fn send(self, message: &WsMessage) -> Result<(), Problem> {
        if G::CODEC != Codec::Raw {
            return Err(Problem::internal(
                "the gateway sends events: declare one and `emit` it, or make it `codec = raw`",
            ));
        }
        self.publish(What::Frame(message.frame()))
    }

    fn publish(self, what: What) -> Result<(), Problem> {
        let to = if self.others.is_empty() {
            Addressee::Room(self.room)
        } else {
            Addressee::Any(self.rooms())
        };
        let except = (!self.except.is_empty()).then(|| self.except.into());
        let at = self.hub.registry.clock().elapsed();
        if self.hub.registry.publish(&Publish { to, what, except, at }) {
            Ok(())
        } else {
            Err(Problem::internal("sockets are behind by too many publishes; this one is lost"))
        }
    }
}
