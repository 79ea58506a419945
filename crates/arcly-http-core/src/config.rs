//! Typed configuration in layers: defaults, file, environment, flags.
//!
//! Later layers win. All faults are reported at once, each with its origin;
//! keys that nobody declares are refused; secrets are never shown.

mod sources;
mod value;

use std::collections::BTreeMap;
use std::fmt;

pub use sources::{ConfigSources, Loaded};
pub use value::{ByteSize, ConfigValue, Secret};

/// What is known of one key, before any value.
#[derive(Debug, Clone, Copy)]
pub struct FieldMeta {
    /// Key within its section.
    pub key: &'static str,
    /// For people.
    pub doc: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Flag, without dashes.
    pub flag: &'static str,
    /// Value when no layer sets one.
    pub default: Option<&'static str>,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// Whether the flag may stand without a value.
    pub switch: bool,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub struct SectionMeta {
    /// Its name; empty for keys at the top level.
    pub name: &'static str,
    /// Its keys.
    pub fields: &'static [FieldMeta],
}

/// A section as a type. Written by `#[derive(Config)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a configuration section",
    note = "add `#[derive(Config)]`"
)]
pub trait ConfigSection: Sized + Send + Sync + 'static {
    /// Its keys.
    const SECTION: &'static SectionMeta;

    /// Reads every field; faults are collected in the reader.
    fn read(reader: &mut SectionReader<'_>) -> Option<Self>;
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The declaration.
    Default,
    /// A file, and the line if it is known.
    File(String, Option<usize>),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
    /// Set by the program, as tests do.
    Program,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name, Some(line)) => write!(f, "{name}:{line}"),
            Self::File(name, None) => f.write_str(name),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Program => f.write_str("set by the program"),
        }
    }
}

#[derive(Debug, Clone)]
struct Raw {
    value: toml::Value,
    origin: Origin,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    pub(crate) fn push(&mut self, fault: String) {
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// One line for each fault.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.0
    }

    fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}  - {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One line of what an application runs with.
#[derive(Debug, Clone)]
pub struct ConfigEntry {
    /// `server.listen`.
    pub key: String,
    /// The value; `***` for a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The merged layers.
#[derive(Debug, Clone, Default)]
pub struct Config {
    values: BTreeMap<String, Raw>,
    secrets: Vec<String>,
}

impl Config {
    /// Reads one section.
    ///
    /// # Errors
    /// Every fault of the section.
    pub fn read<S: ConfigSection>(&self) -> Result<S, ConfigErrors> {
        let mut reader =
            SectionReader { config: self, section: S::SECTION, errors: ConfigErrors::default() };
        let section = S::read(&mut reader);
        reader.errors.into_result(section)
    }

    /// What every key is set to and why, for people.
    #[must_use]
    pub fn describe(&self) -> Vec<ConfigEntry> {
        let entry = |(key, raw): (&String, &Raw)| ConfigEntry {
            key: key.clone(),
            value: if self.secrets.contains(key) {
                "***".to_owned()
            } else {
                value::text(&raw.value)
            },
            origin: raw.origin.clone(),
        };
        self.values.iter().map(entry).collect()
    }
}

fn path(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Reads the fields of one section.
#[derive(Debug)]
pub struct SectionReader<'c> {
    config: &'c Config,
    section: &'static SectionMeta,
    errors: ConfigErrors,
}

impl SectionReader<'_> {
    /// One field; a fault gives `None` and is kept for the report.
    pub fn field<T: ConfigValue>(&mut self, key: &str) -> Option<T> {
        let meta = self.section.fields.iter().find(|field| field.key == key)?;
        let path = path(self.section.name, key);
        let Some(raw) = self.config.values.get(&path) else {
            if let Some(absent) = T::absent() {
                return Some(absent);
            }
            self.errors.push(format!(
                "`{path}` is missing; set it in the file, by the environment variable {} or by --{}",
                meta.env, meta.flag
            ));
            return None;
        };
        match T::from_toml(&raw.value) {
            Ok(value) => Some(value),
            Err(expected) => {
                let shown = if meta.secret { "***".to_owned() } else { value::text(&raw.value) };
                self.errors.push(format!("`{path}`: `{shown}` is not {expected} ({})", raw.origin));
                None
            }
        }
    }

    /// Takes the result of the section's own check.
    pub fn check(&mut self, result: Result<(), String>) {
        if let Err(fault) = result {
            let name =
                if self.section.name.is_empty() { "configuration" } else { self.section.name };
            self.errors.push(format!("`{name}`: {fault}"));
        }
    }
}

#[cfg(test)]
mod tests;
