//! More requests than can be answered: those that are let in are answered about as
//! fast as ever, the others are refused at once, and probes are answered.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use arcly_benches::measure::{Asked, free_address};
use tokio::task::{JoinSet, LocalSet};

use crate::client::{Connection, block_on, request};
use crate::server::{Server, pin_client, pinned};
use crate::start::verdict;
use crate::{Extent, percentile};

/// How many times what can be answered is asked for.
const FACTOR: f64 = 5.0;
/// What has to be left of the most that can be answered.
const GOODPUT_MIN: f64 = 0.8;
/// Milliseconds within which a probe is to be answered.
const PROBE_MAX: f64 = 100.0;
/// Connections that are asked on in turn when the most is measured.
const CLOSED_CONNECTIONS: usize = 32;
/// Most connections of the open loop at a time.
const CONNECTIONS_MAX: usize = 4_000;
/// The limit that follows latency finds its place in the first seconds.
const SETTLING: Duration = Duration::from_secs(3);

struct Loaded {
    path: &'static str,
    what: &'static str,
    /// What is answered is held against the most by the server's CPU-second, because
    /// others may take the core away; otherwise by the clock.
    is_by_cpu: bool,
}

const OPERATIONS: [Loaded; 2] = [
    Loaded { path: "/wait", what: "waits 20 ms, ten at a time", is_by_cpu: false },
    Loaded { path: "/spin", what: "keeps the core busy for about 2 ms", is_by_cpu: true },
];

pub fn measure(extent: Extent) -> io::Result<String> {
    let _pinned = pin_client()?;
    let mut text = format!(
        "## Overload\n\nAn application as `#[arcly_http::main]` runs it, on one core, with \
         {FACTOR:.0} times as many requests as it can answer, sent when they are due whether or \
         not others are answered, for {} s; the first {} s are not counted. Latency in ms, from \
         when a request was due. What is answered is held against the most by the clock \
         where requests wait, by the server's CPU-second where they compute.\n\n\
         | operation | most per second | by CPU-second | offered | answered | by CPU-second | of \
         the most | refused (503) | other | p50 of the answered | p99 | p99 of the refused | \
         probes | p50 | most |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        extent.overload.as_secs(),
        SETTLING.as_secs()
    );
    let mut is_kept = (true, true);
    for Loaded { path, what, is_by_cpu } in OPERATIONS {
        let (addr, admin) = (free_address()?, free_address()?);
        let mut command = pinned("server-overload")?;
        command.args(["--listen", &addr.to_string(), "--admin", &admin.to_string()]);
        let server = Server::spawn(command, addr)?;
        let asked = Asked { path, body: None };
        let local = LocalSet::new();
        let (most, most_by_cpu) =
            block_on(local.run_until(most(&server, asked, extent.overload / 2)))?;
        // What waited is over.
        std::thread::sleep(Duration::from_secs(1));
        let local = LocalSet::new();
        let probe = request(admin, Asked { path: "/readyz", body: None });
        let found = block_on(local.run_until(async {
            let probes = tokio::task::spawn_local(probes(admin, probe, extent.overload));
            let found = flood(&server, asked, most * FACTOR, extent.overload).await?;
            Ok((found, probes.await.map_err(io::Error::other)??))
        }))?;
        let (mut found, mut probes) = found;
        for times in [&mut found.answered, &mut found.refused, &mut probes] {
            times.sort_by(f64::total_cmp);
        }
        let seconds = (extent.overload - SETTLING).as_secs_f64();
        let goodput = found.answered.len() as f64 / seconds;
        let by_cpu = found.answered.len() as f64 / found.cpu;
        let ratio = if is_by_cpu { by_cpu / most_by_cpu } else { goodput / most };
        let slowest = percentile(&probes, 100);
        let _ = writeln!(
            text,
            "| {what} | {most:.0} | {most_by_cpu:.0} | {:.0} | {goodput:.0} | {by_cpu:.0} | \
             {ratio:.2} | {} | {} | {:.0} | {:.0} | {:.0} | {} | {:.1} | {slowest:.1} |",
            most * FACTOR,
            found.refused.len(),
            found.other,
            percentile(&found.answered, 50),
            percentile(&found.answered, 99),
            percentile(&found.refused, 99),
            probes.len(),
            percentile(&probes, 50),
        );
        is_kept.0 &= ratio >= GOODPUT_MIN;
        is_kept.1 &= slowest <= PROBE_MAX;
    }
    let _ = writeln!(
        text,
        "\nBound: {GOODPUT_MIN} of the most are answered; {}. Every probe within {PROBE_MAX:.0} \
         ms; {}.",
        verdict(is_kept.0),
        verdict(is_kept.1)
    );
    Ok(text)
}

