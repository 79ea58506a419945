//! The layers, and how they are merged.

use std::path::{Path, PathBuf};

use super::help::help;
use super::profile::PROFILE;
use super::{
    Config, ConfigErrors, ConfigValue as _, FieldMeta, Origin, Profile, Raw, SectionMeta, path,
};

/// Where configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources {
    file: Option<(PathBuf, bool)>,
    env: Vec<(String, String)>,
    args: Vec<String>,
    set: Vec<(String, String)>,
    /// What could not be taken over, such as names that are not UTF-8.
    broken: Vec<(String, String)>,
    profile: Profile,
}

/// What loading comes to.
#[derive(Debug)]
pub enum Loaded {
    /// A configuration.
    Config(Config),
    /// `--help` was asked for: the text to print.
    Help(String),
}

impl ConfigSources {
    /// No layer but the defaults, in profile `production`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a program usually reads: `config.toml` if there is one (or what
    /// `--config` names), the environment, the arguments.
    #[must_use]
    pub fn of_process(mut self) -> Self {
        if self.file.is_none() {
            self.file = Some((PathBuf::from("config.toml"), false));
        }
        self.profile = Profile::of_process();
        for (name, value) in std::env::vars_os() {
            // Names of ours are UTF-8; others are not looked at.
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => self.env.push((name, value)),
                Err(_) => self.broken.push((name, "is not UTF-8".to_owned())),
            }
        }
        for arg in std::env::args_os().skip(1) {
            match arg.into_string() {
                Ok(arg) => self.args.push(arg),
                Err(arg) => {
                    let shown = arg.to_string_lossy();
                    let name = shown.split('=').next().unwrap_or_default().to_owned();
                    self.broken.push((String::new(), format!("argument `{name}` is not UTF-8")));
                }
            }
        }
        self
    }

    /// The profile when no layer sets one.
    #[must_use]
    pub fn default_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Reads a file, which must exist.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some((path.into(), true));
        self
    }

    /// Takes these as the environment.
    #[must_use]
    pub fn env(mut self, vars: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(vars);
        self
    }

    /// Takes these as the arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Takes out the arguments before the first flag: the words of a command.
    #[must_use]
    pub fn split_words(mut self) -> (Self, Vec<String>) {
        let count = self.args.iter().take_while(|arg| !arg.starts_with('-')).count();
        let words = self.args.drain(..count).collect();
        (self, words)
    }

    /// Sets one key, above every other layer: `("server.listen", "..")`.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set.push((key.into(), value.into()));
        self
    }

    /// Merges the layers for the given sections.
    ///
    /// # Errors
    /// Every unknown key, wrong or missing value, unreadable file and name that two
    /// sections claim.
    pub fn load(&self, sections: &[&'static SectionMeta]) -> Result<Loaded, ConfigErrors> {
        let mut errors = ConfigErrors::default();
        let fields = declared(sections, &mut errors);
        let (flags, file) = match self.read_args(&fields, &mut errors) {
            Args::Help => return Ok(Loaded::Help(help(&fields))),
            Args::Flags(flags, file) => (flags, file),
        };
        let mut config = Config::default();
        let profile = self.profile.name().to_owned();
        put(&mut config, PROFILE.key, profile, Origin::Default);
        for (name, field) in &fields {
            if let Some(text) = field.default {
                put(&mut config, name, text.to_owned(), Origin::Default);
            }
        }
        let file = file.map(|path| (path, true)).or_else(|| self.file.clone());
        if let Some((path, required)) = file {
            read_file(&path, required, &fields, &mut config, &mut errors);
        }
        self.read_env(&fields, &mut config, &mut errors);
        for (key, flag, value) in flags {
            put(&mut config, &key, value, Origin::Flag(flag));
        }
        for (key, value) in &self.set {
            if fields.iter().any(|(name, _)| name == key) {
                put(&mut config, key, value.clone(), Origin::Program);
            } else {
                errors.push(format!("`{key}` is not known{}", suggest(key, names(&fields))));
            }
        }
        // One that cannot be read is reported with the others; nothing is relaxed
        // for it.
        let profile = config.values.get(PROFILE.key);
        config.profile =
            profile.and_then(|raw| Profile::from_toml(&raw.value).ok()).unwrap_or_default();
        config.fields = fields;
        config.check(&mut errors);
        errors.into_result(Some(Loaded::Config(config)))
    }

    fn read_env(&self, fields: &Fields, config: &mut Config, errors: &mut ConfigErrors) {
        for (name, value) in &self.env {
            if let Some((key, _)) = fields.iter().find(|(_, field)| field.env == name) {
                put(config, key, value.clone(), Origin::Environment(name.clone()));
            } else if name.starts_with("ARCLY_") && name != "ARCLY_DESCRIBE" {
                let hint = suggest(name, fields.iter().map(|(_, field)| field.env));
                errors.push(format!("environment variable {name} is not known{hint}"));
            }
        }
        for (name, fault) in &self.broken {
            if name.is_empty() {
                errors.push(fault.clone());
            } else if fields.iter().any(|(_, field)| field.env == name) {
                errors.push(format!("environment variable {name} {fault}"));
            }
        }
    }

    fn read_args(&self, fields: &Fields, errors: &mut ConfigErrors) -> Args {
        let mut flags = vec![];
        let mut file = None;
        let mut seen = vec![];
        let mut args = self.args.iter().peekable();
        while let Some(arg) = args.next() {
            if arg == "--help" || arg == "-h" {
                return Args::Help;
            }
            let Some(body) = arg.strip_prefix("--") else {
                errors.push(format!("argument `{arg}` is not known; see --help"));
                continue;
            };
            let (name, inline) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let mut value = |is_switch: bool| match inline.clone() {
                Some(value) => Some(value),
                None if is_switch => Some("true".to_owned()),
                None => args.next_if(|next| !next.starts_with("--")).cloned(),
            };
            if seen.contains(&name) {
                errors.push(format!("flag --{name} is given twice"));
            }
            seen.push(name);
            if name == "config" {
                match value(false) {
                    Some(path) => file = Some(PathBuf::from(path)),
                    None => errors.push("flag --config needs a value".to_owned()),
                }
                continue;
            }
            match fields.iter().find(|(_, field)| field.flag == name) {
                Some((key, field)) => match value(field.value.switch) {
                    Some(value) => flags.push((key.clone(), name.to_owned(), value)),
                    None => errors.push(format!("flag --{name} needs a value")),
                },
                None => {
                    let known =
                        fields.iter().map(|(_, field)| field.flag).chain(["config", "help"]);
                    let hint = suggest(name, known).replacen('`', "`--", 1);
                    errors.push(format!("flag --{name} is not known{hint}; see --help"));
                    if inline.is_none() {
                        args.next_if(|next| !next.starts_with("--"));
                    }
                }
            }
        }
        Args::Flags(flags, file)
    }
}

