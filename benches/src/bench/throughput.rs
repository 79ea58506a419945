//! Requests per second of the server's CPU, and per second of the clock.
//!
//! All servers run at once and wait; in every round each is asked in turn, so that
//! what else the machine does meets all alike. The order changes from round to round.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use arcly_benches::measure::{ASKED, Asked};
use tokio::task::{JoinSet, LocalSet};

use crate::client::{Connection, Known, block_on, request};
use crate::server::{AXUM, LEAN, OURS, PEERS, Server, pin_client};
use crate::start::verdict;
use crate::{Extent, Spread};

const CONNECTIONS: usize = 32;
/// Without optional stages, ours is to do so many times axum's work.
const LEAN_RATIO_MIN: f64 = 1.15;

/// One server, one round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    per_cpu_second: f64,
    per_second: f64,
}

pub fn measure(extent: Extent) -> io::Result<String> {
    let servers = PEERS.map(Server::start).into_iter().collect::<io::Result<Vec<_>>>()?;
    let _pinned = pin_client()?;
    let mut text = format!(
        "## Throughput\n\nOne server thread on one core, the client on the other, {CONNECTIONS} \
         connections with one request each at a time; {} rounds of {} ms, interleaved. Work per \
         CPU-second is requests by the seconds that the server's threads ran (user and kernel): \
         median and spread. `pair` is the median of the ratios to axum within a round.\n",
        extent.rounds,
        extent.round.as_millis()
    );
    let mut worst = f64::INFINITY;
    for asked in ASKED {
        let mut samples = vec![Vec::with_capacity(extent.rounds); servers.len()];
        let before = servers.iter().map(Server::ticks).collect::<io::Result<Vec<_>>>()?;
        for round in 0..extent.rounds {
            for turn in 0..servers.len() {
                let index = (turn + round * 3) % servers.len();
                samples[index].push(sample(&servers[index], asked, extent.round)?);
            }
        }
        let _ = write!(
            text,
            "\n### {}\n\n| server | requests per CPU-second | spread | of axum | pair | per second \
             | in the kernel |\n|---|---:|---:|---:|---:|---:|---:|\n",
            asked.path
        );
        let axum = PEERS.iter().position(|peer| *peer == AXUM).unwrap_or(0);
        let work = |index: usize| -> Vec<f64> {
            samples[index].iter().map(|sample| sample.per_cpu_second).collect()
        };
        let base = work(axum);
        for (index, peer) in PEERS.iter().enumerate() {
            let own = work(index);
            let pair = own.iter().zip(&base).map(|(own, base)| own / base).collect();
            let (own, pair) = (Spread::of(own), Spread::of(pair));
            let wall = Spread::of(samples[index].iter().map(|sample| sample.per_second).collect());
            let (user, system) = servers[index].ticks()?;
            let (user, system) = (user - before[index].0, system - before[index].1);
            if *peer == LEAN {
                worst = worst.min(pair.median);
            }
            let name = if [OURS, LEAN].contains(peer) {
                format!("**{}**", peer.name)
            } else {
                peer.name.to_owned()
            };
            let _ = writeln!(
                text,
                "| {name} | {:.0} | {:.0}-{:.0} | {:.2} | {:.2} | {:.0} | {:.0} % |",
                own.median,
                own.least,
                own.most,
                own.median / Spread::of(base.clone()).median,
                pair.median,
                wall.median,
                system as f64 * 100.0 / (user + system).max(1) as f64
            );
        }
    }
    let _ = writeln!(
        text,
        "\nGoal of ours with optional stages off: {LEAN_RATIO_MIN} of axum's work; the least pair \
         is {worst:.2}; {}.",
        verdict(worst >= LEAN_RATIO_MIN)
    );
    Ok(text)
}

fn sample(server: &Server, asked: Asked, time: Duration) -> io::Result<Sample> {
    block_on(LocalSet::new().run_until(async {
        let bytes: Rc<[u8]> = request(server.addr, asked).into();
        let mut connections = vec![];
        let mut length = 0;
        for _ in 0..CONNECTIONS {
            let mut connection = Connection::open(server.addr).await?;
            let answer = connection.ask(&bytes).await?;
            length = answer.head.len() + answer.body.len();
            connections.push(connection);
        }
        let known = Known { status: "200", length };
        let done = Rc::new(Cell::new(0_u64));
        let cpu = server.cpu_nanos()?;
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let (bytes, done) = (Rc::clone(&bytes), Rc::clone(&done));
            tasks.spawn_local(async move {
                while begun.elapsed() < time {
                    connection.ask_known(&bytes, known).await?;
                    done.set(done.get() + 1);
                }
                // Kept open, so that closing it is not measured.
                Ok::<_, io::Error>(connection)
            });
        }
        let mut kept = vec![];
        while let Some(ended) = tasks.join_next().await {
            kept.push(ended.map_err(io::Error::other)??);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let cpu = (server.cpu_nanos()? - cpu) as f64 / 1e9;
        let done = done.get() as f64;
        Ok(Sample { per_cpu_second: done / cpu, per_second: done / seconds })
    }))
}
