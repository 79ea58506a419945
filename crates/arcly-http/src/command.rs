//! Commands of plugins: `my-app flags list --log debug`.

use std::fmt::Write as _;

use arcly_http_web::App;
use arcly_http_web::app::AppError;
use arcly_http_web::plugin::{PluginCommand, PluginMeta};

/// A command as it was called.
pub(crate) struct Called {
    command: PluginCommand,
    words: Vec<String>,
}

/// Finds the command that the first words of the command line name. `None`: there are
/// no words, so that the application is to serve.
pub(crate) fn find(app: &App, words: Vec<String>) -> Result<Option<Called>, AppError> {
    let mut words = words.into_iter();
    let Some(name) = words.next() else { return Ok(None) };
    let plugins = app.plugins()?;
    let Some(plugin) = plugins.iter().find(|plugin| plugin.name() == name) else {
        let known = if plugins.iter().all(|plugin| plugin.commands().is_empty()) {
            "this application has no commands; settings begin with `--`, see --help".to_owned()
        } else {
            format!("commands are:\n{}", list(&plugins))
        };
        return Err(AppError::Command(format!("argument `{name}` is not known; {known}")));
    };
    let called = words.next();
    let found =
        plugin.commands().into_iter().find(|command| Some(command.name()) == called.as_deref());
    match found {
        Some(command) => Ok(Some(Called { command, words: words.collect() })),
        None => {
            let said = called.map_or_else(
                || format!("`{name}` needs a command"),
                |called| format!("`{name}` has no command `{called}`"),
            );
            let known = list(std::slice::from_ref(plugin));
            Err(AppError::Command(format!("{said}; commands are:\n{known}")))
        }
    }
}

/// Launches the application, runs the command, and stops.
pub(crate) async fn run(app: App, called: Called) -> Result<(), AppError> {
    let launched = app.launch().await?;
    let result = called.command.run(launched.container(), called.words).await;
    launched.shutdown().await;
    result.map_err(|error| AppError::Command(error.to_string()))
}

/// What `--help` says of commands; empty where there are none.
pub(crate) fn help(app: &App) -> String {
    let plugins = app.plugins().unwrap_or_default();
    let list = list(&plugins);
    if list.is_empty() {
        list
    } else {
        format!("Commands. Words first, then settings.\n\n{list}\n")
    }
}

fn list(plugins: &[PluginMeta]) -> String {
    let mut text = String::new();
    for plugin in plugins {
        for command in plugin.commands() {
            let _ =
                writeln!(text, "  {} {}\n      {}", plugin.name(), command.name(), command.about());
        }
    }
    text
}
