//! Floods a server with HTTP/2 frames, one kind at a time, and says whether it cut
//! the connection and how much memory it took. The server runs already; its process
//! is named so that its memory can be read.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clap::Parser;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "127.0.0.1:3100")]
    addr: String,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// Frames of each kind.
    #[arg(long, default_value_t = 1_000_000)]
    frames: u32,
    /// Most KiB that the server may take more.
    #[arg(long, default_value_t = 8 * 1024)]
    memory_max: i64,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `GET /json` of host `a`, from the static table and literals without indexing.
const HEADERS: &[u8] = b"\x82\x86\x04\x05/json\x01\x01a";
/// The same for a POST, whose body may follow.
const POST: &[u8] = b"\x83\x86\x04\x05/echo\x01\x01a";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// What comes before the flood, and frame number `n` of it.
type Flood = (&'static str, Vec<u8>, fn(u32) -> Vec<u8>);

fn floods() -> [Flood; 5] {
    let none = vec![];
    [
        ("rapid reset", none.clone(), |n| {
            let stream = n * 2 + 1;
            let mut both = frame(1, 5, stream, HEADERS);
            both.extend(frame(3, 0, stream, &[0, 0, 0, 8]));
            both
        }),
        ("CONTINUATION", frame(1, 0, 1, HEADERS), |_| frame(9, 0, 1, b"\x00\x01x\x01y")),
        ("empty DATA", frame(1, 4, 1, POST), |_| frame(0, 0, 1, b"")),
        ("SETTINGS", none.clone(), |_| frame(4, 0, 0, b"")),
        ("PING", none, |_| frame(6, 0, 0, b"12345678")),
    ]
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut failed = false;
    for (name, before, next) in floods() {
        let start = memory(args.pid)?;
        let begun = Instant::now();
        let mut socket = TcpStream::connect(&args.addr)?;
        socket.set_write_timeout(Some(Duration::from_secs(20)))?;
        socket.write_all(PREFACE)?;
        socket.write_all(&frame(4, 0, 0, b""))?;
        socket.write_all(&before)?;
        // Nothing is read: answers of the server pile up on its side.
        let (mut sent, mut peak) = (0, start);
        let mut end = "all were taken";
        let mut batch = vec![];
        while sent < args.frames {
            batch.clear();
            let until = (sent + 1000).min(args.frames);
            while sent < until {
                batch.extend(next(sent));
                sent += 1;
            }
            if let Err(error) = socket.write_all(&batch) {
                let is_stuck =
                    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                end = if is_stuck { "the server stopped reading" } else { "cut" };
                break;
            }
            peak = peak.max(memory(args.pid)?);
        }
        peak = peak.max(memory(args.pid)?);
        drop(socket);
        println!(
            "{name}: {end} after {sent} frames in {:.1} s, {} KiB more at most",
            begun.elapsed().as_secs_f64(),
            peak - start
        );
        failed |= end != "cut" && peak - start > args.memory_max;
        check(&args.addr)?;
    }
    if failed { Err(io::Error::other("a flood took too much memory")) } else { Ok(()) }
}

/// Resident memory in KiB.
fn memory(pid: u32) -> io::Result<i64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().next());
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| io::Error::other("no VmRSS"))
}

/// Somebody else is still answered.
fn check(addr: &str) -> io::Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(b"GET /json HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other(answer)) }
}
