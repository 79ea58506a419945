//! From a publish to the sockets of a room.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arcly_http_core::task::Stop;
use bytes::{Bytes, BytesMut};

use super::{ConnectionRegistry, Frames, RoomKey, lock};
use crate::client::{Client, Way};
use crate::line::{Sent, Verdict};

/// Frames on their way.
#[derive(Clone)]
pub(crate) struct Publish {
    pub(crate) to: Addressee,
    pub(crate) what: What,
    /// The ids of those who do not get it.
    pub(crate) except: Option<Arc<[u64]>>,
    /// When it was published, on the application's clock.
    pub(crate) at: std::time::Duration,
}

#[derive(Clone)]
pub(crate) enum What {
    Frame(Bytes),
    /// The sockets are ended, after what was published before.
    End(Arc<Verdict>),
}

#[derive(Clone)]
pub(crate) enum Addressee {
    Room(RoomKey),
    /// Whoever is in one of several rooms, once.
    Any(Arc<[RoomKey]>),
    One(Arc<Client>),
}

#[derive(Default)]
pub(super) struct Pending {
    queue: Vec<Publish>,
    /// The flusher is on its way with what was here before.
    is_flushing: bool,
}

/// Most members that are written to before others have their turn.
const STEP: usize = 256;
/// Most publishes that wait for one shard; a publisher that is faster than the sockets
/// loses what is more, which is counted.
const PENDING_MAX: usize = 65_536;

impl ConnectionRegistry {
    /// Publishes on every node. Gives `false` when this one has too many on their way already.
    pub(crate) fn publish(&self, publish: &Publish) -> bool {
        self.say(publish);
        self.publish_here(publish)
    }

    /// Hands frames to the shards.
    pub(super) fn publish_here(&self, publish: &Publish) -> bool {
        let mut is_taken = true;
        match &publish.to {
            Addressee::One(client) => is_taken = self.push(client.shard, publish.clone()),
            Addressee::Room(_) | Addressee::Any(_) => {
                for shard in 0..self.0.shards.len() {
                    is_taken &= self.push(shard, publish.clone());
                }
            }
        }
        if !is_taken {
            self.0.metrics.publishes_dropped.increment();
        }
        is_taken
    }

    fn push(&self, shard: usize, publish: Publish) -> bool {
        let shard = self.shard(shard);
        let mut pending = lock(&shard.pending);
        if pending.queue.len() >= PENDING_MAX {
            return false;
        }
        pending.queue.push(publish);
        let is_first = pending.queue.len() == 1;
        drop(pending);
        if is_first {
            shard.woken.notify_one();
        }
        true
    }

    /// Whether something is on its way to sockets of the shard: what is sent to one of them
    /// has to queue up behind it.
    pub(crate) fn is_busy(&self, shard: usize) -> bool {
        let pending = lock(&self.shard(shard).pending);
        pending.is_flushing || !pending.queue.is_empty()
    }

    pub(super) async fn flush(&self, index: usize, stop: Stop) {
        let shard = self.shard(index);
        let mut turn: Vec<Publish> = vec![];
        let mut members: Vec<Arc<Client>> = vec![];
        loop {
            if turn.is_empty() {
                let mut pending = lock(&shard.pending);
                std::mem::swap(&mut turn, &mut pending.queue);
                pending.is_flushing = !turn.is_empty();
            }
            if turn.is_empty() {
                let woken = shard.woken.notified();
                if stop.until(woken).await.is_none() {
                    return;
                }
                continue;
            }
            let mut at = 0;
            while let Some(first) = turn.get(at) {
                let count = together(&turn[at..]);
                let frames = joined(&turn[at..at + count]);
                let (next, count) = (at + count, count as u64);
                let rooms = match &first.to {
                    Addressee::One(client) => {
                        self.0.metrics.delivered(self.act(client, &first.what, &frames) * count);
                        at = next;
                        continue;
                    }
                    Addressee::Room(room) => std::slice::from_ref(room),
                    Addressee::Any(rooms) => rooms,
                };
                // Who is in several rooms is marked when it is met first.
                let mark =
                    (rooms.len() > 1).then(|| shard.marks.fetch_add(1, Ordering::Relaxed) + 1);
                let mut delivered = 0;
                for room in rooms {
                    let mut place = Some(0);
                    while let Some(from) = place {
                        members.clear();
                        place = lock(&shard.rooms).some(room, from, &mut members, STEP);
                        for client in &members {
                            let is_excepted =
                                first.except.as_ref().is_some_and(|ids| ids.contains(&client.id));
                            if !is_excepted && mark.is_none_or(|mark| client.is_first(mark)) {
                                delivered += self.act(client, &first.what, &frames) * count;
                            }
                        }
                        if place.is_some() {
                            tokio::task::yield_now().await;
                        }
                    }
                }
                members.clear();
                self.0.metrics.delivered(delivered);
                let took = self.0.clock.elapsed().saturating_sub(first.at);
                self.0.metrics.broadcast.observe(took.as_secs_f64());
                at = next;
            }
            turn.clear();
            tokio::task::yield_now().await;
        }
    }

