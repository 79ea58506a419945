//! The server: accept, serve, drain.

mod connection;
mod framing;
mod io;
mod limit;
mod listener;
mod meter;
mod owner;
mod proxy;
mod tls;
mod upgrade;
mod watchdog;

use std::future::{Future, Pending};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::io::DuplexStream;

use connection::{Accepted, Target};
pub(crate) use limit::network;
pub use limit::raise_open_files;
use limit::{Places, within_open_files};
use listener::Transport;
pub use listener::{Address, Listener};
pub(crate) use meter::OpenRequest;
use owner::Owner;
pub use proxy::Network;
pub(crate) use proxy::client_address;
pub use tls::{Tls, TlsError, TlsFiles};
pub use upgrade::{Socket, Upgrade};
use watchdog::Limits;
pub(crate) use watchdog::RATE_MIN;

use crate::admin::Admin;
use crate::app::{LaunchConfig, Launched};

/// What a connection is told for which there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\
    retry-after: 5\r\nconnection: close\r\n\r\n";

/// What stopping came to.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Connections and HTTP/2 streams that were still busy when the deadline passed, and were cut.
    pub cut: usize,
}

/// When a server stops.
///
/// Both futures are polled by the server alone; dropping it drops them.
#[derive(Debug)]
pub struct Stopping<S, C> {
    /// Take no more work, and finish what is running within the drain time.
    pub stop: S,
    /// Do not even wait for that.
    pub cut: C,
}

impl<S: Future<Output = ()>> Stopping<S, Pending<()>> {
    /// Stops once, and waits as long as it takes within the drain time.
    pub fn when(stop: S) -> Self {
        Self { stop, cut: std::future::pending() }
    }
}

/// Serves an application on all listeners until it is told to stop, then lets running
/// requests finish within [`LaunchConfig::drain`] and cuts those that do not; the `on_drain`
/// hooks run meanwhile. No connection is left when it returns.
pub async fn serve(
    app: &Launched,
    listeners: Vec<Listener>,
    stopping: Stopping<impl Future<Output = ()>, impl Future<Output = ()>>,
) -> Drained {
    let target = Target::App(Arc::clone(&app.runtime));
    run(&target, &app.config, listeners, stopping, app.drain()).await
}

/// A connection of a client in the same process, for tests: the client's end, and the
/// work that answers it. It ends when either end is dropped.
pub fn connect_in_memory(
    app: &Launched,
) -> (DuplexStream, impl Future<Output = ()> + Send + use<>) {
    let (client, server) = tokio::io::duplex(64 << 10);
    let accepted = Accepted {
        socket: Transport::Memory(server),
        peer: None,
        tls: None,
        reads_proxy_header: false,
    };
    let target = Target::App(Arc::clone(&app.runtime));
    (client, connection::serve(accepted, target, Owner::new(), Limits::of(&app.config)))
}

/// Serves probes, metrics and the console until `stop` resolves.
pub async fn serve_admin(
    admin: &Arc<Admin>,
    listener: Listener,
    stop: impl Future<Output = ()>,
) -> Drained {
    let config = LaunchConfig {
        drain: Duration::from_secs(1),
        connections_max: ADMIN_CONNECTIONS_MAX,
        ..LaunchConfig::default()
    };
    let target = Target::Admin(Arc::clone(admin));
    run(&target, &config, vec![listener], Stopping::when(stop), std::future::ready(())).await
}

/// Most connections of the admin listener at a time.
const ADMIN_CONNECTIONS_MAX: usize = 256;

async fn run(
    target: &Target,
    config: &LaunchConfig,
    listeners: Vec<Listener>,
    stopping: Stopping<impl Future<Output = ()>, impl Future<Output = ()>>,
    hooks: impl Future<Output = ()>,
) -> Drained {
    let owner = Owner::new();
    let limits = Limits::of(config);
    let places =
        Places::new(within_open_files(config.connections_max), config.address_connections_max);
    let doors: Vec<Door<'_>> = listeners
        .iter()
        .map(|from| Door { from, target, owner: &owner, limits, places: &places })
        .collect();
    let measuring = async {
        match target {
            Target::App(runtime) => runtime.admission.delay.watch(&owner.tasks).await,
            Target::Admin(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = stopping.stop => {}
        () = measuring => {}
        _ = join_all(doors.iter().map(Door::accept_all)) => {}
    }
    // Whoever has connected already is let in; closing would reset them.
    for door in &doors {
        door.accept_waiting();
    }
    drop(doors);
    drop(listeners);
    owner.tasks.close();
    owner.drain();
    // Whatever lives on connections is told to end while requests are answered.
    let ending = async { tokio::join!(owner.tasks.wait(), hooks) };
    tokio::select! {
        biased;
        _ = ending => return Drained { cut: 0 },
        () = tokio::time::sleep(config.drain) => {}
        () = stopping.cut => {}
    }
    let cut = owner.tasks.len();
    owner.cut();
    owner.tasks.wait().await;
    Drained { cut }
}

/// Where the connections of one listener come in.
struct Door<'s> {
    from: &'s Listener,
    target: &'s Target,
    owner: &'s Owner,
    limits: Limits,
    places: &'s Arc<Places>,
}

/// What the system tells of a connection, and not of the listener: whoever causes it is
/// not to slow down all others.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkDown
            | NetworkUnreachable
    )
}

/// Most connections that are let in after the server was told to stop.
const LATE_MAX: usize = 1024;

impl Door<'_> {
    /// Accepts for as long as it is polled.
    async fn accept_all(&self) {
        loop {
            match self.from.accept().await {
                Ok((socket, peer)) => self.enter(socket, peer),
                // Of a client that has left already, or cannot be reached.
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    // Out of file descriptors, mostly: waiting frees some.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn accept_waiting(&self) {
        for _ in 0..LATE_MAX {
            match self.from.accept().now_or_never() {
                Some(Ok((socket, peer))) => self.enter(socket, peer),
                Some(Err(_)) | None => return,
            }
        }
    }

    fn enter(&self, socket: Transport, peer: Option<SocketAddr>) {
        socket.set_write_timeout(self.limits.write);
        let place = match self.places.take(peer.map(|peer| peer.ip())) {
            Ok(place) => place,
            Err(full) => {
                tracing::debug!(?full, ?peer, "a connection was refused");
                if self.from.tls.is_none() {
                    socket.write_at_once(FULL);
                }
                return;
            }
        };
        let accepted = Accepted {
            socket,
            peer,
            tls: self.from.tls.clone(),
            reads_proxy_header: self.from.reads_proxy_header,
        };
        let (target, owner) = (self.target.clone(), self.owner.clone());
        let connection = connection::serve(accepted, target, owner, self.limits);
        self.owner.tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}
