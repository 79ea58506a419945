//! Rooms: named places of a gateway, into which a rule lets sockets.

use arcly_http_core::access::Access;
use arcly_http_core::problem::{Problem, kinds};

use crate::client::WsClient;
use crate::gateway::Gateway;

/// A place that sockets of one gateway and one tenant share.
///
/// `#[derive(Room)]` writes it: `#[room(gateway = LiveGateway, public)] struct Tag(String);`.
/// The documentation of `#[gateway]` shows one in use.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a room",
    label = "add `#[derive(Room)]`",
    note = "`#[derive(Room)] #[room(gateway = LiveGateway, public)] struct Tag(String);`: the rule is `public`, `authenticated` or `can(Action::Variant)`"
)]
pub trait Room {
    /// Whose sockets may be in it.
    type Gateway: Gateway;
    /// Tells its kind apart from others of the gateway.
    const NAME: &'static str;
    /// Who may join.
    const ACCESS: Access;

    /// Tells it apart from others of its kind.
    fn key(&self) -> String;

    /// What the rule cannot say; by default whoever it lets in may join.
    ///
    /// # Errors
    /// What the client is told.
    fn admits(&self, client: &WsClient) -> Result<(), Problem> {
        let _ = client;
        Ok(())
    }
}

/// Decides what the rule of a room cannot say: whether this caller may be in this very room.
/// Asked for by `#[room(.., checked)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is `checked`, but does not say how",
    label = "implement `AdmitsTo` for it"
)]
pub trait AdmitsTo {
    /// Lets a socket in, or not; after the rule of the room.
    ///
    /// # Errors
    /// What the client is told.
    fn admits(&self, client: &WsClient) -> Result<(), Problem>;
}

pub(crate) fn too_many(max: usize) -> Problem {
    Problem::of(&kinds::INVALID_INPUT)
        .with_detail(format!("a socket may be in {max} rooms at most; leave one first"))
}
