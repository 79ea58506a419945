//! The arcly command line.
//!
//! It runs the user's own binary and reads what that describes; it never
//! interprets user code a second way. Generators add files and one line each to
//! the module they are told to extend.

mod describe;
mod generate;
mod graph;
mod names;
mod new;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use run::Target;

/// Tools for applications on arcly-http.
#[derive(Debug, Parser)]
#[command(name = "arcly", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a project that builds, runs and tests at once.
    New {
        /// Name of the project and its folder: lower-case letters, digits and `-`.
        name: String,
        /// Use the framework from this checkout instead of the registry.
        #[arg(long)]
        path: Option<PathBuf>,
    },
    /// Add a piece to the project in this folder and wire it into a module.
    #[command(alias = "g")]
    Generate {
        /// What to add.
        kind: generate::Kind,
        /// Its name in snake case: `invoice`.
        name: String,
        /// The file of the module that gets it.
        #[arg(long, default_value = "src/lib.rs")]
        module: PathBuf,
    },
    /// List every route with its access rule.
    Routes {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Show the graph of modules and providers.
    Graph {
        /// In which form.
        #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
        format: GraphFormat,
        #[command(flatten)]
        target: Target,
    },
    /// Show every key of the configuration with its value and origin; secrets are
    /// masked.
    Config {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Run a command of a plugin in the application: `arcly exec flags list`.
    Exec {
        #[command(flatten)]
        target: Target,
        /// Plugin, command, and what that takes.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Write the AsyncAPI document of the gateways.
    Asyncapi {
        /// Where to; standard output without it.
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
    /// Write the OpenAPI document.
    Openapi {
        /// Where to; standard output without it.
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GraphFormat {
    Text,
    Mermaid,
    Svg,
}

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", .help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default())]
struct CliError {
    message: String,
    help: Option<String>,
    code: u8,
}

impl CliError {
    /// The words of the command line are wrong: exit code 2, as for those that clap
    /// refuses.
    fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, code: 2 }
    }

    /// The words are fine and it does not work: exit code 1.
    fn failure(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, code: 1 }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::failure(format!("cannot {what} `{}`: {error}", path.display()))
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(output) => {
            if !output.is_empty() {
                print(&output);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(error.code)
        }
    }
}

fn run(command: Command) -> Result<String, CliError> {
    match command {
        Command::New { name, path } => new::project(&name, path.as_deref()),
        Command::Generate { kind, name, module } => generate::generate(kind, &name, &module),
        Command::Routes { json, target } => describe::routes(&target, json),
        Command::Config { json, target } => describe::config(&target, json),
        Command::Graph { format, target } => {
            let modules = describe::graph(&target)?;
            Ok(match format {
                GraphFormat::Text => graph::text(&modules),
                GraphFormat::Mermaid => graph::mermaid(&modules),
                GraphFormat::Svg => graph::svg(&modules),
            })
        }
        Command::Exec { target, words } => target.exec(&words).map(|()| String::new()),
        Command::Openapi { out, target } => written(describe::document(&target, "openapi")?, out),
        Command::Asyncapi { out, target } => written(describe::document(&target, "asyncapi")?, out),
    }
}

/// Writes a document to a file, if one is named.
fn written(document: String, out: Option<PathBuf>) -> Result<String, CliError> {
    let Some(path) = out else { return Ok(document) };
    std::fs::write(&path, document + "\n").map_err(|error| CliError::io("write", &path, &error))?;
    Ok(format!("wrote {}", path.display()))
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
fn print(text: &str) {
    println!("{}", text.trim_end());
}

#[expect(clippy::print_stderr, reason = "a command line complains on standard error")]
fn complain(error: &CliError) {
    eprintln!("error: {error}");
}
