//! Connections that are kept and say nothing: what they cost, and when they are closed.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use arcly_benches::measure::ASKED;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::Extent;
use crate::client::{Connection, block_on, request};
use crate::server::{AXUM, Peer, Server};

/// How long ours keeps an idle connection here.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How much later is still waited for.
const GRACE: Duration = Duration::from_secs(10);

const OURS: Peer = Peer { name: "ours", binary: "server-arcly", arguments: &["keep-alive=20"] };

pub fn measure(extent: Extent) -> io::Result<String> {
    let mut text = format!(
        "## Idle connections\n\n{} connections that were answered once and are kept; resident \
         memory of the server in bytes (that of the kernel is not in it). `keep_alive` of ours is \
         {} s here; axum's own server has no such limit.\n\n\
         | server | at first | each connection | closed | first and last, after the answer |\n\
         |---|---:|---:|---:|---:|\n",
        extent.connections,
        KEEP_ALIVE.as_secs()
    );
    for peer in [AXUM, OURS] {
        let server = Server::start(peer)?;
        let found = block_on(hold(&server, extent.connections))?;
        let times = match found.closed {
            0 => "-".to_owned(),
            _ => format!("{:.1} s and {:.1} s", found.first, found.last),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {} of {} | {times} |",
            peer.name, found.before, found.each, found.closed, extent.connections
        );
    }
    Ok(text)
}

struct Found {
    before: u64,
    each: f64,
    closed: usize,
    first: f64,
    last: f64,
}

async fn hold(server: &Server, count: usize) -> io::Result<Found> {
    let bytes = request(server.addr, ASKED[1]);
    Connection::open(server.addr).await?.ask(&bytes).await?;
    let before = server.resident()?;
    let mut held = JoinSet::new();
    for _ in 0..count {
        let mut connection = Connection::open(server.addr).await?;
        connection.ask(&bytes).await?;
        let answered = Instant::now();
        held.spawn(async move {
            let mut byte = [0];
            let ended = tokio::time::timeout(KEEP_ALIVE + GRACE, connection.socket.read(&mut byte));
            ended.await.is_ok().then(|| answered.elapsed().as_secs_f64())
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let each = server.resident()?.saturating_sub(before) as f64 / count as f64;
    let times: Vec<f64> = held.join_all().await.into_iter().flatten().collect();
    let first = times.iter().copied().fold(f64::INFINITY, f64::min);
    let last = times.iter().copied().fold(0.0, f64::max);
    Ok(Found { before, each, closed: times.len(), first, last })
}
