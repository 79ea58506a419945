//! An open socket: reading, handlers, writing, in one task.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arcly_http_core::access::{AuthError, Credentials};
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::time::Sleep;
use arcly_http_web::pipeline::message::{Channel, Data, Event, Handled};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream as _};
use serde::Deserialize;

use crate::client::Client;
use crate::gateway::Codec;
use crate::line::{Cause, Verdict};
use crate::message::{self, Envelope};
use crate::protocol::{self, CloseCode, Decoder, Incoming, Violation};

/// Most bytes that are read at a time.
const READ_MAX: usize = 64 << 10;
/// Most reads before other tasks have their turn.
const READS_MAX: usize = 8;

/// The event by which a client renews its credentials, in every gateway with envelopes.
const RENEW: &str = "session.renew";

/// Why a socket is over.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client said goodbye.
    Client(Option<CloseCode>),
    /// The server did.
    Server(Verdict),
    /// The client broke the protocol.
    Violation(Violation),
    /// The connection is gone.
    Lost,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(Some(code)) => write!(f, "by the client: {code}"),
            Self::Client(None) => f.write_str("by the client"),
            Self::Server(verdict) => write!(f, "by the server: {:?}", verdict.cause),
            Self::Violation(violation) => violation.fmt(f),
            Self::Lost => f.write_str("the connection was lost"),
        }
    }
}

/// What came of reading.
enum Read {
    /// Something was looked at; there may be more.
    Some,
    /// There is nothing; the task is woken when that changes.
    Nothing,
    /// The client has to take its answers first.
    Held,
    Ended(Ended),
}

/// A message on its way to its handler.
struct Inbound {
    work: Work,
    /// There when the client wants an answer.
    id: Option<Box<str>>,
    data: Data,
}

enum Work {
    Event(Arc<Event>),
    Renew,
}

/// A message that was handled, and the channel that it was handled on.
struct Done {
    channel: Channel,
    id: Option<Box<str>>,
    handled: Handled,
}

type Handling = Pin<Box<dyn Future<Output = Done> + Send>>;

/// An open socket.
pub(super) struct Session {
    client: Arc<Client>,
    decoder: Decoder,
    /// What was read and not looked at, because handlers were behind.
    unread: Vec<u8>,
    handlers: Handlers,
    pace: Pace,
}

impl Session {
    pub(super) fn new(
        client: Arc<Client>,
        channel: Channel,
        decoder: Decoder,
        early: Bytes,
    ) -> Self {
        Self {
            handlers: Handlers {
                client: Arc::clone(&client),
                channel: Some(channel),
                inbox: VecDeque::new(),
                running: None,
                beside: None,
            },
            client,
            decoder,
            // A copy: it lies in hyper's buffer, all of which would be kept.
            unread: early.to_vec(),
            pace: Pace::default(),
        }
    }

