//! The server: accept, serve, drain.

mod connection;
mod io;
mod meter;
mod owner;
mod watchdog;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub(crate) use meter::OpenRequest;
use owner::Owner;
use watchdog::Limits;
pub(crate) use watchdog::RATE_MIN;

use crate::app::{AppError, Launched};

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
    /// Connections and HTTP/2 streams that were still busy when the deadline passed, and were cut.
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
    let owner = Owner::new();
    let limits = Limits {
        header: app.config.header_timeout,
        body: app.config.body_timeout,
        keep_alive: app.config.keep_alive,
        write: app.config.write_timeout,
    };
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
        owner.tasks.spawn(connection::serve(socket, Some(peer), runtime, owner.clone(), limits));
    }
    drop(listener);
    owner.tasks.close();
    owner.drain();
    if tokio::time::timeout(app.config.drain, owner.tasks.wait()).await.is_ok() {
        return Drained { cut: 0 };
    }
    let busy = owner.tasks.len();
    owner.cut();
    owner.tasks.wait().await;
    Drained { cut: busy }
}
