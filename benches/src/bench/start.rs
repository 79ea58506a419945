//! How long it takes until a server answers, and until a large graph is built.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use arcly_benches::measure::free_address;

use crate::server::{AXUM, HYPER, OURS, Server, path};
use crate::{Extent, Spread};

/// Ours may take so many times as long as bare axum.
const RATIO_MAX: f64 = 2.0;
/// Milliseconds that building a graph of 1,000 providers may take.
const BUILD_MAX: f64 = 5.0;
const GIVE_UP: Duration = Duration::from_secs(10);

pub fn measure(extent: Extent) -> io::Result<String> {
    let peers = [HYPER, AXUM, OURS];
    let mut samples = [const { vec![] }; 3];
    for _ in 0..extent.starts {
        for (peer, samples) in peers.iter().zip(&mut samples) {
            let addr = free_address()?;
            let mut command = Command::new(path(peer.binary)?);
            command.arg(addr.to_string()).args(peer.arguments);
            let begun = Instant::now();
            let _server = Server::spawn_now(command, addr)?;
            first_answer(addr)?;
            samples.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let mut text = format!(
        "## Start\n\nMilliseconds from exec until the first request is answered; {} starts each, \
         interleaved.\n\n| server | median | spread | of axum |\n|---|---:|---:|---:|\n",
        extent.starts
    );
    let spreads = samples.map(Spread::of);
    for (peer, own) in peers.iter().zip(spreads) {
        let ratio = own.median / spreads[1].median;
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1}-{:.1} | {ratio:.2} |",
            peer.name, own.median, own.least, own.most
        );
    }
    let ratio = spreads[2].median / spreads[1].median;
    let _ = writeln!(text, "\nBound: {RATIO_MAX:.1} of axum; {}.", verdict(ratio <= RATIO_MAX));
    Ok(text)
}

pub fn verdict(is_kept: bool) -> &'static str {
    if is_kept { "kept" } else { "**not kept**" }
}

fn first_answer(addr: SocketAddr) -> io::Result<()> {
    let begun = Instant::now();
    let mut socket = loop {
        match TcpStream::connect(addr) {
            Ok(socket) => break socket,
            Err(error) if begun.elapsed() > GIVE_UP => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_micros(50)),
        }
    };
    socket.set_read_timeout(Some(GIVE_UP))?;
    socket.write_all(b"GET /plaintext HTTP/1.1\r\nhost: a\r\n\r\n")?;
    let mut start = [0; 12];
    socket.read_exact(&mut start)?;
    if &start == b"HTTP/1.1 200" { Ok(()) } else { Err(io::Error::other("not answered with 200")) }
}

/// A generated application prints how long building its graph took it, and launching.
pub fn providers(extent: Extent) -> io::Result<String> {
    let (mut builds, mut launches) = (vec![], vec![]);
    for _ in 0..extent.starts {
        let output = Command::new(path("providers")?).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split_whitespace().map(str::parse::<f64>);
        let (Some(Ok(build)), Some(Ok(launch))) = (numbers.next(), numbers.next()) else {
            return Err(io::Error::other(format!("`providers` printed: {text}")));
        };
        builds.push(build);
        launches.push(launch);
    }
    let (build, launch) = (Spread::of(builds), Spread::of(launches));
    Ok(format!(
        "## 1,000 providers\n\nThe application that `scripts/proof-cost` generates, with 100 \
         modules of 10 providers and 10 routes; {} processes, the first time in each, in ms.\n\n\
         | | median | spread |\n|---|---:|---:|\n\
         | building the container | {:.2} | {:.2}-{:.2} |\n\
         | `App::launch`: that, and 1,000 routes and their document | {:.2} | {:.2}-{:.2} |\n\n\
         Bound of the container: {BUILD_MAX:.0} ms; {}.\n",
        extent.starts,
        build.median,
        build.least,
        build.most,
        launch.median,
        launch.least,
        launch.most,
        verdict(build.median <= BUILD_MAX)
    ))
}
