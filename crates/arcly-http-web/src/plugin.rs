//! What a library adds to an application besides its part of the graph.
//!
//! A plugin is a module: its settings, routes, health checks and metrics are providers
//! and controllers like any other, and are proved with the rest. What no graph can say,
//! a page of the console and commands, it says by [`Plugin`].

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use arcly_http_core::di::{FrozenDiContainer, Module};
use futures_util::FutureExt as _;
use serde::Serialize;

/// What shows a page: the container gives the plugin's providers.
pub type PageFuture<'g> = Pin<Box<dyn Future<Output = Page> + Send + 'g>>;
/// What runs a command. An error is printed, and the process fails.
pub type CommandFuture<'g> =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'g>>;

/// A module that brings a page of the console or commands along.
///
/// An application takes it by `#[module(plugins(FlagModule), ..)]`, which imports the
/// module as well:
///
/// ```
/// # use arcly_http::di::FrozenDiContainer;
/// # use arcly_http::plugin::{Page, PageFuture, Plugin, PluginCommand};
/// # use arcly_http::prelude::*;
/// # #[derive(Injectable)] struct Flags;
/// # impl Flags {
/// #     fn names(&self) -> Vec<String> { vec![] }
/// #     fn rows(&self) -> Vec<[String; 2]> { vec![] }
/// # }
/// #[module(providers(Flags))]
/// pub struct FlagModule;
///
/// impl Plugin for FlagModule {
///     const NAME: &'static str = "flags";
///
///     fn page(graph: &FrozenDiContainer) -> Option<PageFuture<'_>> {
///         let flags = graph.get::<Flags>()?;
///         Some(Box::pin(async move {
///             Page::new("Flags").table(["Flag", "On"], flags.rows())
///         }))
///     }
///
///     fn commands() -> Vec<PluginCommand> {
///         vec![PluginCommand::new("list", "List every flag", |graph, _words| {
///             Box::pin(async move {
///                 for flag in graph.get::<Flags>().ok_or("not listed")?.names() {
///                     println!("{flag}");
///                 }
///                 Ok(())
///             })
///         })]
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    label = "cannot stand in `plugins(..)`",
    note = "a module that is none stands in `imports(..)`; a plugin implements `Plugin`"
)]
pub trait Plugin: Module {
    /// What operators call it: lower-case letters, digits and `-`, different from other
    /// plugins of the application. The first word of its commands.
    const NAME: &'static str;

    /// What it shows on the console of the admin listener; asked for each time somebody
    /// looks, for at most two seconds. Default: nothing.
    fn page(graph: &FrozenDiContainer) -> Option<PageFuture<'_>> {
        let _ = graph;
        None
    }

    /// Commands of the application's binary: `my-app flags list`. Default: none.
    fn commands() -> Vec<PluginCommand> {
        vec![]
    }
}

/// A part of the console: a title, and below it texts and tables in the order in which
/// they are added. Nothing in it is read as HTML.
#[derive(Debug, Clone, Serialize)]
#[must_use = "a page is shown when it is returned"]
pub struct Page {
    title: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Text(String),
    Table { heads: Vec<String>, rows: Vec<Vec<String>> },
}

/// Most rows of one table that the console shows.
const ROWS_MAX: usize = 1000;

impl Page {
    /// A page with nothing on it.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), parts: vec![] }
    }

    /// Adds a paragraph.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Adds a table; rows beyond the thousandth are left out, which the console says.
    pub fn table<const N: usize>(
        mut self,
        heads: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Self {
        let mut rows = rows.into_iter();
        let shown = rows.by_ref().take(ROWS_MAX).map(Vec::from).collect();
        self.parts.push(Part::Table { heads: heads.map(str::to_owned).into(), rows: shown });
        if rows.next().is_some() {
            self = self.text(format!("Only the first {ROWS_MAX} rows are shown."));
        }
        self
    }
}

type Run = for<'g> fn(&'g FrozenDiContainer, Vec<String>) -> CommandFuture<'g>;

/// A command that a plugin adds: `my-app <plugin> <command> [word ..] [--setting ..]`.
///
/// It runs in the launched application (providers built, `on_start` run) that listens
/// nowhere, and stops afterwards.
#[derive(Clone, Copy)]
pub struct PluginCommand {
    name: &'static str,
    about: &'static str,
    run: Run,
}

impl std::fmt::Debug for PluginCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PluginCommand({})", self.name)
    }
}

impl PluginCommand {
    /// A command, what it is for in a few words, and what it does with the words that
    /// follow it.
    #[must_use]
    pub const fn new(name: &'static str, about: &'static str, run: Run) -> Self {
        Self { name, about, run }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is for.
    #[must_use]
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// Runs it.
    ///
    /// # Errors
    /// What keeps it from doing its work, in words for operators.
    pub fn run<'g>(&self, graph: &'g FrozenDiContainer, words: Vec<String>) -> CommandFuture<'g> {
        (self.run)(graph, words)
    }
}

/// A plugin as the application keeps it.
#[derive(Clone, Copy)]
pub struct PluginMeta {
    pub(crate) name: &'static str,
    page: for<'g> fn(&'g FrozenDiContainer) -> Option<PageFuture<'g>>,
    commands: fn() -> Vec<PluginCommand>,
}

impl std::fmt::Debug for PluginMeta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PluginMeta({})", self.name)
    }
}

impl PluginMeta {
    pub(crate) fn of<P: Plugin>() -> Self {
        Self { name: P::NAME, page: P::page, commands: P::commands }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its commands.
    #[must_use]
    pub fn commands(&self) -> Vec<PluginCommand> {
        (self.commands)()
    }

    /// Its page; what goes wrong with it is on the page.
    pub(crate) async fn show(&self, graph: &FrozenDiContainer) -> Option<Page> {
        const SHOW_MAX: Duration = Duration::from_secs(2);
        let asked = AssertUnwindSafe(async {
            match (self.page)(graph) {
                Some(page) => Some(page.await),
                None => None,
            }
        });
        match tokio::time::timeout(SHOW_MAX, asked.catch_unwind()).await {
            Ok(Ok(page)) => page,
            Ok(Err(_)) => Some(Page::new(self.name).text("This page panicked.")),
            Err(_) => Some(Page::new(self.name).text("This page took longer than two seconds.")),
        }
    }
}

/// What is wrong with the names of an application's plugins.
pub(crate) fn fault(plugins: &[PluginMeta]) -> Option<String> {
    let is_word = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    for (index, plugin) in plugins.iter().enumerate() {
        let name = plugin.name;
        if !is_word(name) {
            return Some(format!(
                "plugin `{name}`: a name is lower-case letters, digits and `-`; change its `NAME`"
            ));
        }
        if plugins[..index].iter().any(|other| other.name == name) {
            return Some(format!(
                "two plugins are called `{name}`; take one of them out of `plugins(..)`"
            ));
        }
        for command in plugin.commands() {
            if !is_word(command.name) {
                return Some(format!(
                    "command `{}` of plugin `{name}`: a name is lower-case letters, digits and `-`",
                    command.name
                ));
            }
        }
    }
    None
}