    /// Works until nothing more can be done now; ready when the socket is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let client = Arc::clone(&self.client);
        let line = &client.line;
        line.register(cx.waker());
        for _ in 0..READS_MAX {
            if let Some(verdict) = line.verdict() {
                return Poll::Ready(Ended::Server(verdict));
            }
            // Whatever is sent from here to the flush is one write.
            line.cork();
            self.handlers.poll(cx);
            let read = self.poll_read(cx);
            let flushed = line.poll_flush(cx, client.served.registry.tick());
            if let Poll::Ready(Err(_)) = flushed {
                return Poll::Ready(Ended::Lost);
            }
            match read {
                Read::Some => {}
                Read::Ended(ended) => return Poll::Ready(ended),
                // What held it up is gone, and nobody else would say so.
                Read::Held if flushed.is_ready() => {}
                Read::Held | Read::Nothing => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once, and takes what came, unless handlers are behind, the client sends too
    /// fast, or it does not take its answers.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Read {
        if self.handlers.is_full() || self.pace.poll(cx).is_pending() {
            return Read::Nothing;
        }
        if self.client.line.is_backed_up() {
            return Read::Held;
        }
        if !self.unread.is_empty() {
            let mut unread = std::mem::take(&mut self.unread);
            return self.take(&mut unread, cx);
        }
        let Some(socket) = self.client.line.socket() else { return Read::Ended(Ended::Lost) };
        // The thread's own, so that an idle socket keeps none.
        thread_local! {
            static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
        }
        let mut buffer = BUFFER.take().unwrap_or_else(|| vec![0; READ_MAX].into_boxed_slice());
        let read = match socket.poll_read(cx, &mut buffer) {
            Poll::Pending => Read::Nothing,
            Poll::Ready(Ok(0) | Err(_)) => Read::Ended(Ended::Lost),
            Poll::Ready(Ok(count)) => {
                self.client.note_seen();
                self.take(&mut buffer[..count], cx)
            }
        };
        BUFFER.set(Some(buffer));
        read
    }

    fn take(&mut self, mut input: &mut [u8], cx: &mut Context<'_>) -> Read {
        loop {
            let is_held =
                self.handlers.is_full() || self.pace.is_over() || self.client.line.is_backed_up();
            if is_held && !input.is_empty() {
                self.unread.extend_from_slice(input);
                return Read::Some;
            }
            let incoming = match self.decoder.next(&mut input) {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return Read::Some,
                Err(violation) => return Read::Ended(Ended::Violation(violation)),
            };
            match incoming {
                Incoming::Text(text) => {
                    self.pace.count(&self.client);
                    self.handlers.text(text, cx);
                }
                Incoming::Binary(bytes) => {
                    self.pace.count(&self.client);
                    self.handlers.binary(bytes, cx);
                }
                Incoming::Ping(payload) => {
                    let pong = protocol::pong(payload);
                    self.client.served.registry.deliver_own(&self.client, pong);
                }
                Incoming::Pong(_) => {}
                Incoming::Close(frame) => {
                    return Read::Ended(Ended::Client(frame.map(|frame| frame.code)));
                }
            }
        }
    }

    /// Ends the socket in both directions, whether the client answers or not.
    pub(super) async fn goodbye(mut self, ended: Ended) {
        let client = Arc::clone(&self.client);
        let (line, tuning) = (&client.line, &client.served.tuning);
        let cause = match &ended {
            Ended::Lost => return,
            Ended::Client(_) => None,
            Ended::Server(verdict) => Some(verdict.cause),
            Ended::Violation(violation) => {
                let (code, reason) = (violation.code(), violation.reason().into());
                line.end(Verdict { cause: Cause::Violation, code, reason });
                Some(Cause::Violation)
            }
        };
        let clock = client.served.registry.clock();
        if let Ended::Client(code) = ended {
            // What it sent before is done first, so that it may say goodbye at once; what
            // takes longer than that is dropped.
            let done = poll_fn(|cx| self.handlers.poll_until_done(cx));
            let _ = clock.timeout(tuning.close_timeout, done).await;
            line.answer_close(code);
        }
        let closing = clock.timeout(tuning.close_timeout, self.shut_down(cause.is_none()));
        let is_closed = closing.await.unwrap_or(false);
        if let Some(cause) = line.verdict().map(|verdict| verdict.cause).or(cause) {
            client.served.registry.metrics().ended(cause);
        }
        if !is_closed && let Some(socket) = line.socket() {
            socket.give_up_unsent();
        }
    }

    /// Sends what is left, then reads until the client has closed as well. Gives whether all
    /// was sent.
    async fn shut_down(&mut self, is_answered: bool) -> bool {
        let client = Arc::clone(&self.client);
        let Some(socket) = client.line.socket() else { return false };
        let tick = || client.served.registry.tick();
        let is_cut = || client.line.verdict().is_some_and(|verdict| verdict.cause == Cause::Cut);
        let flushed = poll_fn(|cx| {
            client.line.register(cx.waker());
            if is_cut() {
                return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
            }
            client.line.poll_flush(cx, tick())
        });
        if flushed.await.is_err() || poll_fn(|cx| socket.poll_shutdown(cx)).await.is_err() {
            return false;
        }
        if is_answered {
            return true;
        }
        // Closing with unread bytes would reset the connection, and the close frame with it.
        let mut scratch = vec![0; 4 << 10];
        let mut reads = 0;
        poll_fn(|cx| {
            loop {
                if is_cut() || reads > 1_000 {
                    return Poll::Ready(());
                }
                match socket.poll_read(cx, &mut scratch) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(count)) => reads += 1 + count / READ_MAX,
                }
                let mut input = &mut scratch[..];
                if matches!(self.decoder.next(&mut input), Ok(Some(Incoming::Close(_)))) {
                    return Poll::Ready(());
                }
            }
        })
        .await;
        true
    }
}

