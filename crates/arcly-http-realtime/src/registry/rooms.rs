//! Who is in which room of a shard.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arcly_http_core::di::Key;

use super::Slab;
use crate::client::Client;
use crate::cluster::RoomName;

/// A room: confined to a gateway and a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoomKey(Arc<Whole>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    gateway: Key,
    tenant: Option<Arc<str>>,
    /// The type of the room; empty for those that the hub keeps itself.
    kind: Cow<'static, str>,
    name: Box<str>,
}

impl RoomKey {
    pub(crate) fn new(
        gateway: Key,
        tenant: Option<Arc<str>>,
        kind: impl Into<Cow<'static, str>>,
        name: &str,
    ) -> Self {
        let kind = kind.into();
        Self(Arc::new(Whole { gateway, tenant, kind, name: name.into() }))
    }

    pub(super) fn gateway(&self) -> &Key {
        &self.0.gateway
    }

    /// As other nodes know it; `gateway` is the path of its own.
    pub(super) fn name(&self, gateway: &str) -> RoomName {
        RoomName {
            gateway: gateway.to_owned(),
            tenant: self.0.tenant.as_deref().map(str::to_owned),
            kind: self.0.kind.to_string(),
            name: self.0.name.to_string(),
        }
    }

    /// Another room of the same gateway and tenant.
    pub(crate) fn beside(&self, kind: &'static str, name: &str) -> Self {
        Self::new(self.0.gateway, self.0.tenant.clone(), kind, name)
    }
}

/// Where somebody sits.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) room: RoomKey,
    place: u32,
}

#[derive(Default)]
pub(super) struct Rooms(HashMap<RoomKey, Slab<Arc<Client>>>);

impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn join(&mut self, room: &RoomKey, client: &Arc<Client>) -> Seat {
        let members = self.0.entry(room.clone()).or_default();
        Seat { room: room.clone(), place: members.insert(Arc::clone(client)) }
    }

    pub(super) fn leave(&mut self, seat: &Seat) {
        if let Some(members) = self.0.get_mut(&seat.room) {
            members.remove(seat.place);
            if members.is_empty() {
                self.0.remove(&seat.room);
            }
        }
    }

    /// Some of the members, from `place` on; gives where to go on, or `None` at the end.
    pub(super) fn some(
        &self,
        room: &RoomKey,
        place: usize,
        into: &mut Vec<Arc<Client>>,
        max: usize,
    ) -> Option<usize> {
        let members = self.0.get(room)?;
        let rest = members.places.get(place..)?;
        let step = &rest[..rest.len().min(max)];
        into.extend(step.iter().flatten().cloned());
        (rest.len() > max).then(|| place + max)
    }

    pub(super) fn members(&self, room: &RoomKey) -> usize {
        self.0.get(room).map_or(0, |members| members.places.len() - members.free.len())
    }
}
