//! The servers, and starting them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use arcly_benches::measure::{binaries, free_address, wait_for};

/// The core that servers run on, and the one that requests come from.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";

/// A server of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub name: &'static str,
    pub binary: &'static str,
    pub arguments: &'static [&'static str],
}

pub const HYPER: Peer = Peer { name: "hyper", binary: "server-hyper", arguments: &[] };
pub const AXUM: Peer = Peer { name: "axum", binary: "server-axum", arguments: &[] };
pub const OURS: Peer =
    Peer { name: "ours, every default stage", binary: "server-arcly", arguments: &[] };
pub const LEAN: Peer =
    Peer { name: "ours, optional stages off", binary: "server-arcly", arguments: &["lean"] };

pub const PEERS: [Peer; 8] = [
    HYPER,
    AXUM,
    Peer { name: "axum with layers", binary: "server-layered", arguments: &[] },
    Peer { name: "actix-web", binary: "server-actix", arguments: &[] },
    Peer { name: "poem-openapi", binary: "server-poem", arguments: &[] },
    Peer { name: "arcly-http 0.9 (published)", binary: "server-rival", arguments: &[] },
    OURS,
    LEAN,
];

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub addr: SocketAddr,
}

impl Server {
    /// On its own core, accepting.
    pub fn start(peer: Peer) -> io::Result<Self> {
        let addr = free_address()?;
        let mut command = pinned(peer.binary)?;
        command.arg(addr.to_string()).args(peer.arguments);
        Self::spawn(command, addr)
    }

    /// Starts what `command` says; `addr` is what it listens on.
    pub fn spawn(mut command: Command, addr: SocketAddr) -> io::Result<Self> {
        let child = quiet(&mut command).spawn()?;
        let server = Self { child, addr };
        wait_for(addr)?;
        Ok(server)
    }

    /// As [`Self::spawn`], without waiting.
    pub fn spawn_now(mut command: Command, addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { child: quiet(&mut command).spawn()?, addr })
    }

    /// Nanoseconds that all its threads have run, as the scheduler counts them.
    pub fn cpu_nanos(&self) -> io::Result<u64> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may have ended meanwhile.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            nanos += text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
        Ok(nanos)
    }

    /// Ticks in user space and in the kernel.
    pub fn ticks(&self) -> io::Result<(u64, u64)> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = fields.split_whitespace().skip(11).map(|field| field.parse().unwrap_or(0));
        Ok((fields.next().unwrap_or(0), fields.next().unwrap_or(0)))
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.and_then(|line| line.split_whitespace().next());
        let kib: u64 = digits
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| io::Error::other("no VmRSS"))?;
        Ok(kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Where a server's binary is.
pub fn path(binary: &str) -> io::Result<PathBuf> {
    let path = binaries()?.join(binary);
    if path.exists() {
        Ok(path)
    } else {
        Err(io::Error::other(format!("{} is not built; run scripts/bench", path.display())))
    }
}

/// A command that runs `binary` on the servers' core.
pub fn pinned(binary: &str) -> io::Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(path(binary)?);
    Ok(command)
}

/// Keeps this process on the client's core, as long as the guard lives.
pub fn pin_client() -> io::Result<Pinned> {
    taskset(CLIENT_CORE)?;
    Ok(Pinned)
}

#[derive(Debug)]
pub struct Pinned;

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = taskset(&format!("{SERVER_CORE},{CLIENT_CORE}"));
    }
}

fn taskset(cores: &str) -> io::Result<()> {
    let own = std::process::id().to_string();
    let output = Command::new("taskset").args(["-a", "-c", "-p", cores, &own]).output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
