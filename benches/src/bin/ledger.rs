//! The ledger: what a request costs, counted. `ledger` prints a table; `ledger
//! --check` fails when a figure has grown beyond its bound. Instructions and
//! allocations only: they are the same on a busy machine.

use std::io;
use std::process::ExitCode;

use arcly_benches::measure::{
    ASKED, Asked, Spoken, Tool, per_idle_socket, per_message, per_request,
};
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// Fails when a bound is passed.
    #[arg(long)]
    check: bool,
    /// Counts messages of WebSockets only.
    #[arg(long)]
    sockets: bool,
}

/// A bound: `server` may cost at most `ratio` of what bare axum costs, in
/// instructions, and at most so many allocations.
struct Bound {
    asked: Asked,
    ratio: f64,
    allocations: f64,
}

const BOUNDS: [Bound; 4] = [
    Bound { asked: ASKED[0], ratio: 1.00, allocations: 6.0 },
    Bound { asked: ASKED[1], ratio: 0.95, allocations: 8.0 },
    Bound { asked: ASKED[2], ratio: 0.90, allocations: 8.0 },
    Bound { asked: ASKED[3], ratio: 1.04, allocations: 20.0 },
];

/// An injected argument: a clone of an `Arc` and no more. More would mean that the
/// graph is looked at while a request runs.
const INJECTION_MAX: f64 = 400.0;

/// A message of a WebSocket may cost at most so many instructions and allocations: one that
/// is sent back, or one that arrives at one of 100 sockets of a broadcast, its share of the
/// publish included. What runs beside it by the clock is in it, so there is some room.
struct SocketBound {
    name: &'static str,
    spoken: Spoken,
    instructions: f64,
    allocations: f64,
}

const SOCKET_BOUNDS: [SocketBound; 3] = [
    SocketBound { name: "echo", spoken: Spoken::Echo, instructions: 4_650.0, allocations: 2.1 },
    SocketBound {
        name: "broadcast, one at a time",
        spoken: Spoken::Broadcast(1),
        instructions: 315.0,
        allocations: 0.2,
    },
    SocketBound {
        name: "broadcast, 16 at once",
        spoken: Spoken::Broadcast(16),
        instructions: 58.0,
        allocations: 0.1,
    },
];

/// Bytes on the heap of a WebSocket that is open and says nothing.
const IDLE_SOCKET_MAX: f64 = 2_900.0;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(passed) => {
            eprintln!("{passed} bounds of the ledger are passed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<usize> {
    let mut passed = 0;
    if args.sockets {
        passed += sockets()?;
        return Ok(if args.check { passed } else { 0 });
    }
    println!(
        "| request | hyper | axum | arcly | arcly/axum | bound | allocations axum | arcly | bound |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut json = (0.0, 0.0);
    for Bound { asked, ratio, allocations } in BOUNDS {
        let count = |server, tool| per_request(server, &[], tool, asked);
        let hyper = count("server-hyper", Tool::Callgrind)?;
        let axum = count("server-axum", Tool::Callgrind)?;
        let arcly = count("server-arcly", Tool::Callgrind)?;
        let axum_heap = count("server-axum", Tool::Dhat)?;
        let arcly_heap = count("server-arcly", Tool::Dhat)?;
        println!(
            "| {} | {hyper:.0} | {axum:.0} | {arcly:.0} | {:.2} | {ratio:.2} | {axum_heap:.1} | {arcly_heap:.1} | {allocations:.1} |",
            asked.path,
            arcly / axum
        );
        passed += usize::from(arcly > axum * ratio) + usize::from(arcly_heap > allocations + 0.1);
        if asked.path == "/json" {
            json = (arcly, arcly_heap);
        }
    }
    let injected = Asked { path: "/json-inject", body: None };
    let more = per_request("server-arcly", &[], Tool::Callgrind, injected)? - json.0;
    let heap = per_request("server-arcly", &[], Tool::Dhat, injected)? - json.1;
    println!(
        "\nAn injected argument: {more:+.0} instructions (bound {INJECTION_MAX}), {heap:+.1} allocations (bound 0)."
    );
    passed += usize::from(more > INJECTION_MAX) + usize::from(heap > 0.1);
    passed += sockets()?;
    Ok(if args.check { passed } else { 0 })
}

fn sockets() -> io::Result<usize> {
    let mut passed = 0;
    println!("\n| message of a WebSocket | instructions | bound | allocations | bound |");
    println!("|---|---:|---:|---:|---:|");
    for SocketBound { name, spoken, instructions, allocations } in SOCKET_BOUNDS {
        let own = per_message("server-ws", &[], Tool::Callgrind, spoken)?;
        let heap = per_message("server-ws", &[], Tool::Dhat, spoken)?;
        println!("| {name} | {own:.0} | {instructions:.0} | {heap:.2} | {allocations:.2} |");
        passed += usize::from(own > instructions) + usize::from(heap > allocations);
    }
    let (bytes, blocks) = per_idle_socket("server-ws")?;
    println!(
        "\nAn idle WebSocket: {bytes:.0} bytes on the heap (bound {IDLE_SOCKET_MAX:.0}) in \
         {blocks:.1} blocks."
    );
    passed += usize::from(bytes > IDLE_SOCKET_MAX);
    Ok(passed)
}
