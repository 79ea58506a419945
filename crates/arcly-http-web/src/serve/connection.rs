//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arcly_http_core::problem::Problem;
use arcly_http_core::scope::RequestId;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::request::Parts;
use http::{HeaderValue, Version};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Sleep;

use super::framing;
use super::io::Metered;
use super::listener::Transport;
use super::meter::{Meter, OpenRequest};
use super::owner::{CUT, DRAINING, Owner, RUNNING, Streams, Watch};
use super::proxy;
use super::tls::{self, Tls};
use super::watchdog::{Limits, Reason, Watchdog};
use crate::admin::Admin;
use crate::context::{Hosts, Seen};
use crate::pipeline::{Answer, Runtime, begin, refuse, render_problem};
use crate::{Body, Response};

/// A connection as it was accepted: nothing has been read from it.
pub(super) struct Accepted {
    pub(super) socket: Transport,
    pub(super) peer: Option<SocketAddr>,
    pub(super) tls: Option<Tls>,
    pub(super) reads_proxy_header: bool,
}

/// A connection that is ready for its first request.
struct Opened {
    socket: Metered,
    peer: Option<SocketAddr>,
    is_http2: bool,
    is_tls: bool,
}

/// Everything before the first request: the balancer's header, the TLS handshake,
/// and which protocol the client speaks.
async fn open(accepted: Accepted, meter: &Arc<Meter>) -> io::Result<Opened> {
    let Accepted { mut socket, mut peer, tls, reads_proxy_header } = accepted;
    if reads_proxy_header && let Some(client) = proxy::read_header(&mut socket).await? {
        peer = Some(client);
    }
    let is_tls = tls.is_some();
    if let Some(tls) = tls {
        let stream = tls.accept(socket).await?;
        let is_http2 = tls::is_http2(&stream);
        let socket = Transport::Tls(Box::new(stream));
        let socket = Metered::new(socket, Arc::clone(meter));
        return Ok(Opened { socket, peer, is_http2, is_tls });
    }
    let mut socket = Metered::new(socket, Arc::clone(meter));
    let is_http2 = socket.begins_http2().await?;
    Ok(Opened { socket, peer, is_http2, is_tls })
}

/// Serves one connection until it ends, is idle or slow for too long, or the
/// server stops.
pub(super) async fn serve(accepted: Accepted, target: Target, owner: Owner, limits: Limits) {
    let meter = Arc::new(Meter::default());
    let mut watch = owner.watch();
    let opened = {
        let mut opening = pin!(tokio::time::timeout(limits.header, open(accepted, &meter)));
        let mut grace = Grace::default();
        let opened = poll_fn(|cx| match watch.stage(cx) {
            RUNNING => opening.as_mut().poll(cx).map(Some),
            DRAINING if !grace.is_over(cx) => opening.as_mut().poll(cx).map(Some),
            // Nothing was asked yet.
            _ => Poll::Ready(None),
        });
        match opened.await {
            Some(Ok(Ok(opened))) => opened,
            Some(Ok(Err(error))) => {
                tracing::debug!(%error, "a connection was not opened");
                return;
            }
            Some(Err(_)) | None => return,
        }
    };
    let Opened { socket, peer, is_http2, is_tls } = opened;
    let service = Service {
        target,
        peer,
        is_tls,
        is_http2,
        body_timeout: limits.body,
        meter: Arc::clone(&meter),
    };
    let watchdog = Watchdog::new(Arc::clone(&meter), limits, is_http2);
    let socket = TokioIo::new(socket);
    let ended = if is_http2 {
        meter.stop_keeping();
        let streams = Streams { owner, meter: Arc::clone(&meter), write: limits.write };
        let mut builder = http2::Builder::new(streams);
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_MAX);
        let connection = pin!(builder.serve_connection(socket, service));
        drive(connection, |connection| connection.graceful_shutdown(), &meter, watch, watchdog)
            .await
    } else {
        let mut builder = http1::Builder::new();
        // The watchdog times heads; a timer for each would cost more than the rest.
        // `pipeline_flush` stays off: with it, the 400 for a malformed head is not sent.
        // Head and body go out by one `write`, which is cheaper than a vectored one while
        // pieces are small; `Body` gives out large ones in parts.
        builder.max_buf_size(HEAD_MAX as usize).header_read_timeout(None).writev(false);
        let connection = pin!(builder.serve_connection(socket, service).with_upgrades());
        drive(connection, |connection| connection.graceful_shutdown(), &meter, watch, watchdog)
            .await
    };
    match ended {
        Ended::Closed(Ok(())) => {}
        Ended::Closed(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Ended::TooSlow(reason) => tracing::debug!(%reason, "a connection was closed"),
        Ended::Cut => tracing::debug!("a connection was cut"),
    }
}

