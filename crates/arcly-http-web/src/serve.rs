//! The server: accept, serve, drain.

mod connection;
mod framing;
mod io;
mod limit;
mod meter;
mod owner;
mod watchdog;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use connection::Target;
use limit::Places;
pub(crate) use meter::OpenRequest;
use owner::Owner;
use watchdog::Limits;
pub(crate) use watchdog::RATE_MIN;

use crate::admin::Admin;
use crate::app::{AppError, LaunchConfig, Launched};

/// Opens a listener.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(addr: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(addr).await.map_err(|source| AppError::Listen { addr, source })
}

/// What a connection is told for which there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\
    retry-after: 5\r\nconnection: close\r\n\r\n";

/// What stopping came to.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Connections and HTTP/2 streams that were still busy when the deadline passed, and were cut.
    pub cut: usize,
}

/// Serves until `stop` resolves, then lets running requests finish within
/// [`LaunchConfig::drain`] and cuts those that do not. No connection is left when it
/// returns.
pub async fn serve(
    app: &Launched,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Drained {
    run(Target::App(Arc::clone(&app.runtime)), &app.config, listener, stop).await
}

/// Serves probes, metrics and the console until `stop` resolves.
pub async fn serve_admin(
    admin: &Arc<Admin>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Drained {
    let config = LaunchConfig {
        drain: Duration::from_secs(1),
        connections_max: ADMIN_CONNECTIONS_MAX,
        ..LaunchConfig::default()
    };
    run(Target::Admin(Arc::clone(admin)), &config, listener, stop).await
}

/// Most connections of the admin listener at a time.
const ADMIN_CONNECTIONS_MAX: usize = 256;

async fn run(
    target: Target,
    config: &LaunchConfig,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Drained {
    let owner = Owner::new();
    let limits = Limits {
        header: config.header_timeout,
        body: config.body_timeout,
        keep_alive: config.keep_alive,
        write: config.write_timeout,
    };
    let places = Places::new(config.connections_max, config.address_connections_max);
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
        let place = match places.take(Some(peer.ip())) {
            Ok(place) => place,
            Err(full) => {
                tracing::debug!(?full, %peer, "a connection was refused");
                // The buffer of a fresh socket takes this; if not, closing says enough.
                let _ = socket.try_write(FULL);
                continue;
            }
        };
        let target = target.clone();
        let connection = connection::serve(socket, Some(peer), target, owner.clone(), limits);
        owner.tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    owner.tasks.close();
    owner.drain();
    if tokio::time::timeout(config.drain, owner.tasks.wait()).await.is_ok() {
        return Drained { cut: 0 };
    }
    let busy = owner.tasks.len();
    owner.cut();
    owner.tasks.wait().await;
    Drained { cut: busy }
}
