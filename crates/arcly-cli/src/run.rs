//! Runs cargo and the user's binary.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

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
    fn cargo(&self, word: &str) -> Command {
        let mut command = Command::new("cargo");
        command.args([word, "--quiet"]);
        for (flag, value) in [("--package", &self.package), ("--bin", &self.bin)] {
            if let Some(value) = value {
                command.args([flag, value]);
            }
        }
        command
    }

    /// What the binary prints when it is asked for `what`.
    pub(crate) fn ask(&self, what: &str) -> Result<String, CliError> {
        in_a_project()?;
        let mut build = self.cargo("build");
        // What the compiler says is shown while it says it, colours included.
        let status = build.stdout(Stdio::null()).status().map_err(|error| no_cargo(&error))?;
        if !status.success() {
            return Err(CliError::failure("the application cannot be built; see above")
                .help("mend what is shown above; `--package` and `--bin` choose another binary"));
        }
        let mut run = self.cargo("run");
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
    let mut child = command.spawn().map_err(|error| no_cargo(&error))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(CliError::failure("the output of cargo cannot be read"));
    };
    let stdout = reader(stdout);
    let stderr = reader(stderr);
    let Ok(stdout) = stdout.recv_timeout(limit) else {
        // `cargo run` is the program by now: on Unix it replaces itself.
        let _ = child.kill();
        let _ = child.wait();
        return Ok(None);
    };
    let status = child.wait().map_err(|error| no_cargo(&error))?;
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
