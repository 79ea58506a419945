//! From domain errors to problems.

use std::convert::Infallible;
use std::error::Error;

use super::{Problem, ProblemKind, kinds};

/// An error that can be answered as a problem.
///
/// Derive it with `#[derive(Problem)]`, or write it by hand:
///
/// ```
/// use arcly_http_core::problem::{IntoProblem, Problem, ProblemKind};
///
/// static OUT_OF_STOCK: ProblemKind = ProblemKind {
///     status: 409,
///     type_uri: "urn:problem:order:out-of-stock",
///     code: "out_of_stock",
///     title: "Out of stock",
///     members: &[],
/// };
///
/// struct OutOfStock;
///
/// impl IntoProblem for OutOfStock {
///     fn into_problem(self) -> Problem {
///         Problem::of(&OUT_OF_STOCK)
///     }
///     fn kinds() -> &'static [&'static ProblemKind] {
///         static KINDS: [&ProblemKind; 1] = [&OUT_OF_STOCK];
///         &KINDS
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how to answer a client",
    label = "cannot become a problem",
    note = "add `#[derive(Problem)]` to `{Self}`, and `#[problem(status = ..)]`, `#[problem(internal)]` or `#[problem(transparent)]` to each variant",
    note = "an error of another crate: wrap it in a variant of an enum of your own; `#[problem(internal)]` keeps it in the log"
)]
pub trait IntoProblem {
    /// This error as a problem.
    fn into_problem(self) -> Problem;

    /// Every kind that [`into_problem`](Self::into_problem) can return, for
    /// the contract.
    fn kinds() -> &'static [&'static ProblemKind];
}

impl IntoProblem for Problem {
    fn into_problem(self) -> Problem {
        self
    }

    /// A bare problem says nothing about its kind, so only the kind that
    /// every operation has is listed.
    fn kinds() -> &'static [&'static ProblemKind] {
        static KINDS: [&ProblemKind; 1] = [&kinds::INTERNAL];
        &KINDS
    }
}

impl IntoProblem for Infallible {
    fn into_problem(self) -> Problem {
        match self {}
    }

    fn kinds() -> &'static [&'static ProblemKind] {
        &[]
    }
}

/// What `#[derive(Problem)]` stands on.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` derives `Problem`, and is no error",
    label = "add `#[derive(Debug, thiserror::Error)]`, with `#[error(\"..\")]` on each variant",
    note = "what it says of itself becomes the detail that clients read; it is `Send`, `Sync` and borrows nothing"
)]
pub trait Telling: Error + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Error + Send + Sync + 'static> Telling for E {}

/// A problem whose detail is an error's text.
#[doc(hidden)]
#[must_use]
pub fn told<E: Telling>(problem: Problem, error: E) -> Problem {
    problem.explained_by(error)
}

/// An error that only the log may read.
#[doc(hidden)]
#[must_use]
pub fn kept<E: Telling>(error: E) -> Problem {
    Problem::internal(error)
}

/// Lists of kinds as one list without doubles, in order of appearance.
#[doc(hidden)]
#[must_use]
pub fn merge_kinds(lists: &[&[&'static ProblemKind]]) -> Vec<&'static ProblemKind> {
    let mut merged: Vec<&'static ProblemKind> = Vec::new();
    for kind in lists.iter().copied().flatten() {
        if !merged.iter().any(|known| std::ptr::eq(*known, *kind)) {
            merged.push(kind);
        }
    }
    merged
}
