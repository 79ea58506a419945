//! Reading and checking what clients send.
//!
//! Input is read strictly: unknown fields are refused, and every fault names
//! its field as the client does, with a JSON pointer (RFC 6901).

mod decode;
mod names;
mod pairs;
mod rules;
mod shape;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

pub use decode::{decode_json, decode_urlencoded};
pub use names::violations;
pub use shape::{Shape, expected};

use crate::problem::{Problem, kinds};

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the value: `/user/tags/0`; empty for the whole
    /// input.
    pub pointer: String,
    /// The kind of fault, for programs: `required`, `unknown`, `duplicate`,
    /// `wrong_type`, `out_of_range`, `not_an_option`, `too_short`, `too_long`,
    /// `too_small`, `too_large`, `pattern`, ..; `invalid` for rules that the
    /// application wrote itself.
    pub code: Cow<'static, str>,
    /// What is wrong, and what to do about it.
    pub detail: String,
    /// The same place as the pointer, for people: `user.tags[0]`.
    pub field: String,
}

/// Most unknown fields that one answer lists.
const UNKNOWN_MAX: usize = 32;

/// Most violations that one answer lists: a short input, such as a list of many
/// empty texts, is not to make a long answer.
const VIOLATIONS_MAX: usize = 100;

/// The client's name of one field.
#[derive(Debug, Clone, Copy)]
pub struct InputField {
    /// Name in Rust; the index for a tuple.
    pub rust: &'static str,
    /// Name on the wire.
    pub client: &'static str,
    /// Whether it has no name of its own on the wire (`flatten`, newtype).
    pub flat: bool,
    /// The fields of its type, where validation looks into it.
    pub nested: Option<fn() -> &'static [InputField]>,
}

/// An input type whose fields' names are known. Written by `#[derive(Input)]`.
#[diagnostic::on_unimplemented(
    message = "the client's names for the fields of `{Self}` are not known",
    label = "add `#[derive(Input)]`",
    note = "`Input` reads the serde attributes, so that violations are reported as the client names the fields"
)]
pub trait Input {
    /// Its fields.
    const FIELDS: &'static [InputField];
}

/// Checks the garde rules of a value.
///
/// # Errors
/// 422 with every violation, nested ones included; of more than 100, the first 100
/// and how many there are besides.
pub fn validate<T: garde::Validate<Context = ()> + Input>(value: &T) -> Result<(), Problem> {
    match garde::with_i18n(rules::Coded, || value.validate()) {
        Ok(()) => Ok(()),
        Err(report) => {
            let listed = violations(&report, T::FIELDS);
            let others = report.iter().count() - listed.len();
            Err(invalid_of(&listed, others))
        }
    }
}

/// The problem for a list of violations.
pub(crate) fn invalid(violations: &[Violation]) -> Problem {
    invalid_of(violations, 0)
}

/// The same, when there are others that are not listed.
fn invalid_of(violations: &[Violation], others: usize) -> Problem {
    let mut detail = violations
        .iter()
        .map(|violation| match violation.field.as_str() {
            "" => violation.detail.clone(),
            field => format!("{field}: {}", violation.detail),
        })
        .collect::<Vec<_>>()
        .join("; ");
    if others > 0 {
        detail.push_str(&format!("; and {others} more"));
    }
    Problem::of(&kinds::INVALID_INPUT).with_detail(detail).with_member("violations", violations)
}

#[cfg(test)]
mod tests;
