//! A message of a socket on its way through the stages that it shares with requests.
//!
//! The handshake ran through all of them. A message has the trace, the caller and the
//! head of its handshake; it runs through the access rule of its event, rate limits of
//! gateway and event, guards, interceptors, arguments, handler and filters, under a
//! deadline of its own. Admission, CORS, compression and tower layers are of HTTP alone.

use std::any::Any;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::di::RouteFact;
use arcly_http_core::observe::Counter;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::current::Identity;
use arcly_http_core::scope::spans::{OpenSpan, SpanKind, Tracing};
use arcly_http_core::scope::{Claims, TraceContext};
use arcly_http_core::time::{Budget, Clock};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Extensions, HeaderMap, HeaderValue};

use super::{Core, FILTER_TIME_MAX, Scene, in_time, is_protected, render};
use crate::limit::Rates;
use crate::stage::AnyGuard;
use crate::{Body, Called, Context, Head, Response};

/// What all events of an application share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tracing: Option<Tracing>,
    pub(crate) deadlines_exceeded: Counter,
}

/// An event that a gateway takes, with everything bound.
pub struct Event {
    pub(crate) fact: &'static RouteFact,
    /// As clients name it.
    pub(crate) name: &'static str,
    pub(crate) guards: Vec<Arc<dyn AnyGuard>>,
    pub(crate) core: Arc<Core>,
    pub(crate) rates: Option<Rates>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({:?})", self.name)
    }
}

/// What a message carries.
#[derive(Debug)]
pub struct Data {
    /// JSON, or whatever a gateway without events takes.
    pub bytes: Bytes,
    /// Whether it came as binary.
    pub is_binary: bool,
}

/// What became of a message.
#[derive(Debug)]
pub enum Handled {
    /// What the handler answered, as JSON; `null` for nothing.
    Reply(Bytes),
    /// A problem document, or what a filter made of it.
    Refused {
        /// The status that HTTP would have.
        status: u16,
        /// The document, as JSON.
        problem: Bytes,
    },
}

/// The work of one socket: its messages, one at a time.
pub struct Channel {
    context: Box<Context>,
    /// Of the messages: that of the connection, unless each is recorded by itself.
    trace: TraceContext,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel(..)")
    }
}

/// Headers that say nothing of what comes after the handshake.
const OF_THE_HANDSHAKE: [http::HeaderName; 7] = [
    ACCEPT_ENCODING,
    CONNECTION,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    UPGRADE,
];

/// A copy with memory of its own: what hyper read lies in one buffer, which would live as
/// long as the socket.
fn compact(headers: &HeaderMap) -> HeaderMap {
    let kept = || headers.iter().filter(|(name, _)| !OF_THE_HANDSHAKE.contains(name));
    let mut own = HeaderMap::with_capacity(kept().count());
    for (name, value) in kept() {
        if let Ok(mut copy) = HeaderValue::from_bytes(value.as_bytes()) {
            copy.set_sensitive(value.is_sensitive());
            own.append(name.clone(), copy);
        }
    }
    own
}

impl Channel {
    /// For the messages of the socket that `handshake` opens, after its access rule.
    #[must_use]
    pub fn of(handshake: &Context) -> Self {
        let head = &handshake.head;
        // Through text, so that nothing of the request's buffer is kept.
        let uri = head.uri.to_string().parse().unwrap_or_default();
        let context = Context {
            head: Head {
                method: head.method.clone(),
                uri,
                version: head.version,
                headers: compact(&head.headers),
                extensions: Extensions::new(),
                seen: head.seen,
                params: head.params,
                fact: head.fact,
                request_id: head.request_id,
                trace: head.trace.clone(),
                claims: head.claims.clone(),
                peer: head.peer,
                client: head.client,
                budget: None,
            },
            body: None,
            body_limit: 0,
            begun: Duration::ZERO,
            is_admitted: true,
            limit: None,
            place: None,
            rates: String::new(),
            scoped: vec![],
            socket: handshake.socket.clone(),
            is_binary: false,
            leading: None,
        };
        Self { trace: head.trace.clone(), context: Box::new(context) }
    }

