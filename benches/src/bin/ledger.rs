//! The ledger: what a request costs, counted. `ledger` prints a table; `ledger
//! --check` fails when a figure has grown beyond its bound. Instructions and
//! allocations only: they are the same on a busy machine.

use std::io;
use std::process::ExitCode;

use arcly_benches::measure::{ASKED, Asked, Tool, per_request};
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// Fails when a bound is passed.
    #[arg(long)]
    check: bool,
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
    Bound { asked: ASKED[3], ratio: 1.03, allocations: 20.0 },
];

/// An injected argument: a clone of an `Arc` and no more. More would mean that the
/// graph is looked at while a request runs.
const INJECTION_MAX: f64 = 400.0;

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
    Ok(if args.check { passed } else { 0 })
}
