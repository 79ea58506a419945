//! Strict decoding of JSON, forms and query strings.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::names::{Step, violation};
use super::pairs::Pairs;
use super::{Shape, UNKNOWN_MAX, Violation, invalid};
use crate::problem::{Problem, kinds};

fn ignored_steps(path: &serde_ignored::Path<'_>, steps: &mut Vec<Step>) {
    use serde_ignored::Path;
    match path {
        Path::Root => {}
        Path::Seq { parent, index } => {
            ignored_steps(parent, steps);
            steps.push(Step::Index(*index));
        }
        Path::Map { parent, key } => {
            ignored_steps(parent, steps);
            steps.push(Step::Key(key.clone()));
        }
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => {
            ignored_steps(parent, steps);
        }
    }
}

fn path_steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    use serde_path_to_error::Segment;
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}

fn unknown(steps: &[Step], what: &str) -> Violation {
    violation(steps, "unknown", format!("this {what} is not known; leave it out"))
}

/// Decodes JSON. The happy path is one pass; a second pass, to learn where the
/// fault is, is made only for input that is refused, and to find what serde would take
/// without a word ([`Shape`]): in types that hide fields, and in input with arrays.
///
/// # Errors
/// 400 for text that is not JSON; 422 for unknown fields (all of them), missing
/// fields and wrong types.
pub fn decode_json<T: DeserializeOwned>(bytes: &[u8], shape: Option<&Shape>) -> Result<T, Problem> {
    let mut found = vec![];
    let mut note = |path: serde_ignored::Path<'_>| {
        if found.len() < UNKNOWN_MAX {
            let mut steps = vec![];
            ignored_steps(&path, &mut steps);
            found.push(unknown(&steps, "field"));
        }
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let result = serde_ignored::deserialize(&mut deserializer, &mut note)
        .and_then(|value| deserializer.end().map(|()| value));
    match result {
        Ok(value) => {
            // Where there is no bracket, there is no array.
            let asks = |shape: &&Shape| shape.hides_fields || bytes.contains(&b'[');
            if let Some(shape) = shape.filter(asks) {
                let sent =
                    serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error))?;
                if shape.hides_fields {
                    found.extend(shape.unknown(&sent));
                }
                found.extend(shape.arrays(&sent));
                found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
                found.dedup();
            }
            if found.is_empty() { Ok(value) } else { Err(invalid(&found)) }
        }
        Err(error) if matches!(error.classify(), Category::Data) => {
            Err(wrong_data::<T>(bytes, found))
        }
        Err(error) => Err(not_json(bytes, &error)),
    }
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let detail = if bytes.is_empty() {
        "the body is empty; send JSON".to_owned()
    } else if let Err(error) = std::str::from_utf8(bytes) {
        format!("the body is not UTF-8 from byte {} on; send JSON in UTF-8", error.valid_up_to())
    } else if error.to_string().starts_with("recursion limit") {
        "the body is nested too deeply; send flatter JSON".to_owned()
    } else {
        format!(
            "the body is not valid JSON at line {} column {}; send one JSON value",
            error.line(),
            error.column()
        )
    };
    Problem::of(&kinds::BAD_REQUEST).with_detail(detail)
}

fn wrong_data<T: DeserializeOwned>(bytes: &[u8], mut found: Vec<Violation>) -> Problem {
    // Text that is not JSON further on is a syntax fault first.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        return not_json(bytes, &error);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => Problem::of(&kinds::BAD_REQUEST).with_detail("the body does not fit"),
        Err(error) => {
            found.push(located(error.path(), &error.inner().to_string()));
            invalid(&found)
        }
    }
}

fn located(path: &serde_path_to_error::Path, message: &str) -> Violation {
    let mut steps = path_steps(path);
    let (code, detail) = readable(message, &mut steps);
    violation(&steps, code, detail)
}

