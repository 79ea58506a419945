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

pub(super) fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

macro_rules! parsed {
    ($($ty:ty: $expected:literal;)*) => {$(
        impl ConfigValue for $ty {
            fn from_text(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| $expected.to_owned())
            }
        }
    )*};
}

parsed! {
    u8: "a whole number from 0 to 255"; u16: "a whole number from 0 to 65535";
    u32: "a whole number from 0 on"; u64: "a whole number from 0 on"; usize: "a whole number from 0 on";
    i32: "a whole number"; i64: "a whole number"; f64: "a number";
    SocketAddr: "an address with port, such as `127.0.0.1:3000`"; IpAddr: "an IP address";
}

impl ConfigValue for String {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl ConfigValue for PathBuf {
    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path".to_owned()) } else { Ok(text.into()) }
    }
}

impl ConfigValue for bool {
    const SWITCH: bool = true;

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
    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("a secret that is not empty".to_owned())
        } else {
            Ok(Self::new(text))
        }
    }
}
