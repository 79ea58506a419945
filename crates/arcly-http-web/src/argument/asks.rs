//! What an argument kind, or a reply, asks of the type in it.
//!
//! `Json<T>: Argument` fails as a whole when `T` lacks something, because every
//! `FromRequest` is an argument as well: the compiler cannot know which of the two
//! was meant, and names neither. Generated code therefore asks once more, for each
//! thing by itself.

use std::marker::PhantomData;

use arcly_http_core::access::{ActionSet, Authenticator};
use arcly_http_core::di::{BuildError, Key, Lifecycle, ModuleMeta, Provide, Roles, Token};
use arcly_http_core::observe::HealthCheck;
use arcly_http_core::rate::RateLimitStore;
use arcly_http_core::time::Clock;
use arcly_http_core::validate::Input;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{HeaderValueParse, PathValue, Validated};
use crate::stage::{Filter, Guard, Interceptor};

/// `Json<T>`, `Form<T>`, `Query<T>`.
#[derive(Debug)]
pub struct Read<T: Readable + Documented>(PhantomData<T>);

/// A reply of `Json<T>`.
#[derive(Debug)]
pub struct Sent<T: Writable + Documented>(PhantomData<T>);

/// `Valid<Json<T>>` and the like.
#[derive(Debug)]
pub struct Checked<T: Rules + Input>(PhantomData<T>);

/// `Valid<A>` of a kind that has no angle brackets.
#[derive(Debug)]
pub struct Wrapped<A: Validated>(PhantomData<A>);

/// `Path<T>`.
#[derive(Debug)]
pub struct Segment<T: PathValue>(PhantomData<T>);

/// `Header<T>`, `Cookie<T>`.
#[derive(Debug)]
pub struct Text<T: HeaderValueParse>(PhantomData<T>);

/// `#[can(Actions::Do)]`.
#[derive(Debug)]
pub struct Action<T: ActionSet>(PhantomData<T>);

/// `Inject<dyn Trait>`.
#[derive(Debug)]
pub struct Named<T: Token + ?Sized>(PhantomData<fn() -> Box<T>>);

/// What serde can read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a request",
    label = "add `#[derive(serde::Deserialize)]`"
)]
pub trait Readable {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Readable for T {}

/// What serde can write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as JSON",
    label = "add `#[derive(serde::Serialize)]`"
)]
pub trait Writable {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Writable for T {}

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

/// Tells whether a type has rules that `Valid` can check, which gives them no context:
/// its own constant is found before that of [`NoRules`], if it has one.
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

impl<T: garde::Validate<Context = ()>> Probe<T> {
    /// Yes.
    pub const HAS_RULES: bool = true;
}

/// See [`Probe`].
pub trait NoRules {
    /// No.
    const HAS_RULES: bool = false;
}

impl<T> NoRules for Probe<T> {}

/// Tells what the framework would use a type for: its own constants are found before
/// those of [`NoRole`], where it implements the trait.
#[derive(Debug)]
pub struct Role<T: ?Sized>(PhantomData<fn() -> Box<T>>);

/// See [`Role`].
pub trait NoRole {
    /// No guard.
    const GUARD: u8 = 0;
    /// No interceptor.
    const INTERCEPTOR: u8 = 0;
    /// No filter.
    const FILTER: u8 = 0;
    /// No health check.
    const HEALTH_CHECK: u8 = 0;
    /// Does not authenticate.
    const AUTHENTICATOR: u8 = 0;
    /// Counts no requests.
    const RATE_LIMIT_STORE: u8 = 0;
    /// Tells no time.
    const CLOCK: u8 = 0;
}

impl<T: ?Sized> NoRole for Role<T> {}

macro_rules! roles {
    ($($role:ident: $port:ident),*) => {$(
        impl<T: $port + ?Sized> Role<T> {
            /// It is one.
            pub const $role: u8 = Roles::$role;
        }
    )*};
}

roles!(
    GUARD: Guard,
    INTERCEPTOR: Interceptor,
    FILTER: Filter,
    HEALTH_CHECK: HealthCheck,
    AUTHENTICATOR: Authenticator,
    RATE_LIMIT_STORE: RateLimitStore,
    CLOCK: Clock
);

/// What stands in `exports(..)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be exported",
    label = "no provider",
    note = "what the module provides is exported, by the name that stands in its `providers(..)`, or as `dyn Trait`; what another module exports is passed on by `reexports(ThatModule)`"
)]
pub trait Exported {
    /// Its name in the graph.
    const KEY: Key;
}

#[diagnostic::do_not_recommend]
impl<P: Provide> Exported for P {
    const KEY: Key = P::PROVIDER.key;
}

/// A module, as a value: the static beside its type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "cannot stand in `imports(..)` or `reexports(..)`",
    note = "a provider stands in `providers(..)`, a controller in `controllers(..)`; a module is a unit struct with `#[module(..)]`"
)]
pub trait Importable {}

impl Importable for ModuleMeta {}

/// What stands for a provider among values; see `derive(Injectable)`.
#[derive(Debug)]
pub struct Provider<T>(PhantomData<fn() -> T>);

impl<T> Provider<T> {
    /// Nothing but a type.
    #[expect(clippy::new_without_default, reason = "made in constants")]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// Asks for a module.
pub const fn module<M: Importable>(_: &M) {}

/// What a module finds in a controller that another crate declares; one of its own has a
/// constant of this name, which the compiler misses where nobody uses it.
pub trait Elsewhere {
    /// Says nothing.
    const ONE_CONTROLLER_BLOCK_LISTED_IN_A_MODULE: () = ();
}

impl<T: ?Sized> Elsewhere for T {}

/// What a factory puts behind `Arc<dyn Trait>`.
#[derive(Debug)]
pub struct Hidden<T>(PhantomData<fn() -> T>);

impl<T> Hidden<T> {
    /// Nothing but its type.
    #[must_use]
    pub fn of(_: &T) -> Self {
        Self(PhantomData)
    }
}

/// Hooks that run although the type is hidden: none.
#[diagnostic::on_unimplemented(
    message = "the lifecycle hooks of `{Self}` would never run behind `Arc<dyn ..>`",
    label = "its type is hidden here",
    note = "let the factory return `{Self}` itself, which derives `Token`, and list it as `factory as dyn Trait`"
)]
pub trait HooksRun {}

impl<T: Lifecycle> Hidden<T> {
    /// Never.
    pub fn hooks_run(&self)
    where
        T: HooksRun,
    {
    }
}

/// See [`Hidden`].
pub trait WithoutHooks {
    /// There are none.
    fn hooks_run(&self) {}
}

impl<T> WithoutHooks for Hidden<T> {}

/// What a factory fails with.
#[diagnostic::on_unimplemented(
    message = "a factory cannot fail with `{Self}`",
    label = "not an error",
    note = "implement `std::error::Error` for it, for example by `#[derive(Debug, thiserror::Error)]`; a text (`String`) will do as well"
)]
pub trait FactoryError {
    /// The error as a launch reports it.
    fn report(self) -> BuildError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> FactoryError for E {
    fn report(self) -> BuildError {
        BuildError::factory(self)
    }
}

/// The error of a factory.
pub fn factory_error<E: FactoryError>(error: E) -> BuildError {
    error.report()
}

/// Each of these derives makes a struct a provider by itself: two of them conflict, and the
/// compiler names this trait.
pub trait OneOfInjectableConfigToken {}
