//! Counts what a server does for one request: instructions by callgrind, heap
//! allocations by dhat. Both are differences between a long and a short run, so
//! that starting, stopping and the first requests do not count.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::Load;
use crate::sockets::{Swarm, Until};

/// Requests of the short and of the long run.
const SHORT: usize = 400;
const LONG: usize = 2400;
/// How long a server may take to listen, under valgrind and on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub path: &'static str,
    pub body: Option<&'static str>,
}

/// The four requests of the comparison.
pub const ASKED: [Asked; 4] = [
    Asked { path: "/plaintext", body: None },
    Asked { path: "/json", body: None },
    Asked { path: "/users/7", body: None },
    Asked { path: "/echo", body: Some(r#"{"name":"Ann","age":41,"email":"ann@example.org"}"#) },
];

/// A tool of valgrind, and what its summary line is called.
#[derive(Debug, Clone, Copy)]
pub enum Tool {
    Callgrind,
    Dhat,
}

/// The folder of the binaries, which is this one's.
pub fn binaries() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.parent().map(Path::to_path_buf).ok_or_else(|| io::Error::other("no folder"))
}

/// Instructions or allocations of one request.
pub fn per_request(server: &str, arguments: &[&str], tool: Tool, asked: Asked) -> io::Result<f64> {
    let total = |requests| {
        under(server, arguments, tool, |addr| {
            let load = Load {
                addr: addr.to_string(),
                path: asked.path.to_owned(),
                body: asked.body.map(str::to_owned),
                connections: 8,
                requests,
                status: 200,
            };
            load.send().map(|_| ())
        })
        .map_err(|error| io::Error::other(format!("{}: {error}", asked.path)))
    };
    Ok((total(LONG)?.total - total(SHORT)?.total) as f64 / (LONG - SHORT) as f64)
}

/// What is sent over WebSockets.
#[derive(Debug, Clone, Copy)]
pub enum Spoken {
    /// So many messages of 128 bytes, to be sent back.
    Echo,
    /// Messages of 128 bytes to all of [`MEMBERS`] sockets, so many of them in one write.
    Broadcast(usize),
}

/// Sockets in the room of a broadcast that is counted.
pub const MEMBERS: usize = 100;
/// Sockets of an echo that is counted.
const ECHOES: usize = 8;

/// Instructions or allocations of one message that arrives at a client.
pub fn per_message(
    server: &str,
    arguments: &[&str],
    tool: Tool,
    spoken: Spoken,
) -> io::Result<f64> {
    let total = |count| {
        under(server, arguments, tool, |addr| {
            let payload = 128;
            match spoken {
                Spoken::Echo => {
                    Swarm::open(addr, "/echo", ECHOES)?.echo(payload, Until::Sent(count))?;
                }
                Spoken::Broadcast(together) => {
                    let mut swarm = Swarm::open(addr, "/room", MEMBERS)?;
                    swarm.broadcast(payload, together, Until::Sent(count * together))?;
                }
            }
            Ok(())
        })
    };
    let (short, long, each) = match spoken {
        Spoken::Echo => (SHORT, LONG, 1),
        Spoken::Broadcast(together) => (SHORT / 20, LONG / 20, MEMBERS * together),
    };
    Ok((total(long)?.total - total(short)?.total) as f64 / ((long - short) * each) as f64)
}

/// Bytes on the heap, and blocks of it, of one WebSocket that is open and says nothing.
pub fn per_idle_socket(server: &str) -> io::Result<(f64, f64)> {
    let peak = |count| {
        under(server, &[], Tool::Dhat, |addr| Swarm::open(addr, "/echo", count)?.echo_once())
    };
    let (few, many) = (peak(IDLE_FEW)?, peak(IDLE_MANY)?);
    let each = |few: i64, many: i64| (many - few) as f64 / (IDLE_MANY - IDLE_FEW) as f64;
    Ok((each(few.peak.0, many.peak.0), each(few.peak.1, many.peak.1)))
}

/// Idle sockets of the small and of the large run: as many more as tables that double have
/// places at both sizes.
const IDLE_FEW: usize = 256;
const IDLE_MANY: usize = 1024;

/// What a tool of valgrind counted.
struct Counted {
    /// Instructions, or blocks that were allocated.
    total: i64,
    /// Bytes and blocks, when most bytes were in use; of dhat alone.
    peak: (i64, i64),
}

/// Runs a server under a tool while `send` talks to it. The server has one processor to
/// see, so that it is as wide on every machine.
fn under(
    server: &str,
    arguments: &[&str],
    tool: Tool,
    send: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> io::Result<Counted> {
    let addr = free_address()?;
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "valgrind"]);
    match tool {
        Tool::Callgrind => command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]),
        Tool::Dhat => command.args(["--tool=dhat", "--dhat-out-file=/dev/null"]),
    };
    command.arg(binaries()?.join(server)).arg(addr.to_string()).args(arguments);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let sent = wait_for(addr).and_then(|()| send(addr));
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    sent.map_err(|error| io::Error::other(format!("{server}: {error}\n{text}")))?;
    counted(&text, tool).ok_or_else(|| io::Error::other(format!("no summary in: {text}")))
}

/// `Collected : 123` of callgrind; `Total: 1,234 bytes in 56 blocks` and `At t-gmax:` of dhat.
fn counted(text: &str, tool: Tool) -> Option<Counted> {
    let number = |text: &str| text.split_whitespace().next()?.replace(',', "").parse().ok();
    let blocks = |name: &str| {
        let (bytes, rest) = text.split_once(name)?.1.split_once(" bytes in ")?;
        Some((number(bytes)?, number(rest)?))
    };
    Some(match tool {
        Tool::Callgrind => {
            Counted { total: number(text.split_once("Collected : ")?.1)?, peak: (0, 0) }
        }
        Tool::Dhat => Counted { total: blocks("Total:")?.1, peak: blocks("At t-gmax:")? },
    })
}

/// An address that nobody listens on.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Returns when the server accepts.
pub fn wait_for(addr: SocketAddr) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(addr) {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > START_MAX => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
