//! Counts what a server does for one request: instructions by callgrind, heap
//! allocations by dhat. Both are differences between a long and a short run, so
//! that starting, stopping and the first requests do not count.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::Load;

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
    let short = total(server, arguments, tool, asked, SHORT)?;
    let long = total(server, arguments, tool, asked, LONG)?;
    Ok((long - short) as f64 / (LONG - SHORT) as f64)
}

fn total(
    server: &str,
    arguments: &[&str],
    tool: Tool,
    asked: Asked,
    requests: usize,
) -> io::Result<i64> {
    let addr = free_address()?;
    let mut command = Command::new("valgrind");
    match tool {
        Tool::Callgrind => command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]),
        Tool::Dhat => command.args(["--tool=dhat", "--dhat-out-file=/dev/null"]),
    };
    command.arg(binaries()?.join(server)).arg(addr.to_string()).args(arguments);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let sent = wait_for(addr).and_then(|()| {
        Load {
            addr: addr.to_string(),
            path: asked.path.to_owned(),
            body: asked.body.map(str::to_owned),
            connections: 8,
            requests,
            status: 200,
        }
        .send()
    });
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    sent.map_err(|error| io::Error::other(format!("{server} {}: {error}\n{text}", asked.path)))?;
    number(&text, tool).ok_or_else(|| io::Error::other(format!("no summary in: {text}")))
}

/// `Collected : 123` of callgrind; `Total: 1,234 bytes in 56 blocks` of dhat.
fn number(text: &str, tool: Tool) -> Option<i64> {
    let rest = match tool {
        Tool::Callgrind => text.split_once("Collected : ")?.1,
        Tool::Dhat => text.split_once("Total:")?.1.split_once(" bytes in ")?.1,
    };
    let digits = rest.split_whitespace().next()?.replace(',', "");
    digits.parse().ok()
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
