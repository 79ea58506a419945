#![doc = include_str!("../../../README.md")]
#![forbid(unsafe_code)]

// The derives that this crate uses itself name it by its outer name.
extern crate self as arcly_http;

#[cfg(feature = "http-client")]
pub mod client;
mod command;
mod launch;
mod logging;
#[cfg(feature = "realtime")]
pub mod realtime;
pub mod telemetry;

pub use arcly_http_core::access::{self, Access};
pub use arcly_http_core::{
    cache, config, contract, di, observe, problem, rate, resilience, scope, task, time, validate,
};
#[cfg(feature = "sqlite")]
pub use arcly_http_data as data;
pub use arcly_http_macros::{
    Action, Config, Injectable, Input, Problem, Qualifier, Token, authenticated, can, controller,
    delete, filters, get, guards, head, injectable, interceptors, layers, main, module, options,
    patch, post, provider, public, put, route, trace,
};
#[cfg(feature = "realtime")]
pub use arcly_http_macros::{
    Room, ServerEvent, gateway, message, on_connect, on_disconnect, subscribe,
};
pub use arcly_http_security as security;
pub use arcly_http_web as web;
pub use arcly_http_web::{App, plugin};
pub use launch::ServerConfig;
pub use schemars;

/// What most files of an application need.
///
/// ```
/// use arcly_http::prelude::*;
/// ```
pub mod prelude {
    pub use arcly_http_core::cache::ResponseCache;
    pub use arcly_http_core::di::{All, Inject, Lazy, Lifecycle};
    pub use arcly_http_core::observe::{HealthCheck, HealthFuture, Metrics};
    pub use arcly_http_core::problem::{IntoProblem, Problem};
    pub use arcly_http_core::scope::{Claims, Scope};
    pub use arcly_http_core::task::{Restart, Stop, Tasks};
    pub use arcly_http_core::time::Clock;
    pub use arcly_http_web::argument::{
        Caller, Cookie, Form, Header, Json, Multipart, Path, Query, Valid,
    };
    pub use arcly_http_web::reply::{Accepted, Created, NoContent, Tagged};
    pub use arcly_http_web::{App, Filter, FromRequest, Guard, Head, Interceptor, Next, Reply};

    pub use arcly_http_macros::{
        Action, Config, Injectable, Input, Problem, Qualifier, Token, authenticated, can,
        controller, delete, filters, get, guards, injectable, interceptors, layers, module,
        options, patch, post, provider, public, put, route,
    };
    #[cfg(feature = "realtime")]
    pub use arcly_http_macros::{
        Room, ServerEvent, gateway, message, on_connect, on_disconnect, subscribe,
    };
    #[cfg(feature = "realtime")]
    pub use arcly_http_realtime::{Hub, WsClient, WsMessage};
}

/// What generated code names. Not part of the API: it may change in any
/// release.
#[doc(hidden)]
pub mod __rt {
    pub use arcly_http_core::access::{AUTHENTICATED_NEEDS, Access, ActionSet};
    pub use arcly_http_core::contract::Operation;
    pub use arcly_http_core::di::{
        ActionMeta, Binding, BuildError, BuildFuture, ControllerMeta, Dep, Dependency, HookTable,
        Hookless, Host, Inject, Instance, Key, Module, ModuleMeta, Needer, Needs, NoHooks, Place,
        Probe, Provide, ProviderEntry, ProviderMeta, ProviderScope, Qualifier, Resolver, Roles,
        RouteFact, Token, Unqualified, WithHooks, proof, shared,
    };
    pub use arcly_http_core::{config, problem, validate};
    #[cfg(feature = "realtime")]
    pub use arcly_http_realtime::{
        AdmitsTo, Codec, GATEWAY_NEEDS, Gateway, GatewaySpec, OnDisconnect, Room, SentBy,
        ServerEvent, WsClient, describe_handshake, emitted, expect_distinct, gateway_endpoint,
    };
    pub use arcly_http_web::argument::asks::{self, Elsewhere};
    pub use arcly_http_web::cache::{Cache, CachePer};
    pub use arcly_http_web::limit::{Per, RateLimit};
    pub use arcly_http_web::{
        App, Argument, Binder, Called, Compress, Context, Controller, ControllerHttp, EventRoute,
        HttpRoute, ModuleHttp, PathArgument, PathValue, Reply, Stages, build_url, endpoint_of,
    };
    pub use {schemars, serde_json};

    pub use crate::launch::run_main;
}
