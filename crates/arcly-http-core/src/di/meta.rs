//! The metadata that attributes write and that the proof, the container, the
//! router and the documents read.

use super::container::{BuildFuture, Instance, Resolver};
use super::key::{Key, str_eq};
use super::lifecycle::HookTable;
use crate::access::Access;
use crate::config::SectionMeta;

/// A place in the user's source, for messages.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// As `file!()` gives it.
    pub file: &'static str,
    /// One-based.
    pub line: u32,
}

impl Place {
    /// `==` is not available in constants.
    pub(super) const fn same(&self, other: &Self) -> bool {
        self.line == other.line && str_eq(self.file, other.file)
    }
}

/// How often a provider is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderScope {
    /// Once, at launch.
    Singleton,
    /// Once per unit of work (request, message, job), on demand.
    Request,
    /// Once per place that injects it.
    Transient,
}

/// How a dependency is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepKind {
    /// Must exist.
    One,
    /// May be missing.
    Optional,
    /// Must exist, but is bound after construction: allowed in a cycle.
    Lazy,
    /// Every provider bound to the trait, in construction order.
    All,
    /// Must exist and live as long as the application: a guard, interceptor or
    /// filter is taken out of the graph once, when its routes are mounted.
    Shared,
}

/// What a field's type says of itself.
#[derive(Debug, Clone, Copy)]
pub struct DepSpec {
    /// What is needed.
    pub key: Key,
    /// How.
    pub kind: DepKind,
    /// Whether the key is declared `#[injectable(many)]`.
    pub many: bool,
}

/// The same need, of something that must live as long as the application.
#[must_use]
pub const fn shared(spec: DepSpec) -> DepSpec {
    DepSpec { kind: DepKind::Shared, ..spec }
}

/// One edge of the graph.
#[derive(Debug, Clone, Copy)]
pub struct Dep {
    /// Field or argument name.
    pub field: &'static str,
    /// What is needed, and how.
    pub spec: DepSpec,
    /// Line of the field or argument.
    pub line: u32,
}

/// One provider.
#[derive(Debug)]
pub struct ProviderMeta {
    /// What it provides.
    pub key: Key,
    /// How often it is built.
    pub scope: ProviderScope,
    /// Where it is declared.
    pub place: Place,
    /// What it needs.
    pub deps: &'static [Dep],
    /// Builds one instance.
    pub build: for<'r> fn(&'r Resolver<'r>) -> BuildFuture<'r>,
    /// Its lifecycle hooks, if the type has any.
    pub hooks: fn() -> Option<HookTable>,
    /// The configuration section it is read from, if it is one.
    pub config: Option<&'static SectionMeta>,
}

/// A provider bound to a trait: `SystemClock as dyn Clock`.
#[derive(Debug)]
pub struct Binding {
    /// The trait's key.
    pub key: Key,
    /// See [`super::Token::MANY`].
    pub many: bool,
    /// Turns the provider's handle into the trait's.
    pub upcast: fn(&Instance) -> Option<Instance>,
}

/// A line of a module's `providers(..)`.
#[derive(Debug)]
pub struct ProviderEntry {
    /// The name that stands in the list: a struct, or a factory.
    pub name: &'static str,
    /// The provider.
    pub meta: &'static ProviderMeta,
    /// The traits it is bound to.
    pub bindings: &'static [Binding],
    /// What the framework would use it for.
    pub roles: Roles,
}

/// What the framework uses a provider for once it is named (stages) or bound (ports);
/// one that is neither would be listed without an effect, which the proof refuses.
#[derive(Debug, Clone, Copy)]
pub struct Roles(u8);

impl Roles {
    /// Named in `guards(..)`.
    pub const GUARD: u8 = 1;
    /// Named in `interceptors(..)`.
    pub const INTERCEPTOR: u8 = 2;
    /// Named in `filters(..)`.
    pub const FILTER: u8 = 4;
    /// Bound to `dyn HealthCheck`.
    pub const HEALTH_CHECK: u8 = 8;
    /// Bound to `dyn Authenticator`.
    pub const AUTHENTICATOR: u8 = 16;
    /// Bound to `dyn RateLimitStore`.
    pub const RATE_LIMIT_STORE: u8 = 32;
    /// Bound to `dyn Clock`.
    pub const CLOCK: u8 = 64;

