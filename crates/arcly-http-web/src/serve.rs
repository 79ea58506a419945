//! The server: accept, serve, drain.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Body;
use crate::app::{AppError, Launched};
use crate::pipeline::handle;

/// Opens a listener.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(addr: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(addr).await.map_err(|source| AppError::Listen { addr, source })
}

/// What stopping came to.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Connections that were still busy when the deadline passed, and were cut.
    pub cut: usize,
}

/// Serves until `stop` resolves, then lets running requests finish within
/// [`crate::app::LaunchConfig::drain`] and cuts those that do not. No connection
/// is left when it returns.
pub async fn serve(
    app: &Launched,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Drained {
    let graceful = GracefulShutdown::new();
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut stop = pin!(stop);
    loop {
        let (socket, peer) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: waiting frees some.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let _ = socket.set_nodelay(true);
        let runtime = Arc::clone(&app.runtime);
        let service =
            hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let work = handle(Arc::clone(&runtime), request.map(Body::from), Some(peer));
                async move { Ok::<_, std::convert::Infallible>(work.await) }
            });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(app.config.header_timeout);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
        let connection = builder.serve_connection(TokioIo::new(socket), service).into_owned();
        let watched = graceful.watch(connection);
        let cut = cut.clone();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                result = watched => if let Err(error) = result {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
        });
    }
    drop(listener);
    tasks.close();
    let deadline = app.config.drain;
    let finished = tokio::time::timeout(deadline, async {
        graceful.shutdown().await;
        tasks.wait().await;
    });
    if finished.await.is_ok() {
        return Drained { cut: 0 };
    }
    let busy = tasks.len();
    cut.cancel();
    tasks.wait().await;
    Drained { cut: busy }
}
