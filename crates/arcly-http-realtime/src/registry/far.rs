//! What goes to other nodes, and what comes from them.

use std::sync::Arc;

use super::{Addressee, ConnectionRegistry, Frames, Publish, RoomKey, What, lock};
use crate::client::Way;
use crate::cluster::{RoomName, Said, Whole};
use crate::gateway::Codec;
use crate::message;

/// What sockets are told when messages of another node were lost on the way.
#[derive(serde::Serialize)]
struct Gap {
    missed: u64,
}

/// The event of it.
const GAP: &str = "session.gap";

impl ConnectionRegistry {
    /// Says on other nodes what is published here.
    pub(super) fn say(&self, publish: &Publish) {
        let rooms = match &publish.to {
            Addressee::One(_) => return,
            Addressee::Room(room) => std::slice::from_ref(room),
            Addressee::Any(rooms) => rooms,
        };
        if !self.node().is_clustered() {
            return;
        }
        let names = rooms.iter().filter_map(|room| {
            let gateway = self.gateway(room.gateway())?;
            Some(room.name(gateway.runtime.path))
        });
        let rooms: Vec<RoomName> = names.collect();
        self.node().say(match &publish.what {
            What::Frame(frame) => Whole::Frame { rooms, frame },
            What::End(verdict) => Whole::End { rooms, verdict },
        });
    }

    /// Does here what another node said.
    pub(crate) fn take(&self, said: Said) {
        let (rooms, what) = match said {
            Said::Hello => return,
            Said::Frame { rooms, frame } => (rooms, What::Frame(frame)),
            Said::End { rooms, verdict } => (rooms, What::End(verdict)),
        };
        // A gateway that only other nodes have has no sockets here.
        let keys: Vec<RoomKey> = rooms.into_iter().filter_map(|room| self.key_of(room)).collect();
        let to = match keys.as_slice() {
            [] => return,
            [one] => Addressee::Room(one.clone()),
            _ => Addressee::Any(keys.into()),
        };
        let at = self.clock().elapsed();
        self.publish_here(&Publish { to, what, except: None, at });
    }

    fn key_of(&self, room: RoomName) -> Option<RoomKey> {
        let gateways = lock(&self.0.gateways);
        let is_it = |path: &str| path == room.gateway;
        let mut found = gateways.iter().filter_map(|(key, served)| Some((key, served.upgrade()?)));
        let (key, _) = found.find(|(_, served)| is_it(served.runtime.path))?;
        let tenant = room.tenant.as_deref().map(Arc::from);
        Some(RoomKey::new(*key, tenant, room.kind, &room.name))
    }

    /// Tells every socket that it may have missed something.
    pub(crate) fn tell_of_gap(&self, missed: u64) {
        self.0.metrics.bus_missed.add(missed);
        let Ok(frame) = message::event(GAP, &Gap { missed }) else { return };
        let frames = Frames::from(frame);
        for shard in &self.0.shards {
            let clients: Vec<_> = lock(&shard.clients).places.iter().flatten().cloned().collect();
            for client in clients {
                let is_told =
                    client.way == Way::Events || client.served.runtime.codec == Codec::Json;
                if is_told {
                    self.deliver(&client, &frames);
                }
            }
        }
    }
}
