//! WebSockets: messages that arrive per second of the server's CPU, how late they do, and
//! what an idle socket costs.
//!
//! In every round each server is started anew, filled with sockets and asked everything,
//! one server after the other in changing order. All send the same bytes.

use std::fmt::Write as _;
use std::io;
use std::process::Command;
use std::time::Duration;

use arcly_benches::measure::free_address;
use arcly_benches::sockets::{Found, Swarm, Until, check};

use crate::server::{Peer, Server, path, pin_client, pinned};
use crate::start::verdict;
use crate::{Extent, Spread, percentile};

const OURS: Peer = Peer { name: "ours", binary: "server-ws", arguments: &[] };
const NAIVE: Peer =
    Peer { name: "axum, a task and a copy each", binary: "server-sockets", arguments: &[] };
const TUNED: Peer = Peer { name: "axum, tuned", binary: "server-sockets", arguments: &["tuned"] };
/// Which is a program that a script is given to.
const BUN: Peer = Peer { name: "Bun", binary: "bun.js", arguments: &[] };

const PEERS: [Peer; 4] = [OURS, BUN, TUNED, NAIVE];

/// Sockets of the echo, each of which has one message on its way.
const ECHOES: usize = 64;
/// Of what ours is asked: at least so many times the messages of Bun.
const ECHO_MIN: f64 = 1.10;
const BROADCAST_MIN: f64 = 1.05;
/// And of the naive server, when 16 messages come at once.
const NAIVE_MIN: f64 = 10.0;
/// Bytes of an idle socket.
const IDLE_MAX: f64 = 4096.0;

/// What is measured.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// In one room; of an echo, in none.
    members: Option<usize>,
    payload: usize,
    /// Publishes that come in one segment.
    together: usize,
}

impl Case {
    fn name(self) -> String {
        match self.members {
            None => format!("echo, {ECHOES} sockets, {} B", self.payload),
            Some(members) => {
                format!("broadcast to {members}, {} B, {} at once", self.payload, self.together)
            }
        }
    }
}

/// One server, one round.
#[derive(Debug, Clone)]
struct Sample {
    per_cpu_second: f64,
    latencies: Vec<f64>,
}

/// Cases and servers, each with its samples.
type Table = Vec<(Case, [Vec<Sample>; PEERS.len()])>;

pub fn measure(extent: Extent) -> io::Result<String> {
    let _pinned = pin_client()?;
    let rounds = extent.rounds.div_ceil(2);
    let rooms = [1_000, 5_000];
    let mut table: Table =
        vec![(Case { members: None, payload: 128, together: 1 }, Default::default())];
    for members in rooms {
        for (payload, together) in [(128, 1), (128, 16), (1024, 1), (1024, 16)] {
            table.push((Case { members: Some(members), payload, together }, Default::default()));
        }
    }
    let mut idle: [Vec<f64>; PEERS.len()] = Default::default();
    for round in 0..rounds {
        for turn in 0..PEERS.len() {
            let index = (turn + round) % PEERS.len();
            let echo = (None, "/echo", ECHOES);
            let rooms = rooms.map(|members| (Some(members), "/room", members));
            for (members, path, count) in std::iter::once(echo).chain(rooms) {
                let server = start(PEERS[index])?;
                // After this, whatever is made for the first socket is there, too.
                check(server.addr, path)?;
                let before = server.resident()?;
                let mut swarm = Swarm::open(server.addr, path, count)?;
                std::thread::sleep(Duration::from_millis(300));
                if count == 5_000 {
                    let grown = server.resident()?.saturating_sub(before);
                    idle[index].push(grown as f64 / count as f64);
                }
                for (case, samples) in &mut table {
                    if case.members == members {
                        samples[index].push(sample(&server, &mut swarm, *case, extent.round)?);
                    }
                }
            }
        }
    }
    Ok(report(&table, &idle, rounds, extent.round))
}

