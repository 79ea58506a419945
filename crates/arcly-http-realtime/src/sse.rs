//! Server-sent events: the hub for clients that only listen (WHATWG HTML, section 9.2).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::Scope;
use arcly_http_web::body::BoxError;
use arcly_http_web::reply::with_type;
use arcly_http_web::{Body, FromRequest, Head, Reply, Response};
use bytes::Bytes;
use futures_util::Stream;
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use crate::boundary::{Row, Served, admit, take_seats};
use crate::client::{Client, Way};
use crate::gateway::{Gateway, SentBy};
use crate::hub::Hub;
use crate::message;
use crate::registry::Permit;
use crate::room::Room;

const MEDIA_TYPE: &str = "text/event-stream";

/// What a gateway sends, for a client that only listens: the reply of a `GET` that a browser
/// opens by `new EventSource(url)`.
///
/// ```
/// # use arcly_http::prelude::*;
/// # use arcly_http::realtime::RealtimeModule;
/// use arcly_http::realtime::EventStream;
/// # #[derive(serde::Serialize, schemars::JsonSchema, ServerEvent)]
/// # #[server_event("article.published")]
/// # struct ArticlePublished { slug: String }
/// # #[derive(Room)] #[room(gateway = LiveGateway, public)] struct Tag(String);
/// # #[derive(Injectable)] struct LiveGateway;
/// # #[gateway("/live", emits(ArticlePublished))]
/// # impl LiveGateway { #[on_connect] #[public] async fn connect(&self) {} }
///
/// #[derive(Injectable)]
/// struct News { hub: Inject<Hub> }
///
/// #[controller("/news")]
/// impl News {
///     #[get("/{tag}")]
///     #[public]
///     async fn of_tag(
///         &self,
///         scope: Scope,
///         tag: Path<String>,
///     ) -> Result<EventStream<LiveGateway>, Problem> {
///         let stream = self.hub.stream::<LiveGateway>(&scope)?;
///         stream.join(&Tag(tag.0))?;
///         Ok(stream)
///     }
/// }
/// # #[module(root, imports(RealtimeModule), gateways(LiveGateway), controllers(News))]
/// # struct AppModule;
/// ```
///
/// It is one of the gateway's sockets: it has a place among them, sits in rooms under their
/// rules, gets what the hub sends, is ended when it does not take that, when its credentials
/// run out and when the application stops. A comment every `ping_interval` keeps proxies from
/// closing it. Whatever is refused before it is returned is an ordinary response.
///
/// An event without an id cannot be resumed after: give those that can be an id by
/// [`EventStream::emit`], and read [`LastEventId`].
#[must_use = "it is the reply"]
pub struct EventStream<G> {
    open: Open,
    gateway: PhantomData<fn() -> G>,
}

struct Open {
    client: Arc<Client>,
    _row: Row,
    _permit: Permit,
}

impl<G> fmt::Debug for EventStream<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventStream({})", self.open.client.id)
    }
}

impl Hub {
    /// Opens a stream of what a gateway sends, for the caller of `scope`.
    ///
    /// # Errors
    /// 503 and 429, when there is no place for one more; an internal problem for a gateway
    /// that is not mounted.
    pub fn stream<G: Gateway>(&self, scope: &Scope) -> Result<EventStream<G>, Problem> {
        let registry = self.registry();
        let served: Arc<Served> = registry.gateway(&G::PROVIDER.key).ok_or_else(|| {
            Problem::internal("no module lists the gateway whose events are asked for")
        })?;
        let claims = scope.claims();
        let permit = admit(&served, None, claims.map(|claims| &**claims))
            .inspect_err(|_| served.runtime.metrics.refused.increment())?;
        let client = Client::new(&served, claims.cloned(), None, Way::Events);
        let row = Row::register(Arc::clone(&client));
        take_seats(&client)?;
        Ok(EventStream { open: Open { client, _row: row, _permit: permit }, gateway: PhantomData })
    }
}

impl<G: Gateway> EventStream<G> {
    /// Puts the stream into a room, under its rule; see [`crate::WsClient::join`].
    ///
    /// # Errors
    /// 401 or 403, when the rule says no; 422, when it is in 256 rooms already.
    pub fn join<R: Room<Gateway = G>>(&self, room: &R) -> Result<bool, Problem> {
        crate::WsClient(Arc::clone(&self.open.client)).join(room)
    }

    /// Sends an event to this stream alone, with an id that the client gives back when it
    /// comes again: what it missed, mostly. Within the bounds of what waits for a client.
    ///
    /// # Errors
    /// An internal problem: the event cannot be written as JSON, the id has a line break, or
    /// there is no room for it.
    pub fn emit<E: SentBy<G>>(&self, id: Option<&str>, event: &E) -> Result<(), Problem> {
        let client = &self.open.client;
        let bytes = message::server_sent(id, E::NAME, event)?;
        match client.line.send(Cow::Owned(bytes), client.served.registry.tick()) {
            crate::line::Sent::Full => Err(Problem::internal("too much waits for the stream")),
            _ => Ok(()),
        }
    }
}

impl Stream for Open {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let client = &self.client;
        client.note_seen();
        client.line.poll_take(cx).map(|taken| taken.map(Ok))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(verdict) = self.client.line.verdict() {
            self.client.served.registry.metrics().ended(verdict.cause);
        }
        self.client.line.shut();
    }
}

impl<G: Gateway> Reply for EventStream<G> {
    const CACHEABLE: bool = false;

    fn describe(operation: &mut Operation) {
        operation.reply_raw(200, MEDIA_TYPE);
        operation.problems(&[&kinds::UNAVAILABLE, &kinds::TOO_MANY_REQUESTS]);
        operation.extension("x-events-of", G::PROVIDER.key.name.into());
    }

    fn reply(self, _head: &Head) -> Result<Response, Problem> {
        let mut response = with_type(Body::from_stream(self.open), MEDIA_TYPE);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

/// The id of the last event that a client saw before it lost the connection; an argument.
/// At most 256 characters; longer ones were not given by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEventId(pub Option<String>);

impl FromRequest for LastEventId {
    type Error = Problem;

    fn describe(operation: &mut Operation) {
        operation.header::<String>("last-event-id", false);
    }

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        let value = head.headers().get("last-event-id");
        let text = value.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        Ok(Self(text.filter(|text| text.len() <= 256).map(str::to_owned)))
    }
}
