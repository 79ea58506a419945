//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arcly_http_core::problem::Problem;
use arcly_http_core::scope::RequestId;
use http::Version;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::framing;
use super::io::Metered;
use super::meter::{Meter, OpenRequest};
use super::owner::{CUT, DRAINING, Owner, RUNNING, Watch};
use super::watchdog::{Limits, Watchdog};
use crate::admin::Admin;
use crate::context::Seen;
use crate::pipeline::{Answer, Runtime, begin, refuse, render_problem};
use crate::{Body, Response};

/// Serves one connection until it ends, is idle or slow for too long, or the
/// server stops.
pub(super) async fn serve<S>(
    socket: S,
    peer: Option<SocketAddr>,
    target: Target,
    owner: Owner,
    limits: Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let meter = Arc::new(Meter::default());
    let mut watch = owner.watch();
    let mut socket = Metered::new(socket, Arc::clone(&meter));
    let is_http2 = {
        let mut first = pin!(tokio::time::timeout(limits.header, socket.begins_http2()));
        let told = poll_fn(|cx| match watch.stage(cx) {
            RUNNING => first.as_mut().poll(cx).map(Some),
            // Nothing was asked yet.
            _ => Poll::Ready(None),
        });
        match told.await {
            Some(Ok(Ok(is_http2))) => is_http2,
            Some(Ok(Err(_)) | Err(_)) | None => return,
        }
    };
    let service = Service { target, peer, body_timeout: limits.body, meter: Arc::clone(&meter) };
    let watchdog = Watchdog::new(meter, limits, is_http2);
    let socket = TokioIo::new(socket);
    let ended = if is_http2 {
        let mut builder = http2::Builder::new(owner);
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_MAX);
        let connection = pin!(builder.serve_connection(socket, service));
        drive(connection, |connection| connection.graceful_shutdown(), watch, watchdog).await
    } else {
        let mut builder = http1::Builder::new();
        // The watchdog times heads; a timer for each would cost more than the rest.
        // `pipeline_flush` stays off: with it, the 400 for a malformed head is not sent.
        builder.max_buf_size(HEAD_MAX as usize).header_read_timeout(None);
        let connection = pin!(builder.serve_connection(socket, service).with_upgrades());
        drive(connection, |connection| connection.graceful_shutdown(), watch, watchdog).await
    };
    match ended {
        Ended::Closed(Ok(())) => {}
        Ended::Closed(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Ended::TooSlow(what) => tracing::debug!(what, "a connection was closed"),
        Ended::Cut => tracing::debug!("a connection was cut"),
    }
}

/// Most bytes of a head, and of what is read ahead.
const HEAD_MAX: u32 = 64 << 10;
/// Most requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 200;

enum Ended {
    Closed(hyper::Result<()>),
    TooSlow(&'static str),
    Cut,
}

async fn drive<C>(
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    mut watch: Watch,
    mut watchdog: Watchdog,
) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut is_finishing = false;
    poll_fn(|cx| {
        match watch.stage(cx) {
            CUT => return Poll::Ready(Ended::Cut),
            DRAINING if !is_finishing => {
                is_finishing = true;
                finish(connection.as_mut());
            }
            _ => {}
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(Ended::Closed(result));
        }
        watchdog.poll(cx).map(Ended::TooSlow)
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
    body_timeout: Duration,
    meter: Arc<Meter>,
}

impl Service {
    fn refuse(&self, request: &http::Request<Body>, seen: Seen) -> Result<(), Problem> {
        framing::refuse(request, seen)?;
        if seen.has(Seen::TRANSFER_ENCODING)
            && request.version() == Version::HTTP_11
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
        let open = self.meter.open();
        let request = request.map(|body| Body::incoming(body, self.body_timeout));
        let seen = Seen::of(request.headers());
        let answer = match (self.refuse(&request, seen), &self.target) {
            (Ok(()), Target::App(runtime)) => begin(runtime, request, seen, self.peer),
            (Err(problem), Target::App(runtime)) => refuse(runtime, &request, seen, &problem),
            (Ok(()), Target::Admin(admin)) => admin.answer(&request),
            (Err(problem), Target::Admin(_)) => {
                Answer::Ready(Some(render_problem(&problem, &RequestId::fresh())))
            }
        };
        Answering { answer, open: Some(open) }
    }
}

/// An answer that keeps its request open until the body is sent.
struct Answering {
    answer: Answer,
    open: Option<OpenRequest>,
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(Pin::new(&mut self.answer).poll(cx));
        if let Some(open) = self.open.take() {
            response.body_mut().hold(open);
        }
        Poll::Ready(Ok(response))
    }
}