/// How fast a client sends (GCRA): one that sends faster is read more slowly.
#[derive(Default)]
struct Pace {
    /// When the next message would be due, at the pace that is allowed.
    due: Duration,
    until: Option<Sleep>,
}

impl Pace {
    fn count(&mut self, client: &Client) {
        let tuning = &client.served.tuning;
        if tuning.messages_per_second == 0 {
            return;
        }
        let clock = client.served.registry.clock();
        let now = clock.elapsed();
        let period = Duration::from_secs(1) / tuning.messages_per_second;
        self.due = self.due.max(now) + period;
        let ahead = self.due - now;
        let allowed = period * tuning.messages_burst.max(1);
        if ahead > allowed {
            self.until = Some(clock.sleep(ahead - allowed));
        }
    }

    fn is_over(&self) -> bool {
        self.until.is_some()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(until) = &mut self.until {
            match Pin::new(until).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.until = None,
            }
        }
        Poll::Ready(())
    }
}

/// The handlers of one socket: in the order of its messages, one at a time, but for events
/// that say they need no order.
struct Handlers {
    client: Arc<Client>,
    /// There while no ordered handler runs.
    channel: Option<Channel>,
    inbox: VecDeque<Inbound>,
    running: Option<Handling>,
    /// There once something ran unordered.
    beside: Option<Box<FuturesUnordered<Handling>>>,
}

impl Handlers {
    fn is_full(&self) -> bool {
        self.inbox.len() >= self.client.served.tuning.inbound_buffer
    }

    fn text(&mut self, text: &str, cx: &mut Context<'_>) {
        let served = Arc::clone(&self.client.served);
        let metrics = &served.runtime.metrics;
        metrics.messages_in.increment();
        match served.runtime.codec {
            Codec::Raw => self.raw(text.as_bytes(), false, cx),
            Codec::Json => match message::envelope(text, served.tuning.json_depth) {
                Some(envelope) => self.envelope(&envelope, cx),
                None => metrics.malformed.increment(),
            },
        }
    }

    fn binary(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let served = Arc::clone(&self.client.served);
        served.runtime.metrics.messages_in.increment();
        match served.runtime.codec {
            Codec::Raw => self.raw(bytes, true, cx),
            Codec::Json => served.runtime.metrics.malformed.increment(),
        }
    }

    fn raw(&mut self, bytes: &[u8], is_binary: bool, cx: &mut Context<'_>) {
        let served = &self.client.served;
        let Some(event) = &served.runtime.raw else {
            served.runtime.metrics.unknown.increment();
            return;
        };
        let data = Data { bytes: Bytes::copy_from_slice(bytes), is_binary };
        self.push(Inbound { work: Work::Event(Arc::clone(event)), id: None, data }, cx);
    }

    fn envelope(&mut self, envelope: &Envelope<'_>, cx: &mut Context<'_>) {
        let served = &self.client.served;
        let id = envelope.id.map(|id| Box::from(id.get()));
        let work = match served.runtime.events.get(&*envelope.event) {
            Some(event) => Work::Event(Arc::clone(event)),
            None if envelope.event == RENEW => Work::Renew,
            None => {
                served.runtime.metrics.unknown.increment();
                if let Some(id) = id {
                    let problem = Problem::of(&kinds::NOT_FOUND)
                        .with_detail("this gateway takes no event of that name");
                    self.answer(&id, &refused(&problem));
                }
                return;
            }
        };
        let data = envelope.data.map_or("null", |data| data.get());
        let bytes = Bytes::copy_from_slice(data.as_bytes());
        self.push(Inbound { work, id, data: Data { bytes, is_binary: false } }, cx);
    }

    fn push(&mut self, inbound: Inbound, cx: &mut Context<'_>) {
        // What never waits is done on the spot, if it is its turn.
        if let (Work::Event(event), Some(channel)) = (&inbound.work, &mut self.channel)
            && self.inbox.is_empty()
            && event.is_immediate()
        {
            let handled = event.handle_at_once(channel, inbound.data);
            return self.done(inbound.id, &handled);
        }
        self.inbox.push_back(inbound);
        self.poll(cx);
    }

    fn is_unordered(&self, inbound: &Inbound) -> bool {
        match &inbound.work {
            Work::Event(event) => self.client.served.runtime.unordered.contains(&event.name()),
            Work::Renew => false,
        }
    }