/// Answers per second, and per second of the server's CPU, when all are waited for.
async fn most(server: &Server, asked: Asked, time: Duration) -> io::Result<(f64, f64)> {
    let (begun, cpu) = (Instant::now(), server.cpu_nanos()?);
    let mut tasks = JoinSet::new();
    for _ in 0..CLOSED_CONNECTIONS {
        let bytes = request(server.addr, asked);
        let mut connection = Connection::open(server.addr).await?;
        tasks.spawn_local(async move {
            let mut answered = 0;
            while begun.elapsed() < time {
                answered += u32::from(connection.ask(&bytes).await?.status == 200);
            }
            Ok::<_, io::Error>(answered)
        });
    }
    let mut answered = 0;
    while let Some(ended) = tasks.join_next().await {
        answered += ended.map_err(io::Error::other)??;
    }
    let cpu = (server.cpu_nanos()? - cpu) as f64 / 1e9;
    let answered = f64::from(answered);
    Ok((answered / begun.elapsed().as_secs_f64(), answered / cpu))
}

/// Latencies in milliseconds.
#[derive(Debug, Default)]
struct Found {
    answered: Vec<f64>,
    refused: Vec<f64>,
    other: usize,
    /// Seconds that the server's threads ran meanwhile.
    cpu: f64,
}

async fn flood(server: &Server, asked: Asked, rate: f64, time: Duration) -> io::Result<Found> {
    let bytes: Rc<[u8]> = request(server.addr, asked).into();
    let found = Rc::new(RefCell::new(Found::default()));
    // Connections that nobody asks on.
    let free: Rc<RefCell<Vec<Connection>>> = Rc::default();
    let addr = server.addr;
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    let mut due = Duration::ZERO;
    let mut cpu = None;
    while due < time {
        let is_counted = due >= SETTLING;
        if is_counted && cpu.is_none() {
            cpu = Some(server.cpu_nanos()?);
        }
        tokio::time::sleep_until((begun + due).into()).await;
        while tasks.try_join_next().is_some() {}
        if tasks.len() < CONNECTIONS_MAX {
            let (bytes, found, free) = (Rc::clone(&bytes), Rc::clone(&found), Rc::clone(&free));
            tasks.spawn_local(async move {
                let kept = free.borrow_mut().pop();
                let status = ask(addr, kept, &bytes, &free).await;
                let millis = (begun.elapsed() - due).as_secs_f64() * 1000.0;
                let mut found = found.borrow_mut();
                match status {
                    // What came early but was answered now is work of now.
                    _ if begun.elapsed() < SETTLING => {}
                    Ok(200) => found.answered.push(millis),
                    Ok(503) => found.refused.push(millis),
                    _ => found.other += 1,
                }
            });
        } else if is_counted {
            found.borrow_mut().other += 1;
        }
        due += Duration::from_secs_f64(1.0 / rate);
    }
    // What is answered after the end is no goodput of this time.
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    let mut found = found.take();
    found.cpu = (server.cpu_nanos()? - cpu.unwrap_or(0)) as f64 / 1e9;
    Ok(found)
}

async fn ask(
    addr: std::net::SocketAddr,
    kept: Option<Connection>,
    bytes: &[u8],
    free: &RefCell<Vec<Connection>>,
) -> io::Result<u16> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => Connection::open(addr).await?,
    };
    let status = connection.ask(bytes).await?.status;
    free.borrow_mut().push(connection);
    Ok(status)
}

/// How long each probe took, in milliseconds, one every 50 ms; one that is not answered
/// with 200 fails.
async fn probes(
    admin: std::net::SocketAddr,
    bytes: Vec<u8>,
    time: Duration,
) -> io::Result<Vec<f64>> {
    let begun = Instant::now();
    let mut times = vec![];
    let mut every = tokio::time::interval(Duration::from_millis(50));
    while begun.elapsed() < time {
        every.tick().await;
        let asked = Instant::now();
        let answer = Connection::open(admin).await?.ask(&bytes).await?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("a probe got {}", answer.status)));
        }
        times.push(asked.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}