/// Every declared key, by its whole name.
pub(super) type Fields = Vec<(String, &'static FieldMeta)>;

enum Args {
    Help,
    Flags(Vec<(String, String, String)>, Option<PathBuf>),
}

fn names(fields: &Fields) -> impl Iterator<Item = &str> {
    fields.iter().map(|(name, _)| name.as_str())
}

fn sections(fields: &Fields) -> impl Iterator<Item = &str> {
    names(fields).filter_map(|name| name.split_once('.')).map(|(section, _)| section)
}

fn declared(sections: &[&'static SectionMeta], errors: &mut ConfigErrors) -> Fields {
    let mut fields: Fields = vec![(PROFILE.key.to_owned(), &PROFILE)];
    for section in sections {
        for field in section.fields {
            let name = path(section.name, field.key);
            for (other, known) in &fields {
                if *other == name {
                    errors.push(format!("`{name}` is declared by two sections"));
                } else if known.env == field.env || known.flag == field.flag {
                    errors.push(format!("`{other}` and `{name}` claim the same variable or flag"));
                }
            }
            fields.push((name, field));
        }
    }
    fields
}

fn put(config: &mut Config, key: &str, text: String, origin: Origin) {
    config.values.insert(key.to_owned(), Raw { value: toml::Value::String(text), origin });
}

fn read_file(
    path: &Path,
    required: bool,
    fields: &Fields,
    config: &mut Config,
    errors: &mut ConfigErrors,
) {
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return,
        Err(error) => {
            errors.push(format!("{shown} cannot be read: {error}"));
            return;
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            // Without the line itself, which may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            errors.push(format!("{shown} is not TOML: {} ({shown}:{line})", error.message()));
            return;
        }
    };
    let mut found: Vec<(String, toml::Value)> = vec![];
    for (name, value) in table {
        let is_section = sections(fields).any(|section| section == name);
        match value {
            toml::Value::Table(inner) if is_section => {
                found.extend(
                    inner.into_iter().map(|(key, value)| (super::path(&name, &key), value)),
                );
            }
            other => found.push((name, other)),
        }
    }
    for (key, value) in found {
        let line = line_of(&text, &key);
        let origin = Origin::File(shown.clone(), line);
        if fields.iter().any(|(name, _)| *name == key) {
            config.values.insert(key, Raw { value, origin });
        } else if sections(fields).any(|section| section == key) {
            errors.push(format!("`{key}` is a section: write `[{key}]` ({origin})"));
        } else {
            let hint = suggest(&key, names(fields).chain(sections(fields)));
            errors.push(format!("`{key}` is not known{hint} ({origin})"));
        }
    }
}

/// The line of `section.key`, found by reading as a person does.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (section, key) = key.rsplit_once('.').unwrap_or(("", key));
    let mut current = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            current = name.trim();
            // A table where a value is expected.
            if section.is_empty() && current == key {
                return Some(index + 1);
            }
        } else if current == section
            && line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
        {
            return Some(index + 1);
        }
    }
    None
}

fn suggest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known.map(|name| (distance(wrong, name), name)).min();
    match nearest {
        Some((steps, name)) if steps <= wrong.len().div_ceil(3) => {
            format!("; did you mean `{name}`?")
        }
        _ => String::new(),
    }
}

/// Levenshtein distance.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (j, y) in b.iter().enumerate() {
            let next = if x == *y { diagonal } else { diagonal.min(left).min(row[j + 1]) + 1 };
            diagonal = row[j + 1];
            row[j] = left;
            left = next;
        }
        row[b.len()] = left;
    }
    row[b.len()]
}
