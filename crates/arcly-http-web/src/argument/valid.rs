//! `Valid<A>`: an argument whose content is checked by its garde rules.

use std::ops::Deref;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::validate::{Input, validate};

use super::{Argument, BindError, Binder, Form, Json, Query};
use crate::Context;

/// `Valid<Json<T>>`, `Valid<Query<T>>`, `Valid<Form<T>>`: read, then checked;
/// every violation is reported under the client's field names.
#[derive(Debug, Clone, Copy)]
pub struct Valid<A>(pub A);

impl<A: Validated> Valid<A> {
    /// The checked value.
    #[must_use]
    pub fn into_inner(self) -> A::Value {
        self.0.into_value()
    }
}

impl<A: Deref> Deref for Valid<A> {
    type Target = A::Target;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// An argument kind that `Valid` can look into.
#[diagnostic::on_unimplemented(
    message = "`Valid<{Self}>` has nothing to check",
    label = "`Valid` goes around the kind of argument: `Valid<Json<..>>`",
    note = "write `Valid<Json<T>>`, `Valid<Query<T>>` or `Valid<Form<T>>` where `T` derives `garde::Validate` and `Input`"
)]
pub trait Validated: Argument {
    /// What is checked.
    type Value: garde::Validate<Context = ()> + Input;
    /// Borrows it.
    fn value(&self) -> &Self::Value;
    /// Takes it.
    fn into_value(self) -> Self::Value;
}

macro_rules! validated {
    ($($kind:ident)*) => {$(
        impl<T> Validated for $kind<T>
        where
            T: garde::Validate<Context = ()> + Input,
            Self: Argument,
        {
            type Value = T;
            fn value(&self) -> &T {
                &self.0
            }
            fn into_value(self) -> T {
                self.0
            }
        }
    )*};
}

validated!(Json Query Form);

impl<A: Validated> Argument for Valid<A>
where
    A::Value: Sync,
{
    type Bound = A::Bound;
    const NEEDS: &'static [arcly_http_core::di::Dep] = A::NEEDS;
    const IMMEDIATE: bool = A::IMMEDIATE;

    fn describe(name: &str, operation: &mut Operation) {
        A::describe(name, operation);
        operation.problem(&kinds::INVALID_INPUT);
    }

    fn bind(name: &'static str, binder: &Binder<'_>) -> Result<A::Bound, BindError> {
        A::bind(name, binder)
    }

    async fn extract(bound: &A::Bound, context: &mut Context) -> Result<Self, Problem> {
        let argument = A::extract(bound, context).await?;
        validate(argument.value())?;
        Ok(Self(argument))
    }
}
