//! Whether a default can be read as the type of its key, where the type says so by its
//! name. Of any other type the launch finds it out.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use syn::{GenericArgument, PathArguments, Type};

/// What the text would have to be, if it is not that.
pub(super) fn expected(ty: &Type, text: &str) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let inner = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            GenericArgument::Type(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    };
    let name = last.ident.to_string();
    match (name.as_str(), inner) {
        ("Option", Some(inner)) => return expected(inner, text),
        ("Vec", Some(inner)) => {
            let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let expected = parts.find_map(|part| expected(inner, part))?;
            return Some(format!("a list separated by commas, each {expected}"));
        }
        (_, Some(_)) => return None,
        (_, None) => {}
    }
    let text = text.trim();
    let (fits, expected) = match name.as_str() {
        "u8" => whole::<u8>(text),
        "u16" => whole::<u16>(text),
        "u32" => whole::<u32>(text),
        "u64" => whole::<u64>(text),
        "usize" => whole::<usize>(text),
        "i8" => whole::<i8>(text),
        "i16" => whole::<i16>(text),
        "i32" => whole::<i32>(text),
        "i64" => whole::<i64>(text),
        "f64" => (f64::from_str(text).is_ok_and(f64::is_finite), "a number"),
        "bool" => {
            let known = ["true", "1", "yes", "on", "false", "0", "no", "off"];
            (known.contains(&text), "`true` or `false`")
        }
        "Duration" => (
            measured(text, &["ms", "s", "m", "h"]),
            "a duration with a unit, such as `250ms`, `10s` or `2m`",
        ),
        "ByteSize" => (
            measured(text, &["B", "KiB", "MiB", "GiB"]),
            "a size with a unit, such as `64KiB` or `2MiB`",
        ),
        "SocketAddr" => {
            (SocketAddr::from_str(text).is_ok(), "an address with port, such as `127.0.0.1:3000`")
        }
        "IpAddr" => (IpAddr::from_str(text).is_ok(), "an IP address"),
        "PathBuf" => (!text.is_empty(), "a path"),
        _ => return None,
    };
    (!fits).then(|| expected.to_owned())
}

fn whole<T: FromStr>(text: &str) -> (bool, &'static str) {
    (text.parse::<T>().is_ok(), "a whole number within the type's range")
}

/// `250ms`: digits and one of the units.
fn measured(text: &str, units: &[&str]) -> bool {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    number.parse::<u64>().is_ok() && units.contains(&unit.trim())
}