/// Most bytes of a head, and of what is read ahead.
const HEAD_MAX: u32 = 64 << 10;
/// Most requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 200;

/// How long an idle connection stays open once the server drains: a request that was
/// on its way already is answered instead of being met by a closed door.
const GRACE: Duration = Duration::from_millis(250);

#[derive(Default)]
struct Grace(Option<Pin<Box<Sleep>>>);

impl Grace {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(GRACE)));
        timer.as_mut().poll(cx).is_ready()
    }
}

enum Ended {
    Closed(hyper::Result<()>),
    TooSlow(Reason),
    Cut,
}

async fn drive<C>(
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    meter: &Meter,
    mut watch: Watch,
    mut watchdog: Watchdog,
) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut is_finishing = false;
    let mut grace = Grace::default();
    poll_fn(|cx| {
        match watch.stage(cx) {
            CUT => return Poll::Ready(Ended::Cut),
            DRAINING if !is_finishing && (!meter.is_idle() || grace.is_over(cx)) => {
                is_finishing = true;
                finish(connection.as_mut());
            }
            _ => {}
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Ended::Closed(result));
        }
        watchdog.poll(cx).map(|reason| {
            if reason == Reason::Untaken {
                meter.give_up();
            }
            Ended::TooSlow(reason)
        })
    })
    .await
}

/// Who answers on a listener.
#[derive(Clone)]
pub(super) enum Target {
    App(Arc<Runtime>),
    Admin(Arc<Admin>),
}

/// The pipeline, as hyper calls it.
struct Service {
    target: Target,
    peer: Option<SocketAddr>,
    is_tls: bool,
    is_http2: bool,
    body_timeout: Duration,
    meter: Arc<Meter>,
}

impl Service {
    fn refuse(&self, parts: &Parts, seen: Seen, hosts: Hosts<'_>) -> Result<(), Problem> {
        framing::refuse(parts, seen, hosts)?;
        if seen.has(Seen::TRANSFER_ENCODING)
            && parts.version == Version::HTTP_11
            && self.meter.is_ambiguous()
        {
            return Err(framing::refused(
                "send either `content-length` or `transfer-encoding`, not both",
            ));
        }
        Ok(())
    }
}

impl hyper::service::Service<http::Request<hyper::body::Incoming>> for Service {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<hyper::body::Incoming>) -> Answering {
        let open = self.meter.open(self.is_http2);
        // A request is moved as seldom as can be: it is 200 bytes and more.
        let (parts, body) = request.into_parts();
        let (seen, hosts) = Seen::with_hosts(&parts.headers);
        let refused = self.refuse(&parts, seen, hosts).err();
        let answer = match (refused, &self.target) {
            (None, Target::App(runtime)) => {
                begin(runtime, parts, Body::incoming(body, self.body_timeout), seen, self.peer)
            }
            (Some(problem), Target::App(runtime)) => refuse(runtime, &parts, seen, &problem),
            (None, Target::Admin(admin)) => {
                let body = Body::incoming(body, self.body_timeout);
                admin.answer(http::Request::from_parts(parts, body))
            }
            (Some(problem), Target::Admin(_)) => {
                Answer::Ready(Some(render_problem(&problem, &RequestId::fresh())))
            }
        };
        Answering { answer, open: Some(open), is_tls: self.is_tls }
    }
}

/// A browser that came by TLS comes by TLS for a year (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// An answer that keeps its request open until the body is sent.
struct Answering {
    answer: Answer,
    open: Option<OpenRequest>,
    is_tls: bool,
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(Pin::new(&mut self.answer).poll(cx));
        if self.is_tls {
            response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
        }
        if let Some(open) = self.open.take() {
            response.body_mut().hold(open);
        }
        Poll::Ready(Ok(response))
    }
}
