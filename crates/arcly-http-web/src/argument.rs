//! Handler arguments: what a handler may ask a request for.
//!
//! Each kind reads itself from the request, says what it needs from the
//! dependency graph, and describes itself in the document.

#[doc(hidden)]
pub mod asks;
mod body;
mod caller;
mod cookie;
mod header;
mod inject;
mod multipart;
mod path;
mod query;
mod valid;

use std::future::Future;
use std::sync::Arc;

use arcly_http_core::contract::Operation;
use arcly_http_core::di::{Dep, FrozenDiContainer, Key, RouteFact, ScopedPlan};
use arcly_http_core::problem::{IntoProblem, Problem};

pub use body::{Form, Json, RawBody};
pub use caller::{Caller, ClientAddr};
pub use cookie::Cookie;
pub use header::{Header, HeaderValueParse, IfMatch};
pub use inject::Scoped;
pub use multipart::{Multipart, Part, PartLimits};
pub use path::{Path, PathArgument, PathValue};
pub use query::Query;
pub use valid::{Valid, Validated};

use crate::app::LaunchConfig;
use crate::pipeline::message::Event;
use crate::{Context, Head};

/// A kind of handler argument that may take something from the graph.
///
/// Most own kinds need nothing from the graph: implement [`FromRequest`], which
/// is simpler.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take an argument of type `{Self}`",
    label = "not an argument kind",
    note = "built in: `Path`, `Query`, `Header`, `Cookie`, `Json`, `Form`, `Multipart`, `RawBody`, `Valid`, `Caller`, `Scope`, `Inject`, and `Option` of those that may be missing",
    note = "your own type: implement `FromRequest` for it"
)]
pub trait Argument: Sized + Send + 'static {
    /// What it takes out of the graph, once, at launch.
    type Bound: Send + Sync + 'static;
    /// The edges that it adds to the graph; the proof checks them.
    const NEEDS: &'static [Dep] = &[];
    /// Whether reading it never waits. A handler that never waits, all of whose
    /// arguments are immediate, is called without boxing a future.
    const IMMEDIATE: bool = false;

    /// The same for what was bound: an injected singleton is there, a provider of
    /// request scope has to be built.
    fn is_immediate(bound: &Self::Bound) -> bool {
        let _ = bound;
        Self::IMMEDIATE
    }

    /// Says in the document what it reads and how it can fail. `name` is the
    /// argument's name, or what `#[name("..")]` says.
    fn describe(name: &str, operation: &mut Operation);

    /// Takes what it needs, once, at launch.
    ///
    /// # Errors
    /// When the graph does not have it, or the name does not fit.
    fn bind(name: &'static str, binder: &Binder<'_>) -> Result<Self::Bound, BindError>;

    /// Reads it from one request.
    ///
    /// # Errors
    /// A problem for the client, of a kind that `describe` lists.
    fn extract<'a>(
        bound: &'a Self::Bound,
        context: &'a mut Context,
    ) -> impl Future<Output = Result<Self, Problem>> + Send + 'a;
}

/// Your own kind of argument, read from everything but the body.
///
/// ```
/// use arcly_http_core::{contract::Operation, problem::{Problem, kinds}};
/// use arcly_http_web::{FromRequest, Head};
///
/// struct ClientVersion(u32);
///
/// impl FromRequest for ClientVersion {
///     type Error = Problem;
///
///     fn describe(operation: &mut Operation) {
///         operation.header::<u32>("x-client-version", true);
///         operation.problem(&kinds::BAD_REQUEST);
///     }
///
///     async fn from_request(head: &Head) -> Result<Self, Problem> {
///         head.headers()
///             .get("x-client-version")
///             .and_then(|value| value.to_str().ok()?.parse().ok())
///             .map(Self)
///             .ok_or_else(|| Problem::of(&kinds::BAD_REQUEST).with_detail("send x-client-version"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot take an argument of type `{Self}`",
    label = "not an argument kind",
    note = "built in: `Path`, `Query`, `Header`, `Cookie`, `Json`, `Form`, `Multipart`, `RawBody`, `Valid`, `Caller`, `Scope`, `Inject`, and `Option` of those that may be missing",
    note = "your own type: implement `FromRequest` for it"
)]
pub trait FromRequest: Sized + Send + 'static {
    /// What it fails with; its kinds are added to the document.
    type Error: IntoProblem;

    /// Says in the document what it reads. The kinds of `Error` are added by
    /// themselves.
    fn describe(operation: &mut Operation);

    /// Reads it.
    ///
    /// # Errors
    /// Whatever makes the request unusable.
    fn from_request(head: &Head) -> impl Future<Output = Result<Self, Self::Error>> + Send;
}

impl<T: FromRequest> Argument for T {
    type Bound = ();

    fn describe(_name: &str, operation: &mut Operation) {
        T::describe(operation);
        operation.problems(T::Error::kinds());
    }

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        T::from_request(&context.head).await.map_err(IntoProblem::into_problem)
    }
}

/// Why a route could not be mounted. The proof excludes the first for
/// metadata that macros wrote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The graph lacks a provider.
    #[error("`{0}` is not in the graph")]
    Missing(Key),
    /// A name cannot be used.
    #[error("argument `{name}`: {reason}")]
    Name {
        /// The argument's name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// What arguments bind to at launch.
#[derive(Debug)]
pub struct Binder<'b> {
    pub(crate) container: &'b FrozenDiContainer,
    pub(crate) fact: &'static RouteFact,
    pub(crate) config: &'b LaunchConfig,
    /// Of a gateway: what its sockets may send.
    pub(crate) events: &'b [Arc<Event>],
    pub(crate) is_of_gateway: bool,
}

impl Binder<'_> {
    /// The controller that the handler is a method of.
    ///
    /// # Errors
    /// When it is not in the graph.
    pub fn controller<C>(&self) -> Result<Arc<C>, BindError>
    where
        C: arcly_http_core::di::Provide<Output = C> + Send + Sync + 'static,
    {
        self.provider(&C::PROVIDER.key)
    }

    /// A singleton by key.
    ///
    /// # Errors
    /// When it is not in the graph.
    pub fn provider<T: ?Sized + Send + Sync + 'static>(
        &self,
        key: &Key,
    ) -> Result<Arc<T>, BindError> {
        self.container.get_keyed(key).ok_or(BindError::Missing(*key))
    }

    /// How a provider that is not a singleton is built for each request.
    #[must_use]
    pub fn scoped_plan(&self, key: &Key) -> Option<ScopedPlan> {
        self.container.scoped_plan(key)
    }

    /// The whole graph.
    #[must_use]
    pub fn container(&self) -> &FrozenDiContainer {
        self.container
    }

    /// The settings of the application.
    #[must_use]
    pub fn config(&self) -> &LaunchConfig {
        self.config
    }

    /// The events of the gateway whose handshake is being mounted; empty for other routes.
    #[must_use]
    pub fn events(&self) -> &[Arc<Event>] {
        self.events
    }

    /// Whether the work that is bound belongs to a socket.
    #[must_use]
    pub fn is_of_gateway(&self) -> bool {
        self.is_of_gateway
    }

    /// The route that is being mounted.
    #[must_use]
    pub fn route(&self) -> &'static RouteFact {
        self.fact
    }
}