    /// Goes on with what runs, and begins what waits, in its order.
    fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(running) = &mut self.running
                && let Poll::Ready(done) = running.as_mut().poll(cx)
            {
                self.running = None;
                let Done { channel, id, handled } = done;
                self.channel = Some(channel);
                self.done(id, &handled);
            }
            while let Some(beside) = &mut self.beside
                && let Poll::Ready(Some(done)) = Pin::new(&mut **beside).poll_next(cx)
            {
                self.done(done.id, &done.handled);
            }
            let Some(next) = self.inbox.front() else { break };
            if self.is_unordered(next) {
                let beside = self.beside.get_or_insert_default();
                if beside.len() >= self.client.served.tuning.concurrency {
                    return;
                }
                let Some(channel) = &self.channel else { return };
                let channel = channel.fork();
                if let Some(inbound) = self.inbox.pop_front() {
                    beside.push(handle(Arc::clone(&self.client), channel, inbound));
                }
            } else {
                let Some(channel) = self.channel.take() else { return };
                if let Some(inbound) = self.inbox.pop_front() {
                    self.running = Some(handle(Arc::clone(&self.client), channel, inbound));
                }
            }
        }
        if self.inbox.capacity() > 4 {
            self.inbox = VecDeque::new();
        }
    }

    fn poll_until_done(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll(cx);
        let is_alone = self.beside.as_ref().is_none_or(|beside| beside.is_empty());
        let is_done = self.inbox.is_empty() && self.running.is_none() && is_alone;
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    }

    fn done(&self, id: Option<Box<str>>, handled: &Handled) {
        // Whoever waited for this was not idle.
        self.client.note_seen();
        if let Handled::Refused { status, .. } = handled {
            self.client.served.runtime.metrics.handler_errors.increment();
            tracing::debug!(socket = self.client.id, status, "a message was refused");
        }
        if let Some(id) = id {
            self.answer(&id, handled);
        }
    }

    fn answer(&self, id: &str, handled: &Handled) {
        let frame = match handled {
            Handled::Reply(data) => message::answer(id, "data", data),
            Handled::Refused { problem, .. } => message::answer(id, "error", problem),
        };
        self.client.served.registry.deliver_own(&self.client, frame);
        self.client.served.registry.metrics().delivered(1);
    }
}

fn refused(problem: &Problem) -> Handled {
    Handled::Refused { status: problem.status().as_u16(), problem: problem.to_json(None).into() }
}

fn handle(client: Arc<Client>, mut channel: Channel, inbound: Inbound) -> Handling {
    let Inbound { work, id, data } = inbound;
    Box::pin(async move {
        let handled = match work {
            Work::Event(event) => event.handle(&mut channel, data).await,
            Work::Renew => match renew(&client, &mut channel, &data.bytes).await {
                Ok(()) => Handled::Reply(Bytes::from_static(b"null")),
                Err(problem) => refused(&problem),
            },
        };
        Done { channel, id, handled }
    })
}

/// New credentials for the same caller, before the old ones run out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewal {
    token: String,
}

async fn renew(client: &Client, channel: &mut Channel, data: &[u8]) -> Result<(), Problem> {
    let renewal: Renewal = serde_json::from_slice(data).map_err(|_| {
        Problem::of(&kinds::INVALID_INPUT).with_detail("send `{\"token\": \"..\"}` as data")
    })?;
    let refused = || {
        Problem::of(&kinds::UNAUTHENTICATED)
            .with_detail("the token is not valid, or not for the caller that opened this socket")
    };
    let (Some(authenticator), Some(own)) = (&client.served.authenticator, client.claims()) else {
        return Err(refused());
    };
    let scheme = *authenticator.schemes().first().unwrap_or(&"Bearer");
    let credentials = Credentials { scheme, token: &renewal.token };
    match authenticator.authenticate(credentials).await {
        // Its rooms are those of this caller and tenant.
        Ok(claims) if claims.sub == own.sub && claims.tenant == own.tenant => {
            client.renew(&claims);
            channel.set_claims(Some(claims));
            Ok(())
        }
        Ok(_) => Err(refused()),
        Err(AuthError::Unavailable(_)) => Err(Problem::of(&kinds::UNAVAILABLE)),
        Err(_) => Err(refused()),
    }
}
