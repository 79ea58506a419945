//! Sends requests to a server that runs already; see [`arcly_benches::load`].

use std::io;
use std::time::Instant;

use arcly_benches::load::Load;
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:3100")]
    addr: String,
    #[arg(long, default_value = "/json")]
    path: String,
    /// JSON to post; without it, the request is a GET.
    #[arg(long)]
    body: Option<String>,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Requests in all.
    #[arg(long, default_value_t = 2000)]
    requests: usize,
    /// Status that every response must have.
    #[arg(long, default_value_t = 200)]
    status: u16,
}

fn main() -> io::Result<()> {
    let Args { addr, path, body, connections, requests, status } = Args::parse();
    let begun = Instant::now();
    let sent = Load { addr, path, body, connections, requests, status }.send()?;
    println!("{sent} requests in {:.3} s", begun.elapsed().as_secs_f64());
    Ok(())
}
