//! Strict decoding of JSON, forms and query strings.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::names::{Step, violation};
use super::pairs::Pairs;
use super::{Violation, invalid};
use crate::problem::{Problem, kinds};

/// Most unknown fields that one answer lists.
const UNKNOWN_MAX: usize = 32;

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
    violation(steps, format!("this {what} is not known"))
}

/// Decodes JSON. The happy path is one pass; a second pass, to learn where the
/// fault is, is made only for input that is refused.
///
/// # Errors
/// 400 for text that is not JSON; 422 for unknown fields (all of them), missing
/// fields and wrong types.
pub fn decode_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut unknown_fields = vec![];
    let mut note = |path: serde_ignored::Path<'_>| {
        if unknown_fields.len() < UNKNOWN_MAX {
            let mut steps = vec![];
            ignored_steps(&path, &mut steps);
            unknown_fields.push(unknown(&steps, "field"));
        }
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let result = serde_ignored::deserialize(&mut deserializer, &mut note)
        .and_then(|value| deserializer.end().map(|()| value));
    match result {
        Ok(value) if unknown_fields.is_empty() => Ok(value),
        Ok(_) => Err(invalid(&unknown_fields)),
        Err(error) if matches!(error.classify(), Category::Data) => Err(wrong_data::<T>(bytes)),
        Err(error) => Err(not_json(bytes, &error)),
    }
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let detail = if bytes.is_empty() {
        "the body is empty; send JSON".to_owned()
    } else {
        format!("the body is not valid JSON at line {} column {}", error.line(), error.column())
    };
    Problem::of(&kinds::BAD_REQUEST).with_detail(detail)
}

fn wrong_data<T: DeserializeOwned>(bytes: &[u8]) -> Problem {
    // Text that is not JSON further on is a syntax fault first.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        return not_json(bytes, &error);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => Problem::of(&kinds::BAD_REQUEST).with_detail("the body does not fit"),
        Err(error) => {
            let mut steps = path_steps(error.path());
            let message = readable(&error.inner().to_string(), &mut steps);
            invalid(&[violation(&steps, message)])
        }
    }
}

/// serde's message without positions and Rust types; a missing field is named by
/// its path.
fn readable(message: &str, steps: &mut Vec<Step>) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    let quoted = |prefix: &str| message.strip_prefix(prefix)?.split('`').next().map(str::to_owned);
    if let Some(field) = quoted("missing field `") {
        steps.push(Step::Key(field));
        return "this field is required".to_owned();
    }
    if let Some(field) = quoted("unknown field `") {
        steps.push(Step::Key(field));
        return "this field is not known".to_owned();
    }
    if let Some(field) = quoted("duplicate field `") {
        steps.push(Step::Key(field));
        return "this field is given twice".to_owned();
    }
    if let Some((_, expected)) = message.rsplit_once("expected ") {
        return format!("expected {}", human(expected));
    }
    message.to_owned()
}

fn human(expected: &str) -> &str {
    match expected.trim() {
        "a string" | "string" => "a string",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on, within its bounds",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number within its bounds",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other if other.starts_with("struct ") || other == "a map" => "an object",
        other => other,
    }
}

/// Decodes a query string or a form; `what` is `query` or `form`. A field that
/// is a list may be given several times.
///
/// # Errors
/// 422 for unknown parameters (all of them), missing ones and wrong types.
pub fn decode_urlencoded<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Problem> {
    let mut unknown_fields = vec![];
    let mut note = |path: serde_ignored::Path<'_>| {
        if unknown_fields.len() < UNKNOWN_MAX {
            let mut steps = vec![];
            ignored_steps(&path, &mut steps);
            let kind = if what == "query" { "parameter" } else { "field" };
            unknown_fields.push(unknown(&steps, kind));
        }
    };
    let parser = || Pairs::parse(bytes);
    match serde_ignored::deserialize::<_, _, T>(parser(), &mut note) {
        Ok(value) if unknown_fields.is_empty() => Ok(value),
        Ok(_) => Err(invalid(&unknown_fields)),
        Err(_) => match serde_path_to_error::deserialize::<_, T>(parser()) {
            Ok(_) => Err(Problem::of(&kinds::BAD_REQUEST)),
            Err(error) => {
                let mut steps = path_steps(error.path());
                let message = readable(&error.inner().to_string(), &mut steps);
                Err(invalid(&[violation(&steps, message)]))
            }
        },
    }
}