    /// Another one for the same socket, for work beside the other's.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::of(&self.context)
    }

    /// Everything of the handshake but its body.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.context.head
    }

    /// Who sends from now on: a token was renewed in band.
    pub fn set_claims(&mut self, claims: Option<Arc<Claims>>) {
        self.context.head.claims = claims;
    }

    fn begin(&mut self, event: &Event, data: Data) -> (Scene, Option<Budget>) {
        let shared = &event.shared;
        let begun = shared.clock.elapsed();
        let budget =
            event.deadline.map(|limit| Budget::since(Arc::clone(&shared.clock), begun, limit));
        let recorder = shared.tracing.as_ref().and_then(|tracing| tracing.recorder(&self.trace));
        let context = &mut *self.context;
        context.body_limit = data.bytes.len() as u64;
        context.body = Some(Body::from(data.bytes));
        context.is_binary = data.is_binary;
        context.begun = begun;
        context.scoped.clear();
        context.rates.clear();
        let head = &mut context.head;
        head.fact = Some(event.fact);
        head.budget = budget.clone();
        head.trace = if recorder.is_some() { self.trace.child() } else { self.trace.clone() };
        let span = tracing::debug_span!(
            "message",
            event = event.name,
            request_id = head.request_id.as_str(),
            trace_id = tracing::field::Empty,
        );
        if !span.is_disabled() {
            span.record("trace_id", head.trace.trace_id());
        }
        let identity = Identity {
            request_id: head.request_id,
            trace: head.trace.clone(),
            route: event.fact.path,
            principal: head.claims.clone(),
            recorder,
        };
        (Scene { span, identity: Some(identity) }, budget)
    }
}

impl Event {
    /// As clients name it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the proof sees of it.
    #[must_use]
    pub fn fact(&self) -> &'static RouteFact {
        self.fact
    }

    /// Runs one message through its stages. Never fails and never panics:
    /// whatever goes wrong is a problem.
    ///
    /// # Cancel safety
    /// Dropping it drops the handler where it waits.
    pub async fn handle(&self, channel: &mut Channel, data: Data) -> Handled {
        let (mut scene, budget) = channel.begin(self, data);
        let context = &mut *channel.context;
        let traced = self.traced(&scene, context);
        let outcome = {
            let work = pin!(self.answer(context));
            in_time(&mut scene, budget.as_ref(), work).await
        };
        let response = match outcome {
            Some(Ok(response)) => response,
            Some(Err(panic)) => panicked(&mut scene, context, &*panic),
            None => {
                self.shared.deadlines_exceeded.increment();
                scene.enter(|| tracing::warn!("a message was given up: its time was over"));
                self.shape(&mut scene, &context.head, timed_out()).await
            }
        };
        finish(context, response, traced)
    }

    /// Whether nothing around the handler waits, nor does the handler: then
    /// [`Event::handle_at_once`] handles its messages, too, and has nothing to box.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        self.rates.is_none()
            && self.guards.is_empty()
            && self.core.interceptors.is_empty()
            && self.core.filters.is_empty()
            && self.core.endpoint.is_immediate()
    }

    /// Runs one message of an event that [`is_immediate`](Event::is_immediate), as
    /// [`Event::handle`] does.
    pub fn handle_at_once(&self, channel: &mut Channel, data: Data) -> Handled {
        let (mut scene, budget) = channel.begin(self, data);
        let context = &mut *channel.context;
        let traced = self.traced(&scene, context);
        // Through a slot: a result would be moved out of each closure.
        let mut response = None;
        let work = || response = Some(self.answer_at_once(context));
        let panic = scene.caught(budget.as_ref(), work).err();
        let response = match (response, panic) {
            (Some(response), _) => response,
            (None, Some(panic)) => panicked(&mut scene, context, &*panic),
            (None, None) => render::unfiltered(&Problem::internal("no answer"), &context.head),
        };
        finish(context, response, traced)
    }

    fn answer_at_once(&self, context: &mut Context) -> Response {
        let is_let_in = if is_protected(&self.fact.access) {
            self.fact.access.decide(context.head.claims.as_deref())
        } else {
            Ok(())
        };
        let result = is_let_in.and_then(|()| match self.core.endpoint.call(context) {
            Called::Ready(Some(result)) => result,
            _ => Err(Problem::internal("a handler that is declared immediate waits")),
        });
        result.unwrap_or_else(|problem| render::unfiltered(&problem, &context.head))
    }

    /// The span of a message, where it is recorded.
    fn traced(&self, scene: &Scene, context: &Context) -> Option<OpenSpan> {
        let recorder = scene.identity.as_ref()?.recorder.clone()?;
        let mut span = recorder.begin_own(&context.head.trace, SpanKind::Server);
        span.name(format!("SUBSCRIBE {}", self.fact.path));
        Some(span)
    }

    /// Gives a problem to the filters, which may take a second.
    async fn shape(&self, scene: &mut Scene, head: &Head, problem: Problem) -> Response {
        let budget = Budget::new(Arc::clone(&self.shared.clock), FILTER_TIME_MAX);
        let shaping = pin!(render::filtered(problem, head, &self.core.filters));
        match in_time(scene, Some(&budget), shaping).await {
            Some(Ok(response)) => response,
            _ => render::problem(&timed_out(), &head.request_id),
        }
    }

    async fn answer(&self, context: &mut Context) -> Response {
        match self.run(context).await {
            Ok(response) => response,
            Err(problem) => {
                Box::pin(render::filtered(problem, &context.head, &self.core.filters)).await
            }
        }
    }

    async fn run(&self, context: &mut Context) -> Result<Response, Problem> {
        if is_protected(&self.fact.access) {
            self.fact.access.decide(context.head.claims.as_deref())?;
        }
        if let Some(rates) = &self.rates {
            Box::pin(rates.take(&context.head, false, &mut context.rates)).await?;
            Box::pin(rates.take(&context.head, true, &mut context.rates)).await?;
        }
        for guard in &self.guards {
            guard.check(&context.head).await?;
        }
        self.core.run(context).await
    }
}

