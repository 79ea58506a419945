//! Request pipeline of arcly-http: routes, stages, arguments, replies,
//! documents, serving.
//!
//! Only this crate names hyper and axum. A request runs through one ordered
//! list of stages ([`pipeline`]); declared routes are dispatched by our own
//! table, whatever else an application mounts goes to its tower service.

pub mod admin;
pub mod app;
pub mod argument;
pub mod body;
pub mod cache;
mod context;
pub mod describe;
mod docs;
mod endpoint;
pub mod limit;
pub mod pipeline;
pub mod plugin;
pub mod reply;
pub mod route;
pub mod serve;
pub mod stage;
mod url;

pub use app::{App, AppError, Launched};
pub use argument::{Argument, Binder, FromRequest, PathArgument, PathValue};
pub use body::Body;
pub use context::{Context, Head};
pub use endpoint::{Called, Endpoint, endpoint_of};
pub use pipeline::{Compress, Cors, security_headers};
pub use reply::{Reply, Response};
pub use route::{Controller, ControllerHttp, Emitted, EventRoute, HttpRoute, ModuleHttp};
pub use stage::{Filter, Guard, Interceptor, Next, Stages};
pub use url::build_url;
