//! Declared routes, and the table that finds them.

mod negotiate;
mod table;

use std::any::Any;

use arcly_http_core::contract::Operation;
use arcly_http_core::di::{ControllerMeta, Key, Provide, RouteFact};

pub(crate) use negotiate::{accept_of, accepts, matches_type};
pub use table::Versioning;
pub(crate) use table::{Found, Mounted, Table};

use crate::argument::{BindError, Binder};
use crate::endpoint::Endpoint;
use crate::plugin::{Plugin, PluginMeta};
use crate::stage::Stages;

/// A provider whose methods answer HTTP requests. Written by `#[controller]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a controller",
    label = "put `#[controller(\"/prefix\")]` on its impl block"
)]
pub trait Controller: Provide {
    /// Its metadata.
    const CONTROLLER: &'static ControllerMeta;
}

/// One route, as a controller declares it.
#[derive(Debug)]
pub struct HttpRoute {
    /// What the proof sees of it.
    pub fact: &'static RouteFact,
    /// First paragraph of the doc comment.
    pub summary: &'static str,
    /// The rest of it.
    pub description: &'static str,
    /// Tags in the document.
    pub tags: &'static [&'static str],
    /// Since when it is deprecated (RFC 9745), UTC; empty: it is not.
    pub deprecated: &'static str,
    /// When it will go away (RFC 8594), UTC; empty: not announced.
    pub sunset: &'static str,
    /// Most bytes of its body; `None`: the application's limit.
    pub body_limit: Option<u64>,
    /// Its own guards, interceptors, filters and layers.
    pub stages: Stages,
    /// Describes arguments and reply.
    pub describe: fn(&mut Operation),
    /// Binds controller and arguments.
    pub mount: fn(&Binder<'_>) -> Result<Box<dyn Endpoint>, BindError>,
}

/// A controller for this transport.
#[derive(Debug)]
pub struct ControllerHttp {
    pub(crate) stages: Stages,
    pub(crate) routes: Vec<HttpRoute>,
    /// Of a gateway: the events that it takes.
    pub(crate) events: Vec<EventRoute>,
    pub(crate) emits: Vec<Emitted>,
    pub(crate) is_gateway: bool,
}

/// An event that a gateway sends.
#[derive(Debug, Clone, Copy)]
pub struct Emitted {
    /// As clients know it.
    pub name: &'static str,
    /// Says in the document what it carries, as a reply.
    pub describe: fn(&mut Operation),
}

/// An event that a gateway takes. Its fact has the method `SUBSCRIBE`, and the path of the
/// gateway with the event behind `#`.
#[derive(Debug)]
pub struct EventRoute {
    /// As clients name it.
    pub name: &'static str,
    /// Described and mounted like a route.
    pub route: HttpRoute,
}

impl ControllerHttp {
    /// Its stages and routes.
    #[must_use]
    pub fn new(stages: Stages, routes: Vec<HttpRoute>) -> Self {
        Self { stages, routes, events: vec![], emits: vec![], is_gateway: false }
    }

    /// A gateway: the route that opens its sockets, the events that they may send, and those
    /// that they are sent.
    #[must_use]
    pub fn gateway(
        stages: Stages,
        handshake: HttpRoute,
        events: Vec<EventRoute>,
        emits: Vec<Emitted>,
    ) -> Self {
        Self { stages, routes: vec![handshake], events, emits, is_gateway: true }
    }

    pub(crate) fn of(meta: &ControllerMeta) -> Option<Self> {
        (meta.transport)().downcast().ok().map(|this| *this)
    }
}

/// A module's settings for this transport.
#[derive(Debug, Default)]
pub struct ModuleHttp {
    pub(crate) stages: Stages,
    pub(crate) plugins: Vec<(Key, PluginMeta)>,
}

impl ModuleHttp {
    /// The stages of a module.
    #[must_use]
    pub fn new(stages: Stages) -> Self {
        Self { stages, plugins: vec![] }
    }

    /// A plugin that the module takes.
    #[must_use]
    pub fn plugin<P: Plugin>(mut self) -> Self {
        self.plugins.push((P::META.key, PluginMeta::of::<P>()));
        self
    }

    pub(crate) fn of(transport: fn() -> Box<dyn Any>) -> Self {
        transport().downcast().map_or_else(|_| Self::default(), |this| *this)
    }
}