    /// Gives how many times it sent something: once, or not at all.
    fn act(&self, client: &Client, what: &What, frames: &Frames) -> u64 {
        match what {
            What::Frame(_) => {
                self.deliver(client, frames);
                1
            }
            What::End(verdict) => {
                client.line.end(Verdict::clone(verdict));
                0
            }
        }
    }

    /// Sends frames to one socket; one that has no room for them is evicted.
    pub(crate) fn deliver(&self, client: &Client, frames: &Frames) {
        let frames = Cow::Borrowed(frames.form(client.way));
        if client.line.send(frames, self.tick()) == Sent::Full {
            client.evict();
        }
    }

    /// The same with frames that nobody else is sent.
    pub(crate) fn deliver_own(&self, client: &Client, frames: Bytes) {
        if client.way != Way::Socket(None) {
            return self.deliver(client, &frames.into());
        }
        if client.line.send(Cow::Owned(frames), self.tick()) == Sent::Full {
            client.evict();
        }
    }

    pub(crate) fn join(&self, room: &RoomKey, client: &Arc<Client>) -> super::Seat {
        lock(&self.shard(client.shard).rooms).join(room, client)
    }

    pub(crate) fn leave(&self, seat: &super::Seat, client: &Client) {
        lock(&self.shard(client.shard).rooms).leave(seat);
    }

    /// How many sockets are in one of the rooms.
    pub(crate) fn members(&self, rooms: &[RoomKey]) -> usize {
        if let [room] = rooms {
            return self.0.shards.iter().map(|shard| lock(&shard.rooms).members(room)).sum();
        }
        let of_shard = |shard: &super::Shard| {
            let mut members = vec![];
            let of_rooms = lock(&shard.rooms);
            for room in rooms {
                of_rooms.some(room, 0, &mut members, usize::MAX);
            }
            drop(of_rooms);
            members.iter().map(|client| client.id).collect::<HashSet<_>>().len()
        };
        self.0.shards.iter().map(of_shard).sum()
    }

    /// How many frames wait, over all sockets.
    pub(super) fn note_depth(&self, depth: usize) {
        self.0.metrics.queued.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }
}

/// How many from the beginning go to the same sockets, and can be one write.
fn together(publishes: &[Publish]) -> usize {
    let Some((first, rest)) = publishes.split_first() else { return 0 };
    let is_same = |other: &&Publish| {
        let same_except = match (&first.except, &other.except) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        };
        same_except
            && matches!((&first.what, &other.what), (What::Frame(_), What::Frame(_)))
            && match (&first.to, &other.to) {
                (Addressee::Room(a), Addressee::Room(b)) => a == b,
                (Addressee::Any(a), Addressee::Any(b)) => a == b,
                (Addressee::One(a), Addressee::One(b)) => Arc::ptr_eq(a, b),
                _ => false,
            }
    };
    1 + rest.iter().take(JOINED_MAX - 1).take_while(is_same).count()
}

/// Most publishes that become one write: a socket that is behind is evicted by bytes and
/// frames, so that one write should not be its whole allowance.
const JOINED_MAX: usize = 64;

fn joined(publishes: &[Publish]) -> Frames {
    let frames = || {
        publishes.iter().filter_map(|publish| match &publish.what {
            What::Frame(frame) => Some(frame),
            What::End(_) => None,
        })
    };
    let (first, more) = (frames().next(), frames().nth(1).is_some());
    match first {
        Some(first) if !more => first.clone().into(),
        _ => {
            let mut all = BytesMut::with_capacity(frames().map(Bytes::len).sum());
            frames().for_each(|frame| all.extend_from_slice(frame));
            all.freeze().into()
        }
    }
}
