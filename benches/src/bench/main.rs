//! One run that compares this framework with its peers; `scripts/bench` builds and
//! starts it. Prints Markdown.

mod answers;
mod client;
mod costs;
mod idle;
mod machine;
mod overload;
mod server;
mod sockets;
mod start;
mod throughput;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(name = "scripts/bench", about = "Compares arcly-http with its peers; prints Markdown.")]
struct Args {
    /// Which parts; all of them unless some are named.
    parts: Vec<Part>,
    /// Fewer and shorter rounds, to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Writes the report to this file, too.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests per second of the server's CPU, interleaved.
    Throughput,
    /// Instructions and allocations of a request.
    Costs,
    /// From exec to the first answer.
    Start,
    /// Building a graph of 1,000 providers.
    Providers,
    /// 10,000 idle connections.
    Idle,
    /// Five times as many requests as can be answered.
    Overload,
    /// WebSockets: echo, broadcast, idle sockets.
    Ws,
    /// Crates in the tree.
    Crates,
}

/// How long and how often things are measured.
#[derive(Debug, Clone, Copy)]
struct Extent {
    rounds: usize,
    round: Duration,
    starts: usize,
    connections: usize,
    overload: Duration,
}

const WHOLE: Extent = Extent {
    rounds: 9,
    round: Duration::from_millis(1000),
    starts: 40,
    connections: 10_000,
    overload: Duration::from_secs(20),
};

const QUICK: Extent = Extent {
    rounds: 3,
    round: Duration::from_millis(300),
    starts: 20,
    connections: 1_000,
    overload: Duration::from_secs(8),
};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let extent = if args.quick { QUICK } else { WHOLE };
    let mut report = String::new();
    let mut say = |text: String| {
        println!("{text}");
        let _ = writeln!(report, "{text}");
        match &args.out {
            Some(path) => std::fs::write(path, &report),
            None => Ok(()),
        }
    };
    say(machine::describe()?)?;
    let parts = if args.parts.is_empty() { Part::value_variants() } else { &args.parts };
    if parts.iter().any(|part| matches!(part, Part::Throughput | Part::Costs)) {
        say(answers::check()?)?;
    }
    for part in parts {
        say(match part {
            Part::Throughput => throughput::measure(extent)?,
            Part::Costs => costs::measure()?,
            Part::Start => start::measure(extent)?,
            Part::Providers => start::providers(extent)?,
            Part::Idle => idle::measure(extent)?,
            Part::Overload => overload::measure(extent)?,
            Part::Ws => sockets::measure(extent)?,
            Part::Crates => machine::crates()?,
        })?;
    }
    say(format!("Load average at the end: {}.", machine::load_average()?))
}

/// Median, least and most.
#[derive(Debug, Clone, Copy)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            return Self { median: f64::NAN, least: f64::NAN, most: f64::NAN };
        };
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Self { median, least, most }
    }
}

/// The value that so many of a hundred do not pass, of sorted ones.
fn percentile(sorted: &[f64], hundredths: usize) -> f64 {
    let index = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
