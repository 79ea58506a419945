//! One hub over many nodes: what is published here reaches the sockets of all.
//!
//! A [`Bus`] carries bytes to every node and promises nothing else. So each node numbers
//! what it says, and each that listens notices what it missed: its sockets are told by an
//! event, `session.gap`, instead of nothing. While the bus is away, sockets of the own node
//! go on; a bounded number of publishes waits for it, and it is connected to again with
//! growing pauses.

#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arcly_http_core::di::{Key, Token};
use arcly_http_core::scope::TraceContext;
use arcly_http_core::task::Stop;
use bytes::Bytes;
use tokio::sync::Notify;

#[cfg(feature = "nats")]
pub use nats::NatsBus;
#[cfg(feature = "redis")]
pub use redis::RedisBus;

use crate::registry::{ConnectionRegistry, lock};
pub(crate) use wire::{RoomName, Said, Whole};

/// What connects nodes. A provider of `dyn Bus`, exported by a global module; without one,
/// an application is one node.
pub trait Bus: Send + Sync + 'static {
    /// For the log: `nats://host:4222`, without credentials.
    fn name(&self) -> String;

    /// Connects, and subscribes to what all nodes say.
    fn connect(&self) -> BusFuture<'_, Box<dyn BusConnection>>;
}

impl Token for dyn Bus {
    const KEY: Key = Key::of("dyn arcly_http::realtime::Bus", 0, 0);
}

/// A connection to the bus, until it is lost.
pub trait BusConnection: Send {
    /// Says something to all nodes, this one included or not.
    fn send(&mut self, message: Bytes) -> BusFuture<'_, ()>;

    /// Waits for what nodes say.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    fn receive(&mut self) -> BusFuture<'_, Bytes>;
}

/// What a bus does.
pub type BusFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BusError>> + Send + 'a>>;

/// Why the bus is lost.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BusError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl BusError {
    /// By its cause.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Most publishes that wait for the bus; the oldest go first, and other nodes notice.
const WAITING_MAX: usize = 4_096;
/// Most nodes that are followed. One more, and all are forgotten: what was missed of them just
/// then is not noticed.
const NODES_MAX: usize = 1_024;
/// How often a node says that it is there, so that what was missed last is noticed.
const HELLO: Duration = Duration::from_secs(5);
/// How long connecting, and sending one message, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// This node, as others see it.
pub(crate) struct Node {
    /// Random: two starts of one machine are two nodes.
    id: u128,
    said: AtomicU64,
    waiting: Mutex<VecDeque<Bytes>>,
    woken: Notify,
    is_clustered: AtomicBool,
    heard: Mutex<HashMap<u128, u64>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:032x})", self.id)
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        Self {
            // 128 bits from the system.
            id: u128::from_str_radix(&TraceContext::root().trace_id(), 16).unwrap_or_default(),
            said: AtomicU64::new(0),
            waiting: Mutex::default(),
            woken: Notify::new(),
            is_clustered: AtomicBool::new(false),
            heard: Mutex::default(),
        }
    }

    /// Whether there may be other nodes.
    pub(crate) fn is_clustered(&self) -> bool {
        self.is_clustered.load(Ordering::Relaxed)
    }

    /// Says something to the other nodes.
    pub(crate) fn say(&self, what: Whole<'_>) {
        let mut waiting = lock(&self.waiting);
        // Numbered where it is queued, so that the numbers are in order.
        let number = self.said.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(message) = wire::encode(self.id, number, what) else { return };
        if waiting.len() >= WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(message);
        drop(waiting);
        self.woken.notify_one();
    }

    fn hello(&self) -> Option<Bytes> {
        wire::encode(self.id, self.said.load(Ordering::Relaxed), Whole::Hello)
    }

    /// Notes a number that a node said; gives how many before it were missed.
    fn missed(&self, node: u128, number: u64, is_hello: bool) -> u64 {
        let mut heard = lock(&self.heard);
        // A hello repeats the last number, anything else has one of its own.
        let expected = if is_hello { number } else { number.saturating_sub(1) };
        if heard.len() >= NODES_MAX && !heard.contains_key(&node) {
            heard.clear();
        }
        let last = heard.entry(node).or_insert(expected);
        let missed = expected.saturating_sub(*last);
        *last = number.max(*last);
        missed
    }
}

/// An address for the log.
#[cfg(any(feature = "nats", feature = "redis"))]
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

impl ConnectionRegistry {
    /// Joins a cluster: publishes go to the bus from now on.
    pub(crate) fn joins(&self) {
        self.node().is_clustered.store(true, Ordering::Relaxed);
    }

    /// Connects to the bus, and talks until that is lost. Whoever supervises this waits and
    /// begins again.
    pub(crate) async fn cluster(&self, bus: &dyn Bus, stop: Stop) -> Result<(), BusError> {
        let talking = async {
            let connecting = tokio::time::timeout(PATIENCE, bus.connect());
            let connected = connecting.await.map_err(|_| BusError::new("not in time"))?;
            let mut connection = connected?;
            tracing::info!(bus = bus.name(), "connected to the other nodes");
            self.metrics().bus_connected.set(1);
            let lost = self.converse(&mut *connection).await;
            self.metrics().bus_connected.set(0);
            self.metrics().bus_lost.increment();
            Err(lost)
        };
        stop.until(talking).await.unwrap_or(Ok(()))
    }

    /// Says what waits and listens, until the connection is lost.
    async fn converse(&self, connection: &mut dyn BusConnection) -> BusError {
        let node = self.node();
        let mut hello = tokio::time::interval(HELLO);
        hello.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Whatever is there is sent before anything is waited for.
            loop {
                let Some(message) = lock(&node.waiting).pop_front() else { break };
                let sending = tokio::time::timeout(PATIENCE, connection.send(message.clone()));
                let lost = match sending.await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => error,
                    Err(_) => BusError::new("sending took too long"),
                };
                // It may have gone out; a repetition would be a duplicate, a gap is told.
                return lost;
            }
            tokio::select! {
                biased;
                () = node.woken.notified() => {}
                heard = connection.receive() => match heard {
                    Ok(message) => self.hear(&message),
                    Err(error) => return error,
                },
                _ = hello.tick() => {
                    let Some(message) = node.hello() else { continue };
                    match tokio::time::timeout(PATIENCE, connection.send(message)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => return error,
                        Err(_) => return BusError::new("sending took too long"),
                    }
                }
            }
        }
    }

    /// What another node said. What is no message of ours is left out.
    fn hear(&self, message: &Bytes) {
        let node = self.node();
        let Some((from, number, said)) = wire::decode(message) else {
            self.metrics().bus_malformed.increment();
            return;
        };
        if from == node.id {
            return;
        }
        let is_hello = matches!(said, Said::Hello);
        let missed = node.missed(from, number, is_hello);
        if missed > 0 {
            tracing::warn!(missed, "messages of another node were lost on the way");
            self.tell_of_gap(missed);
        }
        self.take(said);
    }
}
