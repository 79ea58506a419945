//! A cluster over NATS: one subject that all nodes publish to and subscribe.

use std::fmt;

use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::{Bus, BusConnection, BusError, BusFuture};

/// Connects nodes by NATS, without JetStream: what is said while a node is away is lost to
/// it, which it notices.
///
/// ```
/// # use std::sync::Arc;
/// # use arcly_http_realtime::{Bus, NatsBus};
/// fn bus() -> Arc<dyn Bus> {
///     Arc::new(NatsBus::new("nats://127.0.0.1:4222", "my-shop"))
/// }
/// # let _ = bus();
/// ```
#[derive(Clone)]
pub struct NatsBus {
    url: String,
    subject: String,
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsBus({})", super::without_credentials(&self.url))
    }
}

impl NatsBus {
    /// A bus at a server. Applications that share the server have names of their own.
    #[must_use]
    pub fn new(url: impl Into<String>, application: &str) -> Self {
        Self { url: url.into(), subject: format!("arcly.{application}.sockets") }
    }
}

struct Connection {
    client: Client,
    subscriber: Subscriber,
    subject: String,
}

impl Bus for NatsBus {
    fn name(&self) -> String {
        super::without_credentials(&self.url)
    }

    fn connect(&self) -> BusFuture<'_, Box<dyn BusConnection>> {
        Box::pin(async {
            // Whoever calls this connects again, and has to know that something was lost.
            let options = ConnectOptions::new().max_reconnects(1).no_echo();
            let client = options.connect(&self.url).await.map_err(BusError::new)?;
            let subscribed = client.subscribe(self.subject.clone()).await;
            let subscriber = subscribed.map_err(BusError::new)?;
            client.flush().await.map_err(BusError::new)?;
            let subject = self.subject.clone();
            Ok(Box::new(Connection { client, subscriber, subject }) as Box<dyn BusConnection>)
        })
    }
}

impl BusConnection for Connection {
    fn send(&mut self, message: Bytes) -> BusFuture<'_, ()> {
        Box::pin(async {
            self.client.publish(self.subject.clone(), message).await.map_err(BusError::new)
        })
    }

    fn receive(&mut self) -> BusFuture<'_, Bytes> {
        Box::pin(async {
            let message = self.subscriber.next().await;
            message
                .map(|message| message.payload)
                .ok_or_else(|| BusError::new("the subscription has ended"))
        })
    }
}