fn start(peer: Peer) -> io::Result<Server> {
    if peer != BUN {
        return Server::start(peer);
    }
    let addr = free_address()?;
    let mut command: Command = pinned("bun")?;
    command.arg(script()).arg(addr.to_string());
    Server::spawn(command, addr)
}

fn script() -> String {
    format!("{}/peers/sockets/{}", env!("CARGO_MANIFEST_DIR"), BUN.binary)
}

fn sample(server: &Server, swarm: &mut Swarm, case: Case, time: Duration) -> io::Result<Sample> {
    let mut run = |until| -> io::Result<Found> {
        match case.members {
            None => swarm.echo(case.payload, until),
            Some(_) => swarm.broadcast(case.payload, case.together, until),
        }
    };
    // Compilers at run time want to see the work first.
    run(Until::Passed(time / 3))?;
    let cpu = server.cpu_nanos()?;
    let found = run(Until::Passed(time))?;
    let cpu = (server.cpu_nanos()? - cpu) as f64 / 1e9;
    Ok(Sample { per_cpu_second: found.arrived as f64 / cpu, latencies: found.latencies })
}

fn report(table: &Table, idle: &[Vec<f64>; PEERS.len()], rounds: usize, round: Duration) -> String {
    let mut text = format!(
        "## WebSockets\n\nOne server thread on one core, the client on the other; {rounds} rounds \
         of {} ms. Everybody is in one room, one of them publishes, and does so again when all \
         have everything; `16 at once` are 16 messages in one write. Messages that arrive, per \
         second that the server's threads ran (user and kernel): median and spread; `pair` is the \
         median of ours to this one within a round. Latencies from sending until a socket has all \
         that was sent at once, in ms, for what they are worth on this machine. Bun {}.\n\n\
         | case | server | arrived per CPU-second | spread | pair | p50 | p99 |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
        round.as_millis(),
        version().unwrap_or_default(),
    );
    let mut goals = String::new();
    for (case, samples) in table {
        let work = |index: usize| -> Vec<f64> {
            samples[index].iter().map(|sample| sample.per_cpu_second).collect()
        };
        let ours = work(0);
        for (index, peer) in PEERS.iter().enumerate() {
            let own = work(index);
            let pair = ours.iter().zip(&own).map(|(ours, own)| ours / own).collect();
            let (own, pair) = (Spread::of(own), Spread::of(pair).median);
            let mut late: Vec<f64> =
                samples[index].iter().flat_map(|sample| sample.latencies.clone()).collect();
            late.sort_by(f64::total_cmp);
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.0}-{:.0} | {pair:.2} | {:.2} | {:.2} |",
                case.name(),
                peer.name,
                own.median,
                own.least,
                own.most,
                percentile(&late, 50),
                percentile(&late, 99)
            );
            let least = match (*peer, case.members) {
                (BUN, None) => ECHO_MIN,
                (BUN, Some(_)) => BROADCAST_MIN,
                (NAIVE, Some(_)) if case.together > 1 => NAIVE_MIN,
                _ => continue,
            };
            let _ = writeln!(
                goals,
                "* {}: {pair:.2} of {} (goal {least:.2}): {}",
                case.name(),
                peer.name,
                verdict(pair >= least)
            );
        }
    }
    text.push_str(
        "\n5,000 open sockets that say nothing, resident memory of the server (that of the kernel \
         is not in it):\n\n| server | bytes of each |\n|---|---:|\n",
    );
    for (peer, grown) in PEERS.iter().zip(idle) {
        let _ = writeln!(text, "| {} | {:.0} |", peer.name, Spread::of(grown.clone()).median);
    }
    let own = Spread::of(idle[0].clone()).median;
    let kept = verdict(own <= IDLE_MAX);
    let _ = writeln!(goals, "* idle: {own:.0} bytes (goal {IDLE_MAX:.0}): {kept}");
    format!("{text}\n{goals}")
}

fn version() -> io::Result<String> {
    let output = Command::new(path("bun")?).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
