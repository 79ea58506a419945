//! Typed configuration in layers: defaults, file, environment, flags.
//!
//! Later layers win. All faults are reported at once, each with its origin;
//! keys that nobody declares are refused; secrets are never shown. What a section
//! checks by itself comes after that, when its values can be read.
//!
//! Every application runs in a [`Profile`]; outside `dev` it does not make up
//! secrets.

mod help;
mod profile;
mod sources;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

pub use profile::Profile;
pub use sources::{ConfigSources, Loaded};
pub use value::{ByteSize, ConfigValue, Secret, ValueMeta};

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
    /// Whether it may be missing in profile `dev` only.
    pub optional_in_dev: bool,
    /// What is known of its type.
    pub value: ValueMeta,
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

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// `server.listen`.
    pub key: String,
    /// The value; `***` for a secret, nothing when no layer sets it.
    pub value: Option<String>,
    /// Where the value comes from.
    pub origin: Option<Origin>,
    /// Its type, as `--help` shows it.
    pub kind: String,
    /// Environment variable.
    pub env: &'static str,
    /// Flag, without dashes.
    pub flag: &'static str,
    /// For people.
    pub doc: &'static str,
}

/// The merged layers.
#[derive(Debug, Clone, Default)]
pub struct Config {
    values: BTreeMap<String, Raw>,
    fields: sources::Fields,
    profile: Profile,
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

    /// What the application is run for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// What every key is set to and why, for people.
    #[must_use]
    pub fn describe(&self) -> Vec<ConfigEntry> {
        let entry = |(key, field): &(String, &'static FieldMeta)| {
            let raw = self.values.get(key);
            ConfigEntry {
                key: key.clone(),
                value: raw.map(|raw| shown(field, &raw.value)),
                origin: raw.map(|raw| raw.origin.clone()),
                kind: (field.value.kind)(),
                env: field.env,
                flag: field.flag,
                doc: field.doc,
            }
        };
        self.fields.iter().map(entry).collect()
    }

    /// Holds every value against its type, and says what is missing.
    fn check(&self, errors: &mut ConfigErrors) {
        for (key, field) in &self.fields {
            match self.values.get(key) {
                Some(raw) => {
                    if let Err(expected) = (field.value.check)(&raw.value) {
                        errors.push(wrong(key, field, raw, &expected));
                    }
                    if field.secret && raw.origin == Origin::Default && self.profile != Profile::Dev
                    {
                        errors.push(unset_secret(key, field, self.profile));
                    }
                }
                None if field.optional_in_dev && self.profile != Profile::Dev => {
                    errors.push(unset_secret(key, field, self.profile));
                }
                None if !(field.value.is_optional)() => errors.push(missing(key, field)),
                None => {}
            }
        }
    }
}

fn shown(field: &FieldMeta, value: &toml::Value) -> String {
    if field.secret { "***".to_owned() } else { value::text(value) }
}

fn wrong(key: &str, field: &FieldMeta, raw: &Raw, expected: &str) -> String {
    format!("`{key}`: `{}` is not {expected} ({})", shown(field, &raw.value), raw.origin)
}

fn missing(key: &str, field: &FieldMeta) -> String {
    format!(
        "`{key}` is missing; set it in the file, by the environment variable {} or by --{}",
        field.env, field.flag
    )
}

fn unset_secret(key: &str, field: &FieldMeta, profile: Profile) -> String {
    let test = match profile {
        Profile::Test => format!("; a test sets it by `.set(\"{key}\", \"..\")`"),
        _ => String::new(),
    };
    format!(
        "`{key}` has to be set in profile `{profile}`: in the file, by the environment variable \
         {} or by --{}; only `--profile dev` does without{test}",
        field.env, field.flag
    )
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
            let absent = T::absent();
            if absent.is_none() {
                self.errors.push(missing(&path, meta));
            }
            return absent;
        };
        let value = T::from_toml(&raw.value);
        value.map_err(|expected| self.errors.push(wrong(&path, meta, raw, &expected))).ok()
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
