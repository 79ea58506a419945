//! What a task may end with.

use std::error::Error;

use crate::problem::error_chain;

/// What a background task may end with: `()`, or a `Result<(), E>` with any error.
#[diagnostic::on_unimplemented(
    message = "a background task cannot end with `{Self}`",
    label = "neither `()` nor `Result<(), E>`",
    note = "a loop without an end: leave it when its `Stop` says so, as in `while !stop.is_requested()`"
)]
pub trait Outcome: sealed::Sealed {}

impl Outcome for () {}
impl<E: Into<Box<dyn Error + Send + Sync>>> Outcome for Result<(), E> {}

pub(super) mod sealed {
    use super::{Error, error_chain};

    pub trait Sealed {
        /// Nothing, or what went wrong.
        fn fault(self) -> Option<String>;
    }

    impl Sealed for () {
        fn fault(self) -> Option<String> {
            None
        }
    }

    impl<E: Into<Box<dyn Error + Send + Sync>>> Sealed for Result<(), E> {
        fn fault(self) -> Option<String> {
            let error = self.err()?.into();
            Some(error_chain(&*error).to_string())
        }
    }
}