/// serde's message as a code and a sentence, without positions and Rust types; a
/// missing field is named by its path.
fn readable(message: &str, steps: &mut Vec<Step>) -> (&'static str, String) {
    let message = message.split(" at line ").next().unwrap_or(message);
    let named = [
        ("missing field `", "required", "this field is required"),
        ("unknown field `", "unknown", "this field is not known; leave it out"),
        ("duplicate field `", "duplicate", "this field is given twice; send it once"),
    ];
    for (prefix, code, detail) in named {
        if let Some(field) = message.strip_prefix(prefix).and_then(|rest| rest.split('`').next()) {
            // Some deserializers stand on the field already, some before it.
            if !matches!(steps.last(), Some(Step::Key(last)) if last == field) {
                steps.push(Step::Key(field.to_owned()));
            }
            return (code, detail.to_owned());
        }
    }
    let code = [
        ("invalid type", "wrong_type"),
        ("invalid value", "out_of_range"),
        ("invalid length", "wrong_length"),
        ("unknown variant", "not_an_option"),
        ("given more than once", "duplicate"),
    ];
    let code = code.iter().find(|(prefix, _)| message.starts_with(prefix));
    let code = code.map_or("invalid", |(_, code)| *code);
    if message.contains("did not match any variant of untagged enum") {
        return ("not_an_option", "this is none of the forms that are accepted".to_owned());
    }
    match message.rsplit_once("expected ") {
        Some((_, expected)) if code != "invalid" => (code, format!("expected {}", human(expected))),
        _ if code == "duplicate" => (code, "given more than once; send it once".to_owned()),
        _ => (code, message.to_owned()),
    }
}

/// What serde calls an expected value, for people who do not know Rust.
fn human(expected: &str) -> Cow<'_, str> {
    let expected = expected.trim();
    let whole = |min: &dyn std::fmt::Display, max: &dyn std::fmt::Display| {
        Cow::Owned(format!("a whole number from {min} to {max}"))
    };
    match expected {
        "a string" | "string" | "a borrowed string" => "a string".into(),
        "u8" => whole(&u8::MIN, &u8::MAX),
        "u16" => whole(&u16::MIN, &u16::MAX),
        "u32" => whole(&u32::MIN, &u32::MAX),
        "u64" | "usize" => whole(&u64::MIN, &u64::MAX),
        "i8" => whole(&i8::MIN, &i8::MAX),
        "i16" => whole(&i16::MIN, &i16::MAX),
        "i32" => whole(&i32::MIN, &i32::MAX),
        "i64" | "isize" => whole(&i64::MIN, &i64::MAX),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a character" => "one character".into(),
        "a sequence" => "a list".into(),
        "unit" => "null".into(),
        other
            if ["struct ", "enum ", "internally tagged enum ", "adjacently tagged enum "]
                .iter()
                .any(|prefix| other.starts_with(prefix))
                || other == "a map" =>
        {
            "an object".into()
        }
        other if other.starts_with("tuple ") => "a list".into(),
        other => other.into(),
    }
}

/// Decodes a query string or a form; `what` is `query` or `form`. A field that
/// is a list may be given several times.
///
/// # Errors
/// 400 for text that is not UTF-8; 422 for unknown parameters (all of them),
/// missing ones and wrong types.
pub fn decode_urlencoded<T: DeserializeOwned>(
    bytes: &[u8],
    what: &str,
    shape: Option<&Shape>,
) -> Result<T, Problem> {
    let pairs = Pairs::parse(bytes).map_err(|name| {
        Problem::of(&kinds::BAD_REQUEST)
            .with_detail(format!("`{name}` is not UTF-8; percent-encode the text's UTF-8 bytes"))
    })?;
    let kind = if what == "query" { "parameter" } else { "field" };
    if let Some(shape) = shape {
        return decode_shaped(&pairs, kind, shape);
    }
    let mut found = vec![];
    let mut note = |path: serde_ignored::Path<'_>| {
        if found.len() < UNKNOWN_MAX {
            let mut steps = vec![];
            ignored_steps(&path, &mut steps);
            found.push(unknown(&steps, kind));
        }
    };
    match serde_ignored::deserialize::<_, _, T>(pairs.clone(), &mut note) {
        Ok(value) if found.is_empty() => Ok(value),
        Ok(_) => Err(invalid(&found)),
        Err(_) => match serde_path_to_error::deserialize::<_, T>(pairs) {
            Ok(_) => Err(Problem::of(&kinds::BAD_REQUEST)),
            Err(error) => {
                found.push(located(error.path(), &error.inner().to_string()));
                Err(invalid(&found))
            }
        },
    }
}

fn decode_shaped<T: DeserializeOwned>(
    pairs: &Pairs<'_>,
    kind: &str,
    shape: &Shape,
) -> Result<T, Problem> {
    let value = shape.coerce(pairs.groups()).map_err(|twice| {
        let all: Vec<Violation> = twice
            .into_iter()
            .take(UNKNOWN_MAX)
            .map(|name| {
                let detail = format!("this {kind} is given more than once; send it once");
                violation(&[Step::Key(name)], "duplicate", detail)
            })
            .collect();
        invalid(&all)
    })?;
    let found = shape.unknown(&value);
    match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(decoded) if found.is_empty() => Ok(decoded),
        Ok(_) => Err(invalid(&found)),
        Err(error) => Err(invalid(&[located(error.path(), &error.inner().to_string())])),
    }
}