    /// The roles whose bits are set.
    #[must_use]
    pub const fn of(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether this role is one of them.
    #[must_use]
    pub const fn has(self, role: u8) -> bool {
        self.0 & role != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// An action that `#[can(..)]` may name, and who may take it.
#[derive(Debug, Clone, Copy)]
pub struct ActionMeta {
    /// What it is told apart by: enum, its place, and variant.
    pub key: Key,
    /// `Article::Publish`, as shown in route lists and refusals.
    pub name: &'static str,
    /// One of these roles is enough; empty: no role is asked for.
    pub roles: &'static [&'static str],
    /// All of these scopes (RFC 6749, section 3.3) are needed.
    pub scopes: &'static [&'static str],
}

/// Part of a route that needs something.
#[derive(Debug, Clone, Copy)]
pub enum Needer {
    /// An argument of the handler.
    Handler {
        /// The argument's name in the source.
        argument: &'static str,
        /// Where it stands, one-based.
        line: u32,
    },
    /// A guard, an interceptor or a filter.
    Stage,
    /// The access rule.
    Rule,
}

/// What a part of a route needs.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Which part.
    pub of: Needer,
    /// What it needs.
    pub deps: &'static [Dep],
}

/// What the proof must know of one HTTP route.
#[derive(Debug)]
pub struct RouteFact {
    /// `GET`, `POST`, ... in upper case.
    pub method: &'static str,
    /// Whole path in axum 0.8 syntax, the controller's prefix included.
    pub path: &'static str,
    /// Which hosts it answers.
    pub host: Host,
    /// Version it belongs to; empty for none.
    pub version: &'static str,
    /// `operationId` of the document: what the route says, or controller, handler and
    /// version in one word.
    pub operation_id: &'static str,
    /// Name of the handler method.
    pub handler: &'static str,
    /// Where it is declared.
    pub place: Place,
    /// Who may call it.
    pub access: Access,
    /// Names of the arguments that are read from the path.
    pub path_args: &'static [&'static str],
    /// What its arguments, guards, interceptors, filters and access rule need.
    pub needs: &'static [Needs],
}

impl RouteFact {
    /// The method of events: what a socket sends to a gateway. Their path is that of the
    /// gateway with the event behind `#`, and its parameters need not be read.
    pub const EVENT: &'static str = "SUBSCRIBE";

    /// Whether it is an event of a gateway.
    #[must_use]
    pub const fn is_event(&self) -> bool {
        super::key::str_eq(self.method, Self::EVENT)
    }
}

/// Which hosts a route answers.
#[derive(Debug, Clone, Copy)]
pub enum Host {
    /// Every host.
    Any,
    /// This host name only, compared without port and case.
    Name(&'static str),
}

/// One controller.
#[derive(Debug)]
pub struct ControllerMeta {
    /// The provider that the routes are methods of.
    pub provider: &'static ProviderMeta,
    /// Its routes, as the proof sees them.
    pub routes: &'static [RouteFact],
    /// The same routes for the transport that mounts them; `arcly-http-web`
    /// knows the type behind it.
    pub transport: fn() -> Box<dyn std::any::Any>,
}

/// One module.
#[derive(Debug)]
pub struct ModuleMeta {
    /// Its name.
    pub key: Key,
    /// Where it is declared.
    pub place: Place,
    /// Modules whose exports its members may inject.
    pub imports: &'static [&'static ModuleMeta],
    /// What it provides.
    pub providers: &'static [ProviderEntry],
    /// Its controllers.
    pub controllers: &'static [&'static ControllerMeta],
    /// Keys of its providers that importers see.
    pub exports: &'static [Key],
    /// Imported modules whose exports it passes on.
    pub reexports: &'static [&'static ModuleMeta],
    /// Whether every module sees its exports without importing it.
    pub global: bool,
    /// Actions it declares for `#[can(..)]`.
    pub actions: &'static [&'static [ActionMeta]],
    /// What its controllers' paths begin with; empty for nothing.
    pub prefix: &'static str,
    /// What its module-level guards, interceptors and filters need.
    pub deps: &'static [&'static [Dep]],
    /// The module-level settings for the transport, like
    /// [`ControllerMeta::transport`].
    pub transport: fn() -> Box<dyn std::any::Any>,
}

/// A module, as a type.
///
/// Written by `#[module(..)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "put `#[module(..)]` on it"
)]
pub trait Module: 'static {
    /// Its metadata.
    const META: &'static ModuleMeta;
    /// Whether the graph below it is proved where it is declared, as
    /// `#[module(root, ..)]` does; `#[arcly_http::main]` then does not prove it
    /// once more.
    const PROVED: bool = false;
}

/// Something that a module can list in `providers(..)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provider",
    label = "cannot stand in `providers(..)`",
    note = "a struct: add `#[derive(Injectable)]`; a factory function: put `#[provider]` on it; a configuration struct: add `#[derive(Config)]`"
)]
pub trait Provide {
    /// What the instance is used as.
    type Output: ?Sized + Send + Sync + 'static;
    /// Its metadata.
    const PROVIDER: &'static ProviderMeta;
}
