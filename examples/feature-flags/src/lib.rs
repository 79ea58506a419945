//! A plugin, as a crate of its own would be: what it adds is a module, and the trait
//! [`Plugin`] for what no graph can say.
//!
//! An application takes it in one line, as `main.rs` does:
//!
//! ```
//! use arcly_http::prelude::*;
//! use feature_flags::FlagModule;
//!
//! #[module(root, plugins(FlagModule))]
//! struct AppModule;
//! ```

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use arcly_http::di::FrozenDiContainer;
use arcly_http::observe::{Counter, HealthCheck, HealthFuture, Metrics};
use arcly_http::plugin::{Page, PageFuture, Plugin, PluginCommand};
use arcly_http::prelude::*;

/// Settings: `flags.on = ["dark-mode"]` in the file, `FLAGS_ON`, `--flags-on`.
#[derive(Debug, Config)]
#[config(section = "flags")]
pub struct FlagConfig {
    /// Flags that are on.
    #[config(default = "")]
    pub on: Vec<String>,
    /// Flags that exist and are off.
    #[config(default = "")]
    pub off: Vec<String>,
}

/// Which flags are on.
#[derive(Debug, Token)]
pub struct Flags {
    known: BTreeMap<String, bool>,
    twice: Vec<String>,
    asked: Counter,
}

/// Reads the settings once.
#[provider]
pub fn flags(config: Inject<FlagConfig>, metrics: Inject<Metrics>) -> Flags {
    let off = config.off.iter().map(|name| (name.clone(), false));
    let on = config.on.iter().map(|name| (name.clone(), true));
    Flags {
        known: off.chain(on).collect(),
        twice: config.on.iter().filter(|name| config.off.contains(name)).cloned().collect(),
        asked: metrics.counter("flags_asked", "Questions whether a flag is on"),
    }
}

impl Flags {
    /// Whether a flag is on. One that nobody has declared is off.
    ///
    /// Instrumented: traces and the console's recent requests show when it was asked.
    #[tracing::instrument(skip(self))]
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.asked.increment();
        self.known.get(name).copied().unwrap_or(false)
    }

    /// Every declared flag.
    pub fn all(&self) -> impl Iterator<Item = (&str, bool)> {
        self.known.iter().map(|(name, is_on)| (name.as_str(), *is_on))
    }
}

/// Not ready while a flag is both on and off: nobody knows what was meant.
#[derive(Debug, Injectable)]
pub struct FlagCheck {
    flags: Inject<Flags>,
}

impl HealthCheck for FlagCheck {
    fn name(&self) -> &str {
        "flags"
    }

    fn check(&self) -> HealthFuture<'_> {
        Box::pin(async {
            match self.flags.twice.first() {
                None => Ok(()),
                Some(name) => Err(format!("`{name}` is in `flags.on` and in `flags.off`")),
            }
        })
    }
}

/// A flag, as clients see it.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Flag {
    name: String,
    is_on: bool,
}

/// What clients ask.
#[derive(Debug, Injectable)]
pub struct FlagController {
    flags: Inject<Flags>,
}

#[controller("/flags", tags("flags"))]
impl FlagController {
    /// Every flag.
    #[get("/")]
    #[public]
    fn list(&self) -> Json<Vec<Flag>> {
        let flag = |(name, is_on): (&str, bool)| Flag { name: name.to_owned(), is_on };
        Json(self.flags.all().map(flag).collect())
    }

    /// One flag; one that nobody has declared is off.
    #[get("/{name}")]
    #[public]
    fn one(&self, name: Path<String>) -> Json<Flag> {
        let is_on = self.flags.is_on(&name);
        Json(Flag { name: name.0, is_on })
    }
}

/// The plugin.
#[module(
    providers(FlagConfig, flags, FlagCheck as dyn HealthCheck),
    controllers(FlagController),
    exports(flags)
)]
pub struct FlagModule;

impl Plugin for FlagModule {
    const NAME: &'static str = "flags";

    fn page(graph: &FrozenDiContainer) -> Option<PageFuture<'_>> {
        let flags = graph.get::<Flags>()?;
        Some(Box::pin(async move {
            let word = |is_on| if is_on { "on" } else { "off" };
            let rows = flags.all().map(|(name, is_on)| [name.to_owned(), word(is_on).to_owned()]);
            Page::new("Flags")
                .text("Set by `flags.on` and `flags.off`.")
                .table(["Flag", "State"], rows)
        }))
    }

    fn commands() -> Vec<PluginCommand> {
        vec![
            PluginCommand::new("list", "List every flag", |graph, _words| {
                Box::pin(async move {
                    let flags = graph.get::<Flags>().ok_or("no module lists `flags`")?;
                    for (name, is_on) in flags.all() {
                        print(&format!("{name} {}", if is_on { "on" } else { "off" }));
                    }
                    Ok(())
                })
            }),
            PluginCommand::new(
                "check",
                "Fail unless every flag that is named is on",
                |graph, words| {
                    Box::pin(async move {
                        let flags = graph.get::<Flags>().ok_or("no module lists `flags`")?;
                        if words.is_empty() {
                            return Err("name one flag at least: `flags check dark-mode`".into());
                        }
                        match words.iter().find(|name| !flags.is_on(name)) {
                            None => Ok(()),
                            Some(name) => Err(format!("`{name}` is off").into()),
                        }
                    })
                },
            ),
        ]
    }
}

#[expect(clippy::print_stdout, reason = "a command answers on standard output")]
fn print(line: &str) {
    println!("{line}");
}
