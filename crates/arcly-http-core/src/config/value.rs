//! Types that a key can have.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A type that can be read from text and from TOML. The error names what was
/// expected: "a whole number".
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from configuration",
    note = "implement `ConfigValue` for it: `from_text` is enough"
)]
pub trait ConfigValue: Sized {
    /// Whether a flag of this type may stand without a value.
    const SWITCH: bool = false;

    /// What `--help` calls it, in a word or two.
    fn kind() -> String {
        "text".to_owned()
    }

    /// Reads it from text.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Reads it from a value of a file.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Array(_) | toml::Value::Table(_) => Err("a single value".to_owned()),
            other => Self::from_text(&text(other)),
        }
    }

    /// What a missing value means; `None`: it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// What is known of a key's type.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ValueMeta {
    /// What `--help` calls it.
    pub kind: fn() -> String,
    /// Whether it may be missing.
    pub is_optional: fn() -> bool,
    /// Says what was expected instead of a value.
    pub check: fn(&toml::Value) -> Result<(), String>,
    /// Whether the flag may stand without a value.
    pub switch: bool,
}

impl ValueMeta {
    /// What is known of `T`.
    #[must_use]
    pub const fn of<T: ConfigValue>() -> Self {
        Self {
            kind: T::kind,
            is_optional: || T::absent().is_some(),
            check: |value| T::from_toml(value).map(|_| ()),
            switch: T::SWITCH,
        }
    }
}

impl fmt::Debug for ValueMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueMeta({})", (self.kind)())
    }
}

pub(super) fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

macro_rules! parsed {
    ($($ty:ty: $kind:literal, $expected:literal;)*) => {$(
        impl ConfigValue for $ty {
            fn kind() -> String {
                $kind.to_owned()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| $expected.to_owned())
            }
        }
    )*};
}

parsed! {
    SocketAddr: "address:port", "an address with port, such as `127.0.0.1:3000`";
    IpAddr: "address", "an IP address";
}

macro_rules! whole {
    ($($ty:ty)*) => {$(
        impl ConfigValue for $ty {
            fn kind() -> String {
                "number".to_owned()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                let parsed = text.trim().parse();
                parsed.map_err(|_| format!("a whole number from {} to {}", Self::MIN, Self::MAX))
            }
        }
    )*};
}

whole! { u8 u16 u32 u64 usize i8 i16 i32 i64 }

impl ConfigValue for f64 {
    fn kind() -> String {
        "number".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let parsed = text.trim().parse().ok().filter(|number: &Self| number.is_finite());
        parsed.ok_or_else(|| "a number".to_owned())
    }
}

impl ConfigValue for String {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| "a text in quotes".to_owned())
    }
}

impl ConfigValue for PathBuf {
    fn kind() -> String {
        "path".to_owned()
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| "a path in quotes".to_owned()).and_then(Self::from_text)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path".to_owned()) } else { Ok(text.into()) }
    }
}

impl ConfigValue for bool {
    const SWITCH: bool = true;

    fn kind() -> String {
        "true|false".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("`true` or `false`".to_owned()),
        }
    }

    fn absent() -> Option<Self> {
        Some(false)
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    const SWITCH: bool = T::SWITCH;

    fn kind() -> String {
        T::kind()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        T::from_text(text).map(Some)
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        T::from_toml(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: ConfigValue> ConfigValue for Vec<T> {
    fn kind() -> String {
        format!("{},..", T::kind())
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(T::from_text).collect::<Result<_, _>>().map_err(|e| format!("a list, each {e}"))
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Array(values) => {
                let all = values.iter().map(T::from_toml).collect::<Result<_, _>>();
                all.map_err(|expected| format!("a list, each {expected}"))
            }
            other => Self::from_text(&text(other)),
        }
    }

    fn absent() -> Option<Self> {
        Some(vec![])
    }
}

/// Splits `250ms` into number and unit.
fn measured(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text.get(..split)?.parse().ok()?, text.get(split..)?.trim()))
}

impl ConfigValue for Duration {
    fn kind() -> String {
        "duration".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let parsed = measured(text).and_then(|(number, unit)| match unit {
            "ms" => Some(Self::from_millis(number)),
            "s" => Some(Self::from_secs(number)),
            "m" => Some(Self::from_secs(number.checked_mul(60)?)),
            "h" => Some(Self::from_secs(number.checked_mul(3600)?)),
            _ => None,
        });
        parsed.ok_or_else(|| "a duration with a unit, such as `250ms`, `10s` or `2m`".to_owned())
    }
}

/// A number of bytes, written with a unit: `64KiB`, `2MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ConfigValue for ByteSize {
    fn kind() -> String {
        "size".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let parsed = measured(text).and_then(|(number, unit)| {
            let factor: u64 = match unit {
                "B" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                _ => return None,
            };
            number.checked_mul(factor).map(Self)
        });
        parsed.ok_or_else(|| "a size with a unit, such as `64KiB` or `2MiB`".to_owned())
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl ConfigValue for Secret {
    fn kind() -> String {
        "secret".to_owned()
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        value.as_str().ok_or_else(|| "a text in quotes".to_owned()).and_then(Self::from_text)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("a secret that is not empty".to_owned())
        } else {
            Ok(Self::new(text))
        }
    }
}
