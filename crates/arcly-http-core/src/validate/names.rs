//! From Rust's names to the client's.

use std::borrow::Cow;

use super::{InputField, VIOLATIONS_MAX, Violation, rules};

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Builds a violation from a path.
pub(super) fn violation(
    steps: &[Step],
    code: impl Into<Cow<'static, str>>,
    detail: impl Into<String>,
) -> Violation {
    let mut pointer = String::new();
    let mut field = String::new();
    for step in steps {
        pointer.push('/');
        match step {
            Step::Key(key) => {
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if !field.is_empty() {
                    field.push('.');
                }
                field.push_str(key);
            }
            Step::Index(index) => {
                pointer.push_str(&index.to_string());
                field.push_str(&format!("[{index}]"));
            }
        }
    }
    Violation { pointer, code: code.into(), detail: detail.into(), field }
}

/// The violations of a garde report, under the client's names; at most the first 100.
#[must_use]
pub fn violations(report: &garde::Report, fields: &'static [InputField]) -> Vec<Violation> {
    let all = report.iter().take(VIOLATIONS_MAX).map(|(path, error)| {
        let (code, detail) = rules::split(error.message());
        violation(&translate(&path.to_string(), fields), code, detail)
    });
    all.collect()
}

/// `user.display_name[0]` with every name translated.
fn translate(path: &str, fields: &'static [InputField]) -> Vec<Step> {
    let mut steps = vec![];
    let mut known: Option<&'static [InputField]> = Some(fields);
    let parts = path.split('.').flat_map(|part| {
        let (name, rest) = part.split_once('[').unwrap_or((part, ""));
        let indexes = rest.split('[').filter_map(|index| index.strip_suffix(']'));
        std::iter::once((name, false)).chain(indexes.map(|index| (index, true)))
    });
    for (part, is_index) in parts {
        if part.is_empty() {
            continue;
        }
        let newtype = known
            .filter(|_| is_index)
            .and_then(|fields| fields.iter().find(|field| field.flat && field.rust == part));
        if let Some(field) = newtype {
            // The content of a newtype has no place of its own on the wire.
            known = field.nested.map(|nested| nested());
            continue;
        }
        if is_index {
            steps.push(match part.parse() {
                Ok(index) => Step::Index(index),
                // The key of a map.
                Err(_) => Step::Key(part.trim_matches('"').to_owned()),
            });
            continue;
        }
        match known.and_then(|fields| fields.iter().find(|field| field.rust == part)) {
            Some(field) => {
                if !field.flat {
                    steps.push(Step::Key(field.client.to_owned()));
                }
                known = field.nested.map(|nested| nested());
            }
            None => steps.push(Step::Key(part.to_owned())),
        }
    }
    steps
}
