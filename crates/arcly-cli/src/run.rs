//! Runs cargo and the user's binary.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use crate::CliError;

/// Which binary is asked.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Target {
    /// Package to run, as `cargo run --package` takes it.
    #[arg(long, short)]
    package: Option<String>,
    /// Binary to run, when the package has several.
    #[arg(long)]
    bin: Option<String>,
    /// Seconds that the binary may take to describe itself.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl Target {
    /// What the binary prints when it is asked for `what`.
    pub(crate) fn ask(&self, what: &str) -> Result<String, CliError> {
        in_a_project()?;
        let mut run = Command::new(self.build()?);
        run.env("ARCLY_DESCRIBE", what);
        let limit = Duration::from_secs(self.timeout);
        let Some((status, stdout, stderr)) = capture(run, limit)? else {
            return Err(CliError::failure(format!(
                "the application did not describe itself within {} s",
                self.timeout
            ))
            .help(
                "does its `main` carry `#[arcly_http::main(..)]`? Anything before it runs as well",
            ));
        };
        if !status.success() {
            return Err(CliError::failure(format!(
                "the application does not describe itself:\n{}",
                stderr.trim()
            ))
            .help("its `main` has to carry `#[arcly_http::main(..)]`; `--package` and `--bin` choose another binary"));
        }
        Ok(stdout)
    }

    /// Runs the binary with these words, on this terminal.
    pub(crate) fn exec(&self, words: &[String]) -> Result<(), CliError> {
        in_a_project()?;
        let status = Command::new(self.build()?).args(words).status();
        match status.map_err(|error| CliError::failure(format!("it cannot be run: {error}")))? {
            status if status.success() => Ok(()),
            status => Err(CliError::failure(format!("the command failed: {status}"))),
        }
    }

    /// Builds, and says where the binary is. It is run by itself and not by `cargo
    /// run`, which may wait for another build while the time goes by.
    fn build(&self) -> Result<PathBuf, CliError> {
        let mut command = Command::new("cargo");
        command.args(["build", "--quiet", "--message-format=json-render-diagnostics"]);
        for (flag, value) in [("--package", &self.package), ("--bin", &self.bin)] {
            if let Some(value) = value {
                command.args([flag, value]);
            }
        }
        // What the compiler says is shown while it says it, colours included.
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().map_err(|error| no_cargo(&error))?;
        if !output.status.success() {
            return Err(CliError::failure("the application cannot be built; see above")
                .help("mend what is shown above; `--package` and `--bin` choose another binary"));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Built>(line).ok());
        let mut built: Vec<(String, PathBuf, PathBuf)> = lines
            .filter_map(|line| Some((line.target?.name, line.executable?, line.manifest_path?)))
            .collect();
        if built.len() > 1 {
            // As `cargo run` chooses.
            let chosen = built.iter().position(|(name, _, manifest)| {
                default_run(manifest).is_some_and(|wanted| wanted == *name)
            });
            if let Some(chosen) = chosen {
                built.swap(0, chosen);
                built.truncate(1);
            }
        }
        match built.as_slice() {
            [(_, executable, _)] => Ok(executable.clone()),
            [] => Err(CliError::failure("there is no binary here")
                .help("run this in the folder of an application, or name it by `--package`")),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, ..)| name.as_str()).collect();
                Err(CliError::failure(format!("there are several binaries: {}", names.join(", ")))
                    .help("choose one by `--bin`, or by `default-run` in `Cargo.toml`"))
            }
        }
    }
}

/// A line of what cargo says of a build.
#[derive(Debug, Deserialize)]
struct Built {
    target: Option<BuiltTarget>,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct BuiltTarget {
    name: String,
}

/// `default-run` of a manifest, as people write it.
fn default_run(manifest: &Path) -> Option<String> {
    let text = std::fs::read_to_string(manifest).ok()?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("default-run"))?;
    let value = line.trim_start().strip_prefix('=')?.trim();
    Some(value.split(['"', '\'']).nth(1)?.to_owned())
}

fn no_cargo(error: &std::io::Error) -> CliError {
    CliError::failure(format!("cargo cannot be run: {error}"))
        .help("install Rust as https://rustup.rs says, or open a new shell")
}

fn in_a_project() -> Result<(), CliError> {
    let here = std::env::current_dir().unwrap_or_default();
    let is_there = here.ancestors().any(|folder: &Path| folder.join("Cargo.toml").is_file());
    if is_there {
        return Ok(());
    }
    Err(CliError::failure("there is no `Cargo.toml` in this folder or above it")
        .help("run this in the folder of a project; `arcly new my-shop` makes one"))
}

/// Runs to the end, or ends it after a time: a program that does not know the
/// question may well be a server.
fn capture(
    mut command: Command,
    limit: Duration,
) -> Result<Option<(ExitStatus, String, String)>, CliError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| {
        CliError::failure(format!("the application cannot be run: {error}"))
    };
    let mut child = command.spawn().map_err(failed)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(CliError::failure("the output of the application cannot be read"));
    };
    let stdout = reader(stdout);
    let stderr = reader(stderr);
    let Ok(stdout) = stdout.recv_timeout(limit) else {
        let _ = child.kill();
        let _ = child.wait();
        return Ok(None);
    };
    let status = child.wait().map_err(failed)?;
    let stderr = stderr.recv().unwrap_or_default();
    Ok(Some((status, stdout, stderr)))
}

fn reader(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = vec![];
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