fn panicked(scene: &mut Scene, context: &Context, panic: &(dyn Any + Send)) -> Response {
    let message = render::panic_message(panic);
    scene.enter(|| tracing::error!(panic = message, "a handler panicked"));
    render::problem(&Problem::of(&kinds::INTERNAL), &context.head.request_id)
}

fn finish(context: &mut Context, response: Response, traced: Option<OpenSpan>) -> Handled {
    context.body = None;
    let handled = handled(response, &context.head);
    if let Some(mut span) = traced
        && let Handled::Refused { status, .. } = handled
    {
        span.note("http.response.status_code", status);
        if status >= 500 {
            span.fail("");
        }
    }
    handled
}

fn timed_out() -> Problem {
    Problem::of(&kinds::TIMEOUT)
        .with_detail("the operation took too long and was given up; it may be partly done")
}

fn handled(response: Response, head: &Head) -> Handled {
    let status = response.status().as_u16();
    let body = response.body().as_full();
    if (200..300).contains(&status) {
        let media_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        return match body {
            Some(body) if body.is_empty() => Handled::Reply(Bytes::from_static(b"null")),
            // Anything else in an envelope would break it, or be taken for a part of it.
            Some(body) if media_type == Some(b"application/json") => Handled::Reply(body),
            Some(_) => failed("a message is answered with JSON, and with nothing else", head),
            None => failed("a message cannot be answered with a stream", head),
        };
    }
    let is_json = |body: &Bytes| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    let problem = body.filter(is_json).unwrap_or(Bytes::from_static(b"null"));
    Handled::Refused { status, problem }
}

fn failed(why: &'static str, head: &Head) -> Handled {
    let response = render::unfiltered(&Problem::internal(why), head);
    let status = response.status().as_u16();
    Handled::Refused { status, problem: response.body().as_full().unwrap_or_default() }
}
