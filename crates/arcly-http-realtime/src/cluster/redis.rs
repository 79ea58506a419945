//! A cluster over Redis or Valkey: one channel that all nodes publish to and subscribe.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncCommands as _, Client};

use super::{Bus, BusConnection, BusError, BusFuture};

/// Connects nodes by publish and subscribe of Redis (6 or later) or Valkey: what is said
/// while a node is away is lost to it, which it notices.
///
/// ```
/// # use std::sync::Arc;
/// # use arcly_http_realtime::{Bus, RedisBus};
/// fn bus() -> Arc<dyn Bus> {
///     Arc::new(RedisBus::new("redis://127.0.0.1:6379/0", "my-shop"))
/// }
/// # let _ = bus();
/// ```
#[derive(Clone)]
pub struct RedisBus {
    url: String,
    channel: String,
}

impl fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisBus({})", super::without_credentials(&self.url))
    }
}

impl RedisBus {
    /// A bus at a server. Applications that share the server have names of their own.
    #[must_use]
    pub fn new(url: impl Into<String>, application: &str) -> Self {
        Self { url: url.into(), channel: format!("arcly:{application}:sockets") }
    }
}

struct Connection {
    commands: MultiplexedConnection,
    heard: PubSubStream,
    channel: String,
    /// Dropped, the subscription would end.
    _subscription: PubSubSink,
}

impl Bus for RedisBus {
    fn name(&self) -> String {
        super::without_credentials(&self.url)
    }

    fn connect(&self) -> BusFuture<'_, Box<dyn BusConnection>> {
        Box::pin(async {
            let client = Client::open(self.url.as_str()).map_err(BusError::new)?;
            let mut subscribing = client.get_async_pubsub().await.map_err(BusError::new)?;
            subscribing.subscribe(&self.channel).await.map_err(BusError::new)?;
            let (subscription, heard) = subscribing.split();
            let commands = client.get_multiplexed_async_connection().await;
            Ok(Box::new(Connection {
                commands: commands.map_err(BusError::new)?,
                heard,
                channel: self.channel.clone(),
                _subscription: subscription,
            }) as Box<dyn BusConnection>)
        })
    }
}

impl BusConnection for Connection {
    fn send(&mut self, message: Bytes) -> BusFuture<'_, ()> {
        Box::pin(async move {
            let Self { commands, channel, .. } = self;
            let said: Result<(), _> = commands.publish(channel.as_str(), message.as_ref()).await;
            said.map_err(BusError::new)
        })
    }

    fn receive(&mut self) -> BusFuture<'_, Bytes> {
        Box::pin(async {
            let message = self.heard.next().await;
            message
                .map(|message| Bytes::copy_from_slice(message.get_payload_bytes()))
                .ok_or_else(|| BusError::new("the subscription has ended"))
        })
    }
}
