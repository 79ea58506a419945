//! What an application is run for.

use std::fmt;

use super::{ConfigValue, FieldMeta, ValueMeta};

/// What an application is run for. Key `profile`, environment variable
/// `ARCLY_PROFILE`, flag `--profile`; every application has it.
///
/// Without one it is `dev` when cargo started the program or when it was built with
/// debug assertions, `test` in the testing kit, and `production` everywhere else: a
/// machine that nobody configured is not trusted.
///
/// Secrets that the application could make up by itself
/// (`#[config(secret, optional_in_dev)]`) have to be set outside `dev`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// On a developer's machine.
    Dev,
    /// Under test, or for a rehearsal.
    Test,
    /// For real.
    #[default]
    Production,
}

impl Profile {
    const ALL: [Self; 3] = [Self::Dev, Self::Test, Self::Production];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Production => "production",
        }
    }

    /// What a program is run for when nobody says so.
    pub(super) fn of_process() -> Self {
        // `cargo run` sets this.
        let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
        if by_cargo || cfg!(debug_assertions) { Self::Dev } else { Self::Production }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ConfigValue for Profile {
    fn kind() -> String {
        "dev|test|production".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|profile| profile.name() == text);
        found.ok_or_else(|| "`dev`, `test` or `production`".to_owned())
    }
}

/// The key that every application has.
pub(super) static PROFILE: FieldMeta = FieldMeta {
    key: "profile",
    doc: "What the application is run for; without it `dev` under cargo and in debug builds, \
          otherwise `production`.",
    env: "ARCLY_PROFILE",
    flag: "profile",
    default: None,
    secret: false,
    optional_in_dev: false,
    value: ValueMeta::of::<Profile>(),
};
