//! What an argument kind asks of the type in it.
//!
//! `Json<T>: Argument` fails as a whole when `T` lacks something, because every
//! `FromRequest` is an argument as well: the compiler cannot know which of the two
//! was meant, and names neither. Generated code therefore asks once more, for each
//! thing by itself.

use std::marker::PhantomData;

use arcly_http_core::access::ActionSet;
use arcly_http_core::validate::Input;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{HeaderValueParse, PathValue};

/// `Json<T>`, `Form<T>`, `Query<T>`.
#[derive(Debug)]
pub struct Read<T: Readable + Documented>(PhantomData<T>);

/// `Valid<Json<T>>` and the like.
#[derive(Debug)]
pub struct Checked<T: Rules + Input>(PhantomData<T>);

/// `Path<T>`.
#[derive(Debug)]
pub struct Segment<T: PathValue>(PhantomData<T>);

/// `Header<T>`, `Cookie<T>`.
#[derive(Debug)]
pub struct Text<T: HeaderValueParse>(PhantomData<T>);

/// `#[can(Actions::Do)]`.
#[derive(Debug)]
pub struct Action<T: ActionSet>(PhantomData<T>);

/// What serde can read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a request",
    label = "add `#[derive(serde::Deserialize)]`"
)]
pub trait Readable {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Readable for T {}

/// What the document can show.
#[diagnostic::on_unimplemented(
    message = "the document cannot show what is in `{Self}`",
    label = "add `#[derive(schemars::JsonSchema)]`"
)]
pub trait Documented {}

#[diagnostic::do_not_recommend]
impl<T: JsonSchema> Documented for T {}

/// What garde can check.
#[diagnostic::on_unimplemented(
    message = "`Valid` finds no rules in `{Self}`",
    label = "add `#[derive(garde::Validate)]`",
    note = "or take the argument without `Valid`"
)]
pub trait Rules {}

#[diagnostic::do_not_recommend]
impl<T: garde::Validate<Context = ()>> Rules for T {}
