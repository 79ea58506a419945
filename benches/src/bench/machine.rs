//! Where and of what this is measured.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::process::Command;

const OURS: &str = include_str!("../../Cargo.lock");
const PEERS: &str = include_str!("../../peers/Cargo.lock");

/// The crates that a hello-world may have in its tree.
const CRATES_MAX: usize = 200;

pub fn describe() -> io::Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let models: Vec<&str> = cpu
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    let versions = [
        (OURS, "hyper"),
        (OURS, "tokio"),
        (OURS, "axum"),
        (PEERS, "tower-http"),
        (PEERS, "actix-web"),
        (PEERS, "poem-openapi"),
        (PEERS, "arcly-http"),
    ]
    .map(|(lock, name)| format!("{name} {}", version(lock, name)))
    .join(", ");
    Ok(format!(
        "# arcly-http and its peers\n\n| | |\n|---|---|\n\
         | machine | {}, {} cores |\n| kernel | {} |\n| compiler | {}, release, thin LTO, one \
         codegen unit |\n| peers | {versions} (published) |\n| date | {} |\n| load average at the \
         start | {} |\n\nA load average well above 0 means that others used the machine: counts \
         hold, times and ratios of times do so only roughly.\n",
        models.first().unwrap_or(&"?"),
        models.len(),
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        output("rustc", &["--version"])?,
        output("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])?,
        load_average()?
    ))
}

/// Of the last one, five and fifteen minutes.
pub fn load_average() -> io::Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(", "))
}

fn output(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The version that a lock file names last, which is the latest.
fn version<'a>(lock: &'a str, name: &str) -> &'a str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let rest = lock.rsplit_once(&entry).map_or("?\"", |(_, rest)| rest);
    rest.split('"').next().unwrap_or("?")
}

/// Crates that are compiled for an application of nothing but the framework.
pub fn crates() -> io::Result<String> {
    let benches = env!("CARGO_MANIFEST_DIR");
    let peers = format!("{benches}/peers");
    let project = format!("{benches}/..");
    let mut text = "## Crates in the tree\n\nWith default features, the framework itself and what \
        its build needs included; axum, actix-web and poem-openapi as their servers here have \
        them.\n\n| framework | crates |\n|---|---:|\n"
        .to_owned();
    let of = [
        ("axum", benches, "axum"),
        ("actix-web", &peers, "actix-web"),
        ("poem-openapi", &peers, "poem-openapi"),
        ("arcly-http 0.9 (published)", &peers, "arcly-http"),
        ("ours", &project, "arcly-http"),
    ];
    let mut own = 0;
    for (name, folder, package) in of {
        let output = Command::new("cargo")
            .args(["tree", "--offline", "--prefix", "none", "--edges", "normal,build"])
            .args(["--format", "{p}", "--package", package])
            .current_dir(folder)
            .output()?;
        let tree = String::from_utf8_lossy(&output.stdout);
        let names = tree.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        });
        own = names.collect::<BTreeSet<_>>().len();
        if own == 0 {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let _ = writeln!(text, "| {name} | {own} |");
    }
    let verdict = crate::start::verdict(own < CRATES_MAX);
    let _ = writeln!(text, "\nBound of ours: below {CRATES_MAX}; {verdict}.");
    Ok(text)
}
